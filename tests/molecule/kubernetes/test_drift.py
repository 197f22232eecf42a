"""Live objects changed by hand: the check names each change and touches nothing, site takes them back."""

from __future__ import annotations

import json

from tests.molecule import playbook
from tests.molecule.kubernetes.instance import ClusterInstance, api, kubectl
from tests.molecule.traces import Traces


def _specs(cluster: ClusterInstance) -> dict[str, str]:
    """What is wanted of the objects that the test changes."""
    secret = api().get(cluster.path("secrets", f"{cluster.name}-init-credentials"))
    policy = cluster.path("networkpolicies", f"{cluster.name}-valkey", "networking.k8s.io/v1")
    found = {
        "worker": cluster.deployment("worker")["spec"],
        "replicas": cluster.deployment("web")["spec"]["replicas"],
        "policy": api().get(policy)["spec"],
        "ports": [{**each, "nodePort": 0} for each in cluster.service("web")["spec"]["ports"]],
        "secret": secret["data"],
    }
    return {name: json.dumps(value, sort_keys=True) for name, value in found.items()}


def _drift(cluster: ClusterInstance) -> None:
    place, name = f"--namespace={cluster.namespace}", cluster.name
    kubectl("set", "env", place, f"deployment/{name}-worker", "LANGFUSE_LOG_LEVEL=trace", "BY_HAND=1")
    kubectl("scale", place, f"deployment/{name}-web", "--replicas=2")
    everybody = {"spec": {"ingress": [{}]}}
    kubectl("patch", place, "networkpolicy", f"{name}-valkey", "--type=merge", f"--patch={json.dumps(everybody)}")
    port = [{"op": "replace", "path": "/spec/ports/0/port", "value": 3001}]
    kubectl("patch", place, "service", f"{name}-web", "--type=json", f"--patch={json.dumps(port)}")
    other = {"stringData": {"LANGFUSE_INIT_USER_PASSWORD": "Warbler99by-hand"}}
    kubectl("patch", place, "secret", f"{name}-init-credentials", "--type=merge", f"--patch={json.dumps(other)}")


def test_drift_is_named_and_repaired(cluster: ClusterInstance) -> None:
    intended, pods = _specs(cluster), cluster.uids()
    _drift(cluster)
    drifted, before = _specs(cluster), cluster.versions()
    assert all(drifted[name] != intended[name] for name in intended)

    checked = playbook.check(cluster)

    now = cluster.versions()
    # A Deployment's status follows its pods.
    assert {name for name in before if now[name] != before[name]} <= {
        f"Deployment {cluster.namespace}/{cluster.name}-{component}" for component in ("web", "worker")
    }
    assert _specs(cluster) == drifted, "the check changed something"
    container = "spec.template.spec.containers[worker].env"
    checked.mentions(
        f"-{container}[LANGFUSE_LOG_LEVEL].value: trace +{container}[LANGFUSE_LOG_LEVEL].value: info".split(" +")[0],
        f"-{container}[BY_HAND]",
        "-spec.replicas: 2",
        "-spec.ingress: [{}]",
        "-spec.ports[http].port: 3001",
        f"Secret {cluster.name}-init-credentials in {cluster.namespace}",
        "data.LANGFUSE_INIT_USER_PASSWORD: (hidden, changed)",
    )
    assert "Warbler99" not in checked.output

    repaired = playbook.site(cluster)

    assert repaired.changed_tasks == ["Apply the objects, wave by wave"]
    assert _specs(cluster) == intended
    after = cluster.uids()
    stores = ("clickhouse", "valkey", "seaweedfs", "database")
    assert {name: after[name] for name in stores} == {name: pods[name] for name in stores}
    assert playbook.check(cluster).changed == 0
    Traces(cluster).arrives("after-drift")
