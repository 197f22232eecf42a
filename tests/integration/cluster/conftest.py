"""A cluster for all tests of this folder; one that is up already is used and stays up."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner

_ROOT = str(Path(__file__).resolve().parents[3])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

from tests.bench import builder, engine  # noqa: E402
from tests.bench.cluster import cluster as whole  # noqa: E402
from tests.bench.cluster import control_plane, manifests, runtime  # noqa: E402
from tests.bench.lock import only_one  # noqa: E402
from tests.integration.cluster.host import take_traces  # noqa: E402
from tests.integration.cluster.place import Place, Site  # noqa: E402
from tests.integration.cluster.running import LAYOUT, Namespace, Running  # noqa: E402


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    was_up, before = control_plane.is_up(LAYOUT), take_traces()
    with only_one(LAYOUT.paths):
        assert engine.find_engine(LAYOUT.paths), "no Docker Engine answers: python -m tests.bench up"
        image = builder.ensure_base_image(LAYOUT.paths, builder.ensure_base_tarball(LAYOUT.paths, {}), {})
        api = whole.up(LAYOUT, {})
        runtime.add_from_docker(LAYOUT, image, {})
    yield Running(api, image, None if was_up else before)
    if not was_up:
        with only_one(LAYOUT.paths):
            control_plane.stop(LAYOUT)


def _define(running: Running, *sources: manifests.Source) -> Running:
    """Definitions without their operators. They stay, and are not written again, which takes long."""
    root = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for source in sources:
        found = [one for one in manifests.ensure(LAYOUT, source, {}) if one["kind"] == "CustomResourceDefinition"]
        missing = [one for one in found if running.api.find(f"{root}/{one['metadata']['name']}") is None]
        manifests.apply(running.api, missing)
    return running


@pytest.fixture(scope="session")
def cnpg(running: Running) -> Running:
    return _define(running, manifests.CNPG)


@pytest.fixture(scope="session")
def definitions(running: Running) -> Running:
    """Of all operators."""
    return _define(running, *manifests.DEFINITIONS, manifests.GATEWAY_API, manifests.CNPG)


@pytest.fixture
def namespace(running: Running) -> Iterator[Namespace]:
    with running.new_namespace() as new:
        yield new


@pytest.fixture
def place(running: Running) -> Iterator[Place]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield Place(running, Owner("lf", name))
    running.api.delete(f"/api/v1/namespaces/{name}")
    for kind in ("clusterrolebindings", "clusterroles"):
        for instance in ("langfuse", "lf"):
            running.api.delete(f"/apis/rbac.authorization.k8s.io/v1/{kind}/{name}-{instance}-deployer")
    (LAYOUT.state / f"{name}.kubeconfig").unlink(missing_ok=True)


@pytest.fixture
def site(place: Place, cnpg: Running, tmp_path: Path) -> Site:
    return Site(place, tmp_path)
