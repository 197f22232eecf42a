# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From evidence to causes: the engine of the rule table. Pure; the rules themselves are in ``rules/``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.rules import (
    cluster,
    consumers,
    flux,
    ingestion,
    sign_in,
    start,
    storage,
    stores,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.rules.base import ERROR, WARNING, Evidence, Rule

# From the root to the leaves: a cause that makes others appear stands before them.
RULES: tuple[Rule, ...] = (
    *flux.RULES,
    *cluster.RULES,
    *stores.RULES,
    *storage.RULES,
    *start.RULES,
    *ingestion.RULES,
    *sign_in.RULES,
    *consumers.RULES,
    *flux.LATE,
)


def diagnose(
    hops: Sequence[Mapping[str, Any]], evidence: Mapping[str, Any], rules: Sequence[Rule] = RULES
) -> list[dict[str, str]]:
    """Every cause as ``{code, severity, hop, cause, cure, evidence}``, errors first, in the order of the table.

    A failed hop that no rule explains becomes a cause of its own, ``<hop>_failed``: nothing that is broken stays unnamed.
    """
    facts = Evidence(hops, evidence)
    causes: list[dict[str, str]] = []
    for rule in rules:
        if any(cause["code"] in rule.unless for cause in causes):
            continue
        found = rule.when(facts)
        if found is None:
            continue
        values = {key: str(value) for key, value in found.items()}
        causes.append({
            "code": rule.code,
            "severity": rule.severity_for(facts),
            "hop": rule.hop,
            "cause": rule.cause.format_map(_Lenient(values)),
            "cure": cure_for(rule, facts).format_map(_Lenient({**facts.of("by_git"), **values})),
            "evidence": values.get("seen", "")[:300],
        })  # fmt: skip
    if not any(cause["severity"] == ERROR for cause in causes):
        causes += [_unexplained(hop) for hop in hops if hop["status"] == "failed"][:1]
    return sorted(causes, key=lambda cause: cause["severity"] == WARNING)


# How the same is done in a cluster.
_IN_CLUSTER = (
    ("langfuse_compose_overrides", "langfuse_kubernetes_patches"),
    ("`docker restart`", "`kubectl rollout restart deployment`"),
    ("makes the container anew", "writes its Secret anew, which its pods read when they next start"),
)


# `site` only writes there. What `site --check` shows is not for a commit.
_SITE = re.compile(r"\b([Rr])un site\b(?! --check|, commit)")
# And what `site` does elsewhere in stores with an administrator's login is left to `provision`.
_PREPARED = re.compile(r"langfuse_\w+_admin_")
_RESTART = "`kubectl rollout restart deployment`"
# What Flux does not take back.
_LASTING = "`kubectl rollout restart --field-manager=flux-client-side-apply deployment`"


def cure_for(rule: Rule, facts: Evidence) -> str:
    """The cure in the words of where the instance runs."""
    cure = rule.cure
    for compose, cluster_words in _IN_CLUSTER if facts.of("cluster") else ():
        cure = cure.replace(compose, cluster_words)
    if facts.of("by_git"):
        also = ", then provision" if _PREPARED.search(cure) else ""
        cure = rule.from_git or _SITE.sub(rf"\1un site, commit and push{also}", cure).replace(_RESTART, _LASTING)
    return cure


def explain(hops: Sequence[dict[str, Any]], causes: Sequence[Mapping[str, str]]) -> None:
    """Write cause and cure into the hops that are not well: the hop's own cause, else the first error."""
    first = next((cause for cause in causes if cause["severity"] == ERROR), None)
    for hop in hops:
        if hop["status"] not in ("failed", "warning"):
            continue
        cause = next((cause for cause in causes if cause["hop"] == hop["name"]), None)
        cause = cause or (first if hop["status"] == "failed" else None)
        if cause is not None:
            hop.update(cause=cause["cause"], cure=cause["cure"])


def _unexplained(hop: Mapping[str, Any]) -> dict[str, str]:
    return {
        "code": f"{hop['name']}_failed",
        "severity": ERROR,
        "hop": hop["name"],
        "cause": f"Hop {hop['name']} failed: {hop['detail']}.",
        "cure": "No rule knows this. Read the logs of Langfuse web and worker at this time.",
        "evidence": "",
    }


class _Lenient(dict[str, str]):
    """A value that was not found is shown as an ellipsis, never as an exception."""

    def __missing__(self, key: str) -> str:
        return "…"
