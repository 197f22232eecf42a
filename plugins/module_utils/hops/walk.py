# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walk: which hops there are, in which order, and what each needs before it makes sense.

What takes long and needs nobody's result begins early, in the background: libraries are imported while web still
starts, and the trace travels while stores are looked at. The table keeps the order of the way of a trace.
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
    consumers,
    database,
    gitops,
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

# Seconds: a hop that took longer has had its patience, and between two tries.
_SLOW, _PAUSE = 10.0, 0.5


class Hop(NamedTuple):
    """``needs`` are hops that must not have failed or been skipped for a failed one.

    It comes ``after`` others whatever became of them. An ``early`` hop is checked in the background as soon as all these
    are done; it must not use the shared connection.
    """

    name: str
    check: Callable[[Context], Finding]
    needs: tuple[str, ...] = ()
    early: bool = False
    after: tuple[str, ...] = ()


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
            authorization = ctx.authorization["Authorization"]
            outcome = trace.send_and_wait(client, authorization, built, patience, hopeless=lambda: _nobody_works(ctx))
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
    verified = f"read back equal {ctx.elapsed_ms:.0f} ms after the walk began"
    return Finding(OK, f"{verified}, readable after {outcome.timings['readable']:.0f} ms")


HOPS = (
    Hop("name", web.name),
    Hop("port", web.port, ("name",)),
    Hop("web", web.web, ("port",)),
    Hop("database", database.database, early=True, after=("web",)),
    Hop("key", web.key, ("web",), early=True),
    # It writes a lot for a store that has just started, and would slow the trace down; so do the hops from media on.
    Hop("s3_write", storage.s3_write, early=True, after=("trace",)),
    Hop("queue", queue.queue, after=("database", "key")),
    Hop("worker", queue.worker),
    Hop("clickhouse", clickhouse.clickhouse, early=True),
    Hop("trace", send_trace, ("key",), early=True),
    Hop("media", storage.media, ("key",), after=("trace",)),
    Hop("sign_in", session.sign_in, ("web",)),
    Hop("refusals", web.refusals, ("web",)),
    Hop("ports", web.ports),
    Hop("containers", runtime.containers),
    Hop("consumers", consumers.consumers, after=("trace",)),
    Hop("gitops", gitops.gitops, early=True),
)


def hops_for(ctx: Context) -> tuple[Hop, ...]:
    """Where nothing is applied from Git, nobody asks whether it was."""
    return tuple(hop for hop in HOPS if hop.name != "gitops" or ctx.params["gitops"])


def _nobody_works(ctx: Context) -> bool:
    """Whether no worker can come up any more, so that waiting for the trace is in vain."""
    return runtime.hopeless(ctx.states(), "worker")


class Outcome(NamedTuple):
    """``root`` is the broken hop that this one suffers from or is, "" for none."""

    finding: Finding
    ms: float
    root: str


def walk(ctx: Context, hops: tuple[Hop, ...]) -> list[dict[str, Any]]:
    """Every hop as ``{name, status, ms, detail, cause, cure}``. A hop without its needs, or without time, is skipped.

    Hops work at the same time, so the sum of ``ms`` may be more than the walk took.
    """
    outcomes: dict[str, Future[Outcome]] = {hop.name: Future() for hop in hops}
    with ThreadPoolExecutor(max_workers=len(hops) + 1) as background:
        background.submit(_import_clients, ctx)
        for hop in hops:
            if hop.early:
                background.submit(_settle, ctx, hop, outcomes)
        try:
            for hop in hops:
                if not hop.early:
                    _settle(ctx, hop, outcomes)
        except BaseException:
            # Those that wait for what an interrupted walk will not do would wait for ever.
            for outcome in outcomes.values():
                outcome.cancel()
            raise
    done = [(hop.name, outcomes[hop.name].result()) for hop in hops]
    return [
        {"name": name, **outcome.finding._asdict(), "ms": round(outcome.ms, 1), "cause": "", "cure": ""}
        for name, outcome in done
    ]


def _settle(ctx: Context, hop: Hop, outcomes: dict[str, Future[Outcome]]) -> None:
    """Wait for what the hop needs, check it, and keep the outcome."""
    try:
        for name in hop.after:
            outcomes[name].result()
        roots = [root for need in hop.needs if (root := outcomes[need].result().root)]
        started = time.monotonic()
        finding = _run(ctx, hop, roots)
        root = hop.name if finding.status == FAILED else roots[0] if roots and finding.status == SKIPPED else ""
        outcomes[hop.name].set_result(Outcome(finding, (time.monotonic() - started) * 1000, root))
    except BaseException as error:
        if not outcomes[hop.name].cancelled():
            outcomes[hop.name].set_exception(error)
        raise


def _import_clients(ctx: Context) -> None:
    """Imports take longer than what the clients then do, so they begin while web is still waited for."""
    for option, name in (("postgres", "psycopg"), ("s3", "botocore.session"), ("redis", "redis")):
        with contextlib.suppress(Missing):
            if ctx.params.get(option):
                library(name)


def _run(ctx: Context, hop: Hop, roots: list[str]) -> Finding:
    if hop.name in ctx.params["skip"]:
        return Finding(SKIPPED, "asked for")
    if roots:
        return Finding(SKIPPED, f"needs {roots[0]}")
    if ctx.left <= 0:
        first = "too_slow" not in ctx.evidence
        ctx.evidence.setdefault("too_slow", {"hop": hop.name, "timeout": ctx.params["timeout"]})
        return Finding(FAILED if first else SKIPPED, "no time left")
    last = not ctx.patient
    while True:
        started = time.monotonic()
        finding = _once(ctx, hop)
        # What has just been started may not be ready yet; a hop that fails once nothing starts any more is broken.
        if finding.status != FAILED or last or time.monotonic() - started > _SLOW:
            return finding
        last = ctx.nothing_starts()
        time.sleep(_PAUSE)


def _once(ctx: Context, hop: Hop) -> Finding:
    try:
        return hop.check(ctx)
    except (http_client.Unreachable, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Finding(FAILED, f"the check itself broke: {type(error).__name__}: {error}")


def summary(hops: list[dict[str, Any]]) -> tuple[bool, str]:
    """Whether all is well (warnings are), and the name of the first broken hop, "" for none."""
    first = next((hop["name"] for hop in hops if hop["status"] == FAILED), "")
    return not first, first
