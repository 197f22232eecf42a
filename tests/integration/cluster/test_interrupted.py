"""Runs that are killed in the middle, and two at once for one instance: the next run finds its way, and no migration is cut off."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import Cluster

from tests.integration.cluster.objects import Document, instance, migration, settings
from tests.integration.cluster.place import Place
from tests.integration.cluster.running import LAYOUT
from tests.molecule.instance import ROOT
from tests.waiting import wait_until

pytestmark = [pytest.mark.engine]
Started = list[subprocess.Popen[str]]
PLAYBOOK = Path(__file__).parent / "playbooks" / "apply.yml"


@pytest.fixture
def started() -> Iterator[Started]:
    """Playbooks of the test. None of them, nor a module of one, outlives it."""
    processes: Started = []
    yield processes
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def _start(started: Started, place: Place, home: Path, documents: list[Document]) -> subprocess.Popen[str]:
    """A playbook in a process group of its own."""
    given = {
        "documents": documents,
        "given_instance": place.owner.instance,
        "place": place.owner.namespace,
        "given_kubeconfig": str(LAYOUT.kubeconfig),
        "ansible_python_interpreter": sys.executable,
    }
    variables = home / f"variables-{len(started)}.json"
    variables.touch(mode=0o600)
    variables.write_text(json.dumps(given))
    process = subprocess.Popen(
        ["ansible-playbook", f"--extra-vars=@{variables}", str(PLAYBOOK)],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "true"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    started.append(process)
    return process


def _jobs(place: Place) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(place.kubectl("get", "jobs", "--output=json"))["items"]
    return [{"apiVersion": "batch/v1", "kind": "Job", **one} for one in found]


def _slow(place: Place) -> list[Document]:
    """An instance whose migration takes a while."""
    return [
        *instance(place.owner, place.image)[:3],
        migration(place.owner, place.image, "sleep 20"),
        *instance(place.owner, place.image)[4:],
    ]


def _migrates(place: Place) -> bool:
    return any((job.get("status") or {}).get("ready") for job in _jobs(place))


def test_a_killed_run_is_gone_on_with(started: Started, place: Place, tmp_path: Path) -> None:
    process = _start(started, place, tmp_path, _slow(place))
    wait_until("the migration runs", lambda: _migrates(place), 120)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    (job,) = _jobs(place)
    assert "Deployment/lf-web" not in place.versions()
    result = place.apply(*_slow(place))
    assert not result.get("failed"), result
    assert [one["object"].split(" ")[0] for one in result["applied"]] == ["Deployment"]
    (after,) = _jobs(place)
    assert after["metadata"]["uid"] == job["metadata"]["uid"] and after["status"]["succeeded"] == 1
    assert not place.apply(*_slow(place))["changed"]


def test_two_runs_at_once_and_one_that_loses_its_playbook(started: Started, place: Place, tmp_path: Path) -> None:
    """Of the third only the playbook is killed: its module goes on beside the others."""
    # A migration that failed is made anew, by one of them.
    place.apply(*instance(place.owner, place.image)[:3], migration(place.owner, place.image, "exit 3"))
    (failed,) = _jobs(place)
    runs = [_start(started, place, tmp_path, _slow(place)) for _number in range(3)]
    wait_until("the migration runs", lambda: _migrates(place), 120)
    (job,) = _jobs(place)
    assert job["metadata"]["uid"] != failed["metadata"]["uid"]
    runs[2].kill()
    # Whoever comes too late to remove the one that failed does not take the new one away.
    Cluster(str(LAYOUT.kubeconfig)).delete(failed)
    said = [run.communicate(timeout=180)[0] for run in runs]
    assert [run.returncode for run in runs[:2]] == [0, 0], "".join(said)
    (after,) = _jobs(place)
    assert after["metadata"]["uid"] == job["metadata"]["uid"] and after["status"]["succeeded"] == 1
    assert not place.apply(*_slow(place))["changed"]


def test_the_last_of_two_settings_wins_and_the_next_run_repairs(started: Started, place: Place, tmp_path: Path) -> None:
    one = instance(place.owner, place.image)
    another = [settings(place.owner, a="2") if document == one[2] else document for document in one]
    runs = [_start(started, place, tmp_path, documents) for documents in (one, another)]
    said = [run.communicate(timeout=180)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "".join(said)
    won = place.find("configmap", "lf-settings")["data"]["a"]
    lost, value = (another, "2") if won == "1" else (one, "1")
    assert place.apply(*lost)["changed"]
    assert place.find("configmap", "lf-settings")["data"] == {"a": value}
    assert not place.apply(*lost)["changed"]
