# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Secrets of an instance, and how containers refer to them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ...settings.secrets import fingerprint, fingerprint_key
from .manifest import Manifest, Plan, Wave, name_of, resource

# Secret of the instance → Secret of the cluster (after the instance's name) and key in it.
_HOMES: Mapping[str, tuple[str, str]] = {
    "langfuse_nextauth_secret": ("credentials", "NEXTAUTH_SECRET"),
    "langfuse_salt": ("credentials", "SALT"),
    "langfuse_encryption_key": ("credentials", "ENCRYPTION_KEY"),
    "langfuse_admin_api_key": ("credentials", "ADMIN_API_KEY"),
    "langfuse_license_key": ("credentials", "LANGFUSE_EE_LICENSE_KEY"),
    "langfuse_https_proxy": ("credentials", "HTTPS_PROXY"),
    "langfuse_postgres_password": ("postgresql-credentials", "password"),
    "database_url": ("postgresql-credentials", "DATABASE_URL"),
    "direct_url": ("postgresql-credentials", "DIRECT_URL"),
    "langfuse_clickhouse_password": ("clickhouse-credentials", "password"),
    "langfuse_redis_password": ("redis-credentials", "password"),
    "langfuse_redis_sentinel_password": ("redis-credentials", "sentinel-password"),
    "langfuse_s3_access_key": ("s3-credentials", "AWS_ACCESS_KEY_ID"),
    "langfuse_s3_secret_key": ("s3-credentials", "AWS_SECRET_ACCESS_KEY"),
    "langfuse_gcs_credentials": ("s3-credentials", "GOOGLE_CREDENTIALS"),
    "langfuse_keycloak_client_secret": ("keycloak-credentials", "client-secret"),
    "langfuse_sso_client_secret": ("sso-credentials", "client-secret"),
    "langfuse_smtp_url": ("smtp-credentials", "SMTP_CONNECTION_URL"),
    "langfuse_init_project_secret_key": ("init-credentials", "LANGFUSE_INIT_PROJECT_SECRET_KEY"),
    "langfuse_init_user_password": ("init-credentials", "LANGFUSE_INIT_USER_PASSWORD"),
}
POSTGRESQL, BACKUP = "postgresql-credentials", "backup-credentials"
CHECKSUM = "llmops.langfuse/checksum"

Environment = Mapping[str, Any]


def secret_name(plan: Plan, group: str) -> str:
    """Name of the Secret for a group: the collection's own, or one that somebody else keeps."""
    return str(plan["kubernetes"]["existing_secrets"].get(group) or name_of(plan, group))


def reference(plan: Plan, secret: str) -> dict[str, str]:
    """Name and key of the Secret that holds `secret`."""
    group, key = _HOMES[secret]
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

    What somebody else keeps is not known here, so only the name of its Secret counts.
    """
    existing = plan["kubernetes"]["existing_secrets"]
    known = {
        name: secrets[name] if _HOMES[name][0] not in existing else existing[_HOMES[name][0]] for name in sorted(read)
    }
    key = fingerprint_key(secrets["langfuse_encryption_key"])
    return fingerprint(key, json.dumps([known, *content], sort_keys=True).encode())


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
        group, key = _HOMES[name]
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
    return Manifest(Wave.CONFIGURATION, {**found, "type": kind, "data": encoded}, sensitive=True, keep=True)
