"""The commands of the runbook, for the instance of the scenario, which is called as the page calls it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.molecule import runbook
from tests.molecule.gitops.instance import IDENTITY, git
from tests.molecule.kubernetes.instance import kubectl

PAGE = "gitops"
HOLD = "Hold Flux for a restore"
# What writes into the stores.
WRITERS = ("web", "worker", "ingestion")
# What changes something.
_CHANGES = {"annotate", "delete", "create", "patch", "rollout", "scale", "restore", "rm"}
Wanted = Callable[[list[str]], bool]


def shows(words: list[str]) -> bool:
    return not _CHANGES & set(words)


def which(*words: str) -> Wanted:
    return lambda found: all(any(word in one for one in found) for word in words)


def followed(heading: str, wanted: Wanted = shows, identity: Path = IDENTITY) -> str:
    """What the page's commands below a heading say, but its playbooks; of all that only show something, unless `wanted`."""
    found = [words for words in runbook.lines(PAGE, heading) if words[0] != runbook.PLAYBOOK[0] and wanted(words)]
    assert found, heading
    values = {"$(date +%s)": str(time.time()), "<identity>": str(identity)}
    return "\n".join(_run(_filled(words, values)) for words in found)


def _filled(words: list[str], values: dict[str, str]) -> list[str]:
    for placeholder, value in values.items():
        words = [word.replace(placeholder, value) for word in words]
    return words


def _run(words: list[str]) -> str:
    return git(*words[1:]) if words[0] == "git" else kubectl(*words[1:], timeout=320)


def hold(*kinds: str) -> None:
    """All that would start pods again rests, and no pod is left; `kinds` are those that this instance has beside Kustomizations."""
    chosen = _of(kinds)
    followed(HOLD, lambda words: chosen(words) and (which("patch", "true")(words) or which("paused=true")(words)))
    followed(HOLD, lambda words: which("scale", "--replicas=0")(words) or "wait" in words)


def let_go(*kinds: str) -> None:
    """Without what is for autoscalers alone."""
    chosen = _of(kinds)
    followed(HOLD, lambda words: chosen(words) and which("patch", "false")(words))


def _of(kinds: tuple[str, ...]) -> Wanted:
    others = {"helmreleases", "scaledobjects"} - set(kinds)
    return lambda words: not others & set(words)
