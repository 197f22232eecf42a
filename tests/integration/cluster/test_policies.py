"""Network policies of two instances in one namespace, enforced: each flow of the table is open, and every other one is closed."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.forward import reached

from tests.bench.cluster.layout import NODE_ADDRESS
from tests.integration.cluster.running import LAYOUT, Running
from tests.integration.cluster.world import DNS, Place, Way, World, labels_of, told
from tests.unit.documents.kubernetes.support import manifests
from tests.unit.settings.cluster_cases import BACKUP, CLUSTER, KEYS

pytestmark = [pytest.mark.engine]
# Of a host on the internet and of an agent on the node, both on this machine's loopback; the port is of no program here.
HOST, AGENT, MODELS_PORT = "198.51.100.7", "169.254.77.7", 18443
API_SERVER, API_PORT, KUBELET_PORT = "10.96.0.1", 443, 10250
_SSO = {
    "keycloak_enabled": True,
    "langfuse_sso_enabled": True,
    "langfuse_keycloak_client_secret": "Warbler-of-the-client",
}
# Stores and more of the platform: the namespaces and names of the guide.
PLATFORM: dict[str, Any] = {
    **BACKUP,
    **KEYS,
    **_SSO,
    "langfuse_instance": "a",
    "langfuse_sso_issuer": "http://keycloak-service.identity.svc.cluster.local:8080/realms/platform",
    "litellm_enabled": True,
    "clickhouse_operator_enabled": True,
    "monitoring_enabled": True,
    "langfuse_monitoring_enabled": True,
    "tracing_enabled": True,
    "langfuse_tracing_enabled": True,
    "langfuse_network_policy_from": ["obot-mcp"],
}
# All stores of its own, and what it needs beside them is outside of the cluster.
OWN: dict[str, Any] = {
    **CLUSTER,
    **_SSO,
    "langfuse_instance": "b",
    "langfuse_sso_issuer": "https://sso.example.com/realms/platform",
    "langfuse_ingestion_replicas": 1,
    "langfuse_postgres_pooler_instances": 1,
    "langfuse_autoscaling": "keda",
    "langfuse_smtp_url": "smtps://u:Warbler-of-mail@mail.example.com",
    "langfuse_email_from": "l@example.com",
    "langfuse_network_policy_to": [f"models.example.com:{MODELS_PORT}"],
}
NEIGHBOURS = (
    "network",
    "cache",
    "storage",
    "identity",
    "monitoring",
    "cnpg-system",
    "clickhouse-operator-system",
    "keda",
    "obot-mcp",
)
PORTS = (
    *(53, 443, 465, 587, 3000, 3030, 3128, 4000, 4318, 5432, 6379, 6443, 8000, 8080),
    *(8123, 8333, 9000, 9187, 9363, MODELS_PORT, 2181, 9001, 9009, 9123, 9234),
)
A_APPS, B_APPS = ("a-web", "a-worker"), ("b-web", "b-worker", "b-ingestion")
A_DATABASE, B_DATABASE = ("a-postgres", "a-join"), ("b-postgres", "b-join")
A_CLICKHOUSE, A_KEEPER = ("a-clickhouse", "a-replica"), ("a-keeper", "a-voter")
STORES = ("b-clickhouse", "b-valkey", "b-seaweedfs")
OPERATED = (*A_DATABASE, *B_DATABASE, "b-pooler")
APPLICATION = (*A_APPS, *B_APPS, "a-migrate", "b-migrate")
INSTANCES = (*APPLICATION, *STORES, *OPERATED, *A_CLICKHOUSE, *A_KEEPER)
# Without a policy, in the instances' namespace; `imposter` is in another one with the labels of the first web.
STRANGERS = ("stranger", "litellm", "imposter", "proxy", *NEIGHBOURS)
# Who → whom → ports. From the guide's table and what the application's and the operator's own documentation say.
TABLE: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]], ...] = (
    (A_APPS, A_DATABASE, (5432,)),
    (("a-migrate",), A_DATABASE, (5432,)),
    (A_APPS, A_CLICKHOUSE, (8123,)),
    (("a-migrate",), A_CLICKHOUSE, (9000,)),
    (A_CLICKHOUSE, A_CLICKHOUSE, (9001, 9009)),
    (A_CLICKHOUSE, A_KEEPER, (2181,)),
    (A_KEEPER, A_KEEPER, (9234,)),
    (("clickhouse-operator-system",), A_CLICKHOUSE, (9001,)),
    (("clickhouse-operator-system",), A_KEEPER, (2181, 9123)),
    (A_APPS, ("cache",), (6379,)),
    ((*A_APPS, *A_DATABASE), ("storage",), (9000,)),
    (("a-web",), ("identity",), (8080,)),
    (A_APPS, ("monitoring",), (4318,)),
    (A_APPS, ("litellm",), (4000,)),
    (("network", "obot-mcp", "litellm"), ("a-web",), (3000,)),
    (("monitoring",), A_DATABASE, (9187,)),
    (("monitoring",), A_CLICKHOUSE, (9363,)),
    (("cnpg-system",), (*A_DATABASE, *B_DATABASE), (8000,)),
    (A_DATABASE, A_DATABASE, (5432, 8000)),
    (B_DATABASE, B_DATABASE, (5432, 8000)),
    (B_APPS, ("b-pooler",), (5432,)),
    (("b-pooler", "b-migrate"), B_DATABASE, (5432,)),
    (B_APPS, ("b-clickhouse",), (8123,)),
    (("b-migrate",), ("b-clickhouse",), (9000,)),
    (B_APPS, ("b-valkey",), (6379,)),
    (B_APPS, ("b-seaweedfs",), (8333,)),
    (("network",), ("b-web",), (3000,)),
    (("network",), ("b-seaweedfs",), (8333,)),
    (("keda",), ("b-valkey",), (6379,)),
    (B_APPS, ("proxy",), (3128,)),
    # Hosts outside: such policies know no names, so every address that lets them in is open at these ports.
    (("b-web",), STRANGERS, (443,)),
    (B_APPS, (*STRANGERS, "host"), (465, MODELS_PORT)),
    # DNS, and the API server, which is no pod.
    ((*APPLICATION, *OPERATED, *A_CLICKHOUSE, *A_KEEPER), (*STRANGERS, DNS), (53,)),
    (OPERATED, STRANGERS, (443, 6443)),
    (OPERATED, ("api server",), (API_PORT,)),
)


def _expected() -> set[Way]:
    ways = {(who, whom, port) for senders, taken, ports in TABLE for who in senders for whom in taken for port in ports}
    # On the machine itself only this one port is served.
    return {way for way in ways if way[0] != way[1] and (way[1] != "host" or way[2] == MODELS_PORT)}


@contextlib.contextmanager
def _served(*addresses: str) -> Iterator[None]:
    """This machine has these addresses, and accepts connections there."""
    with contextlib.ExitStack() as stack:
        for address in addresses:
            subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
            stack.callback(subprocess.run, ["ip", "address", "del", f"{address}/32", "dev", "lo"], check=True)
            stack.enter_context(socket.create_server((address, MODELS_PORT), backlog=128))
        yield


@dataclass(frozen=True)
class Walled:
    running: Running
    namespace: str
    world: World


@pytest.fixture(scope="module")
def walled(running: Running) -> Iterator[Walled]:
    """Pods with the labels of two instances, among strangers, under the instances' policies."""
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(running.new_namespace()).name
        elsewhere = stack.enter_context(running.new_namespace()).name
        stack.enter_context(running.namespaces(*NEIGHBOURS))
        stack.enter_context(_served(HOST, AGENT))
        common = {"network_policies_enabled": True, "langfuse_kubernetes_namespace": here}
        places = {name: Place(name, {}) for name in NEIGHBOURS}
        places |= {"stranger": Place(here, {}), "proxy": Place(elsewhere, {})}
        places["litellm"] = Place(here, {"app.kubernetes.io/name": "litellm"})
        for given in (PLATFORM, OWN):
            labels = labels_of(one.object for one in manifests({**given, **common}))
            places |= {f"{given['langfuse_instance']}-{name}": Place(here, of) for name, of in labels.items()}
        places["imposter"] = Place(elsewhere, places["a-web"].labels)
        others = {"api server": API_SERVER, "kubelet": NODE_ADDRESS, "host": HOST, "agent": AGENT}
        world = World(running, places, PORTS, others)
        stack.callback(world.stop)
        world.start()
        proxy = f"http://{world.addresses['proxy']}:3128"
        for given in (PLATFORM, {**OWN, "langfuse_https_proxy": proxy}):
            found = [one.object for one in manifests({**given, **common})]
            running.api.apply(one for one in found if one["kind"] == "NetworkPolicy")
            running.api.apply(one for one in found if one["kind"] == "Service" and one["metadata"]["name"] == "a-web")
        yield Walled(running, here, world)


MORE = (("api server", API_PORT), ("kubelet", KUBELET_PORT), ("host", MODELS_PORT), ("agent", MODELS_PORT))


def test_the_instances_are_those_of_the_table(walled: Walled) -> None:
    assert set(walled.world.addresses) == {*INSTANCES, *STRANGERS}


def test_each_flow_is_open_and_every_other_one_is_closed(walled: Walled) -> None:
    world = walled.world
    ways = world.ways(MORE)
    free = {way for way in ways if way[0] in STRANGERS and way[1] not in INSTANCES}
    wanted = _expected() | free
    # A moment after the last policy and pod; and thousands of connections at once take theirs.
    for patience in (2.5, 5, 10):
        found = world.open_ways(ways, patience)
        if found == wanted:
            break
    # What the last attempt found open is not asked again, so that what it found closed has had the longest time.
    for _attempt in range(3):
        found |= world.open_ways(wanted - found, 10)
    more, less = told(found - wanted), told(_expected() - found)
    assert not [*more, *less], f"open, and not in the table: {more}; in the table, and closed: {less}"
    assert free <= found, f"without policies, and closed, so that the rest proves nothing: {told(free - found)}"


def test_every_pod_answers_the_node_on_every_port(walled: Walled) -> None:
    """What is closed above is closed by a policy. Probes of the kubelet come this way."""
    for address in walled.world.addresses.values():
        for port in PORTS:
            socket.create_connection((address, port), 30).close()
    assert walled.world.unready() == []


def test_a_forwarded_port_is_open(walled: Walled) -> None:
    host = f"a-web.{walled.namespace}.svc.cluster.local"
    with reached(str(LAYOUT.kubeconfig), None, "cluster.local"):
        connection = http.client.HTTPConnection(host, 3000, timeout=30)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
