"""Keys that data needs are not lost, wherever the checkout or its last commit has them, with an identity and without one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import Document
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.secrets import fingerprint_key

from tests.integration.gitops.checkout import PATH, SECRET, Runs, documents
from tests.integration.gitops.conftest import Pair
from tests.integration.gitops.site import Site

RECORD = f"{PATH}/.langfuse.json"
DRAWN = ["langfuse_salt", "langfuse_encryption_key"]


def _with(**data: str) -> list[Document]:
    found = documents()
    found[0].object[0]["data"] |= data
    return found


def _remove(runs: Runs) -> None:
    """As somebody who begins anew, without committing it."""
    shutil.rmtree(runs.repository.root / PATH)


@pytest.mark.parametrize("identity", [True, False], ids=["identity", "fingerprints"])
@pytest.mark.parametrize("staged", [True, False], ids=["staged", "not-staged"])
def test_drawn_ones_do_not_follow_a_tree_of_the_last_commit(
    runs: Runs, mine: Pair, identity: bool, staged: bool
) -> None:
    runs.apply(documents())
    runs.repository.commit()
    _remove(runs)
    if staged:
        runs.repository.git("add", "--all")
    runs.key = fingerprint_key("f" * 64)
    runs.identity = mine.file if identity else None
    (problem,) = runs.problems(_with(SALT="canary-other"), DRAWN)
    assert problem.startswith(
        f"langfuse_secrets_file: lacks langfuse_salt and langfuse_encryption_key, and the last commit of {PATH} has"
    )
    command = re.search(r"take them from the tree: (.*)$", problem)
    assert command
    environment = {"SOPS_AGE_KEY_FILE": str(mine.file), "PATH": os.environ["PATH"]}
    done = subprocess.run(command[1], shell=True, env=environment, check=True, capture_output=True)
    assert next(iter(yaml.safe_load_all(done.stdout)))["data"]["SALT"] == "canary-salt"
    runs.repository.commit()
    assert runs.problems(documents(), DRAWN) == []


def test_nor_one_whose_record_was_not_committed_or_is_spoilt(runs: Runs) -> None:
    runs.apply(documents())
    (runs.repository.root / RECORD).unlink()
    runs.repository.commit()
    _remove(runs)
    assert "the last commit of" in runs.problems(documents(), DRAWN)[0]
    runs.repository.git("checkout", "--", ".")
    runs.repository.write(RECORD, "<<<<<<<")
    runs.repository.commit()
    _remove(runs)
    assert "the last commit of" in runs.problems(documents(), DRAWN)[0]


def test_a_tree_of_another_instance_in_the_last_commit_says_nothing(runs: Runs) -> None:
    runs.apply(documents())
    runs.repository.commit()
    _remove(runs)
    runs.instance = "another"
    assert runs.problems(documents(), DRAWN) == []


def test_other_ones_do_not_follow_a_tree_of_the_last_commit(runs: Runs) -> None:
    """Another secrets file, with nothing drawn."""
    runs.apply(documents())
    runs.repository.commit()
    _remove(runs)
    assert runs.problems(documents(password="canary-two")) == []
    (problem,) = runs.problems(_with(SALT="canary-other"))
    assert problem.startswith(
        f"langfuse_secrets_file: has another SALT than {SECRET}, and the last commit of {PATH} has"
    )
    assert "canary" not in problem


@pytest.mark.parametrize("where", ["there", "committed", "gone"])
def test_other_ones_are_known_without_an_identity(runs: Runs, where: str) -> None:
    runs.identity = None
    runs.apply(_with(ENCRYPTION_KEY="canary-key"))
    if where != "there":
        runs.repository.commit()
    if where == "gone":
        _remove(runs)
    (problem,) = runs.problems(_with(ENCRYPTION_KEY="canary-key", SALT="canary-other"))
    assert problem.startswith(f"langfuse_secrets_file: has another SALT than {SECRET}, and ")
    # All fingerprints are others then, so that nobody knows of the salt.
    runs.key = fingerprint_key("f" * 64)
    problem = runs.problems(_with(ENCRYPTION_KEY="canary-other"))[0]
    assert problem.startswith(f"langfuse_secrets_file: has another ENCRYPTION_KEY than {SECRET}, and ")


def test_a_rotated_secret_is_no_other_key_and_keys_may_come_and_go(runs: Runs) -> None:
    """Where others keep the encryption key, fingerprints come from a secret that can be rotated."""
    runs.identity = None
    runs.apply(_with(ENCRYPTION_KEY="canary-key"))
    runs.repository.commit()
    assert runs.apply(_with(ENCRYPTION_KEY="canary-key", password="canary-two")).changed
    runs.repository.commit()
    theirs = documents()
    del theirs[0].object[0]["data"]["SALT"]
    for key in ("a" * 64, "b" * 64):
        runs.key = fingerprint_key(key)
        runs.apply(theirs)
        runs.repository.commit()
        assert "keys" not in runs.repository.read(RECORD)
    runs.key = fingerprint_key("c" * 64)
    assert runs.apply(_with(ENCRYPTION_KEY="canary-key")).changed


def test_site_without_an_identity_refuses_another_secrets_file(site: Site) -> None:
    site.given = {"langfuse_secrets_format": "plain"}
    site.identity = None
    site.play("site")
    site.repository.commit()
    before, content = site.repository.files(), yaml.safe_load(site.secrets_file.read_text())
    ((_instance, secrets),) = content.items()
    secrets["langfuse_clickhouse_password"] = "rotatedrotatedrotated"
    site.secrets_file.write_text(yaml.safe_dump(content))
    assert site.play("site", "--check").changed
    secrets["langfuse_encryption_key"] = "0123456789abcdef" * 4
    site.secrets_file.write_text(yaml.safe_dump(content))
    run = site.play("site", fails=True)
    run.mentions("langfuse_secrets_file: has another ENCRYPTION_KEY than", "Restore the file from its backup")
    assert "0123456789abcdef" not in run.output and site.repository.files() == before
