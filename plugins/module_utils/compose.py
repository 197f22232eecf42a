# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Compose project as the Docker command line tells it. Reads only."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.containers import ONEOFF, PROJECT, SERVICE
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


@dataclass(frozen=True)
class Container:
    """One container of the project, as `docker inspect` shows it."""

    name: str
    service: str
    state: str
    health: str
    address: str
    image: str
    image_id: str
    restarts: int
    exit_code: int
    details: dict[str, Any]


def docker(*arguments: str, timeout: float = 60, stdin: str | None = None) -> tuple[int, str, str]:
    """Run the Docker command line: exit status, output, error text. Secrets never go into `arguments`."""
    program = shutil.which("docker")
    if program is None:
        raise Failure(
            "docker_missing",
            "There is no docker command on this host.",
            "Install Docker Engine, or set langfuse_install_docker: true.",
        )
    try:
        # Not run_command, which has no time limit.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            [program, *arguments], capture_output=True, text=True, timeout=timeout, input=stdin, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failure(
            "docker_hangs",
            f"docker {arguments[0]} did not answer within {timeout:.0f} s.",
            "Look at the log of Docker Engine on this host.",
        ) from None
    return done.returncode, done.stdout, done.stderr


def containers(project: str) -> list[Container]:
    """All containers of the project, running or not, without one-off runs. Raises Failure."""
    status, output, errors = docker(
        "ps",
        "--all",
        "--quiet",
        "--no-trunc",
        "--filter",
        f"label={PROJECT}={project}",
        "--filter",
        f"label={ONEOFF}=False",
    )
    if status:
        raise Failure(
            "docker_unreachable",
            f"Docker Engine does not answer: {_last(errors)}.",
            "Start Docker Engine, and let this user reach it.",
        )
    identifiers = output.split()
    if not identifiers:
        return []
    status, output, errors = docker("inspect", *identifiers)
    if status:
        raise Failure(
            "docker_unreachable",
            f"docker inspect failed: {_last(errors)}.",
            "Run it again: a container went meanwhile.",
        )
    return [parse(details) for details in json.loads(output)]


def parse(details: dict[str, Any]) -> Container:
    """A container from one element of `docker inspect`."""
    state = details["State"]
    networks = details["NetworkSettings"]["Networks"] or {}
    return Container(
        name=details["Name"].lstrip("/"),
        service=details["Config"]["Labels"].get(SERVICE, ""),
        state=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        address=next((network["IPAddress"] for network in networks.values() if network.get("IPAddress")), ""),
        image=details["Config"]["Image"],
        image_id=details["Image"],
        restarts=int(details.get("RestartCount") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        details=details,
    )


def address(found: Sequence[Container], service: str) -> str:
    """Address of a running container of the service, reachable from this host. Raises Failure."""
    for container in found:
        if container.service == service and container.state == "running" and container.address:
            return container.address
    raise Failure(
        "container_missing",
        f"The service {service} has no running container.",
        "Run diagnose, which reads its log and says why.",
    )


def names_on(networks: Sequence[str]) -> dict[str, str]:
    """Names that running containers have on these networks -> addresses, reachable from this host. Raises Failure."""
    if not networks:
        return {}
    status, output, errors = docker("network", "inspect", *networks)
    if status:
        raise Failure(
            "network_missing",
            f"A network to join is not there: {_last(errors)}.",
            "Start the stack that it is part of, or correct langfuse_shared_project or langfuse_compose_networks.",
        )
    identifiers = [identifier for network in json.loads(output) for identifier in network.get("Containers") or {}]
    if not identifiers:
        return {}
    _status, output, _errors = docker("inspect", *dict.fromkeys(identifiers))
    table: dict[str, str] = {}
    for details in json.loads(output or "[]"):
        for network, settings in (details["NetworkSettings"]["Networks"] or {}).items():
            if network in networks and settings.get("IPAddress"):
                for name in (details["Name"].lstrip("/"), *(settings.get("Aliases") or [])):
                    table.setdefault(name, settings["IPAddress"])
    return table


def host_addresses(extra_hosts: Mapping[str, str]) -> dict[str, str]:
    """Names of ``extra_hosts`` -> addresses; Docker's ``host-gateway`` is its default bridge. Raises Failure."""
    if "host-gateway" not in extra_hosts.values():
        return dict(extra_hosts)
    _status, output, _errors = docker("network", "inspect", "bridge")
    rows = [row for network in json.loads(output or "[]") for row in network["IPAM"]["Config"] or []]
    gateway = next((row["Gateway"] for row in rows if row.get("Gateway")), None)
    found = {name: gateway if address == "host-gateway" else address for name, address in extra_hosts.items()}
    return {name: address for name, address in found.items() if address}


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
