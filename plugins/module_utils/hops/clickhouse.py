# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ClickHouse over HTTP with the application's own user: answer, time zone, version, schema, room."""

from __future__ import annotations

import re
import socket
from typing import Any
from urllib.parse import quote, urlencode

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import (
    FAILED,
    OK,
    SKIPPED,
    WARNING,
    Context,
    Finding,
    seen,
)

UTC = ("UTC", "Etc/UTC", "GMT", "Etc/GMT")
RAW_VALUE = "input_format_read_datetime_number_as_raw_value"
RAW_VALUE_QUERY = "SELECT value FROM system.settings WHERE name = 'input_format_read_datetime_number_as_raw_value'"


class QueryError(Exception):
    """ClickHouse's own error code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def version_pair(version: str) -> tuple[int, int]:
    """``"26.9.2.1"`` -> ``(26, 9)``; ``(0, 0)`` where it cannot be read."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def loses_rows(version: str, raw_value: str | None) -> bool:
    """Whether Langfuse up to 4.16 loses every trace there: the setting's default went from 1 to 0 in 26.8."""
    return version_pair(version) >= (26, 8) and raw_value == "0"


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
        return _query(client, sql, where, ctx.patience)

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


def _query(client: http_client.Client, sql: str, database: str, timeout: float) -> list[list[Any]]:
    options = {"default_format": "JSONCompact", "output_format_json_quote_64bit_integers": "1"}
    if database:
        options["database"] = database
    answer = client.request("POST", f"/?{urlencode(options, quote_via=quote)}", sql.encode(), timeout=timeout)
    body = answer.json()
    if answer.status == 200 and isinstance(body, dict):
        data: list[list[Any]] = body.get("data", [])
        return data
    text = " ".join(answer.text(400).split())
    found = re.search(r"Code: (\d+)", text)
    code = answer.headers.get("x-clickhouse-exception-code") or (found[1] if found else "0")
    raise QueryError(int(code), text[:300] or f"HTTP {answer.status}")
