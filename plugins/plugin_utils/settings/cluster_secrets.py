# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Secret of the cluster holds which secret of an instance, and which ones somebody else keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .cluster import in_cluster
from .plan import Settings

POSTGRESQL, BACKUP = "postgresql-credentials", "backup-credentials"
# Secret of the instance → Secret of the cluster (after the instance's name) and key in it.
HOMES: Mapping[str, tuple[str, str]] = {
    "langfuse_nextauth_secret": ("credentials", "NEXTAUTH_SECRET"),
    "langfuse_salt": ("credentials", "SALT"),
    "langfuse_encryption_key": ("credentials", "ENCRYPTION_KEY"),
    "langfuse_admin_api_key": ("credentials", "ADMIN_API_KEY"),
    "langfuse_license_key": ("license", "LANGFUSE_EE_LICENSE_KEY"),
    "langfuse_https_proxy": ("proxy-credentials", "HTTPS_PROXY"),
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
    # Without keys of their own, backups have those of the application in that Secret.
    "langfuse_backup_access_key": (BACKUP, "ACCESS_KEY_ID"),
    "langfuse_backup_secret_key": (BACKUP, "SECRET_ACCESS_KEY"),
}
# The secrets among the user's additions to the environment.
EXTRA = "extra-env"
# Secrets of the cluster that somebody else may keep, as they are called after the instance's name.
GROUPS = tuple(dict.fromkeys(group for group, _key in HOMES.values()))


def extra_secret(variable: str, name: str) -> str:
    """The secret that `name` is in a variable such as langfuse_web_extra_env: web and worker may have different ones."""
    return f"{variable}.{name}"


def home(secret: str) -> tuple[str, str]:
    """The Secret of the cluster (after the instance's name) and the key in it."""
    return HOMES[secret] if secret in HOMES else (EXTRA, secret.removeprefix("langfuse_"))


def kept_elsewhere(values: Mapping[str, Any] | Settings, name: str) -> bool:
    """Whether somebody else keeps the secret in the cluster, so that its value is not known here."""
    if not in_cluster(values) or name not in HOMES:
        return False
    return HOMES[name][0] in values["langfuse_kubernetes_existing_secrets"]


def read_from(settings: Settings, options: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Option of a module → Secret and key, for `options` (with the secret's name) whose secret somebody else keeps."""
    found = {}
    for option, name in options.items():
        if kept_elsewhere(settings, name):
            group, key = HOMES[name]
            found[option] = {"name": settings["langfuse_kubernetes_existing_secrets"][group], "key": key}
    return found


def is_there(settings: Settings, name: str) -> bool:
    """Whether the instance has the secret, whoever keeps it."""
    return bool(settings.secrets.get(name)) or kept_elsewhere(settings, name)
