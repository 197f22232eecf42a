# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walk: which hops there are, in which order, and what each needs before it makes sense.

The trace is sent as soon as the key is known to work, and travels while the stores are looked at.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client, otlp, trace
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import (
    clickhouse,
    database,
    queue,
    session,
    storage,
    web,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import (
    FAILED,
    OK,
    SKIPPED,
    Context,
    Finding,
)


class Hop(NamedTuple):
    """``needs`` are hops that must not have failed or been skipped for a failed one.

    ``begin`` is work that is started in the background once they are well; ``check`` gets what it returned.
    """

    name: str
    check: Callable[[Context], Finding]
    needs: tuple[str, ...] = ()
    begin: Callable[[Context], None] | None = None


def send_trace(ctx: Context) -> None:
    """The proof: one trace there and back, over a connection of its own. What came of it is evidence."""
    if not ctx.params["secret_key"] or not ctx.writes:
        return
    spec = trace.new_spec("langfuse-verify", "verify", ["verify"], "verify", "verify", {"source": "langfuse_health"})
    built = otlp.build(spec)
    record: dict[str, Any] = {"trace_id": built.trace_id, "code": None, "differences": [], "timings": {}}
    ctx.evidence["trace"] = record
    patience = max(1.0, min(float(ctx.params["trace_timeout"]), ctx.left))
    try:
        with contextlib.closing(ctx.new_web()) as client:
            outcome = trace.send_and_wait(client, ctx.authorization["Authorization"], built, patience)
    except Failure as failure:
        record.update(code=failure.code, text=failure.message[:300])
        return
    record.update(timings=outcome.timings, attempts=outcome.attempts, differences=outcome.differences)
    if outcome.differences:
        record["code"] = "different"


def read_trace(ctx: Context) -> Finding:
    """What came of the trace that was sent."""
    if not ctx.params["secret_key"]:
        return Finding(SKIPPED, "no keys given")
    if not ctx.writes:
        return Finding(SKIPPED, "check mode sends nothing")
    record = ctx.evidence["trace"]
    if record["code"] == "different":
        fields = ", ".join(f"{row['span']}.{row['field']}" for row in record["differences"])
        return Finding(FAILED, f"came back different in {fields}")
    if record["code"]:
        if record["code"] == "not_readable":
            queue.look_again(ctx)
        return Finding(FAILED, record["text"][:200])
    return Finding(OK, f"read back equal, readable after {record['timings']['readable']:.0f} ms")


HOPS = (
    Hop("name", web.name),
    Hop("port", web.port, ("name",)),
    Hop("web", web.web, ("port",)),
    Hop("database", database.database),
    Hop("key", web.key, ("web",)),
    Hop("s3_write", storage.s3_write),
    Hop("queue", queue.queue),
    Hop("worker", queue.worker),
    Hop("clickhouse", clickhouse.clickhouse),
    Hop("trace", read_trace, ("key",), send_trace),
    Hop("media", storage.media, ("key",)),
    Hop("sign_in", session.sign_in, ("web",)),
    Hop("refusals", web.refusals, ("web",)),
    Hop("ports", web.ports),
)


def walk(ctx: Context, hops: tuple[Hop, ...] = HOPS) -> list[dict[str, Any]]:
    """Every hop as ``{name, status, ms, detail, cause, cure}``. A hop without its needs, or without time, is skipped.

    ``ms`` of a hop that began in the background is its own, so the sum may be more than the whole walk took.
    """
    done: list[dict[str, Any]] = []
    broken: dict[str, str] = {}
    begun: dict[str, Future[None]] = {}
    with ThreadPoolExecutor(max_workers=1) as background:
        for hop in hops:
            started = time.monotonic()
            finding = _run(ctx, hop, broken, begun.get(hop.name))
            if finding.status == FAILED:
                broken[hop.name] = hop.name
            elif finding.status == SKIPPED and any(need in broken for need in hop.needs):
                broken[hop.name] = next(broken[need] for need in hop.needs if need in broken)
            ms = ctx.began_ms.get(hop.name) or (time.monotonic() - started) * 1000
            done.append({"name": hop.name, **finding._asdict(), "ms": round(ms, 1), "cause": "", "cure": ""})
            for later in _ready(ctx, hops, done, broken):
                if later.begin is not None and later.name not in begun:
                    begun[later.name] = background.submit(_begin, ctx, later.name, later.begin)
    return done


def _ready(ctx: Context, hops: tuple[Hop, ...], done: list[dict[str, Any]], broken: dict[str, str]) -> list[Hop]:
    """Hops that are still to come and have all they need."""
    names = {row["name"] for row in done}
    return [
        hop
        for hop in hops
        if hop.name not in names
        and hop.name not in ctx.params["skip"]
        and names.issuperset(hop.needs)
        and not any(need in broken for need in hop.needs)
    ]


def _begin(ctx: Context, name: str, begin: Callable[[Context], None]) -> None:
    started = time.monotonic()
    try:
        begin(ctx)
    finally:
        ctx.began_ms[name] = (time.monotonic() - started) * 1000


def _run(ctx: Context, hop: Hop, broken: dict[str, str], begun: Future[None] | None) -> Finding:
    if hop.name in ctx.params["skip"]:
        return Finding(SKIPPED, "asked for")
    missing = [broken[need] for need in hop.needs if need in broken]
    if missing:
        return Finding(SKIPPED, f"needs {missing[0]}")
    if ctx.left <= 0:
        first = "too_slow" not in ctx.evidence
        ctx.evidence.setdefault("too_slow", {"hop": hop.name, "timeout": ctx.params["timeout"]})
        return Finding(FAILED if first else SKIPPED, "no time left")
    try:
        if begun is not None:
            begun.result()
        return hop.check(ctx)
    except (http_client.Unreachable, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Finding(FAILED, f"the check itself broke: {type(error).__name__}: {error}")


def summary(hops: list[dict[str, Any]]) -> tuple[bool, str]:
    """Whether all is well (warnings are), and the name of the first broken hop, "" for none."""
    first = next((hop["name"] for hop in hops if hop["status"] == FAILED), "")
    return not first, first
