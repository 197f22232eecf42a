# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The language of ACLs: what rules allow, what a server's description means, and the rules that make it right."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import redis_acl
from ansible_collections.llmops.langfuse.plugins.module_utils.redis_acl import DRAGONFLY, REDIS, User, Wanted

from tests.unit.modules import redis_answers as answers

KNOWN = redis_acl.catalogue(answers.REDIS_COMMANDS, answers.REDIS_CATEGORIES)
OF_DRAGONFLY = redis_acl.catalogue(
    [one for some in answers.DRAGONFLY_CATEGORIES.values() for one in some], answers.DRAGONFLY_CATEGORIES
)
WANT = Wanted("langfuse", "temp", "langfuse:")


def test_containers_are_no_commands() -> None:
    assert not {"config", "acl"} & KNOWN.commands
    assert {"config|get", "acl|whoami", "flushall"} <= KNOWN.commands
    assert KNOWN.categories["slow"] == {"keys", "config|get", "config|set", "config|help", "acl|list", "acl|whoami"}
    assert {"acl", "acl list", "config"} <= OF_DRAGONFLY.commands, "Dragonfly has none"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("", set()),
        ("+get", {"get"}),
        ("+GET +set -get", {"set"}),
        ("+@string -@string +get", {"get"}),
        ("+@string -get +@hash", {"set", "hset"}),
        ("+config", {"config|get", "config|set", "config|help"}),
        ("+config -config|set", {"config|get", "config|help"}),
        ("+config -@admin", {"config|help"}),
        ("allcommands nocommands +get", {"get"}),
        ("+@all -@all", set()),
        ("+nonsense +get", {"get"}),
        ("+select|0", {"select|0"}),
        ("+select +select|0", {"select"}),
        ("+select|0 +select", {"select"}),
        ("+select|0 -select", set()),
        ("-select +select|0 +select|1 -select|0", {"select|1"}),
    ],
)
def test_rules_are_read_from_left_to_right(rules: str, expected: set[str]) -> None:
    assert redis_acl.allowed(rules, KNOWN) == expected


def test_the_two_ways_to_write_the_default_allow_the_same() -> None:
    # As Redis 7.0 and Valkey 8.1 say one and the same user.
    written = redis_acl.allowed(redis_acl.COMMANDS, KNOWN)
    told = redis_acl.allowed("+@all -@admin -keys -flushall", KNOWN)
    assert written == told
    assert written == {"get", "set", "hset", "info", "eval", "publish", "select", "config|help", "acl|whoami"}


def test_rules_of_dragonfly_may_have_a_blank_inside() -> None:
    assert redis_acl.split("-@all +ACL LIST +get") == ["-@all", "+acl list", "+get"]
    assert redis_acl.allowed("-@all +acl list +get", OF_DRAGONFLY) == {"acl list", "get"}
    assert redis_acl.allowed("+@all -@admin -@dangerous +info", OF_DRAGONFLY) == {
        "get", "set", "getex", "mget", "hset", "hget", "lpush", "brpop", "sadd", "acl", "auth", "ping", "eval", "info",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (redis_acl.COMMANDS, []),
        ("+@all nonsense +nonsense -@nowhere +config|get +select|7", ["+@all nonsense", "+nonsense", "-@nowhere"]),
        ("get", ["get"]),
        ("+get|1|2 +nothing|1", ["+nothing|1"]),
    ],
)
def test_rules_that_the_server_would_refuse_are_known_before(rules: str, expected: list[str]) -> None:
    assert redis_acl.unknown(rules, KNOWN) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, None),
        ([], None),
        (
            answers.REDIS_USER,
            User(
                frozenset({"on", "sanitize-payload"}),
                frozenset({answers.HASH}),
                answers.REDIS_USER[5],
                frozenset({"~langfuse:*", "%R~langfuse:x"}),
                frozenset(),
                (("~s:*", "resetchannels", "-@all", "+get"),),
            ),
        ),
        (
            answers.VALKEY_USER,
            User(
                frozenset({"on", "sanitize-payload"}),
                frozenset({answers.HASH}),
                redis_acl.COMMANDS,
                frozenset({"~langfuse:*"}),
                frozenset({"&a*", "&b"}),
            ),
        ),
        (
            answers.OLD_USER,
            User(
                frozenset({"on", "allchannels"}),
                frozenset({answers.HASH}),
                "-@all +get",
                frozenset({"~langfuse:*", "~b"}),
                frozenset({"&*"}),
            ),
        ),
        (
            answers.DRAGONFLY_USER,
            User(
                frozenset({"on"}),
                frozenset({answers.HASH[:15]}),
                "-@admin +@list +@set -hset -@all +@string -get +set",
                frozenset({"~langfuse:*", "%R~other"}),
                frozenset({"&a*"}),
            ),
        ),
        (
            answers.DRAGONFLY_FRESH,
            User(frozenset({"off"}), frozenset(), "-@all +@string +hset", frozenset(), frozenset()),
        ),
        (
            answers.DRAGONFLY_DEFAULT,
            User(frozenset({"on", "nopass"}), frozenset(), "+@all", frozenset({"~*"}), frozenset({"&*"})),
        ),
    ],
    ids=["none", "empty", "redis", "valkey", "redis 6", "dragonfly", "dragonfly new", "dragonfly default"],
)
def test_users_as_servers_describe_them(answer: Any, expected: User | None) -> None:
    assert redis_acl.parse(answer) == expected


def user(**changes: Any) -> User:
    right = User(
        frozenset({"on", "sanitize-payload"}), frozenset({WANT.hash}), WANT.commands, frozenset(WANT.keys), frozenset()
    )
    return right._replace(**changes)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (None, ["user"]),
        (user(), []),
        (user(commands="+@all -@admin -keys -flushall"), []),
        (user(flags=frozenset({"off"})), ["state"]),
        (user(flags=frozenset({"on", "skip-sanitize-payload"})), ["state"]),
        (user(flags=frozenset({"on", "nopass"})), ["password"]),
        (user(passwords=frozenset()), ["password"]),
        (user(passwords=frozenset({WANT.hash, "0" * 64})), ["password"]),
        (user(passwords=frozenset({"0" * 64})), ["password"]),
        (user(passwords=frozenset({WANT.hash[:15]})), ["password"]),
        (user(keys=frozenset({"%R~langfuse:*"})), ["keys"]),
        (user(keys=frozenset({*WANT.keys, "~langfuse:x"})), ["keys"]),
        (user(channels=frozenset({"&*"})), ["channels"]),
        (user(commands="+@all -@admin"), ["commands"]),
        (user(selectors=(("~x", "+get"),)), ["selectors"]),
        (
            user(flags=frozenset(), passwords=frozenset(), keys=frozenset(), commands=""),
            ["state", "password", "keys", "commands"],
        ),
    ],
)
def test_what_has_to_be_changed(seen: User | None, expected: list[str]) -> None:
    assert redis_acl.differences(seen, WANT, KNOWN, REDIS) == expected


@pytest.mark.parametrize(
    ("told", "same"),
    [
        (redis_acl.COMMANDS, True),
        ("ALLCOMMANDS  -@admin -@Dangerous +INFO", True),
        ("+@all -@admin -@dangerous +info -get", False),
        ("+@all -@dangerous -@admin +info", False),
        ("", False),
    ],
)
def test_the_same_text_allows_the_same_on_every_server(told: str, same: bool) -> None:
    assert redis_acl.same_text(user(commands=told), WANT) is same
    if same:
        assert redis_acl.differences(user(commands=told), WANT, None, REDIS) == []


def test_dragonfly_shows_hashes_cut_short() -> None:
    right = user(flags=frozenset({"on"}), passwords=frozenset({WANT.hash[:15]}))
    assert WANT.hash == answers.HASH
    assert redis_acl.differences(right, WANT, OF_DRAGONFLY, DRAGONFLY) == []
    for other in (answers.HASH[1:16], "", "ea71c25a7a60224"):
        seen = right._replace(passwords=frozenset({other}))
        assert redis_acl.differences(seen, WANT, OF_DRAGONFLY, DRAGONFLY) == ["password"], other


@pytest.mark.parametrize(
    ("keys", "selectors", "expected"),
    [
        (["~langfuse:*"], (), []),
        (["~{langfuse:*", "%R~langfuse:x", "~langfuse::*"], (), []),
        ([], (), []),
        (["~*"], (), ["~*"]),
        (["~langfuse*"], (), ["~langfuse*"]),
        (["~bull:*", "~langfuse:*"], (), ["~bull:*"]),
        (["%W~other:langfuse:*"], (), ["%W~other:langfuse:*"]),
        (["~langfuse:*"], (("~a", "+get"),), ["(~a +get)"]),
    ],
)
def test_a_user_that_reaches_further_is_foreign(keys: list[str], selectors: Any, expected: list[str]) -> None:
    assert redis_acl.foreign(user(keys=frozenset(keys), selectors=selectors), WANT) == expected


@pytest.mark.parametrize(
    ("want", "dialect", "expected"),
    [
        (WANT, REDIS, f"reset on #{answers.HASH} ~langfuse:* resetchannels {redis_acl.COMMANDS}"),
        (
            WANT._replace(cluster=True, channels=("*",), commands="+GET"),
            REDIS,
            f"reset on #{answers.HASH} ~langfuse:* ~{{langfuse:* resetchannels allchannels +get",
        ),
        (
            WANT._replace(channels=("a*",)),
            DRAGONFLY,
            f"resetpass >temp resetkeys ~langfuse:* resetchannels &a* -@all {redis_acl.COMMANDS} on",
        ),
    ],
)
def test_the_rules_that_make_it_right(want: Wanted, dialect: redis_acl.Dialect, expected: str) -> None:
    assert " ".join(redis_acl.rules(want, dialect)) == expected


def test_what_a_user_had_can_be_given_back() -> None:
    seen = redis_acl.parse(answers.REDIS_USER)
    back = redis_acl.restoring(seen, REDIS)
    assert back is not None
    assert back[:3] == ["reset", "on", f"#{answers.HASH}"]
    assert back[-1] == "(~s:* resetchannels -@all +get)"
    assert {"~langfuse:*", "%R~langfuse:x", "resetchannels", "-swapdb"} <= set(back)
    assert redis_acl.restoring(None, REDIS) == []
    assert redis_acl.restoring(redis_acl.parse(answers.DRAGONFLY_USER), DRAGONFLY) is None
    assert redis_acl.restoring(None, DRAGONFLY) == []


@pytest.mark.parametrize(
    "seen", [None, user(passwords=frozenset({"0" * 64}), commands="+@all", keys=frozenset({"~*"}))]
)
def test_a_diff_shows_rights_and_no_hash(seen: User | None) -> None:
    changes = redis_acl.differences(seen, WANT, KNOWN, REDIS)
    shown = redis_acl.difference(seen, WANT, changes, KNOWN)
    text = json.dumps(shown)
    assert not [secret for secret in (WANT.hash, "0" * 10, '"temp"') if secret in text]
    assert shown["after"]["keys"] == ["~langfuse:*"]
    if seen:
        assert (shown["before"]["password"], shown["before"]["keys"]) == ("another", ["~*"])
        assert shown["before"]["only"] == ["acl|list", "acl|setuser", "config|get", "config|set", "flushall", "keys"]
        assert shown["after"]["only"] == []
    else:
        assert shown["before"] == {"user": None}
