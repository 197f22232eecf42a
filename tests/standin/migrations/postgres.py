"""PostgreSQL migrations: Prisma's bookkeeping and the tables of 4.16.0 (facts 1.6, 1.10)."""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from importlib import resources
from typing import Any

import psycopg

from ..core.log import plain
from ..core.postgres import conninfo
from . import models

LAST = "20260821121500_backfill_evaluator_v2"
COUNT = 434
_ENUMS = {
    "ApiKeyScope": ("PROJECT", "ORGANIZATION"),
    "Role": ("OWNER", "ADMIN", "MEMBER", "VIEWER", "NONE"),
    "MediaAssociationOrigin": ("UNKNOWN", "API", "OTEL"),
}
_GATE = "LANGFUSE_BACKGROUND_MIGRATION_V4_ENABLE_HISTORIC_BACKFILL"
_DROP_GATE = "LANGFUSE_BACKGROUND_MIGRATION_V4_DROP_PID_TID_SORTING_TABLES"
BACKGROUND = {
    "20250102_backfill_billing_cycle_anchors": {},
    "20250711_1347_patch_llm_tool_schema_audit_logs": {},
    "20251216_1001_backfill_dataset_items_valid_to": {},
    "20260106_encrypt_blob_storage_secrets": {},
    "20260701_v4_step_1_create_root_spans_from_traces": {"envGate": _GATE},
    "20260701_v4_step_2_rewrite_observations_to_pid_tid_sorting": {"envGate": _GATE},
    "20260701_v4_step_3_backfill_events_full_from_observations": {"envGate": _GATE},
    "20260701_v4_step_4_backfill_events_full_from_dataset_run_items": {"envGate": _GATE},
    "20260701_v4_step_5_drop_pid_tid_sorting_tables": {"envGate": _DROP_GATE},
}


class PrismaError(Exception):
    """`Error: Pxxxx ...` as Prisma prints it."""


def tables() -> dict[str, dict[str, Any]]:
    text = resources.files("standin").joinpath("data/postgres.json").read_text("utf-8")
    loaded: dict[str, dict[str, Any]] = json.loads(text)
    return loaded


def names() -> list[str]:
    """434 migration names in order; only the last is the application's own."""
    return [f"2023{n:04d}000000_stand_in_{n:04d}" for n in range(1, COUNT)] + [LAST]


def column(name: str, kind: str) -> str:
    """The recorded type; enum values were not recorded, so enums without known values are text domains."""
    if name in ("role", "org_role", "project_role"):
        kind = kind.replace("USER-DEFINED", '"Role"')
    found = re.search(r"USER-DEFINED.*::\"(\w+)\"$", kind)
    kind = kind.replace("USER-DEFINED", f'"{found.group(1)}"' if found else "text")
    array = re.search(r"::(\w+)\[\]\]?$", kind)
    kind = re.sub(r"^ARRAY(?=$| )", f"{array.group(1) if array else 'text'}[]", kind)
    return f'"{name}" {kind}'


def enum_types() -> list[str]:
    text = json.dumps(tables())
    found = set(re.findall(r'USER-DEFINED[^"]*\\"(\w+)\\""', text)) | {"Role"}
    made = []
    for name in sorted(found):
        if name in _ENUMS:
            values = ", ".join(f"'{v}'" for v in _ENUMS[name])
            made.append(f'CREATE TYPE "{name}" AS ENUM ({values})')
        else:
            made.append(f'CREATE DOMAIN "{name}" AS text')
    return made


def create(name: str, shape: Mapping[str, Any]) -> list[str]:
    """The table and its unique indexes (some are partial)."""
    columns = [column(c, k) for c, k in shape["columns"].items()]
    first, *others = shape["unique"]
    made = [f'CREATE TABLE IF NOT EXISTS "{name}" ({", ".join([*columns, f"PRIMARY KEY {first}"])})']
    for number, keys in enumerate(others, 1):
        made.append(f'CREATE UNIQUE INDEX IF NOT EXISTS "{name}_{number}_key" ON "{name}" {keys}')
    return made


def _execute(connection: psycopg.Connection[Any], query: str, values: tuple[object, ...] | None = None) -> None:
    connection.execute(query.encode(), values)


def _connect(url: str) -> psycopg.Connection[Any]:
    try:
        info = conninfo(url)
    except ValueError as exc:
        raise PrismaError(f"P1012: error: Error validating datasource `db`: {exc}") from None
    host, database, user = f"{info['host']}:{info['port']}", info["dbname"], info.get("user", "")
    try:
        return psycopg.connect(**info)  # type: ignore[arg-type]
    except psycopg.OperationalError as exc:
        text = str(exc)
    if "password authentication failed" in text or "no password supplied" in text:
        raise PrismaError(
            f"P1000: Authentication failed against database server, "
            f"the provided database credentials for `{user}` are not valid."
        )
    if f'database "{database}" does not exist' in text:
        return _create_database(info, database)
    if "role" in text and "does not exist" in text:
        raise PrismaError(f"P1010: User `{user}` was denied access on the database `{database}`")
    raise PrismaError(f"P1001: Can't reach database server at `{host}`")


def _create_database(info: dict[str, str], database: str) -> psycopg.Connection[Any]:
    try:
        with psycopg.connect(**{**info, "dbname": "postgres"}, autocommit=True) as admin:  # type: ignore[arg-type]
            _execute(admin, f'CREATE DATABASE "{database}"')
        return psycopg.connect(**info)  # type: ignore[arg-type]
    except psycopg.Error:
        raise PrismaError(f"P1003: Database `{database}` does not exist on the database server.") from None


def migrate(url: str) -> int:
    """The number of applied migrations; 0 when there was nothing to do."""
    with _connect(url) as connection:
        _execute(connection, "SELECT pg_advisory_lock(72707369)")
        row = connection.execute("SELECT to_regclass('_prisma_migrations')").fetchone()
        if row is None or row[0] is None:
            found = connection.execute(
                "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()"
            ).fetchone()
            if found and found[0]:
                raise PrismaError(
                    "P3005\n\nThe database schema is not empty. "
                    "Read more about how to baseline an existing "
                    "production database: https://pris.ly/d/migrate-baseline"
                )
            _build(connection)
            return COUNT
        failed = connection.execute(
            "SELECT migration_name, started_at FROM _prisma_migrations "
            "WHERE finished_at IS NULL AND rolled_back_at IS NULL"
        ).fetchone()
        if failed:
            raise PrismaError(
                "P3009\n\nmigrate found failed migrations in the target database, new migrations will not be applied. "
                "Read more about how to resolve migration issues in a production database: https://pris.ly/d/migrate-resolve\n"
                f"The `{failed[0]}` migration started at {failed[1]} failed"
            )
        done = {r[0] for r in connection.execute("SELECT migration_name FROM _prisma_migrations").fetchall()}
        if LAST in done:
            return 0
        _build(connection)
        return COUNT - len(done)


def _build(connection: psycopg.Connection[Any]) -> None:
    fresh = connection.execute("SELECT to_regtype('\"ApiKeyScope\"')").fetchone()
    for statement in enum_types() if fresh and fresh[0] is None else []:
        _execute(connection, statement)
    for name, shape in tables().items():
        for statement in create(name, shape):
            _execute(connection, statement)
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO _prisma_migrations "
            "(id, checksum, finished_at, migration_name, started_at, applied_steps_count) "
            "VALUES (%s, %s, now(), %s, now(), 1) ON CONFLICT DO NOTHING",
            [(str(uuid.uuid5(uuid.NAMESPACE_OID, n)), hashlib.sha256(n.encode()).hexdigest(), n) for n in names()],
        )
        cursor.executemany(
            "INSERT INTO background_migrations (id, name, script, args) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [(str(uuid.uuid4()), n, n.split("_", 1)[1], json.dumps(a)) for n, a in BACKGROUND.items()],
        )
        models.insert(cursor, models.older())


def main(values: Mapping[str, str]) -> int:
    url = values["DIRECT_URL"]
    plain("Prisma schema loaded from packages/shared/prisma/schema.prisma")
    try:
        applied = migrate(url)
    except PrismaError as exc:
        plain(f"\nError: {exc}", err=True)
        return 1
    except psycopg.Error as exc:
        plain(f"\nError: {exc}", err=True)
        return 1
    plain(f"\n{COUNT} migrations found in prisma/migrations\n")
    plain("All migrations have been successfully applied." if applied else "No pending migrations to apply.")
    return 0
