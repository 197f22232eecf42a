# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence where others apply what is in Git, and the causes in it."""

from __future__ import annotations

from typing import Any

from .cause_cases import Cases

_CLUSTER = {"namespace": "ai-system", "instance": "langfuse"}
_BY_GIT = {"by_git": {"again": "flux reconcile kustomization langfuse"}}
_EMPTY = {**_BY_GIT, "cluster": {**_CLUSTER, "empty": True}}
_CRASHES = {
    "workloads": [{"object": "Deployment langfuse-web", "code": "crashing", "what": "the pod x", "cure": "Do it"}]
}


def _row(code: str) -> dict[str, str]:
    return {"object": "Kustomization langfuse of flux-system", "code": code, "what": "It is so", "cure": "Do it"}


def _rows(*codes: str, **more: Any) -> dict[str, Any]:
    return {**_BY_GIT, "gitops": [_row(code) for code in codes], **more}


CASES: Cases = [
    *(
        (f"Flux, {code}", _rows(code), ("gitops",), [f"{cause}:error"])
        for code, cause in (
            *((code, f"flux_{code}") for code in ("source", "decryption", "build", "refused", "prune", "dependency", "chart", "release", "health", "path")),
            *(("absent", "flux_not_installed"), ("controller", "flux_controller_down"), ("missing", "flux_kustomization_missing"), ("other", "flux_failed")),
        )
    ),
    *(
        (f"on its way, {code}", _rows(code), (), [f"{cause}:warning"])
        for code, cause in (
            *((code, f"flux_{code}") for code in ("suspended", "behind", "progressing", "kept", "unfetched")),
            *(("uncommitted", "gitops_uncommitted"), ("unpushed", "gitops_unpushed"), ("old", "gitops_checkout_old")),
        )
    ),
    # What was not pushed is why nothing is there.
    *(
        (f"nothing there, {code}", {**_EMPTY, **_rows(code)}, ("port", "web"), [f"{cause}:error"])
        for code, cause in (
            *(("uncommitted", "gitops_uncommitted"), ("unpushed", "gitops_unpushed"), ("unfetched", "flux_unfetched")),
            *(("suspended", "flux_suspended"), ("missing", "flux_kustomization_missing"), ("progressing", "flux_progressing")),
        )
    ),
    *((f"nobody answers, {hop}", _rows("uncommitted"), (hop,), ["gitops_uncommitted:error"]) for hop in ("name", "worker")),
    ("nothing there, and Flux is content", {**_EMPTY, **_rows("behind")}, ("port",), ["nothing_there:error", "flux_behind:warning"]),
    ("pods say why Flux waits", {**_CRASHES, **_rows("health")}, ("containers", "gitops"), ["pod_crashing:error", "flux_health:error"]),
    ("pods say why Flux is at work", {**_CRASHES, **_rows("progressing")}, ("containers",), ["pod_crashing:error", "flux_progressing:error"]),
    ("a store is down, and Flux rests", _rows("suspended"), ("clickhouse",), ["clickhouse_failed:error", "flux_suspended:warning"]),
    ("Flux' objects in an inventory for a cluster", {"cluster": {**_CLUSTER, "flux": "langfuse in flux-system"}}, (), ["flux_owns:warning"]),
    ("Flux' objects in an inventory for Git", {"cluster": {**_CLUSTER, "flux": "langfuse in flux-system"}, **_BY_GIT}, (), []),
]  # fmt: skip
