"""The cluster's own processes: started in order, each waited for; ended in the order that leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.bench.cluster import certificates, commands, debian, host_state, programs, runtime
from tests.bench.cluster.api import Api, Object, has_condition
from tests.bench.cluster.layout import NODE, Layout
from tests.bench.cluster.processes import Processes
from tests.bench.paths import TESTS
from tests.bench.shell import BenchError, say, step

_READY_SECONDS = 60
_CONTROL = ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")
# Of additions, beside the node: a power cut of the node leaves them.
_BESIDE = ("sources",)
_OF_THE_NODE = ("agent", "kube-proxy", "kubelet")


def is_up(layout: Layout) -> bool:
    """Whether the API server answers and the kubelet runs."""
    running = layout.running
    if running.pid("kubelet") is None or not layout.kubeconfig.exists():
        return False
    return Api(layout.kubeconfig).answers()


def start(layout: Layout, times: dict[str, float]) -> Api:
    """From nothing to a node that is Ready. Programs, packages and containerd are there."""
    running, unpacked = layout.running, debian.ensure(layout, times)
    environment = debian.environment(unpacked)
    with step("start the control plane", times, "control plane"):
        shutil.rmtree(layout.state, ignore_errors=True)
        certificates.write_all(layout)
        api = _start_control_plane(layout, running)
    with step("start the node", times, "node"):
        _start_node(layout, running, environment)
        api.wait(f"/api/v1/nodes/{NODE}", lambda node: has_condition(node, "Ready"), "node that is Ready")
    return api


def _program(layout: Layout, name: str) -> Path:
    return programs.executable(layout, programs.KUBERNETES, name)


def start_api(layout: Layout, *flags: str) -> Api:
    """etcd and an API server with further flags, which answers. Certificates and programs are there."""
    running = layout.running
    running.start("etcd", [_program(layout, "etcd"), *commands.etcd(layout)])
    running.start("kube-apiserver", [_program(layout, "kube-apiserver"), *commands.apiserver(layout), *flags])
    api, deadline = Api(layout.kubeconfig), time.monotonic() + _READY_SECONDS
    while not api.answers():
        for name in ("etcd", "kube-apiserver"):
            running.check(name)
        if time.monotonic() > deadline:
            raise BenchError(f"the API server is not ready; see {running.log('kube-apiserver')}")
        time.sleep(0.05)
    return api


def _start_control_plane(layout: Layout, running: Processes) -> Api:
    api = start_api(layout)
    controllers = _program(layout, "kube-controller-manager")
    running.start("kube-controller-manager", [controllers, *commands.controllers(layout)])
    running.start("kube-scheduler", [_program(layout, "kube-scheduler"), *commands.scheduler(layout)])
    return api


def _write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content, indent=1))
    return path


def _start_node(layout: Layout, running: Processes, environment: Mapping[str, str]) -> None:
    folder = layout.configuration
    kubelet = _write(folder / "kubelet.json", commands.kubelet_configuration(layout))
    proxy = _write(folder / "proxy.json", commands.proxy_configuration(layout))
    running.start("kubelet", [_program(layout, "kubelet"), *commands.kubelet(layout, kubelet)], environment)
    running.start("kube-proxy", [_program(layout, "kube-proxy"), *commands.proxy(proxy)], environment)
    agent = [sys.executable, "-m", "tests.bench.cluster.agent"]
    running.start("agent", agent, {**environment, "PYTHONPATH": str(TESTS.parent)})


def reboot(layout: Layout) -> None:
    """End the node and every process of every pod at once, as a power cut does, and start the node again.

    The control plane stays. Ready when the new kubelet has said so; pods come back after that.
    """
    running, api = layout.running, Api(layout.kubeconfig)
    path = f"/api/v1/nodes/{NODE}"
    before = ready_since(api.get(path))
    running.stop(*_OF_THE_NODE, sent=signal.SIGKILL)
    for pid in host_state.pod_processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _start_node(layout, running, debian.environment(debian.ensure(layout, {})))
    api.wait(path, lambda node: has_condition(node, "Ready") and ready_since(node) > before, "node that is back")


def ready_since(node: Object) -> str:
    """When its kubelet last said whether it is ready: a time that sorts as text."""
    found = [each for each in node["status"].get("conditions") or [] if each["type"] == "Ready"]
    return str(found[0]["lastHeartbeatTime"]) if found else ""


def stop(layout: Layout) -> bool:
    """Everything, and what it did to this machine. False: nothing was there."""
    running = layout.running
    known = set(running.known()) - {runtime.NAME}
    if not known and not layout.host_before.exists():
        return False
    unpacked = debian.ensure(layout, {})
    with step("stop the pods and the cluster"):
        # Nothing of them is kept, so nothing needs to be written.
        running.stop(*_OF_THE_NODE, sent=signal.SIGKILL)
        runtime.remove_pods(layout)
        running.stop(*_BESIDE, *_CONTROL, sent=signal.SIGKILL)
        runtime.release(layout)
    if layout.host_before.exists():
        before = host_state.load(layout.host_before)
        for line in host_state.restore(layout, before, debian.environment(unpacked)):
            say(f"  left behind: {line}")
        layout.host_before.unlink()
    shutil.rmtree(layout.state, ignore_errors=True)
    return True
