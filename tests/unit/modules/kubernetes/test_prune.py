"""What goes when it is no longer wanted, and what never does without its name."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner, identity_of
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.prune import (
    KEEP,
    REMOVE,
    REPLACEABLE,
    loss,
    not_there,
    prune,
)
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.cluster_secrets import HOMES
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.secrets import GENERATED

from ...documents.kubernetes.support import CONFIGURATIONS, manifests
from .support import OWNER, condition, made, recorded

RUNNING = made("Job", "langfuse-migrate-1", status={"active": 1, "ready": 1})
ENDED = made("Job", "langfuse-migrate-1", status={"conditions": [condition("Complete")]})


@pytest.mark.parametrize(
    ("live", "confirmed", "action"),
    [
        (made("Deployment", "langfuse-ingestion"), (), REMOVE),
        (made("ConfigMap", "langfuse-authorities"), (), REMOVE),
        (recorded(postgres="cnpg/langfuse"), (), KEEP),
        (recorded(postgres="cnpg/langfuse"), ("ConfigMap/langfuse-store-places",), REMOVE),
        (made("HTTPRoute", "langfuse", "network"), (), REMOVE),
        (made("NetworkPolicy", "langfuse"), (), REMOVE),
        (made("ServiceMonitor", "langfuse-clickhouse"), (), REMOVE),
        (ENDED, (), REMOVE),
        (made("Job", "langfuse-migrate-1", status={"active": 1, "ready": 0}), (), REMOVE),
        (made("ScaledObject", "langfuse-worker", status={"active": 1}), (), REMOVE),
        (RUNNING, (), KEEP),
        (RUNNING, ("Job/langfuse-migrate-1",), KEEP),
        (made("PersistentVolumeClaim", "data-langfuse-clickhouse-0"), (), KEEP),
        (made("PersistentVolumeClaim", "data-langfuse-clickhouse-0"), ("PersistentVolumeClaim/data-langfuse-clickhouse-0",), REMOVE),
        (made("StatefulSet", "langfuse-clickhouse"), (), KEEP),
        (made("StatefulSet", "langfuse-clickhouse"), ("StatefulSet/langfuse-valkey",), KEEP),
        (made("StatefulSet", "langfuse-clickhouse"), ("StatefulSet/langfuse-clickhouse",), REMOVE),
        (made("Cluster", "langfuse-postgresql"), (), KEEP),
        # The name alone is not enough: a Service may be called the same.
        (made("Cluster", "langfuse-postgresql"), ("langfuse-postgresql",), KEEP),
        (made("Cluster", "langfuse-postgresql"), ("Cluster/langfuse-postgresql",), REMOVE),
        (made("Database", "langfuse-db-langfuse"), (), KEEP),
        (made("Secret", "langfuse-credentials", data={"SALT": "x"}), (), KEEP),
        (made("Secret", "langfuse-credentials", data={"SALT": "x"}), ("Secret/langfuse-credentials",), REMOVE),
        (made("Secret", "langfuse-smtp-credentials", data={"SMTP_CONNECTION_URL": "x"}), (), REMOVE),
        (made("Secret", "langfuse-smtp-credentials", data={"SMTP_CONNECTION_URL": "x", "mine": "y"}), (), KEEP),
        # One without content was perhaps not shown to whoever may not read it.
        (made("Secret", "langfuse-smtp-credentials"), (), KEEP),
        (made("Deployment", "langfuse-web", metadata={"labels": OWNER.labels, "deletionTimestamp": "2026-01-01"}), (), KEEP),
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ai-system", "labels": OWNER.labels}}, ("Namespace/ai-system",), KEEP),
    ],
)  # fmt: skip
def test_what_goes(live: dict[str, Any], confirmed: tuple[str, ...], action: str) -> None:
    (verdict,) = prune([live], set(), OWNER, confirmed)
    assert (verdict.identity, verdict.action) == (identity_of(live), action)
    assert verdict.why and "None" not in verdict.why
    if action == REMOVE:
        assert verdict.why.startswith("confirmed, with" if confirmed else "is no longer wanted")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("data-langfuse-clickhouse-0", False),
        ("data-langfuse-clickhouse-1", False),
        ("data-langfuse-valkey-0", True),
        ("data-langfuse-clickhouse", True),
        ("data-langfuse-clickhouse-shard0-0", True),
    ],
)
def test_the_volume_of_a_wanted_store_is_not_left_over(name: str, told: bool) -> None:
    wanted = [identity_of(made("StatefulSet", "langfuse-clickhouse"))]
    assert bool(prune([made("PersistentVolumeClaim", name)], wanted, OWNER)) == told


@pytest.mark.parametrize(
    "live",
    [
        made("Service", "langfuse-web", metadata={"labels": {**OWNER.labels, "llmops.langfuse/namespace": "team-b"}}),
        made("Service", "langfuse-web", metadata={"labels": {**OWNER.labels, "app.kubernetes.io/instance": "other"}}),
        made("Service", "langfuse-web", metadata={"labels": {**OWNER.labels, "app.kubernetes.io/managed-by": "Helm"}}),
        made("Service", "langfuse-web", metadata={"labels": None}),
        # CloudNativePG gives what it makes the labels of its cluster.
        made("Secret", "langfuse-postgresql-ca", metadata={"labels": OWNER.labels, "ownerReferences": [{"kind": "Cluster", "name": "pg", "controller": True}]}),
        made("Service", "x", metadata={"labels": OWNER.labels, "ownerReferences": [{"kind": "Cluster", "name": "langfuse-postgresql"}]}),
    ],
)  # fmt: skip
def test_what_is_not_the_instances_is_not_even_told(live: dict[str, Any]) -> None:
    assert prune([live], set(), OWNER, {identity_of(live).short}) == []


def test_what_is_wanted_stays_in_whatever_version_of_its_api() -> None:
    live = made("HTTPRoute", "langfuse", "network")
    newer = {**live, "apiVersion": "gateway.networking.k8s.io/v1beta1"}
    assert prune([live], {identity_of(newer)}, OWNER) == []


def test_ways_in_go_first() -> None:
    live = [
        made("NetworkPolicy", "langfuse"),
        made("Deployment", "langfuse-web"),
        made("HTTPRoute", "langfuse", "network"),
    ]
    assert [one.identity.kind for one in prune(live, set(), OWNER)] == ["HTTPRoute", "Deployment", "NetworkPolicy"]


def test_a_kept_one_says_how_it_could_go() -> None:
    (verdict,) = prune([made("Cluster", "langfuse-postgresql")], set(), OWNER)
    assert (
        verdict.why
        == "holds PostgreSQL with its volumes; write Cluster/langfuse-postgresql into langfuse_kubernetes_remove to have it removed"
    )


def test_a_name_that_belongs_to_nothing_is_told() -> None:
    verdicts = prune([made("Cluster", "langfuse-postgresql")], set(), OWNER, ())
    assert not_there(verdicts, ["Cluster/langfuse-postgresql", "Cluster/langfuse-postgres"]) == [
        "Cluster/langfuse-postgres"
    ]


MAIL = {"langfuse_smtp_url": "smtp://u:p@mail.example.com", "langfuse_email_from": "l@example.com"}


@pytest.mark.parametrize("given", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_the_filter_says_the_same(given: dict[str, Any]) -> None:
    for manifest in manifests({**given, **MAIL, "langfuse_web_extra_env": {"SLACK_CLIENT_SECRET": "x"}}):
        kept = manifest.identity[0] == "Namespace" or loss(manifest.object) is not None
        assert manifest.keep is kept, manifest.identity


def test_only_what_the_users_variables_hold_is_replaceable() -> None:
    keys = {key: name for name, (_group, key) in HOMES.items() if key in REPLACEABLE}
    assert len(keys) == len(REPLACEABLE - {"ca.pem"})
    assert not set(keys.values()) & set(GENERATED)


def test_an_instance_that_is_off_keeps_its_data_and_keys() -> None:
    given = CONFIGURATIONS["big"]
    on = [one.object for one in manifests(given)]
    off = {identity_of(one.object) for one in manifests({**given, "langfuse_enabled": False})}
    verdicts = prune(on, off, Owner("langfuse", "ai-system"))
    assert {one.action for one in verdicts} == {REMOVE}
    assert {one.identity.kind for one in verdicts} >= {"Deployment", "Job", "Ingress"}
    assert not {"Secret", "Cluster", "StatefulSet", "Database"} & {one.identity.kind for one in verdicts}
