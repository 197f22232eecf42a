"""What `status` says of containers and pods."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import status
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import walk

from .cause_cases import container


def _one(role: str, **changes: Any) -> dict[str, Any]:
    return {**container(role, **changes), "service": role, "image": f"{role}:1"}


def test_each_service_has_a_line() -> None:
    records = [
        _one("web"),
        _one("worker", health="unhealthy", restarts=2),
        _one("worker"),
        _one("migrate", oneoff=True),
        _one("worker", oneoff=True),
    ]
    found = status.services(records, {})
    assert [(one["service"], one["ready"], one["wanted"], one["state"]) for one in found] == [
        ("web", 1, 1, ""),
        ("worker", 1, 2, "unhealthy"),
    ]
    told = status.lines(found, [], [])
    assert told == ["web     1/1  web:1", "worker  1/2  worker:1  unhealthy, 2 restarts"]


def test_what_is_wanted_and_is_not_there_is_told() -> None:
    (found,) = status.services([], {"web": 2})
    assert (found["ready"], found["wanted"]) == (0, 2)
    assert status.lines([found], [], []) == ["web  0/2  nothing runs"]
    (stopped,) = status.services([_one("worker", state="exited", health="unhealthy")], {})
    assert stopped["state"] == "exited"
    (stopped,) = status.services([_one("worker", state="exited")], {})
    assert (stopped["ready"], stopped["state"]) == (0, "exited")
    assert status.lines([], [], []) == ["nothing of it runs here"]


def test_what_it_says_of_itself() -> None:
    hops = [
        {"name": "name", "status": "ok", "detail": "x"},
        {"name": "web", "status": "failed", "detail": "no answer"},
        {"name": "queue", "status": "ok", "detail": "0 waiting"},
        {"name": "clickhouse", "status": "skipped", "detail": "no client"},
    ]
    told = status.lines([], hops, [{"name": "m", "state": "is done"}])[1:]
    assert told == ["migration: m is done", "web: DOWN: no answer", "queues: 0 waiting"]


@pytest.mark.parametrize(
    ("outcome", "line"),
    [("ok", "Git: langfuse at x"), ("warning", "Git: langfuse at x"), ("failed", "Git: NOT APPLIED: langfuse at x")],
)
def test_what_is_applied_from_git(outcome: str, line: str) -> None:
    assert status.lines([], [{"name": "gitops", "status": outcome, "detail": "langfuse at x"}], [])[1:] == [line]


def test_what_is_asked_needs_nothing_else() -> None:
    hops = {hop.name: hop for hop in walk.HOPS}
    assert set(status.HOPS) < set(hops)
    assert all(set(hops[name].needs) <= set(status.HOPS) for name in status.HOPS)
