# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The servers of a Redis in each of its forms: a single one, the nodes of a cluster, or what sentinels watch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ansible_collections.llmops.langfuse.plugins.module_utils import redis_client, redis_user
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.redis_client import DENIED, UNKNOWN, ServerError, Where

Address = tuple[str, int]
# User and password.
Login = tuple[Optional[str], Optional[str]]
_NO_NAME = ("", "?", "None")


class Server(NamedTuple):
    """One that has users of its own. Without ``needed`` ones an instance works: they follow another."""

    host: str
    port: int
    needed: bool = True

    @property
    def label(self) -> str:
        return f"{self.host}:{self.port}"


def node_address(node: str) -> Address:
    """``"host:port"`` in two."""
    host, _colon, port = node.rpartition(":")
    return host.strip("[]"), int(port)


def servers(
    options: Mapping[str, Any], login: Login, sentinel_password: str | None, ca_path: str | None
) -> list[Server]:
    """Every server that has users of its own, one that takes writes first. Raises Failure."""
    if options["mode"] == "single":
        return [Server(options["host"], options["port"])]
    nodes = [node_address(node) for node in options["nodes"]]
    tls = {"tls": options["tls"], "ca_path": ca_path if options["tls"] else None}
    if options["mode"] == "cluster":
        return _first_answer(nodes, login, tls, lambda client: _shards(client, nodes, options["tls"]))
    sentinels = (options["sentinel_username"], sentinel_password)
    return _first_answer(nodes, sentinels, tls, lambda client: _watched(client, options["sentinel_master"]))


def _first_answer(
    nodes: list[Address],
    login: Login,
    tls: Mapping[str, Any],
    ask: Callable[[redis_client.Client], list[Server]],
) -> list[Server]:
    """What the first node that answers knows of all."""
    failure = None
    for host, port in nodes:
        where = Where(host, port, *login, **tls)
        try:
            client = redis_client.connect(where, 0)
            try:
                return ask(client)
            finally:
                client.close()
        except ServerError as error:
            failure = failure or redis_client.explain(error, where)
    raise failure or Failure("redis_down", "No node was named.", "Name them in langfuse_redis_nodes.")


def _shards(client: redis_client.Client, nodes: list[Address], tls: bool) -> list[Server]:
    """All nodes of a cluster: masters, replicas, and those that the cluster gave up. Those listed where it tells nobody."""
    try:
        shards = client.call("CLUSTER", "SHARDS")
    except ServerError as error:
        if "cluster support disabled" in error.message:
            raise Failure(
                "redis_mode",
                f"Redis at {client.where.label} is no node of a cluster.",
                "Set langfuse_redis_mode: single, and langfuse_redis_host to it.",
            ) from None
        if error.kind not in (DENIED, UNKNOWN):
            raise
        return [Server(*node) for node in nodes]
    return nodes_of(shards, client.where.host, tls)


def nodes_of(shards: Sequence[Any], asked: str, tls: bool) -> list[Server]:
    """From an answer of CLUSTER SHARDS, in which a node without a name is the one that was ``asked``. Pure."""
    found = []
    for node in (_fields(row) for shard in shards for row in _values(shard)["nodes"]):
        host = next((name for name in (node.get("endpoint", ""), node.get("ip", "")) if name not in _NO_NAME), "")
        port = node.get("tls-port" if tls else "port", "") or node.get("port", "")
        needed = node["role"] == "master" and node["health"] == "online"
        found.append(Server(host or asked, int(port), needed))
    return sorted(found, key=lambda one: not one.needed)


def _watched(client: redis_client.Client, name: str) -> list[Server]:
    """Master and replicas, as a sentinel knows them."""
    master = client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
    if not master:
        raise Failure(
            "redis_no_master",
            f"The sentinel at {client.where.label} watches no master {name}.",
            "Correct langfuse_redis_sentinel_master.",
        )
    replicas = [_fields(row) for row in client.call("SENTINEL", "REPLICAS", name)]
    followers = [Server(row["ip"], int(row["port"]), needed=False) for row in replicas]
    return [Server(_text(master[0]), int(master[1])), *followers]


# A server that follows another, and is away or still reads its data.
_AWAY = ("redis_down", "redis_loading")


def ensure_user(found: Sequence[Server], asked: Mapping[str, Any], check_mode: bool, cluster: bool) -> dict[str, Any]:
    """The user on every server. One that only follows may be away: it is named, and gets the user in the next run."""
    results, away = [], []
    for server in found:
        options = {**asked, "login_host": server.host, "login_port": server.port}
        try:
            results.append(redis_user.ensure(options if server.needed else {**options, "wait": 0}, check_mode))
        except Failure as failure:
            if server.needed or failure.code not in _AWAY:
                raise
            away.append(
                f"{server.label} does not answer and lacks the user {asked['username']} until the next run: "
                "start it, then run provision, before a failover makes it a master."
            )
    if not results:
        raise Failure("redis_down", "No server of the Redis takes writes.", "Mend it first: see CLUSTER NODES.")
    first = results[0]
    if first["server"]["cluster"] and not cluster and first["server"]["product"] != "Dragonfly":
        raise Failure(
            "redis_mode",
            f"Redis at {found[0].label} is a node of a cluster.",
            "Set langfuse_redis_mode: cluster, and langfuse_redis_nodes to some of its nodes.",
        )
    return {
        **first,
        "changed": any(result["changed"] for result in results),
        "warnings": list(dict.fromkeys([*(text for result in results for text in result["warnings"]), *away])),
        "diff": [result["diff"] for result in results if result["changed"]],
    }


def _values(row: Any) -> dict[str, Any]:
    """A list of names and values, or a mapping of them."""
    flat = [item for pair in row.items() for item in pair] if isinstance(row, Mapping) else list(row)
    return {_text(name): value for name, value in zip(flat[::2], flat[1::2])}


def _fields(row: Any) -> dict[str, str]:
    return {name: _text(value) for name, value in _values(row).items()}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
