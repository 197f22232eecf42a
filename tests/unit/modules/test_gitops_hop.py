# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what Git says is in the cluster: what breaks the hop, what does not, and where it is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.flux import state
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import gitops, walk
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import Context

from .flux.objects import NAMES, TREE, failed, kustomization, ready, seen, source
from .flux.test_checkout import commit, git, write

GIVEN = {
    "directory": "",
    "path": TREE.path,
    "namespace": "flux-system",
    "kustomizations": list(NAMES),
    "source": {"kind": "GitRepository", "namespace": "flux-system", "name": "flux-system"},
    "decryption_secret": "sops-age",
}


def context(given: dict[str, Any] | None) -> Context:
    params = {"timeout": 10, "wait": 0, "hop_timeout": 2, "resolve": [], "public_url": "", "url": "http://127.0.0.1:1"}
    return Context({**params, "gitops": given}, list)


def answered(monkeypatch: pytest.MonkeyPatch, found: state.Seen | Failure) -> None:
    def look(_ctx: Context, tree: state.Tree) -> state.Seen:
        assert tree == TREE
        if isinstance(found, Failure):
            raise found
        return found

    monkeypatch.setattr(gitops, "_seen", look)


@pytest.mark.parametrize(
    ("found", "status", "detail"),
    [
        (seen(), "ok", "langfuse-stores, langfuse-migrate, langfuse of flux-system at main@sha1:bbbbbbbbbb"),
        (seen(kustomization("langfuse", failed("BuildFailed", "no"))), "failed", "Kustomization langfuse of flux-system: BuildFailed, no"),
        (seen(kustomization("langfuse", ready(), spec={"suspend": True})), "warning", "The Kustomization langfuse of flux-system is suspended"),
        # Only what breaks it is told as that.
        (
            seen(kustomization("langfuse", failed("BuildFailed", "no")), kustomization("langfuse-stores", ready(), spec={"suspend": True})),
            "failed",
            "Kustomization langfuse of flux-system: BuildFailed, no",
        ),
        (Failure("forbidden", "deployer may not list kustomizations.", "x"), "skipped", "deployer may not list kustomizations."),
    ],
)  # fmt: skip
def test_what_flux_says(monkeypatch: pytest.MonkeyPatch, found: state.Seen | Failure, status: str, detail: str) -> None:
    answered(monkeypatch, found)
    ctx = context(GIVEN)
    assert gitops.gitops(ctx) == (status, detail)
    assert ctx.evidence["by_git"] == {"again": "flux reconcile kustomization langfuse -n flux-system --with-source"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init")
    write(tmp_path, f"{TREE.path}/ks.yaml", "a: 1\n")
    commit(tmp_path)
    return tmp_path


def test_what_the_checkout_says_breaks_nothing(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> None:
    answered(monkeypatch, seen())
    write(checkout, f"{TREE.path}/ks.yaml", "a: 2\n")
    ctx = context({**GIVEN, "directory": str(checkout)})
    status, detail = gitops.gitops(ctx)
    assert status == "warning" and detail.startswith(f"1 files below {TREE.path}")
    # The commit that Flux has is none of this checkout.
    assert [row["code"] for row in ctx.evidence["gitops"]] == ["uncommitted", "old"]


def test_the_commit_that_was_packed_is_looked_for(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> None:
    packed = source(kind="OCIRepository", revision="latest@sha256:" + "0" * 64)
    packed["status"]["artifact"]["metadata"] = {
        "org.opencontainers.image.revision": f"main@sha1:{git(checkout, 'rev-parse', 'HEAD')}"
    }
    answered(monkeypatch, seen()._replace(objects={**seen().objects, TREE.source: packed}))
    ctx = context({**GIVEN, "directory": str(checkout)})
    gitops.gitops(ctx)
    assert "old" not in [row["code"] for row in ctx.evidence["gitops"]]
    write(checkout, f"{TREE.path}/ks.yaml", "a: 2\n")
    commit(checkout)
    gitops.gitops(ctx)
    assert "unfetched" in [row["code"] for row in ctx.evidence["gitops"]]


def test_without_flux_the_checkout_is_looked_at(checkout: Path) -> None:
    plain = {**GIVEN, "directory": str(checkout), "kustomizations": [], "source": None}
    ctx = context(plain)
    assert gitops.gitops(ctx) == ("ok", "applied by others than Flux")
    assert ctx.evidence["by_git"] == {"again": f"kubectl apply --server-side -k {checkout}/{TREE.path}"}
    write(checkout, f"{TREE.path}/app/web.yaml", "a: 1\n")
    assert gitops.gitops(context(plain)).status == "warning"


def test_other_targets_have_no_such_hop() -> None:
    assert "gitops" in [hop.name for hop in walk.hops_for(context(GIVEN))]
    assert [hop.name for hop in walk.hops_for(context(None))] == [hop.name for hop in walk.HOPS if hop.name != "gitops"]
    assert gitops.gitops(context(None)).status == "skipped"
