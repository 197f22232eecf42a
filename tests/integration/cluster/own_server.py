"""An API server of a test's own, without a node: beside the cluster it may serve what it likes."""

from __future__ import annotations

import contextlib
import shutil
import signal
import uuid
from collections.abc import Iterator

from tests.bench.cluster import certificates, control_plane, programs
from tests.bench.cluster.api import Api, Object
from tests.bench.cluster.layout import Addresses, Layout
from tests.integration.cluster.running import LAYOUT
from tests.integration.modules.stack import free_port


@contextlib.contextmanager
def api_server(*flags: str) -> Iterator[tuple[Layout, Api]]:
    """With these flags, on loopback. There are no controllers: what is made stays as it is."""
    addresses = Addresses("127.0.0.1", free_port(), free_port(), free_port(), free_port())
    layout = Layout(LAYOUT.paths, f"server-{uuid.uuid4().hex[:8]}", addresses)
    programs.ensure(layout, programs.KUBERNETES, {})
    certificates.write_all(layout)
    try:
        yield layout, control_plane.start_api(layout, *flags)
    finally:
        layout.running.stop("kube-apiserver", "etcd", sent=signal.SIGKILL)
        shutil.rmtree(layout.root)


def served_only_as(definition: Object, version: str) -> Object:
    """The definition of a kind as it was before there was a newer version."""
    (kept,) = [one for one in definition["spec"]["versions"] if one["name"] == version]
    spec = {**definition["spec"], "versions": [{**kept, "served": True, "storage": True}]}
    return {**definition, "spec": spec}
