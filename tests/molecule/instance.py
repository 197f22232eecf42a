"""The instances of the scenarios, and what Docker says about the containers of those on this host."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
BASE = Path("/var/tmp/langfuse-molecule")
EPHEMERAL = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY") or "/var/tmp/langfuse-molecule-ephemeral")
PROJECT_LABEL = "com.docker.compose.project"
STORES = ("postgres", "clickhouse", "valkey", "seaweedfs")
SERVICES = (*STORES, "langfuse-web", "langfuse-worker")


def docker(*words: str, check: bool = True) -> str:
    """Standard output of a docker command."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=300, check=False)
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@dataclass(frozen=True)
class Container:
    """`docker inspect` of one container."""

    details: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.details["Id"])

    @property
    def name(self) -> str:
        return str(self.details["Name"]).lstrip("/")

    @property
    def service(self) -> str:
        return str(self.details["Config"]["Labels"]["com.docker.compose.service"])

    @property
    def pid(self) -> int:
        return int(self.details["State"]["Pid"])

    @property
    def health(self) -> str:
        return str(self.details["State"].get("Health", {}).get("Status", ""))

    @property
    def started(self) -> str:
        return str(self.details["State"]["StartedAt"])

    @property
    def address(self) -> str:
        networks = self.details["NetworkSettings"]["Networks"].values()
        return next(str(network["IPAddress"]) for network in networks)

    def child_pid(self) -> int:
        """Main program under the container's init process."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return int(children[0])


@dataclass(frozen=True)
class Deployed:
    """One instance, wherever it runs: its place in the inventory and its secrets."""

    host: str
    group: str
    name: str
    _: KW_ONLY
    scenario: str

    @property
    def secrets_file(self) -> Path:
        """Of its own, so that the lanes do not see each other's changes."""
        return EPHEMERAL / f"secrets-{self.host}.yml"

    @property
    def temporary(self) -> Path:
        """Where its playbooks leave temporary files, if any."""
        return EPHEMERAL / f"tmp-{self.host}"

    @property
    def url(self) -> str:
        """Where this machine reaches its web."""
        raise NotImplementedError

    @property
    def s3_url(self) -> str:
        """Where this machine reaches its bundled object store."""
        raise NotImplementedError

    @property
    def given_file(self) -> Path:
        """Secrets that this instance gets as variables, as from a user's own vault."""
        return EPHEMERAL / f"given-{self.host}.json"

    def given(self) -> dict[str, Any]:
        return dict(json.loads(self.given_file.read_text())) if self.given_file.exists() else {}

    def secrets(self) -> dict[str, str]:
        content = yaml.safe_load(self.secrets_file.read_text()) if self.secrets_file.exists() else {}
        return {**content.get(self.name, {}), **self.given()}

    def change_secret(self, name: str, value: str) -> None:
        """What a user does with an editor."""
        content = yaml.safe_load(self.secrets_file.read_text())
        content[self.name][name] = value
        self.secrets_file.write_text(yaml.safe_dump(content))


@dataclass(frozen=True)
class Instance(Deployed):
    """One instance of Compose on this host."""

    web_port: int
    s3_port: int
    home: Path
    _: KW_ONLY
    scenario: str = "default"

    @property
    def directory(self) -> Path:
        return self.home / "project"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def s3_url(self) -> str:
        return f"http://127.0.0.1:{self.s3_port}"

    def containers(self) -> list[Container]:
        ids = docker("ps", "-aq", "--no-trunc", "--filter", f"label={PROJECT_LABEL}={self.name}").split()
        return [Container(details) for details in json.loads(docker("inspect", *ids))] if ids else []

    def container(self, service: str) -> Container:
        return next(one for one in self.containers() if one.service == service)

    def container_ids(self) -> dict[str, set[str]]:
        """Service → ids of its containers: a recreation changes them, a restart does not."""
        found: dict[str, set[str]] = {}
        for one in self.containers():
            found.setdefault(one.service, set()).add(one.id)
        return found

    def ids(self) -> dict[str, set[str]]:
        """Service → ids and start times of its containers: any recreation or restart changes them."""
        found: dict[str, set[str]] = {}
        for one in self.containers():
            found.setdefault(one.service, set()).add(f"{one.id[:12]} {one.started}")
        return found

    def volumes(self) -> set[str]:
        return set(docker("volume", "ls", "-q", "--filter", f"label={PROJECT_LABEL}={self.name}").split())

    def networks(self) -> set[str]:
        return set(docker("network", "ls", "-q", "--filter", f"label={PROJECT_LABEL}={self.name}").split())

    def wait_healthy(self, services: Iterable[str] = SERVICES, seconds: float = 120, since: str = "") -> float:
        """Wait until each service is healthy in a container started after `since`. Seconds that it took."""
        wanted = set(services)
        started = time.monotonic()

        def healthy() -> bool:
            good = {c.service for c in self.containers() if c.health == "healthy" and c.started > since}
            return wanted <= good

        wait_until(f"{', '.join(sorted(wanted))} healthy", healthy, seconds)
        return time.monotonic() - started


LIFE = Instance("molecule", "langfuse", "langfuse-molecule", 3130, 9190, BASE / "life")
PLATFORM = Instance("molecule-platform", "langfuse_platform", "platform-check", 3330, 9390, BASE / "platform")
FAULTS = Instance("molecule-faults", "langfuse_faults", "molecule-faults", 3131, 9191, BASE / "faults")
SHARED = Instance(
    "molecule-shared",
    "langfuse_shared",
    "shopfuse",
    3430,
    9490,
    BASE / "shared" / "langfuse",
    scenario="compose-shared",
)
SSO = Instance("molecule-sso", "langfuse_sso", "ssofuse", 3530, 9590, BASE / "sso" / "langfuse", scenario="sso")
