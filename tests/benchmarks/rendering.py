"""The tree of an instance in a Git repository from its Plan to bytes, against one `template` task that writes the same bytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.llmops.langfuse.plugins.filter.derive import derive
from ansible_collections.llmops.langfuse.plugins.filter.flux_tree import flux_tree
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import from_data
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.secrets import candidates

from tests.benchmarks import objects
from tests.benchmarks.figures import Broken, Section, ratio_row
from tests.benchmarks.instance import Instance

ROUNDS = 5


def variables() -> dict[str, Any]:
    """One of the instances that objects are measured with, in a repository."""
    return {
        **objects.variables(0),
        "langfuse_target": "gitops",
        "langfuse_gitops_directory": "/srv/fleet",
        "langfuse_age_recipients": ["age1" + "q" * 58],
    }


def _play(path: Path, task: dict[str, Any]) -> str:
    play = {"hosts": "langfuse", "gather_facts": False, "tasks": [task]}
    path.write_text(yaml.safe_dump([play], sort_keys=False))
    return str(path)


def measure(instance: Instance) -> Section:
    given = variables()
    derived = derive(given, list(given), ["localhost"], {}, candidates({}))
    if derived["problems"]:
        raise Broken(f"derive refused its input: {derived['problems']}")
    tree = {one["path"]: from_data(one).content() for one in flux_tree(derived["plan"], derived["secrets"])}
    home = instance.home
    rendered, copied, text = home / "tree", home / "copy", home / "tree.j2"
    inputs = home / "plan.json"
    inputs.write_text(json.dumps({"plan": derived["plan"], "secrets": derived["secrets"]}))
    text.write_text("{% raw %}" + "".join(tree.values()) + "{% endraw %}\n")
    documents = {"directory": str(rendered), "documents": "{{ plan | llmops.langfuse.flux_tree(secrets) }}"}
    ours = _play(
        home / "render.yml", {"name": "Write the tree", "llmops.langfuse.documents": documents, "no_log": True}
    )
    template = {"src": str(text), "dest": str(copied), "mode": "0600"}
    floor = _play(home / "template.yml", {"name": "Write the text", "ansible.builtin.template": template})
    took: dict[str, list[float]] = {ours: [], floor: []}
    for _round in range(ROUNDS):
        for play, words in ((floor, ()), (ours, ("-e", f"@{inputs}"))):
            shutil.rmtree(rendered, ignore_errors=True)
            copied.unlink(missing_ok=True)
            took[play].append(instance.playbook(play, *words).seconds)
            written = {
                str(one.relative_to(rendered)): one.read_text() for one in rendered.rglob("*.*") if one.is_file()
            }
            if play == floor and copied.read_text() != "".join(tree.values()):
                raise Broken("the template wrote something else")
            if play == ours and {path: written.get(path) for path in tree} != tree:
                raise Broken("the filter rendered something else")
    size = sum(map(len, tree.values())) // 1024
    return Section(
        "Rendering for Git",
        [ratio_row("the tree of an instance, from its Plan to files", took[ours], took[floor], 4)],
        [
            f"{ROUNDS} plays of one task each, in turns. Ours is the filter `llmops.langfuse.flux_tree` and the module `documents`, which "
            f"writes {len(tree)} files, {size} KiB, without their encryption. The floor is `ansible.builtin.template` with the same bytes "
            "as the text of one file, in which nothing is replaced."
        ],
    )
