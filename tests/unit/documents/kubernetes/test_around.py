"""The way from outside, the number of pods, and what Prometheus looks at."""

from __future__ import annotations

from typing import Any

import pytest

from ...settings.cluster_cases import CLUSTER, EVERYTHING, SHARED
from .support import BIG, QUIET, by_identity, derived, environment, manifests


def _route(given: dict[str, Any]) -> dict[str, Any]:
    route: dict[str, Any] = by_identity(given)["HTTPRoute", "langfuse"]
    return route


def _backends(route: dict[str, Any]) -> dict[str, Any]:
    """Path → namespace, Service and port that it leads to; None where it leads nowhere."""
    found = {}
    for rule in route["spec"]["rules"]:
        to = [(one["namespace"], one["name"], one["port"]) for one in rule.get("backendRefs", [])]
        found |= {match["path"]["value"]: to[0] if to else None for match in rule["matches"]}
    return found


def test_the_route_is_the_one_of_the_origin() -> None:
    route = _route(SHARED)
    assert route["metadata"]["namespace"] == "network"
    (parent,) = route["spec"]["parentRefs"]
    assert (parent["name"], parent["namespace"], parent["sectionName"]) == ("envoy-external", "network", "https")
    assert route["spec"]["hostnames"] == ["langfuse.example.com"]
    assert _backends(route)["/"] == ("ai-system", "langfuse-web", 3000)


def test_the_admin_api_leads_nowhere() -> None:
    assert _backends(_route({**SHARED, "langfuse_admin_api_enabled": True}))["/api/admin"] is None


@pytest.mark.parametrize(
    ("given", "service"),
    [
        (CLUSTER, ("ai-system", "langfuse-seaweedfs", 8333)),
        (SHARED, ("storage", "rustfs-svc", 9000)),
        ({**SHARED, "langfuse_s3_public_endpoint": "https://langfuse.example.com/"}, ("storage", "rustfs-svc", 9000)),
        ({**SHARED, "langfuse_s3_endpoint": "http://minio:80"}, ("ai-system", "minio", 80)),
    ],
)
def test_media_and_exports_are_under_the_same_origin(given: dict[str, Any], service: tuple[str, str, int]) -> None:
    backends = _backends(_route(given))
    assert backends["/langfuse-media"] == backends["/langfuse-exports"] == service
    assert "/langfuse-events" not in backends
    plan = derived(given).plan
    assert plan["env"]["web"]["LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT"] == plan["url"]


def test_media_with_a_way_of_their_own_have_no_rule() -> None:
    given = {**SHARED, "langfuse_s3_public_endpoint": "https://s3.example.com"}
    assert set(_backends(_route(given))) == {"/api/admin", "/"}


@pytest.mark.parametrize("given", [CLUSTER, SHARED, {**SHARED, "langfuse_gateway_namespace": "gateways"}])
def test_every_way_of_the_route_is_granted(given: dict[str, Any]) -> None:
    route = _route(given)
    home = route["metadata"]["namespace"]
    granted = {
        (one.object["metadata"]["namespace"], to["name"])
        for one in manifests(given)
        if one.identity[0] == "ReferenceGrant"
        for to in one.object["spec"]["to"]
        if one.object["spec"]["from"]
        == [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": home}]
    }
    assert granted == {backend[:2] for backend in _backends(route).values() if backend}


def test_a_gateway_in_the_same_namespace_needs_no_grant() -> None:
    given = {**CLUSTER, "langfuse_gateway_namespace": "ai-system"}
    assert not [name for kind, name in by_identity(given) if kind == "ReferenceGrant"]


def test_without_a_way_from_outside_there_is_none() -> None:
    assert not {"HTTPRoute", "Ingress", "ReferenceGrant"} & {kind for kind, _name in by_identity(QUIET)}
    plan = derived(QUIET).plan
    assert plan["url"] == "http://localhost:3000"
    assert plan["endpoints"]["s3"]["public"] == "http://team-a-seaweedfs.llm.svc.cluster.local:8333"


def test_the_ingress_has_certificate_class_and_media() -> None:
    ingress = by_identity({**BIG, "langfuse_ingress_annotations": {"example.com/limit": "50m"}})["Ingress", "langfuse"]
    assert ingress["metadata"]["annotations"] == {
        "example.com/limit": "50m",
        "cert-manager.io/cluster-issuer": "letsencrypt",
    }
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["spec"]["tls"] == [{"hosts": ["langfuse.example.com"], "secretName": "langfuse-tls"}]
    paths = {one["path"]: one["backend"]["service"] for one in ingress["spec"]["rules"][0]["http"]["paths"]}
    assert paths["/"] == {"name": "langfuse-web", "port": {"number": 3000}}
    assert paths["/langfuse-media"] == {"name": "langfuse-seaweedfs", "port": {"number": 8333}}
    plain = by_identity({**BIG, "langfuse_public_url": "http://langfuse.example.com"})["Ingress", "langfuse"]
    assert "tls" not in plain["spec"]


def test_several_pods_are_drained_one_by_one_and_a_single_one_does_not_hold_its_node() -> None:
    assert not [kind for kind, _name in by_identity(CLUSTER) if kind == "PodDisruptionBudget"]
    found = by_identity({**CLUSTER, "langfuse_web_replicas": 2})
    assert found["PodDisruptionBudget", "langfuse-web"]["spec"]["maxUnavailable"] == 1
    assert ("PodDisruptionBudget", "langfuse-worker") not in found


@pytest.mark.parametrize("kind", ["hpa", "keda"])
def test_what_an_autoscaler_makes_several_is_drained_one_by_one(kind: str) -> None:
    found = by_identity({**CLUSTER, "langfuse_autoscaling": kind})
    assert {name for each, name in found if each == "PodDisruptionBudget"} == {"langfuse-web", "langfuse-worker"}


def test_by_cpu() -> None:
    found = by_identity({**BIG, "langfuse_autoscaling_cpu": 55, "langfuse_worker_max_replicas": 9})
    scaler = found["HorizontalPodAutoscaler", "langfuse-worker"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (4, 9)
    assert scaler["metrics"][0]["resource"]["target"]["averageUtilization"] == 55
    assert ("HorizontalPodAutoscaler", "langfuse-web") in found


def test_an_autoscaler_does_not_keep_keda_s_from_coming_before_it_goes() -> None:
    found = by_identity(BIG)
    scalers = [one for (kind, _name), one in found.items() if kind == "HorizontalPodAutoscaler"]
    assert scalers
    for one in scalers:
        assert one["metadata"]["annotations"] == {"validations.keda.sh/hpa-ownership": "false"}


def test_by_the_jobs_that_wait() -> None:
    found = by_identity({**SHARED, "langfuse_autoscaling": "keda", "langfuse_autoscaling_queue_depth": 50})
    scaled = found["ScaledObject", "langfuse-worker"]["spec"]
    assert ("HorizontalPodAutoscaler", "langfuse-worker") not in found
    lists = {trigger["metadata"]["listName"]: trigger["metadata"] for trigger in scaled["triggers"]}
    # The prefix ends with a colon, and BullMQ adds its own.
    assert set(lists) == {"langfuse::otel-ingestion-queue:wait", "langfuse::ingestion-queue:wait"}
    metadata = lists["langfuse::ingestion-queue:wait"]
    assert metadata["address"] == "dragonfly.cache.svc.cluster.local:6379" and metadata["listLength"] == "50"
    assert metadata["usernameFromEnv"] == "REDIS_USERNAME"
    (target,) = found["TriggerAuthentication", "langfuse-worker"]["spec"]["secretTargetRef"]
    assert target == {"parameter": "password", "name": "langfuse-redis-credentials", "key": "password"}


def test_workers_that_ingest_are_as_many_as_the_jobs_ask_for() -> None:
    found = by_identity({**CLUSTER, "langfuse_autoscaling": "keda", "langfuse_ingestion_replicas": 2})
    scaled = found["ScaledObject", "langfuse-ingestion"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == "langfuse-ingestion" and scaled["minReplicaCount"] == 2
    assert ("HorizontalPodAutoscaler", "langfuse-worker") in found
    assert ("ScaledObject", "langfuse-worker") not in found


def test_the_bundled_queue_has_the_words_of_bullmq_in_front() -> None:
    scaled = by_identity({**CLUSTER, "langfuse_autoscaling": "keda"})["ScaledObject", "langfuse-worker"]["spec"]
    assert scaled["triggers"][0]["metadata"]["listName"] == "bull:otel-ingestion-queue:wait"
    assert "usernameFromEnv" not in scaled["triggers"][0]["metadata"]


def test_without_a_password_there_is_nothing_to_authenticate_with() -> None:
    given = {
        name: value
        for name, value in SHARED.items()
        if name not in ("dragonfly_acl_enabled", "dragonfly_langfuse_password")
    }
    found = by_identity({**given, "langfuse_autoscaling": "keda"})
    assert not {"REDIS_USERNAME", "REDIS_AUTH"} & set(environment(given, "langfuse-worker"))
    assert not [kind for kind, _name in found if kind == "TriggerAuthentication"]
    assert "authenticationRef" not in found["ScaledObject", "langfuse-worker"]["spec"]["triggers"][0]
    assert ("Secret", "langfuse-redis-credentials") not in found


def test_prometheus_looks_at_ports_that_exist() -> None:
    found = by_identity(EVERYTHING)
    monitor = found["ServiceMonitor", "langfuse-clickhouse"]["spec"]
    service = found["Service", "langfuse-clickhouse"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}
    operated = {port["name"]: port["port"] for port in service["spec"]["ports"]}
    assert operated["metrics"] == 9363
    found = by_identity({**EVERYTHING, "langfuse_clickhouse_source": "bundled"})
    assert ("ServiceMonitor", "langfuse-clickhouse") in found
    config = found["ConfigMap", "langfuse-clickhouse"]["data"]["config.xml"]
    assert "<port>9363</port>" in config and "<endpoint>/metrics</endpoint>" in config
    assert found["PodMonitor", "langfuse-postgresql"]["spec"]["selector"]["matchLabels"]["cnpg.io/cluster"]
    assert not [kind for kind, _name in by_identity(SHARED) if kind in ("ServiceMonitor", "PodMonitor")]
    # Langfuse has no series for Prometheus; its /api/public/metrics is an API that asks for a key.
    assert "/api/public/metrics" not in str(found)
