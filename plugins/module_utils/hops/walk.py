# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walk: which hops there are, in which order, and what each needs before it makes sense.

What takes long and needs nobody's result begins early, in the background: the stores are looked at while web still
starts, and the trace travels while the rest is looked at. The table keeps the order of the way of a trace.
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
    runtime,
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
    Missing,
    library,
)


class Hop(NamedTuple):
    """``needs`` are hops that must not have failed or been skipped for a failed one.

    An ``early`` hop is checked in the background as soon as its needs are met; it must not use the shared connection.
    """

    name: str
    check: Callable[[Context], Finding]
    needs: tuple[str, ...] = ()
    early: bool = False


def send_trace(ctx: Context) -> Finding:
    """The proof: one trace there and back."""
    if not ctx.params["secret_key"]:
        return Finding(SKIPPED, "no keys given")
    if not ctx.writes:
        return Finding(SKIPPED, "check mode sends nothing")
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
        if failure.code == "not_readable":
            queue.look_again(ctx)
        return Finding(FAILED, failure.message[:200])
    record.update(timings=outcome.timings, attempts=outcome.attempts, differences=outcome.differences)
    if outcome.differences:
        record["code"] = "different"
        fields = ", ".join(f"{row['span']}.{row['field']}" for row in outcome.differences)
        return Finding(FAILED, f"came back different in {fields}")
    return Finding(OK, f"read back equal, readable after {outcome.timings['readable']:.0f} ms")


HOPS = (
    Hop("name", web.name),
    Hop("port", web.port, ("name",)),
    Hop("web", web.web, ("port",)),
    Hop("database", database.database),
    Hop("key", web.key, ("web",)),
    Hop("s3_write", storage.s3_write, early=True),
    Hop("queue", queue.queue),
    Hop("worker", queue.worker),
    Hop("clickhouse", clickhouse.clickhouse, early=True),
    Hop("trace", send_trace, ("key",), early=True),
    Hop("media", storage.media, ("key",)),
    Hop("sign_in", session.sign_in, ("web",)),
    Hop("refusals", web.refusals, ("web",)),
    Hop("ports", web.ports),
    Hop("containers", runtime.containers),
)


def walk(ctx: Context, hops: tuple[Hop, ...] = HOPS) -> list[dict[str, Any]]:
    """Every hop as ``{name, status, ms, detail, cause, cure}``. A hop without its needs, or without time, is skipped.

    Hops work at the same time, so the sum of ``ms`` may be more than the walk took.
    """
    done: list[dict[str, Any]] = []
    broken: dict[str, str] = {}
    begun: dict[str, Future[tuple[Finding, float]]] = {}
    with ThreadPoolExecutor(max_workers=4) as background:
        background.submit(_import_clients, ctx)
        for hop in hops:
            names = {row["name"] for row in done}
            for later in hops:
                if later.early and later.name not in begun and names.issuperset(later.needs):
                    begun[later.name] = background.submit(_run, ctx, later, dict(broken))
            finding, ms = begun[hop.name].result() if hop.name in begun else _run(ctx, hop, broken)
            if finding.status == FAILED:
                broken[hop.name] = hop.name
            elif finding.status == SKIPPED and any(need in broken for need in hop.needs):
                broken[hop.name] = next(broken[need] for need in hop.needs if need in broken)
            done.append({"name": hop.name, **finding._asdict(), "ms": round(ms, 1), "cause": "", "cure": ""})
    return done


def _import_clients(ctx: Context) -> None:
    """Imports take longer than what the clients then do, so they begin while web is still waited for."""
    for option, name in (("postgres", "psycopg"), ("redis", "redis")):
        with contextlib.suppress(Missing):
            if ctx.params.get(option):
                library(name)


def _run(ctx: Context, hop: Hop, broken: dict[str, str]) -> tuple[Finding, float]:
    """What the hop found, and the milliseconds that it took."""
    started = time.monotonic()
    try:
        finding = _check(ctx, hop, broken)
    except (http_client.Unreachable, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        finding = Finding(FAILED, f"the check itself broke: {type(error).__name__}: {error}")
    return finding, (time.monotonic() - started) * 1000


def _check(ctx: Context, hop: Hop, broken: dict[str, str]) -> Finding:
    if hop.name in ctx.params["skip"]:
        return Finding(SKIPPED, "asked for")
    missing = [broken[need] for need in hop.needs if need in broken]
    if missing:
        return Finding(SKIPPED, f"needs {missing[0]}")
    if ctx.left <= 0:
        first = "too_slow" not in ctx.evidence
        ctx.evidence.setdefault("too_slow", {"hop": hop.name, "timeout": ctx.params["timeout"]})
        return Finding(FAILED if first else SKIPPED, "no time left")
    return hop.check(ctx)


def summary(hops: list[dict[str, Any]]) -> tuple[bool, str]:
    """Whether all is well (warnings are), and the name of the first broken hop, "" for none."""
    first = next((hop["name"] for hop in hops if hop["status"] == FAILED), "")
    return not first, first
