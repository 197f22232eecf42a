"""Configurations of LiteLLM and the Collector: what is written, and that the rest of the file stays."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import sender_config, yaml_file
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.modules import sender_config as module

OPTIONS: dict[str, Any] = {
    "state": "present",
    "callback": "langfuse_otel",
    "log_messages": None,
    "tags": [],
    "pipelines": ["traces"],
}


def edit(kind: str, text: str, **options: Any) -> str:
    wanted = {**OPTIONS, **options}
    once, _before, _after = yaml_file.edited(text, "x", lambda document: sender_config.EDITS[kind](document, wanted))
    again, _before, _after = yaml_file.edited(once, "x", lambda document: sender_config.EDITS[kind](document, wanted))
    assert again == once
    return once


GATEWAY = """\
# Gateway
model_list:
  - model_name: gpt  # the cheap one
    litellm_params: {model: "openai/gpt", api_key: os.environ/OPENAI_API_KEY}

litellm_settings:
  # ours
  drop_params: true   # needed

# General
general_settings:
  master_key: 'os.environ/LITELLM_MASTER_KEY'
"""
OTEL = "  callbacks:\n    - langfuse_otel\n"


@pytest.mark.parametrize(
    ("before", "options", "after"),
    [
        (GATEWAY, {}, GATEWAY.replace("needed\n", f"needed\n{OTEL}")),
        (
            GATEWAY,
            {"log_messages": False},
            GATEWAY.replace("needed\n", f"needed\n{OTEL}  turn_off_message_logging: true\n"),
        ),
        (
            GATEWAY.replace("needed\n", f"needed\n{OTEL}"),
            {"callback": "langfuse", "tags": ["cache_hit"]},
            GATEWAY.replace(
                "needed\n",
                "needed\n  success_callback:\n    - langfuse\n  failure_callback:\n    - langfuse\n"
                "  langfuse_default_tags:\n    - cache_hit\n",
            ),
        ),
        (GATEWAY.replace("needed\n", f"needed\n{OTEL}"), {"state": "absent"}, GATEWAY),
        (GATEWAY, {"state": "absent"}, GATEWAY),
        ("model_list: []\n", {"state": "absent"}, "model_list: []\n"),
        ("model_list: []\n", {}, f"model_list: []\nlitellm_settings:\n{OTEL}"),
        (
            "litellm_settings:\n  callbacks: [prometheus, langfuse]  # two\n",
            {},
            "litellm_settings:\n  callbacks: [prometheus, langfuse_otel] # two\n",
        ),
        (
            "litellm_settings:\n  callbacks:\n  - prometheus\n  # not this\n  - langfuse\n# end\n",
            {},
            "litellm_settings:\n  callbacks:\n  - prometheus\n  # not this\n  - langfuse_otel\n# end\n",
        ),
        (
            "a: 1\r\nlitellm_settings: {}\r\n",
            {},
            "a: 1\r\nlitellm_settings:\r\n  callbacks:\r\n    - langfuse_otel\r\n",
        ),
    ],
)
def test_litellm(before: str, options: dict[str, Any], after: str) -> None:
    assert edit("litellm", before, **options) == after


COLLECTOR = """\
exporters:
    debug: {}
    # the other one
    otlp/tempo:
        endpoint: tempo:4317

# the way
service:
    pipelines:
        traces:
            receivers: [otlp]
            exporters: [otlp/tempo]
        metrics:
            receivers:
            - otlp
"""
EXPORTER = """\
    otlphttp/langfuse:
        endpoint: ${env:LANGFUSE_BASE_URL}/api/public/otel
        headers:
            Authorization: Basic ${env:LANGFUSE_BASIC}
            x-langfuse-ingestion-version: '4'
"""
CONNECTED = COLLECTOR.replace("tempo:4317\n", f"tempo:4317\n{EXPORTER}").replace(
    "[otlp/tempo]", "[otlp/tempo, otlphttp/langfuse]"
)
SECOND = """\
        traces/2:
            receivers: [otlp]
            exporters: [otlp/tempo, otlphttp/langfuse]
"""


@pytest.mark.parametrize(
    ("before", "options", "after"),
    [
        (COLLECTOR, {}, CONNECTED),
        (CONNECTED, {"state": "absent"}, COLLECTOR),
        (
            CONNECTED.replace("        headers:\n", "        timeout: 3s\n        headers:\n").replace(
                "{env:LANGFUSE_BASIC}", "{OLD}"
            ),
            {},
            CONNECTED.replace("        headers:\n", "        timeout: 3s\n        headers:\n"),
        ),
        # A pipeline that is not named any more.
        (CONNECTED + SECOND, {}, CONNECTED + SECOND.replace(", otlphttp/langfuse", "")),
        (CONNECTED + SECOND, {"pipelines": ["traces/2", "traces"]}, CONNECTED + SECOND),
    ],
)
def test_collector(before: str, options: dict[str, Any], after: str) -> None:
    assert edit("otel_collector", before, **options) == after


@pytest.mark.parametrize(
    ("kind", "text", "options", "code"),
    [
        ("litellm", "a: [\n", {}, "bad_file"),
        ("litellm", "- a\n", {}, "bad_file"),
        ("litellm", "a: 1\n---\nb: 1\n", {}, "bad_file"),
        ("litellm", "a: 1\na: 2\n", {}, "bad_file"),
        ("litellm", "litellm_settings: yes please\n", {}, "bad_file"),
        ("litellm", "litellm_settings: {callbacks: langfuse}\n", {}, "bad_file"),
        ("otel_collector", "receivers: {}\n", {}, "bad_file"),
        ("otel_collector", COLLECTOR, {"pipelines": ["traces/other"]}, "pipeline_missing"),
        ("otel_collector", COLLECTOR, {"pipelines": ["metrics"]}, "bad_option"),
        ("otel_collector", CONNECTED.replace("[otlp/tempo, ", "["), {"state": "absent"}, "last_exporter"),
        ("otel_collector", CONNECTED + SECOND.replace("otlp/tempo, ", ""), {}, "last_exporter"),
    ],
)
def test_what_cannot_be_edited_is_refused(kind: str, text: str, options: dict[str, Any], code: str) -> None:
    with pytest.raises(Failure) as caught:
        edit(kind, text, **options)
    assert caught.value.code == code and caught.value.cure


def test_a_broken_file_is_not_quoted() -> None:
    with pytest.raises(Failure) as caught:
        edit("litellm", "master_key: sk-canary-master: [\n")
    assert "canary" not in caught.value.message


def test_a_diff_shows_what_changed_and_no_secret() -> None:
    document = {
        "litellm_settings": {
            "callbacks": ["langfuse"],
            "cache_params": {"password": "canary-1"},
            "api_base": "http://u:canary-2@x",
            "headers": {"X": "canary-3"},
            "other_key": "os.environ/KEPT",
        },
        "model_list": ["canary-4"],
    }
    text = module.shown(document, ("litellm_settings",))
    assert "canary" not in text
    assert "langfuse" in text and "os.environ/KEPT" in text
