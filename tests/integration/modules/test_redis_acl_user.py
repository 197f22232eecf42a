# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""redis_acl_user on Redis 7.0 and Valkey 8.1: check, run, run again, change, absent; and what the user may and may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.integration.modules.redis_servers import ADMIN, PASSWORD, Engine, Server

Result = dict[str, Any]
pytestmark = pytest.mark.engine


@pytest.fixture(scope="module", params=["redis", "valkey"])
def server(request: Any) -> Iterator[Server]:
    started = Server(Engine(request.param), "--appendonly", "yes")
    started.client()
    yield started
    started.remove()


@pytest.fixture(autouse=True)
def clean(server: Server) -> None:
    client = server.client()
    client.flushall()
    for name in client.acl_users():
        if name != "default":
            client.acl_deluser(name)
    client.acl_log_reset()


def wrote(server: Server, before: dict[str, int]) -> set[str]:
    return server.writing({name for name, calls in server.calls().items() if calls != before.get(name)})


def may(server: Server, username: str, *words: str, password: str = PASSWORD) -> bool:
    try:
        server.client(username, password).execute_command(*words)
    except redis.exceptions.NoPermissionError:
        return False
    return True


def test_check_run_again_change_absent(run: Any, server: Server) -> None:
    wanted = server.options
    before = server.calls()
    planned = run("redis_acl_user", check=True, diff=True, **wanted)
    assert (planned["changed"], planned["changes"], planned["probe"]) == (True, ["user"], [])
    assert planned["diff"]["before"] == {"user": None}
    assert planned["diff"]["after"]["keys"] == ["~langfuse:*"]
    assert not wrote(server, before)
    assert "langfuse" not in server.client().acl_users()

    made = run("redis_acl_user", **wanted)
    assert (made["changed"], made["server"]["role"], made["server"]["saves"]) == (True, "master", True)
    assert [step["step"] for step in made["probe"]] == ["login", "info", "cache_keys", "queue_keys", "scripts"]

    before = server.calls()
    again = run("redis_acl_user", diff=True, **wanted)
    # A server that keeps rules as they were written is not asked for all that it knows of commands.
    asked = server.calls().get("acl|cat") != before.get("acl|cat")
    assert asked is not server.keeps_texts
    assert (again["changed"], again["changes"], again["diff"]) == (False, [], {})
    assert not wrote(server, before)
    assert all(step["ok"] for step in again["probe"])

    other = {**wanted, "password": "canary-langfuse-2"}
    before = server.calls()
    assert run("redis_acl_user", check=True, **other)["changes"] == ["password"]
    assert not wrote(server, before)
    changed = run("redis_acl_user", diff=True, **other)
    assert changed["changes"] == ["password"]
    assert (changed["diff"]["before"]["password"], changed["diff"]["after"]["password"]) == ("another", "as given")
    assert not run("redis_acl_user", **other)["changed"]
    with pytest.raises(redis.exceptions.AuthenticationError):
        server.client("langfuse", PASSWORD).ping()

    fewer = {**other, "commands": "+@all -@admin -@dangerous +info -publish"}
    changed = run("redis_acl_user", diff=True, **fewer)
    assert changed["changes"] == ["commands"]
    assert (changed["diff"]["before"]["only"], changed["diff"]["after"]["only"]) == (["publish"], [])
    assert not run("redis_acl_user", **fewer)["changed"]

    gone = {**server.options, "state": "absent"}
    before = server.calls()
    assert run("redis_acl_user", check=True, **gone)["changed"]
    assert not wrote(server, before)
    assert run("redis_acl_user", **gone)["changes"] == ["user"]
    before = server.calls()
    assert not run("redis_acl_user", **gone)["changed"]
    assert not wrote(server, before)
    assert server.client().acl_users() == ["default"]


@pytest.mark.parametrize(
    "same",
    [
        "allcommands -@dangerous +info",
        "-@all +@all -@admin -@dangerous -info +INFO",
        "+@all -@dangerous +config|get +info -config|get",
    ],
)
def test_rules_that_allow_the_same_are_the_same(run: Any, server: Server, same: str) -> None:
    run("redis_acl_user", **server.options)
    before = server.calls()
    assert not run("redis_acl_user", commands=same, **server.options)["changed"]
    assert not wrote(server, before)


@pytest.mark.parametrize(
    ("rules", "changes"),
    [
        (["off"], ["state"]),
        (["nopass"], ["password"]),
        ([">another"], ["password"]),
        (["~langfuse:extra*"], ["keys"]),
        (["resetkeys", "%R~langfuse:*"], ["keys"]),
        (["allchannels"], ["channels"]),
        (["+config|get"], ["commands"]),
        (["-get"], ["commands"]),
        (["skip-sanitize-payload"], ["state"]),
    ],
)
def test_what_somebody_changed_is_put_right(run: Any, server: Server, rules: list[str], changes: list[str]) -> None:
    run("redis_acl_user", **server.options)
    right = server.client().acl_list()
    server.client().execute_command("ACL", "SETUSER", "langfuse", *rules)
    assert run("redis_acl_user", check=True, **server.options)["changes"] == changes
    assert run("redis_acl_user", **server.options)["changes"] == changes
    assert not run("redis_acl_user", **server.options)["changed"]
    assert sorted(server.client().acl_list()) == sorted(right)


def test_the_user_has_its_own_keys_and_no_others(run: Any, server: Server) -> None:
    run("redis_acl_user", **server.options)
    server.client().execute_command(
        "ACL", "SETUSER", "other", "on", ">canary-other-1", "~other:*", "+@all", "-@dangerous"
    )
    for key in (
        "langfuse::otel-ingestion-queue:wait",
        "langfuse:api-key:0a1b",
        "langfuse:langfuse:experiment-backfill:lock",
    ):
        assert may(server, "langfuse", "SET", key, "1")
        assert may(server, "langfuse", "GET", key)
        assert not may(server, "other", "GET", key, password="canary-other-1")
    for key in ("other:a", "langfuse", "langfuseapi-key:0a1b", "bull:otel-ingestion-queue:wait", "{langfuse:q}:q:wait"):
        assert not may(server, "langfuse", "GET", key)
        assert not may(server, "langfuse", "SET", key, "1")
    assert may(server, "other", "SET", "other:a", "1", password="canary-other-1")
    for words in (
        ("FLUSHALL",),
        ("KEYS", "*"),
        ("CONFIG", "GET", "*"),
        ("ACL", "LIST"),
        ("SHUTDOWN",),
        ("PUBLISH", "a", "b"),
    ):
        assert not may(server, "langfuse", *words), words


def test_channels_stay_closed_where_the_server_opens_them_by_default(run: Any, server: Server) -> None:
    client = server.client()
    client.config_set("acl-pubsub-default", "allchannels")
    try:
        run("redis_acl_user", **server.options)
    finally:
        client.config_set("acl-pubsub-default", "resetchannels")
    assert not may(server, "langfuse", "PUBLISH", "langfuse:a", "b")
    assert run("redis_acl_user", channels=["langfuse:*"], **server.options)["changes"] == ["channels"]
    assert may(server, "langfuse", "PUBLISH", "langfuse:a", "b")
    assert not may(server, "langfuse", "PUBLISH", "a", "b")
    assert run("redis_acl_user", channels=["*"], **server.options)["changes"] == ["channels"]
    assert not run("redis_acl_user", channels=["*"], **server.options)["changed"]


def test_a_user_of_others_is_not_touched_unless_forced(run: Any, server: Server) -> None:
    client = server.client()
    for rules, seen in (
        (["~*", "+@all"], "~*"),
        (["~bull:*", "~langfuse:*", "+get"], "~bull:*"),
        (["(~x +get)"], "~x"),
    ):
        client.execute_command("ACL", "SETUSER", "langfuse", "reset", "on", ">theirs", *rules)
        left = sorted(client.acl_list())
        for state in ("present", "absent"):
            refused = run("redis_acl_user", **{**server.options, "state": state})
            assert (refused["failed"], refused["code"]) == (True, "redis_foreign_user")
            assert seen in refused["msg"]
            assert seen in refused["beyond"][0]
            assert sorted(client.acl_list()) == left
        assert run("redis_acl_user", force=True, **server.options)["changed"]
        assert not run("redis_acl_user", **server.options)["changed"]
    assert run("redis_acl_user", prefix="lf-2:", **server.options)["code"] == "redis_foreign_user"
    assert run("redis_acl_user", prefix="lf-2:", force=True, **server.options)["changes"] == ["keys"]
    assert not may(server, "langfuse", "GET", "langfuse:a")
    assert may(server, "langfuse", "GET", "lf-2:a")


def test_the_password_is_sent_in_clear_only_to_log_in(
    run: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, sent = server.client(), list[bytes]()
    client.config_set("slowlog-log-slower-than", 0)
    client.slowlog_reset()
    send = redis.connection.Connection.send_packed_command

    def record(connection: Any, command: Any, *words: Any, **named: Any) -> Any:
        sent.extend([command] if isinstance(command, bytes) else [b"".join(command)])
        return send(connection, command, *words, **named)

    monkeypatch.setattr(redis.connection.Connection, "send_packed_command", record)
    run("redis_acl_user", probe=True, **server.options)
    run("redis_acl_user", **{**server.options, "password": "canary-langfuse-2", "state": "present"})
    run("redis_acl_user", **{**server.options, "state": "absent"})
    monkeypatch.undo()
    client.config_set("slowlog-log-slower-than", 10000)
    assert [one for one in sent if b"SETUSER" in one]
    clear = [one for one in sent if b"canary-langfuse" in one]
    assert len(clear) == 2, "each of the two logins"
    assert all(b"AUTH" in one for one in clear)
    noted = str(client.slowlog_get(500)) + str(client.acl_log())
    assert "SETUSER" in noted
    assert "canary" not in noted
    assert not client.acl_log()


def test_the_probe_runs_every_command_and_leaves_nothing(run: Any, server: Server) -> None:
    planned = run("redis_acl_user", check=True, probe=True, **server.options)
    assert planned["probe"] == []
    result = run("redis_acl_user", probe=True, **server.options)
    assert [step["step"] for step in result["probe"]][-1] == "commands"
    assert all(step["ok"] for step in result["probe"]), result["probe"]
    assert server.client().dbsize() == 0
    used = server.calls()
    for name in ("xadd", "bzpopmin", "lmove", "getex", "eval", "hmset", "scan", "client|setname"):
        assert used.get(name), f"{name} was not used"
    again = run("redis_acl_user", check=True, probe=True, **server.options)
    assert [step["step"] for step in again["probe"]][-1] == "scripts", "in check mode it only reads"


def test_a_user_of_the_operator_is_verified_without_an_administrator(run: Any, server: Server) -> None:
    run("redis_acl_user", **server.options)
    own = {"login_host": server.host, "password": PASSWORD, "state": "verified", "wait": 5}
    result = run("redis_acl_user", **own)
    assert (result["changed"], result["isolated"]) == (False, True)
    assert result["probe"][-1]["step"] == "commands"
    assert server.client().dbsize() == 0
    before = server.calls()
    assert run("redis_acl_user", check=True, **own)["isolated"]
    assert not wrote(server, before)
    assert run("redis_acl_user", **{**own, "password": "canary-wrong"})["code"] == "redis_wrong_password"
    client = server.client()
    client.execute_command("ACL", "SETUSER", "langfuse", "resetkeys", "allkeys")
    open_to_all = run("redis_acl_user", **own)
    assert not open_to_all["isolated"]
    assert "keys of others" in str(open_to_all["warnings"])


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (["-@stream"], ["xadd", "xtrim"]),
        (["-bzpopmin", "-client|setname"], ["bzpopmin", "client|setname"]),
        (["-@scripting"], ["eval"]),
        (["-info"], ["step info", "info"]),
        (["resetkeys", "~bull:*"], ["step cache_keys", "step queue_keys"]),
        (["resetkeys", "~langfuse::*"], ["step cache_keys"]),
    ],
)
def test_what_a_user_lacks_is_named(run: Any, server: Server, rules: list[str], named: list[str]) -> None:
    run("redis_acl_user", **server.options)
    server.client().execute_command("ACL", "SETUSER", "langfuse", *rules)
    own = {"login_host": server.host, "password": PASSWORD, "state": "verified", "wait": 5}
    result = run("redis_acl_user", **own)
    assert (result["failed"], result["code"]) == (True, "redis_rights"), result
    for word in named:
        assert word in result["msg"], result["msg"]
    assert result["cure"] in result["msg"]
    assert server.client().dbsize() == 0


def test_sets_of_commands_are_what_the_server_allows(server: Server, collections: None) -> None:
    """Our reading of rules against the server's own word on every one of its commands."""
    from ansible_collections.llmops.langfuse.plugins.module_utils import redis_acl

    client = server.client(protocol=2)
    client.response_callbacks.clear()
    call = client.execute_command
    rows = [one for row in call("COMMAND") for one in (row, *row[9])]
    arity = {row[0]: abs(row[1]) for row in rows}
    # AUTH and its like are everybody's.
    ruled = {row[0] for row in rows if "no_auth" not in row[2]}
    categories = {name: call("ACL", "CAT", name) for name in call("ACL", "CAT")}
    known = redis_acl.catalogue(call("COMMAND", "LIST"), categories)
    assert len(known.commands) > 300
    for rules in (
        redis_acl.COMMANDS,
        "+@all",
        "-@all",
        "+@all -config|set +@admin -@slow",
        "+@read +@connection -client +client|id",
        "-@all +config +xinfo|stream -config|get +select|0 -@fast +get",
        "+@all -@dangerous +info +config +@keyspace -keys -@blocking",
    ):
        call("ACL", "SETUSER", "probe", "reset", "on", "nopass", "~*", "&*", *rules.split())
        user = redis_acl.parse(call("ACL", "GETUSER", "probe"))
        assert user is not None
        allowed = redis_acl.allowed(rules, known)
        assert redis_acl.allowed(user.commands, known) == allowed, (rules, user.commands)
        for name in sorted(known.commands & ruled):
            words = [*name.split("|"), *["1"] * (arity[name] - 1 - name.count("|"))]
            said = str(call("ACL", "DRYRUN", "probe", *words))
            assert ("no permissions to run" not in said) == (name in allowed), (rules, name, said)


def test_an_administrator_without_rights(run: Any, server: Server) -> None:
    server.client().execute_command("ACL", "SETUSER", "half", "on", ">canary-half", "+@all", "-@admin", "~*")
    options = {**server.options, "login_user": "half", "login_password": "canary-half"}
    result = run("redis_acl_user", **options)
    assert (result["failed"], result["code"]) == (True, "redis_denied"), result
    assert "verified" in result["cure"]
    assert "langfuse" not in server.client().acl_users()
    itself = run("redis_acl_user", **{**options, "username": "half"})
    assert itself["code"] == "bad_option"
    assert (
        run("redis_acl_user", **{**server.options, "username": "default", "login_user": "half"})["code"] == "bad_option"
    )
    assert run("redis_acl_user", **{**server.options, "login_password": ADMIN + "x"})["code"] == "redis_wrong_password"
