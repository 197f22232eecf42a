# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the container runtime knows: state, exit codes, restarts, selected environment, health log, last lines.

Read through the ``docker`` command in JSON. Values of environment variables leave only by an allow-list; log lines leave
only where a rule quotes one, cut and with credentials in URLs masked.
"""

from __future__ import annotations

import datetime
import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
ONEOFF = "com.docker.compose.oneoff"
DIRECTORY = "com.docker.compose.project.working_dir"
# Values of these say something about the wiring and are no secrets. Credentials inside of URLs are masked.
SHOWN = re.compile(
    r"^(HOSTNAME|PORT|TZ|NODE_OPTIONS|NEXTAUTH_URL|REDIS_(HOST|PORT|KEY_PREFIX|USERNAME|TLS_ENABLED)"
    r"|CLICKHOUSE_(URL|MIGRATION_URL|USER|DB|CLUSTER_ENABLED)|DATABASE_HOST"
    r"|LANGFUSE_MIGRATION_V4_\w+|LANGFUSE_INGESTION_CLICKHOUSE_MAX_ATTEMPTS"
    r"|LANGFUSE_S3_(EVENT_UPLOAD|MEDIA_UPLOAD|BATCH_EXPORT)_(BUCKET|PREFIX|REGION|ENDPOINT|FORCE_PATH_STYLE)"
    r"|LANGFUSE_(AUTO_\w+_MIGRATION_DISABLED|INIT_(ORG|PROJECT)_ID|INIT_USER_EMAIL|INIT_PROJECT_PUBLIC_KEY)"
    r"|AUTH_DISABLE_\w+)$"
)
Docker = Callable[[Sequence[str]], str]
# Names of images and services that are such a store, whoever packed it.
_STORES = {
    "clickhouse": re.compile("clickhouse"),
    "redis": re.compile("valkey|redis|dragonfly|keydb|rejson"),
    "postgres": re.compile("postgres|postgis|pgsql|pgvector|pgvecto|timescale|paradedb|spilo|citus|pgautoupgrade"),
    "s3": re.compile("seaweedfs|minio|rustfs"),
}
# What stands beside a store and is named after it: it looks, copies, prepares or passes on.
_BESIDE = re.compile(
    "exporter|insight|commander|admin|backup|sentinel|keeper|operator|bouncer|pgpool|pgcat|pooler|proxy|console|browser"
    r"|pgweb|pghero|createbucket|(?<![a-z])(mc|init|setup|create|client|cli|ui|gui|web|dump|restore|metrics)(?![a-z])"
)


def docker_command(program: str, timeout: float) -> Docker:
    """Run the command for its output, "" without one.

    The exit status says nothing: ``inspect`` fails when one of many containers has just gone, and prints the others.
    """

    def call(words: Sequence[str]) -> str:
        try:
            # Not run_command, which has no time limit.
            done = subprocess.run(  # pylint: disable=ansible-bad-function
                [program, *words],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if words[0] == "logs" else subprocess.DEVNULL,
                timeout=timeout,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout.decode("utf-8", "replace")

    return call


def role_of(service: str, image: str) -> str:
    """web, worker, clickhouse, redis, postgres, s3 or other: by the image's name first, then by the service's."""
    repository = image.split("@")[0].rsplit("/", 1)[-1].split(":")[0].lower()
    service = service.lower()
    beside = any(_BESIDE.search(text) for text in (repository, service))
    for text in (repository, service):
        if "worker" in text:
            return "worker"
        if text in ("langfuse", "langfuse-web", "web") or text.startswith("langfuse-web"):
            return "web"
        role = next((role for role, names in _STORES.items() if names.search(text)), "")
        if role:
            return "other" if beside else role
    return "other"


def mask(text: str) -> str:
    """Credentials inside of URLs."""
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", text)


def summarize(inspected: Mapping[str, Any]) -> dict[str, Any]:
    """One object of ``docker inspect`` as the rules need it, without its log."""
    config, state = inspected.get("Config") or {}, inspected.get("State") or {}
    labels = config.get("Labels") or {}
    service = str(labels.get(SERVICE, "")) or str(inspected.get("Name", "")).lstrip("/")
    pairs = [item.partition("=") for item in config.get("Env") or []]
    health = state.get("Health") or {}
    return {
        "id": str(inspected.get("Id", "")),
        "name": str(inspected.get("Name", "")).lstrip("/"),
        "service": service,
        "role": role_of(service, str(config.get("Image", ""))),
        "image": str(config.get("Image", "")),
        "oneoff": str(labels.get(ONEOFF, "")).lower() == "true",
        "state": str(state.get("Status", "")),
        "exit_code": int(state.get("ExitCode") or 0),
        "oom_killed": bool(state.get("OOMKilled")),
        "restart_policy": str(((inspected.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name", "")),
        "restarts": int(inspected.get("RestartCount") or 0),
        "health": str(health.get("Status", "")),
        "health_log": [mask(str(row.get("Output", "")).strip())[:200] for row in (health.get("Log") or [])[-2:]],
        "env_names": sorted(pair[0] for pair in pairs),
        "env": {pair[0]: mask(pair[2]) for pair in pairs if SHOWN.match(pair[0])},
        "log": [],
    }


def parse_log(text: str, now: datetime.datetime) -> list[dict[str, Any]]:
    """Lines of ``docker logs --timestamps`` as ``{age, text}``, age in seconds; a line without a time has age 0."""
    lines = []
    for line in text.splitlines():
        stamp, rest = (line + " ").split(" ", 1)
        try:
            # Nanoseconds are more than fromisoformat takes before Python 3.11.
            moment = datetime.datetime.fromisoformat(stamp[:19] + "+00:00")
        except ValueError:
            lines.append({"age": 0.0, "text": mask(line)})
            continue
        lines.append({"age": max(0.0, (now - moment).total_seconds()), "text": mask(rest.rstrip())})
    return lines


def states(docker: Docker, project: str) -> list[dict[str, Any]]:
    """Every container of a Compose project, without logs, or an empty list without Docker."""
    ids = docker(["ps", "-aq", "--no-trunc", "--filter", f"label={PROJECT}={project}"]).split()
    return [summarize(item) for item in _json(docker(["inspect", *ids]) if ids else "[]")]


def not_running(docker: Docker, project: str, services: Sequence[str]) -> dict[str, Any]:
    """``{project, down}``: services of a Compose project that have no running container."""
    running = {item["service"] for item in states(docker, project) if item["state"] == "running"}
    return {"project": project, "down": [service for service in services if service not in running]}


def gather(docker: Docker, project: str, log_lines: int) -> list[dict[str, Any]]:
    """The same with their last lines."""
    found = states(docker, project)
    if not found:
        return []
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    with ThreadPoolExecutor(max_workers=8) as pool:
        words = [["logs", "--timestamps", "--tail", str(log_lines), item["id"]] for item in found]
        for item, text in zip(found, pool.map(docker, words)):
            item["log"] = parse_log(text, now)
    return found


def addresses(inspected: Sequence[Mapping[str, Any]], project: str) -> dict[str, str]:
    """Names on the project's networks -> addresses, of the project's containers and of others on those networks."""
    networks = {
        network
        for item in inspected
        if (item.get("Config", {}).get("Labels") or {}).get(PROJECT) == project
        for network in item.get("NetworkSettings", {}).get("Networks") or {}
    }
    table: dict[str, str] = {}
    for item in inspected:
        labels = item.get("Config", {}).get("Labels") or {}
        for network, settings in (item.get("NetworkSettings", {}).get("Networks") or {}).items():
            address = settings.get("IPAddress")
            if network not in networks or not address:
                continue
            names = [str(item.get("Name", "")).lstrip("/"), *(settings.get("Aliases") or [])]
            names += [labels[SERVICE]] if labels.get(PROJECT) == project and SERVICE in labels else []
            for name in names:
                table.setdefault(name, address)
    return table


def names_of(docker: Docker, project: str) -> dict[str, str]:
    """The address of every name on the project's networks, for hosts that the resolver does not know."""
    ids = docker(["ps", "-q", "--no-trunc"]).split()
    return addresses(_json(docker(["inspect", *ids]) if ids else "[]"), project)


def public(container: Mapping[str, Any]) -> dict[str, Any]:
    """What of a container goes into the module's result: everything but its log lines."""
    return {key: value for key, value in container.items() if key not in ("log", "id")}


def _json(text: str) -> list[Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return []
    return data if isinstance(data, list) else []
