# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sends to the instance, and the gateway that the instance asks: `langfuse_consumers`, `langfuse_litellm_*`."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from .cluster import dns_name, in_cluster
from .endpoints import WEB, WEB_PORT, own_host, public_url
from .hosts import split
from .plan import Settings

ENV, LITELLM, COLLECTOR = "env", "litellm", "otel_collector"
KINDS = (ENV, LITELLM, COLLECTOR)
STATES = ("present", "absent")
CALLBACKS = ("langfuse_otel", "langfuse")
_COMMON = {"kind": str, "url": str, "state": str}
_FILES = {"path": str, "project_directory": str, "service": str}
_OBJECTS = {"namespace": str, "secret": str}
_SENDS: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    ENV: {"sample_rate": (int, float)},
    LITELLM: {"callback": str, "sample_rate": (int, float), "log_messages": bool, "tags": list},
    COLLECTOR: {"pipelines": list},
}
_PROOF = {"proof_url": str, "proof_model": str, "proof_key": str}
_BESIDE_FILE: Mapping[str, Mapping[str, type]] = {
    ENV: {},
    LITELLM: {"env_path": str, **_PROOF},
    COLLECTOR: {"env_path": str},
}


def keys(cluster: bool) -> Mapping[str, Mapping[str, type | tuple[type, ...]]]:
    """Kind → the keys that its entries have, and their types: objects of a cluster, or files of a host."""
    if cluster:
        config_map = {ENV: {}, LITELLM: {"config_map": str}, COLLECTOR: {"config_map": str}}
        return {kind: {**_COMMON, **_OBJECTS, **config_map[kind], **_SENDS[kind]} for kind in KINDS}
    return {kind: {**_COMMON, **_FILES, **_BESIDE_FILE[kind], **_SENDS[kind]} for kind in KINDS}


PROVIDER = "litellm"
SECRET_KEY, BASIC, SAMPLE_RATE = "LANGFUSE_SECRET_KEY", "LANGFUSE_BASIC", "LANGFUSE_SAMPLE_RATE"
# Every name that may be written into an env file, and is taken out of it where no entry says it any more. The last one is never
# written: `langfuse_otel` of LiteLLM takes it for LANGFUSE_HOST.
NAMES = (
    "LANGFUSE_PUBLIC_KEY",
    "LANGFUSE_HOST",
    "LANGFUSE_BASE_URL",
    SAMPLE_RATE,
    SECRET_KEY,
    BASIC,
    "LANGFUSE_OTEL_HOST",
)


def url_of(settings: Settings, consumer: Mapping[str, Any]) -> str:
    """How it reaches the instance, without a slash at its end.

    A container of a service does so by name, on a network that both are on. Where no service is named it may be a
    process of the host, which knows no names of containers. A pod knows the Service.
    """
    if consumer.get("url"):
        return str(consumer["url"]).rstrip("/")
    if in_cluster(settings):
        return f"http://{own_host(settings, 'web')}:{WEB_PORT}"
    joins = settings["langfuse_shared_project"] or settings["langfuse_compose_networks"]
    return f"http://{WEB}:{WEB_PORT}" if joins and consumer.get("service") else public_url(settings)


def env_path(consumer: Mapping[str, Any]) -> str:
    """File of the consumer's environment."""
    return str(consumer["path"] if consumer["kind"] == ENV else consumer["env_path"])


def namespaces(settings: Settings) -> list[str]:
    """Namespaces of the pods that send."""
    wanted = [one for one in settings["langfuse_consumers"] if one.get("state", STATES[0]) == STATES[0]]
    return list(dict.fromkeys(one["namespace"] for one in wanted if one.get("namespace")))


def written(settings: Settings) -> dict[str, list[str]]:
    """What `connect` writes into a cluster: namespace → resources."""
    found: dict[str, set[str]] = {}
    resources = {"secret": "secrets", "config_map": "configmaps"}
    for one in settings["langfuse_consumers"]:
        if one.get("namespace"):
            found.setdefault(one["namespace"], set()).update(resources[key] for key in resources if one.get(key))
    return {namespace: sorted(found[namespace]) for namespace in sorted(found)}


def consumers(settings: Settings) -> list[dict[str, Any]]:
    """Each consumer with everything that the role needs: of secrets only the names, of what goes out of its file too.

    Two entries of one file, such as a gateway and a service, do not take out what the other one writes.
    """
    found = [_consumer(settings, one, number) for number, one in enumerate(settings["langfuse_consumers"], 1)]
    if in_cluster(settings):
        return found
    written = [(one["env_path"], {*one["values"], *one["secret_names"]}) for one in found]
    for one in found:
        wanted = {name for path, names in written if path == one["env_path"] for name in names}
        one["absent_names"] = [name for name in NAMES if name not in wanted]
    return found


def _proof_secret(number: int) -> str:
    """Name of the key of one entry among the Secrets, where the first one is 1."""
    return f"langfuse_consumers, proof_key of entry {number}"


def proof_keys(settings: Settings) -> dict[str, str]:
    """Keys of the gateways that `connect` asks: name → value."""
    entries = enumerate(settings["langfuse_consumers"], 1)
    return {_proof_secret(number): one["proof_key"] for number, one in entries if one.get("proof_key")}


def _consumer(settings: Settings, given: Mapping[str, Any], number: int) -> dict[str, Any]:
    url, state = url_of(settings, given), given.get("state", STATES[0])
    values: dict[str, str] = {}
    secret_names: list[str] = []
    if state == STATES[0]:
        values = {
            "LANGFUSE_PUBLIC_KEY": settings.secrets["langfuse_init_project_public_key"],
            # Older clients and LiteLLM read the first of these, newer ones the second.
            "LANGFUSE_HOST": url,
            "LANGFUSE_BASE_URL": url,
        }
        if given.get("sample_rate") is not None:
            values[SAMPLE_RATE] = str(given["sample_rate"])
        secret_names = [SECRET_KEY, BASIC] if given["kind"] == COLLECTOR else [SECRET_KEY]
    return {
        "kind": given["kind"],
        "state": state,
        "env_path": None if in_cluster(settings) else env_path(given),
        "config_path": None if given["kind"] == ENV else given.get("path"),
        **{name: given.get(name) for name in ("namespace", "secret", "config_map")},
        "absent_names": [],
        "url": url,
        "values": values,
        "secret_names": secret_names,
        "callback": given.get("callback", CALLBACKS[0]),
        "log_messages": given.get("log_messages"),
        "tags": list(given.get("tags", [])),
        "pipelines": list(given.get("pipelines", ["traces"])) if given["kind"] == COLLECTOR else [],
        "project_directory": given.get("project_directory"),
        "service": given.get("service"),
        # Clients are told the address with /v1, which is not LiteLLM's root.
        "proof_url": given["proof_url"].rstrip("/").removesuffix("/v1") if given.get("proof_url") else None,
        "proof_model": given.get("proof_model"),
        "proof_secret": _proof_secret(number) if given.get("proof_key") else None,
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
    if in_cluster(settings) and settings["litellm_enabled"]:
        hosts.append(dns_name(settings, PROVIDER))
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
