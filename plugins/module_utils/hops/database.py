# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PostgreSQL: as web sees it, and by a direct login with the application's own user."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client, postgresql
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import (
    FAILED,
    OK,
    SKIPPED,
    WARNING,
    Context,
    Finding,
    Missing,
    library,
    missing_finding,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.web import HEALTH


def error_kind(text: str) -> str:
    """What a failed connection means to the causes: for them a rule of the server is as good as a wrong password."""
    kind = postgresql.error_kind(text)
    if kind == postgresql.DENIED:
        return postgresql.PASSWORD
    return postgresql.OTHER if kind in (postgresql.FORBIDDEN, postgresql.TLS) else kind


def database(ctx: Context) -> Finding:
    """A direct login first, for it knows the reason; then web's own opinion."""
    direct = _direct(ctx)
    if direct is not None and direct.status == FAILED:
        return direct
    try:
        with contextlib.closing(ctx.new_web()) as client:
            answer = client.request("GET", f"{HEALTH}?failIfDatabaseUnavailable=true", timeout=ctx.patience)
        ctx.evidence["web_database"] = {"status": answer.status, "text": answer.text(200)}
    except http_client.Unreachable as error:
        ctx.evidence["web_database"] = {"status": None, "text": error.detail}
        if direct is None:
            return Finding(SKIPPED, "web does not answer, and no postgres options were given")
        return direct
    if answer.status == 503:
        return Finding(FAILED, f"web says: {answer.text(120)}")
    if direct is None:
        return Finding(OK if answer.status == 200 else SKIPPED, f"web says {answer.status}; no direct login asked for")
    return direct


def _direct(ctx: Context) -> Finding | None:
    options = ctx.params["postgres"]
    if not options:
        return None
    try:
        psycopg = library("psycopg")
    except Missing as missing:
        ctx.evidence["postgres"] = {"error": None, "unchecked": str(missing)}
        return missing_finding(missing)
    record: dict[str, Any] = {"error": None, "where": f"{options['host']}:{options['port']}", "user": options["user"]}
    record["database"] = options["database"]
    ctx.evidence["postgres"] = record
    try:
        connection = psycopg.connect(
            host=options["host"],
            **postgresql.tls(options["sslmode"], ctx.params["ca_bundle"]),
            port=options["port"],
            dbname=options["database"],
            user=options["user"],
            password=ctx.params["postgres_password"],
            connect_timeout=max(2, int(ctx.patience)),
            options=f"-c statement_timeout={int(ctx.patience * 1000)}",
            autocommit=True,
        )
    except (psycopg.Error, OSError) as error:
        text = " ".join(str(error).split())
        record.update(error=error_kind(text), text=text[:300])
        return Finding(FAILED, f"login as {options['user']} failed: {text[:160]}")
    try:
        _read(ctx, connection, record)
    except psycopg.Error as error:
        text = " ".join(str(error).split())
        record.update(error=error_kind(text), text=text[:300])
        return Finding(FAILED, f"a query failed: {text[:160]}")
    finally:
        connection.close()
    return _judge(record)


def _judge(record: dict[str, Any]) -> Finding:
    if record["unfinished"]:
        return Finding(FAILED, f"migration {record['unfinished'][0]} is not finished")
    if record["timezone"] not in ("UTC", "Etc/UTC", "GMT"):
        return Finding(WARNING, f"time zone is {record['timezone']}, not UTC")
    if record["background_failed"]:
        return Finding(WARNING, f"background migration {record['background_failed'][0]} failed")
    return Finding(OK, f"PostgreSQL {record['version']}, {record['migrations']} migrations")


def _read(ctx: Context, connection: Any, record: dict[str, Any]) -> None:
    def rows(query: str, *values: Any) -> list[Any]:
        return list(connection.execute(query, values or None).fetchall())

    def exists(table: str) -> bool:
        return bool(rows("SELECT to_regclass(%s) IS NOT NULL", table)[0][0])

    version, zone = rows("SELECT current_setting('server_version'), current_setting('TimeZone')")[0]
    record.update(version=version.split()[0], timezone=zone, migrations=0, unfinished=[], background_failed=[])
    if exists("_prisma_migrations"):
        done = rows(
            "SELECT migration_name, finished_at IS NULL AND rolled_back_at IS NULL"
            " FROM _prisma_migrations ORDER BY started_at"
        )
        record["migrations"] = sum(not row[1] for row in done)
        record["unfinished"] = [name for name, open_ in done if open_]
    if exists("background_migrations"):
        failed = rows("SELECT name FROM background_migrations WHERE failed_at IS NOT NULL ORDER BY name")
        record["background_failed"] = [name for (name,) in failed]
    public_key = ctx.params["public_key"]
    if public_key and exists("api_keys"):
        found = rows(
            "SELECT project_id, display_secret_key, fast_hashed_secret_key FROM api_keys WHERE public_key = %s",
            public_key,
        )
        secret = ctx.params["secret_key"] or ""
        record["key"] = {
            "found": bool(found),
            "project": found[0][0] if found else None,
            "secret_alike": bool(found) and found[0][1] == f"{secret[:6]}...{secret[-4:]}",
        }
        ctx.evidence.setdefault("private", {})["fast_hash"] = found[0][2] if found else None
    email = ctx.params["user_email"]
    if email and exists("users"):
        users = rows("SELECT password IS NOT NULL FROM users WHERE email = %s", email.lower())
        record["person"] = {"found": bool(users), "has_password": bool(users and users[0][0])}
