# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Causes that only a cluster has: pods that are not there or do not start, and what stands between them."""

from __future__ import annotations

from ansible_collections.llmops.langfuse.plugins.module_utils.rules import flux
from ansible_collections.llmops.langfuse.plugins.module_utils.rules.base import WARNING, Evidence, Found, Rule, about

_TIMEOUT = r"ETIMEDOUT|EHOSTUNREACH|[Cc]onnect(ion)? time(d )?out|Can't reach database server"
_WORKLOADS = "workloads"
_STORES = ("database", "queue", "clickhouse", "s3_write")


def nothing_there(e: Evidence) -> Found | None:
    if any(row["code"] == "progressing" for row in e.rows("gitops")):
        # Flux is on its way to them.
        return None
    return {**e.of("cluster"), "seen": ""} if e.of("cluster").get("empty") else None


def secret_not_rolled(e: Evidence) -> Found | None:
    rows = e.rows("unrolled")
    if not rows:
        return None
    pods = ", ".join(dict.fromkeys(row["pod"] for row in rows))
    return {"secrets": ", ".join(dict.fromkeys(row["secret"] for row in rows)), "pods": pods, "seen": ""}


def policy_closes(e: Evidence) -> Found | None:
    """Stores answer through the API server, which no policy concerns, and the pods wait for them in vain."""
    found = e.log(_TIMEOUT, "web", "worker")
    if found is None or not e.rows("policies") or e.failed(*_STORES):
        return None
    others = [f"{row['name']} ({row['whose']})" for row in e.rows("policies") if row["whose"]]
    theirs = f"; others have {', '.join(others)} for its pods" if others else ""
    return {"others": theirs, "seen": " ".join(found.string.split())[:300]}


def _pod(code: str, what: str, *codes: str) -> Rule:
    return Rule(f"pod_{code}", "containers", about(_WORKLOADS, *(codes or (code,))), f"{what}: {{what}}.", "{cure}.")


RULES = (
    Rule(
        "nothing_there",
        "containers",
        nothing_there,
        "The namespace {namespace} has no web and no worker of {instance}.",
        "Run site. Where it should be there, look at langfuse_kubernetes_context and langfuse_kubernetes_namespace.",
        unless=flux.KEEPS_AWAY,
        from_git="Commit and push what site writes, and look whether it is applied (`kubectl get kustomizations -A`). Where it should be there, look "
        "at langfuse_kubernetes_context and langfuse_kubernetes_namespace.",
    ),
    _pod("quota", "A quota keeps pods from being made"),
    _pod("refused", "The cluster does not take pods", "admission", "account", "creation"),
    _pod("unschedulable", "A pod has no node"),
    _pod("evicted", "A node had no room for a pod any more"),
    _pod("volume", "A volume is missing", "volume", "mount"),
    _pod("image", "An image cannot be had"),
    _pod("network", "A pod has no network"),
    _pod("configuration", "A container cannot be set up"),
    _pod("memory", "A container is ended for its memory"),
    Rule(
        "migration_failed",
        "containers",
        about(_WORKLOADS, "migration"),
        "The migration is not done: {what}.",
        "{cure}. Then run site, which makes the Job anew where it has failed.",
        from_git="{cure}. A Job that still runs is left alone. One that has failed is deleted, and made anew from Git: `kubectl delete job`, then `{again}`.",
    ),
    _pod("crashing", "A container ends again and again"),
    Rule(
        "scaled_to_zero",
        "containers",
        about(_WORKLOADS, "scaled"),
        "Somebody has scaled this to no pods: {what}.",
        "Run site, which sets the number again. Where autoscalers have it (langfuse_autoscaling), `kubectl scale deployment --replicas=1`: they leave "
        "zero alone.",
        from_git="Flux sets the number again after langfuse_gitops_interval, others when they are told to; at once with `{again}`. Where autoscalers have "
        "it (langfuse_autoscaling), `kubectl scale deployment --replicas=1`: they leave zero alone. Where Flux was held for a restore, end that first.",
    ),
    _pod("waiting", "Something is not ready", "probe", "waiting"),
    Rule(
        "secret_not_rolled",
        "containers",
        secret_not_rolled,
        "A Secret was changed after pods that read it had started: {secrets} ({pods}).",
        "Run site, which starts anew whose values have changed, and sets back what was changed by hand; or use `kubectl rollout restart`.",
        WARNING,
        from_git="Run site, commit and push: what reads a Secret that has changed starts anew. What was changed by hand is set back by `{again}`; "
        "by hand start pods anew with `kubectl rollout restart --field-manager=flux-client-side-apply`, or Flux takes that back, and they start once more.",
        serious=("database", "key", "queue", "clickhouse", "s3_write", "trace"),
    ),
    Rule(
        "policy_closes",
        "containers",
        policy_closes,
        "Web or worker does not reach what answers here, and network policies are in force{others}.",
        "Run site --check --diff, which shows policies that were changed. A host elsewhere is opened by langfuse_network_policy_to; "
        "a policy of others must let these pods through as well.",
        from_git="Have set back what was changed in the cluster: `{again}`. A host elsewhere is opened by langfuse_network_policy_to; "
        "a policy of others must let these pods through as well.",
    ),
)
