"""A second `site` on an instance that has nothing to do, against one task of the bare Compose module."""

from __future__ import annotations

import re

from tests.benchmarks.figures import Broken, Section, count_row, ratio_row
from tests.benchmarks.instance import Instance, Run, results
from tests.benchmarks.page import table

ROUNDS = 5
_TASK = re.compile(r"^(.+?) -+ ([\d.]+)s$", re.MULTILINE)


def slowest(output: str, number: int = 8) -> list[tuple[str, str]]:
    """The slowest tasks that the callback profile_tasks told."""
    told = output.rpartition("TASKS RECAP")[2]
    return [(name.removeprefix("llmops.langfuse."), f"{taken} s") for name, taken in _TASK.findall(told)][:number]


def _unchanged(run: Run, what: str) -> Run:
    if run.counts.get("changed", 0) or not run.counts.get("ok", 0):
        raise Broken(f"{what} changed something:\n{run.output[-3000:]}")
    return run


def measure(instance: Instance) -> Section:
    """The instance must be up."""
    _unchanged(instance.site("--skip-tags", "verify"), "the warm-up")
    before = instance.files()
    ours, floor = [], []
    for _round in range(ROUNDS):
        floor.append(_unchanged(instance.playbook(str(instance.floor_play)), "the floor"))
        ours.append(_unchanged(instance.site("--skip-tags", "verify"), "a second site"))
    after = instance.files()
    written = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    profile = {"ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks"}
    tasks = slowest(instance.site("--skip-tags", "verify", environment=profile).output)
    return Section(
        "A second site",
        [
            ratio_row("second `site`, without verify", [r.seconds for r in ours], [r.seconds for r in floor], 2.5),
            count_row("… its task results", [results(run.counts) for run in ours], 30),
            count_row("… files written by all of its runs", [len(written)], 0),
        ],
        [
            f"{ROUNDS} runs each, in turns, on a healthy instance. The floor is a play of one task, "
            "`community.docker.docker_compose_v2` with `state: present` and `wait: true`, on the directory that `site` wrote; "
            "inventory and settings are the same. Written files are those of the project directory and the inventory "
            "whose inode, content time or status time differs afterwards.",
            "Where the time of one more run went:",
            table(("task", "seconds"), tasks),
        ],
    )
