# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits, additions, and what an operator confirms."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import environment_schema, sizes
from ..endpoints import endpoints, public_url
from ..env import EXTRA_READERS, own_environments
from ..features import features
from ..plan import Settings
from ..problems import Problem


def memory_limits(settings: Settings) -> Iterator[Problem]:
    for service, least in sizes.MINIMUM.items():
        name = f"langfuse_{service}_memory"
        if settings[name] is None:
            continue
        found = sizes.mebibytes(settings[name])
        if found is None:
            yield Problem(name, "is not an amount of memory", "Write it like 1536m or 2g")
        elif found < least:
            yield Problem(name, "is less than the service starts with", f"Write at least {least}m")


def numbers_in_range(settings: Settings) -> Iterator[Problem]:
    ranges = {
        "langfuse_worker_replicas": (1, 32),
        "langfuse_worker_stop_seconds": (5, 3600),
        "langfuse_stuck_seconds": (40, 3600),
        "langfuse_start_timeout": (60, 3600),
        "langfuse_log_max_files": (1, 100),
        "langfuse_minimum_disk": (1, 100000),
        "langfuse_ingestion_clickhouse_max_attempts": (3, 100000),
        "langfuse_migration_timeout": (60, 86400),
    }
    for name, (low, high) in ranges.items():
        if not low <= settings[name] <= high:
            yield Problem(name, f"is not from {low} to {high}", "Write a number in that range")


def log_size(settings: Settings) -> Iterator[Problem]:
    if not re.fullmatch(r"[1-9]\d*[kmg]", settings["langfuse_log_max_size"] or ""):
        yield Problem("langfuse_log_max_size", "is not a size", "Write it like 20m")


def extra_names(settings: Settings) -> Iterator[Problem]:
    """An unread name has no effect; one that the collection sets would have two truths."""
    own = own_environments(settings, features(settings), endpoints(settings), public_url(settings))
    for variable, services in EXTRA_READERS.items():
        for name, value in settings[variable].items():
            if any(name in own[service] for service in services):
                yield Problem(
                    variable, f"repeats {name}, which the collection sets itself", "Use the contract's own variable"
                )
            elif not any(environment_schema.reads(service, name) for service in services):
                near = environment_schema.nearest(name)
                cure = (
                    f"Did you mean {near}?"
                    if near and near != name
                    else "Remove it, or move it to the service that reads it"
                )
                yield Problem(
                    variable, f"has {name}, which {' and '.join(services)} of this Langfuse do not read", cure
                )
            elif not isinstance(value, str):
                yield Problem(variable, f"has {name} as a number or boolean where text is due", "Put it in quotes")
            elif reason := environment_schema.unfit(name, value):
                yield Problem(variable, f"has {name}, which {reason}", "The application would not start with it")


def docker_repository(settings: Settings) -> Iterator[Problem]:
    if settings["langfuse_docker_apt_repository"] and not settings["langfuse_install_docker"]:
        yield Problem(
            "langfuse_docker_apt_repository",
            "is set while langfuse_install_docker is off",
            "Set langfuse_install_docker: true, or remove it",
        )


def teardown_confirmation(settings: Settings) -> Iterator[Problem]:
    """Removing data wants the right name, typed."""
    if settings["langfuse_teardown_data"] not in ("", settings.instance):
        yield Problem(
            "langfuse_teardown_data",
            "is not the name of this instance",
            f"Write {settings.instance} to remove its data",
        )


RULES = (
    memory_limits,
    numbers_in_range,
    log_size,
    extra_names,
    docker_repository,
    teardown_confirmation,
)
