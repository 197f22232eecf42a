# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Redis, Valkey or Dragonfly says of itself, and whether Langfuse may be put on it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ansible_collections.llmops.langfuse.plugins.module_utils import redis_acl
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

# Redis 7.0 is what Langfuse asks for; Valkey and Dragonfly say which Redis they are like. Before 1.24 Dragonfly had no
# rules for channels, and before 1.20 no second password.
MINIMUM = (7, 0)
DRAGONFLY_MINIMUM = (1, 24)
# Where a changed user is written: beside the configuration, or into it. Without either it is gone at the next start.
ACL_FILE, CONFIG_FILE, NOWHERE = "acl_file", "config_file", "nowhere"
# Connections that web and worker of one instance hold when idle are 37 and 97.
_CONNECTIONS = 150


class Server(NamedTuple):
    """A server's own words. Empty texts where it does not say."""

    product: str
    version: str
    redis_version: str
    replica_of: str
    replicas: int
    cluster: bool
    policy: str
    saves: bool | None
    kept_in: str
    clients: int

    @property
    def dialect(self) -> redis_acl.Dialect:
        return redis_acl.DRAGONFLY if self.product == "Dragonfly" else redis_acl.REDIS

    @property
    def too_old(self) -> bool:
        old_dragonfly = self.product == "Dragonfly" and numbers(self.version) < DRAGONFLY_MINIMUM
        return old_dragonfly or numbers(self.redis_version) < MINIMUM

    def public(self) -> dict[str, object]:
        return {
            "product": self.product,
            "version": self.version,
            "role": "replica" if self.replica_of else "master",
            "cluster": self.cluster,
            "maxmemory_policy": self.policy,
            "saves": self.saves,
        }


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", version)[:3])


def server(info: Mapping[str, str], config: Mapping[str, str | None]) -> Server:
    """From INFO, and from CONFIG GET of ``aclfile``, ``save``, ``snapshot_cron`` (None where it is not told)."""
    product = "Redis"
    version = info.get("redis_version", "")
    for field, name in (("valkey_version", "Valkey"), ("dragonfly_version", "Dragonfly")):
        if info.get(field):
            product, version = name, re.sub(r"^(df-)?v?", "", info[field])
    replica = info.get("role", "master") in ("slave", "replica")
    return Server(
        product=product,
        version=version,
        redis_version=info.get("redis_version", ""),
        replica_of=f"{info.get('master_host', '?')}:{info.get('master_port', '?')}" if replica else "",
        replicas=int(info.get("connected_slaves", "0") or 0),
        cluster=info.get("cluster_enabled", "0") == "1" or info.get("redis_mode") == "cluster",
        policy=info.get("maxmemory_policy", ""),
        saves=_saves(product, info, config),
        kept_in=_kept_in(product, info, config),
        clients=int(info.get("maxclients", info.get("max_clients", "0")) or 0),
    )


def _saves(product: str, info: Mapping[str, str], config: Mapping[str, str | None]) -> bool | None:
    """Whether data outlives the process. None where the server does not tell."""
    if info.get("aof_enabled") == "1":
        return True
    plan = config.get("snapshot_cron" if product == "Dragonfly" else "save")
    return None if plan is None else bool(plan)


def _kept_in(product: str, info: Mapping[str, str], config: Mapping[str, str | None]) -> str:
    if config.get("aclfile"):
        return ACL_FILE
    # Dragonfly cannot write its configuration, and says nothing of a file that it was started with.
    return CONFIG_FILE if product != "Dragonfly" and info.get("config_file") else NOWHERE


def refusals(found: Server, where: str, allow_eviction: bool, allow_replica: bool) -> list[Failure]:
    """All that must be mended before Langfuse can use the server, or its user be made there."""
    failures = []
    if found.too_old:
        failures.append(
            Failure(
                "redis_too_old",
                f"{found.product} at {where} has version {found.version or 'unknown'}, and Langfuse needs Redis 7.0, or Dragonfly "
                "1.24 for a user of its own.",
                "Upgrade it, or use another server (Redis 7.2 or newer, Valkey 8).",
            )
        )
    if found.replica_of and not allow_replica:
        failures.append(
            Failure(
                "redis_replica",
                f"{found.product} at {where} is a replica of {found.replica_of}: it takes no data.",
                "Name the master in login_host. Users are not replicated; to make the user here too, set replica: true.",
            )
        )
    if found.policy not in ("noeviction", "") and not allow_eviction:
        how = "start it without --cache_mode" if found.product == "Dragonfly" else "set maxmemory-policy noeviction"
        failures.append(
            Failure(
                "redis_evicting",
                f"{found.product} at {where} evicts keys when its memory is full (maxmemory-policy {found.policy}): jobs of "
                "Langfuse would vanish, and traces with them.",
                f"In its configuration {how} and give it enough maxmemory, or use a server of its own.",
                maxmemory_policy=found.policy,
            )
        )
    return failures


def warnings(found: Server, where: str, everywhere: bool = False) -> list[str]:
    """What an operator should know and may leave. ``everywhere``: the caller sees to its replicas and other nodes."""
    told = []
    if found.policy not in ("noeviction", ""):
        told.append(f"{where} evicts keys ({found.policy}): jobs may vanish. Set maxmemory-policy noeviction.")
    if found.saves is False:
        cure = "Schedule snapshots (--snapshot_cron)" if found.product == "Dragonfly" else "Set appendonly yes"
        told.append(
            f"{where} keeps no data over a restart: accepted traces that wait in its queues, and all schedules, would be "
            f"lost. {cure}, on a disk that stays."
        )
    if found.replicas and not everywhere:
        told.append(
            f"{where} has {found.replicas} replicas, and users are not replicated: make the same user on each "
            "(replica: true), or a failover locks Langfuse out."
        )
    if found.cluster and not everywhere:
        told.append(
            f"{where} is one node of a cluster, and each keeps its own users: make the same user on every node."
        )
    if 0 < found.clients < _CONNECTIONS:
        told.append(f"{where} takes {found.clients} connections at once; web and worker hold some {_CONNECTIONS}.")
    return told


def open_default(user: redis_acl.User | None, where: str) -> list[str]:
    """The other door: whoever may come in without a password reads the application's keys."""
    if user is None or not {"on", "nopass"} <= user.flags or not user.keys:
        return []
    return [
        f"The default user of {where} needs no password and may read {', '.join(sorted(user.keys))}: whoever reaches it is not "
        "limited. Give it one (requirepass), or switch it off."
    ]


def not_kept(found: Server, where: str) -> str:
    """The sentence on a user that the next restart of the server takes away."""
    if found.product == "Dragonfly":
        cure = "Start it with --aclfile on a disk that stays"
    else:
        cure = "Start it with an aclfile or a configuration file that it may write"
    return f"The user is gone at the next restart of {where}, which has no place to keep users. {cure}, then run again."
