"""The trees of all configurations, as Flux's own controllers take them. No node is needed: nothing gets ready here."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import Document
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.flux.tree import tree

from tests.bench.cluster import flux as bench
from tests.bench.cluster import manifests, programs
from tests.bench.cluster.api import Api, Object
from tests.bench.cluster.layout import Layout
from tests.bench.cluster.sources import shelf
from tests.bench.paths import TESTS
from tests.bench.shell import run
from tests.integration.cluster import flux
from tests.integration.cluster.flux import Flux, Repository
from tests.integration.cluster.own_server import api_server
from tests.integration.modules.stack import free_port
from tests.unit.documents.flux.support import CONFIGURATIONS
from tests.unit.documents.kubernetes.support import QUIET, derived
from tests.unit.documents.kubernetes.support import manifests as objects_of
from tests.waiting import wait_until

pytestmark = pytest.mark.long
_OF_FLUX = (manifests.SOURCES, manifests.KUSTOMIZE_CONTROLLER, manifests.HELM_CONTROLLER)
_NAMESPACES = (bench.NAMESPACE, "ai-system", "llm", "network", "storage", "cache", "identity", "monitoring")
_NOTHING = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nothing", "namespace": bench.NAMESPACE}}


class Server:
    """An API server with Flux's controllers beside it, and an identity that decrypts."""

    def __init__(self, layout: Layout, api: Api) -> None:
        self.layout, self.flux = layout, Flux(api)
        identity, self.recipient = flux.new_identity(layout)
        self.identity = identity
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in _NAMESPACES)
        api.apply([flux.age_secret(identity)])

    def start(self) -> None:
        bench.start_sources(self.layout, bench.shelf(self.layout))
        variables = {"KUBECONFIG": str(self.layout.kubeconfig), "RUNTIME_NAMESPACE": bench.NAMESPACE}
        for program, _source in bench.CONTROLLERS:
            programs.ensure(self.layout, program, {})
            ports = ["--metrics-addr=127.0.0.1:0", f"--health-addr=127.0.0.1:{free_port()}"]
            words = [programs.executable(self.layout, program), "--watch-all-namespaces", *ports, *bench.QUICK]
            self.layout.running.start(program.name, words, variables)

    def stop(self) -> None:
        self.layout.running.stop("sources", *(program.name for program, _source in bench.CONTROLLERS))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with api_server() as (layout, api):
        for source in (*_OF_FLUX, *manifests.DEFINITIONS, manifests.GATEWAY_API, manifests.CNPG):
            found = manifests.ensure(layout, source, {})
            manifests.apply(api, [one for one in found if one["kind"] == "CustomResourceDefinition"])
        made = Server(layout, api)
        made.start()
        try:
            yield made
        finally:
            made.stop()


def _known(document: Document) -> Document:
    """Without kinds of ClickHouse's operator, whose definitions are in no Go module that can be fetched."""
    found = [one for one in document.object if not one.get("apiVersion", "").startswith("clickhouse.com/")]
    return replace(document, object=found or [_NOTHING])


def _write(server: Server, repository: Repository, given: Mapping[str, Any]) -> tuple[list[Object], set[str]]:
    """The steps, none of which waits, and `Kind namespace/name` of what they have to apply."""
    source = {"langfuse_gitops_source_name": repository.name} if "langfuse_gitops_flavour" not in given else {}
    plan = derived({**given, **source, "langfuse_age_recipients": [server.recipient]})
    objects: set[str] = set()
    steps: list[Object] = []
    for each in tree(plan.plan, plan.secrets):
        document = _known(each) if each.form == "yaml_all" else each
        path = repository.checkout / document.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document.content())
        if path.name.endswith(".sops.yaml"):
            flux.encrypt(server.layout, server.recipient, path)
        if path.name == "ks.yaml":
            steps = document.object
        elif "/docs/" not in document.path and document.form == "yaml_all" and path.name != "kustomization.yaml":
            objects |= {f"{one['kind']} {one['metadata']['name']}" for one in document.object}
    for step in steps:
        step["metadata"]["name"] = f"{repository.name}-{step['metadata']['name']}"
        for waits in ("dependsOn", "healthChecks", "healthCheckExprs"):
            step["spec"].pop(waits, None)
        step["spec"]["wait"] = False
    return steps, objects


def _applied(found: Object) -> set[str]:
    """What the Kustomization remembers: `NAMESPACE_NAME_GROUP_KIND`, where colons are double underscores."""
    entries = found["status"]["inventory"]["entries"]
    return {f"{words[3]} {words[1]}" for words in (one["id"].split("_") for one in entries)}


@pytest.mark.parametrize(
    "name", [name for name, given in CONFIGURATIONS.items() if "langfuse_gitops_flavour" not in given]
)
def test_flux_builds_decrypts_and_applies_every_object(server: Server, name: str, tmp_path: Path) -> None:
    repository = Repository.new(server.layout, name, tmp_path / "checkout")
    server.flux.api.apply([flux.source(name, repository.url)])
    steps, objects = _write(server, repository, CONFIGURATIONS[name])
    revision = repository.push()
    server.flux.api.apply(steps)
    server.flux.fetch(name, revision)
    names = [step["metadata"]["name"] for step in steps]
    found = [server.flux.wait_applied(each, revision) for each in names]
    assert set().union(*map(_applied, found)) == objects
    server.flux.remove(names)


def test_a_plain_tree_is_applied_with_the_commands_of_its_page(server: Server, tmp_path: Path) -> None:
    name = next(name for name, given in CONFIGURATIONS.items() if given.get("langfuse_gitops_flavour") == "plain")
    repository = Repository.new(server.layout, name, tmp_path / "checkout")
    _steps, objects = _write(server, repository, CONFIGURATIONS[name])
    (page,) = repository.checkout.rglob("README.md")
    lines = [line.strip() for line in page.read_text().splitlines() if line.startswith("    ")]
    assert [line for line in lines if "sops" in line] and [line for line in lines if " -k " in line]
    # The second time as after another commit.
    for _time in range(2):
        for line in lines:
            _follow(server, line, repository.checkout)
    (root,) = repository.checkout.rglob("kustomization.yaml")
    found: set[str] = set()
    for path in sorted(root.parent.rglob("*.yaml")):
        if path.name != "kustomization.yaml" and path.parent.name != "docs":
            found |= set(_follow(server, f"kubectl get -o name -f {path}", repository.checkout).split())
    assert len(found) == len(objects)


def _follow(server: Server, line: str, folder: Path) -> str:
    """Run what stands in a page, with the programs of the bench; one passes its output on to the next."""
    programs_of = {
        "kubectl": programs.kubectl(server.layout),
        "sops": [str(programs.executable(server.layout, programs.SOPS))],
    }
    given = ""
    for command in line.split(" | "):
        program, *words = shlex.split(command)
        environment = {**os.environ, "SOPS_AGE_KEY": server.identity}
        given = run([*programs_of[program], *words], cwd=folder, stdin=given, env=environment)
    return given


def test_the_release_makes_the_pods_that_we_would_apply(server: Server) -> None:
    shelf.helm_repository(server.layout.sources, TESTS / "bench" / "cluster" / "chart")
    given = {
        **QUIET,
        "langfuse_target": "gitops",
        "langfuse_gitops_directory": "/srv/platform",
        "langfuse_age_recipients": [server.recipient],
    }
    by_chart = {
        "langfuse_kubernetes_workload": "chart",
        "langfuse_chart_repository": f"{bench.shelf(server.layout)}/charts",
    }
    plan = derived({**given, **by_chart})
    documents = [
        one for one in tree(plan.plan, plan.secrets) if one.path.endswith(("helmrelease.yaml", "helmrepository.yaml"))
    ]
    server.flux.api.apply(found for document in documents for found in document.object)
    ours = {one.identity: one.object for one in objects_of(given)}
    for component in ("web", "worker"):
        name = f"team-a-{component}"
        path = f"/apis/apps/v1/namespaces/llm/deployments/{name}"
        wait_until(name, lambda path=path: server.flux.api.find(path), 60)
        pods = [one["spec"]["template"]["spec"] for one in (server.flux.api.get(path), ours["Deployment", name])]
        containers = [pod["containers"][0] for pod in pods]
        made, wanted = [{one["name"]: one for one in container["env"]} for container in containers]
        assert made == wanted
        assert pods[0]["terminationGracePeriodSeconds"] == pods[1]["terminationGracePeriodSeconds"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert {**containers[0][probe], **containers[1][probe]} == containers[0][probe]
        for field in ("securityContext", "volumeMounts", "image"):
            assert containers[0][field] == containers[1][field]
