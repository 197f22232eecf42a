"""The secrets file in SOPS: opened by the identity, the same bytes when nothing changes, and never in plain on a disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret, is_encrypted
from ansible_collections.llmops.langfuse.plugins.plugin_utils.secrets_store import Refused, SecretsStore
from ansible_collections.llmops.langfuse.plugins.plugin_utils.sops import Cipher, keys_of

from .conftest import Pair

PASSWORDS = [("default", VaultSecret(b"open sesame"))]
# As they come out of a generator, and as YAML would take them for something else.
VALUES = {"a_salt": "0123456789", "b_key": "1e5", "c_word": "yes", "d_line": "one\ntwo: # 'x'\n", "e": "\U0001f511 é"}


def _store(
    path: Path, form: str, pair: Pair | None = None, identity: Path | None = None, more: tuple[str, ...] = ()
) -> SecretsStore:
    cipher = Cipher([pair.recipient, *more], str(identity or pair.file)) if pair else Cipher(())
    return SecretsStore(str(path), form, VaultLib(secrets=PASSWORDS), PASSWORDS, cipher)


def test_what_was_added_is_read_back_and_nothing_of_it_is_in_plain(tmp_path: Path, mine: Pair) -> None:
    path = tmp_path / "private" / "langfuse.yml"
    assert _store(path, "sops", mine).unwritable() == []
    assert _store(path, "sops", mine).add("a", VALUES) is True
    content = path.read_bytes()
    assert keys_of(content) == {mine.recipient}
    assert not any(value.encode() in content for value in VALUES.values() if len(value) > 5)
    assert path.stat().st_mode & 0o777 == 0o600
    assert _store(path, "sops", mine).read("a") == VALUES
    assert content.startswith(b"# Generated secrets of Langfuse")


def test_nothing_to_add_leaves_the_bytes(tmp_path: Path, mine: Pair) -> None:
    path = tmp_path / "langfuse.yml"
    _store(path, "sops", mine).add("a", VALUES)
    before = path.stat()
    assert _store(path, "sops", mine).add("a", {}) is False
    assert _store(path, "sops", mine).add("a", VALUES) is False
    assert path.stat() == before


def test_instances_do_not_touch_each_other(tmp_path: Path, mine: Pair) -> None:
    path = tmp_path / "langfuse.yml"
    _store(path, "sops", mine).add("a", VALUES)
    _store(path, "sops", mine).add("b", {"a_salt": "two"})
    assert _store(path, "sops", mine).forget("b") is True
    assert _store(path, "sops", mine).read("a") == VALUES
    assert _store(path, "sops", mine).read("b") == {}


@pytest.mark.parametrize("before", ["vault", "plain"])
def test_another_form_becomes_sops_and_goes_back_without_losing_anything(
    tmp_path: Path, mine: Pair, before: str
) -> None:
    path = tmp_path / "langfuse.yml"
    _store(path, before).add("a", VALUES)
    old = path.read_bytes()
    assert _store(path, "sops", mine).read("a") == VALUES
    assert _store(path, "sops", mine).add("a", {}, dry=True) is True and path.read_bytes() == old
    assert _store(path, "sops", mine).add("a", {}) is True
    assert keys_of(path.read_bytes()) == {mine.recipient}
    assert _store(path, "sops", mine).read("a") == VALUES
    assert _store(path, before, mine).add("a", {}) is True
    assert keys_of(path.read_bytes()) is None and is_encrypted(path.read_bytes()) == (before == "vault")
    assert _store(path, before).read("a") == VALUES


def test_other_recipients_encrypt_it_again(tmp_path: Path, mine: Pair, other: Pair) -> None:
    path = tmp_path / "langfuse.yml"
    _store(path, "sops", mine).add("a", VALUES)
    assert _store(path, "sops", mine, more=(other.recipient,)).add("a", {}) is True
    assert keys_of(path.read_bytes()) == {mine.recipient, other.recipient}
    assert _store(path, "sops", other).read("a") == VALUES


def test_an_identity_that_opens_nothing_is_told_and_the_file_is_kept(tmp_path: Path, mine: Pair, other: Pair) -> None:
    path = tmp_path / "langfuse.yml"
    _store(path, "sops", mine).add("a", VALUES)
    before = path.read_bytes()
    with pytest.raises(
        Refused, match=r"langfuse_age_identity_file: is .*no identity in it opens langfuse_secrets_file"
    ):
        _store(path, "sops", mine, other.file).read("a")
    with pytest.raises(Refused, match="langfuse_age_identity_file"):
        _store(path, "sops", mine, other.file).add("a", {"new": "value"})
    assert path.read_bytes() == before


def test_a_file_that_nobody_here_could_open_again_is_not_written(tmp_path: Path, mine: Pair, other: Pair) -> None:
    """From the beginning, and from a vault, of which it would be the end."""
    path = tmp_path / "langfuse.yml"
    (problem,) = _store(path, "sops", mine, other.file).unwritable()
    assert problem.startswith("langfuse_age_identity_file: is ")
    with pytest.raises(Refused, match="langfuse_age_identity_file"):
        _store(path, "sops", mine, other.file).add("a", VALUES)
    assert not path.exists()
    _store(path, "vault").add("a", VALUES)
    before = path.read_bytes()
    with pytest.raises(Refused, match="langfuse_age_identity_file"):
        _store(path, "sops", mine, other.file).add("a", {})
    assert path.read_bytes() == before


def test_the_environment_s_identity_is_taken(tmp_path: Path, mine: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "langfuse.yml"
    store = SecretsStore(str(path), "sops", VaultLib(secrets=[]), [], Cipher([mine.recipient]))
    (problem,) = store.unwritable()
    assert "is not set" in problem and "SOPS_AGE_KEY_FILE" in problem
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(mine.file))
    assert store.unwritable() == []
    assert store.add("a", VALUES) is True and store.read("a") == VALUES


def test_a_file_that_was_edited_by_hand_is_refused(tmp_path: Path, mine: Pair) -> None:
    path = tmp_path / "langfuse.yml"
    _store(path, "sops", mine).add("a", VALUES)
    content = yaml.safe_load(path.read_bytes())
    content["a"]["e_new"] = "by hand"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(Refused, match="was changed after it was encrypted"):
        _store(path, "sops", mine).read("a")


@pytest.mark.parametrize(
    ("recipients", "words"),
    [
        ([], "langfuse_age_recipients: is empty, and langfuse_secrets_format is sops"),
        (["AGE-SECRET-KEY-1CANARY"], "langfuse_age_recipients: has an identity, which is secret, as number 1"),
        (["age1" + "q" * 58], "langfuse_age_recipients: has a public key that SOPS does not take"),
    ],
)
def test_recipients_that_are_none_are_told(tmp_path: Path, recipients: list[str], words: str) -> None:
    store = SecretsStore(str(tmp_path / "x.yml"), "sops", VaultLib(secrets=[]), [], Cipher(recipients))
    (problem,) = store.unwritable()
    assert problem.startswith(words) and "CANARY" not in problem
    with pytest.raises(Refused, match="langfuse_age_recipients"):
        store.add("a", VALUES)
    assert not (tmp_path / "x.yml").exists()


def test_keys_that_the_environment_adds_are_told(tmp_path: Path, mine: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else could open it, and who reads the inventory would not know."""
    from ansible_collections.llmops.langfuse.plugins.plugin_utils import sops

    real = sops.Cipher.encrypt
    more = b"sops:\n    pgp:\n        - fp: 0123\n"

    def encrypt(self: Cipher, text: str, only: str | None = None) -> bytes:
        return real(self, text, only).replace(b"sops:\n", more)

    monkeypatch.setattr(sops.Cipher, "encrypt", encrypt)
    (problem,) = _store(tmp_path / "x.yml", "sops", mine).unwritable()
    assert problem.startswith("sops: would encrypt for pgp as well")


def test_a_file_is_replaced_only_by_one_that_says_the_same(
    tmp_path: Path, mine: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "langfuse.yml"
    _store(path, "vault").add("a", VALUES)
    before = path.read_bytes()
    real = Cipher.encrypt

    def encrypt(self: Cipher, text: str, only: str | None = None) -> bytes:
        return real(self, text.replace("0123456789", "123456789"), only)

    monkeypatch.setattr(Cipher, "encrypt", encrypt)
    with pytest.raises(Refused, match="gave back other secrets than it got"):
        _store(path, "sops", mine).add("a", {})
    assert path.read_bytes() == before


def test_without_sops_the_program_is_named(tmp_path: Path, mine: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "langfuse.yml"
    _store(path, "sops", mine).add("a", VALUES)
    monkeypatch.setenv("PATH", str(tmp_path))
    (problem,) = _store(path, "sops", mine).unwritable()
    assert problem.startswith("sops: is missing on the controller") and "https://getsops.io" in problem
    with pytest.raises(Refused, match="sops: is missing"):
        _store(path, "sops", mine).read("a")


def test_rules_of_the_folder_it_runs_in_do_not_count(tmp_path: Path, mine: Pair, other: Pair) -> None:
    """A `.sops.yaml` of the repository would add keys, or refuse a file that it has no rule for."""
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n- path_regex: nothing\n  age: {other.recipient}\n")
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert _store(tmp_path / "langfuse.yml", "sops", mine).add("a", VALUES) is True
    finally:
        os.chdir(here)
    assert keys_of((tmp_path / "langfuse.yml").read_bytes()) == {mine.recipient}
