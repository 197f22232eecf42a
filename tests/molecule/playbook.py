"""Playbooks of the collection as subprocesses, and what their output says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.molecule.instance import ROOT, Deployed

CACHE = Path(os.environ.get("LANGFUSE_CACHE") or Path.home() / ".cache" / "llmops-langfuse")
LOUD = ("-vvv", "--diff")
_RECAP = re.compile(r"^\S+\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """A finished playbook."""

    status: int
    output: str
    seconds: float

    @property
    def changed(self) -> int:
        return sum(int(match[2]) for match in _RECAP.finditer(self.output))

    @property
    def changed_tasks(self) -> list[str]:
        """Names of the tasks that reported a change."""
        task, found = "", []
        for line in self.output.splitlines():
            if match := re.match(r"TASK \[(?:[\w.]+ : )?(.*)\]", line):
                task = match[1]
            elif line.startswith("changed: ["):
                found.append(task)
        return found

    def mentions(self, *pieces: str) -> None:
        """Assert that the output says all of it, wherever its lines were broken."""
        text = " ".join(self.output.split())
        missing = [piece for piece in pieces if piece not in text]
        assert not missing, f"the output does not say {missing}:\n{self.output[-4000:]}"


def start(
    instance: Deployed, playbook: str, *words: str, variables: Mapping[str, Any] | None = None
) -> subprocess.Popen[str]:
    """Start a playbook against the scenario's inventory; `variables` reach it by a private file."""
    instance.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    values = {**instance.given(), **(variables or {}), "langfuse_group": instance.group}
    handle, name = tempfile.mkstemp(prefix="variables-", suffix=".json", dir=instance.temporary.parent)
    with os.fdopen(handle, "w") as stream:
        json.dump(values, stream)
    inventory = ROOT / "molecule" / instance.scenario / "inventory"
    command = ["ansible-playbook", "-i", str(inventory), "-e", f"@{CACHE}/bench/vars.yml", "-e", f"@{name}"]
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_") or k == "ANSIBLE_COLLECTIONS_PATH"},
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "true",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(instance.temporary.parent),
        "TMPDIR": str(instance.temporary),
        "ANSIBLE_LOCAL_TEMP": str(instance.temporary),
        "ANSIBLE_REMOTE_TMP": str(instance.temporary),
    }
    return subprocess.Popen(
        [*command, playbook, *words],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(
    instance: Deployed,
    playbook: str = "llmops.langfuse.site",
    *words: str,
    variables: Mapping[str, Any] | None = None,
    fails: bool = False,
) -> Run:
    """Run a playbook to its end, which must be a good one unless `fails`."""
    began = time.monotonic()
    process = start(instance, playbook, *words, variables=variables)
    output, _nothing = process.communicate(timeout=900)
    done = Run(process.returncode, output, time.monotonic() - began)
    print(f"{playbook} {' '.join(words)}: status {done.status}, changed {done.changed}, {done.seconds:.1f} s")
    assert bool(done.status) == fails, f"status {done.status}\n{output[-6000:]}"
    return done


def site(instance: Deployed, *words: str, variables: Mapping[str, Any] | None = None, fails: bool = False) -> Run:
    """`site` without its last step, the walk over all hops: the tests look for themselves."""
    return run(instance, "llmops.langfuse.site", "--skip-tags", "verify", *words, variables=variables, fails=fails)


def check(instance: Deployed, variables: Mapping[str, Any] | None = None) -> Run:
    """`site --check --diff`, with what Compose or the cluster would do."""
    return site(instance, "--check", "--diff", variables=variables)
