"""What is told of a sender's container and of the proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import consumer
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


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
    timings = {"readable": 12.5}
    result: dict[str, Any] = {"url": "http://web:3000", "container": container, "unsaid": [], "timings": timings}
    text = consumer.proved(result, by_name, "not by its own client")
    assert said in text and unsaid not in text and "not by its own client" in text


def made_in(directory: str, name: str = "shop-ai-1") -> dict[str, Any]:
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.project.working_dir": directory}
    return {"Name": name, "Config": {"Labels": labels}}


def test_a_container_of_another_directory_of_the_same_name() -> None:
    """Compose itself tells them apart by the project's name only."""
    mine, other = made_in("/srv/b/shop"), made_in("/srv/a/shop")
    assert consumer.own([other, mine], "/srv/b/shop/", "ai") is mine
    assert consumer.own([], "/srv/b/shop", "ai") is None
    with pytest.raises(Failure) as caught:
        consumer.own([other], "/srv/b/shop", "ai")
    assert caught.value.code == "project_elsewhere"
    assert "project shop of /srv/b/shop has its ai from /srv/a/shop" in caught.value.message


def test_a_directory_by_another_way(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert consumer.own([made_in(str(tmp_path))], str(tmp_path / "link"), "ai")


def test_what_its_container_has_beside_the_file() -> None:
    """A rate of 0 in `environment` of the service would let no trace through."""
    result = {"url": "http://a", "container": "ai-1", "unsaid": ["LANGFUSE_SAMPLE_RATE"], "timings": {"readable": 1.0}}
    assert "(and LANGFUSE_SAMPLE_RATE, which its file does not say)" in consumer.proved(result, False, "")
