# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walk: the order of its hops, what runs beside what, how long is waited, and for whom not."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import runtime
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import walk as walking
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import Context, Finding


def test_a_hop_without_its_needs_is_skipped_and_says_for_whom() -> None:
    class Walk:
        evidence: dict[str, Any] = {}  # noqa: RUF012
        left = 10.0
        patient = False
        params = {"skip": ["d"], "timeout": 10}  # noqa: RUF012

    def broken(_: Any) -> Finding:
        raise KeyError("x")

    def fine(_: Any) -> Finding:
        return Finding("ok", "")

    hop = walking.Hop
    chain = (hop("a", broken), hop("b", fine, ("a",)), hop("c", fine, ("b",)), hop("d", fine), hop("e", fine, ("d",)))
    done = walking.walk(Walk(), chain)  # type: ignore[arg-type]
    assert [(row["name"], row["status"], row["detail"]) for row in done[1:]] == [
        ("b", "skipped", "needs a"),
        ("c", "skipped", "needs a"),
        ("d", "skipped", "asked for"),
        ("e", "ok", ""),
    ]
    assert done[0]["status"] == "failed"
    assert walking.summary(done) == (False, "a")


def test_an_early_hop_begins_when_its_needs_are_met_and_is_told_in_its_place() -> None:
    class Walk:
        evidence: dict[str, Any] = {}  # noqa: RUF012
        left = 10.0
        patient = False
        params = {"skip": ["skipped"], "timeout": 10}  # noqa: RUF012

    order: list[str] = []
    begun = threading.Event()

    def at(name: str, status: str = "ok") -> Any:
        return lambda _: order.append(name) or Finding(status, "")

    def trace(_: Any) -> Finding:
        order.append("trace")
        begun.set()
        return Finding("ok", "")

    def between(_: Any) -> Finding:
        assert begun.wait(5)
        return at("between")(None)

    def crash(_: Any) -> Finding:
        raise KeyError("x")

    hop = walking.Hop
    chain = (
        hop("key", at("key")),
        hop("broken", at("broken", "failed")),
        hop("between", between),
        hop("trace", trace, ("key",), early=True),
        hop("crashed", crash, ("key",), early=True),
        hop("unmet", at("unmet"), ("broken",), early=True),
        hop("skipped", at("skipped"), (), early=True),
        hop("after", at("after"), ("crashed",)),
    )
    done = walking.walk(Walk(), chain)  # type: ignore[arg-type]
    assert order.index("key") < order.index("trace") < order.index("between")
    assert sorted(order) == ["between", "broken", "key", "trace"]
    assert [row["name"] for row in done] == [step.name for step in chain]
    assert [row["status"] for row in done] == ["ok", "failed", "ok", "ok", "failed", "skipped", "skipped", "skipped"]
    assert "KeyError" in done[4]["detail"]


def state(
    role: str = "web", state: str = "running", health: str = "healthy", restarts: int = 0, unhealthy: float = 0
) -> dict[str, Any]:
    return {
        "name": f"lf-{role}-1",
        "role": role,
        "state": state,
        "health": health,
        "restarts": restarts,
        "unhealthy": unhealthy,
        "restart_policy": "unless-stopped",
        "exit_code": 1,
        "oneoff": False,
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], False),
        ([state(health="starting")], False),
        ([state(health="unhealthy", unhealthy=10)], False),
        ([state(health="unhealthy", unhealthy=31)], True),
        ([state(state="exited")], True),
        ([{**state(state="exited"), "exit_code": 0, "restart_policy": "no"}], True),
        ([state(state="restarting", restarts=1)], False),
        ([state(restarts=3)], False),
        ([state(health="starting", restarts=3)], True),
        ([state("worker")], True),
        ([state(state="exited"), state()], False),
    ],
)
def test_when_waiting_for_web_is_in_vain(found: list[dict[str, Any]], expected: bool) -> None:
    assert runtime.hopeless(found, "web") == expected


def context(found: list[dict[str, Any]], wait: float) -> Any:
    options = {"timeout": 10, "wait": wait, "resolve": [], "public_url": "", "url": "http://127.0.0.1:1"}
    return Context(options, lambda: [dict(item, id=item["name"]) for item in found])


def test_restarts_and_illness_count_from_the_beginning_of_the_walk() -> None:
    """Web that healed itself six times before has not failed six times now."""
    found = [state(health="unhealthy", restarts=6)]
    ctx = context(found, 60)
    assert [(item["restarts"], item["unhealthy"]) for item in ctx.states()] == [(0, 0)]
    found[0].update(restarts=7)
    time.sleep(0.01)
    later = ctx.states()[0]
    assert later["restarts"] == 1
    assert later["unhealthy"] > 0
    found[0].update(health="healthy")
    assert ctx.states()[0]["unhealthy"] == 0


def test_a_hop_is_tried_again_while_containers_still_start() -> None:
    found = [state("worker", health="starting")]
    tries: list[int] = []

    def worker(_: Any) -> Finding:
        tries.append(1)
        if len(tries) == 2:
            found[0].update(health="healthy")
        return Finding("ok" if len(tries) == 3 else "failed", "")

    ctx = context(found, 60)
    ctx.params["skip"] = []
    assert walking.walk(ctx, (walking.Hop("worker", worker),))[0]["status"] == "ok"
    broken = (walking.Hop("worker", lambda _: tries.append(1) or Finding("failed", "")),)
    assert walking.walk(ctx, broken)[0]["status"] == "failed"
    assert len(tries) == 5, "nothing starts any more, so it is broken after one more try"


def test_an_interrupted_walk_ends() -> None:
    def interrupted(_: Any) -> Finding:
        raise KeyboardInterrupt

    ctx = context([], 0)
    ctx.params["skip"] = []
    late = walking.Hop("late", lambda _: Finding("ok", ""), ("web",), early=True)
    with pytest.raises(KeyboardInterrupt):
        walking.walk(ctx, (walking.Hop("port", interrupted), walking.Hop("web", interrupted), late))


def test_containers_that_are_not_sound_are_named() -> None:
    oneoff = {**state("web", "exited"), "oneoff": True}
    sick = [state("worker", health="unhealthy"), state("redis", "exited")]
    done = {**state("other", "exited"), "exit_code": 0, "restart_policy": "no"}
    assert runtime.unsound([state(), oneoff, done, *sick]) == [
        "lf-worker-1 is unhealthy",
        "lf-redis-1 is exited (exit code 1)",
    ]
    assert runtime.settled([state(), oneoff])
    assert not runtime.settled([state(health="starting")])
    assert not runtime.settled(sick)
