# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""langfuse_llm_connection against the stand-in's web: check, run, again, change, absent; limits; what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.engine
ALLOW = "LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST"
# The name is known to web by its network, and its address is private.
GATEWAY = "http://seaweedfs:8333/v1"


@pytest.fixture
def wanted(stack: Any) -> dict[str, Any]:
    return {
        "url": stack.url,
        "public_key": "pk-lf-11111111-1111-4111-8111-111111111111",
        "secret_key": "sk-lf-canary-project-secret",
        "provider": "openai-eu",
        "adapter": "openai",
        "llm_secret_key": "sk-canary-llm-abcd1234",
        "custom_models": ["gpt-x"],
        "extra_headers": {"x-tenant": "canary-tenant-7"},
        "config": {"useResponsesApi": True},
    }


@pytest.fixture(autouse=True)
def empty(stack: Any) -> Iterator[None]:
    yield
    stack.sql("DELETE FROM llm_api_keys")


def writes(stack: Any) -> str:
    """Changes with every write to the table, equal content or not."""
    found: str = stack.sql("SELECT count(*), max(updated_at), max(secret_key) FROM llm_api_keys")
    return found


def test_check_run_again_change_absent(run: Any, stack: Any, wanted: dict[str, Any]) -> None:
    planned = run("langfuse_llm_connection", check=True, diff=True, **wanted)
    assert (planned["changed"], planned["id"], planned["diff"]["before"]) == (True, None, {}), planned
    assert stack.sql("SELECT count(*) FROM llm_api_keys") == "0"

    first = run("langfuse_llm_connection", diff=True, **wanted)
    assert (first["changed"], first["diff"], first["connection"]) == (True, planned["diff"], planned["connection"])
    assert first["connection"] == {
        "provider": "openai-eu",
        "adapter": "openai",
        "display_secret_key": "...1234",
        "base_url": None,
        "custom_models": ["gpt-x"],
        "with_default_models": True,
        "extra_header_keys": ["x-tenant"],
        "config": {"useResponsesApi": True},
    }

    before = writes(stack)
    again = run("langfuse_llm_connection", diff=True, **wanted)
    assert (again["changed"], again["diff"], again["id"]) == (False, {"before": {}, "after": {}}, first["id"])
    assert writes(stack) == before

    changed = {**wanted, "llm_secret_key": "sk-canary-llm-new-5678", "extra_headers": {}, "with_default_models": False}
    for check in (True, False):
        result = run("langfuse_llm_connection", check=check, diff=True, **changed)
        assert result["diff"] == {
            "before": {"display_secret_key": "...1234", "with_default_models": True, "extra_header_keys": ["x-tenant"]},
            "after": {"display_secret_key": "...5678", "with_default_models": False, "extra_header_keys": []},
        }
    assert (result["id"], stack.sql("SELECT extra_headers IS NULL FROM llm_api_keys")) == (first["id"], "t")
    assert not run("langfuse_llm_connection", **changed)["changed"]

    gone = {key: wanted[key] for key in ("url", "public_key", "secret_key", "provider")} | {"state": "absent"}
    assert run("langfuse_llm_connection", check=True, **gone)["changed"]
    assert stack.sql("SELECT count(*) FROM llm_api_keys") == "1"
    assert run("langfuse_llm_connection", **gone)["changed"]
    assert stack.sql("SELECT count(*) FROM llm_api_keys") == "0"
    assert not run("langfuse_llm_connection", **gone)["changed"]


def test_a_key_with_the_same_four_last_characters_is_noticed_only_when_forced(
    run: Any, stack: Any, wanted: dict[str, Any]
) -> None:
    run("langfuse_llm_connection", **wanted)
    before = writes(stack)
    other = {**wanted, "llm_secret_key": "sk-canary-other-key-1234", "extra_headers": {"x-tenant": "canary-tenant-8"}}
    assert not run("langfuse_llm_connection", **other)["changed"]
    assert writes(stack) == before
    assert run("langfuse_llm_connection", check=True, force_update=True, **other)["changed"]
    assert writes(stack) == before
    assert run("langfuse_llm_connection", force_update=True, **other)["changed"]
    assert writes(stack) != before
    assert not run("langfuse_llm_connection", **other)["changed"]


def test_a_key_in_json_is_compared_as_well(run: Any, wanted: dict[str, Any]) -> None:
    key = {"secretAccessKey": "canarySecretAccessKey1", "accessKeyId": "AKIACANARY"}
    bedrock = {
        **wanted,
        "provider": "aws",
        "adapter": "bedrock",
        "llm_secret_key": key,
        "config": {"region": "eu-west-1"},
    }
    assert run("langfuse_llm_connection", **bedrock)["connection"]["display_secret_key"] == "...Key1"
    assert not run("langfuse_llm_connection", **bedrock)["changed"]
    assert run("langfuse_llm_connection", **{**bedrock, "llm_secret_key": {**key, "secretAccessKey": "new2"}})[
        "changed"
    ]
    ambient = {**bedrock, "llm_secret_key": "__BEDROCK_DEFAULT_CREDENTIALS__"}
    assert run("langfuse_llm_connection", **ambient)["connection"]["display_secret_key"] == "Default AWS credentials"
    assert not run("langfuse_llm_connection", **ambient)["changed"]


def test_a_connection_beyond_the_first_page_is_found(run: Any, stack: Any, wanted: dict[str, Any]) -> None:
    run("langfuse_llm_connection", **wanted)
    others = (
        "INSERT INTO llm_api_keys (id, provider, adapter, display_secret_key, secret_key, project_id, created_at) SELECT "
        "'x' || n, 'p' || n, 'openai', '...', 'x', 'proj1', now() + '{} hour' FROM generate_series({}, {}) n"
    )
    stack.sql(others.format(-1, 1, 101))
    stack.sql(others.format(1, 102, 202))
    assert stack.sql("SELECT count(*) FROM llm_api_keys") == "203"
    assert not run("langfuse_llm_connection", **wanted)["changed"]


def test_a_private_address_is_refused_until_it_is_allowed(run: Any, stack: Any, wanted: dict[str, Any]) -> None:
    private = {**wanted, "base_url": GATEWAY}
    planned = run("langfuse_llm_connection", check=True, **private)
    assert planned["changed"] and ALLOW in json.dumps(planned["warnings"])
    refused = run("langfuse_llm_connection", **private)
    assert (refused["failed"], refused["code"]) == (True, "llm_address_private"), refused
    assert "Name seaweedfs in langfuse_llm_allowed_hosts" in refused["msg"]
    assert stack.sql("SELECT count(*) FROM llm_api_keys") == "0"

    stack.environment[ALLOW] = "seaweedfs"
    try:
        stack.start()
        allowed = run("langfuse_llm_connection", **private)
        assert (allowed.get("changed"), allowed["connection"]["base_url"]) == (True, GATEWAY)
        assert not run("langfuse_llm_connection", **private)["changed"]
    finally:
        del stack.environment[ALLOW]
        stack.start()


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        ({"secret_key": "sk-lf-canary-wrong"}, "key_refused", "must be a project's keys"),
        ({"base_url": "http://10.0.0.5:4000/v1"}, "llm_address_private", "Name 10.0.0.5 in"),
        ({"base_url": "https://vllm.internal/v1"}, "llm_address_private", "Name vllm.internal in"),
        ({"base_url": "https://gateway.invalid/v1"}, "llm_name_unknown", "make the name known"),
        ({"adapter": "bedrock", "base_url": "gateway"}, "bad_option", "config.region is missing"),
        ({"url": "http://no-such-host.invalid"}, "name", "does not resolve"),
    ],
)
def test_what_is_wrong_is_named(
    run: Any, stack: Any, wanted: dict[str, Any], wrong: dict[str, Any], code: str, words: str
) -> None:
    result = run("langfuse_llm_connection", **{**wanted, **wrong})
    assert (result["failed"], result["code"], words in result["msg"]) == (True, code, True), result
    assert stack.sql("SELECT count(*) FROM llm_api_keys") == "0"
    if code == "bad_option":
        assert len(result["problems"]) == 4 and all(problem in result["msg"] for problem in result["problems"])


def test_nothing_listens(run: Any, wanted: dict[str, Any], closed_port: str) -> None:
    assert run("langfuse_llm_connection", **{**wanted, "url": f"http://{closed_port}"})["code"] == "web_down"


def test_without_an_encryption_key_the_cure_is_named(run: Any, stack: Any, wanted: dict[str, Any]) -> None:
    key = stack.environment.pop("ENCRYPTION_KEY")
    try:
        stack.start()
        assert run("langfuse_llm_connection", **wanted)["code"] == "encryption_key_missing"
    finally:
        stack.environment["ENCRYPTION_KEY"] = key
        stack.start()
