# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dotenv on real files: check, run, again, absent; mode, owner, links; and what Compose and a shell read of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

OWN = "# ours\nAPP_KEY='canary of the app'\nLANGFUSE_HOST=https://old.example.com  # where\n"
WANTED: dict[str, Any] = {
    "values": {"LANGFUSE_HOST": "http://langfuse-web:3000"},
    "secret_values": {"LANGFUSE_SECRET_KEY": "sk-lf-canary-of-dotenv"},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text(OWN)
    path.chmod(0o640)
    return path


def test_check_run_again_absent(run: Any, file: Path) -> None:
    planned = run("dotenv", check=True, diff=True, path=str(file), **WANTED)
    assert (planned["changed"], file.read_text()) == (True, OWN)
    assert planned["diff"]["before"] == "LANGFUSE_HOST=https://old.example.com\n"
    assert planned["diff"]["after"] == "LANGFUSE_HOST=http://langfuse-web:3000\nLANGFUSE_SECRET_KEY=(not shown)\n"

    first = run("dotenv", diff=True, path=str(file), **WANTED)
    assert (first["changed"], first["diff"], first["names"]) == (True, planned["diff"], list_of(WANTED))
    written = OWN.replace("https://old.example.com", "http://langfuse-web:3000")
    assert file.read_text() == written + "LANGFUSE_SECRET_KEY=sk-lf-canary-of-dotenv\n"

    inode = file.stat().st_ino
    again = run("dotenv", diff=True, path=str(file), **WANTED)
    assert (again["changed"], again["names"], file.stat().st_ino) == (False, [], inode)

    gone = run("dotenv", diff=True, path=str(file), absent=list_of(WANTED))
    assert gone["changed"] and file.read_text() == OWN.partition("LANGFUSE")[0]
    # An absent name may have been a secret, and nobody says so here.
    assert gone["diff"]["before"] == "LANGFUSE_HOST=(not shown)\nLANGFUSE_SECRET_KEY=(not shown)\n"
    assert "canary" not in json.dumps(gone)
    assert not run("dotenv", path=str(file), absent=list_of(WANTED))["changed"]
    assert sorted(file.parent.iterdir()) == [file]


def list_of(wanted: dict[str, Any]) -> list[str]:
    return [*wanted["values"], *wanted["secret_values"]]


def test_a_secret_that_changes_is_not_shown(run: Any, file: Path) -> None:
    run("dotenv", path=str(file), **WANTED)
    other = {"LANGFUSE_SECRET_KEY": "sk-lf-canary-the-second"}
    done = run("dotenv", diff=True, path=str(file), secret_values=other)
    assert done["changed"] and "canary" not in json.dumps(done)
    assert "changed without being shown: LANGFUSE_SECRET_KEY" in done["diff"]["after"]


def test_mode_owner_and_link_stay(run: Any, file: Path) -> None:
    owner = (1234, 1234) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(file, *owner)
    link = file.parent / "link.env"
    link.symlink_to(file)
    assert run("dotenv", path=str(link), **WANTED)["changed"]
    assert link.is_symlink() and "langfuse-web" in file.read_text()
    found = file.stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o640, *owner)


def test_a_new_file_is_private_and_belongs_to_its_directorys_owner(run: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    owner = (1234, 1234) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(home, *owner)
    assert not run("dotenv", path=str(home / ".env"), absent=["A"])["changed"]
    assert run("dotenv", check=True, path=str(home / ".env"), **WANTED)["changed"]
    assert not (home / ".env").exists()
    run("dotenv", path=str(home / ".env"), **WANTED)
    found = (home / ".env").stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o600, *owner)


def test_a_file_that_everybody_reads_is_warned_of(run: Any, file: Path) -> None:
    file.chmod(0o644)
    assert "everybody on this machine" in json.dumps(run("dotenv", path=str(file), **WANTED)["warnings"])
    file.chmod(0o640)
    assert not run("dotenv", path=str(file), **WANTED).get("warnings")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"path": "/nowhere/at/all/.env", "values": {"A": "1"}}, "directory_missing"),
        ({"path": "/etc", "values": {"A": "1"}}, "file_unreadable"),
        ({"path": "/tmp/none.env", "values": {"A B": "1"}}, "bad_option"),
        ({"path": "/tmp/none.env", "values": {"A": 1}}, "bad_option"),
        ({"path": "/tmp/none.env", "values": {"A": "1"}, "absent": ["A"]}, "bad_option"),
        ({"path": "/tmp/none.env", "secret_values": {"A": "it's a canary"}}, "bad_option"),
    ],
)
def test_what_cannot_be_done(run: Any, options: dict[str, Any], code: str) -> None:
    for check in (True, False):
        failed = run("dotenv", check=check, **options)
        assert (failed["failed"], failed["code"]) == (True, code)
        assert failed["cure"] and "canary" not in failed["msg"]


VALUES = ["plain", "two words", "a#b", "x $HOME $(id) `id`", 'say "hi"', "a\\b", "ü~", "=", ""]


@pytest.mark.parametrize("reader", ["shell", "compose"])
def test_every_reader_reads_the_same(run: Any, tmp_path: Path, reader: str) -> None:
    wanted = {f"V{number}": value for number, value in enumerate(VALUES)}
    run("dotenv", path=str(tmp_path / "service.env"), values=wanted)
    assert {name: value for name, value in READERS[reader](tmp_path).items() if name in wanted} == wanted


def _shell(directory: Path) -> dict[str, str]:
    script = "set -a; . ./service.env; exec env -0"
    done = subprocess.run(["sh", "-c", script], cwd=directory, capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


def _compose(directory: Path) -> dict[str, str]:
    service = {"image": "none", "env_file": ["service.env"]}
    (directory / "compose.yaml").write_text(json.dumps({"services": {"one": service}}))
    return compose_config(directory)


def compose_config(directory: Path) -> dict[str, str]:
    """Environment of the service ``one``. This needs the command only, no engine."""
    command = ["docker", "compose", "--project-directory", str(directory), "config", "--format", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except OSError:
        pytest.skip("no docker command")
    found: dict[str, str] = json.loads(done.stdout)["services"]["one"]["environment"]
    # In this output a dollar is written twice.
    return {name: value.replace("$$", "$") for name, value in found.items()}


READERS = {"shell": _shell, "compose": _compose}


# Of the host's own environment Compose would take more; none of these is in it.
LINES = r"""A=one
E=
V0=${A}
V1=$A-x
V2="${A} b"
V3='${A} $$'
V4=${E:-d}${E-d}${V99:-${A}z}
V5=${A:+y}${V99:+y}${E+z}
V6=${A:?must be}
V7=pa$$word
V8="pa\$word a\\$A c\nd\"e\x"
V9=pa$1$
V10=a#b # c
V11="two
lines"
A=${A}${A}
V12=$A
"""


def test_an_env_file_is_read_as_compose_reads_it(run: Any, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(LINES)
    names = [f"V{number}" for number in range(13)]
    service = {"image": "none", "environment": {name: f"${{{name}}}" for name in names}}
    (tmp_path / "compose.yaml").write_text(json.dumps({"services": {"one": service}}))
    found = run("compose_stack_info", dotenv=str(tmp_path / ".env"))
    assert found["unclear"] == {}
    told = compose_config(tmp_path)
    assert {name: found["dotenv"][name] for name in names} == {name: told[name] for name in names}
