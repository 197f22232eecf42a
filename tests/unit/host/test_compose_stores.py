"""How long a store is waited for, and what is told of several failures and changes at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import compose, compose_stores
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure, joined

FRESH = {"changed": True, "reason": "PostgreSQL has no schema yet"}
DONE = {"changed": False, "reason": "the schema is up to date"}


def container(service: str, state: str = "running", restarts: int = 0, exit_code: int = 0) -> compose.Container:
    return compose.Container(f"lf-{service}-1", service, state, "", "10.0.0.2", "i", "sha", restarts, exit_code, {})


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (container("postgres"), None),
        (container("postgres", "restarting", 3, 1), None),
        (container("postgres", "restarting", 4, 1), "lf-postgres-1 does not stay up (exit code 1)"),
        (container("postgres", "exited", 1, 3), "lf-postgres-1 does not stay up (exit code 3)"),
        (container("langfuse-web", "exited", 9, 1), None),
    ],
)
def test_a_store_that_ended_is_not_waited_for(now: compose.Container, told: str | None) -> None:
    failure = compose_stores.ended([container("postgres", restarts=1)], [now], ["postgres", "clickhouse"])
    assert (failure and failure.message.rstrip(".")) == told


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> list[compose.Container]:
    found = [container("postgres")]
    monkeypatch.setattr(compose, "containers", lambda _project: list(found))
    monkeypatch.setattr(compose_stores, "_PAUSE", 0)
    monkeypatch.setattr(compose_stores, "_LOOK", 0)
    return found


def trying(failures: list[str]) -> Any:
    """Fails with these codes, one a call, and then succeeds."""

    def action(_found: Any) -> str:
        if failures:
            raise Failure(failures.pop(0), "Not yet.", "Wait.")
        return "done"

    return action


def stores(seconds: float) -> Any:
    return compose_stores._Stores("lf", ["postgres"], seconds)


def test_a_store_that_needs_a_moment_is_tried_again(project: list[compose.Container]) -> None:
    assert stores(60).patiently(trying(["container_missing", "database_unreachable", "s3_not_ready"])) == "done"


def test_a_wrong_password_is_not_waited_for(project: list[compose.Container]) -> None:
    left = ["database_password", "database_password"]
    with pytest.raises(Failure):
        stores(60).patiently(trying(left))
    assert len(left) == 1


def test_patience_ends(project: list[compose.Container]) -> None:
    left = ["clickhouse_down"] * 2
    with pytest.raises(Failure, match="Not yet"):
        stores(0).patiently(trying(left))
    assert len(left) == 1


def test_patience_ends_with_stores_that_are_healthy_and_do_not_answer(
    project: list[compose.Container], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose_stores, "_HEALTHY", 0.05)
    monkeypatch.setattr(compose_stores, "_PAUSE", 0.01)
    left = ["clickhouse_down"] * 1000
    with pytest.raises(Failure, match="Not yet"):
        stores(60).patiently(trying(left))
    assert left


def test_patience_ends_with_the_store(project: list[compose.Container]) -> None:
    waiting = stores(60)
    project[0] = container("postgres", "exited", 0, 7)
    with pytest.raises(Failure, match="exit code 7"):
        waiting.patiently(trying(["database_unreachable"] * 5))


def test_two_failures_are_told_as_one() -> None:
    first, second = Failure("database_password", "Refused.", "Check it."), Failure("s3_denied", "Denied.", "Give it.")
    both = joined([first, second]).as_result()
    assert (both["code"], both["cure"]) == ("database_password", "Check it.")
    assert both["msg"] == "Refused. Check it. Denied. Give it."


@pytest.mark.parametrize(
    ("password", "made", "moved", "changed", "after"),
    [
        (False, [], DONE, False, ""),
        (True, [], DONE, True, "password of PostgreSQL: as planned\n"),
        (False, [("events", "create")], DONE, True, "bucket: events\n"),
        (False, [("media", "create"), ("media", "cors")], DONE, True, "bucket: media\nbucket: media, cors\n"),
        (False, [], FRESH, True, "schema: migrated\n"),
    ],
)
def test_what_changed_is_told(password: bool, made: Any, moved: Any, changed: bool, after: str) -> None:
    result = compose_stores._result(password, made, moved)
    assert (result["changed"], result["diff"]["after"]) == (changed, after)


def given(directory: Path) -> dict[str, Any]:
    return {
        "project": "lf",
        "services": ["postgres"],
        "directory": str(directory),
        "timeout": 60,
        "image": "langfuse:4.16.0",
        "postgres": {"source": "bundled", "host": "postgres", "port": 5432, "user": "lf", "database": "lf"},
        "clickhouse": {"source": "bundled", "host": "clickhouse", "port": 8123, "user": "lf", "database": "lf"},
        "networks": [],
        "ca_path": None,
        "s3": {
            "endpoint": "http://127.0.0.1:1",
            "region": "us-east-1",
            "buckets": ["events", "media"],
            "settings": [{"name": "media", "cors_origins": ["http://localhost:3030"]}],
            "media_bucket": "media",
        },
        **dict.fromkeys(("postgres_password", "clickhouse_password", "s3_access_key", "s3_secret_key"), "x"),
    }


def test_a_check_of_a_fresh_project_is_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "containers", lambda _project: [])
    result = compose_stores.prepare(given(tmp_path), check_mode=True)
    assert (result["changed"], result["buckets"], result["migration"]["changed"]) == (True, ["events", "media"], True)
    assert "bucket: media, cors" in result["diff"]["after"]


def test_a_check_of_a_stopped_project_does_not_guess(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".migration.json").write_text("{}")
    monkeypatch.setattr(compose, "containers", lambda _project: [])
    result = compose_stores.prepare(given(tmp_path), check_mode=True)
    assert (result["changed"], result["buckets"], result["migration"]["changed"]) == (False, [], False)
    assert result["unchecked"]
