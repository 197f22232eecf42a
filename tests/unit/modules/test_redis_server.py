# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server says of itself, what its errors mean, and what options are refused without asking one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import (
    http_client,
    redis_client,
    redis_probe,
    redis_server,
    redis_user,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.redis_client import ServerError, Where

from tests.unit.modules import redis_answers as answers

NOTHING: dict[str, str | None] = {"aclfile": None, "save": None, "snapshot_cron": None}


def told(info: dict[str, str], **config: str | None) -> redis_server.Server:
    return redis_server.server(info, {**NOTHING, **config})


@pytest.mark.parametrize(
    ("info", "product", "version", "too_old"),
    [
        (answers.REDIS_INFO, "Redis", "7.0.15", False),
        (answers.VALKEY_INFO, "Valkey", "8.1.1", False),
        (answers.DRAGONFLY_INFO, "Dragonfly", "1.36.0", False),
        ({"redis_version": "5.0.14"}, "Redis", "5.0.14", True),
        ({"redis_version": "6.2.11"}, "Redis", "6.2.11", True),
        ({"redis_version": "6.3.4"}, "Redis", "6.3.4", True),
        ({"redis_version": "8.0.2"}, "Redis", "8.0.2", False),
        ({"redis_version": "10.0.0"}, "Redis", "10.0.0", False),
        ({"redis_version": "255.255.255"}, "Redis", "255.255.255", False),
        ({**answers.DRAGONFLY_INFO, "dragonfly_version": "df-v1.23.2"}, "Dragonfly", "1.23.2", True),
        ({"redis_version": "6.2.11", "dragonfly_version": "df-v1.14.0"}, "Dragonfly", "1.14.0", True),
        ({}, "Redis", "", True),
    ],
)
def test_product_and_version(info: dict[str, str], product: str, version: str, too_old: bool) -> None:
    server = told(info)
    assert (server.product, server.version, server.too_old) == (product, version, too_old)
    codes = [one.code for one in redis_server.refusals(server, "r:6379", False, False)]
    assert codes == (["redis_too_old"] if too_old else [])


@pytest.mark.parametrize(
    ("info", "config", "saves", "kept_in"),
    [
        ({}, {"save": "3600 1 300 100", "aclfile": ""}, True, "nowhere"),
        ({}, {"save": "", "aclfile": ""}, False, "nowhere"),
        ({"aof_enabled": "1"}, {"save": ""}, True, "nowhere"),
        ({"config_file": "/etc/redis/redis.conf"}, {}, None, "config_file"),
        ({"config_file": "/etc/redis/redis.conf"}, {"aclfile": "/data/users.acl"}, None, "acl_file"),
        ({"dragonfly_version": "df-v1.36.0", "config_file": "x"}, {"snapshot_cron": ""}, False, "nowhere"),
        ({"dragonfly_version": "df-v1.36.0"}, {"snapshot_cron": "0 */6 * * *", "aclfile": "/a"}, True, "acl_file"),
    ],
)
def test_what_outlives_a_restart(
    info: dict[str, str], config: dict[str, str], saves: bool | None, kept_in: str
) -> None:
    server = told({**answers.REDIS_INFO, **info}, **config)
    assert (server.saves, server.kept_in) == (saves, kept_in)
    assert bool([one for one in redis_server.warnings(server, "r") if "keeps no data" in one]) == (saves is False)


@pytest.mark.parametrize(
    ("info", "codes", "parts"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, ["redis_evicting"], ["allkeys-lru", "set maxmemory-policy noeviction"]),
        ({"maxmemory_policy": ""}, [], []),
        (
            {"dragonfly_version": "df-v1.36.0", "maxmemory_policy": "eviction"},
            ["redis_evicting"],
            ["start it without --cache_mode"],
        ),
        ({"role": "slave", "master_host": "m", "master_port": "1"}, ["redis_replica"], ["replica of m:1"]),
        ({"role": "replica"}, ["redis_replica"], []),
        (
            {"role": "slave", "maxmemory_policy": "volatile-ttl", "redis_version": "6.0.1"},
            ["redis_too_old", "redis_replica", "redis_evicting"],
            [],
        ),
    ],
)
def test_what_is_refused(info: dict[str, str], codes: list[str], parts: list[str]) -> None:
    found = redis_server.refusals(told({**answers.REDIS_INFO, **info}), "r:6379", False, False)
    assert [one.code for one in found] == codes
    text = " ".join(one.as_result()["msg"] for one in found)
    assert not [part for part in parts if part not in text]
    allowed = redis_server.refusals(told({**answers.REDIS_INFO, **info}), "r:6379", True, True)
    assert [one.code for one in allowed] == [code for code in codes if code == "redis_too_old"]


@pytest.mark.parametrize(
    ("info", "part"),
    [
        ({"connected_slaves": "2"}, "has 2 replicas"),
        ({"cluster_enabled": "1"}, "one node of a cluster"),
        ({"redis_mode": "cluster"}, "one node of a cluster"),
        ({"maxclients": "128"}, "takes 128 connections"),
        ({"maxmemory_policy": "volatile-lru"}, "evicts keys (volatile-lru)"),
    ],
)
def test_what_is_only_told(info: dict[str, str], part: str) -> None:
    assert redis_server.warnings(told(answers.REDIS_INFO, save="60 1"), "r") == []
    (warning,) = redis_server.warnings(told({**answers.REDIS_INFO, **info}, save="60 1"), "r")
    assert part in warning


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("Error 111 connecting to 127.0.0.1:6379. Connection refused.", http_client.REFUSED, "redis_down"),
        ("Error -2 connecting to nowhere:6379. Name or service not known.", http_client.NAME, "redis_down"),
        ("Timeout reading from socket", http_client.TIMEOUT, "redis_down"),
        ("Connection closed by server.", http_client.CLOSED, "redis_down"),
        ("Error 113 connecting to 10.0.0.1:6379. No route to host.", http_client.UNREACHABLE, "redis_down"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)", http_client.TLS, "redis_tls"),
        ("invalid username-password pair or user is disabled.", redis_client.PASSWORD, "redis_wrong_password"),
        ("NOAUTH Authentication required.", redis_client.PASSWORD, "redis_wrong_password"),
        ("User u has no permissions to run the 'acl|getuser' command", redis_client.DENIED, "redis_denied"),
        ("NOPERM demo has no ACL permissions", redis_client.DENIED, "redis_denied"),
        ("unknown command 'ACL', with args beginning with: 'GETUSER'", redis_client.UNKNOWN, "redis_no_acl"),
        ("LOADING Redis is loading the dataset in memory", redis_client.LOADING, "redis_loading"),
        ("LOADING Dragonfly is loading the dataset in memory", redis_client.LOADING, "redis_loading"),
        ("max number of clients reached", redis_client.BUSY, "redis_busy"),
        ("MISCONF Redis is configured to save RDB snapshots", redis_client.FULL, "redis_full"),
        ("OOM command not allowed when used memory > 'maxmemory'.", redis_client.FULL, "redis_full"),
        (
            "DENIED Redis is running in protected mode because protected mode is",
            redis_client.PROTECTED,
            "redis_protected",
        ),
        ("something new", redis_client.OTHER, "redis_error"),
    ],
)
def test_errors_have_a_cause_and_a_cure(text: str, kind: str, code: str) -> None:
    assert redis_client.kind(text) == kind
    failure = redis_client.explain(ServerError(kind, text), Where("redis", 6379, "admin", "canary"))
    assert (failure.code, "redis:6379" in failure.message, bool(failure.cure)) == (code, True, True)
    assert "canary" not in str(failure.as_result())


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("NoPermissionError", "demo may not", redis_client.DENIED),
        ("AuthenticationError", "no", redis_client.PASSWORD),
        ("AuthenticationWrongNumberOfArgsError", "wrong number of arguments", redis_client.PASSWORD),
        ("BusyLoadingError", "Dragonfly is loading the dataset in memory", redis_client.LOADING),
        ("MovedError", "12182 10.0.0.2:6379", redis_client.ELSEWHERE),
        ("AskError", "12182 10.0.0.2:6379", redis_client.ELSEWHERE),
        ("ClusterCrossSlotError", "Keys in request", redis_client.ELSEWHERE),
        ("TimeoutError", "", http_client.TIMEOUT),
        ("ResponseError", "something", redis_client.OTHER),
    ],
)
def test_the_library_names_what_it_takes_from_a_text(name: str, text: str, kind: str) -> None:
    error = redis_client._as_error(type(name, (Exception,), {})(text))
    assert (error.kind, bool(error.message)) == (kind, True)


def test_a_server_that_hangs_up_over_tls_may_want_a_certificate() -> None:
    error = ServerError(http_client.CLOSED, "Connection closed by server.")
    assert redis_client.explain(error, Where("r", tls=True)).code == "redis_tls"
    assert "tls: true" in redis_client.explain(error, Where("r")).cure


# langfuse-facts: seen on the running application with an ACL. HELLO, AUTH, SELECT, QUIT and EVALSHA are not probed.
SEEN = """
get getex set setex mget del exists expire pexpire ttl pttl incr scan hget hset hmset hmget hgetall hdel hincrby hexists hlen
lpush rpush lpop rpop rpoplpush lmove llen lrange lindex lrem lpos ltrim zadd zrem zcard zcount zscore zrange zrevrange
zrangebyscore zrevrangebyscore zremrangebyscore zremrangebyrank zpopmin bzpopmin sadd srem smembers sismember scard xadd xtrim
"""


def test_the_probe_uses_what_the_application_was_seen_to_use() -> None:
    sent = redis_probe.commands("langfuse:probe")
    assert {words[0] for words in sent} == {*SEEN.split(), "client"}
    assert {words[1] for words in sent if words[0] == "client"} == {"setname", "getname", "id"}
    keys = {word for words in sent for word in words if ":" in word}
    assert keys == {f"langfuse:probe:K{number}" for number in range(7)}
    assert not [word for words in sent for word in words if word[0] == "K" and ":" not in word]


def test_denials_are_told_by_command_and_other_answers_by_the_first() -> None:
    sent = [["get", "a"], ["client", "setname", "x"], ["xadd", "a"], ["get", "b"], ["set", "a"]]
    denied = ServerError(redis_client.DENIED, "no")
    full = ServerError(redis_client.FULL, "OOM")
    elsewhere = ServerError(redis_client.ELSEWHERE, "12 host")
    assert redis_probe.denied(sent, [denied, denied, None, denied, full]) == ["get", "client|setname"]
    assert redis_probe.broken([None, denied, elsewhere]) is None
    assert redis_probe.broken([None, elsewhere, full]) is full


def test_steps_that_fail_are_told_together() -> None:
    steps = [
        {"step": "login", "ok": True, "ms": 1},
        {"step": "cache_keys", "ok": False, "ms": 1, "kind": "denied", "message": "no permissions to access a key."},
        {
            "step": "scripts",
            "ok": False,
            "ms": 1,
            "kind": "other",
            "message": "Error running script: script tried accessing undeclared key, key: langfuse:langfuse:probe",
        },
    ]
    found = redis_user._failures(steps, Where("dragonfly", 6379, "langfuse"), "Dragonfly")
    assert [one.code for one in found] == ["redis_rights", "redis_scripts"]
    assert "--default_lua_flags=allow-undeclared-keys" in found[1].cure
    both = redis_user._with_steps(found, steps).as_result()
    assert "cache_keys" in both["msg"]
    assert "allow-undeclared-keys" in both["msg"]


OPTIONS: dict[str, Any] = {
    "username": "langfuse",
    "password": "canary",
    "prefix": "langfuse:",
    "commands": "+@all",
    "state": "present",
    "login_user": None,
    "tls": False,
    "ca_path": None,
    "client_cert": None,
    "client_key": None,
}


@pytest.mark.parametrize(
    ("wrong", "parts"),
    [
        ({}, []),
        ({"prefix": "langfuse"}, ["ends with a colon"]),
        ({"prefix": ":"}, ["ends with a colon"]),
        ({"prefix": ""}, ["ends with a colon"]),
        ({"prefix": "lang*:"}, ["ends with a colon"]),
        ({"prefix": "{lf}:"}, ["ends with a colon"]),
        ({"prefix": "a b:"}, ["ends with a colon"]),
        ({"prefix": "team/lf-2:"}, []),
        ({"prefix": "a:b:"}, []),
        ({"username": "default"}, ["never changed"]),
        ({"username": "default", "state": "absent"}, ["never changed"]),
        ({"username": "default", "state": "verified"}, []),
        ({"username": "lang fuse"}, ["no name of a user"]),
        ({"username": ""}, ["no name of a user"]),
        ({"login_user": "langfuse"}, ["cannot change itself"]),
        ({"password": None}, ["needs a password"]),
        ({"password": "", "state": "verified"}, ["needs a password"]),
        ({"password": None, "state": "verified", "username": "default"}, []),
        ({"password": None, "state": "absent"}, []),
        ({"commands": " "}, ["commands is empty"]),
        ({"ca_path": "/ca.pem"}, ["without TLS"]),
        ({"ca_path": "/ca.pem", "tls": True}, []),
        (
            {"prefix": "x", "password": "", "client_cert": "/c"},
            ["ends with a colon", "needs a password", "without TLS"],
        ),
    ],
)
def test_options_are_refused_all_at_once(wrong: dict[str, Any], parts: list[str]) -> None:
    found = redis_user.bad_options({**OPTIONS, **wrong})
    assert {one.code for one in found} <= {"bad_option"}
    assert len(found) == len(parts)
    text = " ".join(one.as_result()["msg"] for one in found)
    assert not [part for part in parts if part not in text]
    assert "canary" not in text


class Dragonfly:
    """One that forbids what BullMQ's scripts do. Remembers what it was asked."""

    where = Where("dragonfly", 6379, "default")

    def __init__(self) -> None:
        self.asked: list[str] = []

    def info(self) -> dict[str, str]:
        return answers.DRAGONFLY_INFO

    def settings(self, _names: Any) -> dict[str, str | None]:
        return NOTHING

    def call(self, *words: str | int) -> Any:
        self.asked.append(" ".join(map(str, words[:2])))
        if words[0] == "EVAL":
            raise ServerError("other", "script tried accessing undeclared key, key: langfuse:langfuse:probe")
        return list(answers.DRAGONFLY_CATEGORIES) if words[:2] == ("ACL", "CAT") else None

    def each(self, _commands: Any) -> list[list[str]]:
        return list(answers.DRAGONFLY_CATEGORIES.values())

    def close(self) -> None:
        pass


def test_a_dragonfly_without_its_flag_is_refused_before_the_user_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Dragonfly()
    monkeypatch.setattr(redis_client, "connect", lambda *_: server)
    more = {"cluster": None, "channels": [], "replica": False, "allow_eviction": True, "force": False, "wait": 0}
    options = {**OPTIONS, **more, "commands": "+@all", "persist": "auto", "validate_certs": True, "probe": False}
    with pytest.raises(Failure) as raised:
        redis_user.ensure({**options, "login_host": "dragonfly", "login_port": 6379, "login_password": "canary"}, False)
    assert raised.value.code == "redis_scripts"
    assert not [words for words in server.asked if words.startswith("ACL SETUSER")]
