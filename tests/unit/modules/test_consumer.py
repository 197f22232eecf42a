"""What is told of a sender's container and of the proof."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import consumer


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (["LANGFUSE_HOST=", "LANGFUSE_SECRET_KEY="], []),
        (["LANGFUSE_HOST=http://elsewhere", "LANGFUSE_SECRET_KEY=", "PATH=/bin"], ["LANGFUSE_HOST"]),
        (["LANGFUSE_SAMPLE_RATE=0", "LANGFUSE_BASIC=x"], ["LANGFUSE_BASIC", "LANGFUSE_SAMPLE_RATE"]),
        (None, []),
    ],
)
def test_an_empty_name_is_not_kept(lines: list[str] | None, names: list[str]) -> None:
    """``LANGFUSE_HOST: ${LANGFUSE_HOST:-}`` in a Compose file makes one in every container."""
    assert consumer.kept({"Config": {"Env": lines}}) == names


@pytest.mark.parametrize(
    ("container", "by_name", "said", "unsaid"),
    [
        ("shop-ai-1", True, "shop-ai-1 has these keys", "only containers know"),
        (None, True, "a name that only containers know", "has these keys"),
        (None, False, "through http://web:3000 after 12.5 ms; ", "only containers know"),
    ],
)
def test_the_proof_says_what_it_is_not(container: str | None, by_name: bool, said: str, unsaid: str) -> None:
    result: dict[str, Any] = {"url": "http://web:3000", "container": container, "timings": {"readable": 12.5}}
    text = consumer.proved(result, by_name, "not by its own client")
    assert said in text and unsaid not in text and "not by its own client" in text
