# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the migrations of Langfuse left in the bookkeeping tables of both databases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import clickhouse, http_client, postgresql
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


@dataclass(frozen=True)
class SchemaState:
    """postgres: number of finished migrations, or None without the table. clickhouse: version, or None.

    failed_migration: name of a migration of PostgreSQL that began and never finished.
    dirty_version: version at which ClickHouse was left half migrated.
    """

    postgres: int | None
    failed_migration: str | None
    clickhouse: int | None
    dirty_version: int | None

    @property
    def empty(self) -> bool:
        return not self.postgres or not self.clickhouse


def dirty(state: SchemaState) -> Failure | None:
    """The failure that a half-migrated schema is, or None. It is never retried blindly."""
    if state.failed_migration:
        return Failure(
            "dirty_schema_postgres",
            f"PostgreSQL was left half migrated: table _prisma_migrations, migration {state.failed_migration}, which began and did not finish.",
            "Restore the backup from before the upgrade; or, when its SQL is known to be undone or applied by hand, mark it with "
            f"`prisma migrate resolve --rolled-back {state.failed_migration}` (or --applied) in the web image, then run site again.",
        )
    if state.dirty_version is not None:
        version = state.dirty_version
        return Failure(
            "dirty_schema_clickhouse",
            f"ClickHouse was left half migrated: table schema_migrations, version {version}, dirty.",
            f"Undo by hand what migration {version} did so far, then set the last clean version with "
            f"`migrate ... force {version - 1}` in the web image, or restore the backup from before the upgrade; then run site again.",
        )
    return None


def read(relational: Mapping[str, Any], analytical: Mapping[str, Any]) -> SchemaState:
    """Read both. Each has host, address (where this host reaches it), port, user, password, database and ca_path.

    PostgreSQL has sslmode too, ClickHouse tls. Raises Failure.
    """
    finished, failed = _postgres(relational)
    version, dirty_version = _clickhouse(analytical)
    return SchemaState(finished, failed, version, dirty_version)


def _postgres(target: Mapping[str, Any]) -> tuple[int | None, str | None]:
    with postgresql.connect(
        target["address"],
        target["port"],
        target["user"],
        target["password"],
        target["database"],
        target["sslmode"],
        target["ca_path"],
        target["host"],
    ) as connection:
        found = connection.execute("SELECT to_regclass('public._prisma_migrations') IS NOT NULL").fetchone()
        if not found or not found[0]:
            return None, None
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE finished_at IS NOT NULL), "
            "min(migration_name) FILTER (WHERE finished_at IS NULL AND rolled_back_at IS NULL) FROM _prisma_migrations"
        ).fetchone()
        return (row[0], row[1]) if row else (None, None)


def _clickhouse(target: Mapping[str, Any]) -> tuple[int | None, int | None]:
    where = f"{target['host']}:{target['port']}"
    url = f"{'https' if target['tls'] else 'http'}://{http_client.netloc(target['address'], target['port'])}"
    keys = {"X-ClickHouse-User": target["user"], "X-ClickHouse-Key": target["password"]}
    client = http_client.Client(url, timeout=15, ca_path=target["ca_path"], headers=keys)
    try:
        if not int(clickhouse.query(client, "EXISTS TABLE schema_migrations", target["database"], 15)[0][0]):
            return None, None
        state = "SELECT version, dirty FROM schema_migrations ORDER BY sequence DESC LIMIT 1"
        rows = clickhouse.query(client, state, target["database"], 15)
    except clickhouse.QueryError as error:
        raise Failure(
            "clickhouse_refuses",
            f"ClickHouse refuses {target['user']}: {error.text.split(' (version')[0].strip()}",
            "Check langfuse_clickhouse_password and the log of ClickHouse.",
        ) from None
    except http_client.Unreachable as error:
        raise Failure(
            "clickhouse_down",
            f"ClickHouse on {where} does not answer: {error.detail}",
            "Run diagnose, which says why; site starts a bundled ClickHouse.",
        ) from None
    finally:
        client.close()
    if not rows:
        return None, None
    version, is_dirty = int(rows[0][0]), str(rows[0][1]) not in ("0", "false", "False")
    return version, version if is_dirty else None
