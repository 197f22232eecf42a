# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence that only a cluster has, and the causes in it."""

from __future__ import annotations

from typing import Any

from .cause_cases import Cases, container

_CLUSTER = {"namespace": "ai-system", "instance": "langfuse"}


def _workload(code: str, cure: str = "Do it") -> dict[str, Any]:
    row = {"object": "Deployment langfuse-web", "code": code, "what": "the pod x", "cure": cure}
    return {"cluster": _CLUSTER, "workloads": [row]}


SCALED, WAITING = _workload("scaled", ""), _workload("waiting", "")
_WAITS = [container("web", "Error: connect ETIMEDOUT 10.96.0.7:8123")]
_POLICIES = [{"name": "langfuse-web", "whose": ""}, {"name": "deny", "whose": "kubectl-create"}]
CASES: Cases = [
    *(
        (f"a workload, {code}", _workload(code), ("containers",), [f"{cause}:error"])
        for code, cause in (
            *((code, f"pod_{code}") for code in ("quota", "unschedulable", "evicted", "volume", "image", "network")),
            *((code, f"pod_{code}") for code in ("configuration", "memory", "crashing", "waiting")),
            *((code, "pod_refused") for code in ("admission", "account", "creation")),
            *(("mount", "pod_volume"), ("probe", "pod_waiting"), ("migration", "migration_failed")),
        )
    ),
    ("a workload without pods", SCALED, ("worker",), ["scaled_to_zero:error"]),
    ("a workload that waits", WAITING, ("containers",), ["pod_waiting:error"]),
    ("nothing at all", {"cluster": {**_CLUSTER, "empty": True}}, ("name",), ["nothing_there:error"]),
    ("a Secret was changed", {"unrolled": [{"secret": "s", "pod": "p"}]}, (), ["secret_not_rolled:warning"]),
    ("a Secret was changed and keys fail", {"unrolled": [{"secret": "s", "pod": "p"}]}, ("queue",), ["secret_not_rolled:error"]),
    ("web waits for what answers", {"containers": _WAITS, "policies": _POLICIES}, ("trace",), ["policy_closes:error"]),
    ("web waits without policies", {"containers": _WAITS}, ("trace",), ["trace_failed:error"]),
    ("web waits for what is down", {"containers": _WAITS, "policies": _POLICIES}, ("clickhouse",), ["clickhouse_failed:error"]),
]  # fmt: skip
