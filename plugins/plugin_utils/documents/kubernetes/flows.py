# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may talk to whom: one policy for each component, from the flows that the environment makes necessary."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...settings.cluster import Service, service_of
from ...settings.flows import LITELLM_NAME
from ...settings.sources import KEEPER
from ...settings.sources import SERVICES as STORES
from . import clickhouse_operator, monitoring, postgresql
from .manifest import APPLICATION, Plan, name_of, selector

LITELLM = {"app.kubernetes.io/name": "litellm"}
_API_PORTS = (443, 6443)


@dataclass(frozen=True)
class Peer:
    """The other end of a flow: pods by their labels, a whole namespace, an address, a host, or what has no name.

    Pods without a namespace are of the policy's own. `service` is `dns`, `api-server`, or `ingress`, Cilium's own Gateway or Ingress.
    """

    labels: tuple[tuple[str, str], ...] = ()
    namespace: str | None = None
    address: str | None = None
    host: str | None = None
    service: str | None = None


@dataclass
class Policy:
    """Everything that pods of one component may do: peer → ports, in and out. What is not here is closed, in these `ways`."""

    name: str
    labels: Mapping[str, str]
    ingress: dict[Peer, list[int]] = field(default_factory=dict)
    egress: dict[Peer, list[int]] = field(default_factory=dict)
    ways: tuple[str, ...] = ("ingress", "egress")

    def allow(self, way: str, peer: Peer, *ports: int) -> None:
        known: list[int] = getattr(self, way).setdefault(peer, [])
        known.extend(port for port in ports if port not in known)


DNS = Peer(service="dns")
API_SERVER = Peer(service="api-server")
# Cilium's Envoy is no pod of any namespace.
INGRESS = Peer(service="ingress")


def _pods(labels: Mapping[str, str]) -> Peer:
    return Peer(labels=tuple(sorted(labels.items())))


def policies(plan: Plan) -> list[Policy]:
    """One for each component that the instance runs."""
    found = {name: Policy(_policy_name(plan, name), labels) for name, labels in components(plan).items()}
    for flow in plan["kubernetes"]["policies"]["flows"]:
        for sender in flow["senders"]:
            _connect(plan, found, sender, flow)
    for name in plan["env"]:
        found[name].allow("egress", DNS, 53)
    _outside(plan, found)
    _platform(plan, found)
    return list(found.values())


def _policy_name(plan: Plan, component: str) -> str:
    return name_of(plan, "" if component == "web" else component)


def components(plan: Plan) -> dict[str, Mapping[str, str]]:
    """Component → labels of its pods. Stores are called as in the Plan."""
    found: dict[str, Mapping[str, str]] = {name: selector(plan, APPLICATION, name) for name in plan["env"]}
    for store in plan["kubernetes"]["stores"]:
        found[store] = _store_labels(plan, store)
    if plan["endpoints"]["postgres"]["pooler"]:
        found["pooler"] = postgresql.pooler_selector(plan)
    return found


def _store_labels(plan: Plan, store: str) -> Mapping[str, str]:
    """Operators have labels of their own."""
    if store == "postgres":
        return postgresql.selector(plan)
    if clickhouse_operator.is_wanted(plan) and store in ("clickhouse", KEEPER):
        return (
            clickhouse_operator.selector(plan) if store == "clickhouse" else clickhouse_operator.keeper_selector(plan)
        )
    return selector(plan, store, store)


def _connect(plan: Plan, found: Mapping[str, Policy], sender: str, flow: Mapping[str, Any]) -> None:
    """Open both ends of a flow; the other end only where it is the instance's own."""
    own = found.get(STORES.get(flow["store"] or "", flow["store"] or ""))
    if own:
        found[sender].allow("egress", _pods(own.labels), flow["port"])
        own.allow("ingress", _pods(found[sender].labels), flow["port"])
    else:
        found[sender].allow("egress", destination(plan, flow["host"]), flow["port"])


def destination(plan: Plan, host: str) -> Peer:
    """What a host of the settings is in the network."""
    kubernetes = plan["kubernetes"]
    try:
        return Peer(address=str(ipaddress.ip_address(host)))
    except ValueError:
        service = service_of(kubernetes["cluster_domain"], kubernetes["namespace"], host)
    if service is None:
        return Peer(host=host)
    if kubernetes["policies"]["litellm"] and service == Service(LITELLM_NAME, kubernetes["namespace"]):
        return _pods(LITELLM)
    return Peer(namespace=service.namespace)


def _outside(plan: Plan, found: Mapping[str, Policy]) -> None:
    """Who comes in: the gateway, senders, LiteLLM."""
    kubernetes, web = plan["kubernetes"], plan["endpoints"]["web"]["port"]
    rules = kubernetes["policies"]
    door = rules["door"]
    doors = [Peer(namespace=door), INGRESS] if door else []
    for peer in [*doors, *(Peer(namespace=namespace) for namespace in rules["from"])]:
        found["web"].allow("ingress", peer, web)
    if rules["litellm"]:
        found["web"].allow("ingress", _pods(LITELLM), web)
    if kubernetes["expose"]["media"] and "seaweedfs" in found:
        for flow in rules["flows"]:
            for peer in doors if flow["store"] == "s3" else []:
                found["seaweedfs"].allow("ingress", peer, flow["port"])


def _platform(plan: Plan, found: Mapping[str, Policy]) -> None:
    """Operators and Prometheus, and what PostgreSQL needs to be a cluster."""
    kubernetes = plan["kubernetes"]
    operators = kubernetes["policies"]["operators"]
    if plan["features"]["monitoring"]["on"]:
        for store, port in monitoring.PORTS.items():
            if store in found:
                found[store].allow("ingress", Peer(namespace=kubernetes["monitoring_namespace"]), port)
    if kubernetes["autoscaling"]["kind"] == "keda" and "valkey" in found:
        found["valkey"].allow("ingress", Peer(namespace=operators["keda"]), plan["endpoints"]["redis"]["port"])
    if KEEPER in found:
        _clickhouse(found, Peer(namespace=operators["clickhouse_operator"]))
    if "postgres" not in found:
        return
    database, myself = found["postgres"], _pods(found["postgres"].labels)
    for way in ("ingress", "egress"):
        database.allow(way, myself, postgresql.PORT, postgresql.STATUS_PORT)
    database.allow("ingress", Peer(namespace=operators["cnpg"]), postgresql.STATUS_PORT)
    database.allow("egress", DNS, 53)
    database.allow("egress", API_SERVER, *_API_PORTS)
    if pooler := found.get("pooler"):
        pooler.allow("egress", myself, postgresql.PORT)
        database.allow("ingress", _pods(pooler.labels), postgresql.PORT)
        pooler.allow("egress", DNS, 53)
        pooler.allow("egress", API_SERVER, *_API_PORTS)
    if backup := kubernetes["backup"]:
        for flow in backup["flows"]:
            database.allow("egress", destination(plan, flow["host"]), flow["port"])


def _clickhouse(found: Mapping[str, Policy], operator: Peer) -> None:
    """Servers that copy from each other and ask Keeper, whose servers agree among themselves."""
    servers, keeper = found["clickhouse"], found[KEEPER]
    myself, its = _pods(servers.labels), _pods(keeper.labels)
    for way in ("ingress", "egress"):
        servers.allow(way, myself, clickhouse_operator.MANAGEMENT_PORT, clickhouse_operator.INTERSERVER_PORT)
        keeper.allow(way, its, clickhouse_operator.RAFT_PORT)
    servers.allow("egress", its, clickhouse_operator.KEEPER_PORT)
    keeper.allow("ingress", myself, clickhouse_operator.KEEPER_PORT)
    servers.allow("ingress", operator, clickhouse_operator.MANAGEMENT_PORT)
    keeper.allow("ingress", operator, clickhouse_operator.KEEPER_PORT, clickhouse_operator.CONTROL_PORT)
    for policy in (servers, keeper):
        policy.allow("egress", DNS, 53)
