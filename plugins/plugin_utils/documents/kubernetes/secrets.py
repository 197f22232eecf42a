# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Secrets of an instance, and how containers refer to them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ....module_utils.kubernetes.prune import is_replaceable
from ...settings.cluster_secrets import BACKUP, POSTGRESQL, home
from ...settings.secrets import fingerprint, fingerprint_key
from .manifest import Manifest, Plan, Wave, name_of, resource

CHECKSUM = "llmops.langfuse/checksum"

Environment = Mapping[str, Any]


def secret_name(plan: Plan, group: str) -> str:
    """Name of the Secret for a group: the collection's own, or one that somebody else keeps."""
    return str(plan["kubernetes"]["existing_secrets"].get(group) or name_of(plan, group))


def reference(plan: Plan, secret: str) -> dict[str, str]:
    """Name and key of the Secret that holds `secret`."""
    group, key = home(secret)
    return {"name": secret_name(plan, group), "key": key}


def environment(plan: Plan, values: Environment) -> list[dict[str, Any]]:
    """Environment of a container: values as text, secrets as references. Sorted by name."""
    return [
        {"name": name, "value": literal(value)}
        if isinstance(value, str)
        else {"name": name, "valueFrom": {"secretKeyRef": reference(plan, value["secret"])}}
        for name, value in sorted(values.items())
    ]


def literal(text: str) -> str:
    """`text` in a container's environment, where `$(NAME)` would be replaced."""
    return text.replace("$", "$$")


def checksum(plan: Plan, secrets: Mapping[str, str], read: Iterable[str], *content: Any) -> str:
    """Keyed fingerprint of the secrets that a pod reads and of further content: a change rolls the pod.

    What somebody else keeps is not known here; who applies the pod reads it, and marks the pod with it.
    """
    known = {name: secrets[name] for name in sorted(read) if name in secrets}
    return fingerprint(fingerprint_key(unguessable(secrets)), json.dumps([known, *content], sort_keys=True).encode())


def unguessable(secrets: Mapping[str, str]) -> str:
    """A secret that never changes, or the next best where somebody else keeps that one."""
    best = ("langfuse_encryption_key", "langfuse_init_project_secret_key", "langfuse_clickhouse_password")
    return next((secrets[name] for name in best if name in secrets), "".join(secrets.values()))


def secrets_in(values: Environment) -> list[str]:
    """Secrets that an environment refers to."""
    return [value["secret"] for value in values.values() if not isinstance(value, str)]


def _wanted(plan: Plan) -> dict[str, dict[str, str]]:
    """Group → key → secret, for everything that a pod of the instance reads."""
    names = [name for values in plan["env"].values() for name in secrets_in(values)]
    # Beside its URL, so that the Secret has one type whoever runs PostgreSQL: a type cannot change.
    names.append("langfuse_postgres_password")
    groups: dict[str, dict[str, str]] = {}
    for name in sorted(set(names)):
        group, key = home(name)
        groups.setdefault(group, {})[key] = name
    backup = plan["kubernetes"]["backup"]
    if backup and backup["keys"]:
        groups[BACKUP] = backup["keys"]
    return groups


def manifests(plan: Plan, secrets: Mapping[str, str]) -> list[Manifest]:
    """The Secrets that nobody else keeps."""
    return [
        _secret(plan, group, {key: secrets[name] for key, name in keys.items()})
        for group, keys in sorted(_wanted(plan).items())
        if group not in plan["kubernetes"]["existing_secrets"]
    ]


def _secret(plan: Plan, group: str, data: dict[str, str]) -> Manifest:
    kind = "Opaque"
    found = resource(plan, "v1", "Secret", name_of(plan, group), "credentials")
    if group == POSTGRESQL:
        kind = "kubernetes.io/basic-auth"
        data = {"username": plan["endpoints"]["postgres"]["user"], **data}
        # CloudNativePG takes a changed password over only with it.
        found["metadata"]["labels"]["cnpg.io/reload"] = "true"
    # Not stringData: a key that is taken out of it stays in the object.
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in sorted(data.items())}
    only_copy = not all(map(is_replaceable, encoded))
    return Manifest(Wave.CONFIGURATION, {**found, "type": kind, "data": encoded}, sensitive=True, keep=only_copy)
