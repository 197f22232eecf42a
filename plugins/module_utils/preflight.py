# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about a host before anything on it changes. `observe` looks, `findings` judges (pure)."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.llmops.langfuse.plugins.module_utils import compose
from ansible_collections.llmops.langfuse.plugins.module_utils.containers import PROJECT

ENGINE = (25, 0)  # health checks with start_interval
COMPOSE = (2, 20)
# Written after the libraries were installed, so that a broken installation is repaired by the next run.
PYTHON_RECORD = os.path.join(".python", "requirements.txt")
DEBIAN = 13  # the first Debian whose own packages have Compose 2.20
DEBIAN_DOCKER = ("docker.io", "docker-cli", "docker-compose")
DOCKERS_OWN = ("docker-ce", "docker-ce-cli", "docker-compose-plugin")


@dataclass
class Host:
    """What was seen on the host. Sizes are MiB, except disk_gib."""

    distribution: str = ""  # ID and VERSION_ID of os-release, such as "debian 13"
    root: bool = True
    docker: bool = False
    docker_error: str = ""
    engine_version: str = ""
    compose_version: str = ""
    disk_gib: float | None = None
    disk_path: str = ""
    memory_mib: int = 0
    clock_skew: float = 0.0
    cpu_flags: tuple[str, ...] = ()
    overcommit: str = ""
    taken_ports: dict[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    other_directory: str = ""
    postgres_image: str = ""
    changed_secrets: tuple[str, ...] = ()
    unwritable: str = ""
    python_ready: bool = False
    can_make_venv: bool = True
    healthy: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What the instance needs of the host."""

    project: str
    memory_mib: int
    disk_gib: int
    may_install_docker: bool
    docker_repository: bool
    clickhouse_version: str
    postgres_version: str
    new_secrets: Sequence[str]


def finding(code: str, what: str, cure: str, level: str = "error") -> dict[str, str]:
    return dict(code=code, level=level, what=what, cure=cure)


def tell(one: Mapping[str, str]) -> str:
    return f"{one['what']}. {one['cure']}."


def findings(host: Host, wanted: Wanted) -> list[dict[str, str]]:
    """Everything that stands in the way (level error) or will hurt later (warning)."""
    return [*_docker(host, wanted), *_packages(host, wanted), *_machine(host, wanted), *_data(host, wanted)]


def packages(host: Host, wanted: Wanted) -> list[str]:
    """Debian packages that an installation will add, when it is asked for."""
    if not wanted.may_install_docker:
        return []
    missing: list[str] = []
    if not host.docker:
        missing += DOCKERS_OWN if wanted.docker_repository else DEBIAN_DOCKER
    if not host.can_make_venv and not host.python_ready:
        missing.append("python3-venv")
    return missing


def _packages(host: Host, wanted: Wanted) -> list[dict[str, str]]:
    """What is missing on the host and comes in packages: told, when they will be installed."""
    missing = packages(host, wanted)
    found = []
    if not host.docker:
        found.append(_docker_missing(host, wanted, missing))
    if not host.can_make_venv and not host.python_ready:
        what = "Python cannot make a virtual environment for the modules' libraries"
        if not missing:
            found.append(finding("venv_missing", what, "Install the package python3-venv"))
        elif host.docker:
            found.append(finding("venv_missing", what, "It will be installed: python3-venv", "warning"))
    if missing and not host.root:
        found.append(
            finding("rights", f"Installing {', '.join(missing)} needs root", "Let Ansible become root (-b)"),
        )
    return found


def _docker_missing(host: Host, wanted: Wanted, missing: Sequence[str]) -> dict[str, str]:
    what = "There is no Docker Engine with Compose on this host"
    name, _space, version = host.distribution.partition(" ")
    if not wanted.may_install_docker:
        return finding("docker_missing", what, "Install both, or set langfuse_install_docker: true")
    if name != "debian":
        return finding(
            "docker_unsupported",
            f"{what}, and langfuse_install_docker knows Debian only, not {host.distribution or 'this system'}",
            "Install Docker Engine 25 or newer with Compose 2.20 or newer by hand",
        )
    if (_version(version) or (0,))[0] < DEBIAN and not wanted.docker_repository:
        return finding(
            "docker_unsupported",
            f"{what}, and the packages of Debian {version or 'without a version'} have no Compose 2.20",
            "Name an apt source with Docker's own packages in langfuse_docker_apt_repository, or install both by hand",
        )
    return finding("docker_missing", what, f"It will be installed: {', '.join(missing)}", "warning")


def _docker(host: Host, wanted: Wanted) -> list[dict[str, str]]:
    if not host.docker:
        return []
    if "permission denied" in host.docker_error.lower():
        return [
            finding(
                "docker_rights",
                "This user may not talk to Docker Engine",
                "Let Ansible become root (-b), or add the user to the group docker",
            )
        ]
    if host.docker_error:
        return [
            finding(
                "docker_down", f"Docker Engine does not answer: {host.docker_error}", "Start it: systemctl start docker"
            )
        ]
    found = []
    if _version(host.engine_version) < ENGINE:
        found.append(
            finding("docker_old", f"Docker Engine is {host.engine_version}", f"Upgrade it to {ENGINE[0]} or newer")
        )
    if not host.compose_version:
        found.append(
            finding(
                "compose_missing",
                "Docker has no Compose plugin",
                "Install the package docker-compose-plugin (Debian 13: docker-compose)",
            )
        )
    elif _version(host.compose_version) < COMPOSE:
        found.append(finding("compose_old", f"Docker Compose is {host.compose_version}", "Upgrade it to 2.20 or newer"))
    return found


def _machine(host: Host, wanted: Wanted) -> list[dict[str, str]]:
    found = []
    needed = wanted.memory_mib * 6 // 10
    if host.memory_mib < needed:
        found.append(
            finding(
                "memory",
                f"The host has {host.memory_mib} MiB of memory, the services need about {needed}",
                "Use a larger host, a smaller langfuse_size, or lower langfuse_*_memory",
            )
        )
    if host.disk_gib is not None and host.disk_gib < wanted.disk_gib:
        found.append(
            finding(
                "disk",
                f"{host.disk_path} has {host.disk_gib:.1f} GiB free, {wanted.disk_gib} are asked for",
                "Make room, or lower langfuse_minimum_disk",
            )
        )
    for variable, owner in sorted(host.taken_ports.items()):
        found.append(
            finding(
                "port_taken", f"The port of {variable} is taken by {owner}", f"Choose another {variable}, or free it"
            )
        )
    if abs(host.clock_skew) > 60:
        found.append(
            finding(
                "clock",
                f"The clock of the host is {host.clock_skew:+.0f} s off the controller's",
                "Synchronise both (systemd-timesyncd, chrony): signed requests are refused at 900 s",
            )
        )
    if host.unwritable:
        found.append(
            finding(
                "rights",
                f"{host.unwritable} cannot be written by this user",
                "Let Ansible become root (-b), or choose another langfuse_project_directory",
            )
        )
    if host.cpu_flags and "sse4_2" not in host.cpu_flags:
        found.append(finding("cpu", "The processor lacks SSE 4.2, which ClickHouse needs", "Use another host"))
    elif host.cpu_flags and _version(wanted.clickhouse_version) >= (26, 6) and "avx2" not in host.cpu_flags:
        found.append(
            finding(
                "cpu",
                "The processor lacks AVX2, which ClickHouse 26.6 and newer needs",
                "Use langfuse_clickhouse_version 26.4 or older",
            )
        )
    if host.overcommit == "2":
        found.append(
            finding(
                "overcommit",
                "The kernel refuses to overcommit memory (vm.overcommit_memory=2), so Valkey cannot save",
                "Set vm.overcommit_memory=1 by sysctl",
                "warning",
            )
        )
    return found


def _data(host: Host, wanted: Wanted) -> list[dict[str, str]]:
    found = []
    if host.other_directory:
        found.append(
            finding(
                "project_taken",
                f"A Compose project {wanted.project} already runs from {host.other_directory}",
                "Choose another langfuse_instance, or name that directory in langfuse_project_directory",
            )
        )
    if host.volumes and wanted.new_secrets:
        found.append(
            finding(
                "keys_lost",
                f"The host has data ({', '.join(host.volumes)}) but the secrets file lacks {', '.join(wanted.new_secrets)}, and new values would orphan it",
                "Put the old secrets file back (or give the old values); to start from nothing, run teardown with langfuse_teardown_data first",
            )
        )
    for name in host.changed_secrets:
        found.append(
            finding(
                "key_changed",
                f"{name} differs from the one that the data on this host was written with",
                "Put the old value back: a changed one makes stored credentials unreadable",
            )
        )
    old, new = _version(host.postgres_image.rpartition(":")[2]), _version(wanted.postgres_version)
    if host.volumes and old and new and old[0] != new[0]:
        found.append(
            finding(
                "postgres_major",
                f"The data is of PostgreSQL {old[0]}, and langfuse_postgres_version is {wanted.postgres_version}",
                f"Keep version {old[0]}: a new major version needs a dump and a restore",
            )
        )
    return found


def _version(text: str) -> tuple[int, ...]:
    match = re.match(r"v?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in match.group(1).split(".")) if match else ()


def observe(
    project: str,
    directory: str,
    ports: Mapping[str, tuple[str, int]],
    controller_time: float,
    frozen: Mapping[str, str],
    requirements: str,
) -> Host:
    """Look at this host.

    ports: variable → (address, port). frozen: environment name → secret that may not change.
    requirements: what the Python environment must have been made of.
    """
    host = Host(
        clock_skew=time.time() - controller_time,
        memory_mib=_memory(),
        cpu_flags=_cpu_flags(),
        overcommit=_read("/proc/sys/vm/overcommit_memory").strip(),
    )
    host.distribution = _distribution(_read("/etc/os-release"))
    host.root = os.geteuid() == 0
    # Debian keeps this part of the standard library in python3-venv.
    host.can_make_venv = importlib.util.find_spec("ensurepip") is not None
    host.unwritable = _unwritable(directory)
    host.python_ready = _read(os.path.join(directory, PYTHON_RECORD)) == requirements
    mine: list[compose.Container] = []
    if shutil.which("docker"):
        host.docker = True
        mine = _observe_docker(host, project, directory)
    else:
        host.disk_path = _nearest("/var/lib/docker")
        host.disk_gib = _free_gib(host.disk_path)
    busy = {(address, port) for container in mine for address, port in _published(container)}
    for variable, (address, port) in ports.items():
        if (address, port) not in busy and _taken(address, port):
            host.taken_ports[variable] = f"another program ({address}:{port})"
    written = _env_file(os.path.join(directory, "env", "web.env"))
    host.changed_secrets = tuple(
        sorted(n for n, value in frozen.items() if host.volumes and n in written and written[n] != value)
    )
    match = re.search(r"image:\s*(\S*postgres:\S+)", _read(os.path.join(directory, "compose.yaml")))
    host.postgres_image = match.group(1) if match else ""
    return host


def _observe_docker(host: Host, project: str, directory: str) -> list[compose.Container]:
    volumes = ("volume", "ls", "--quiet", "--filter", f"label={PROJECT}={project}")
    with ThreadPoolExecutor(max_workers=4) as pool:
        asked = [
            pool.submit(compose.docker, *words)
            for words in (("info", "--format", "{{json .}}"), ("compose", "version", "--short"), volumes)
        ]
        containers = pool.submit(compose.containers, project)
    status, output, errors = asked[0].result()
    information = json.loads(output) if output.strip().startswith("{") else {}
    reported = "; ".join(information.get("ServerErrors") or []) or (errors.strip() if status else "")
    if reported:
        host.docker_error = reported.splitlines()[-1]
        return []
    host.engine_version = information.get("ServerVersion", "")
    host.disk_path = information.get("DockerRootDir", "/var/lib/docker")
    host.disk_gib = _free_gib(host.disk_path)
    status, output, errors = asked[1].result()
    host.compose_version = output.strip() if status == 0 else ""
    host.volumes = tuple(sorted(asked[2].result()[1].split()))
    mine = containers.result()
    host.healthy = tuple(sorted({container.service for container in mine if container.health == "healthy"}))
    for container in mine:
        elsewhere = container.details["Config"]["Labels"].get("com.docker.compose.project.working_dir", "")
        if elsewhere and os.path.realpath(elsewhere) != os.path.realpath(directory):
            host.other_directory = elsewhere
    return mine


def _published(container: compose.Container) -> list[tuple[str, int]]:
    bindings = container.details["HostConfig"].get("PortBindings") or {}
    return [
        (b.get("HostIp") or "0.0.0.0", int(b["HostPort"]))  # noqa: S104 - how Docker means it
        for several in bindings.values()
        for b in several or []
        if b.get("HostPort")
    ]


def _taken(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.strip("[]"), port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _memory() -> int:
    match = re.search(r"MemTotal:\s+(\d+) kB", _read("/proc/meminfo"))
    return int(match.group(1)) // 1024 if match else 0


def _cpu_flags() -> tuple[str, ...]:
    match = re.search(r"^flags\s*:\s*(.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return tuple(match.group(1).split()) if match else ()


def _free_gib(path: str) -> float | None:
    try:
        return shutil.disk_usage(path).free / 1024**3
    except OSError:
        return None


def _nearest(directory: str) -> str:
    """The directory, or the nearest one above that exists."""
    while not os.path.isdir(directory) and os.path.dirname(directory) != directory:
        directory = os.path.dirname(directory)
    return directory


def _unwritable(directory: str) -> str:
    """The nearest existing directory, when this user may not write to it."""
    nearest = _nearest(directory)
    return "" if os.access(nearest, os.W_OK | os.X_OK) else nearest


def _distribution(os_release: str) -> str:
    """ID and VERSION_ID, which may be missing (Debian's unstable has none)."""
    values = dict(line.partition("=")[::2] for line in os_release.splitlines())
    return " ".join(value for key in ("ID", "VERSION_ID") if (value := values.get(key, "").strip("\"'")))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except (OSError, UnicodeDecodeError):
        return ""


def _env_file(path: str) -> dict[str, str]:
    """Values of an env file that this collection wrote, unescaped."""
    values = {}
    for line in _read(path).splitlines():
        match = re.fullmatch(r'([A-Z0-9_]+)="(.*)"', line)
        if match:
            values[match.group(1)] = re.sub(r'\\(["\\$])', r"\1", match.group(2))
    return values
