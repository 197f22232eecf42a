# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes: parts of objects that the user writes as the API has them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ....module_utils.kubernetes.objects import COMPONENT, INSTANCE, MANAGED_BY
from ....module_utils.kubernetes.quantities import amount
from .. import mounts, sizes
from ..cluster import in_cluster
from ..cluster_secrets import GROUPS, HOMES, kept_elsewhere
from ..plan import Settings
from ..problems import Problem
from .cluster import LABEL

_KEY = re.compile(rf"({LABEL}(\.{LABEL})*/)?[A-Za-z0-9]([A-Za-z0-9._-]{{0,61}}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_RESERVED = ("app.kubernetes.io/", "llmops.langfuse/", "cnpg.io/")
_FOUND_BY = (COMPONENT, INSTANCE, MANAGED_BY)


def existing_secrets(settings: Settings) -> Iterator[Problem]:
    name = "langfuse_kubernetes_existing_secrets"
    for group, secret in settings[name].items():
        if group not in GROUPS:
            yield Problem(name, f"has {group!r}, which is no Secret of the instance", f"It has {', '.join(GROUPS)}")
        elif not isinstance(secret, str) or not re.fullmatch(rf"{LABEL}(\.{LABEL})*", secret):
            yield Problem(name, f"has no name of a Secret for {group}", "Write the Secret's name")


def secrets_of_others(settings: Settings) -> Iterator[Problem]:
    """A value beside the Secret that it would be in means that somebody believes it is used."""
    for name in HOMES:
        if kept_elsewhere(settings, name) and name in settings.given:
            yield Problem(
                name,
                f"is set while langfuse_kubernetes_existing_secrets has {HOMES[name][0]}",
                "Remove it, or have the collection make that Secret",
            )


def patches(settings: Settings) -> Iterator[Problem]:
    name = "langfuse_kubernetes_patches"
    for number, one in enumerate(settings[name], 1):
        if set(one) != {"kind", "name", "patch"} or not isinstance(one["patch"], dict):
            yield Problem(name, f"entry {number} does not have kind, name and patch", "Write all three, patch as a map")
        elif not (isinstance(one["kind"], str) and isinstance(one["name"], str)):
            yield Problem(name, f"entry {number} has a kind or name that is not text", "Put it in quotes")
        elif not _has_maps(one["patch"]):
            yield Problem(
                name,
                f"entry {number} takes away metadata or labels as a whole, by which the object is found",
                "Name single ones of them",
            )
        elif {"apiVersion", "kind", "status"} & set(one["patch"]) or {"name", "namespace"} & set(
            one["patch"].get("metadata", ())
        ):
            yield Problem(name, f"entry {number} makes another object of it", "Leave its kind and name alone")
        elif lost := sorted({*_FOUND_BY} & set(one["patch"].get("metadata", {}).get("labels", ()))):
            yield Problem(
                name, f"entry {number} has the label {lost[0]}, by which the object is found", "Leave it alone"
            )
        elif one["kind"] == "Secret" and {"data", "stringData"} & set(one["patch"]):
            # The Plan, which holds no secrets, has the patches in it.
            yield Problem(
                name,
                f"entry {number} has content of a Secret, which every loud run would show",
                "Give it by its variable, or name a Secret of your own in langfuse_kubernetes_existing_secrets",
            )


def _has_maps(patch: Mapping[str, Any]) -> bool:
    """Whether what it says of metadata, and of labels there, is to be merged."""
    metadata = patch.get("metadata", {})
    return isinstance(metadata, dict) and isinstance(metadata.get("labels", {}), dict)


def removed(settings: Settings) -> Iterator[Problem]:
    name = "langfuse_kubernetes_remove"
    for one in settings[name]:
        if not re.fullmatch(rf"[A-Z][A-Za-z]+/{LABEL}(\.{LABEL})*", one):
            yield Problem(name, f"has {one!r}, which is not the name of an object", "Write it as Kind/name")


def _is_amount(text: str) -> bool:
    try:
        amount(text)
    except ValueError:
        return False
    return True


def _room_for_buffers(settings: Settings, service: str, requests: Mapping[str, str]) -> Iterator[Problem]:
    """CloudNativePG refuses a server that asks for less memory than its buffers take, a quarter of the limit."""
    if service != "postgres" or "memory" not in requests or "postgres" not in sizes.memory(settings):
        return
    least = sizes.memory(settings)["postgres"] // 4
    if amount(requests["memory"]) < least * sizes.MIB:
        yield Problem(
            "langfuse_kubernetes_resources",
            f"asks for {requests['memory']} for postgres, less than its buffers take",
            f"Write at least {least}Mi, or a smaller langfuse_postgres_memory",
        )


def resource_amounts(settings: Settings) -> Iterator[Problem]:
    name = "langfuse_kubernetes_resources"
    for service, given in settings[name].items():
        if service not in sizes.MINIMUM:
            yield Problem(name, f"has {service}, which is no component", f"Components are {', '.join(sizes.MINIMUM)}")
            continue
        if not isinstance(given, dict) or not set(given) <= {"requests", "limits"}:
            yield Problem(name, f"has more than requests and limits for {service}", "Write only these two")
            continue
        for amounts in given.values():
            if not isinstance(amounts, dict) or not all(isinstance(one, str) for one in amounts.values()):
                yield Problem(name, f"has an amount for {service} that is not text", 'Write it in quotes, like "500m"')
                break
            if unreadable := [one for one in amounts.values() if not _is_amount(one)]:
                yield Problem(
                    name, f"has {unreadable[0]!r} for {service}, which is no amount", "Write it like 500m or 2Gi"
                )
                break
        else:
            yield from _room_for_buffers(settings, service, given.get("requests") or {})
        if "memory" in (given.get("limits") or {}):
            yield Problem(
                name, f"has a memory limit for {service}", f"Use langfuse_{service}_memory, from which more follows"
            )


def pod_settings(settings: Settings) -> Iterator[Problem]:
    for name in (
        *("langfuse_node_selector", "langfuse_annotations"),
        *("langfuse_service_account_annotations", "langfuse_ingress_annotations"),
    ):
        for key, value in settings[name].items():
            if not _KEY.fullmatch(key):
                yield Problem(name, f"has {key!r}, which is not a name", "Write it like example.com/name")
            elif not isinstance(value, str):
                yield Problem(name, f"has {key} with a value that is not text", "Put it in quotes")
            elif key.startswith("llmops.langfuse/"):
                yield Problem(name, f"has {key}, which the collection sets itself", "Use a name of your own")
    if not in_cluster(settings):
        return
    for key, value in settings["langfuse_labels"].items():
        if not _KEY.fullmatch(key) or (isinstance(value, str) and not _VALUE.fullmatch(value)):
            yield Problem(
                "langfuse_labels",
                f"has {key!r}, which is no label of Kubernetes",
                "Use letters, digits, -, _ and ., at most 63",
            )
        elif key.startswith(_RESERVED):
            yield Problem("langfuse_labels", f"has {key}, by which objects are found", "Use a name of your own")


def host_aliases(settings: Settings) -> Iterator[Problem]:
    for host, address in settings["langfuse_extra_hosts"].items():
        if in_cluster(settings) and str(address) == "host-gateway":
            yield Problem(
                "langfuse_extra_hosts", f"has host-gateway for {host}, which only Docker knows", "Write an address"
            )


def pod_volumes(settings: Settings) -> Iterator[Problem]:
    name, seen, targets = "langfuse_kubernetes_volumes", {"tmp", "authorities"}, set()
    for number, volume in enumerate(settings[name], 1):
        source = set(volume) - {"name", "mountPath", "readOnly"}
        target = volume.get("mountPath")
        if not re.fullmatch(LABEL, str(volume.get("name", ""))) or len(source) != 1:
            yield Problem(name, f"entry {number} lacks a name or has not exactly one source", "Write it as in a pod")
        elif volume["name"] in seen:
            yield Problem(name, f"entry {number} has a name that is taken", "Choose another name")
        elif not isinstance(target, str) or not target.startswith("/") or posixpath.normpath(target) != target:
            yield Problem(name, f"entry {number} has no absolute mountPath", "Write it like /models")
        elif mounts.taken(target) or target in targets:
            yield Problem(name, f"entry {number} has a mountPath that is mounted already", "Choose another one")
        seen.add(str(volume.get("name")))
        targets.add(target)


RULES = (
    existing_secrets,
    secrets_of_others,
    patches,
    removed,
    resource_amounts,
    pod_settings,
    host_aliases,
    pod_volumes,
)
