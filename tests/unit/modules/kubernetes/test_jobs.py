"""The Job of the migration: when it is made, waited for, left alone or made anew."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.jobs import (
    BUSY,
    CREATE,
    DONE,
    REPLACE,
    WAIT,
    decide,
)

from .support import condition, made


def _job(name: str = "langfuse-migrate-1", metadata: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    return made("Job", name, status=status, **({"metadata": metadata} if metadata else {}))


WANTED = _job()
FAILED = _job(conditions=[condition("Failed", message="Job has reached the specified backoff limit")])
RUNNING = {"active": 1, "ready": 1}


@pytest.mark.parametrize(
    ("live", "others", "same", "action", "why"),
    [
        (None, [], True, CREATE, "has not run yet"),
        (_job(conditions=[condition("Complete")]), [], True, DONE, "has run with the same input"),
        # Its pod may be described differently by now; what it did is the same.
        (_job(conditions=[condition("Complete")]), [], False, DONE, "same input"),
        (_job(conditions=[condition("Complete", "False")], **RUNNING), [], True, WAIT, "is running"),
        (FAILED, [], True, REPLACE, "failed: Job has reached the specified backoff limit"),
        (_job(conditions=[condition("FailureTarget", reason="BackoffLimitExceeded")]), [], True, REPLACE, "BackoffLimitExceeded"),
        (_job(**RUNNING), [], True, WAIT, "is running"),
        # Cut off, it would leave a schema that a human has to look at.
        (_job(**RUNNING), [], False, WAIT, "is running"),
        (_job(active=1), [], False, WAIT, "is running"),
        (_job(active=1, ready=0), [], True, WAIT, "has not begun"),
        (_job(active=1, ready=0), [], False, REPLACE, "has not begun, and is made differently now"),
        (_job(metadata={"name": "langfuse-migrate-1", "deletionTimestamp": "2026-01-01"}, **RUNNING), [], True, REPLACE, "is being removed"),
        (None, [_job("langfuse-migrate-0", **RUNNING)], True, BUSY, "Job langfuse-migrate-0 in ai-system, another migration, is running"),
        (FAILED, [_job("langfuse-migrate-0", **RUNNING)], True, BUSY, "another migration"),
        (None, [_job("langfuse-migrate-0", conditions=[condition("Complete")])], True, CREATE, "has not run yet"),
        (None, [_job("langfuse-migrate-0", conditions=[condition("Failed")], **RUNNING)], True, CREATE, "has not run yet"),
        (None, [_job("langfuse-migrate-0", conditions=[condition("Complete")], **RUNNING)], True, CREATE, "has not run yet"),
        (_job(conditions=[condition("Failed")]), [], True, REPLACE, "failed: without a word"),
        (_job(**RUNNING), [_job(**RUNNING)], True, WAIT, "is running"),
    ],
)  # fmt: skip
def test_what_happens_to_it(live: dict[str, Any] | None, others: list[Any], same: bool, action: str, why: str) -> None:
    decision = decide(WANTED, live, others, same)
    assert decision.action == action and why in decision.why
