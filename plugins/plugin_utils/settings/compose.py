# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Plan says of an instance on Docker Compose."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from . import sizes
from .buckets import expires
from .data import data_directory, folders, project_directory, users
from .endpoints import bind_address, host_url
from .module_options import preparation, requirements
from .mounts import parse
from .plan import Settings
from .sources import bundled_services, former_places, is_bundled, places


def compose(
    settings: Settings,
    endpoints: Mapping[str, Mapping[str, Any]],
    buckets: Mapping[str, str],
    stack: Mapping[str, Any],
) -> dict[str, Any]:
    """The part of the Plan that the Compose project and its roles read: `stack` is what is used of a joined one. No secrets."""
    return {
        "directory": project_directory(settings),
        "requirements": requirements(settings),
        "bind_address": bind_address(settings),
        "host_url": host_url(settings),
        "web_port": settings["langfuse_web_port"],
        "s3_port": settings["langfuse_s3_port"],
        "closed_ports": _closed_ports(settings),
        "ports": _ports(settings),
        "worker_replicas": settings["langfuse_worker_replicas"],
        "worker_stop_seconds": settings["langfuse_worker_stop_seconds"],
        "stuck_seconds": settings["langfuse_stuck_seconds"],
        "start_timeout": settings["langfuse_start_timeout"],
        "migration_timeout": settings["langfuse_migration_timeout"],
        "memory": sizes.memory(settings),
        "memory_total": sizes.total(settings),
        "log": {"max-size": settings["langfuse_log_max_size"], "max-file": str(settings["langfuse_log_max_files"])},
        # What comes in an archive is not in reach of the host.
        "pull": "never" if settings["langfuse_image_archive"] else settings["langfuse_image_pull"],
        "image_archive": settings["langfuse_image_archive"],
        "extra_hosts": settings["langfuse_extra_hosts"],
        "extra_volumes": [asdict(mount) for mount in map(parse, settings["langfuse_extra_volumes"]) if mount],
        "data_directory": data_directory(settings),
        "data_folders": folders(settings),
        "store_users": users(settings),
        "minimum_disk": settings["langfuse_minimum_disk"],
        "install_docker": settings["langfuse_install_docker"],
        "docker_apt_repository": settings["langfuse_docker_apt_repository"],
        "application": [endpoints["web"]["host"], endpoints["worker"]["host"]],
        "stores": list(bundled_services(settings)),
        "expires": expires(settings),
        "networks": settings["langfuse_compose_networks"],
        "stack": stack,
        "preparation": preparation(settings, endpoints, buckets),
        "store_places": places(endpoints, buckets),
        "former_places": former_places(endpoints),
        "moved_stores": settings["langfuse_moved_stores"],
        "overrides": settings["langfuse_compose_overrides"],
    }


def _closed_ports(settings: Settings) -> list[dict[str, Any]]:
    """Published on loopback, so nobody else may reach them."""
    closed = []
    if ipaddress.ip_address(bind_address(settings)).is_loopback:
        closed.append({"service": "web", "port": settings["langfuse_web_port"]})
    if is_bundled(settings, "s3"):
        closed.append({"service": "seaweedfs", "port": settings["langfuse_s3_port"]})
    return closed


def _ports(settings: Settings) -> list[dict[str, Any]]:
    """What the containers publish on the host."""
    web = {"variable": "langfuse_web_port", "address": bind_address(settings)}
    found = [{**web, "port": settings["langfuse_web_port"]}]
    if is_bundled(settings, "s3"):
        found.append({"variable": "langfuse_s3_port", "address": "127.0.0.1", "port": settings["langfuse_s3_port"]})
    return found
