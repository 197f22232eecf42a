"""What people copy from the pages is right: commands, variables, and the settings of an inventory."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import walk
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.contract import contract, validate

ROOT = Path(__file__).resolve().parents[3]
PAGES = (ROOT / "README.md", *(ROOT / "docs" / "guides").glob("*.md"), *(ROOT / "docs" / "runbooks").glob("*.md"))
INVENTORIES = (*(ROOT / "inventories").glob("*/group_vars/*.yml"), *(ROOT / "inventories").glob("*/hosts.yml"))
# Names that begin as variables do: LiteLLM's callback and setting, parts of other names, volumes of Docker.
NO_VARIABLES = {"langfuse_otel", "langfuse_default_tags", "langfuse_postgres"}
# Inventories that the reader makes or has.
READERS_OWN = {"<inventory>", "inventories/mine", "…"}
OPTIONS = {"--check", "--diff", "--ask-vault-pass"}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands(page: Path) -> Iterator[list[str]]:
    """Words of the lines that begin with a command of this project, in blocks, indented, or between backticks."""
    text = page.read_text("utf-8")
    for line in (*text.splitlines(), *re.findall(r"`([^`\n]+)`", text)):
        words = line.strip().removeprefix("$ ").strip()
        if re.match(r"(ansible-playbook|ansible-galaxy|make|python -m) \S", words):
            yield shlex.split(words, comments=True)


def of(page: Path, *command: str) -> Iterator[list[str]]:
    """The words behind a command, of every line that has it."""
    for words in commands(page):
        if tuple(words[: len(command)]) == command:
            yield words[len(command) :]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_playbooks_inventories_and_options_exist(page: Path) -> None:
    for words in of(page, "ansible-playbook"):
        rest = iter(words)
        for word in rest:
            if word == "-i":
                inventory = next(rest)
                assert inventory in READERS_OWN or (ROOT / inventory).is_dir(), words
            elif word == "-e":
                assert next(rest).partition("=")[0] in contract(), words
            elif word.startswith("llmops.langfuse."):
                assert (ROOT / "playbooks" / f"{word.removeprefix('llmops.langfuse.')}.yml").is_file(), words
            else:
                assert word in OPTIONS | READERS_OWN, words


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_targets_and_files_of_other_commands_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {words[0] for words in of(page, "make")} <= targets
    for words in of(page, "ansible-galaxy", "collection", "install"):
        assert (ROOT / words[-1]).exists(), words


@pytest.mark.parametrize("page", [*PAGES, *INVENTORIES], ids=name)
def test_variables_exist(page: Path) -> None:
    """A name that is cut (``langfuse_s3_*_bucket``) begins as one of them does."""
    for match in re.finditer(r"(?<![\w.])(langfuse_\w*)([*<{$]?)", page.read_text("utf-8")):
        word, cut = match.groups()
        known = any(one.startswith(word) for one in contract()) if cut else word in {*contract(), *NO_VARIABLES}
        assert known, word


def settings(page: Path) -> list[dict[str, Any]]:
    """The blocks of YAML that are variables of an inventory."""
    blocks = re.findall(r"^ *```yaml\n(.*?)^ *```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    found = [yaml.safe_load(block) for block in blocks]
    found += [
        group["vars"] for block in found for group in block.values() if isinstance(group, dict) and "vars" in group
    ]
    return [block for block in found if any(one.startswith("langfuse_") for one in block)]


@pytest.mark.parametrize("page", [page for page in PAGES if settings(page)], ids=name)
def test_settings_are_such_as_the_contract_takes(page: Path) -> None:
    for block in settings(page):
        given = {one: value for one, value in block.items() if not one.startswith("ansible_")}
        assert set(given) <= set(contract())
        _values, problems = validate(contract(), given)
        assert problems == []


def run_copy(directory: Path, docker: str) -> list[str]:
    """Run the loop that copies volumes, with this for `docker`, and tell what it would copy."""
    (block,) = re.findall(
        r"^ *```sh\n(.*?)^ *```", (ROOT / "docs/guides/compose-host.md").read_text("utf-8"), re.M | re.S
    )
    for name, text in (("docker", docker), ("cp", 'echo "$@"'), ("mkdir", ":")):
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    environment = {"PATH": f"{directory}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", block], env=environment, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def test_a_volume_that_is_not_there_is_not_the_root_of_the_host(tmp_path: Path) -> None:
    copied = run_copy(tmp_path, 'echo "/volumes/$5"')
    assert len(copied) == 4
    assert copied[0] == "-a /volumes/langfuse_postgres/. /srv/data/langfuse/postgres/"
    assert run_copy(tmp_path, "exit 1") == []


def test_the_first_page_shows_every_hop() -> None:
    (table,) = re.findall(r"^hop  .*?^total", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    shown = [line.split()[0] for line in table.splitlines()[1:-1]]
    assert shown == [hop.name for hop in walk.HOPS if hop.name != "gitops"]


def test_the_first_page_ends_as_site_does() -> None:
    (play,) = yaml.safe_load((ROOT / "playbooks" / "site.yml").read_text("utf-8"))
    told = [line.partition("{{")[0] for line in play["tasks"][-1]["ansible.builtin.debug"]["msg"]]
    shown = (ROOT / "README.md").read_text("utf-8").splitlines()
    first = next(number for number, line in enumerate(shown) if line.startswith(told[0]))
    assert all(line.startswith(start) for line, start in zip(shown[first:], told, strict=False))
