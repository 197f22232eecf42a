"""Web, worker and migration: the environment that Compose gives them, probes, drain, rolls."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings import environment_schema as schema
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.cluster_secrets import GROUPS, HOMES

from ...settings.cases import CERTIFICATE, GOOD
from ...settings.cluster_cases import CLUSTER, SHARED
from ...settings.support import run
from .support import BIG, by_identity, derived, environment, manifests, pod_specs

# What differs between targets, and nothing else does: where services and stores are.
ENDPOINTS = {
    "DATABASE_URL",
    "CLICKHOUSE_URL",
    "CLICKHOUSE_MIGRATION_URL",
    "REDIS_HOST",
    "LANGFUSE_S3_BATCH_EXPORT_ENDPOINT",
    "LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT",
    "LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT",
}
COMMON: dict[str, Any] = {
    "cloudflare_domain": "example.com",
    "langfuse_s3_public_endpoint": "https://langfuse.example.com",
    "langfuse_smtp_url": "smtp://user:p$(HOME)$$x@mail.example.com:587",
    "langfuse_email_from": "langfuse@example.com",
    "langfuse_init_org_name": "A $(SALT) and $5",
    "langfuse_admin_api_enabled": True,
    "langfuse_ca_certificates": CERTIFICATE,
    "langfuse_extra_env": {"LANGFUSE_S3_CONCURRENT_WRITES": "10"},
}
WORKLOADS = {"web": "langfuse-web", "worker": "langfuse-worker", "migrate": "langfuse-migrate"}


@pytest.mark.parametrize(("service", "workload"), WORKLOADS.items())
def test_the_environment_is_the_one_of_compose(service: str, workload: str) -> None:
    compose = run({**GOOD, **COMMON})
    assert not compose.problems, compose.problems
    expected = {
        name: value if isinstance(value, str) else compose.secrets[value["secret"]]
        for name, value in compose.plan["env"][service].items()
    }
    found = environment({**COMMON, **CLUSTER}, workload)
    assert set(found) == set(expected)
    assert {name for name in found if found[name] != expected[name]} <= ENDPOINTS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLICKHOUSE_URL", "http://langfuse-clickhouse.ai-system.svc.cluster.local:8123"),
        ("CLICKHOUSE_MIGRATION_URL", "clickhouse://langfuse-clickhouse.ai-system.svc.cluster.local:9000"),
        ("REDIS_HOST", "dragonfly.cache.svc.cluster.local"),
        ("REDIS_USERNAME", "langfuse"),
        ("REDIS_KEY_PREFIX", "langfuse:"),
        ("REDIS_AUTH", "canary-of-the-shared-dragonfly"),
        ("LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT", "http://rustfs-svc.storage.svc.cluster.local:9000"),
        ("LANGFUSE_S3_EVENT_UPLOAD_BUCKET", "langfuse-events"),
        ("LANGFUSE_S3_MEDIA_UPLOAD_BUCKET", "langfuse-media"),
        ("LANGFUSE_S3_BATCH_EXPORT_BUCKET", "langfuse-exports"),
        ("LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT", "https://langfuse.example.com"),
        ("LANGFUSE_S3_EVENT_UPLOAD_FORCE_PATH_STYLE", "true"),
        ("NEXTAUTH_URL", "https://langfuse.example.com"),
    ],
)
def test_shared_stores_have_the_names_of_the_guide(name: str, value: str) -> None:
    assert environment(SHARED, "langfuse-web")[name] == value


def test_the_database_is_reached_by_the_name_of_the_guide() -> None:
    url = environment(SHARED, "langfuse-web")["DATABASE_URL"]
    assert url.endswith("@langfuse-postgresql-rw.ai-system.svc.cluster.local:5432/langfuse")


def test_a_litellm_of_the_platform_may_be_asked_although_its_address_is_private() -> None:
    name = "LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST"
    for workload in ("langfuse-web", "langfuse-worker"):
        found = environment({**SHARED, "litellm_enabled": True}, workload)
        assert found[name] == "litellm.ai-system.svc.cluster.local"
        assert name not in environment(SHARED, workload)


def test_web_is_probed_and_drains() -> None:
    spec = pod_specs(CLUSTER)["langfuse-web"]
    (container,) = spec["containers"]
    assert spec["terminationGracePeriodSeconds"] > 111
    paths = {
        probe: container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {
        "startupProbe": "/api/public/health",
        # Stays 200 while web drains; the other one does not.
        "livenessProbe": "/api/public/health",
        "readinessProbe": "/api/public/ready",
    }
    assert container["livenessProbe"]["failureThreshold"] * container["livenessProbe"]["periodSeconds"] == 90


def test_an_outage_of_a_store_does_not_end_the_worker() -> None:
    spec = pod_specs({**CLUSTER, "langfuse_worker_stop_seconds": 77})["langfuse-worker"]
    (container,) = spec["containers"]
    assert spec["terminationGracePeriodSeconds"] == 77
    assert container["readinessProbe"]["httpGet"]["path"] == "/api/ready"
    for probe in ("startupProbe", "livenessProbe"):
        command = container[probe]["exec"]["command"][-1]
        assert "http://127.0.0.1:3030/api/health" in command and "*HTTP/1*) exit 0" in command


def test_no_pod_is_missing_during_a_roll() -> None:
    strategy = by_identity(CLUSTER)["Deployment", "langfuse-web"]["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


@pytest.mark.parametrize(("seconds", "deadline"), [(300, 600), (1800, 1800)])
def test_kubernetes_gives_a_roll_as_long_as_whoever_waits_for_it(seconds: int, deadline: int) -> None:
    found = by_identity({**BIG, "langfuse_start_timeout": seconds})
    deployments = [one["spec"] for (kind, _name), one in found.items() if kind == "Deployment"]
    assert [one["progressDeadlineSeconds"] for one in deployments] == [deadline] * 3


def test_replicas_are_left_to_an_autoscaler() -> None:
    assert by_identity({**CLUSTER, "langfuse_web_replicas": 3})["Deployment", "langfuse-web"]["spec"]["replicas"] == 3
    assert "replicas" not in by_identity(BIG)["Deployment", "langfuse-web"]["spec"]


def _rolled(changed: dict[str, Any], base: dict[str, Any] | None = None) -> set[str]:
    """Workloads whose pods differ. A Job that differs has another name."""
    base = {**CLUSTER, **(base or {})}
    before, after = by_identity(base), by_identity({**base, **changed})
    return {
        name if kind != "Job" else "langfuse-migrate"
        for (kind, name), one in after.items()
        if "template" in one.get("spec", {})
        and one["spec"]["template"] != before.get((kind, name), {}).get("spec", {}).get("template")
    }


APPLICATION = {"langfuse-web", "langfuse-worker"}
STORES = {"langfuse-clickhouse", "langfuse-valkey", "langfuse-seaweedfs"}


@pytest.mark.parametrize(
    ("changed", "rolled"),
    [
        ({"langfuse_nextauth_secret": "another" * 6}, {"langfuse-web"}),
        ({"langfuse_salt": "another" * 6}, APPLICATION),
        ({"langfuse_postgres_password": "another" * 6}, {*APPLICATION, "langfuse-migrate"}),
        ({"langfuse_worker_extra_env": {"LANGFUSE_S3_CONCURRENT_READS": "7"}}, {"langfuse-worker"}),
        ({"langfuse_ca_certificates": CERTIFICATE}, {*APPLICATION, "langfuse-migrate"}),
        ({"langfuse_web_replicas": 2}, set()),
        ({"langfuse_labels": {"team": "ai"}}, {*APPLICATION, "langfuse-migrate", *STORES}),
        ({"langfuse_version": "4.16.1"}, {*APPLICATION, "langfuse-migrate"}),
    ],
)
def test_a_change_rolls_its_readers_and_nobody_else(changed: dict[str, Any], rolled: set[str]) -> None:
    assert _rolled(changed) == rolled


def test_another_secret_of_the_extra_environment_rolls_its_readers() -> None:
    web, both = ({variable: {"DD_API_KEY": "one"}} for variable in ("langfuse_web_extra_env", "langfuse_extra_env"))
    assert _rolled({"langfuse_web_extra_env": {"DD_API_KEY": "two"}}, web) == {"langfuse-web"}
    assert _rolled({"langfuse_extra_env": {"DD_API_KEY": "two"}}, both) == APPLICATION


def test_secrets_of_the_extra_environment_are_in_one_secret() -> None:
    given = {
        **CLUSTER,
        "langfuse_extra_env": {"DD_API_KEY": "of-both"},
        "langfuse_worker_extra_env": {"DD_API_KEY": "of-$(the)-worker"},
    }
    (secret,) = [one for one in manifests(given) if one.identity == ("Secret", "langfuse-extra-env")]
    assert secret.object["data"].keys() == {"extra_env.DD_API_KEY", "worker_extra_env.DD_API_KEY"}
    # The variable still has it: another run makes the Secret again.
    assert secret.sensitive and not secret.keep
    assert environment(given, "langfuse-web")["DD_API_KEY"] == "of-both"
    assert environment(given, "langfuse-worker")["DD_API_KEY"] == "of-$(the)-worker"
    assert not [one for one in manifests(CLUSTER) if one.identity == secret.identity]


def test_other_authorities_in_the_same_file_roll_who_reads_it() -> None:
    rolled = _rolled({"langfuse_ca_certificates": CERTIFICATE * 2}, {"langfuse_ca_certificates": CERTIFICATE})
    assert rolled >= APPLICATION


def test_the_fingerprint_of_secrets_is_keyed() -> None:
    """With another key the same secrets have another fingerprint, so nobody can guess at them."""
    # The migration reads no encryption key, of which the fingerprint's key is made.
    assert "langfuse-migrate" in _rolled({"langfuse_encryption_key": "fe" * 32})


def test_the_migration_runs_once_and_is_not_cut_off() -> None:
    ((kind, name),) = [identity for identity in by_identity(CLUSTER) if identity[0] == "Job"]
    job = by_identity(CLUSTER)[kind, name]["spec"]
    assert job["backoffLimit"] == 0
    assert "activeDeadlineSeconds" not in job and "ttlSecondsAfterFinished" not in job
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert job["template"]["spec"]["containers"][0]["args"] == ["true"]


def test_wishes_of_the_platform_reach_every_pod() -> None:
    for name, spec in pod_specs(BIG).items():
        assert spec["nodeSelector"] == {"disk": "fast"}, name
        assert spec["priorityClassName"] == "important", name
        assert spec["tolerations"][0]["key"] == "ai", name
        assert spec["imagePullSecrets"] == [{"name": "registry"}], name
    web = pod_specs(BIG)["langfuse-web"]
    assert web["hostAliases"] == [{"ip": "10.0.0.7", "hostnames": ["keycloak.example.com", "sso.example.com"]}]
    assert {"name": "models", "persistentVolumeClaim": {"claimName": "models"}} in web["volumes"]
    assert "models" not in [volume["name"] for volume in pod_specs(BIG)["langfuse-migrate"]["volumes"]]
    template = by_identity(BIG)["Deployment", "langfuse-web"]["spec"]["template"]
    assert template["metadata"]["labels"]["team"] == "ai"
    assert template["metadata"]["annotations"]["example.com/team"] == "ai"


EXTERNAL: dict[str, Any] = {
    **CLUSTER,
    "langfuse_clickhouse_source": "existing",
    "langfuse_clickhouse_host": "ch.example.com",
    "dragonfly_enabled": True,
    "dragonfly_acl_enabled": True,
    "rustfs_enabled": True,
    "keycloak_enabled": True,
    "langfuse_sso_enabled": True,
    "langfuse_sso_issuer": "https://keycloak.example.com/realms/platform",
    "langfuse_email_from": "langfuse@example.com",
    "langfuse_init_project_public_key": "pk-lf-of-their-own",
    "cnpg_barman_plugin_enabled": True,
    "langfuse_backup_enabled": True,
    "langfuse_kubernetes_existing_secrets": {group: f"their-{group}" for group in GROUPS if group != "sso-credentials"},
}


def test_secrets_of_somebody_else_are_used_and_not_made() -> None:
    result, found = derived(EXTERNAL), by_identity(EXTERNAL)
    assert not [name for kind, name in found if kind == "Secret"]
    # Nothing of them is drawn or asked for.
    assert not set(HOMES) & (set(result.secrets) | set(result.generated))
    entries = {one["name"]: one for one in pod_specs(EXTERNAL)["langfuse-web"]["containers"][0]["env"]}
    read = {name: one["valueFrom"]["secretKeyRef"] for name, one in entries.items() if "valueFrom" in one}
    assert read["SALT"] == {"name": "their-credentials", "key": "SALT"}
    assert read["DATABASE_URL"] == {"name": "their-postgresql-credentials", "key": "DATABASE_URL"}
    for name in (
        "REDIS_AUTH",
        "SMTP_CONNECTION_URL",
        "AUTH_KEYCLOAK_CLIENT_SECRET",
        "LANGFUSE_EE_LICENSE_KEY",
        "HTTPS_PROXY",
    ):
        assert read[name]["name"].startswith("their-"), name
    assert read["LANGFUSE_INIT_USER_PASSWORD"]["name"] == "their-init-credentials"
    assert {one["name"] for one in read.values()} <= set(EXTERNAL["langfuse_kubernetes_existing_secrets"].values())
    cluster = found["Cluster", "langfuse-postgresql"]["spec"]
    assert cluster["bootstrap"]["initdb"]["secret"] == {"name": "their-postgresql-credentials"}
    credentials = found["ObjectStore", "langfuse-objectstore"]["spec"]["configuration"]["s3Credentials"]
    assert credentials["accessKeyId"] == {"name": "their-backup-credentials", "key": "ACCESS_KEY_ID"}


def test_another_secret_of_somebody_else_rolls_its_readers() -> None:
    """What is in it is not known here."""
    theirs = {"langfuse_kubernetes_existing_secrets": {"credentials": "theirs"}}
    assert _rolled({"langfuse_kubernetes_existing_secrets": {"credentials": "others"}}, theirs) == APPLICATION


@pytest.mark.parametrize(("size", "memory"), [("small", ("1024Mi", "2048Mi")), ("large", ("2048Mi", "4096Mi"))])
def test_resources_follow_the_size(size: str, memory: tuple[str, str]) -> None:
    resources = pod_specs({**CLUSTER, "langfuse_size": size})["langfuse-web"]["containers"][0]["resources"]
    assert (resources["requests"]["memory"], resources["limits"]["memory"]) == memory
    assert "cpu" not in resources["limits"]


def test_resources_can_be_written() -> None:
    given = {**CLUSTER, "langfuse_kubernetes_resources": {"web": {"requests": {"cpu": "2"}, "limits": {"cpu": "4"}}}}
    resources = pod_specs(given)["langfuse-web"]["containers"][0]["resources"]
    assert resources["requests"]["cpu"] == "2" and resources["limits"] == {"memory": "2048Mi", "cpu": "4"}


def test_workers_of_ingestion_leave_everything_else_to_the_others() -> None:
    given = {
        **CLUSTER,
        "langfuse_ingestion_replicas": 3,
        "langfuse_worker_extra_env": {"LANGFUSE_S3_CONCURRENT_READS": "7"},
    }
    together = environment(CLUSTER, "langfuse-worker")
    both = {name: environment(given, f"langfuse-{name}") for name in ("worker", "ingestion")}
    off = {name: {one for one in found if one.startswith("QUEUE_CONSUMER_")} for name, found in both.items()}
    assert not [name for name in together if name.startswith("QUEUE_CONSUMER_")]
    # Every queue has somebody who consumes it.
    assert not off["worker"] & off["ingestion"]
    assert off["worker"] == {
        f"QUEUE_CONSUMER_{queue}_QUEUE_IS_ENABLED"
        for queue in ("INGESTION", "INGESTION_SECONDARY", "OTEL_INGESTION", "OTEL_INGESTION_SECONDARY")
    }
    assert off["worker"] | off["ingestion"] == {name for name in schema.schema() if name.startswith("QUEUE_CONSUMER_")}
    for name, found in both.items():
        assert {one: found[one] for one in off[name]} == dict.fromkeys(off[name], "false")
        assert found["LANGFUSE_S3_CONCURRENT_READS"] == "7"
        assert {one: value for one, value in found.items() if one in together} == together
    deployment = by_identity(given)["Deployment", "langfuse-ingestion"]["spec"]
    assert deployment["replicas"] == 3
    assert deployment["template"]["spec"]["containers"][0]["image"].endswith("langfuse-worker:4.16.0")


def test_a_switch_of_a_queue_has_one_home() -> None:
    given = {**GOOD, **CLUSTER, "langfuse_worker_extra_env": {"QUEUE_CONSUMER_INGESTION_QUEUE_IS_ENABLED": "false"}}
    assert not run(given).problems
    (problem,) = run({**given, "langfuse_ingestion_replicas": 1}).problems
    assert problem.variable == "langfuse_worker_extra_env"
