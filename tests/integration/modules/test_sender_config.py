# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""sender_config on real files: check, run, again, absent; what is refused, in a check too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

GATEWAY = (
    "# Gateway\nmodel_list: []\nlitellm_settings:\n  drop_params: true  # ours\n  cache_params: {password: canary-1}\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(GATEWAY)
    path.chmod(0o604)
    return path


def test_check_run_again_absent(run: Any, file: Path) -> None:
    wanted = {"path": str(file), "kind": "litellm"}
    planned = run("sender_config", check=True, diff=True, **wanted)
    assert (planned["changed"], file.read_text()) == (True, GATEWAY)
    assert "langfuse_otel" in planned["diff"]["after"] and "canary" not in json.dumps(planned)

    first = run("sender_config", diff=True, **wanted)
    assert (first["changed"], first["diff"]) == (True, planned["diff"])
    assert file.read_text() == GATEWAY + "  callbacks:\n    - langfuse_otel\n"
    assert file.stat().st_mode & 0o777 == 0o604

    inode = file.stat().st_ino
    assert not run("sender_config", **wanted)["changed"]
    assert file.stat().st_ino == inode
    assert run("sender_config", state="absent", **wanted)["changed"]
    assert file.read_text() == GATEWAY
    assert not run("sender_config", state="absent", **wanted)["changed"]


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (None, {}, "file_missing"),
        ("a: [canary", {}, "bad_file"),
        (GATEWAY, {"tags": ["cache_hit"]}, "bad_option"),
        (GATEWAY, {"kind": "otel_collector"}, "bad_file"),
    ],
)
def test_what_cannot_be_done(run: Any, tmp_path: Path, text: str | None, options: dict[str, Any], code: str) -> None:
    path = tmp_path / "config.yaml"
    if text is not None:
        path.write_text(text)
    for check in (True, False):
        failed = run("sender_config", check=check, **{"path": str(path), "kind": "litellm", **options})
        assert (failed["failed"], failed["code"]) == (True, code)
        assert failed["cure"] and "canary" not in failed["msg"]
    assert (path.read_text() if path.exists() else None) == text
