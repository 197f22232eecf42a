"""What the bench says of a command that cannot be started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.shell import BenchError, run


def test_a_missing_program_is_named() -> None:
    with pytest.raises(BenchError, match="no-such-program is not installed"):
        run(["no-such-program"])


def test_a_missing_folder_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="nowhere is not there"):
        run(["true"], cwd=tmp_path / "nowhere")
