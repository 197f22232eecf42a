"""The tree in a checkout: the same bytes when nothing changes, one change where one is, nothing outside of it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import Document
from ansible_collections.llmops.langfuse.plugins.plugin_utils.gitops.tree import Tree
from ansible_collections.llmops.langfuse.plugins.plugin_utils.sops import Cipher, keys_of

from tests.integration.gitops.checkout import PATH, SECRET, WEB, Repository, Runs, documents
from tests.integration.gitops.conftest import Pair

RECORD = f"{PATH}/.langfuse.json"


def _decrypted(repository: Repository, pair: Pair) -> list[dict[str, object]]:
    environment = {"SOPS_AGE_KEY_FILE": str(pair.file), "PATH": os.environ["PATH"]}
    command = ["sops", "decrypt", repository.root / SECRET]
    done = subprocess.run(command, env=environment, check=True, capture_output=True)
    return list(yaml.safe_load_all(done.stdout))


def test_it_is_written_encrypted_and_nothing_else_is_touched(runs: Runs, mine: Pair) -> None:
    before = runs.repository.files()
    compared = runs.apply(documents())
    assert compared.changed
    after = runs.repository.files()
    assert {path for path in after if path not in before} == {*(one.path for one in documents()), RECORD}
    assert {path: after[path] for path in before} == before
    assert b"canary" not in b"".join(data for data, _time in after.values())
    assert _decrypted(runs.repository, mine) == documents()[0].object
    content = runs.repository.read(SECRET)
    assert content.startswith("# Written by llmops.langfuse.")
    # What Flux has to read before it decrypts.
    assert [one["metadata"]["name"] for one in yaml.safe_load_all(content)] == ["langfuse-a", "langfuse-b"]


@pytest.mark.parametrize("identity", [True, False], ids=["identity", "fingerprints"])
@pytest.mark.parametrize("committed", [True, False], ids=["committed", "not-committed"])
def test_a_second_run_leaves_every_byte_and_time(runs: Runs, identity: bool, committed: bool) -> None:
    if not identity:
        runs.identity = None
    runs.apply(documents())
    if committed:
        runs.repository.commit()
    before = runs.repository.files()
    assert runs.apply(documents()).changed is False
    assert runs.repository.files() == before


@pytest.mark.parametrize("identity", [True, False], ids=["identity", "fingerprints"])
def test_a_rotated_secret_changes_its_file_and_no_other(runs: Runs, mine: Pair, identity: bool) -> None:
    if not identity:
        runs.identity = None
    runs.apply(documents())
    before = runs.repository.files()
    compared = runs.apply(documents(password="canary-two"))
    assert [change.path for change in compared.changes] == [SECRET]
    after = runs.repository.files()
    assert {path for path in after if after[path] != before[path]} == {SECRET, RECORD}
    assert _decrypted(runs.repository, mine)[0]["data"] == {"SALT": "canary-salt", "password": "canary-two"}
    assert runs.apply(documents(password="canary-two")).changed is False


def _ciphertexts(repository: Repository) -> dict[str, str]:
    """Name and key → what SOPS wrote for it."""
    found = yaml.safe_load_all(repository.read(SECRET))
    return {f"{one['metadata']['name']} {key}": value for one in found for key, value in one["data"].items()}


def test_a_rotated_secret_changes_one_ciphertext(runs: Runs, mine: Pair) -> None:
    """Of one that stays, new, removed and changed: each in an object beside others, and in one of its own."""
    runs.apply(documents())
    before = _ciphertexts(runs.repository)
    runs.apply(documents(password="canary-two"))
    after = _ciphertexts(runs.repository)
    assert {key for key in after if after[key] != before[key]} == {"langfuse-a password"}
    wanted = documents(password="canary-three")
    wanted[0].object[1]["data"] = {"new": "é\n'\"1", "other": "012"}
    wanted[0].object.append({**wanted[0].object[0], "metadata": {"name": "langfuse-c"}, "data": {"password": "x"}})
    wanted[0].object[1]["metadata"]["labels"] = {"a": "1e5"}
    runs.apply(wanted)
    assert {key for key, value in _ciphertexts(runs.repository).items() if before.get(key) == value} == {
        "langfuse-a SALT"
    }
    assert _decrypted(runs.repository, mine) == wanted[0].object
    assert runs.apply(wanted).changed is False
    # For others it is encrypted as a whole, with another key.
    runs.identity = None
    runs.apply(documents())
    assert not set(before.values()) & set(_ciphertexts(runs.repository).values())


def test_a_seal_that_does_not_fit_is_not_written(runs: Runs, mine: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever `set` makes of a file is opened before it is taken; else the file is encrypted anew as a whole."""
    runs.apply(documents())
    before = _ciphertexts(runs.repository)
    real = Cipher.set

    def spoilt(self: Cipher, data: bytes, key: str, value: object) -> bytes:
        return real(self, data, key, value).replace(b"name: langfuse-b", b"name: langfuse-c")

    monkeypatch.setattr(Cipher, "set", spoilt)
    runs.apply(documents(password="canary-two"))
    assert not set(before.values()) & set(_ciphertexts(runs.repository).values())
    assert _decrypted(runs.repository, mine) == documents(password="canary-two")[0].object


def test_a_changed_object_keeps_the_ciphertext(runs: Runs) -> None:
    runs.apply(documents())
    before = runs.repository.files()
    assert [change.path for change in runs.apply(documents(replicas=2)).changes] == [WEB]
    assert runs.repository.files()[SECRET] == before[SECRET]


def test_other_recipients_encrypt_it_again(runs: Runs, mine: Pair, other: Pair) -> None:
    runs.apply(documents())
    runs.recipients = [mine.recipient, other.recipient]
    assert [change.path for change in runs.apply(documents()).changes] == [SECRET]
    assert keys_of(runs.repository.read(SECRET).encode()) == {mine.recipient, other.recipient}
    assert _decrypted(runs.repository, other) == documents()[0].object
    runs.recipients = [other.recipient]
    runs.identity = other.file
    assert [change.path for change in runs.apply(documents()).changes] == [SECRET]


@pytest.mark.parametrize("identity", [True, False], ids=["identity", "fingerprints"])
def test_ciphertext_of_somebody_else_is_not_taken_for_ours(runs: Runs, mine: Pair, identity: bool) -> None:
    """Encrypted for the same recipients, with another content, and committed."""
    runs.apply(documents())
    ours = runs.repository.read(SECRET)
    runs.apply(documents(password="canary-two"))
    runs.repository.write(SECRET, ours)
    runs.repository.commit()
    if not identity:
        runs.identity = None
    assert [change.path for change in runs.apply(documents(password="canary-two")).changes] == [SECRET]
    assert _decrypted(runs.repository, mine)[0]["data"] == {"SALT": "canary-salt", "password": "canary-two"}


def test_ciphertext_that_was_spoilt_is_made_anew(runs: Runs, mine: Pair) -> None:
    runs.apply(documents())
    runs.repository.write(SECRET, runs.repository.read(SECRET).replace("name: langfuse-b", "name: langfuse-c"))
    runs.repository.commit()
    assert [change.path for change in runs.apply(documents()).changes] == [SECRET]
    assert _decrypted(runs.repository, mine) == documents()[0].object


def test_what_is_no_longer_wanted_goes_with_its_folder(runs: Runs) -> None:
    runs.apply(documents())
    runs.repository.write(f"{PATH}/app/own.yaml", "of: a person\n")
    compared = runs.apply(documents(more=False))
    assert [(change.path, change.after) for change in compared.changes] == [(f"{PATH}/app/more/monitor.yaml", None)]
    assert not (runs.repository.root / PATH / "app" / "more").exists()
    assert runs.repository.read(f"{PATH}/app/own.yaml") == "of: a person\n"


def test_the_whole_tree_goes_and_leaves_what_others_have(runs: Runs) -> None:
    before = runs.repository.files()
    runs.apply(documents())
    assert runs.apply([]).changed is True
    assert runs.repository.files() == before
    assert not (runs.repository.root / PATH).exists()
    assert runs.apply([]).changed is False


def test_a_file_that_a_person_removed_comes_back(runs: Runs) -> None:
    runs.apply(documents())
    (runs.repository.root / WEB).unlink()
    assert [change.path for change in runs.apply(documents()).changes] == [WEB]


def test_without_its_record_the_tree_is_taken_over(runs: Runs) -> None:
    """As after a merge gone wrong; the header tells that the files are ours."""
    runs.apply(documents())
    runs.repository.write(
        RECORD, "<<<<<<< about: Written by llmops.langfuse. Changes here are lost: change the inventory instead.\n"
    )
    runs.repository.commit()
    before = runs.repository.files()
    compared = runs.apply(documents())
    assert compared.changed and not compared.changes
    after = runs.repository.files()
    assert {path for path in after if after[path] != before[path]} == {RECORD}
    assert runs.apply(documents()).changed is False


def test_a_check_says_the_same_and_writes_nothing(runs: Runs) -> None:
    before = runs.repository.files()
    predicted = runs.compare(documents())
    assert runs.repository.files() == before
    done = runs.apply(documents())
    assert [change.path for change in predicted.changes] == [change.path for change in done.changes]


@pytest.mark.parametrize("puts", range(1, 11))
def test_a_killed_run_is_brought_to_its_end(runs: Runs, mine: Pair, monkeypatch: pytest.MonkeyPatch, puts: int) -> None:
    """Cut off at each file, while nothing of the tree was ever committed."""
    runs.identity = None if puts % 2 else runs.identity
    runs.apply(documents())
    wanted = documents(password="canary-two", replicas=2, more=False)
    wanted.append(Document(f"{PATH}/app/new.yaml", "yaml_all", [{"kind": "ConfigMap"}]))
    _kill_after(monkeypatch, puts)
    tree = runs.tree()
    compared = tree.compare(wanted)
    try:
        tree.write(compared)
        died = False
    except Killed:
        died = True
    monkeypatch.undo()
    assert died == (puts <= 6)
    assert runs.apply(wanted).changed == died
    assert runs.apply(wanted).changed is False
    assert _decrypted(runs.repository, mine)[0]["data"] == {"SALT": "canary-salt", "password": "canary-two"}
    assert not list((runs.repository.root / PATH).rglob(".langfuse-new-*"))
    assert sorted(path for path in runs.repository.files() if path.startswith(PATH)) == sorted(
        [*(one.path for one in wanted), RECORD]
    )


class Killed(BaseException):
    pass


def _kill_after(monkeypatch: pytest.MonkeyPatch, puts: int) -> None:
    """The run dies while it writes, or removes, its file of this number, and leaves a temporary one behind."""
    left = [puts]

    def counted(name: str) -> None:
        real = getattr(Tree, name)

        def run(self: Tree, path: str, *words: object) -> None:
            left[0] -= 1
            if not left[0]:
                folder = self._absolute(path).parent
                folder.mkdir(parents=True, exist_ok=True)
                Path(folder, ".langfuse-new-x").write_text("ENC[")
                raise Killed
            real(self, path, *words)

        monkeypatch.setattr(Tree, name, run)

    counted("_put")
    counted("_take")


def test_the_diff_tells_keys_and_no_values(runs: Runs, mine: Pair, other: Pair) -> None:
    runs.apply(documents())
    runs.recipients = [mine.recipient, other.recipient]
    tree = runs.tree()
    wanted = documents(password="canary-two", replicas=2, more=False)
    wanted[0].object[1]["data"]["extra"] = "canary-three"
    found = {one["before_header"]: one for one in tree.diff(tree.compare(wanted))}
    assert list(found) == [f"a/{SECRET}", f"a/{WEB}", f"a/{PATH}/app/more/monitor.yaml", f"a/{RECORD}"]
    shown = found[f"a/{SECRET}"]
    assert "password: (hidden, changed)" in shown["after"] and "SALT: (hidden)\n" in shown["after"]
    assert "extra: (hidden, new)" in shown["after"] and "extra" not in shown["before"]
    assert f"# encrypted for {mine.recipient}\n" in shown["before"] and other.recipient in shown["after"]
    assert "-canary" not in str(found) and "canary-" not in str(found)
    assert found[f"a/{WEB}"]["before"] == runs.repository.read(WEB) and "replicas: 2" in found[f"a/{WEB}"]["after"]
    assert found[f"a/{PATH}/app/more/monitor.yaml"]["after_header"] == "/dev/null"


def test_the_diff_tells_of_the_record_what_is_written(runs: Runs) -> None:
    """All but fingerprints of ciphertext that SOPS has not made yet."""
    tree = runs.tree()
    compared = tree.compare(documents())
    shown = tree.diff(compared)[-1]
    assert (shown["before_header"], shown["after_header"]) == ("/dev/null", f"b/{RECORD}")
    assert compared.written == [*(one.path for one in documents()), RECORD]
    tree.write(compared)
    told, made = (json.loads(text)["files"] for text in (shown["after"], runs.repository.read(RECORD)))
    assert told["app/secret.sops.yaml"].pop("written") == ["(of the new ciphertext)"]
    assert made["app/secret.sops.yaml"].pop("written") and told == made
    assert "canary" not in str(shown)

    before = runs.repository.read(RECORD)
    compared = tree.compare(documents(replicas=2))
    (_web, shown) = tree.diff(compared)
    tree.write(compared)
    assert (shown["before"], shown["after"]) == (before, runs.repository.read(RECORD)) and before != shown["after"]

    runs.repository.write(RECORD, shown["after"].replace("about", "more"))
    runs.repository.commit()
    (runs.repository.root / WEB).unlink()
    assert tree.compare(documents(replicas=2)).written == [WEB]


def test_where_only_the_record_changes_that_is_told(runs: Runs) -> None:
    runs.apply(documents())
    made = runs.repository.read(RECORD)
    (runs.repository.root / RECORD).unlink()
    runs.repository.commit()
    tree = runs.tree()
    compared = tree.compare(documents())
    assert compared.changed and (compared.written, compared.removed) == ([RECORD], [])
    (shown,) = tree.diff(compared)
    assert (shown["before"], shown["after"]) == ("", made)


def test_with_the_whole_tree_its_record_is_told_to_go(runs: Runs) -> None:
    runs.apply(documents())
    made = runs.repository.read(RECORD)
    tree = runs.tree()
    compared = tree.compare([])
    assert compared.removed == [*sorted(one.path for one in documents()), RECORD] and compared.written == []
    shown = tree.diff(compared)[-1]
    assert (shown["before"], shown["after_header"], shown["after"]) == (made, "/dev/null", "")
    tree.write(compared)
    assert runs.tree().compare([]).removed == []


def test_the_diff_without_an_identity_says_what_it_does_not_know(runs: Runs) -> None:
    runs.identity = None
    runs.apply(documents())
    tree = runs.tree()
    shown, _record = tree.diff(tree.compare(documents(password="canary-two")))
    assert (
        shown["after"].count("(hidden, not compared)") == 3 and "ENC[" not in str(shown) and "canary" not in str(shown)
    )
    assert shown["before"].count("(hidden)") == 3


def test_documents_that_would_stay_in_plain_are_a_defect(runs: Runs) -> None:
    bad = Document(SECRET, "yaml_all", [{"kind": "ConfigMap", "acl": "canary"}], sensitive=True)
    with pytest.raises(ValueError, match="has no data or stringData"):
        runs.compare([bad])
    with pytest.raises(ValueError, match="is not below"):
        runs.compare([Document(f"{PATH}/../other/x.yaml", "yaml_all", [])])


@pytest.mark.parametrize("identity", [True, False], ids=["identity", "fingerprints"])
def test_the_diff_tells_nothing_of_a_file_of_somebody_else(runs: Runs, mine: Pair, identity: bool) -> None:
    """Encrypted as a whole: what is plain in our files is secret in it."""
    hidden = {
        "kind": "Secret",
        "type": "canary-type",
        "metadata": {"name": "langfuse-a", "namespace": "ai-system", "annotations": {"token": "canary-token"}},
        "spec": {"password": "canary-spec"},
        "data": ["canary-list"],
        "stringData": {"password": "canary-text"},
        "extra": "canary-extra",
    }
    runs.repository.write(SECRET, Cipher([mine.recipient]).encrypt(yaml.safe_dump(hidden)).decode())
    runs.repository.commit()
    runs.overwrite = [SECRET]
    runs.identity = mine.file if identity else None
    tree = runs.tree()
    shown = next(one for one in tree.diff(tree.compare(documents())) if one["after_header"] == f"b/{SECRET}")
    assert "canary" not in str(shown) and "ENC[" not in shown["before"].replace("kind: ENC[", "")
    assert "extra: (hidden)\n" in shown["before"] and "password: (hidden)\n" in shown["before"]
    assert "name: langfuse-a" in shown["after"] and "type: " not in shown["after"]


def test_the_diff_tells_no_plain_secret_that_was_committed(runs: Runs) -> None:
    runs.repository.write(
        SECRET, "kind: Secret\nmetadata: {name: a}\nstringData: {a: canary}\ndata: canary\n--- text\n"
    )
    runs.repository.commit()
    runs.overwrite = [SECRET]
    tree = runs.tree()
    shown = str(tree.diff(tree.compare(documents())))
    assert "canary" not in shown and "kind: Secret" in shown
