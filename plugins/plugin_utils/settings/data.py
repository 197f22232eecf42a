# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the stores of a Compose host keep their data, and as whom."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from .plan import Settings
from .sources import bundled_services

# Service of a store → uid and gid of its image's own user.
USERS: Mapping[str, int] = {"postgres": 999, "clickhouse": 101, "valkey": 999, "seaweedfs": 1000}


def project_directory(settings: Settings) -> str:
    """Directory of the Compose project on the host."""
    return str(settings["langfuse_project_directory"] or f"/opt/langfuse/{settings.instance}")


def data_directory(settings: Settings) -> str | None:
    """The instance's own folder of `langfuse_data_directory`; None where named volumes hold the data."""
    given = settings["langfuse_data_directory"]
    return str(PurePosixPath(given) / settings.instance) if given else None


def folders(settings: Settings) -> dict[str, str]:
    """Service of a store → folder of its data; empty where named volumes hold it."""
    directory = data_directory(settings)
    return {service: f"{directory}/{service}" for service in bundled_services(settings)} if directory else {}


def users(settings: Settings) -> dict[str, int]:
    """Service of a bundled store → uid and gid that it runs as."""
    return {service: USERS[service] for service in bundled_services(settings)}
