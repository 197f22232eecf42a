"""Web and worker by helm-controller: the same instance, with a stand-in for the official chart, and back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.bench.cluster import flux as bench
from tests.bench.cluster.sources import shelf
from tests.integration.cluster.flux import Flux
from tests.molecule import playbook
from tests.molecule.gitops.instance import GitopsInstance, git
from tests.molecule.gitops.page import hold, let_go
from tests.molecule.instance import ROOT
from tests.molecule.kubernetes.instance import LAYOUT, api
from tests.molecule.traces import Traces
from tests.waiting import wait_until

CHART = ROOT / "tests" / "bench" / "cluster" / "chart"
WORKLOADS = ("web", "worker")


@pytest.fixture
def chart() -> Iterator[dict[str, Any]]:
    """Variables of an instance whose workload is the chart."""
    shelf.helm_repository(LAYOUT.sources, CHART)
    yield {"langfuse_kubernetes_workload": "chart", "langfuse_chart_repository": f"{bench.shelf(LAYOUT)}/charts"}


def _environment(cluster: GitopsInstance, component: str) -> dict[str, Any]:
    container = cluster.deployment(component)["spec"]["template"]["spec"]["containers"][0]
    return {one["name"]: one for one in container["env"]}


def test_the_chart_takes_over_and_gives_back(cluster: GitopsInstance, chart: dict[str, Any]) -> None:
    old, kept = Traces(cluster).arrives("before-chart"), cluster.kept()
    before = {component: _environment(cluster, component) for component in WORKLOADS}

    playbook.site(cluster, variables=chart)
    files = set(cluster.files())
    assert {"app/helmrepository.yaml", "app/helmrelease.yaml"} <= files
    cluster.deliver("By the chart", seconds=400)

    Flux(api()).wait_release(cluster.name, cluster.namespace)
    labels = cluster.deployment("web")["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "Helm"
    assert {component: _environment(cluster, component) for component in WORKLOADS} == before
    assert (
        cluster.deployment("web")["spec"]["template"]["spec"]["containers"][0]["startupProbe"]["failureThreshold"] > 3
    )
    assert cluster.kept() == kept
    traces = Traces(cluster)
    traces.arrives("chart")
    assert old in traces.readable("before-chart")
    playbook.run(cluster, "llmops.langfuse.verify", variables=chart).mentions("read back equal")
    playbook.run(cluster, "llmops.langfuse.status", variables=chart)
    assert playbook.site(cluster, variables=chart).changed == 0

    # Helm rests too while a store is restored, also where it is told to look at its objects.
    hold("helmreleases")
    Flux(api()).reconcile_release(cluster.name, cluster.namespace)
    time.sleep(5)
    assert not cluster.pods("web") + cluster.pods("worker")
    let_go("helmreleases")
    wait_until(
        "the chart sets its numbers", lambda: all(cluster.deployment(one)["spec"]["replicas"] for one in WORKLOADS), 120
    )
    cluster.wait_ready(WORKLOADS)
    cluster.settled()

    pods, name = cluster.uids(), "langfuse_nextauth_secret"
    cluster.change_given(name, f"chart-{cluster.secrets()[name]}")
    playbook.site(cluster, variables=chart)
    cluster.deliver("Another secret, by the chart", seconds=400)
    cluster.settled()
    now = cluster.uids()
    assert {component for component in pods if pods[component] != now.get(component)} == {"web"}

    # The two have other selectors, so that neither can become the other: one goes before the other comes.
    playbook.site(cluster, variables={**chart, "langfuse_enabled": False})
    cluster.deliver("Between", steps=cluster.steps())
    gone = cluster.path("deployments", f"{cluster.name}-web", "apps/v1")
    wait_until("Helm has taken web away", lambda: api().find(gone) is None, 120)
    playbook.site(cluster)
    cluster.deliver("By Deployments again")
    assert cluster.kept() == kept
    assert old in Traces(cluster).readable("before-chart")
    assert git("status", "--porcelain") == ""
