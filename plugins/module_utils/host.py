# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is on a host: Docker, memory, disk, ports, data. Reads only; what it means is for `preflight` to say."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.llmops.langfuse.plugins.module_utils import compose, images, networks, places, records
from ansible_collections.llmops.langfuse.plugins.module_utils.containers import DIRECTORY, PROJECT
from ansible_collections.llmops.langfuse.plugins.module_utils.places import Places, Seen


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
    places: Seen = field(default_factory=Seen)
    missing_images: tuple[str, ...] = ()
    other_directory: str = ""
    postgres_image: str = ""
    changed_secrets: tuple[str, ...] = ()
    unwritable: str = ""
    python_ready: bool = False
    can_make_venv: bool = True
    healthy: tuple[str, ...] = ()
    networks: networks.Found = field(default_factory=networks.Found)

    @property
    def data(self) -> tuple[str, ...]:
        """Where data of the instance is: named volumes, folders that hold something, and stores of others."""
        places = self.places
        return (*self.volumes, *places.folders, *places.recorded_folders, *places.data_outside)


def observe(
    project: str,
    directory: str,
    ports: Mapping[str, tuple[str, int]],
    controller_time: float,
    frozen: Mapping[str, str],
    requirements: str,
    wanted_places: Places,
    joined: networks.Joined,
) -> Host:
    """Look at this host.

    ports: variable → (address, port). frozen: environment name → secret that may not change.
    requirements: what the Python environment must have been made of. wanted_places: what to look for.
    joined: networks of others.
    """
    host = Host(
        clock_skew=time.time() - controller_time,
        memory_mib=_memory(),
        cpu_flags=_cpu_flags(),
        overcommit=records.read("/proc/sys/vm/overcommit_memory").strip(),
    )
    host.distribution = _distribution(records.read("/etc/os-release"))
    host.root = os.geteuid() == 0
    # Debian keeps this part of the standard library in python3-venv.
    host.can_make_venv = importlib.util.find_spec("ensurepip") is not None
    host.unwritable = _unwritable(directory)
    host.python_ready = records.read(directory, records.PYTHON) == requirements and _runs_here(directory)
    host.places = places.look(directory, wanted_places)
    host.missing_images = tuple(wanted_places.images)
    host.networks = networks.Found(missing=tuple(joined.networks))
    mine: list[compose.Container] = []
    if shutil.which("docker"):
        host.docker = True
        mine = _observe_docker(host, project, directory)
    else:
        host.disk_path = places.nearest("/var/lib/docker")
        host.disk_gib = _free_gib(host.disk_path)
    if host.docker and not host.docker_error:
        host.missing_images = tuple(images.missing(wanted_places.images))
        host.networks = networks.look(project, joined)
    if wanted_places.folders:
        host.disk_path = places.nearest(next(iter(wanted_places.folders.values())))
        host.disk_gib = _free_gib(host.disk_path)
    busy = {(address, port) for container in mine for address, port in _published(container)}
    for variable, (address, port) in ports.items():
        if (address, port) not in busy and _taken(address, port):
            host.taken_ports[variable] = f"another program ({address}:{port})"
    written = _env_file(os.path.join(directory, "env", "web.env"))
    host.changed_secrets = tuple(
        sorted(n for n, value in frozen.items() if host.data and n in written and written[n] != value)
    )
    match = re.search(r"image:\s*(\S*postgres:\S+)", records.read(directory, records.PROJECT))
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
    if records.stores_started(directory):
        host.healthy = tuple(sorted({container.service for container in mine if container.health == "healthy"}))
    for container in mine:
        elsewhere = container.details["Config"]["Labels"].get(DIRECTORY, "")
        if elsewhere and os.path.realpath(elsewhere) != os.path.realpath(directory):
            host.other_directory = elsewhere
    return mine


def _runs_here(directory: str) -> bool:
    """Whether the Python environment is there and of this Python, which an upgrade of the host may have replaced."""
    environment, version = os.path.join(directory, ".python"), sys.version_info
    libraries = os.path.join(environment, "lib", f"python{version[0]}.{version[1]}", "site-packages")
    return os.path.isdir(libraries) and os.access(os.path.join(environment, "bin", "python"), os.X_OK)


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
    match = re.search(r"MemTotal:\s+(\d+) kB", records.read("/proc/meminfo"))
    return int(match.group(1)) // 1024 if match else 0


def _cpu_flags() -> tuple[str, ...]:
    match = re.search(r"^flags\s*:\s*(.*)$", records.read("/proc/cpuinfo"), re.MULTILINE)
    return tuple(match.group(1).split()) if match else ()


def _free_gib(path: str) -> float | None:
    try:
        return shutil.disk_usage(path).free / 1024**3
    except OSError:
        return None


def _unwritable(directory: str) -> str:
    """The nearest existing directory, when this user may not write to it."""
    nearest = places.nearest(directory)
    return "" if os.access(nearest, os.W_OK | os.X_OK) else nearest


def _distribution(os_release: str) -> str:
    """ID and VERSION_ID, which may be missing (Debian's unstable has none)."""
    values = dict(line.partition("=")[::2] for line in os_release.splitlines())
    return " ".join(value for key in ("ID", "VERSION_ID") if (value := values.get(key, "").strip("\"'")))


def _env_file(path: str) -> dict[str, str]:
    """Values of an env file that this collection wrote, unescaped."""
    values = {}
    for line in records.read(path).splitlines():
        match = re.fullmatch(r'([A-Z0-9_]+)="(.*)"', line)
        if match:
            values[match.group(1)] = re.sub(r'\\(["\\$])', r"\1", match.group(2))
    return values
