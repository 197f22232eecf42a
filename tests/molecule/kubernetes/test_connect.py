"""A sender of another namespace: its Secret, what is refused, and how it goes."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterator

import pytest

from tests.integration.senders.langfuse import Langfuse
from tests.molecule import playbook
from tests.molecule.kubernetes import litellm
from tests.molecule.kubernetes.instance import ClusterInstance, api
from tests.molecule.traces import Traces

CONNECT = "llmops.langfuse.connect"


@pytest.fixture
def team(cluster: ClusterInstance) -> Iterator[str]:
    name = f"{cluster.name}-team-{uuid.uuid4().hex[:6]}"
    api().apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
    yield name
    api().delete(f"/api/v1/namespaces/{name}")


def test_a_sender_is_connected_and_proved(cluster: ClusterInstance, team: str) -> None:
    names = {"secret": "langfuse-keys", "config_map": "langfuse-values"}
    entry = {"kind": "litellm", "namespace": team, **names}
    given = {"langfuse_consumers": [entry]}
    done = playbook.run(cluster, CONNECT, *playbook.LOUD, variables=given)
    done.mentions(f"a trace came back through http://{cluster.name}-web.{cluster.namespace}.svc.cluster.local:3000")
    sent = set(re.findall(r"trace_id\W+([0-9a-f]{32})\b", done.output))
    assert sent and sent <= Traces(cluster).readable("langfuse-connect"), "nothing was sent"
    secret_key = cluster.secrets()["langfuse_init_project_secret_key"]
    encoded = base64.b64encode(secret_key.encode()).decode()
    assert done.changed == 1 and secret_key not in done.output and encoded not in done.output
    secret, values = (
        f"/api/v1/namespaces/{team}/{one}" for one in ("secrets/langfuse-keys", "configmaps/langfuse-values")
    )
    assert api().get(secret)["data"]["LANGFUSE_SECRET_KEY"] == encoded
    assert "langfuse_otel" in api().get(values)["data"]["values.yaml"]
    assert playbook.run(cluster, CONNECT, variables=given).changed == 0

    # The policies of the last site do not know the namespace yet.
    looked = playbook.run(cluster, "llmops.langfuse.diagnose", variables=given, fails=True)
    looked.mentions("consumer_unreachable", f"do not let pods of {team} reach web")
    playbook.site(cluster, variables=given)
    tag = f"pod-{uuid.uuid4().hex[:8]}"
    assert litellm.call(cluster, team, **names, tag=tag) == ["langfuse_otel"]
    _read_back(cluster, f"{tag}-langfuse_otel")

    gone = {"langfuse_consumers": [{**entry, "state": "absent"}]}
    assert playbook.run(cluster, CONNECT, variables=gone).changed == 1
    assert api().find(secret) is None and api().find(values) is None
    assert playbook.run(cluster, CONNECT, variables=gone).changed == 0
    # Its policies shut the namespace out again.
    playbook.site(cluster, variables=gone)


def _read_back(cluster: ClusterInstance, tag: str) -> None:
    """The call and the one that failed, as the public API shows them."""
    kept = cluster.secrets()
    keys = (kept[f"langfuse_init_project_{name}_key"] for name in ("public", "secret"))
    reader = Langfuse(cluster.url, *keys)
    traced = reader.named(tag, 2)["litellm_request"]
    assert (traced["type"], traced["model"], traced["userId"]) == ("GENERATION", "gpt-4o-mini", "driver-7")
    assert "hello" in traced["output"] and traced["usageDetails"]["total"] == 30
    (failed,) = reader.trace(f"{tag}-failed", 1)
    assert failed["level"] == "ERROR"


def test_keys_of_compose_are_refused(cluster: ClusterInstance) -> None:
    given = {"langfuse_consumers": [{"kind": "env", "path": "/srv/.env"}]}
    refused = playbook.run(cluster, CONNECT, variables=given, fails=True)
    refused.mentions("entry 1 has path, which langfuse_target=kubernetes does not have")
