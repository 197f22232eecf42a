"""metrics-server, from which autoscalers and `kubectl top` learn what pods use."""

from __future__ import annotations

from tests.bench.cluster import archive, manifests, programs, runtime
from tests.bench.cluster.api import Api, Object, has_condition
from tests.bench.cluster.layout import Layout
from tests.bench.shell import step

_API_SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"
_LABELS = {"k8s-app": "metrics-server"}
# The probe's first look is after 20 s.
_READY_SECONDS = 90


def image(layout: Layout) -> archive.Content:
    program = programs.METRICS
    reference = f"bench.localhost/metrics-server:{programs.hash_sources(program)}"
    return archive.Content(
        reference, {"/metrics-server": programs.executable(layout, program)}, ("/metrics-server",), {}
    )


def complete(wanted: Object, reference: str) -> Object:
    """A published object with what its kustomization would add, and a kubelet's own certificate taken as it is."""
    if wanted["kind"] == "Service":
        return {**wanted, "spec": {**wanted["spec"], "selector": _LABELS}}
    if wanted["kind"] != "Deployment":
        return wanted
    changed = manifests.with_image(wanted, reference)
    spec, template = changed["spec"], changed["spec"]["template"]
    (container,) = template["spec"]["containers"]
    container = {**container, "args": [*container["args"], "--kubelet-insecure-tls"]}
    template = {"metadata": {"labels": _LABELS}, "spec": {**template["spec"], "containers": [container]}}
    return {**changed, "spec": {**spec, "selector": {"matchLabels": _LABELS}, "template": template}}


def add(layout: Layout, api: Api, times: dict[str, float]) -> None:
    programs.ensure(layout, programs.METRICS, times)
    content = image(layout)
    published = manifests.ensure(layout, manifests.METRICS, times)
    runtime.add(layout, content, times)
    with step("start metrics-server", times, "metrics-server"):
        manifests.apply(api, [complete(each, content.reference) for each in published])
        api.wait(_API_SERVICE, lambda each: has_condition(each, "Available"), "API for metrics", _READY_SECONDS)
