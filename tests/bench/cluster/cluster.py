"""The whole cluster: programs, containerd, control plane, node, and what pods need in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.bench.cluster import (
    archive,
    commands,
    control_plane,
    debian,
    flux,
    gateway,
    host_state,
    keda,
    manifests,
    metrics,
    names,
    postgresql,
    programs,
    runtime,
    volumes,
)
from tests.bench.cluster.api import Api, is_available
from tests.bench.cluster.layout import Layout
from tests.bench.shell import BenchError, step

_PROGRAMS = (programs.KUBERNETES, programs.PAUSE, programs.COREDNS)
_COMPILED = (*_PROGRAMS, programs.CNPG)
_SYSTEM_SECONDS = 60


def _add_definitions(layout: Layout, api: Api, times: dict[str, float]) -> None:
    for source in manifests.DEFINITIONS:
        manifests.apply(api, manifests.ensure(layout, source, times))


# What a cluster may have beside pods: name -> what puts it there, as often as it is asked.
ADDITIONS: dict[str, Callable[[Layout, Api, dict[str, float]], None]] = {
    "cnpg": postgresql.add,
    "definitions": _add_definitions,
    "flux": flux.add,
    "gateway": gateway.add,
    "keda": keda.add,
    "metrics": metrics.add,
}


def lacking(layout: Layout) -> str:
    """What this machine has not, so that no cluster can be made on it; empty when nothing is missing."""
    if os.geteuid() != 0:
        return "a node needs root: it makes links, mounts and control groups"
    if not shutil.which("go") and not all(programs.folder(layout, program).exists() for program in _COMPILED):
        return "the cluster's programs are compiled from Go modules: install Go 1.26 or newer"
    return ""


def compile_all(layout: Layout, times: dict[str, float]) -> None:
    """All that everyday tests need and that takes long the first time; nothing is started."""
    for program in _COMPILED:
        programs.ensure(layout, program, times)
    for source in (*manifests.DEFINITIONS, manifests.GATEWAY_API, manifests.CNPG):
        manifests.ensure(layout, source, times)


def up(layout: Layout, times: dict[str, float]) -> Api:
    """A cluster that answers and runs pods. One that is up is kept as it is."""
    if control_plane.is_up(layout):
        return Api(layout.kubeconfig)
    if missing := lacking(layout):
        raise BenchError(missing)
    layout.root.mkdir(parents=True, exist_ok=True)
    for program in _PROGRAMS:
        programs.ensure(layout, program, times)
    debian.ensure(layout, times)
    # What is left of a cluster that was killed.
    control_plane.stop(layout)
    host_state.save(layout.host_before, host_state.take())
    host_state.prepare()
    runtime.ensure(layout)
    dns = names.image(layout)
    with ThreadPoolExecutor(1) as pool:
        images = pool.submit(_bring_images, layout, (_pause(layout), dns), times)
        api = control_plane.start(layout, times)
        images.result()
    with step("start DNS", times, "DNS"):
        api.apply([volumes.storage_class(), *names.objects(dns.reference)])
        api.wait(names.DEPLOYMENT, is_available, "DNS", _SYSTEM_SECONDS)
    return api


def _pause(layout: Layout) -> archive.Content:
    program = programs.executable(layout, programs.PAUSE)
    return archive.Content(commands.PAUSE_IMAGE, {"/pause": program}, ("/pause",), {})


def _bring_images(layout: Layout, contents: tuple[archive.Content, ...], times: dict[str, float]) -> None:
    for content in contents:
        runtime.add(layout, content, times)
