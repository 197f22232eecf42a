"""Flux: its kustomize-controller and helm-controller as pods, and a stand-in for source-controller beside the node."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.bench.cluster import archive, manifests, programs, runtime
from tests.bench.cluster.api import Api, Object, is_available
from tests.bench.cluster.layout import CLUSTER_DOMAIN, NODE_ADDRESS, Layout
from tests.bench.paths import TESTS
from tests.bench.shell import step

NAMESPACE = "flux-system"
CONTROLLERS = (
    (programs.KUSTOMIZE_CONTROLLER, manifests.KUSTOMIZE_CONTROLLER),
    (programs.HELM_CONTROLLER, manifests.HELM_CONTROLLER),
)
_SOURCES = "source-controller"
# As URLs of its artifacts have it: a name that is not searched for.
ADDRESS = f"http://{_SOURCES}.{NAMESPACE}.svc.{CLUSTER_DOMAIN}."
# Otherwise half a minute passes between what is ready and what waits for it.
QUICK = ("--requeue-dependency=2s",)
_READY_SECONDS = 90


def image(layout: Layout, program: programs.Program, version: str) -> archive.Content:
    tag = f"{version.removeprefix('v')}-{programs.hash_sources(program)}"
    inside = f"/{program.name}"
    files = {inside: programs.executable(layout, program)}
    return archive.Content(f"bench.localhost/fluxcd/{program.name}:{tag}", files, (inside,), {})


def _shelf(layout: Layout) -> str:
    return f"{layout.addresses.host}:{layout.addresses.sources}"


def shelf(layout: Layout) -> str:
    """Address below which tests find what they put into `layout.sources`, from the node and from pods."""
    return f"http://{_shelf(layout)}"


def complete(wanted: Object, name: str, reference: str) -> Object:
    """A published object with what its kustomizations would add, and an account of its controller's own, as Flux's own install has it."""
    kind, metadata = wanted["kind"], wanted["metadata"]
    if kind == "CustomResourceDefinition":
        return wanted
    if kind == "Deployment":
        changed = manifests.with_image(wanted, reference)
        template = changed["spec"]["template"]
        (container,) = template["spec"]["containers"]
        container = {**container, "args": [*container["args"], *QUICK]}
        template = {**template, "spec": {**template["spec"], "serviceAccountName": name, "containers": [container]}}
        spec = {**changed["spec"], "template": template}
        return {**changed, "metadata": {**metadata, "namespace": NAMESPACE}, "spec": spec}
    prefixed = {**wanted, "metadata": {**metadata, "name": f"{name}-{metadata['name']}"}}
    if not kind.startswith("Cluster"):
        prefixed["metadata"]["namespace"] = NAMESPACE
    if kind.endswith("Binding"):
        of_flux = wanted["roleRef"]["name"] != "cluster-admin"
        role = {**wanted["roleRef"], "name": f"{name}-{wanted['roleRef']['name']}"} if of_flux else wanted["roleRef"]
        subject = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
        prefixed |= {"roleRef": role, "subjects": [subject]}
    return prefixed


def objects(published: Sequence[Object], name: str, reference: str) -> list[Object]:
    """All that a controller needs, in the order in which it is applied."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}}
    return [account, *(complete(each, name, reference) for each in published)]


def _way_to_sources(port: int) -> list[Object]:
    """A Service that leads to the node, where the stand-in runs."""
    metadata = {"name": _SOURCES, "namespace": NAMESPACE}
    labels = {"kubernetes.io/service-name": _SOURCES}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"ports": [{"name": "http", "port": 80, "targetPort": port}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
        },
    ]


def start_sources(layout: Layout, address: str) -> None:
    """The stand-in for source-controller, whose artifacts the controllers find below `address`."""
    folder = layout.sources
    words = [sys.executable, "-m", "tests.bench.cluster.sources", f"--kubeconfig={layout.kubeconfig_of('agent')}"]
    places = [f"--folder={folder}", f"--work={folder.with_name('sources-work')}"]
    listening = [f"--listen={_shelf(layout)}", f"--address={address}"]
    layout.running.start("sources", [*words, *places, *listening], {"PYTHONPATH": str(TESTS.parent)})


def add(layout: Layout, api: Api, times: dict[str, float]) -> None:
    # The last one is no part of it: tests render charts with it, and it is of helm-controller's modules.
    for program in (*(program for program, _source in CONTROLLERS), programs.HELM_TEMPLATE):
        programs.ensure(layout, program, times)
    definitions = manifests.ensure(layout, manifests.SOURCES, times)
    controllers: list[Object] = []
    for program, source in CONTROLLERS:
        content = image(layout, program, source.version)
        runtime.add(layout, content, times)
        controllers += objects(manifests.ensure(layout, source, times), program.name, content.reference)
    with step("start Flux, with a stand-in for source-controller", times, "Flux"):
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        manifests.apply(api, [namespace, *definitions, *_way_to_sources(layout.addresses.sources)])
        if layout.running.pid("sources") is None:
            start_sources(layout, ADDRESS)
        manifests.apply(api, controllers)
        for program, _source in CONTROLLERS:
            path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{program.name}"
            api.wait(path, is_available, program.name, _READY_SECONDS)
        layout.running.check("sources")
