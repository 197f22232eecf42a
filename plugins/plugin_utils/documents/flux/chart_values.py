# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Langfuse's official chart takes a variable of the environment from: a value of its own, or an entry beside these.

The chart writes the variables that it has values for into both containers, some of them unasked, and refuses a variable
that is given twice. It has no schema: a value in another place than the ones here does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

# An entry of a container's environment, as the API has it.
Entry = Mapping[str, Any]
# Name → entry.
Environment = Mapping[str, Entry]
# Path with dots → value; maps at paths that meet are one.
Values = dict[str, Any]

_BATCH_EXPORT = "LANGFUSE_S3_BATCH_EXPORT_"


def nested(values: Values) -> dict[str, Any]:
    """The values as a release has them."""
    found: dict[str, Any] = {}
    for path, content in values.items():
        *parents, last = path.split(".")
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
        there = place.get(last)
        place[last] = {**there, **content} if isinstance(there, dict) and isinstance(content, Mapping) else content
    return found


def _text(entry: Entry) -> str | None:
    return entry.get("value")


def _flag(entry: Entry) -> bool | None:
    return {"true": True, "false": False}.get(entry.get("value", ""))


def _negated(entry: Entry) -> bool | None:
    flag = _flag(entry)
    return None if flag is None else not flag


def _reference(entry: Entry) -> Values | None:
    return dict(entry["valueFrom"]) if "valueFrom" in entry else None


def _existing_secret(entry: Entry) -> Values | None:
    found = (entry.get("valueFrom") or {}).get("secretKeyRef")
    return {"existingSecret": found["name"], "existingSecretKey": found["key"]} if found else None


def _host_and_port(entry: Entry) -> Values | None:
    """The chart takes `https` from the host, and is otherwise content with its name."""
    found = re.fullmatch(r"(https?)://([^/]+):(\d+)", entry.get("value", ""))
    if not found:
        return None
    scheme, host, port = found.groups()
    return {"host": host if scheme == "http" else f"https://{host}", "httpPort": int(port)}


def _only_true(value: str) -> Callable[[Entry], str | None]:
    return lambda entry: value if _flag(entry) else None


@dataclass(frozen=True)
class _Home:
    """What a variable is in the chart: a path in its values, and how the value is written there; None where it cannot be.

    always: the chart writes the variable whatever its values are.
    """

    path: str
    form: Callable[[Entry], Any]
    always: bool = True


def _uploads() -> dict[str, _Home]:
    found: dict[str, _Home] = {}
    for group, upload in {
        "LANGFUSE_S3_EVENT_UPLOAD_": "eventUpload",
        "LANGFUSE_S3_MEDIA_UPLOAD_": "mediaUpload",
        _BATCH_EXPORT: "batchExport",
    }.items():
        found |= {
            f"{group}BUCKET": _Home(f"s3.{upload}.bucket", _text),
            f"{group}FORCE_PATH_STYLE": _Home(f"s3.{upload}.forcePathStyle", _flag),
            f"{group}PREFIX": _Home(f"s3.{upload}.prefix", _text, always=False),
            f"{group}REGION": _Home(f"s3.{upload}.region", _text, always=False),
            f"{group}ENDPOINT": _Home(f"s3.{upload}.endpoint", _text, always=False),
            f"{group}ACCESS_KEY_ID": _Home(f"s3.{upload}.accessKeyId", _reference, always=False),
            f"{group}SECRET_ACCESS_KEY": _Home(f"s3.{upload}.secretAccessKey", _reference, always=False),
        }
    return found


_HOMES: Mapping[str, _Home] = {
    "NODE_ENV": _Home("langfuse.nodeEnv", _text),
    "LANGFUSE_LOG_LEVEL": _Home("langfuse.logging.level", _text),
    "LANGFUSE_LOG_FORMAT": _Home("langfuse.logging.format", _text),
    "TELEMETRY_ENABLED": _Home("langfuse.features.telemetryEnabled", _flag),
    "AUTH_DISABLE_SIGNUP": _Home("langfuse.features.signUpDisabled", _flag),
    "SALT": _Home("langfuse.salt", _reference),
    "ENCRYPTION_KEY": _Home("langfuse.encryptionKey", _reference),
    "NEXTAUTH_SECRET": _Home("langfuse.nextauth.secret", _reference),
    "NEXTAUTH_URL": _Home("langfuse.nextauth.url", _text),
    "LANGFUSE_EE_LICENSE_KEY": _Home("langfuse.licenseKey", _reference, always=False),
    "LANGFUSE_AUTO_POSTGRES_MIGRATION_DISABLED": _Home("postgresql.migration.autoMigrate", _negated),
    "LANGFUSE_AUTO_CLICKHOUSE_MIGRATION_DISABLED": _Home("clickhouse.migration.autoMigrate", _negated),
    "CLICKHOUSE_MIGRATION_URL": _Home("clickhouse.migration.url", _text),
    "CLICKHOUSE_MIGRATION_SSL": _Home("clickhouse.migration.ssl", _flag),
    "CLICKHOUSE_URL": _Home("clickhouse", _host_and_port),
    "CLICKHOUSE_DB": _Home("clickhouse.database", _text),
    "CLICKHOUSE_USER": _Home("clickhouse.auth.username", _text),
    "CLICKHOUSE_PASSWORD": _Home("clickhouse.auth", _existing_secret),
    "CLICKHOUSE_CLUSTER_ENABLED": _Home("clickhouse.cluster.enabled", _flag),
    "REDIS_TLS_ENABLED": _Home("redis.tls.enabled", _flag),
    "LANGFUSE_USE_AZURE_BLOB": _Home("s3.storageProvider", _only_true("azure"), always=False),
    "LANGFUSE_USE_GOOGLE_CLOUD_STORAGE": _Home("s3.storageProvider", _only_true("gcs"), always=False),
    "LANGFUSE_GOOGLE_CLOUD_STORAGE_CREDENTIALS": _Home("s3.gcs.credentials", _reference, always=False),
    f"{_BATCH_EXPORT}ENABLED": _Home("s3.batchExport.enabled", _flag),
    **_uploads(),
    "LANGFUSE_S3_CONCURRENT_READS": _Home("s3.concurrency.reads", _text),
    "LANGFUSE_S3_CONCURRENT_WRITES": _Home("s3.concurrency.writes", _text),
}

# What the chart writes from values that it wants to have, and that the instance says otherwise or not at all. A password in
# REDIS_CONNECTION_STRING or in an address made of DATABASE_... is not encoded, and none of REDIS_HOST would be read beside it.
_UNASKED = (
    "DATABASE_HOST",
    "DATABASE_NAME",
    "DATABASE_PASSWORD",
    "DATABASE_USERNAME",
    "ENABLE_EXPERIMENTAL_FEATURES",
    "HOSTNAME",
    "LANGFUSE_S3_MEDIA_UPLOAD_DOWNLOAD_URL_EXPIRY_SECONDS",
    "LANGFUSE_S3_MEDIA_UPLOAD_MAX_CONTENT_LENGTH",
    "PORT",
    "REDIS_CONNECTION_STRING",
)


@dataclass(frozen=True)
class Composition:
    """Environments as the chart takes them. Every variable has one place.

    values: of the chart. corrections: component → what a patch says of variables that the chart writes by itself: an entry,
    or None for one that goes.
    """

    values: Values
    corrections: Mapping[str, Mapping[str, Entry | None]]


def composed(environments: Mapping[str, Environment]) -> Composition:
    """The environments of the chart's components, as values and corrections."""
    values: Values = {}
    corrections: dict[str, dict[str, Entry | None]] = {component: {} for component in environments}
    written: dict[str, Entry | None] = dict.fromkeys(_UNASKED)
    for name, home in _HOMES.items():
        if name.startswith(_BATCH_EXPORT) and not name.endswith("ENABLED") and not _exports(environments):
            continue
        entries = [environment.get(name) for environment in environments.values()]
        # One that only one component has, the chart would write for both.
        if not home.always and any(one is None or one != entries[0] for one in entries):
            continue
        entry = next(filter(None, entries), None)
        content = home.form(entry) if entry else None
        if content is not None:
            values[home.path] = content
        if home.always or content is not None:
            written[name] = None if content is None else entry
    for component, environment in environments.items():
        for name, entry in written.items():
            if entry is None or environment.get(name) != entry:
                corrections[component][name] = environment.get(name)
    _beside(values, environments, written)
    return Composition(values, corrections)


def _exports(environments: Mapping[str, Environment]) -> bool:
    """Whether the chart writes what belongs to exports; one of the containers is enough."""
    return any(_flag(environment.get(f"{_BATCH_EXPORT}ENABLED", {})) for environment in environments.values())


def _beside(values: Values, environments: Mapping[str, Environment], written: Mapping[str, Any]) -> None:
    """What the chart has no value for: for both where both have it, and otherwise for the one."""
    left = {
        component: {name: entry for name, entry in environment.items() if name not in written}
        for component, environment in environments.items()
    }
    first, *others = left.values()
    both = [name for name, entry in first.items() if all(one.get(name) == entry for one in others)]
    values["langfuse.additionalEnv"] = [first[name] for name in sorted(both)]
    for component, entries in left.items():
        if own := [entries[name] for name in sorted(entries) if name not in both]:
            values[f"langfuse.{component}.pod.additionalEnv"] = own
