"""What the runner of the suite tells at its end."""

from __future__ import annotations

import pytest

from tests.run import failures


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (
            "F.\nFAILED - RETRYING: [host]: Wait\n\x1b[31mFAILED tests/a.py::b - AssertionError: 1\x1b[0m\nERROR tests/c.py\n== 1 failed in 3 s ==\n",
            ["FAILED tests/a.py::b - AssertionError: 1", "ERROR tests/c.py"],
        ),
        (
            '    "FAILED tests/a.py::b - x",\n      - FAILED tests/a.py::c\n[ERROR]: Task failed\nfatal: [host]: FAILED!\n',
            ['"FAILED tests/a.py::b - x",', "- FAILED tests/a.py::c", "[ERROR]: Task failed", "fatal: [host]: FAILED!"],
        ),
        ("one\ntwo\nthree\nfour\n", ["two", "three", "four"]),
        ("ERROR in a log of something else\n", ["ERROR in a log of something else"]),
    ],
    ids=["pytest", "molecule", "nothing known: its last lines", "no test"],
)
def test_a_failure_is_told_in_its_runner_s_own_words(output: str, told: list[str]) -> None:
    assert failures(["/opt/pytest", "tests/x"], output) == [f"pytest tests/x: {line}" for line in told]
