"""A fresh Debian as a container: another host than the controller, with its own Python, reached as Ansible reaches one."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench import builder, engine
from tests.bench.paths import find_paths
from tests.molecule.instance import ROOT, docker
from tests.molecule.playbook import Run
from tests.waiting import wait_until

_CLIENT = ("docker-cli_", "docker-compose_")
PLAYBOOKS = Path(__file__).parent / "playbooks"
# What Ansible itself leaves on a host: its folder for temporary files.
ANSIBLES_OWN = ("/root", "/tmp")


def hosts(name: str, secrets_file: Path, **connection: Any) -> dict[str, Any]:
    """An inventory of one host."""
    variables = {
        "langfuse_secrets_format": "plain",
        "langfuse_secrets_file": str(secrets_file),
        "langfuse_init_user_email": "admin@example.com",
        "langfuse_minimum_disk": 1,
    }
    return {"langfuse": {"hosts": {name: {}}, "vars": {**variables, **connection}}}


def play(
    inventory: Path, playbook: str, *words: str, variables: Mapping[str, Any] | None = None, fails: bool = False
) -> Run:
    """Run a playbook of the collection, or one of this folder, to its end, which must be a good one unless `fails`."""
    path = PLAYBOOKS / playbook
    given = ["--extra-vars", json.dumps(variables or {})]
    began = time.monotonic()
    done = subprocess.run(
        ["ansible-playbook", "--inventory", inventory, *given, str(path) if path.exists() else playbook, *words],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    result = Run(done.returncode, done.stdout + done.stderr, time.monotonic() - began)
    print(f"{playbook} {' '.join(words)}: status {result.status}, changed {result.changed}, {result.seconds:.1f} s")
    assert bool(result.status) == fails, f"status {result.status}\n{result.output[-6000:]}"
    return result


class Machine:
    """Packages and wheels that it downloads are kept in the cache, for the next one."""

    def __init__(self, suite: str, home: Path, *options: str) -> None:
        paths = find_paths()
        reference = builder.ensure_base_image(paths, builder.ensure_base_tarball(paths, {}, suite), {}, suite)
        kept = paths.bench / "hosts" / suite
        for name in ("archives/partial", "pip"):
            (kept / name).mkdir(parents=True, exist_ok=True)
        self.name = f"host-test-{suite}-{uuid.uuid4().hex[:8]}"
        self.secrets_file = home / f"{self.name}.yml"
        self._inventory = home / f"{self.name}.json"
        connection = "community.docker.docker"
        self._inventory.write_text(json.dumps(hosts(self.name, self.secrets_file, ansible_connection=connection)))
        mounts = (f"{kept}/archives:/var/cache/apt/archives", f"{kept}/pip:/root/.cache/pip", "/var/lib/docker")
        volumes = [word for mount in mounts for word in ("-v", mount)]
        # As this machine reaches package indexes, behind a proxy with an authority of its own perhaps.
        authority = os.environ.get("PIP_CERT", "/etc/ssl/certs/ca-certificates.crt")
        if Path(authority).exists():
            volumes += ["-v", f"{authority}:/srv/authority.crt:ro", "-e", "PIP_CERT=/srv/authority.crt"]
        volumes += [
            word for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL") if name in os.environ for word in ("-e", name)
        ]
        # Privileged, because an engine of its own starts in it.
        docker(
            "run",
            "-d",
            "--init",
            "--privileged",
            "--name",
            self.name,
            *volumes,
            *options,
            reference,
            "sleep",
            "infinity",
        )
        # Only the base of the bench's images goes without what packages recommend.
        self.run("rm", "/etc/apt/apt.conf.d/99mmdebstrap")
        self._fresh = self._differing()

    def run(self, *words: str, check: bool = True) -> str:
        return docker("exec", self.name, *words, check=check).strip()

    def play(self, playbook: str, *words: str, variables: Mapping[str, Any] | None = None, fails: bool = False) -> Run:
        return play(self._inventory, playbook, *words, variables=variables, fails=fails)

    def touched(self) -> set[str]:
        """Paths that have changed since the machine was made, without Ansible's own."""
        return {path for path in self._differing() - self._fresh if not path.startswith(ANSIBLES_OWN)}

    def _differing(self) -> set[str]:
        return {line.split(" ", 1)[1] for line in docker("diff", self.name).splitlines()}

    def install_client(self) -> None:
        """Docker's command line and Compose, as on a host of the field, where this Debian's own are too old."""
        paths = [path for path in engine.fetch_packages(find_paths()) if path.name.startswith(_CLIENT)]
        for path in paths:
            docker("cp", str(path), f"{self.name}:/tmp/{path.name}")
        self.run("dpkg", "--install", *(f"/tmp/{path.name}" for path in paths))

    def start_engine(self) -> None:
        """What systemd would do: Docker Engine as its package installed it."""
        docker("exec", "-d", self.name, "dockerd")
        wait_until(
            "engine in the machine", lambda: self.run("docker", "info", "-f", "{{.ServerVersion}}", check=False), 120
        )

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.name, check=False)
