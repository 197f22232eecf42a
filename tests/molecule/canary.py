"""Recognisable values for every secret of the contract, and the places where they must not show."""

from __future__ import annotations

import base64
import json
import stat
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from tests.molecule.instance import EPHEMERAL, ROOT, Deployed, Instance, docker

CONTRACT = ROOT / "roles" / "langfuse" / "meta" / "argument_specs.yml"
# Characters that break URLs, env files and shells, where the contract takes them.
AWKWARD = "@:/?#%&=+\"'$\\ {x}"
VALUES = {
    "langfuse_license_key": "langfuse_ee_Canary01license",
    "langfuse_admin_api_key": "Canary02admin-api-key-0123456789abcdef",
    "langfuse_nextauth_secret": f"Canary03nextauth-0123456789{AWKWARD}",
    "langfuse_salt": f"Canary04salt{AWKWARD}",
    "langfuse_encryption_key": "ca9a" * 16,
    "langfuse_init_project_secret_key": "sk-lf-Canary05project",
    "langfuse_init_user_password": f"Canary06user{AWKWARD}",
    "langfuse_smtp_url": "smtp://user:Canary07mail@mail.invalid:587",
    "langfuse_https_proxy": "http://user:Canary13proxy@proxy.invalid:3128",
    "langfuse_postgres_password": f"Canary08postgres{AWKWARD}",
    "langfuse_clickhouse_password": "Canary09clickhouse",
    "langfuse_redis_password": "Canary10redis@:/?#%&=+$x",
    "langfuse_s3_access_key": "Canary11access",
    "langfuse_s3_secret_key": "Canary12s3secret/+=",
}
# Given with them: the other half of a pair, and what the mail server needs.
COMPANIONS = {"langfuse_init_project_public_key": "pk-lf-flight-recorder", "langfuse_email_from": "l@example.com"}
# Secrets of what an instance joins: each is planted in the scenario that joins it.
OF_THE_STACK = {
    "langfuse_postgres_admin_password": "Canary14shop-database",
    "langfuse_redis_admin_password": "Canary15shop-redis",
    "langfuse_litellm_key": "sk-Canary16litellm",
}
OF_OTHER_STORES = {
    "langfuse_clickhouse_admin_password": f"Canary17clickhouse-admin{AWKWARD}",
    "langfuse_redis_sentinel_password": f"Canary18sentinel{AWKWARD}",
    "langfuse_s3_admin_access_key": "Canary19s3-admin",
    "langfuse_s3_admin_secret_key": "Canary20s3-admin-secret/+=",
    "langfuse_gcs_credentials": '{"type": "service_account", "private_key": "Canary21gcs"}',
}
OF_PROVIDERS = {
    "langfuse_keycloak_admin_password": "Canary22keycloak-admin",
    "langfuse_keycloak_admin_client_secret": "Canary29keycloak-automation",
    "langfuse_keycloak_client_secret": "Canary23keycloak-client",
    "langfuse_sso_client_secret": f"Canary24github{AWKWARD}",
}
# They act on stores that clusters have: looked for in the objects themselves, by the unit tests.
OF_CLUSTERS = {
    # A blank would end it in the ready line for an ACL file.
    "dragonfly_langfuse_password": f"Canary25dragonfly{AWKWARD.replace(' ', '')}",
    "langfuse_backup_access_key": "Canary26backup",
    "langfuse_backup_secret_key": "Canary27backup-secret/+=",
}
EVERY = {**VALUES, **OF_THE_STACK, **OF_OTHER_STORES, **OF_PROVIDERS, **OF_CLUSTERS}
_WORD, _DIGITS = "Canary", "ca9a"


def encoded(value: str) -> str:
    """In Base64, as a Secret has it; what is around a copy does not matter."""
    return base64.b64encode(value.encode()).decode().rstrip("=")[:-1]


@dataclass(frozen=True)
class Flock:
    """Values of one instance, with a word and digits of their own: tests of another instance may run beside it.

    The access key is a user name: presigned addresses carry it by design. It must not show elsewhere.
    """

    word: str
    digits: str

    def own(self, values: Mapping[str, str]) -> dict[str, str]:
        return {name: value.replace(_WORD, self.word).replace(_DIGITS, self.digits) for name, value in values.items()}

    @cached_property
    def values(self) -> dict[str, str]:
        """Variable → value, of what every instance has."""
        return self.own(VALUES)

    @cached_property
    def words(self) -> list[str]:
        """What shows that one of them is in a text: as it is, as addresses have it, or in Base64."""
        values = self.own(EVERY).values()
        return sorted({self.digits * 16, self.word, *(quote(each, safe="") for each in values), *map(encoded, values)})

    def found_in(self, text: str, *more: str) -> list[str]:
        """Lines of `text` with a canary, shortened, or with one of `more` values in Base64."""
        lines, words = [], [*self.words, *map(encoded, more)]
        for line in text.splitlines():
            for word in words:
                if (at := line.find(word)) >= 0:
                    lines.append(line[max(0, at - 120) : at + 60])
                    break
        return lines

    def plant(self, instance: Deployed) -> None:
        EPHEMERAL.mkdir(mode=0o700, parents=True, exist_ok=True)
        instance.given_file.touch(mode=0o600)
        instance.given_file.write_text(json.dumps({**self.values, **COMPANIONS}))

    @contextmanager
    def watched_processes(self, *more: str) -> Iterator[set[str]]:
        """Command lines with a canary, or one of `more`, of all processes of the host, containers included."""
        found: set[str] = set()
        stop = threading.Event()

        def watch() -> None:
            while not stop.is_set():
                for entry in Path("/proc").glob("[0-9]*/cmdline"):
                    try:
                        line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    except OSError:
                        continue
                    found.update(self.found_in(line, *more))
                time.sleep(0.05)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield found
        finally:
            stop.set()
            watcher.join()


HOSTS = Flock(_WORD, _DIGITS)
CLUSTERS = Flock("Warbler", "3abb")


def secret_names() -> set[str]:
    """Variables of the contract that are secrets."""
    entries = yaml.safe_load(CONTRACT.read_text())["argument_specs"].values()
    return {name for entry in entries for name, option in entry["options"].items() if option.get("no_log")}


def in_containers(instance: Instance) -> list[str]:
    """Everything that `docker inspect` tells, but the environment, which is the place for secrets."""
    found = []
    for container in instance.containers():
        details: dict[str, Any] = json.loads(json.dumps(container.details))
        details["Config"].pop("Env")
        found += HOSTS.found_in(json.dumps(details, indent=0))
        found += HOSTS.found_in(docker("logs", container.id))
    return found


def in_readable_files(instance: Instance) -> list[str]:
    """Files of the project that somebody else may read, and the names of those that cannot be private."""
    found = []
    for path in instance.directory.rglob("*"):
        if path.is_file() and ".python" not in path.parts and stat.S_IMODE(path.stat().st_mode) != 0o600:
            found += [f"{path}: {line}" for line in HOSTS.found_in(path.read_text(errors="replace"))]
    return found


def assert_hidden(instance: Instance, output: str, processes: set[str]) -> None:
    """No secret in what a playbook said, in command lines seen while it ran, in containers or readable files."""
    shown = {
        "output": HOSTS.found_in(output),
        "process list": sorted(processes),
        "containers": in_containers(instance),
        "readable files": in_readable_files(instance),
    }
    assert_empty(shown)


def assert_empty(shown: Mapping[str, Sequence[str]]) -> None:
    """Place -> lines with a canary."""
    assert not any(shown.values()), {place: lines[:5] for place, lines in shown.items() if lines}
