# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ClickHouse over HTTP with the application's own user: answer, time zone, version, schema, room."""

from __future__ import annotations

import socket
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.clickhouse import (
    RAW_VALUE,
    UTC,
    QueryError,
    loses_rows,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.clickhouse import query as clickhouse_query
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import (
    FAILED,
    OK,
    SKIPPED,
    WARNING,
    Context,
    Finding,
    seen,
)

RAW_VALUE_QUERY = "SELECT value FROM system.settings WHERE name = 'input_format_read_datetime_number_as_raw_value'"


def clickhouse(ctx: Context) -> Finding:
    options = ctx.params["clickhouse"]
    if not options:
        return Finding(SKIPPED, "no clickhouse options given")
    record: dict[str, Any] = {"kind": None, "code": None, "where": options["url"], "user": options["user"]}
    ctx.evidence["clickhouse"] = record
    keys = {"X-ClickHouse-User": options["user"], "X-ClickHouse-Key": ctx.params["clickhouse_password"] or ""}
    client = ctx.client(options["url"], keys)
    try:
        _read(ctx, client, options["database"], record)
    except http_client.Unreachable as error:
        record.update(seen(error))
        return Finding(FAILED, f"{error.where} gives no answer: {error.detail}")
    except QueryError as error:
        record.update(code=error.code, text=error.text)
        return Finding(FAILED, f"error {error.code}: {error.text[:140]}")
    finally:
        client.close()
    native = options["migration_port"]
    if native and ctx.params["level"] == "diagnose":
        record["native_closed"] = not _accepts(ctx, client.host, native)
    return _judge(record)


def _accepts(ctx: Context, host: str, port: int) -> bool:
    try:
        socket.create_connection((ctx.address(host, port), port), min(2.0, ctx.patience)).close()
    except OSError:
        return False
    return True


def _judge(record: dict[str, Any]) -> Finding:
    schema = record["schema"]
    if schema and schema["dirty"]:
        return Finding(FAILED, f"schema_migrations is dirty at version {schema['version']}")
    if loses_rows(record["version"], record["raw_value"]):
        return Finding(FAILED, f"ClickHouse {record['version']} with {RAW_VALUE}=0 loses every trace")
    if record["timezone"] not in UTC:
        return Finding(FAILED, f"time zone is {record['timezone']}, not UTC")
    if record.get("native_closed"):
        return Finding(WARNING, "the native port is closed: migrations cannot run")
    if any(disk["free"] < 0.05 * disk["total"] for disk in record["disks"]):
        return Finding(WARNING, f"less than 5 % free on disk {record['disks'][0]['name']}")
    at = f", schema {schema['version']}" if schema else ", no schema yet"
    return Finding(OK, f"ClickHouse {record['version']}, UTC{at}")


def _read(ctx: Context, client: http_client.Client, database: str, record: dict[str, Any]) -> None:
    def query(sql: str, where: str = "") -> list[list[Any]]:
        return clickhouse_query(client, sql, where, ctx.patience)

    version, zone = query("SELECT version(), timezone()")[0]
    record.update(version=version, timezone=zone, raw_value=None, schema=None, disks=[])
    settings = _optional(query, RAW_VALUE_QUERY)
    record["raw_value"] = str(settings[0][0]) if settings else None
    query("SELECT 1", database)
    rows = _optional(query, "SELECT version, dirty FROM schema_migrations ORDER BY sequence DESC LIMIT 1", database)
    if rows:
        record["schema"] = {"version": int(rows[0][0]), "dirty": bool(int(rows[0][1]))}
    disks = _optional(query, "SELECT name, free_space, total_space FROM system.disks WHERE total_space > 0")
    record["disks"] = [{"name": name, "free": int(free), "total": int(total)} for name, free, total in disks]


def _optional(query: Any, sql: str, database: str = "") -> list[list[Any]]:
    """Rows, or none where the user may not look or the table is not there."""
    try:
        rows: list[list[Any]] = query(sql, database)
        return rows
    except QueryError as error:
        if error.code in (47, 60, 497, 519):  # unknown identifier, unknown table, no grant
            return []
        raise
