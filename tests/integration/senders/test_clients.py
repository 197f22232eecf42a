"""Each real client sends, and its trace is found by its tag through the public API with all that matters."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.modules.stack import free_port
from tests.integration.senders import environments, guide
from tests.integration.senders.conftest import send
from tests.integration.senders.langfuse import Langfuse
from tests.integration.senders.processes import serving

pytestmark = pytest.mark.engine
CLIENTS = environments.HERE / "clients"
EXAMPLE = environments.ROOT / "examples" / "ai-service"
SDK_5 = environments.HERE / "requirements" / "python-sdk-5.txt"


def context(row: dict[str, Any], tag: str) -> None:
    """User, session, tags and metadata of a trace."""
    assert (row["userId"], row["sessionId"], sorted(row["tags"])) == ("driver-7", "shift-1", sorted([tag, "second"]))
    assert row["metadata"]["vehicle_id"] == "v-42"


@pytest.mark.parametrize("requirements", [EXAMPLE / "requirements.txt", SDK_5], ids=["4", "5"])
def test_the_python_sdk(langfuse: Langfuse, tag: str, requirements: Any) -> None:
    python = environments.python(requirements)
    send(str(python), str(CLIENTS / "python_sdk.py"), TAG=tag, **langfuse.environment)
    found = langfuse.named(tag, 3)
    check_sdk(found, tag, "sdk-request")
    assert (found["notify"]["level"], found["notify"]["statusMessage"]) == ("ERROR", "ValueError: boom")
    assert found["ask"]["modelParameters"] == {"temperature": 0.2}


def test_the_javascript_sdk(langfuse: Langfuse, tag: str) -> None:
    node = environments.node()
    if node is None:
        pytest.skip(f"no node {environments.OLDEST_NODE} or newer with npm on this machine")
    place = environments.javascript(CLIENTS / "javascript")
    shutil.copy(CLIENTS / "javascript" / "send.mjs", place)
    send(node, str(place / "send.mjs"), TAG=tag, **langfuse.environment)
    found = langfuse.named(tag, 3)
    check_sdk(found, tag, "js-request")
    assert (found["notify"]["level"], found["notify"]["statusMessage"]) == ("ERROR", "boom")


def check_sdk(found: dict[str, dict[str, Any]], tag: str, trace_name: str) -> None:
    for row in found.values():
        context(row, tag)
        assert row["traceName"] == trace_name
    root, ask = found["request"], found["ask"]
    assert root["isRootObservation"]
    assert (json.loads(root["input"]), json.loads(root["output"])) == ({"event": "e1"}, {"answer": "hello"})
    assert (ask["type"], ask["model"], ask["output"]) == ("GENERATION", "gpt-4o-mini", "hello")
    assert (ask["usageDetails"], ask["totalCost"]) == ({"input": 12, "output": 5, "total": 17}, 0.0123)
    assert (found["notify"]["type"], found["notify"]["parentObservationId"]) == ("TOOL", root["id"])


RESOURCE = {"OTEL_SERVICE_NAME": "sender", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=staging"}


def test_an_opentelemetry_sdk(langfuse: Langfuse, tag: str) -> None:
    python = environments.python(SDK_5)
    send(str(python), str(CLIENTS / "opentelemetry_sdk.py"), TAG=tag, **langfuse.otlp, **RESOURCE)
    check_otel(langfuse.named(tag, 3), tag)


def check_otel(found: dict[str, dict[str, Any]], tag: str) -> None:
    for row in found.values():
        context(row, tag)
        assert (row["environment"], row["traceName"]) == ("staging", "otel-request")
    chat, failed = found["chat"], found["notify"]
    assert (chat["type"], chat["model"], chat["modelParameters"]) == ("GENERATION", "gpt-4o-mini", {"temperature": 0.2})
    assert chat["usageDetails"] == {"input": 12, "output": 5, "total": 17}
    # Nobody sent a cost: it is computed from the price of the model.
    assert chat["totalCost"] == pytest.approx(12 * 0.15e-6 + 5 * 0.6e-6)
    assert (failed["level"], failed["statusMessage"]) == ("ERROR", "ValueError: boom")


@pytest.mark.long
def test_a_collector_between(langfuse: Langfuse, tag: str, tmp_path: Path) -> None:
    """The guide's configuration in a real collector; the sender knows no key."""
    if why := environments.go():
        pytest.skip(why)
    program = environments.collector()
    document = guide.configuration("the tests start a collector")
    address = f"127.0.0.1:{free_port()}"
    document["receivers"]["otlp"]["protocols"]["http"]["endpoint"] = address
    path = tmp_path / "collector.yaml"
    path.write_text(yaml.safe_dump(document))
    python = environments.python(SDK_5)
    keys = {"LANGFUSE_BASE_URL": langfuse.url, "LANGFUSE_BASIC": langfuse.basic}
    with serving([str(program), "--config", str(path)], tmp_path / "log", f"http://{address}", 120, **keys):
        sender = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}", **RESOURCE}
        send(str(python), str(CLIENTS / "opentelemetry_sdk.py"), TAG=tag, **sender)
        check_otel(langfuse.named(tag, 3), tag)
