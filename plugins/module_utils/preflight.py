# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about a host before anything on it changes. Pure: `host` has looked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.llmops.langfuse.plugins.module_utils import networks, places
from ansible_collections.llmops.langfuse.plugins.module_utils.finding import finding
from ansible_collections.llmops.langfuse.plugins.module_utils.host import Host
from ansible_collections.llmops.langfuse.plugins.module_utils.places import Places

ENGINE = (25, 0)  # health checks with start_interval
COMPOSE = (2, 20)
DEBIAN = 13  # the first Debian whose own packages have Compose 2.20
DEBIAN_DOCKER = ("docker.io", "docker-cli", "docker-compose")
DOCKERS_OWN = ("docker-ce", "docker-ce-cli", "docker-compose-plugin")


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
    places: Places = field(default_factory=Places)
    joined: networks.Joined = field(default_factory=networks.Joined)


def findings(host: Host, wanted: Wanted) -> list[dict[str, str]]:
    """Everything that stands in the way (level error) or will hurt later (warning)."""
    return [
        *_docker(host, wanted),
        *_packages(host, wanted),
        *_machine(host, wanted),
        *_data(host, wanted),
        *places.findings(wanted.places, host.places, wanted.project, host.volumes),
        *([] if host.docker_error else networks.findings(wanted.joined, host.networks)),
    ]


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
    if host.cpu_flags and wanted.clickhouse_version and "sse4_2" not in host.cpu_flags:
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
    if host.data and wanted.new_secrets:
        found.append(
            finding(
                "keys_lost",
                f"The host has data ({', '.join(host.data)}) but the secrets file lacks {', '.join(wanted.new_secrets)}, and new values would orphan it",
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
    if host.data and old and new and old[0] != new[0]:
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
