"""Trees as they were looked at and found right. `python -m tests.unit.documents.flux.golden` writes them again."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..support import TREES, documents

FOLDER = Path(__file__).parent


def built(name: str) -> dict[str, str]:
    """Path → content of every file of a configuration, secrets (which are none) in clear."""
    return {one.path: one.content() for one in documents(TREES[name])}


def kept(name: str) -> dict[str, str]:
    """The same as it is kept here."""
    root = FOLDER / name
    return {str(path.relative_to(root)): path.read_text("utf-8") for path in root.rglob("*") if path.is_file()}


def write() -> None:
    for name in TREES:
        shutil.rmtree(FOLDER / name, ignore_errors=True)
        for path, content in built(name).items():
            target = FOLDER / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, "utf-8")
