# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What servers answered: Redis 7.0.15 and Valkey 8.1.1 as they ran, Dragonfly as its own tests and issues record it."""

from __future__ import annotations

from typing import Any

HASH = "a6864eb339b0e1f6e00d75293a8840abf069a2c0fe82e6e53af6ac099793c1d5"  # of "temp"

REDIS_USER: list[Any] = [
    "flags",
    ["on", "sanitize-payload"],
    "passwords",
    [HASH],
    "commands",
    "+@all -@admin -sort_ro -flushdb -restore-asking -sort -keys -restore -flushall -migrate -swapdb",
    "keys",
    "~langfuse:* %R~langfuse:x",
    "channels",
    "",
    "selectors",
    [["commands", "-@all +get", "keys", "~s:*", "channels", ""]],
]
VALKEY_USER: list[Any] = [
    "flags",
    ["on", "sanitize-payload"],
    "passwords",
    [HASH],
    "commands",
    "+@all -@admin -@dangerous +info",
    "keys",
    "~langfuse:*",
    "channels",
    "&a* &b",
    "selectors",
    [],
]
# Redis 6.2: keys without "~", no selectors.
OLD_USER: list[Any] = [
    "flags",
    ["on", "allchannels"],
    "passwords",
    [HASH],
    "commands",
    "-@all +get",
    "keys",
    ["langfuse:*", "b"],
    "channels",
    ["*"],
]
# Hashes are cut to 15 digits, lists are one text, an empty one is a list, and there are no selectors.
DRAGONFLY_USER: list[Any] = [
    "flags",
    ["on"],
    "passwords",
    f"#{HASH[:15]}",
    "commands",
    "-@admin +@list +@set -hset -@all +@string -get +set",
    "keys",
    "~langfuse:* %R~other",
    "channels",
    "resetchannels &a*",
]
DRAGONFLY_FRESH: list[Any] = [
    "flags",
    ["off"],
    "passwords",
    [],
    "commands",
    "-@all +@string +hset",
    "keys",
    [],
    "channels",
    "resetchannels",
]
DRAGONFLY_DEFAULT: list[Any] = [
    "flags",
    ["on", "nopass"],
    "passwords",
    [],
    "commands",
    "+@all",
    "keys",
    "~*",
    "channels",
    "&*",
]
# ACL CAT and ACL CAT <category> of Dragonfly, cut short: all in upper case, sub-commands with a blank.
DRAGONFLY_CATEGORIES = {
    "STRING": ["GET", "SET", "GETEX", "MGET"],
    "HASH": ["HSET", "HGET"],
    "LIST": ["LPUSH", "BRPOP"],
    "SET": ["SADD"],
    "ADMIN": ["ACL LIST", "ACL SETUSER", "CONFIG", "SHUTDOWN"],
    "DANGEROUS": ["ACL LIST", "ACL SETUSER", "CONFIG", "SHUTDOWN", "KEYS", "FLUSHALL", "INFO"],
    "CONNECTION": ["ACL", "AUTH", "PING"],
    "SLOW": ["ACL LIST", "ACL SETUSER", "KEYS", "EVAL", "LPUSH", "BRPOP"],
    "KEYSPACE": ["KEYS", "FLUSHALL"],
    "SCRIPTING": ["EVAL"],
}
# COMMAND LIST and ACL CAT of Redis, cut short.
REDIS_COMMANDS = [
    "get", "set", "hset", "keys", "info", "eval", "publish", "select", "config", "config|get", "config|set",
    "config|help", "acl", "acl|list", "acl|whoami", "acl|setuser", "FLUSHALL",
]  # fmt: skip
REDIS_CATEGORIES = {
    "string": ["get", "set"],
    "hash": ["hset"],
    "admin": ["config|get", "config|set", "acl|list", "acl|setuser"],
    "dangerous": ["config|get", "config|set", "acl|list", "acl|setuser", "keys", "info", "flushall"],
    "slow": ["keys", "config|get", "config|set", "config|help", "acl|list", "acl|whoami", "config", "acl"],
}

REDIS_INFO = {
    "redis_version": "7.0.15",
    "redis_mode": "standalone",
    "config_file": "",
    "maxclients": "10000",
    "maxmemory_policy": "noeviction",
    "loading": "0",
    "aof_enabled": "0",
    "role": "master",
    "connected_slaves": "0",
    "cluster_enabled": "0",
}
VALKEY_INFO = {**REDIS_INFO, "redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "8.1.1"}
DRAGONFLY_INFO = {
    "redis_version": "7.4.0",
    "dragonfly_version": "df-v1.36.0",
    "redis_mode": "standalone",
    "max_clients": "64000",
    "cache_mode": "store",
    "maxmemory_policy": "noeviction",
    "loading": "0",
    "role": "master",
    "connected_slaves": "0",
}
