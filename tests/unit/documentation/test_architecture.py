"""The page about where things are names what is there, each once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("place", ["roles", "playbooks"])
def test_every_role_and_playbook_is_named_once(place: str) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    (row,) = re.findall(rf"^\| `{place}/` \| (.*) \|$", text, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", row)) == sorted(path.stem for path in (ROOT / place).iterdir())
