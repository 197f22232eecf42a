"""Names that platforms already know: those of the Kubernetes guide and of the cluster it was written for."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.cluster_secrets import HOMES
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.contract import CONTRACT_FILE

from ...settings.cluster_cases import BACKUP, CLUSTER, EVERYTHING, SHARED
from .support import by_identity, manifests

KEYCLOAK = {
    "keycloak_enabled": True,
    "langfuse_sso_enabled": True,
    "langfuse_keycloak_client_secret": "canary-of-the-client",
    "langfuse_sso_issuer": "https://keycloak.example.com/realms/platform",
}
MAIL = {"langfuse_smtp_url": "smtp://u:p@mail.example.com:587", "langfuse_email_from": "l@example.com"}
POLICIES = {"network_policies_enabled": True, "langfuse_network_policy_kind": "both"}
NAMESPACE = "ai-system"


# Not made: what Flux needs (another target), role sync (its API does not exist), a ServiceMonitor and a dashboard of
# Langfuse's own series (there are none for Prometheus), and objects of other applications.
@pytest.mark.parametrize(
    ("given", "kind", "name", "namespace"),
    [
        ({}, "Namespace", "ai-system", None),
        ({}, "Cluster", "langfuse-postgresql", NAMESPACE),
        ({}, "Database", "langfuse-db-langfuse", NAMESPACE),
        (BACKUP, "ObjectStore", "langfuse-objectstore", NAMESPACE),
        ({}, "Secret", "langfuse-credentials", NAMESPACE),
        ({}, "Secret", "langfuse-postgresql-credentials", NAMESPACE),
        ({}, "Secret", "langfuse-clickhouse-credentials", NAMESPACE),
        (SHARED, "Secret", "langfuse-s3-credentials", NAMESPACE),
        (BACKUP, "Secret", "langfuse-backup-credentials", NAMESPACE),
        (KEYCLOAK, "Secret", "langfuse-keycloak-credentials", NAMESPACE),
        (MAIL, "Secret", "langfuse-smtp-credentials", NAMESPACE),
        (SHARED, "Secret", "langfuse-redis-credentials", NAMESPACE),
        ({}, "Secret", "langfuse-init-credentials", NAMESPACE),
        ({}, "HTTPRoute", "langfuse", "network"),
        ({}, "ReferenceGrant", "langfuse-network-access", NAMESPACE),
        (POLICIES, "CiliumNetworkPolicy", "langfuse", NAMESPACE),
        (POLICIES, "CiliumNetworkPolicy", "langfuse-postgres", NAMESPACE),
        (POLICIES, "NetworkPolicy", "langfuse", NAMESPACE),
        ({}, "Deployment", "langfuse-web", NAMESPACE),
        ({}, "Deployment", "langfuse-worker", NAMESPACE),
        ({}, "Service", "langfuse-web", NAMESPACE),
        ({}, "Service", "langfuse-worker", NAMESPACE),
        ({}, "Service", "langfuse-clickhouse", NAMESPACE),
        ({}, "StatefulSet", "langfuse-clickhouse", NAMESPACE),
    ],
)
def test_an_object_is_where_it_is_looked_for(
    given: dict[str, Any], kind: str, name: str, namespace: str | None
) -> None:
    found = [
        one.object["metadata"].get("namespace")
        for one in manifests({**CLUSTER, **given})
        if one.identity == (kind, name)
    ]
    assert namespace in found


@pytest.mark.parametrize(
    ("given", "secret", "keys"),
    [
        ({}, "langfuse-credentials", {"NEXTAUTH_SECRET", "SALT", "ENCRYPTION_KEY"}),
        ({}, "langfuse-postgresql-credentials", {"username", "password", "DATABASE_URL"}),
        ({}, "langfuse-clickhouse-credentials", {"password"}),
        (SHARED, "langfuse-s3-credentials", {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}),
        (KEYCLOAK, "langfuse-keycloak-credentials", {"client-secret"}),
        (MAIL, "langfuse-smtp-credentials", {"SMTP_CONNECTION_URL"}),
        (SHARED, "langfuse-redis-credentials", {"password"}),
    ],
)
def test_a_secret_has_the_keys_that_are_read(given: dict[str, Any], secret: str, keys: set[str]) -> None:
    found = by_identity({**CLUSTER, **given})
    assert set(found["Secret", secret]["data"]) == keys
    assert all(base64.b64decode(value) for value in found["Secret", secret]["data"].values())


@pytest.mark.parametrize("given", [CLUSTER, EVERYTHING, {**SHARED, **KEYCLOAK, **MAIL}])
def test_every_reference_leads_to_a_key(given: dict[str, Any]) -> None:
    """Where one does not, the pod waits for ever and says so only in its events."""
    found = by_identity(given)
    for (kind, name), one in found.items():
        if "template" not in one.get("spec", {}):
            continue
        spec = one["spec"]["template"]["spec"]
        for entry in spec["containers"][0]["env"]:
            if "valueFrom" in entry:
                where = entry["valueFrom"]["secretKeyRef"]
                assert where["key"] in found["Secret", where["name"]]["data"], (kind, name, entry["name"])
        for volume in spec["volumes"]:
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in found, (kind, name)
    mail = {
        entry["name"]
        for entry in found["Deployment", "langfuse-web"]["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert ("SMTP_CONNECTION_URL" in mail) is ("langfuse_smtp_url" in given)


def test_the_documentation_has_every_key_of_every_secret() -> None:
    page = (Path(CONTRACT_FILE).parents[3] / "plugins" / "filter" / "kubernetes_objects.yml").read_text("utf-8")
    for group, key in HOMES.values():
        assert re.search(rf"C\({group}\)[^;.]* ha(s|ve) [^;.]*C\({key}\)", page), (group, key)


def test_flags_are_booleans_and_no_secrets() -> None:
    from .support import derived

    plan = derived({**EVERYTHING, **KEYCLOAK}).plan
    assert all(type(feature["on"]) is bool for feature in plan["features"].values())
    assert {name for name, feature in plan["features"].items() if feature["on"]} >= {
        "sso",
        "backup",
        "monitoring",
        "tracing",
    }


def test_the_platform_has_the_last_word_on_the_namespace() -> None:
    assert ("Namespace", "ai-system") not in by_identity({**CLUSTER, "langfuse_kubernetes_create_namespace": False})
    namespace = by_identity(CLUSTER)["Namespace", "ai-system"]["metadata"]["labels"]
    # Others in it may need more than the restricted profile, so that is only warned about.
    assert namespace == {
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/audit": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    }
