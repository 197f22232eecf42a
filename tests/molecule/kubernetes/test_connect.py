"""A sender of another namespace: its Secret, what is refused, and how it goes."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.molecule import playbook
from tests.molecule.kubernetes.instance import ClusterInstance, api

CONNECT = "llmops.langfuse.connect"


@pytest.fixture
def team(cluster: ClusterInstance) -> Iterator[str]:
    name = f"{cluster.name}-team"
    api().apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
    yield name
    api().delete(f"/api/v1/namespaces/{name}")


def test_a_sender_is_connected_and_proved(cluster: ClusterInstance, team: str) -> None:
    entry = {"kind": "litellm", "namespace": team, "secret": "langfuse-keys", "config_map": "langfuse-values"}
    given = {"langfuse_consumers": [entry]}
    done = playbook.run(cluster, CONNECT, *playbook.LOUD, variables=given)
    done.mentions(f"a trace came back through http://{cluster.name}-web.{cluster.namespace}.svc.cluster.local:3000")
    secret_key = cluster.secrets()["langfuse_init_project_secret_key"]
    assert done.changed == 1 and secret_key not in done.output
    found = api().get(f"/api/v1/namespaces/{team}/secrets/langfuse-keys")
    assert base64.b64decode(found["data"]["LANGFUSE_SECRET_KEY"]).decode() == secret_key
    assert "langfuse_otel" in api().get(f"/api/v1/namespaces/{team}/configmaps/langfuse-values")["data"]["values.yaml"]
    assert playbook.run(cluster, CONNECT, variables=given).changed == 0

    # The policies of the last site do not know the namespace yet.
    looked = playbook.run(cluster, "llmops.langfuse.diagnose", variables=given, fails=True)
    looked.mentions("consumer_unreachable", f"do not let pods of {team} reach web")

    gone = {"langfuse_consumers": [{**entry, "state": "absent"}]}
    assert playbook.run(cluster, CONNECT, variables=gone).changed == 1
    assert api().find(f"/api/v1/namespaces/{team}/secrets/langfuse-keys") is None
    assert playbook.run(cluster, CONNECT, variables=gone).changed == 0


def test_keys_of_compose_are_refused(cluster: ClusterInstance) -> None:
    given = {"langfuse_consumers": [{"kind": "env", "path": "/srv/.env"}]}
    refused = playbook.run(cluster, CONNECT, variables=given, fails=True)
    refused.mentions("entry 1 has path, which langfuse_target=kubernetes does not have")
