"""CloudNativePG: its operator as a pod with its webhooks, and PostgreSQL of Debian as the image of its instances."""

from __future__ import annotations

from tests.bench import extras
from tests.bench.cluster import archive, manifests, programs, runtime
from tests.bench.cluster.api import Api, is_available
from tests.bench.cluster.layout import Layout
from tests.bench.shell import step

_DEPLOYMENT = "/apis/apps/v1/namespaces/cnpg-system/deployments/cnpg-controller-manager"
_WEBHOOKS = "/api/v1/namespaces/cnpg-system/services/cnpg-webhook-service"
_READY_SECONDS = 90
INSTANCES = "cnpg_postgresql"


def image(layout: Layout) -> archive.Content:
    """The operator looks for itself under its architecture's name, and copies itself into each instance from there."""
    inside = f"/operator/manager_{archive.ARCHITECTURE}"
    return archive.Content(
        f"bench.localhost/cloudnative-pg/cloudnative-pg:{manifests.CNPG.version.removeprefix('v')}"
        f"-{programs.hash_sources(programs.CNPG)}",
        {inside: programs.executable(layout, programs.CNPG)},
        ("/manager",),
        {"/manager": inside.lstrip("/")},
    )


def add(layout: Layout, api: Api, times: dict[str, float]) -> None:
    programs.ensure(layout, programs.CNPG, times)
    published = manifests.ensure(layout, manifests.CNPG, times)
    content = image(layout)
    runtime.add(layout, content, times)
    runtime.add_from_docker(layout, extras.build(layout.paths, INSTANCES, times), times)
    with step("start CloudNativePG", times, "CloudNativePG"):
        wanted = [
            manifests.with_image(each, content.reference) if each["kind"] == "Deployment" else each
            for each in published
        ]
        manifests.apply(api, wanted)
        api.wait(_DEPLOYMENT, is_available, "operator of CloudNativePG", _READY_SECONDS)
        api.wait_connected(_WEBHOOKS, 443)
