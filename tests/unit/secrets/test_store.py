"""The secrets file: an existing value never changes, and nobody else can read it."""

from __future__ import annotations

import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret, is_encrypted
from ansible_collections.llmops.langfuse.plugins.plugin_utils.secrets_store import Refused, SecretsStore
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings import secrets

PASSWORDS = [("default", VaultSecret(b"open sesame"))]


def _store(path: Path, form: str = "vault", passwords: list[tuple[str, VaultSecret]] = PASSWORDS) -> SecretsStore:
    return SecretsStore(str(path), form, VaultLib(secrets=passwords), passwords)


def test_what_was_added_is_read_back_encrypted_and_private(tmp_path: Path) -> None:
    path = tmp_path / "private" / "langfuse.yml"
    assert _store(path).read("a") == {}
    assert _store(path).add("a", {"salt": "one"}) is True
    assert is_encrypted(path.read_bytes())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert _store(path).read("a") == {"salt": "one"}


def test_an_existing_value_never_changes_and_a_second_first_run_is_told(tmp_path: Path) -> None:
    path = tmp_path / "langfuse.yml"
    _store(path, "plain").add("a", {"salt": "one"})
    with pytest.raises(Refused, match="another run has written") as caught:
        _store(path, "plain").add("a", {"salt": "two", "key": "new"})
    assert "two" not in str(caught.value)
    assert _store(path, "plain").add("a", {"salt": "one"}) is False
    assert _store(path, "plain").add("a", {"key": "new"}) is True
    assert _store(path, "plain").read("a") == {"salt": "one", "key": "new"}


def test_two_runs_do_not_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "langfuse.yml"
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with ThreadPoolExecutor() as runs:
        run = runs.submit(_store(path, "plain").add, "a", {"salt": "one"})
        time.sleep(0.1)
        assert not run.done() and not path.exists()
        os.close(other)
        assert run.result(10) is True


def test_nothing_to_add_leaves_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "langfuse.yml"
    _store(path).add("a", {"salt": "one"})
    before = path.read_bytes()
    assert _store(path).add("a", {}) is False
    assert path.read_bytes() == before


def test_instances_do_not_touch_each_other(tmp_path: Path) -> None:
    path = tmp_path / "langfuse.yml"
    _store(path, "plain").add("a", {"salt": "one"})
    _store(path, "plain").add("b", {"salt": "two"})
    assert _store(path, "plain").forget("a") is True
    assert _store(path, "plain").read("a") == {}
    assert _store(path, "plain").read("b") == {"salt": "two"}
    assert _store(path, "plain").forget("a") is False


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "langfuse.yml"
    assert _store(path, "plain").add("a", {"salt": "one"}, dry=True) is True
    assert not path.exists()
    _store(path, "plain").add("a", {"salt": "one"})
    assert _store(path, "plain").forget("a", dry=True) is True
    assert _store(path, "plain").read("a") == {"salt": "one"}


def test_a_plain_file_is_encrypted_once_the_format_is_vault(tmp_path: Path) -> None:
    path = tmp_path / "langfuse.yml"
    _store(path, "plain").add("a", {"salt": "one"})
    assert _store(path, "vault").add("a", {}) is True
    assert is_encrypted(path.read_bytes())
    assert _store(path).read("a") == {"salt": "one"}


@pytest.mark.parametrize(
    ("passwords", "words"),
    [([], "is encrypted"), ([("default", VaultSecret(b"wrong"))], "none of the vault passwords opens")],
)
def test_a_vault_that_does_not_open_is_told(
    tmp_path: Path, passwords: list[tuple[str, VaultSecret]], words: str
) -> None:
    path = tmp_path / "langfuse.yml"
    _store(path).add("a", {"salt": "one"})
    with pytest.raises(Refused, match=words):
        _store(path, passwords=passwords).read("a")


@pytest.mark.parametrize("content", ["- a list\n", "a: text\n", "a: [unclosed\n"])
def test_a_broken_file_is_refused_and_kept(tmp_path: Path, content: str) -> None:
    path = tmp_path / "langfuse.yml"
    path.write_text(content)
    with pytest.raises(Refused, match="is not a map of instances"):
        _store(path, "plain").add("a", {"salt": "one"})
    assert path.read_text() == content


def test_without_a_vault_password_the_cure_is_named(tmp_path: Path) -> None:
    (problem,) = _store(tmp_path / "x", passwords=[]).unwritable()
    assert "--ask-vault-pass" in problem
    assert _store(tmp_path / "x", "plain", []).unwritable() == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot be"):
        _store(tmp_path / "file" / "langfuse.yml", "plain").add("a", {"salt": "one"})


def test_every_secret_is_drawn_in_a_form_that_the_application_takes() -> None:
    drawn = secrets.candidates({})
    assert set(drawn) == set(secrets.GENERATED)
    assert secrets.candidates(drawn) == {}
    assert drawn != secrets.candidates({})
    assert len(drawn["langfuse_encryption_key"]) == 64 and int(drawn["langfuse_encryption_key"], 16) >= 0
    assert drawn["langfuse_init_project_public_key"].startswith("pk-lf-")
    assert all(value.isalnum() for name, value in drawn.items() if "project" not in name)


def test_fingerprints_are_keyed() -> None:
    first, second = secrets.fingerprint_key("a" * 64), secrets.fingerprint_key("b" * 64)
    assert secrets.fingerprint(first, b"x") != secrets.fingerprint(second, b"x")
    assert secrets.fingerprint(first, b"x", b"y") != secrets.fingerprint(first, b"xy")
    assert secrets.fingerprint(first, b"x") == secrets.fingerprint(first, b"x")


def test_a_symbolic_link_stays_one_and_its_file_is_written(tmp_path: Path) -> None:
    """As into the folder of another repository, which may not be there yet."""
    link, file = tmp_path / "here" / "langfuse.yml", tmp_path / "there" / "mine.yml"
    link.parent.mkdir()
    link.symlink_to("../there/mine.yml")
    assert _store(link, "plain").add("a", {"salt": "one"}) is True
    _store(link, "plain").add("a", {"key": "two"})
    assert link.is_symlink() and _store(file, "plain").read("a") == {"salt": "one", "key": "two"}
    assert [path.name for path in (*link.parent.iterdir(), *file.parent.iterdir())] == ["langfuse.yml", "mine.yml"]
