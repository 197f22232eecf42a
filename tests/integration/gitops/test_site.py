"""`site` for a Git repository: the tree of the plan, nothing the second time, and no cluster is asked."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.plugin_utils.sops import keys_of

from tests.integration.gitops.conftest import Pair
from tests.integration.gitops.site import TREE, Site

SECRET = f"{TREE}/app/secret.sops.yaml"


def _secrets(site: Site, pair: Pair) -> dict[str, Any]:
    """Name and key → value in Base64, as Flux gets them."""
    environment = {"SOPS_AGE_KEY_FILE": str(pair.file), "PATH": os.environ["PATH"]}
    command = ["sops", "decrypt", site.repository.root / SECRET]
    done = subprocess.run(command, env=environment, check=True, capture_output=True)
    found = yaml.safe_load_all(done.stdout)
    return {f"{one['metadata']['name']} {key}": value for one in found for key, value in one["data"].items()}


def test_it_writes_the_tree_once_and_predicts_it(site: Site, mine: Pair) -> None:
    before = site.repository.files()
    check = site.play("site", "--check", "--diff")
    assert site.repository.files() == before and not site.secrets_file.exists()
    assert "+kind: Deployment" in check.output and f"+++ after: b/{TREE}/ks.yaml" in check.output and check.changed
    assert "(hidden, new)" in check.output

    first = site.play("site")
    files = site.repository.files()
    assert {path: files[path] for path in before} == before
    assert first.changed == check.changed
    assert keys_of(site.secrets_file.read_bytes()) == {mine.recipient}
    for path in ("ks.yaml", "app/kustomization.yaml", "app/secret.sops.yaml", "app/postgresql.yaml"):
        assert (site.tree / path).exists(), path
    first.mentions(
        f"git -C {site.repository.root} add {TREE}",
        "llmops.langfuse.provision makes the buckets, and llmops.langfuse.verify",
    )

    kept = (files, site.secrets_file.read_bytes(), site.secrets_file.stat().st_mtime_ns)
    for words in ((), ("--check", "--diff")):
        again = site.play("site", *words)
        assert again.changed == 0 and "+++ after" not in again.output
        assert (site.repository.files(), site.secrets_file.read_bytes(), site.secrets_file.stat().st_mtime_ns) == kept
    site.repository.commit()
    site.play("site").mentions("All of it is committed")
    assert site.repository.git("status", "--porcelain") == ""


def test_a_rotated_secret_changes_what_has_it_and_what_reads_it(site: Site, mine: Pair) -> None:
    site.play("site")
    site.repository.commit()
    secrets = _secrets(site, mine)
    run = site.play("site", "--diff", more={"langfuse_clickhouse_password": "rotatedrotatedrotatedrotated"})
    assert "password: (hidden, changed)" in run.output and "rotatedrotated" not in run.output
    changed = set(site.repository.git("diff", "--name-only").split())
    assert {SECRET, f"{TREE}/app/web.yaml", f"{TREE}/app/worker.yaml"} <= changed
    assert f"{TREE}/app/postgresql.yaml" not in changed
    after = _secrets(site, mine)
    assert {key for key in after if after[key] != secrets[key]} == {"langfuse-clickhouse-credentials password"}


def test_a_secret_is_not_handed_over_under_the_name_that_flux_prunes(site: Site) -> None:
    """Those with keys that may have no other copy are never pruned."""
    smtp = {"langfuse_smtp_url": "smtp://u:canarycanary@mail.example.com:587", "langfuse_email_from": "a@example.com"}
    site.play("site", more=smtp)
    site.repository.commit()
    theirs = {
        "smtp-credentials": "langfuse-smtp-credentials",
        "clickhouse-credentials": "langfuse-clickhouse-credentials",
    }
    given = {
        "langfuse_email_from": smtp["langfuse_email_from"],
        "langfuse_network_policy_to": ["mail.example.com:587"],
        "langfuse_kubernetes_existing_secrets": theirs,
    }
    refused = "langfuse_kubernetes_existing_secrets: has langfuse-smtp-credentials"
    run = site.play("site", fails=True, more=given)
    run.mentions(refused)
    assert "clickhouse-credentials" not in run.output
    assert site.repository.git("status", "--porcelain") == ""


def test_who_does_not_prune_takes_no_secret_away(site: Site) -> None:
    smtp = {"langfuse_smtp_url": "smtp://u:canarycanary@mail.example.com:587", "langfuse_email_from": "a@example.com"}
    site.given = {"langfuse_gitops_flavour": "plain"}
    site.play("site", more=smtp)
    site.repository.commit()
    theirs = {
        "langfuse_email_from": smtp["langfuse_email_from"],
        "langfuse_network_policy_to": ["mail.example.com:587"],
        "langfuse_kubernetes_existing_secrets": {"smtp-credentials": "langfuse-smtp-credentials"},
    }
    assert site.play("site", more=theirs).changed


def test_without_an_identity_the_tree_stays_as_it_is(site: Site) -> None:
    """As on a build server that has only recipients; the secrets come from a vault, or from variables."""
    site.given = {"langfuse_secrets_format": "plain"}
    site.identity = None
    assert site.play("site").changed
    before = site.repository.files()
    assert site.play("site").changed == 0 and site.repository.files() == before


def test_no_recipients_are_asked_for_where_others_keep_all_secrets(site: Site) -> None:
    site.given = {"langfuse_secrets_format": "plain", "langfuse_age_recipients": []}
    site.identity = None
    run = site.play("site", fails=True)
    run.mentions("langfuse_age_recipients: is empty, and langfuse_target is gitops")
    used = ("", *(f"{one}-" for one in ("clickhouse", "redis", "s3", "init")))
    theirs = {f"{one}credentials": f"theirs-{one}credentials" for one in used}
    more = {"langfuse_kubernetes_existing_secrets": theirs, "langfuse_init_project_public_key": "pk-lf-11111111"}
    run = site.play("site", fails=True, more=more)
    run.mentions("langfuse_age_recipients: is empty, and the tree has secrets")
    theirs["postgresql-credentials"] = "theirs"
    assert site.play("site", more=more).changed and not list(site.tree.rglob("*.sops.yaml"))
    assert site.play("site", more=more).changed == 0


def test_a_vault_becomes_sops_and_the_tree_stays(site: Site, mine: Pair) -> None:
    password = site.home / "password.txt"
    password.write_text("open sesame\n")
    site.given = {"langfuse_secrets_format": "vault"}
    vault = f"--vault-password-file={password}"
    site.play("site", vault)
    before, secrets = site.repository.files(), _secrets(site, mine)
    assert site.secrets_file.read_bytes().startswith(b"$ANSIBLE_VAULT")
    site.given = {}
    run = site.play("site", vault)
    assert run.changed == 1 and site.repository.files() == before
    assert keys_of(site.secrets_file.read_bytes()) == {mine.recipient}
    assert site.play("site").changed == 0 and _secrets(site, mine) == secrets


def test_a_lost_secrets_file_does_not_take_the_keys_of_the_tree(site: Site, mine: Pair) -> None:
    site.play("site")
    site.repository.commit()
    secrets, before = _secrets(site, mine), site.repository.files()
    site.secrets_file.unlink()
    for playbook in ("site", "provision", "preflight"):
        site.play(playbook, fails=True).mentions("langfuse_secrets_file: lacks", "langfuse_salt", "Restore the file")
        assert site.repository.files() == before and not site.secrets_file.exists()
    assert _secrets(site, mine) == secrets


def test_provision_says_that_a_store_of_its_own_comes_later(site: Site) -> None:
    run = site.play("provision", fails=True)
    run.mentions("no-cluster", "It runs once the tree is committed and applied; then run provision again")
    assert site.secrets_file.exists() and not site.tree.exists()
    assert site.play("provision", fails=True).changed == 0


def test_preflight_looks_at_the_checkout_and_changes_nothing(site: Site, tmp_path: Path) -> None:
    before = site.repository.files()
    assert site.play("preflight").changed == 0 and site.repository.files() == before
    site.repository.write(f"{TREE}/app/web.yaml", "of: a person\n")
    site.play("preflight", fails=True).mentions("which somebody else made", "langfuse_gitops_overwrite")
    assert not site.secrets_file.exists()


def test_all_problems_come_in_one_message(site: Site, other: Pair) -> None:
    site.identity = other.file
    site.given = {"langfuse_gitops_directory": "", "langfuse_age_recipients": []}
    run = site.play("site", fails=True)
    run.mentions("langfuse_gitops_directory: is missing", "langfuse_age_recipients: is empty")
    # Ansible itself shows a message twice.
    assert run.output.count("langfuse_age_recipients: is empty") == 2 and run.output.count("fatal: [") == 1
    site.given = {"langfuse_secrets_format": "sopps", "langfuse_gitops_flavour": "helm"}
    run = site.play("site", fails=True)
    run.mentions("langfuse_secrets_format: is not accepted", "langfuse_gitops_flavour: is not accepted")
    assert run.output.count("langfuse_secrets_format: is not accepted") == 2
    assert not site.secrets_file.exists() and not site.tree.exists()


def test_switched_off_the_workloads_go_and_the_data_stays(site: Site) -> None:
    site.play("site")
    run = site.play("site", more={"langfuse_enabled": False})
    assert run.changed and "kind: Deployment" not in (site.tree / "app/web.yaml").read_text()
    assert "kind: Cluster" in (site.tree / "app/postgresql.yaml").read_text()
    site.play("site")
    assert "kind: Deployment" in (site.tree / "app/web.yaml").read_text()


def test_teardown_removes_the_tree_and_says_what_follows(site: Site) -> None:
    parent = f"{Path(TREE).parent}/kustomization.yaml"
    site.repository.write(parent, "resources: [./other]\n")
    before = site.repository.files()
    site.play("site")
    named = "resources: [./other, ./langfuse]\n"
    site.repository.write(parent, named)
    site.repository.commit()
    check = site.play("teardown", "--check")
    assert check.changed and site.tree.exists()
    run = site.play("teardown")
    git = f"git -C {site.repository.root}"
    run.mentions(
        "the tree is still in the last commit",
        f"Take ./langfuse out of the resources of {parent} in the same commit",
        f'Next: {git} add {TREE} {parent} && {git} commit -m \\"Without langfuse\\" && {git} push',
        "then removes everything (Flux does, kubectl does not) but volumes",
        "are kept",
    )
    assert site.repository.read(parent) == named and site.secrets_file.exists()
    # The data is somewhere in a cluster, from which Flux would bring everything back.
    run = site.play("teardown", more={"langfuse_teardown_data": "langfuse"})
    run.mentions("When that is done, run teardown again")
    assert run.changed == 0 and site.secrets_file.exists()
    site.repository.write(parent, "resources: [./other]\n")
    # What somebody else works on stays out of that commit.
    site.repository.write("README.md", "not ready\n")
    site.repository.git("add", TREE, parent)
    site.repository.git("commit", "--quiet", "--message", "Without langfuse")
    assert site.repository.git("status", "--porcelain") == " M README.md\n"
    site.repository.write("README.md", "of somebody else\n")
    assert {path: data for path, (data, _time) in site.repository.files().items()} == {
        path: data for path, (data, _time) in before.items()
    }
    run = site.play("teardown")
    run.mentions("has no tree of langfuse any more", "All of it is committed")
    assert "Take ./langfuse out" not in run.output
    # Only now a cluster is asked, and there is none here.
    run = site.play("teardown", fails=True, more={"langfuse_teardown_data": "langfuse"})
    run.mentions("Remove the application before its stores")
    assert site.secrets_file.exists()


def test_teardown_that_is_not_in_the_main_branch_leaves_the_data(site: Site, tmp_path: Path) -> None:
    site.play("site")
    site.repository.commit()
    site.repository.git("init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "origin"))
    site.repository.git("remote", "add", "origin", str(tmp_path / "origin"))
    site.repository.git("push", "--quiet", "--set-upstream", "origin", "main")
    site.repository.git("remote", "set-head", "origin", "main")
    site.repository.git("checkout", "--quiet", "-b", "away")
    site.play("teardown").mentions("names ./langfuse, take it out there in the same commit", f"add {TREE} &&")
    site.repository.commit()
    run = site.play("teardown", more={"langfuse_teardown_data": "langfuse"})
    run.mentions("still in origin/main and a branch that was pushed before", "push that to the branch that is applied")
    assert run.changed == 0 and site.secrets_file.exists()


@pytest.mark.parametrize("playbook", ["verify", "status", "diagnose"])
def test_what_asks_a_cluster_asks_the_one_that_the_tree_is_applied_to(site: Site, playbook: str) -> None:
    site.play("site")
    run = site.play(playbook, fails=True)
    assert "no-cluster" in run.output and "Traceback" not in run.output, run.output[-1500:]


def test_every_file_is_what_the_filter_makes(site: Site) -> None:
    """Nothing else is in the tree, and the record names exactly these."""
    site.play("site")
    record = json.loads((site.tree / ".langfuse.json").read_text())
    files = {str(path.relative_to(site.tree)) for path in site.tree.rglob("*") if path.is_file()}
    assert files == {*record["files"], ".langfuse.json"}
    assert [path for path, entry in record["files"].items() if "content" in entry] == [
        path for path in sorted(files) if path.endswith(".sops.yaml")
    ]
