"""CloudNativePG: its operator as a pod with its webhooks, and PostgreSQL of Debian as the image of its instances."""

from __future__ import annotations

import platform
from typing import Any

from tests.bench import extras
from tests.bench.cluster import archive, manifests, programs, runtime
from tests.bench.cluster.api import Api, Object, is_available
from tests.bench.cluster.layout import Layout
from tests.bench.shell import step

_DEPLOYMENT = "/apis/apps/v1/namespaces/cnpg-system/deployments/cnpg-controller-manager"
_READY_SECONDS = 90
INSTANCES = "cnpg_postgresql"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def image(layout: Layout) -> archive.Content:
    """The operator looks for itself under its architecture's name, and copies itself into each instance from there."""
    inside = f"/operator/manager_{_ARCHITECTURES[platform.machine()]}"
    return archive.Content(
        f"bench.localhost/cloudnative-pg/cloudnative-pg:{manifests.CNPG.version.removeprefix('v')}"
        f"-{programs.hash_sources(programs.CNPG)}",
        {inside: programs.executable(layout, programs.CNPG)},
        ("/manager",),
        {"/manager": inside.lstrip("/")},
    )


def with_image(wanted: Object, reference: str) -> Object:
    """The operator's published Deployment with an image that is on the node."""
    (container,) = wanted["spec"]["template"]["spec"]["containers"]
    published = container["image"]
    variables: list[dict[str, Any]] = [
        {**each, "value": reference} if each.get("value") == published else each for each in container["env"]
    ]
    changed = {**container, "image": reference, "imagePullPolicy": "IfNotPresent", "env": variables}
    template = wanted["spec"]["template"]
    spec = {**template["spec"], "containers": [changed]}
    return {**wanted, "spec": {**wanted["spec"], "template": {**template, "spec": spec}}}


def add(layout: Layout, api: Api, times: dict[str, float]) -> None:
    programs.ensure(layout, programs.CNPG, times)
    published = manifests.ensure(layout, manifests.CNPG, times)
    content = image(layout)
    runtime.add(layout, content, times)
    runtime.add_from_docker(layout, extras.build(layout.paths, INSTANCES, times), times)
    with step("start CloudNativePG", times, "CloudNativePG"):
        wanted = [with_image(each, content.reference) if each["kind"] == "Deployment" else each for each in published]
        manifests.apply(api, wanted)
        api.wait(_DEPLOYMENT, is_available, "operator of CloudNativePG", _READY_SECONDS)
