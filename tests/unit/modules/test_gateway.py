"""Which models of a LiteLLM proxy answer by themselves, and what its log says about traces that do not arrive."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import collector, consumer, gateway
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

REAL = "  - model_name: gpt\n    litellm_params: {model: openai/gpt, api_key: os.environ/KEY}\n"
PROOF = "  - model_name: proof\n    litellm_params: {model: openai/proof, api_key: none, mock_response: yes it does}\n"


@pytest.mark.parametrize(
    ("text", "model", "said"),
    [
        (f"model_list:\n{REAL}{PROOF}", "proof", ["yes it does"]),
        (f"model_list:\n{PROOF}{PROOF.replace('yes', 'no')}", "proof", ["yes it does", "no it does"]),
    ],
)
def test_a_model_that_answers_by_itself(tmp_path: Path, text: str, model: str, said: list[str]) -> None:
    (tmp_path / "config.yaml").write_text(text)
    assert gateway.answers(str(tmp_path / "config.yaml"), model) == said


@pytest.mark.parametrize(
    ("text", "model", "wrong"),
    [
        (f"model_list:\n{REAL}{PROOF}", "gpt", "the model gpt has no mock_response"),
        (f"model_list:\n{REAL}{PROOF}", "claude", "has no model claude"),
        # One of two places that serve it would ask a real one.
        (f"model_list:\n{PROOF}{REAL.replace('name: gpt', 'name: proof')}", "proof", "has no mock_response"),
        ("model_list:\n  - model_name: proof\n", "proof", "has no mock_response"),
        (
            PROOF.replace("yes it does", "''").replace("  - model_name", "model_list:\n  - model_name"),
            "proof",
            "has no",
        ),
        ("litellm_settings: {}\n", "proof", "has no model proof"),
        ("model_list: proof\n", "proof", "has no model proof"),
    ],
)
def test_no_model_is_asked_that_may_cost_something(tmp_path: Path, text: str, model: str, wrong: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(Failure) as caught:
        gateway.answers(str(tmp_path / "config.yaml"), model)
    assert caught.value.code == "gateway_model" and wrong in caught.value.message and "proof_model" in caught.value.cure


LATER = "INFO: 10.0.0.1:5 - POST /v1/chat/completions HTTP/1.1 200 OK\n"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (
            "ImportError: \x1b[91mlitellm requires langfuse>=4.7.0,<5 for the 'langfuse' callback, but 5.0.4 is installed. Run",
            "gateway_sdk",
            "wants langfuse>=4.7.0,<5, and 5.0.4 is installed.",
        ),
        (
            "Exception: Langfuse not installed, try running 'pip install langfuse' to fix",
            "gateway_sdk",
            "not installed.",
        ),
        (
            "LiteLLM:ERROR: Langfuse rejected an export to http://lf:3000/api/public/otel/v1/traces with HTTP 401",
            "gateway_refused",
            "refused the keys that LiteLLM sent (401).",
        ),
        ("ERROR Failed to export spans batch code: 401, reason: Unauthorized", "gateway_refused", "(401)."),
        (
            "Langfuse rejected an export to http://lf:3000/api/public/otel/v1/traces with HTTP 404; the OTLP traces route",
            "gateway_address",
            "at http://lf:3000/api/public/otel/v1/traces is no Langfuse (404).",
        ),
        ("Failed to export spans batch code: 404, reason: Not Found", "gateway_address", "is no Langfuse (404)."),
        (
            "LiteLLM:WARNING: Langfuse export to http://lf:1/api/public/otel/v1/traces raised [Errno 111] Connection refused",
            "gateway_address",
            "does not reach Langfuse at http://lf:1/api/public/otel/v1/traces.",
        ),
        ("Langfuse export to http://lf:1/x failed after 3 retries", "gateway_address", "at http://lf:1/x."),
        (
            "Transient error x encountered while exporting spans batch, retrying in 1.02s.",
            "gateway_address",
            "LiteLLM does not reach Langfuse.",
        ),
        ("Failed to export spans batch code: None, reason: no route", "gateway_address", "not reach Langfuse."),
        (
            "Failed to export spans batch due to timeout, max retries or shutdown.",
            "gateway_address",
            "not reach Langfuse.",
        ),
    ],
)
def test_what_a_log_says(line: str, code: str, said: str) -> None:
    found = gateway.sign(f"Langfuse not installed\n{line}\n{LATER}")
    assert found is not None and (found.code, found.message[-len(said) :]) == (code, said)
    assert found.cure


def test_a_log_that_says_nothing() -> None:
    assert gateway.sign(LATER) is None
    assert gateway.sign("Failed to export spans batch code: 500, reason: Internal Server Error") is None
    assert gateway.sign("Langfuse rejected an export to http://a with HTTP 500") is None
    assert gateway.sign("") is None
    assert gateway.sign("Langfuse not installed", gateway.REFUSED) is None


@pytest.mark.parametrize(
    ("entry", "values", "reason"),
    [
        ({"proof_url": None}, {}, "no proof_url"),
        ({"proof_url": "http://localhost:4000"}, {"LANGFUSE_SAMPLE_RATE": "0.5"}, "sample_rate"),
    ],
)
def test_nothing_is_asked_that_proves_nothing(entry: dict[str, str], values: dict[str, str], reason: str) -> None:
    langfuse = consumer.args.client({"ca_path": None, "validate_certs": True, "resolve": []}, "http://127.0.0.1:1")
    with pytest.raises(collector.NotSent, match=reason):
        consumer.through_gateway(entry, "", None, values, {}, langfuse, "", 0)
