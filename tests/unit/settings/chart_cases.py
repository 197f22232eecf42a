"""The official chart: settings that work, and bad input for each of its rules."""

from __future__ import annotations

from typing import Any

from .cases import Bad
from .cluster_cases import CLUSTER
from .gitops_cases import GITOPS

CHART: dict[str, Any] = {**GITOPS, "langfuse_kubernetes_workload": "chart"}


def bad(rule: str, variable: str, given: dict[str, Any]) -> Bad:
    return Bad(rule, {**CHART, **given}, variable)


def _from(repository: str) -> Bad:
    name = "langfuse_chart_repository"
    return bad("chart_repository", name, {name: repository})


CASES = (
    Bad("chart_applied_by", {**CLUSTER, "langfuse_kubernetes_workload": "chart"}, "langfuse_kubernetes_workload"),
    Bad("chart_applied_by", {"langfuse_kubernetes_workload": "chart"}, "langfuse_kubernetes_workload"),
    bad("chart_applied_by", "langfuse_kubernetes_workload", {"langfuse_gitops_flavour": "plain"}),
    bad(
        "chart_unused",
        "langfuse_chart_version",
        {"langfuse_kubernetes_workload": "deployments", "langfuse_chart_version": "2.0.0"},
    ),
    *(
        bad("chart_version", "langfuse_chart_version", {"langfuse_chart_version": version})
        for version in ("*", "2.x", "^2.0.0", ">=2.0.0", "2.0", "1.5.9", "3.0.0", "2.0.0 || 2.1.0", "2.0.0\n")
    ),
    *(
        _from(repository)
        for repository in ("langfuse", "git://charts.example.com/x", "https://", "oci://mirror.example.com/")
    ),
    _from("https://user:canary-proof@charts.example.com"),
    bad("chart_workers", "langfuse_ingestion_replicas", {"langfuse_ingestion_replicas": 2}),
    bad("chart_labels", "langfuse_labels", {"langfuse_labels": {"app": "langfuse"}}),
)
