"""The tree of an instance in a Git repository from its Plan to files, against one `template` task that writes the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.llmops.langfuse.plugins.filter.derive import derive
from ansible_collections.llmops.langfuse.plugins.filter.flux_tree import flux_tree
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import from_data
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.secrets import candidates

from tests.bench import encryption
from tests.benchmarks import objects
from tests.benchmarks.figures import Broken, Section, ratio_row
from tests.benchmarks.instance import Instance

ROUNDS = 5


def variables(checkout: Path, recipient: str) -> dict[str, Any]:
    """One of the instances that objects are measured with, in a repository."""
    return {
        **objects.variables(0),
        "langfuse_target": "gitops",
        "langfuse_gitops_directory": str(checkout),
        "langfuse_age_recipients": [recipient],
    }


def _play(path: Path, task: dict[str, Any]) -> str:
    play = {"hosts": "langfuse", "gather_facts": False, "tasks": [task]}
    path.write_text(yaml.safe_dump([play], sort_keys=False))
    return str(path)


def _recipient() -> str:
    said = subprocess.run(["age-keygen"], check=True, capture_output=True, text=True).stdout
    return next(line.split()[-1] for line in said.splitlines() if "public key" in line)


def measure(instance: Instance) -> Section:
    home = instance.home
    checkout, copied, text = home / "checkout", home / "copy", home / "tree.j2"
    before = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([*map(str, encryption.ensure()), before])
    try:
        return _measure(instance, checkout, copied, text)
    finally:
        os.environ["PATH"] = before


def _measure(instance: Instance, checkout: Path, copied: Path, text: Path) -> Section:
    recipient = _recipient()
    given = variables(checkout, recipient)
    derived = derive(given, list(given), ["localhost"], {}, candidates({}))
    if derived["problems"]:
        raise Broken(f"derive refused its input: {derived['problems']}")
    documents = [from_data(one) for one in flux_tree(derived["plan"], derived["secrets"])]
    tree = {one.path: one.content() for one in documents}
    subprocess.run(["git", "init", "--quiet", checkout], check=True)
    inputs = instance.home / "plan.json"
    inputs.write_text(json.dumps({"plan": derived["plan"], "secrets": derived["secrets"]}))
    text.write_text("{% raw %}" + "".join(tree.values()) + "{% endraw %}\n")
    path = derived["plan"]["gitops"]["path"]
    task = {
        "directory": str(checkout),
        "path": path,
        "instance": derived["plan"]["instance"],
        "documents": "{{ plan | llmops.langfuse.flux_tree(secrets) }}",
        "secrets": "{{ secrets }}",
        "recipients": [recipient],
    }
    ours = _play(
        instance.home / "render.yml", {"name": "Write the tree", "llmops.langfuse.gitops_tree": task, "no_log": True}
    )
    template = {"src": str(text), "dest": str(copied), "mode": "0600"}
    floor = _play(instance.home / "template.yml", {"name": "Write the text", "ansible.builtin.template": template})
    took: dict[str, list[float]] = {ours: [], floor: []}
    for _round in range(ROUNDS):
        for play, words in ((floor, ()), (ours, ("-e", f"@{inputs}"))):
            shutil.rmtree(checkout / path.split("/")[0], ignore_errors=True)
            copied.unlink(missing_ok=True)
            took[play].append(instance.playbook(play, *words).seconds)
            if play == floor and copied.read_text() != "".join(tree.values()):
                raise Broken("the template wrote something else")
            if play == ours:
                written = {one.path: (checkout / one.path).read_text() for one in documents}
                if {one.path for one in documents if written[one.path] != tree[one.path]} != {
                    one.path for one in documents if one.sensitive
                }:
                    raise Broken("the module wrote something else, or did not encrypt")
    size = sum(map(len, tree.values())) // 1024
    return Section(
        "Rendering for Git",
        [ratio_row("the tree of an instance, from its Plan to files", took[ours], took[floor], 4)],
        [
            f"{ROUNDS} plays of one task each, in turns. Ours is the filter `llmops.langfuse.flux_tree` and the module `gitops_tree`, which "
            f"looks at the checkout, encrypts and writes {len(tree)} files, {size} KiB. The floor is `ansible.builtin.template` with the same "
            "bytes, in clear, as the text of one file, in which nothing is replaced."
        ],
    )
