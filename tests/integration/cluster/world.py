"""Pods that answer on many ports and try to reach each other: who may talk to whom in a cluster, as a matrix."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.bench.cluster.api import has_condition
from tests.bench.cluster.layout import DNS_SERVICE_ADDRESS
from tests.integration.cluster.running import Running

# (who, to whom, port)
Way = tuple[str, str, int]
DNS = "dns"
_SERVE = """\
import asyncio, sys
async def answer(reader, writer):
    await reader.read(4096)
    writer.write(b"HTTP/1.0 200 OK\\r\\n\\r\\n")
    writer.close()
async def main():
    servers = [await asyncio.start_server(answer, "0.0.0.0", int(port)) for port in sys.argv[1:]]
    await asyncio.gather(*[server.serve_forever() for server in servers])
asyncio.run(main())
"""
# A question for the address of the API server's own Service.
_QUESTION = (
    b"\0\1\1\0\0\1\0\0\0\0\0\0" + b"".join(bytes([len(one)]) + one for one in b"kubernetes.default.svc.cluster.local".split(b"."))
    + b"\0\0\1\0\1"
)  # fmt: skip
_PROBE = f"""\
import asyncio, json, socket, sys
given = json.load(sys.stdin)
async def reach(address, port):
    try:
        _reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), given["patience"])
    except (OSError, asyncio.TimeoutError):
        return None
    writer.close()
    return address, port
async def main(targets):
    return [one for one in await asyncio.gather(*[reach(*target) for target in targets]) if one]
def resolves():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.settimeout(given["patience"])
        for attempt in range(2):
            asked.sendto({_QUESTION!r}, ("{DNS_SERVICE_ADDRESS}", 53))
            try:
                return bool(asked.recv(512))
            except OSError:
                pass
    return False
print(json.dumps([given["resolves"] and resolves(), asyncio.run(main(given["targets"]))]))
"""


@dataclass(frozen=True)
class Place:
    """A pod: its namespace, and the labels by which policies find it."""

    namespace: str
    labels: Mapping[str, str]


class World:
    """One pod for each place, each of which answers on all `ports`. `others`: names of further addresses."""

    def __init__(
        self, running: Running, places: Mapping[str, Place], ports: Collection[int], others: Mapping[str, str]
    ) -> None:
        self._running, self._places, self._ports = running, places, sorted(ports)
        self._others = dict(others)
        self.addresses: dict[str, str] = {}

    def _path(self, name: str) -> str:
        return f"/api/v1/namespaces/{self._places[name].namespace}/pods/{name}"

    def start(self) -> None:
        """Until all are ready."""
        for name, place in self._places.items():
            container = {
                "name": "main",
                "image": self._running.image,
                "command": ["python3", "-c", _SERVE, *map(str, self._ports)],
                # As web calls it: its Service leads to a port by name.
                "ports": [{"name": "http", "containerPort": 3000}],
                "readinessProbe": {"tcpSocket": {"port": self._ports[-1]}, "periodSeconds": 1},
            }
            pod = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": place.namespace, "labels": dict(place.labels)},
                "spec": {
                    "containers": [container],
                    "terminationGracePeriodSeconds": 0,
                    "automountServiceAccountToken": False,
                },
            }
            self._running.api.apply([pod])
        for name in self._places:
            found = self._running.api.wait(
                self._path(name), lambda pod: has_condition(pod, "Ready"), f"pod {name}", 120
            )
            self.addresses[name] = found["status"]["podIP"]

    def stop(self) -> None:
        for name in self._places:
            self._running.api.delete(self._path(name), 0)

    def unready(self) -> list[str]:
        return [name for name in self._places if not has_condition(self._running.api.get(self._path(name)), "Ready")]

    def ways(self, more: Sequence[tuple[str, int]] = ()) -> set[Way]:
        """From each pod to each other one on all ports, to the name server, and to `more`, which are names of `others`."""
        names = self.addresses
        between = {(who, whom, port) for who in names for whom in names for port in self._ports if who != whom}
        return between | {(who, whom, port) for who in names for whom, port in (*more, (DNS, 53))}

    def open_ways(self, asked: Iterable[Way], patience: float) -> set[Way]:
        """Those that are open: each is tried for that many seconds."""
        by_name: dict[str, list[Way]] = {}
        for way in asked:
            by_name.setdefault(way[0], []).append(way)
        with ThreadPoolExecutor(6) as pool:
            probes = pool.map(lambda name: self._probe(name, by_name[name], patience), by_name)
            return {way for found in probes for way in found}

    def _probe(self, name: str, asked: Sequence[Way], patience: float) -> set[Way]:
        resolver, known = (name, DNS, 53), {**self.addresses, **self._others}
        targets = {(known[whom], port): whom for _who, whom, port in asked if whom != DNS}
        given = {"targets": list(targets), "resolves": resolver in asked, "patience": patience}
        place = self._places[name]
        words = ("exec", "--stdin", f"--namespace={place.namespace}", name, "--", "python3", "-c", _PROBE)
        found = self._running.kubectl(*words, stdin=json.dumps(given), timeout=180)
        assert found.returncode == 0, found.stderr
        resolves, reached = json.loads(found.stdout)
        ways: set[Way] = {(name, targets[address, port], port) for address, port in reached}
        return ways | ({resolver} if resolves else set())


def told(ways: Iterable[Way]) -> list[str]:
    return sorted(f"{who} -> {whom}:{port}" for who, whom, port in ways)


def labels_of(found: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, str]]:
    """Component → labels that the pods of these objects get; those of an operator as it sets them."""
    pods: dict[str, Mapping[str, str]] = {}
    for one in found:
        kind, name, spec = one["kind"], one["metadata"]["name"], one.get("spec") or {}
        if kind in ("Deployment", "StatefulSet", "Job"):
            labels = spec["template"]["metadata"]["labels"]
            pods[labels["app.kubernetes.io/component"]] = labels
        elif kind == "Cluster":
            labels = {**spec["inheritedMetadata"]["labels"], "cnpg.io/cluster": name}
            pods["postgres"] = {**labels, "cnpg.io/podRole": "instance"}
            pods["join"] = {**labels, "cnpg.io/jobRole": "join"}
        elif kind == "Pooler":
            own = {"cnpg.io/cluster": spec["cluster"]["name"], "cnpg.io/poolerName": name, "cnpg.io/podRole": "pooler"}
            own |= {"app.kubernetes.io/name": "cloudnative-pg", "app.kubernetes.io/component": "pooler"}
            pods["pooler"] = {**spec["template"]["metadata"]["labels"], **own}
        elif kind in ("ClickHouseCluster", "KeeperCluster"):
            component, peer = ("keeper", "voter") if kind == "KeeperCluster" else ("clickhouse", "replica")
            role = "clickhouse-keeper" if kind == "KeeperCluster" else "clickhouse-server"
            labels = {**spec["labels"], "app": f"{name}-{component}", "clickhouse.com/role": role}
            pods |= {component: labels, peer: labels}
    return pods
