"""The guide's own commands and inventory, from nothing to a commit; what is for kubectl is left out, because no cluster is in reach."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.plugin_utils.gitops.git import Checkout
from ansible_collections.llmops.langfuse.plugins.plugin_utils.sops import keys_of

from tests.integration.gitops import checkout
from tests.integration.gitops.checkout import PATH, SECRET
from tests.integration.host.machine import play
from tests.molecule.instance import ROOT

PARENT = "kubernetes/apps/ai-system/kustomization.yaml"
PAGE = (ROOT / "docs" / "guides" / "gitops.md").read_text("utf-8")
# The recipient that the page shows.
SHOWN = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


def _below(heading: str) -> str:
    return PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def _lines(heading: str) -> list[str]:
    """Commands for a shell below a heading, without kubectl's."""
    blocks = re.findall(r"^ *```bash\n(.*?)^ *```", _below(heading), re.MULTILINE | re.DOTALL)
    found = [line.strip() for block in blocks for line in block.splitlines()]
    return [line.split(" | kubectl")[0] for line in found if not line.startswith("kubectl")]


def _playbooks(heading: str) -> list[list[str]]:
    """Name and words of each playbook below a heading, in its order."""
    found = re.findall(
        r"^ *ansible-playbook -i inventories/mine llmops\.langfuse\.(.*)$", _below(heading), re.MULTILINE
    )
    return [line.split() for line in found]


def _run(lines: list[str], place: Path) -> str:
    environment = {**os.environ, "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.com"}
    environment |= {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.com"}
    script = "set -eu\n" + "\n".join(lines)
    done = subprocess.run(
        ["bash", "-c", script], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stderr}"
    return done.stdout


def test_the_guide_leads_from_a_key_to_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-cluster"))
    recipient = _run(_lines("Before the first run"), tmp_path).strip()
    assert recipient.startswith("age1") and SHOWN in _below("Before the first run")

    repository = checkout.make(tmp_path / "fleet")
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "origin"], check=True)
    repository.git("remote", "add", "origin", str(tmp_path / "origin"))
    repository.git("push", "--quiet", "--set-upstream", "origin", "main")
    inventory = tmp_path / "inventories" / "mine" / "hosts.yml"
    inventory.parent.mkdir(parents=True)
    (block,) = re.findall(r"```yaml\n(# inventories/mine.*?)```", PAGE, re.DOTALL)
    inventory.write_text(block.replace(SHOWN, recipient))

    playbooks = _playbooks("The first instance")
    assert [words[0] for words in playbooks] == ["preflight", "site", "site", "provision", "verify"]
    for words in playbooks[:3]:
        play(inventory, f"llmops.langfuse.{words[0]}", *words[1:])
    assert keys_of((inventory.parent / ".secrets" / "langfuse.yml").read_bytes()) == {recipient}
    _name(repository, "./other", "./langfuse")
    _run(_lines("The first instance"), tmp_path)
    assert repository.git("status", "--porcelain") == "" and repository.git("diff", "@{upstream}") == ""

    decrypt = next(line for line in _lines("Without Flux") if line.startswith("sops decrypt"))
    names = {one["metadata"]["name"] for one in yaml.safe_load_all(_run([decrypt], repository.root))}
    assert "langfuse-credentials" in names and SECRET in decrypt

    (words,) = _playbooks("What is in the tree")
    path = words[-1].partition("=")[2]
    assert path.startswith(PATH)
    repository.write(path, "of: a person\n")
    play(inventory, "llmops.langfuse.site", fails=True).mentions("langfuse_gitops_overwrite")
    play(inventory, f"llmops.langfuse.{words[0]}", *words[1:])
    assert repository.git("status", "--porcelain") == ""

    told = play(inventory, "llmops.langfuse.teardown")
    told.mentions(f"Take ./langfuse out of the resources of {PARENT}", f"add {PATH} {PARENT} &&")
    _name(repository, "./other")
    _run(_lines("Afterwards"), tmp_path)
    assert repository.git("status", "--porcelain") == "" and Checkout(str(repository.root)).holders(PATH) == []
    assert not (repository.root / PATH).exists()


def _name(repository: checkout.Repository, *resources: str) -> None:
    """As somebody edits the platform's own file."""
    repository.write(PARENT, yaml.safe_dump({"kind": "Kustomization", "resources": list(resources)}))
