"""Names that platforms already know: those of the Kubernetes guide and of the cluster it was written for."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.cluster_secrets import HOMES
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.contract import CONTRACT_FILE

from ...settings.cases import CERTIFICATE
from ...settings.cluster_cases import BACKUP, CLUSTER, EVERYTHING, SHARED
from .support import by_identity, derived, environment, manifests

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


# The guide's own block of variables, and below it what it leaves to the platform.
GUIDE: dict[str, Any] = {
    "langfuse_target": "kubernetes",
    "langfuse_enabled": True,
    "langfuse_subdomain": "langfuse",
    "langfuse_nextauth_secret": "canary-" * 6,
    "langfuse_salt": "canary-" * 5,
    "langfuse_encryption_key": "ca" * 32,
    "langfuse_postgres_password": "canary-of-postgres",
    "langfuse_postgres_instances": 1,
    "langfuse_postgres_storage": "10Gi",
    "langfuse_clickhouse_password": "canary-of-clickhouse",
    "langfuse_clickhouse_storage": "20Gi",
    "langfuse_s3_access_key": "canaryaccess",
    "langfuse_s3_secret_key": "canary-of-rustfs",
    "dragonfly_enabled": True,
    "dragonfly_acl_enabled": True,
    "dragonfly_langfuse_password": "canary-of-dragonfly",
    "langfuse_sso_enabled": True,
    "langfuse_keycloak_client_secret": "canary-of-keycloak",
    "langfuse_tracing_enabled": True,
    "langfuse_trace_sampling_ratio": "0.1",
    "langfuse_monitoring_enabled": True,
    "langfuse_backup_enabled": True,
    "cloudflare_domain": "example.com",
    "cnpg_enabled": True,
    "cnpg_barman_plugin_enabled": True,
    "rustfs_enabled": True,
    "keycloak_enabled": True,
    "langfuse_sso_issuer": "http://keycloak-service.identity.svc.cluster.local:8080/realms/platform",
    "monitoring_enabled": True,
    "tracing_enabled": True,
    "network_policies_enabled": True,
    "langfuse_network_policy_kind": "both",
}


def test_the_variables_of_the_guide_make_what_it_describes() -> None:
    plan = derived(GUIDE).plan
    assert plan["url"] == "https://langfuse.example.com"
    assert {name for name, one in plan["features"].items() if one["on"]} >= {
        *("sso", "tracing", "monitoring", "backup", "network_policies")
    }
    web = environment(GUIDE, "langfuse-web")
    assert web["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://tempo.monitoring.svc.cluster.local:4318"
    assert web["OTEL_TRACE_SAMPLING_RATIO"] == "0.1"
    assert web["AUTH_KEYCLOAK_ISSUER"] == GUIDE["langfuse_sso_issuer"]
    assert web["LANGFUSE_S3_EVENT_UPLOAD_FORCE_PATH_STYLE"] == "true"
    # Its table of destinations.
    egress = by_identity(GUIDE)["NetworkPolicy", "langfuse"]["spec"]["egress"]
    open_to = {
        (next(iter(peer["namespaceSelector"]["matchLabels"].values())), port["port"])
        for rule in egress
        for peer in rule.get("to", [])
        if "namespaceSelector" in peer
        for port in rule["ports"]
    }
    assert open_to == {("cache", 6379), ("storage", 9000), ("identity", 8080), ("monitoring", 4318)}


def test_flags_are_booleans_and_no_secrets() -> None:
    plan = derived({**EVERYTHING, **KEYCLOAK}).plan
    assert all(type(feature["on"]) is bool for feature in plan["features"].values())
    assert {name for name, feature in plan["features"].items() if feature["on"]} >= {
        "sso",
        "backup",
        "monitoring",
        "tracing",
    }


def test_authorities_are_text_where_there_is_no_host_to_keep_a_file() -> None:
    """The modules run beside the cluster, where the directory of a Compose project is nobody's."""
    given = {**CLUSTER, "langfuse_ca_certificates": CERTIFICATE}
    plan = derived(given).plan
    assert (plan["health"]["ca_path"], plan["health"]["ca_certificates"]) == (None, CERTIFICATE)
    assert environment(given, "langfuse-web")["NODE_EXTRA_CA_CERTS"].endswith("/ca.pem")


def test_the_platform_has_the_last_word_on_the_namespace() -> None:
    assert ("Namespace", "ai-system") not in by_identity({**CLUSTER, "langfuse_kubernetes_create_namespace": False})
    namespace = by_identity(CLUSTER)["Namespace", "ai-system"]["metadata"]["labels"]
    # Others in it may need more than the restricted profile, so that is only warned about.
    assert namespace == {
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/audit": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    }
