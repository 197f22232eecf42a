# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The servers of a Redis in each of its forms: a single one, the nodes of a cluster, or what sentinels watch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import redis_client
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.redis_client import ServerError, Where

Address = tuple[str, int]


def node_address(node: str) -> Address:
    """``"host:port"`` in two."""
    host, _colon, port = node.rpartition(":")
    return host.strip("[]"), int(port)


def servers(options: Mapping[str, Any], sentinel_password: str | None, ca_path: str | None) -> list[Address]:
    """Every server that has users of its own; of sentinels the master first. Raises Failure."""
    nodes = [node_address(node) for node in options["nodes"]]
    if options["mode"] == "single":
        return [(options["host"], options["port"])]
    return nodes if options["mode"] == "cluster" else _watched(options, nodes, sentinel_password, ca_path)


def _watched(
    options: Mapping[str, Any],
    sentinels: list[Address],
    password: str | None,
    ca_path: str | None,
) -> list[Address]:
    """Master and replicas, from the first sentinel that answers."""
    name, failure = options["sentinel_master"], None
    for host, port in sentinels:
        tls = {"tls": options["tls"], "ca_path": ca_path if options["tls"] else None}
        where = Where(host, port, options["sentinel_username"], password, **tls)
        try:
            client = redis_client.connect(where, 0)
            try:
                master = client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
                replicas = client.call("SENTINEL", "REPLICAS", name) if master else []
            finally:
                client.close()
        except ServerError as error:
            failure = failure or redis_client.explain(error, where)
            continue
        if not master:
            raise Failure(
                "redis_no_master",
                f"The sentinel at {where.label} watches no master {name}.",
                "Correct langfuse_redis_sentinel_master.",
            )
        found = [tuple(map(_text, master)), *(_pair(row) for row in replicas)]
        return [(address, int(number)) for address, number in found]
    raise failure or Failure("redis_down", "No sentinel was named.", "Name them in langfuse_redis_nodes.")


def _pair(row: Any) -> tuple[str, str]:
    """Address of a replica, from a list of names and values or a mapping of them."""
    flat = [_text(item) for pair in row.items() for item in pair] if isinstance(row, Mapping) else [*map(_text, row)]
    values = dict(zip(flat[::2], flat[1::2]))
    return values["ip"], values["port"]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
