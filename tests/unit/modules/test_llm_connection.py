# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""LLM connections: what is refused before anything is sent, what is compared, what an answer means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import llm_connection as llm
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.http_client import Response

GOOD: dict[str, Any] = {
    "provider": "litellm",
    "state": "present",
    "adapter": "openai",
    "llm_secret_key": "sk-canary-abcd1234",
    "base_url": "https://gateway.example.com/v1",
    "custom_models": ["m1"],
    "with_default_models": False,
    "extra_headers": {"x-b": "canary-b", "x-a": "canary-a"},
    "config": {},
    "force_update": False,
}
AWS = {"secretAccessKey": "canarySecret9876", "accessKeyId": "AKIA1111"}
GOOGLE = {
    "type": "service_account",
    "private_key_id": "0f1e2d3c",
    "private_key": "canary\nkey",
    "client_email": "a@b",
    "project_id": "p",
    "universe_domain": "googleapis.com",
}
ANSWER = {
    "id": "c1",
    "provider": "litellm",
    "adapter": "openai",
    "displaySecretKey": "...1234",
    "baseURL": "https://gateway.example.com/v1",
    "customModels": ["m1"],
    "withDefaultModels": False,
    "extraHeaderKeys": ["x-b", "x-a"],
    "config": None,
    "createdAt": "2026-11-21T20:59:35.435Z",
    "updatedAt": "2026-11-21T20:59:35.435Z",
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"provider": " "}, "provider is empty"),
        ({"llm_secret_key": ""}, "llm_secret_key must be text"),
        ({"llm_secret_key": {"a": "b"}}, "llm_secret_key must be text"),
        ({"adapter": "bedrock", "config": {"region": "eu"}}, "must be a mapping, its JSON or __BEDROCK_DEFAULT"),
        (
            {"adapter": "bedrock", "llm_secret_key": {"accessKeyId": "a"}, "config": {"region": "eu"}},
            "and nothing else",
        ),
        (
            {"adapter": "bedrock", "llm_secret_key": {**AWS, "more": "x"}, "config": {"region": "eu"}},
            "and nothing else",
        ),
        ({"adapter": "bedrock", "llm_secret_key": {"apiKey": 7}, "config": {"region": "eu"}}, "text in apiKey"),
        ({"adapter": "bedrock", "llm_secret_key": AWS}, "config.region is missing"),
        ({"adapter": "google-vertex-ai", "llm_secret_key": {"type": "user"}}, "service account"),
        ({"adapter": "google-vertex-ai", "llm_secret_key": {**GOOGLE, "private_key": ""}}, "text in private_key_id"),
        ({"adapter": "anthropic", "config": {"region": "eu"}}, "the adapter anthropic takes none"),
        ({"config": {"region": "eu"}}, "config.region is unknown to the adapter openai: it takes useResponsesApi"),
        ({"config": {"useResponsesApi": "yes"}}, "config.useResponsesApi must be true or false"),
        ({"adapter": "bedrock", "llm_secret_key": AWS, "config": {"region": ""}}, "config.region must be text"),
        ({"base_url": "gateway/v1"}, "not an http:// or https://"),
        ({"base_url": "ftp://gateway"}, "not an http:// or https://"),
        ({"base_url": "http://gateway:port/"}, "base_url is not an address"),
        ({"base_url": "https://user:pw@gateway"}, "which Langfuse refuses"),
        ({"custom_models": [""]}, "custom_models has an empty name"),
        ({"extra_headers": {"x-n": 7}}, "extra_headers.x-n is not text"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], words: str) -> None:
    found = llm.problems({**GOOD, **changes})
    assert len(found) == 1 and words in found[0], found
    assert "canary" not in found[0]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"base_url": None, "extra_headers": None, "config": None},
        {"config": {"useResponsesApi": True}},
        {"adapter": "bedrock", "llm_secret_key": AWS, "config": {"region": "eu-central-1"}},
        {"adapter": "bedrock", "llm_secret_key": '{"apiKey": "k"}', "config": {"region": "eu-central-1"}},
        {"adapter": "bedrock", "llm_secret_key": "__BEDROCK_DEFAULT_CREDENTIALS__", "config": {"region": "eu"}},
        {"adapter": "google-vertex-ai", "llm_secret_key": GOOGLE, "config": {"location": "europe-west3"}},
        {"state": "absent", "adapter": None, "llm_secret_key": None},
    ],
)
def test_what_is_good(changes: dict[str, Any]) -> None:
    assert llm.problems({**GOOD, **changes}) == []


def test_all_problems_come_in_one_message() -> None:
    wrong = {**GOOD, "adapter": "bedrock", "base_url": "gateway", "provider": ""}
    with pytest.raises(Failure) as failure:
        llm.ensure(wrong, False)
    assert failure.value.code == "bad_option"
    for words in ("provider", "llm_secret_key", "base_url", "config.region", "Nothing was sent."):
        assert words in failure.value.as_result()["msg"]


@pytest.mark.parametrize(
    ("adapter", "secret", "shown"),
    [
        ("openai", "sk-abcdefgh1234", "...1234"),
        ("openai", 'odd"}', "...odd"),
        ("bedrock", AWS, "...9876"),
        ("bedrock", json.dumps(AWS, indent=2), "...9876"),
        ("bedrock", {"apiKey": "abcd5678"}, "...5678"),
        ("bedrock", "__BEDROCK_DEFAULT_CREDENTIALS__", "Default AWS credentials"),
        ("google-vertex-ai", "__VERTEXAI_DEFAULT_CREDENTIALS__", "Default GCP credentials (ADC)"),
        ("google-vertex-ai", json.dumps(GOOGLE), "...2d3c"),
    ],
)
def test_what_the_api_shows_of_a_secret(adapter: str, secret: Any, shown: str) -> None:
    assert llm.shown(llm.secret_text(adapter, secret)) == shown


def test_a_json_secret_keeps_all_its_parts() -> None:
    assert json.loads(llm.secret_text("google-vertex-ai", GOOGLE)) == GOOGLE


def test_the_body_names_everything_because_a_put_clears_the_rest() -> None:
    assert llm.body(GOOD) == {
        "provider": "litellm",
        "adapter": "openai",
        "secretKey": "sk-canary-abcd1234",
        "baseURL": "https://gateway.example.com/v1",
        "customModels": ["m1"],
        "withDefaultModels": False,
        "extraHeaders": {"x-b": "canary-b", "x-a": "canary-a"},
    }
    cleared = llm.body({**GOOD, "base_url": "", "extra_headers": {}, "config": {"useResponsesApi": True}})
    assert (cleared["baseURL"], "extraHeaders" in cleared, cleared["config"]) == (
        None,
        False,
        {"useResponsesApi": True},
    )


@pytest.mark.parametrize(
    ("changes", "force", "step"),
    [
        ({}, False, ""),
        ({}, True, "put"),
        ({"llm_secret_key": "sk-other-1234"}, False, ""),
        ({"llm_secret_key": "sk-other-1235"}, False, "put"),
        ({"extra_headers": {"x-a": "new", "x-b": "new"}}, False, ""),
        ({"extra_headers": {"x-a": "new"}}, False, "put"),
        ({"base_url": None}, False, "put"),
        ({"custom_models": ["m1", "m2"]}, False, "put"),
        ({"with_default_models": True}, False, "put"),
        ({"adapter": "azure"}, False, "put"),
        ({"config": {"useResponsesApi": True}}, False, "put"),
    ],
)
def test_plan(changes: dict[str, Any], force: bool, step: str) -> None:
    assert llm.plan(llm.seen(ANSWER), llm.wanted({**GOOD, **changes}), force) == step


def test_plan_of_what_is_not_there_or_not_wanted() -> None:
    assert llm.plan(None, llm.wanted(GOOD), False) == "put"
    assert llm.plan(llm.seen(ANSWER), None, False) == "delete"
    assert llm.plan(None, None, True) == ""


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("http://127.0.0.1:4000", True),
        ("http://10.0.0.5/v1", True),
        ("http://[::1]:4000", True),
        ("http://localhost:4000", True),
        ("https://vllm.internal/v1", True),
        ("http://litellm:4000", True),
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8/v1", False),
    ],
)
def test_addresses_that_look_private(url: str, private: bool) -> None:
    assert llm.looks_private(url) == private


@pytest.mark.parametrize(
    ("status", "message", "code", "words"),
    [
        (400, "Invalid baseURL: Blocked IP address detected", "llm_address_private", "langfuse_llm_allowed_hosts"),
        (
            400,
            "Invalid baseURL: Blocked hostname detected",
            "llm_address_private",
            "Name litellm in langfuse_llm_allowed_hosts",
        ),
        (400, "Invalid baseURL: DNS lookup failed for litellm", "llm_name_unknown", "extra_hosts"),
        (400, "Invalid baseURL: Only http and https", "bad_option", "Correct base_url"),
        (400, "Invalid request data", "bad_option", "Invalid request data"),
        (401, "Invalid credentials.", "key_refused", "public_key and secret_key"),
        (500, "Missing environment variable: ENCRYPTION_KEY", "encryption_key_missing", "64 hexadecimal digits"),
        (500, "Something else", "refused", "log of Langfuse web"),
    ],
)
def test_what_a_refusal_means(status: int, message: str, code: str, words: str) -> None:
    answer = Response(status, [("Content-Type", "application/json")], json.dumps({"message": message}).encode(), 1.0)
    failure = llm.refusal(answer, "http://litellm:4000/v1")
    assert (failure.code, words in failure.as_result()["msg"]) == (code, True), failure.as_result()
