"""The archive of images: loaded once, and checked for what it was loaded for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import compose, images
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

WANTED = ("r/a:1", "r/b:2")


class Engine:
    """Docker with some images, and an archive that brings some."""

    def __init__(self, has: set[str], archive: set[str] | None) -> None:
        self.has, self.archive, self.loads = has, archive, 0

    def __call__(self, *words: str, timeout: float = 60, stdin: str | None = None) -> tuple[int, str, str]:
        if words[:2] == ("image", "inspect"):
            return (0, "[]", "") if words[2] in self.has else (1, "", "No such image")
        assert words == ("load", "--quiet", "--input", "/a.tar")
        self.loads += 1
        if self.archive is None:
            return 1, "", "unexpected EOF"
        self.has |= self.archive
        return 0, "", ""


def _load(engine: Engine, monkeypatch: pytest.MonkeyPatch, dry: bool = False) -> dict[str, Any]:
    monkeypatch.setattr(compose, "docker", engine)
    return images.load("/a.tar", WANTED, dry)


def test_what_is_missing_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine({"r/a:1"}, set(WANTED))
    assert _load(engine, monkeypatch) == {"changed": True, "loaded": ["r/b:2"]}
    assert _load(engine, monkeypatch) == {"changed": False, "loaded": []}
    assert engine.loads == 1


def test_a_check_says_so_and_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(set(), set(WANTED))
    assert _load(engine, monkeypatch, dry=True) == {"changed": True, "loaded": list(WANTED)}
    assert engine.loads == 0


@pytest.mark.parametrize(
    ("archive", "code", "says"), [({"r/a:1"}, "archive_incomplete", "r/b:2"), (None, "archive_unreadable", "EOF")]
)
def test_an_archive_of_something_else_is_named(
    archive: set[str] | None, code: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Failure) as caught:
        _load(Engine(set(), archive), monkeypatch)
    assert caught.value.code == code and says in caught.value.message
