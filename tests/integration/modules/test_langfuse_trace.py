# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""langfuse_trace against the stand-in pair: the contract of 4.16.0 on real stores."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytestmark = pytest.mark.engine
KEY = {"public_key": "pk-lf-11111111-1111-4111-8111-111111111111", "secret_key": "sk-lf-canary-project-secret"}


@pytest.fixture
def target(stack: Any) -> dict[str, Any]:
    return {"url": stack.url, **KEY}


def test_check_mode_says_what_it_would_send_and_sends_nothing(run: Any, stack: Any, target: Any) -> None:
    planned = run("langfuse_trace", check=True, **target)
    spans = planned["would_send"]["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (planned["changed"], len(spans)) == (False, 3)
    time.sleep(1.5)
    assert planned["trace_id"] not in stack.clickhouse("SELECT DISTINCT trace_id FROM events_full")


def test_a_trace_comes_back_equal(run: Any, stack: Any, target: Any) -> None:
    result = run(
        "langfuse_trace",
        trace_name="modules",
        environment="modules",
        tags=["a", "b"],
        metadata={"number": 7, "nested": '{"a": 1}'},
        user_id="someone",
        session_id="once",
        **target,
    )
    assert (result.get("failed"), result["differences"], result["changed"]) == (None, [], False), result
    assert set(result["timings"]) == {"accepted", "readable", "compared"}
    assert result["trace_id"] in stack.clickhouse("SELECT DISTINCT trace_id FROM events_full")


def test_deletion_is_asked_for(run: Any, target: Any) -> None:
    assert run("langfuse_trace", delete=True, **target)["deleted"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"secret_key": "sk-lf-canary-wrong"}, "key_refused"),
        ({"environment": "langfuse-verify"}, "bad_option"),
        ({"url": "not a url"}, "bad_option"),
        ({"url": "http://no-such-host.invalid"}, "name"),
        ({"resolve": ["nonsense"]}, "bad_option"),
    ],
)
def test_what_is_wrong_is_named(run: Any, target: Any, wrong: dict[str, Any], code: str) -> None:
    result = run("langfuse_trace", **{**target, **wrong})
    assert (result["failed"], result["code"]) == (True, code), result


def test_nothing_listens(run: Any, target: Any, closed_port: str) -> None:
    assert run("langfuse_trace", **{**target, "url": f"http://{closed_port}"})["code"] == "web_down"


def test_the_name_may_be_given_an_address(run: Any, stack: Any, target: Any) -> None:
    name = {
        "url": f"http://langfuse.invalid:{stack.web_port}",
        "resolve": [f"langfuse.invalid:{stack.web_port}:127.0.0.1"],
    }
    assert run("langfuse_trace", **{**target, **name})["differences"] == []
