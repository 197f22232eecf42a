# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sends to the instance, and the gateway that the instance asks: `langfuse_consumers`, `langfuse_litellm_*`."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from .endpoints import WEB, WEB_PORT, public_url
from .hosts import split
from .plan import Settings

ENV, LITELLM, COLLECTOR = "env", "litellm", "otel_collector"
KINDS = (ENV, LITELLM, COLLECTOR)
STATES = ("present", "absent")
CALLBACKS = ("langfuse_otel", "langfuse")
_COMMON = {
    "kind": str,
    "path": str,
    "url": str,
    "state": str,
    "project_directory": str,
    "service": str,
}
# Kind → its keys and their types.
KEYS: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    ENV: {**_COMMON, "sample_rate": (int, float)},
    LITELLM: {
        **_COMMON,
        "env_path": str,
        "callback": str,
        "sample_rate": (int, float),
        "log_messages": bool,
        "tags": list,
    },
    COLLECTOR: {**_COMMON, "env_path": str, "pipelines": list},
}
PROVIDER = "litellm"


def default_url(settings: Settings) -> str:
    """How a consumer reaches the instance where it does not say: by its name on a network that both are on."""
    if settings["langfuse_shared_project"] or settings["langfuse_compose_networks"]:
        return f"http://{WEB}:{WEB_PORT}"
    return public_url(settings)


def env_path(consumer: Mapping[str, Any]) -> str:
    """File of the consumer's environment."""
    return str(consumer["path"] if consumer["kind"] == ENV else consumer["env_path"])


def consumers(settings: Settings) -> list[dict[str, Any]]:
    """Each consumer with everything that the role needs, and no secret."""
    return [_consumer(settings, one) for one in settings["langfuse_consumers"]]


def _consumer(settings: Settings, given: Mapping[str, Any]) -> dict[str, Any]:
    url = str(given.get("url") or default_url(settings)).rstrip("/")
    values = {
        "LANGFUSE_PUBLIC_KEY": settings.secrets["langfuse_init_project_public_key"],
        # Older clients and LiteLLM read the first of these, newer ones the second.
        "LANGFUSE_HOST": url,
        "LANGFUSE_BASE_URL": url,
    }
    if given.get("sample_rate") is not None:
        values["LANGFUSE_SAMPLE_RATE"] = str(given["sample_rate"])
    return {
        "kind": given["kind"],
        "state": given.get("state", STATES[0]),
        "env_path": env_path(given),
        "config_path": None if given["kind"] == ENV else given["path"],
        "url": url,
        "values": values,
        "basic": given["kind"] == COLLECTOR,
        "callback": given.get("callback", CALLBACKS[0]),
        "log_messages": given.get("log_messages"),
        "tags": list(given.get("tags", [])),
        "pipelines": list(given.get("pipelines", ["traces"])),
        "project_directory": given.get("project_directory"),
        "service": given.get("service"),
    }


def connection(settings: Settings) -> dict[str, Any] | None:
    """The connection to LiteLLM inside Langfuse; None where there is none."""
    if not settings["langfuse_litellm_url"]:
        return None
    return {
        "provider": PROVIDER,
        "base_url": settings["langfuse_litellm_url"],
        "custom_models": settings["langfuse_litellm_models"],
    }


def allowed(settings: Settings) -> dict[str, list[str]]:
    """Hosts and addresses that LLM connections may reach although they are private: HOST and IPS → values."""
    hosts: list[str] = list(settings["langfuse_llm_allowed_hosts"])
    addresses: list[str] = []
    if settings["langfuse_litellm_url"]:
        host = split(settings["langfuse_litellm_url"]).hostname or ""
        (addresses if _is_address(host) else hosts).append(host)
    found = {"HOST": list(dict.fromkeys(hosts)), "IPS": addresses}
    return {name: values for name, values in found.items() if values}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
