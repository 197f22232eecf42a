# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Langfuse does with its Redis, done with its own user: the proof that needs no administrator."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.redis_client import DENIED, ELSEWHERE, Client, ServerError

# Keys of an interrupted probe are gone after 60 s.
# What web, worker and BullMQ's scripts were seen to use, on keys of the probe's own: K0, K1, … are the same key each time.
# Most are nothing to do for the server. Seen on Langfuse 4.16.0; HELLO, AUTH, SELECT and QUIT are left out.
_USED = """
set K0 1 ex 60|get K0|getex K0 ex 60|setex K0 60 1|mget K0|exists K0|expire K0 60|pexpire K0 60000|ttl K0|pttl K0|del K0
incr K1|expire K1 60|scan 0 count 1
hset K2 a 1|hmset K2 b 2|expire K2 60|hget K2 a|hmget K2 a b|hgetall K2|hdel K2 b|hincrby K2 a 1|hexists K2 a|hlen K2
lpush K3 a b|expire K3 60|rpush K3 c|lrange K3 0 -1|llen K3|lindex K3 0|lpos K3 a|lrem K3 0 x|ltrim K3 0 9
rpoplpush K3 K3|lmove K3 K3 left right|lpop K3|rpop K3
zadd K4 1 a|expire K4 60|zscore K4 a|zcard K4|zcount K4 0 1|zrange K4 0 -1|zrevrange K4 0 -1|zrangebyscore K4 0 1
zrevrangebyscore K4 1 0|zrem K4 x|zremrangebyscore K4 8 9|zremrangebyrank K4 8 9|zpopmin K4|bzpopmin K4 0.01
sadd K5 a|expire K5 60|smembers K5|sismember K5 a|scard K5|srem K5 a
xadd K6 maxlen ~ 9 * a 1|expire K6 60|xtrim K6 maxlen ~ 9
client setname langfuse|client getname|client id
"""
# A script that reads a key it was not told of, as those of BullMQ do. Dragonfly forbids that unless it is told otherwise.
_SCRIPT = "return redis.call('exists', ARGV[1])"


def commands(key: str) -> list[list[str]]:
    """The table above for keys that begin with ``key``."""
    lines = [one for line in _USED.split("\n") for one in line.split("|") if one]
    return [
        [f"{key}:{word}" if word[:1] == "K" and word[1:].isdigit() else word for word in one.split()] for one in lines
    ]


def denied(sent: Sequence[Sequence[str]], answers: Sequence[Any]) -> list[str]:
    """The commands that the user may not run. Any other answer, an error too, is a server's that let it."""
    refused = [words for words, one in zip(sent, answers) if isinstance(one, ServerError) and one.kind == DENIED]
    return list(dict.fromkeys("|".join(words[:2]) if words[0] == "client" else words[0] for words in refused))


def broken(answers: Sequence[Any]) -> ServerError | None:
    """What else the server said: full memory, a full disk. Keys of another node of a cluster are none of it."""
    said = (one for one in answers if isinstance(one, ServerError) and one.kind not in (DENIED, ELSEWHERE))
    return next(said, None)


def reads(client: Client, prefix: str, cluster: bool) -> list[dict[str, Any]]:
    """The steps that write nothing. A list of ``{step, ok, ms}`` and on failure ``{message}``; all of them are taken."""
    queue = (
        f"{{{prefix}otel-ingestion-queue}}:otel-ingestion-queue:wait"
        if cluster
        else f"{prefix}:otel-ingestion-queue:wait"
    )

    def permitted(*words: str | int) -> None:
        try:
            client.call(*words)
        except ServerError as error:
            if error.kind != ELSEWHERE:
                raise

    return _run([
        ("login", lambda: permitted("PING")),
        ("info", lambda: permitted("INFO", "server")),
        ("cache_keys", lambda: permitted("EXISTS", f"{prefix}langfuse:probe")),
        ("queue_keys", lambda: permitted("EXISTS", queue)),
    ])  # fmt: skip


def script(client: Client, prefix: str) -> list[dict[str, Any]]:
    return _run([("scripts", lambda: client.call("EVAL", _SCRIPT, 0, f"{prefix}langfuse:probe"))])


def outside(client: Client) -> bool:
    """Whether keys of others are closed to the user. The server notes the refusal in ACL LOG."""
    try:
        client.call("EXISTS", f"foreign-{secrets.token_hex(8)}")
    except ServerError as error:
        if error.kind == DENIED:
            return True
        raise
    return False


def writes(client: Client, prefix: str, cluster: bool) -> list[dict[str, Any]]:
    """Every command that the application uses, on keys that are deleted at the end and expire in any case."""
    name = f"probe-{secrets.token_hex(8)}"
    key = f"{{{prefix}{name}}}" if cluster else f"{prefix}{name}"

    def all_of_them() -> None:
        sent = commands(key)
        keys = sorted({word for words in sent for word in words if word.startswith(f"{key}:K")})
        answers = client.each(sent)
        cleaned = client.each([["DEL", *keys]])
        missing = denied(sent, answers)
        if missing:
            raise ServerError(DENIED, f"not allowed: {', '.join(missing)}")
        said = broken([*answers, *cleaned])
        if said:
            raise said

    return _run([("commands", all_of_them)])


def _run(steps: Sequence[tuple[str, Callable[[], Any]]]) -> list[dict[str, Any]]:
    done = []
    for name, action in steps:
        started = time.monotonic()
        row: dict[str, Any] = {"step": name, "ok": True}
        try:
            action()
        except ServerError as error:
            row.update(ok=False, message=error.message, kind=error.kind)
        row["ms"] = round((time.monotonic() - started) * 1000, 1)
        done.append(row)
    return done
