# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Flux and Helm have applied from the last commit, and what they do when it leaves the tree. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..documents.document import Document
from ..settings.problems import Problem
from .record import has_header

FLAVOUR, WORKLOAD = "langfuse_gitops_flavour", "langfuse_kubernetes_workload"
_KUSTOMIZATIONS, _RELEASE = "ks.yaml", "app/helmrelease.yaml"
_WORKLOADS = ("app/web.yaml", "app/worker.yaml")
FILES = (_KUSTOMIZATIONS, _RELEASE)


def refusals(path: str, texts: Mapping[str, bytes], wanted: Mapping[str, Document]) -> Iterator[Problem]:
    """path: of the tree. texts: those of `FILES` that the last commit has. wanted: the new files. Both by their names below the tree."""
    ours = [name for name, text in texts.items() if has_header(text)]
    if _KUSTOMIZATIONS in ours and _KUSTOMIZATIONS not in wanted:
        yield Problem(
            FLAVOUR,
            f"is plain, and the last commit of {path} has Kustomizations: Flux prunes what they have applied where they leave the tree",
            "Have them let go of it first, as in docs/runbooks/gitops.md under Apply it without Flux, or write flux again",
        )
    # The other way Flux prunes the Deployments, and Helm tries again until they are gone.
    if _RELEASE in ours and any(_is_deployed(wanted[name]) for name in _WORKLOADS if name in wanted):
        yield Problem(
            WORKLOAD,
            f"is deployments, and the last commit of {path} has the chart's release: its Deployments have the same names and "
            "another selector, which cannot change",
            "Write the tree with langfuse_enabled: false first, commit it, and wait until Helm has removed them; or write chart again",
        )


def _is_deployed(document: Document) -> bool:
    return any(one["kind"] == "Deployment" for one in document.object)
