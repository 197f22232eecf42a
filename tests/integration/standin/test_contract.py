"""Replays what the running application answered (4.16.0) against the stand-in on real engines."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator

import pytest

from tests.integration.standin.replay import Captured, Group, compare, groups, send
from tests.integration.standin.stack import PUBLIC_KEY, SECRET_KEY, Stack, fetch_json

pytestmark = pytest.mark.engine
GROUPS = list(groups())


def headers() -> dict[str, str]:
    pair = base64.b64encode(f"{PUBLIC_KEY}:{SECRET_KEY}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _generation(number: int) -> dict[str, object]:
    """Two of these cost 0.00015 with the seeded price of gpt-4o."""
    return {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "earlier",
        "startTimeUnixNano": "1795294750000000000",
        "endTimeUnixNano": "1795294751000000000",
        "attributes": [
            {"key": "langfuse.observation.type", "value": {"stringValue": "generation"}},
            {"key": "langfuse.observation.model.name", "value": {"stringValue": "gpt-4o"}},
            {"key": "langfuse.observation.usage_details", "value": {"stringValue": '{"input":10,"output":5}'}},
        ],
    }


@pytest.fixture(scope="module")
def recorded(stack: Stack) -> Iterator[Stack]:
    """What the recorded instance already held: two versions of a prompt, a user, generations with a cost."""
    url = stack.url("web")
    for _ in range(2):
        prompt = {"name": "p", "prompt": "hi", "labels": ["production"]}
        assert fetch_json("POST", f"{url}/api/public/v2/prompts", prompt, headers())[0] == 201
    user = {"name": "n", "email": "x@example.com", "password": "Passw0rd!x"}
    assert fetch_json("POST", f"{url}/api/auth/signup", user) == (200, {"message": "User created"})
    export = {"resourceSpans": [{"scopeSpans": [{"spans": [_generation(1), _generation(2)]}]}]}
    assert fetch_json("POST", f"{url}/api/public/otel/v1/traces", export, headers())[0] == 200
    yield stack


@pytest.fixture(scope="module")
def captured() -> Captured:
    return Captured()


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: g.id)
def test_answers_as_recorded(recorded: Stack, captured: Captured, group: Group) -> None:
    last = group.exchanges[-1]
    # Some of it is so after the next full minute only.
    patience = 150 if last["method"] == "GET" and last["status"] == 200 else 0
    until = time.monotonic() + patience
    while True:
        answer = send(recorded, last, captured)
        wrong = compare(group, last, *answer)
        if not wrong or time.monotonic() > until:
            break
        time.sleep(0.3)
    assert wrong == []
