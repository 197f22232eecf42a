"""Recognisable secrets: in no file of the tree, no commit, no output and no command line, whatever goes wrong."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cluster.test_leaks import shown
from tests.integration.gitops.conftest import Pair
from tests.integration.gitops.site import TREE, Site
from tests.molecule import canary
from tests.molecule.playbook import LOUD

# Stores of others, an administrator of each, and what sends: every secret that a cluster's instance can have.
GIVEN: dict[str, Any] = {
    **canary.CLUSTERS.values,
    **canary.CLUSTERS.own(
        {name: canary.EVERY[name] for name in ("langfuse_backup_access_key", "langfuse_backup_secret_key")}
    ),
    **canary.COMPANIONS,
    "cnpg_barman_plugin_enabled": True,
    "rustfs_enabled": True,
    "langfuse_backup_enabled": True,
    "langfuse_admin_api_enabled": True,
    "langfuse_expose": "httproute",
}


def _left(site: Site) -> str:
    """All that is in the checkout, Git's own files too, and every version of every file that was ever committed."""
    history = site.repository.git("log", "--all", "--patch", "--text")
    files = [path for path in site.repository.root.rglob("*") if path.is_file()]
    return history + "\n".join(path.read_bytes().decode("utf-8", "replace") for path in files)


def _bare_hashes(text: str) -> list[str]:
    """Secrets that could be guessed from a hash without a key."""
    values = [value for name, value in GIVEN.items() if name in canary.CLUSTERS.values]
    kinds = (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.sha512)
    digests = [kind(value.encode()) for value in values for kind in kinds]
    written = [form for one in digests for form in (one.hexdigest(), base64.b64encode(one.digest()).decode())]
    return [form for form in written if form[:24] in text]


def test_no_secret_is_in_tree_history_output_or_command_lines(site: Site) -> None:
    site.given = GIVEN
    with canary.CLUSTERS.watched_processes() as processes:
        runs = [site.play("preflight", *LOUD), site.play("site", "--check", *LOUD), site.play("site", *LOUD)]
        site.repository.commit()
        rotated = {"langfuse_clickhouse_password": "WarblerRotated0123456789"}
        runs.append(site.play("site", *LOUD, more=rotated))
        site.repository.commit()
        site.identity = None
        plain = {"langfuse_secrets_format": "plain", "langfuse_secrets_file": str(site.home / "plain.yml")}
        runs.append(site.play("site", *LOUD, more=plain))
        site.repository.commit()
        runs.append(site.play("teardown", *LOUD, more=plain))
        site.repository.commit()
    assert not processes
    assert [line for run in runs for line in shown(run.output)] == []
    left = _left(site)
    assert "langfuse-clickhouse-credentials" in left and "ENC[AES256_GCM" in left
    assert shown(left) == [] and _bare_hashes(left) == []


# A program that says in plain what it was given, as a defect of SOPS might, but for what the collection tries first.
_TELLS = """#!/bin/sh
[ "$1" = --version ] && exec {sops} "$@"
given=$(cat)
case "$given" in
*probe*|*ENC\\[*) printf '%s\\n' "$given" | {sops} "$@";;
*) echo "$given" | tee -a {told} >&2; exit 1;;
esac
"""


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("identity", "no identity in it opens what is encrypted for langfuse_age_recipients"),
        ("tree", f"has {TREE}/app/web.yaml, which was changed by hand and not committed"),
        ("sops", "sops: ended with code 1 where it encrypts. Nothing was written"),
    ],
)
def test_no_secret_is_told_when_it_fails(site: Site, other: Pair, tmp_path: Path, broken: str, said: str) -> None:
    site.given = dict(GIVEN)
    site.play("site")
    site.repository.commit()
    program, told, rotated = tmp_path / "bin" / "sops", tmp_path / "told", "WarblerRotated0123456789"
    program.parent.mkdir()
    if broken == "identity":
        site.identity = other.file
    else:
        site.given["langfuse_clickhouse_password"] = rotated
    if broken == "tree":
        (site.tree / "app" / "web.yaml").write_text("of: a person\n")
    elif broken == "sops":
        program.write_text(_TELLS.format(sops=shutil.which("sops"), told=told))
        program.chmod(0o755)
    with canary.CLUSTERS.watched_processes() as processes, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        run = site.play("site", *LOUD, fails=True)
    run.mentions(said)
    if broken == "sops":
        assert base64.b64encode(rotated.encode()).decode() in told.read_text(), "it was given no secret to tell"
    assert not processes and shown(run.output) == []
    assert shown(_left(site)) == []
