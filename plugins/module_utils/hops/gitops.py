# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what Git says has come to the cluster: the checkout, and where Flux applies it, Flux' own objects."""

from __future__ import annotations

from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.flux import checkout, state
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import (
    FAILED,
    OK,
    SKIPPED,
    WARNING,
    Context,
    Finding,
)

# What the checkout tells never keeps the cluster from being as Git says.
_PASSING = (*state.PASSING, checkout.UNCOMMITTED, checkout.UNPUSHED, checkout.UNFETCHED, checkout.OLD)


def gitops(ctx: Context) -> Finding:
    """The evidence has a row ``{object, code, what, cure}`` for each thing that is wrong."""
    given = ctx.params["gitops"]
    if not given:
        return Finding(SKIPPED, "nothing is applied from Git")
    tree = tree_of(given)
    ctx.evidence["by_git"] = {"again": _again(given, tree)}
    rows: list[dict[str, str]] = []
    revision, applied = "", "applied by others than Flux"
    if tree.kustomizations:
        try:
            seen = _seen(ctx, tree)
        except Failure as failure:
            return Finding(SKIPPED, failure.message)
        rows = state.judge(tree, seen)
        revision, applied = state.commit_of(seen.objects.get(tree.source)), state.applied(tree, seen)
    commits = checkout.look(given["directory"], tree.path, revision) if given["directory"] else None
    rows += checkout.judge(commits, given["directory"], tree.path, state.again(tree.source))
    ctx.evidence["gitops"] = rows
    return verdict(rows, applied)


def verdict(rows: list[dict[str, str]], applied: str) -> Finding:
    """What passes by itself, or is somebody's wish, breaks nothing."""
    broken = [row["what"] for row in rows if row["code"] not in _PASSING]
    if broken:
        return Finding(FAILED, "; ".join(broken))
    return Finding(WARNING, "; ".join(row["what"] for row in rows)) if rows else Finding(OK, applied)


def tree_of(given: dict[str, Any]) -> state.Tree:
    source = given["source"] or {"kind": "", "namespace": "", "name": ""}
    key = (source["kind"], source["namespace"], source["name"])
    return state.Tree(
        given["namespace"], tuple(given["kustomizations"]), key, given["decryption_secret"], given["path"]
    )


def _again(given: dict[str, Any], tree: state.Tree) -> str:
    """What has the tree applied at once."""
    if not tree.kustomizations:
        return f"kubectl apply --server-side -k {given['directory']}/{tree.path}"
    return f"{state.again((state.KUSTOMIZATION, tree.namespace, tree.kustomizations[-1]))} --with-source"


def _seen(ctx: Context, tree: state.Tree) -> state.Seen:
    # Only here: without a cluster nothing of it is loaded.
    from ansible_collections.llmops.langfuse.plugins.module_utils.flux.look import look
    from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import Cluster

    place = ctx.params["cluster"]
    return look(Cluster(place["kubeconfig"], place["context"]), tree, ctx.params["runtime"]["namespace"])
