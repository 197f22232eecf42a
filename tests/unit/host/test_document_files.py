"""Documents in a directory: what differs, what goes, and what a diff may tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.document_files import (
    MANIFEST,
    Change,
    Store,
    diff_text,
    sensitive_summary,
)


def _file(path: str, mode: str = "0644", **more: Any) -> dict[str, Any]:
    return {"path": path, "mode": mode, "sensitive": False, "form": "yaml", **more}


def _apply(store: Store, files: list[dict[str, Any]], contents: dict[str, str]) -> tuple[list[str], list[str]]:
    changes, removed = store.compare(files, contents)
    store.write([change.file for change in changes], contents)
    store.remove(removed)
    store.remember([file["path"] for file in files])
    return [change.file["path"] for change in changes], removed


def test_a_second_write_changes_nothing(tmp_path: Path) -> None:
    store, files, contents = Store(str(tmp_path)), [_file("a"), _file("sub/b", "0600")], {"a": "1", "sub/b": "2"}
    assert _apply(store, files, contents) == (["a", "sub/b"], [])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert _apply(store, files, contents) == ([], [])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (tmp_path / "sub" / "b").stat().st_mode & 0o777 == 0o600


def test_content_and_mode_drift_are_repaired(tmp_path: Path) -> None:
    store, files, contents = Store(str(tmp_path)), [_file("a"), _file("b", "0600")], {"a": "1", "b": "2"}
    _apply(store, files, contents)
    (tmp_path / "a").write_text("edited")
    (tmp_path / "b").chmod(0o644)
    assert _apply(store, files, contents) == (["a", "b"], [])
    assert (tmp_path / "a").read_text() == "1"
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_only_own_documents_are_removed(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    _apply(store, [_file("a"), _file("b")], {"a": "1", "b": "2"})
    (tmp_path / "theirs").write_text("kept")
    assert _apply(store, [_file("a")], {"a": "1"}) == ([], ["b"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [MANIFEST, "a", "theirs"]


def test_a_path_outside_the_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not under"):
        Store(str(tmp_path)).write([_file("../escape")], {"../escape": "x"})


def test_a_sensitive_env_file_tells_names_only() -> None:
    before, after = sensitive_summary("env", 'A="secret1"\nB="same"\nC="gone"\n', 'A="secret2"\nB="same"\nD="new"\n')
    assert before == "A=(hidden)\nC=(hidden)\n"
    assert after == "A=(hidden, changed)\nD=(hidden, new)\n"


@pytest.mark.parametrize("form", ["env", "yaml"])
def test_a_sensitive_diff_holds_no_value(form: str) -> None:
    change = Change(_file("a", "0600", sensitive=True, form=form), 'A="secret1"\n', 'A="secret2"\n', "0644")
    text = str(diff_text("/x/a", change))
    assert "secret" not in text
    assert "mode: 0644" in text and "mode: 0600" in text
