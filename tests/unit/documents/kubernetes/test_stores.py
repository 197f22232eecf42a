"""The stores in a cluster: CloudNativePG with backups, and the bundled ones."""

from __future__ import annotations

import base64
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner

from ...settings.cases import CERTIFICATE
from ...settings.cluster_cases import BACKUP, CLUSTER, EVERYTHING, KEYS, SHARED
from ...settings.source_cases import AWS, REDIS
from .support import BIG, CLOUD, by_identity, derived, environment, pod_specs, unfit

OWN_S3: dict[str, Any] = {**BACKUP, "langfuse_s3_endpoint": "https://minio.example.com:9000"}


def _cluster(given: dict[str, Any]) -> dict[str, Any]:
    cluster: dict[str, Any] = by_identity(given)["Cluster", "langfuse-postgresql"]
    return cluster


def test_the_cluster_has_database_role_and_password_of_the_secret() -> None:
    spec = _cluster(CLUSTER)["spec"]
    assert spec["bootstrap"]["initdb"] == {
        "database": "langfuse",
        "owner": "langfuse",
        "secret": {"name": "langfuse-postgresql-credentials"},
    }
    (role,) = spec["managed"]["roles"]
    assert role["name"] == "langfuse" and role["passwordSecret"] == {"name": "langfuse-postgresql-credentials"}
    assert not (role["superuser"] or role["createdb"] or role["createrole"])
    assert spec["postgresql"]["parameters"]["timezone"] == "UTC"
    secret = by_identity(CLUSTER)["Secret", "langfuse-postgresql-credentials"]
    assert secret["type"] == "kubernetes.io/basic-auth"
    assert secret["metadata"]["labels"]["cnpg.io/reload"] == "true"
    assert base64.b64decode(secret["data"]["username"]) == b"langfuse"


def test_shutting_down_it_does_not_wait_for_clients_that_never_leave() -> None:
    assert _cluster(CLUSTER)["spec"]["smartShutdownTimeout"] == 0


def test_the_type_of_the_secret_does_not_depend_on_who_runs_postgresql() -> None:
    assert by_identity(CLOUD)["Secret", "langfuse-postgresql-credentials"]["type"] == "kubernetes.io/basic-auth"


def test_numbers_and_places_of_the_cluster_can_be_written() -> None:
    spec = _cluster({**BIG, "langfuse_postgres_image": "registry.example.com/pg:17.11"})["spec"]
    assert spec["instances"] == 3 and spec["imageName"] == "registry.example.com/pg:17.11"
    assert spec["storage"] == {"size": "10Gi", "storageClass": "fast"}
    assert spec["affinity"]["nodeSelector"] == {"disk": "fast"} and spec["priorityClassName"] == "important"
    assert spec["resources"]["limits"]["memory"] == "4096Mi"
    assert spec["postgresql"]["parameters"]["shared_buffers"] == "1024MB"
    own = _cluster({**BIG, "langfuse_postgres_storage_class": "local"})["spec"]
    assert own["storage"]["storageClass"] == "local"


@pytest.mark.parametrize(
    ("given", "image"),
    [
        ({}, "ghcr.io/cloudnative-pg/postgresql:17.11-standard-trixie"),
        (
            {"langfuse_image_registry": "registry.example.com"},
            "registry.example.com/cloudnative-pg/postgresql:17.11-standard-trixie",
        ),
    ],
)
def test_the_image_comes_from_where_it_is(given: dict[str, Any], image: str) -> None:
    assert _cluster({**CLUSTER, **given})["spec"]["imageName"] == image


@pytest.mark.parametrize(("given", "instances", "budget"), [(CLUSTER, 1, False), (BIG, 3, True)])
def test_the_only_server_does_not_keep_its_node_from_being_drained(
    given: dict[str, Any], instances: int, budget: bool
) -> None:
    """CloudNativePG makes a budget of one for the primary unless it is told not to."""
    cluster = _cluster(given)
    assert (cluster["spec"]["instances"], cluster["spec"]["enablePDB"]) == (instances, budget)
    assert not unfit(cluster)


BY_ROLE: dict[str, Any] = {
    **CLUSTER,
    **AWS,
    "cnpg_barman_plugin_enabled": True,
    "langfuse_backup_enabled": True,
    "langfuse_service_account_annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/langfuse"},
}


def test_backups_without_keys_have_the_identity_of_the_application() -> None:
    found = by_identity(BY_ROLE)
    cluster, store = found["Cluster", "langfuse-postgresql"], found["ObjectStore", "langfuse-objectstore"]
    assert store["spec"]["configuration"]["s3Credentials"] == {"inheritFromIAMRole": True}
    annotations = cluster["spec"]["serviceAccountTemplate"]["metadata"]["annotations"]
    assert annotations == BY_ROLE["langfuse_service_account_annotations"]
    assert not unfit(cluster)


@pytest.mark.parametrize(
    "changes",
    [
        {"langfuse_backup_enabled": False},
        {"langfuse_service_account_annotations": {}},
        {"langfuse_s3_use_role": False, "langfuse_s3_access_key": "canaryaccess", "langfuse_s3_secret_key": "canary-of-aws"},
    ],
)  # fmt: skip
def test_servers_of_postgresql_have_no_rights_that_they_do_not_need(changes: dict[str, Any]) -> None:
    assert "serviceAccountTemplate" not in _cluster({**BY_ROLE, **changes})["spec"]


def test_its_pods_reach_the_api_server_where_policies_are_made() -> None:
    label = "network.cilium.io/api-access"
    assert _cluster(EVERYTHING)["spec"]["inheritedMetadata"]["labels"][label] == "true"
    assert label not in _cluster(CLUSTER)["spec"]["inheritedMetadata"]["labels"]


def test_switched_off_it_sleeps_and_keeps_its_volumes() -> None:
    off = _cluster({**CLUSTER, "langfuse_enabled": False})
    assert off["metadata"]["annotations"] == {"cnpg.io/hibernation": "on"}
    assert "annotations" not in _cluster(CLUSTER)["metadata"]


def test_backups_are_archived_taken_and_removed_in_time() -> None:
    found = by_identity(BACKUP)
    (plugin,) = _cluster(BACKUP)["spec"]["plugins"]
    assert plugin == {
        "name": "barman-cloud.cloudnative-pg.io",
        "isWALArchiver": True,
        "parameters": {"barmanObjectName": "langfuse-objectstore"},
    }
    store = found["ObjectStore", "langfuse-objectstore"]["spec"]
    assert store["retentionPolicy"] == "7d"
    assert store["configuration"]["destinationPath"] == "s3://langfuse-postgres-backups"
    assert store["configuration"]["endpointURL"] == "http://rustfs-svc.storage.svc.cluster.local:9000"
    schedule = found["ScheduledBackup", "langfuse-postgresql"]["spec"]
    assert schedule["method"] == "plugin" and schedule["cluster"] == {"name": "langfuse-postgresql"}
    assert "plugins" not in _cluster(CLUSTER)["spec"]


@pytest.mark.parametrize(("keys", "access"), [({}, "canaryrustfs"), (KEYS, "canarybackup")])
def test_keys_of_backups_are_those_of_the_application_unless_written(keys: dict[str, str], access: str) -> None:
    data = by_identity({**BACKUP, **keys})["Secret", "langfuse-backup-credentials"]["data"]
    assert base64.b64decode(data["ACCESS_KEY_ID"]).decode() == access
    assert set(data) == {"ACCESS_KEY_ID", "SECRET_ACCESS_KEY"}


def test_stores_of_somebody_else_are_not_made() -> None:
    kinds = {kind for kind, _name in by_identity(CLOUD)}
    assert not {"Cluster", "Database", "StatefulSet"} & kinds
    assert {name for kind, name in by_identity(SHARED) if kind == "StatefulSet"} == {"langfuse-clickhouse"}


@pytest.mark.parametrize(
    ("store", "image", "user", "ports"),
    [
        ("clickhouse", "clickhouse/clickhouse-server:25.12", 101, {"http": 8123, "native": 9000}),
        ("valkey", "valkey/valkey:8.1", 999, {"redis": 6379}),
        ("seaweedfs", "chrislusf/seaweedfs:4.48", 1000, {"s3": 8333}),
    ],
)
def test_a_bundled_store(store: str, image: str, user: int, ports: dict[str, int]) -> None:
    found = by_identity({**CLUSTER, f"langfuse_{store}_storage": "77Gi"})
    service = found["Service", f"langfuse-{store}"]["spec"]
    assert {port["name"]: port["port"] for port in service["ports"]} == ports
    spec = found["StatefulSet", f"langfuse-{store}"]["spec"]
    assert spec["replicas"] == 1 and spec["serviceName"] == f"langfuse-{store}"
    assert service["selector"] == spec["selector"]["matchLabels"]
    pod = spec["template"]["spec"]
    assert pod["containers"][0]["image"] == f"docker.io/{image}"
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == user
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "77Gi"
    assert "storageClassName" not in claim["spec"]
    # A claim template cannot change, so labels that a user may change are not in it; the owner's are, to find it without its store.
    assert claim["metadata"]["labels"].items() > Owner("langfuse", "ai-system").labels.items()
    relabelled = by_identity({**CLUSTER, "langfuse_labels": {"team": "b"}, f"langfuse_{store}_storage": "77Gi"})
    assert relabelled["StatefulSet", f"langfuse-{store}"]["spec"]["volumeClaimTemplates"] == [claim]
    off = by_identity({**CLUSTER, "langfuse_enabled": False})["StatefulSet", f"langfuse-{store}"]["spec"]
    assert off["replicas"] == 0 and off["volumeClaimTemplates"]


def test_clickhouse_is_found_as_the_guide_looks_for_it() -> None:
    template = by_identity(CLUSTER)["StatefulSet", "langfuse-clickhouse"]["spec"]["template"]
    assert template["metadata"]["labels"]["app.kubernetes.io/name"] == "clickhouse"


def test_clickhouse_keeps_time_in_utc_and_its_logs_short() -> None:
    data = by_identity(CLUSTER)["ConfigMap", "langfuse-clickhouse"]["data"]
    root = ElementTree.fromstring(data["config.xml"].partition("-->")[2])
    assert root.findtext("timezone") == "UTC"
    trace_log = root.find("trace_log")
    assert trace_log is not None and trace_log.get("remove") == "1"
    assert root.find("prometheus") is None
    newer = by_identity({**CLUSTER, "langfuse_clickhouse_version": "26.9"})["ConfigMap", "langfuse-clickhouse"]["data"]
    assert "input_format_read_datetime_number_as_raw_value" in newer["users.xml"]


def test_a_store_rolls_with_its_configuration_and_its_password() -> None:
    def template(given: dict[str, Any]) -> Any:
        return by_identity({**CLUSTER, **given})["StatefulSet", "langfuse-valkey"]["spec"]["template"]["metadata"]

    assert template({"langfuse_redis_password": "another" * 4}) != template({})
    assert template({"langfuse_valkey_memory": "1g"}) != template({})
    assert template({"langfuse_nextauth_secret": "another" * 6}) == template({})


def test_the_password_of_valkey_is_in_no_argument() -> None:
    (container,) = pod_specs(CLUSTER)["langfuse-valkey"]["containers"]
    assert "$REDISCLI_AUTH" in container["args"][-1]
    assert (
        environment(CLUSTER, "langfuse-valkey")["REDISCLI_AUTH"] == environment(CLUSTER, "langfuse-web")["REDIS_AUTH"]
    )


POOLED: dict[str, Any] = {**CLUSTER, "langfuse_postgres_pooler_instances": 2}


def test_the_application_goes_through_the_pooler_and_migrations_past_it() -> None:
    web, migrate = environment(POOLED, "langfuse-web"), environment(POOLED, "langfuse-migrate")
    for found in (web, migrate):
        assert (
            "@langfuse-postgresql-pooler.ai-system.svc.cluster.local:5432/langfuse?pgbouncer=true"
            in found["DATABASE_URL"]
        )
        assert found["DIRECT_URL"].endswith("@langfuse-postgresql-rw.ai-system.svc.cluster.local:5432/langfuse")
    assert "DIRECT_URL" not in environment(CLUSTER, "langfuse-web")
    pooler = by_identity(POOLED)["Pooler", "langfuse-postgresql-pooler"]["spec"]
    assert pooler["instances"] == 2 and pooler["cluster"] == {"name": "langfuse-postgresql"}
    assert pooler["pgbouncer"]["poolMode"] == "transaction"
    assert "Pooler" not in {kind for kind, _name in by_identity({**POOLED, "langfuse_enabled": False})}
    assert "image" not in pooler["template"]["spec"]["containers"][0]
    own = by_identity({**POOLED, "langfuse_postgres_pooler_image": "registry.example.com/pgbouncer:1.25"})
    (container,) = own["Pooler", "langfuse-postgresql-pooler"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/pgbouncer:1.25" and container["name"] == "pgbouncer"
    assert container["imagePullPolicy"] == "IfNotPresent"
    whole = by_identity(BIG)["Pooler", "langfuse-postgresql-pooler"]["spec"]["template"]
    assert whole["metadata"]["annotations"] == BIG["langfuse_annotations"]
    template = whole["spec"]
    assert template["imagePullSecrets"] == [{"name": "registry"}] and template["nodeSelector"] == {"disk": "fast"}


@pytest.mark.parametrize(
    ("given", "endpoint"), [(BACKUP, None), (OWN_S3, {"name": "langfuse-backup-authorities", "key": "ca.pem"})]
)
def test_backups_trust_the_authorities_of_the_instance(given: dict[str, Any], endpoint: dict[str, str] | None) -> None:
    """The plugin reads them from a Secret, and would refuse a certificate of one's own without."""
    found = by_identity({**given, "langfuse_ca_certificates": CERTIFICATE})
    assert found["ObjectStore", "langfuse-objectstore"]["spec"]["configuration"].get("endpointCA") == endpoint
    assert (("Secret", "langfuse-backup-authorities") in found) is bool(endpoint)
    if endpoint:
        data = found["Secret", endpoint["name"]]["data"][endpoint["key"]]
        assert "\n-----BEGIN CERTIFICATE-----\n" in base64.b64decode(data).decode()
        assert ("Secret", "langfuse-backup-authorities") not in by_identity(given)


def test_a_bundled_object_store_deletes_what_is_old_enough() -> None:
    given = {**CLUSTER, "langfuse_s3_events_expire_days": 30}
    server, expiry = pod_specs(given)["langfuse-seaweedfs"]["containers"]
    assert "127.0.0.1:9333" in expiry["command"][2] and "127.0.0.1:18333" in expiry["command"][2]
    assert (expiry["image"], expiry["securityContext"]) == (server["image"], server["securityContext"])
    # A late pass must not take the store from its readers.
    assert not [name for name in expiry if name.endswith("Probe")]
    # The rules themselves are set over S3.
    s3 = derived(given).plan["kubernetes"]["preparation"]["s3"]
    assert s3["endpoint"] == "http://langfuse-seaweedfs.ai-system.svc.cluster.local:8333"
    assert s3["settings"] == [{"name": "langfuse-events", "lifecycle": [{"prefix": "", "expire_days": 30}]}]
    assert len(pod_specs(CLUSTER)["langfuse-seaweedfs"]["containers"]) == 1
    assert derived(SHARED).plan["kubernetes"]["preparation"] == {"s3": None}


@pytest.mark.parametrize("host", ["redis.example.com", "fd00::7"])
def test_queues_are_looked_at_where_they_are(host: str) -> None:
    given = {
        **CLUSTER,
        "langfuse_redis_source": "existing",
        "langfuse_redis_host": host,
        "langfuse_autoscaling": "keda",
    }
    (trigger, _other) = by_identity(given)["ScaledObject", "langfuse-worker"]["spec"]["triggers"]
    assert trigger["metadata"]["address"] == ("[fd00::7]:6379" if ":" in host else f"{host}:6379")


@pytest.mark.parametrize(
    ("given", "parameters"),
    [
        ({"langfuse_redis_tls": True}, {"password": "secretTargetRef", "ca": "configMapTargetRef"}),
        ({"langfuse_redis_tls": False}, {"password": "secretTargetRef"}),
    ],
)
def test_who_looks_at_queues_trusts_the_authorities_of_the_instance(
    given: dict[str, Any], parameters: dict[str, str]
) -> None:
    redis = {**REDIS, "langfuse_redis_password": "canary-of-redis", "langfuse_ca_certificates": CERTIFICATE}
    found = by_identity({**CLUSTER, **redis, **given, "langfuse_autoscaling": "keda"})
    access = found["TriggerAuthentication", "langfuse-worker"]
    assert {one["parameter"]: kind for kind, all_ in access["spec"].items() for one in all_} == parameters
    assert unfit(access) == []
    for one in access["spec"].get("configMapTargetRef", []):
        assert one["key"] in found["ConfigMap", one["name"]]["data"]
    assert found["ScaledObject", "langfuse-worker"]["spec"]["triggers"][0]["authenticationRef"]
