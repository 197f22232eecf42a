"""Which operators are told to be down."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.operators import Down, stopped

CNPG, BARMAN, PROMETHEUS = "postgresql.cnpg.io", "barmancloud.cnpg.io", "monitoring.coreos.com"


def _deployment(name: str, ready: int | None, **labels: str) -> dict[str, Any]:
    status = {} if ready is None else {"replicas": 1, "readyReplicas": ready}
    named = {label.replace("_", "/"): value for label, value in labels.items()}
    return {"metadata": {"namespace": "operators", "name": name, "labels": named}, "status": status}


def _cnpg(ready: int | None, name: str = "cnpg") -> dict[str, Any]:
    return _deployment(name, ready, **{"app.kubernetes.io/name": "cloudnative-pg"})


@pytest.mark.parametrize(
    ("groups", "deployments", "expected"),
    [
        ([CNPG], [_cnpg(0)], [Down(CNPG, ("operators/cnpg",))]),
        # Nobody has written a status yet.
        ([CNPG], [_cnpg(None)], [Down(CNPG, ("operators/cnpg",))]),
        ([CNPG], [_cnpg(1)], []),
        # One of two is enough: which of them is responsible is not known from here.
        ([CNPG], [_cnpg(0), _cnpg(1, "another")], []),
        ([CNPG], [_cnpg(0), _cnpg(0, "another")], [Down(CNPG, ("operators/another", "operators/cnpg"))]),
        # Not found is not down: it may be called otherwise.
        ([CNPG], [], []),
        # What nobody needs may rest.
        ([], [_cnpg(0)], []),
        ([BARMAN], [_deployment("plugin", 0, app="barman-cloud")], [Down(BARMAN, ("operators/plugin",))]),
        (
            [CNPG, PROMETHEUS],
            [
                _cnpg(1),
                _deployment("stack", 0, **{"app.kubernetes.io/name": "kube-prometheus-stack-prometheus-operator"}),
            ],
            [Down(PROMETHEUS, ("operators/stack",))],
        ),
        ([CNPG], [{"metadata": {"namespace": "web", "name": "web"}}], []),
    ],
)
def test_an_operator_without_a_ready_pod(
    groups: list[str], deployments: list[dict[str, Any]], expected: list[Down]
) -> None:
    assert stopped(groups, deployments) == expected
