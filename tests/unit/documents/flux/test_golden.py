"""Every byte of six trees: a change of one is seen by who makes it, and by who reads it."""

from __future__ import annotations

import pytest

from .golden import FOLDER, built, kept
from .support import TREES


@pytest.mark.parametrize("name", TREES)
def test_the_tree_is_the_one_that_was_looked_at(name: str) -> None:
    now, then = built(name), kept(name)
    assert sorted(now) == sorted(then)
    for path, content in now.items():
        assert content == then[path], path


def test_no_tree_is_left_behind() -> None:
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders == set(TREES)
