"""The example service traces alerts by hand, and the guide's questions about them are answered by the API."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.modules.stack import free_port
from tests.integration.senders import environments, guide
from tests.integration.senders.langfuse import Langfuse
from tests.integration.senders.processes import serving

pytestmark = pytest.mark.engine
EXAMPLE = environments.ROOT / "examples" / "ai-service"
INVESTIGATOR, FINAL = "ask-investigator", "ask-final"


@pytest.fixture(scope="module")
def alerts(langfuse: Langfuse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What was sent to the service, by a name each: status, answer and the vehicle, which is this run's own."""
    python, port = environments.python(EXAMPLE / "requirements.txt"), free_port()
    log = tmp_path_factory.mktemp("service") / "log"
    own = uuid.uuid4().hex[:6]
    sent = {}
    url = f"http://127.0.0.1:{port}"
    with serving(
        [str(python), str(EXAMPLE / "service.py")], log, f"{url}/health", 120, PORT=str(port), **langfuse.environment
    ):
        for name, kind, vehicle, text in (
            ("first", "panic", f"v-1-{own}", "button pressed"),
            ("second", "panic", f"v-1-{own}", "button pressed again"),
            ("other", "speeding", f"v-2-{own}", "too fast"),
            ("refused", "panic", f"v-3-{own}", "please refuse this"),
        ):
            alert = {
                "event_id": name,
                "alert_type": kind,
                "vehicle_id": vehicle,
                "driver_name": "driver-7",
                "text": text,
            }
            tagged = {**alert, "shift_id": "shift-1", "tags": [f"{name}-{own}"]}
            sent[name] = {"vehicle": vehicle, "tag": f"{name}-{own}", **post(url, tagged)}
        sent["incomplete"] = post(url, {"event_id": "x"})
    # The service has ended: what its last batch held must have been sent on the way out.
    yield sent


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(f"{url}/alerts/ingest", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return {"status": answer.status, "answer": json.load(answer)}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "answer": json.load(error)}


def test_an_alert_is_one_trace_with_its_context_and_phases(langfuse: Langfuse, alerts: dict[str, Any]) -> None:
    first = alerts["first"]
    assert first["status"] == 200
    found = langfuse.named(first["tag"], 6)
    assert set(found) == {"alert", "ingestion", "investigator", "final", INVESTIGATOR, FINAL}
    for row in found.values():
        assert (row["traceId"], row["traceName"]) == (first["answer"]["trace_id"], "alert")
        assert (row["userId"], row["sessionId"]) == ("driver-7", "shift-1")
        assert set(row["tags"]) == {"panic", first["tag"]}
        assert (row["metadata"]["vehicle_id"], row["metadata"]["event_id"]) == (first["vehicle"], "first")
    whole = found["alert"]
    assert json.loads(whole["input"])["text"] == "button pressed"
    assert json.loads(whole["output"]) == {name: first["answer"][name] for name in ("assessment", "message")}
    parents = {name: row["parentObservationId"] for name, row in found.items()}
    assert (parents[INVESTIGATOR], parents["final"]) == (found["investigator"]["id"], whole["id"])
    ask = found[INVESTIGATOR]
    assert (ask["type"], ask["model"], ask["usageDetails"]["output"]) == ("GENERATION", "gpt-4o-mini", 12)
    assert ask["totalCost"] == pytest.approx(ask["inputUsage"] * 0.15e-6 + ask["outputUsage"] * 0.6e-6)


def test_a_failure_is_an_error_with_its_message_and_stack_trace(langfuse: Langfuse, alerts: dict[str, Any]) -> None:
    refused = alerts["refused"]
    assert (refused["status"], alerts["incomplete"]["status"]) == (502, 422)
    assert alerts["incomplete"]["answer"] == {"error": "missing: alert_type, vehicle_id, driver_name"}
    found = langfuse.named(refused["tag"], 4)
    assert found["ingestion"]["level"] == "DEFAULT"
    for name in ("alert", "investigator", INVESTIGATOR):
        row = found[name]
        assert (row["level"], row["statusMessage"]) == ("ERROR", f"Unavailable: {refused['answer']['error']}")
        assert "in ask\n" in row["metadata"]["stack_trace"]


@pytest.mark.parametrize("limit", ["1000", "2"])
def test_the_guides_questions(langfuse: Langfuse, alerts: dict[str, Any], limit: str) -> None:
    """With pages of two the same answers come."""
    for name, count in (("first", 6), ("second", 6), ("other", 6), ("refused", 4)):
        langfuse.trace(alerts[name]["tag"], count)
    if missing := [tool for tool in ("bash", "curl", "jq") if shutil.which(tool) is None]:
        pytest.skip(f"no {', '.join(missing)} on this machine")

    def answer(question: str) -> list[list[str]]:
        blocks = guide.commands()
        text = (blocks["function"] + blocks[question]).replace("limit=1000", f"limit={limit}")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            env={"PATH": os.environ["PATH"], **langfuse.environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    ids = [alerts[name]["answer"]["trace_id"] for name in ("first", "second")]
    panic = {row[0]: row for row in answer("tag")}
    assert all(panic[identity] == [identity, "alert", "driver-7"] for identity in ids)
    refused = langfuse.named(alerts["refused"]["tag"], 4)["alert"]["traceId"]
    assert refused in panic and alerts["other"]["answer"]["trace_id"] not in panic

    costs = {row[0]: (float(row[1]), int(row[2])) for row in answer("cost")}
    for vehicle, names in ((alerts["first"]["vehicle"], ("first", "second")), (alerts["other"]["vehicle"], ("other",))):
        rows = [row for name in names for row in langfuse.trace(alerts[name]["tag"], 6)]
        assert costs[vehicle] == (pytest.approx(sum(row["totalCost"] for row in rows)), 2 * len(names))
        assert costs[vehicle][0] > 0

    errors = [row for row in answer("errors") if row[0] == refused]
    # They begin within one millisecond, so their order among themselves is open.
    assert sorted(row[1] for row in errors) == ["alert", INVESTIGATOR, "investigator"]
    assert {row[2] for row in errors} == {"Unavailable: the provider answered 429 to the investigator"}
