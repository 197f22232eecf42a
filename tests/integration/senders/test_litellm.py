"""LiteLLM, as a library and as a gateway, with both of its callbacks and a model that is not there."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.integration.modules.stack import free_port
from tests.integration.senders import environments, guide
from tests.integration.senders.conftest import send
from tests.integration.senders.langfuse import Langfuse
from tests.integration.senders.processes import serving

pytestmark = pytest.mark.engine
# Callback -> name of the generation, observations of a call, model as it is named.
CALLS = {
    "langfuse": ("litellm-acompletion", 1, "openai/gpt-4o-mini"),
    "langfuse_otel": ("litellm_request", 2, "gpt-4o-mini"),
}
FAILED_COUNT = {"langfuse": 1, "langfuse_otel": 1}
PROOF = "langfuse-proof"
MASTER_KEY = "sk-canary-master"
COST = 10 * 0.15e-6 + 20 * 0.6e-6


def context(row: dict[str, Any], tag: str) -> None:
    assert (row["userId"], row["sessionId"], row["traceName"]) == ("driver-7", "shift-1", "litellm-request")
    assert tag in row["tags"]
    assert row["metadata"]["vehicle_id"] == "v-42"


def success(row: dict[str, Any], tag: str, model: str = "gpt-4o-mini") -> None:
    context(row, tag)
    assert (row["type"], row["model"], row["level"]) == ("GENERATION", model, "DEFAULT")
    usage = {name: row["usageDetails"][name] for name in ("input", "output", "total")}
    assert (usage, row["totalCost"]) == ({"input": 10, "output": 20, "total": 30}, pytest.approx(COST))
    assert "hello" in row["output"]


@pytest.fixture(scope="module")
def library(langfuse: Langfuse) -> str:
    """Both callbacks in one process: LiteLLM takes seconds to import."""
    tag = f"library-{uuid.uuid4().hex[:8]}"
    command = [
        str(environments.python(environments.LITELLM)),
        str(environments.HERE / "clients" / "litellm_library.py"),
    ]
    send(*command, TAG=tag, CALLBACKS=" ".join(CALLS), **environments.LITELLM_QUIET, **langfuse.environment)
    return tag


def test_the_library_with_the_langfuse_callback(langfuse: Langfuse, library: str) -> None:
    tag = f"{library}-langfuse"
    (row,) = langfuse.trace(tag, 1)
    success(row, tag)
    (failed,) = langfuse.trace(f"{tag}-failed", 1)
    context(failed, f"{tag}-failed")
    assert failed["level"] == "ERROR" and "mock rate limit error" in failed["statusMessage"]


def test_the_library_with_the_otel_callback(langfuse: Langfuse, library: str) -> None:
    tag = f"{library}-langfuse_otel"
    found = langfuse.named(tag, 2)
    success(found["litellm_request"], tag)
    assert found["raw_gen_ai_request"]["parentObservationId"] == found["litellm_request"]["id"]
    (failed,) = langfuse.trace(f"{tag}-failed", 1)
    context(failed, f"{tag}-failed")
    assert failed["level"] == "ERROR"
    assert "mock rate limit error" in failed["metadata"]["attributes.error.message"]


@pytest.fixture(scope="module", params=["langfuse", "langfuse_otel"])
def gateway(
    request: pytest.FixtureRequest,
    run: Callable[..., Any],
    langfuse: Langfuse,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    yield from start_gateway(run, langfuse, tmp_path_factory.mktemp("gateway"), request.param)


class Gateway(NamedTuple):
    url: str
    callback: str
    config: Path


def start_gateway(run: Callable[..., Any], langfuse: Langfuse, folder: Path, callback: str) -> Iterator[Gateway]:
    """The guide's configuration, with answers instead of a model."""
    document = guide.configuration("the tests start this file")
    callbacks = {"success_callback": ["langfuse"], "failure_callback": ["langfuse"]}
    assert document["litellm_settings"] == callbacks
    model, proof = document["model_list"]
    assert proof["model_name"] == PROOF
    model["litellm_params"].update(api_key="none", mock_response="hello")
    broken = {**model["litellm_params"], "mock_response": "litellm.RateLimitError"}
    document["model_list"].append({"model_name": "broken", "litellm_params": broken})
    path, port = folder / "gateway.yaml", free_port()
    path.write_text(yaml.safe_dump(document))
    run("sender_config", path=str(path), kind="litellm", callback=callback)
    assert (yaml.safe_load(path.read_text())["litellm_settings"] == callbacks) == (callback == "langfuse")
    program = str(environments.python(environments.LITELLM).parent / "litellm")
    command = [program, "--config", str(path), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    url = f"http://127.0.0.1:{port}"
    keys = {"LITELLM_MASTER_KEY": MASTER_KEY}
    with serving(
        command,
        folder / "log",
        f"{url}/health/liveliness",
        120,
        **keys,
        **environments.LITELLM_QUIET,
        **langfuse.environment,
    ):
        yield Gateway(url, callback, path)


def ask(url: str, model: str, tag: str) -> int:
    metadata = {
        "tags": [tag],
        "trace_name": "litellm-request",
        "session_id": "shift-1",
        "trace_user_id": "driver-7",
        "trace_id": uuid.uuid4().hex,
        "trace_metadata": {"vehicle_id": "v-42"},
    }
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "metadata": metadata, "num_retries": 0}
    # The proxy drops it: what the configuration says comes.
    body["mock_response"] = "of the request"
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Bearer {MASTER_KEY}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_gateway(langfuse: Langfuse, gateway: Gateway) -> None:
    url, callback, _config = gateway
    tag = f"gateway-{uuid.uuid4().hex[:8]}"
    assert (ask(url, "gpt-4o-mini", tag), ask(url, "broken", f"{tag}-failed")) == (200, 429)
    name, count, model = CALLS[callback]
    success(langfuse.named(tag, count)[name], tag, model)
    found = langfuse.named(f"{tag}-failed", FAILED_COUNT[callback])
    context(found[name], f"{tag}-failed")
    assert found[name]["level"] == "ERROR"


def test_the_proof_of_connect(run: Callable[..., Any], langfuse: Langfuse, gateway: Gateway) -> None:
    """With a file only, as for a process of the host; with a container: `test_connect_litellm.py`."""
    env = gateway.config.with_name(".env")
    env.write_text("".join(f"{name}={value}\n" for name, value in langfuse.environment.items()))

    def prove(model: str = PROOF, key: str = MASTER_KEY) -> dict[str, Any]:
        files = {"env_path": str(env), "config_path": str(gateway.config)}
        proof = {"proof_url": gateway.url, "proof_model": model, "proof_key": key}
        result: dict[str, Any] = run("langfuse_consumer", **files, **proof, prove=True, timeout=30)
        assert key not in json.dumps(result)
        return result

    done = prove()
    assert f"another one went through LiteLLM at {gateway.url}, by its own client" in done.get("proved", ""), done
    assert prove(key="sk-canary-wrong")["code"] == "gateway_key"
    text = gateway.config.read_text()
    gateway.config.write_text(text.replace("It does.", "Written after its start."))
    assert prove()["code"] == "gateway_other_file"
    gateway.config.write_text(text.replace(PROOF, "new-model"))
    assert prove("new-model")["code"] == "gateway_refused_request"
    gateway.config.write_text(text)
    assert prove("nobody")["code"] == "gateway_model"
