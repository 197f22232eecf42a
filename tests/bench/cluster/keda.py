"""KEDA: its operator, and the adapter by which autoscalers learn what the operator has counted. Its webhooks are left out."""

from __future__ import annotations

from tests.bench.cluster import archive, manifests, programs, runtime
from tests.bench.cluster.api import Api, Object, has_condition, is_available
from tests.bench.cluster.layout import Layout
from tests.bench.shell import step

_DEPLOYMENTS = "/apis/apps/v1/namespaces/keda/deployments"
_API_SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.external.metrics.k8s.io"
# The operator makes its certificates, ends and begins again; its probe's first look is after 20 s.
_READY_SECONDS = 150


def image(layout: Layout) -> archive.Content:
    """One for both Deployments, which name the program that they want."""
    operator, adapter = programs.KEDA, programs.KEDA_ADAPTER
    tag = f"{manifests.KEDA.version.removeprefix('v')}-{programs.hash_sources(operator)}"
    files = {
        "/keda": programs.executable(layout, operator),
        "/keda-adapter": programs.executable(layout, adapter),
    }
    return archive.Content(f"bench.localhost/kedacore/keda:{tag}", files, ("/keda",), {})


def add(layout: Layout, api: Api, times: dict[str, float]) -> None:
    for program in (programs.KEDA, programs.KEDA_ADAPTER):
        programs.ensure(layout, program, times)
    definitions = manifests.ensure(layout, manifests.KEDA_DEFINITIONS, times)
    published = manifests.ensure(layout, manifests.KEDA, times)
    content = image(layout)
    runtime.add(layout, content, times)

    def with_image(wanted: Object) -> Object:
        return manifests.with_image(wanted, content.reference) if wanted["kind"] == "Deployment" else wanted

    with step("start KEDA", times, "KEDA"):
        manifests.apply(api, [*definitions, *map(with_image, published)])
        for name in ("keda-operator", "keda-metrics-apiserver"):
            api.wait(f"{_DEPLOYMENTS}/{name}", is_available, name, _READY_SECONDS)
        api.wait(_API_SERVICE, lambda each: has_condition(each, "Available"), "API of KEDA's metrics", _READY_SECONDS)
