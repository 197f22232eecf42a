"""Every command of a runbook stands below a heading that a test of the scenarios names, and so runs."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from tests.molecule import runbook


def named() -> set[tuple[str, str]]:
    """Page and heading wherever two texts stand side by side in the scenarios' tests: in a call or a table."""
    return {
        pair
        for path in (runbook.RUNBOOKS.parents[1] / "tests" / "molecule").rglob("test_*.py")
        for pair in pairs(path.read_text())
    }


def pairs(source: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(source)):
        items = (
            node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, (ast.Tuple, ast.List)) else []
        )
        texts = [item.value if isinstance(item, ast.Constant) and isinstance(item.value, str) else "" for item in items]
        yield from itertools.pairwise(texts)


def test_no_page_has_a_command_that_no_test_runs() -> None:
    with_commands = {
        (path.stem, heading)
        for path in runbook.RUNBOOKS.glob("*.md")
        for heading, commands in runbook.sections(path.stem).items()
        if commands
    }
    assert len(with_commands) > 10
    assert with_commands - named() == set()


def test_commands_are_playbooks_of_the_collection_or_those_of_the_engine() -> None:
    for path in runbook.RUNBOOKS.glob("*.md"):
        for heading, commands in runbook.sections(path.stem).items():
            for words in commands:
                assert words[:3] == runbook.PLAYBOOK or words[0] in ("docker", "kubectl", "git"), (
                    f"{path.stem}, {heading}: {words}"
                )
                if words[0] == runbook.PLAYBOOK[0]:
                    name = words[3].removeprefix("llmops.langfuse.")
                    assert (runbook.RUNBOOKS.parents[1] / "playbooks" / f"{name}.yml").exists(), words


def test_every_page_is_named_in_the_first_one() -> None:
    text = (runbook.RUNBOOKS / "README.md").read_text("utf-8")
    assert [
        path.name for path in runbook.RUNBOOKS.glob("*.md") if path.name != "README.md" and f"]({path.name}" not in text
    ] == []


def test_a_pair_is_found_in_a_call_and_in_a_table() -> None:
    assert {("a", "b"), ("c", "d")} <= set(pairs("follow(x, 'a', 'b')\nT = [('c', 'd', 3)]"))
