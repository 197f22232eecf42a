"""The instance that is measured: an inventory of its own in a temporary directory, and its playbook runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.benchmarks.figures import Broken

ROOT = Path(__file__).resolve().parents[2]
NAME = "langfuse-bench"
WEB_PORT, S3_PORT = 3230, 9290
_LABEL = f"label=com.docker.compose.project={NAME}"
_COUNTS = re.compile(r"(\w+)=(\d+)")


def recap(output: str) -> dict[str, int]:
    """ok, changed, skipped, … of the one host."""
    lines = output.rpartition("PLAY RECAP")[2].splitlines()
    line = next((line for line in lines if "ok=" in line), "")
    return {name: int(count) for name, count in _COUNTS.findall(line)}


def results(counts: Mapping[str, int]) -> int:
    """Task results. A changed one is counted under ok as well."""
    return sum(counts.get(name, 0) for name in ("ok", "skipped", "failed", "unreachable", "rescued", "ignored"))


@dataclass(frozen=True)
class Run:
    """A playbook that ended well."""

    seconds: float
    counts: Mapping[str, int]
    output: str


def environment_of_a_user() -> dict[str, str]:
    """Without settings of Ansible, and with a Python that keeps its compiled modules, as everywhere but in some sandboxes."""
    given = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {k: v for k, v in given.items() if not k.startswith("ANSIBLE_") or k == "ANSIBLE_COLLECTIONS_PATH"}


class Instance:
    """`home` is a temporary directory; `bench_variables` the file with the bench's images."""

    def __init__(self, home: Path, bench_variables: Path) -> None:
        self.home = home
        self.project = home / "project"
        self.url = f"http://127.0.0.1:{WEB_PORT}"
        self._variables = bench_variables
        self._inventory = home / "inventory"
        (self._inventory / "group_vars").mkdir(parents=True)
        host = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        self._write(self._inventory / "hosts.yml", {"langfuse": {"hosts": {"localhost": host}}})
        self._write(
            self._inventory / "group_vars" / "langfuse.yml",
            {
                "langfuse_instance": NAME,
                "langfuse_project_directory": str(self.project),
                "langfuse_web_port": WEB_PORT,
                "langfuse_s3_port": S3_PORT,
                "langfuse_minimum_disk": 1,
                "langfuse_secrets_format": "plain",
                "langfuse_init_user_email": "admin@example.com",
            },
        )
        self.floor_play = home / "floor.yml"
        apply = {"project_src": str(self.project), "project_name": NAME, "state": "present", "wait": True}
        task = {"name": "Bring the project up", "community.docker.docker_compose_v2": apply}
        self._write(self.floor_play, [{"hosts": "langfuse", "gather_facts": False, "tasks": [task]}])

    @staticmethod
    def _write(path: Path, content: Any) -> None:
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def secrets(self) -> dict[str, str]:
        return dict(yaml.safe_load((self._inventory / ".secrets" / "langfuse.yml").read_text())[NAME])

    def playbook(self, playbook: str, *words: str, environment: Mapping[str, str] | None = None) -> Run:
        """Run it with the same settings for all; a failed run measures nothing."""
        temporary = self.home / "tmp"
        temporary.mkdir(exist_ok=True)
        kept = environment_of_a_user()
        settings = {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_LOCAL_TEMP": str(temporary),
            "ANSIBLE_REMOTE_TMP": str(temporary),
        }
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self._inventory)]
        began = time.monotonic()
        done = subprocess.run(
            [*command, "-e", f"@{self._variables}", playbook, *words],
            cwd=ROOT,
            env={**kept, **settings, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        took = time.monotonic() - began
        if done.returncode:
            raise Broken(f"{playbook} ended with status {done.returncode}:\n{done.stdout[-3000:]}")
        return Run(took, recap(done.stdout), done.stdout)

    def site(self, *words: str, environment: Mapping[str, str] | None = None) -> Run:
        return self.playbook("llmops.langfuse.site", *words, environment=environment)

    def files(self) -> dict[str, tuple[int, int, int]]:
        """Every file of the project and the inventory: path → inode, times of content and status in ns."""
        found = {}
        for top in (self.project, self._inventory):
            for path in top.rglob("*"):
                status = path.lstat()
                found[str(path)] = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        return found

    def forget_documents(self) -> None:
        """Leave nothing of the project directory but the Python environment of the modules."""
        for path in self.project.iterdir():
            if path.name in (".python", ".requirements.txt"):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def empty(self) -> None:
        """Kill the containers and remove them with their volumes. A stop would wait out web's drain of 110 s."""
        if containers := _docker("ps", "--all", "--quiet", "--filter", _LABEL):
            _docker("rm", "--force", "--volumes", *containers)
        for kind in ("volume", "network"):
            if left := _docker(kind, "ls", "--quiet", "--filter", _LABEL):
                _docker(kind, "rm", *left)


def _docker(*words: str) -> list[str]:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise Broken(f"docker {' '.join(words[:2])}: {done.stderr.strip()}")
    return done.stdout.split()
