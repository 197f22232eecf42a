# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Causes where Flux brings to the cluster what Git says: what stands between a file that was written and an object that is applied."""

from __future__ import annotations

from ansible_collections.llmops.langfuse.plugins.module_utils.rules.base import WARNING, Evidence, Found, Rule, about

_HOP = "gitops"
# An instance that is not there, or not as it should be, may wait for just this.
_WAIT = (_HOP, "name", "port", "web", "worker", "containers")


def _fails(code: str, cause: str, row: str) -> Rule:
    """Its hop is broken."""
    return Rule(code, _HOP, about(_HOP, row), cause, "{cure}.")


def _passes(code: str, cause: str, row: str, serious: tuple[str, ...] = ()) -> Rule:
    return Rule(code, _HOP, about(_HOP, row), cause, "{cure}.", WARNING, serious)


def flux_owns(e: Evidence) -> Found | None:
    """Objects of the instance are Flux', and the inventory applies them by itself."""
    kustomizations = e.of("cluster").get("flux")
    return {"kustomizations": kustomizations, "seen": ""} if kustomizations and not e.of("by_git") else None


# From the file to the object.
RULES = (
    Rule(
        "flux_owns",
        "containers",
        flux_owns,
        "Flux applies this instance from Git (Kustomization {kustomizations}), and would set back what is changed by site.",
        "Write langfuse_target: gitops in the inventory. To apply it from here for good, take it from Flux first (docs/runbooks/gitops.md, "
        "Apply it without Flux).",
        WARNING,
    ),
    _passes("gitops_uncommitted", "What was written is in no commit: {what}.", "uncommitted", _WAIT),
    _passes("gitops_unpushed", "What was committed has not been pushed: {what}.", "unpushed", _WAIT),
    _fails("flux_not_installed", "Flux is not there: {what}.", "absent"),
    _fails("flux_controller_down", "A controller of Flux does not run: {what}.", "controller"),
    _fails("flux_source", "Flux does not get the repository: {what}.", "source"),
    _fails("flux_kustomization_missing", "Flux does not know of the instance: {what}.", "missing"),
    _passes("flux_suspended", "Flux was told to rest: {what}.", "suspended", _WAIT),
    _fails("flux_path", "Flux does not find the tree in the repository: {what}.", "path"),
    _fails("flux_decryption", "Flux cannot decrypt the secrets: {what}.", "decryption"),
    _fails("flux_build", "Flux cannot read the tree: {what}.", "build"),
    _fails("flux_refused", "The cluster does not take what Flux applies: {what}.", "refused"),
    _fails("flux_prune", "Flux cannot remove what is no more in Git: {what}.", "prune"),
    _fails("flux_dependency", "Flux waits for something else: {what}.", "dependency"),
    _fails("flux_chart", "Flux has no chart: {what}.", "chart"),
    _fails("flux_release", "Helm could not install or upgrade: {what}.", "release"),
    _fails("flux_failed", "Flux failed: {what}.", "other"),
    _passes("flux_unfetched", "The cluster is not at the last commit: {what}.", "unfetched", _WAIT),
    _passes("flux_behind", "The cluster is not at the last commit: {what}.", "behind"),
    _passes("gitops_checkout_old", "The checkout is older than the cluster: {what}.", "old"),
    _passes("flux_kept", "Flux keeps what is no more in Git: {what}.", "kept"),
)
# Where one of these is told, it is known why there is no web.
KEEPS_AWAY = tuple(
    rule.code for rule in RULES if rule.code not in ("flux_owns", "flux_behind", "gitops_checkout_old", "flux_kept")
)
# Objects that were applied and are not ready: what pods and stores say of it themselves comes before.
LATE = (
    _fails("flux_health", "Flux waits in vain for what it applied: {what}.", "health"),
    _passes("flux_progressing", "Flux is at work: {what}.", "progressing", _WAIT),
)
