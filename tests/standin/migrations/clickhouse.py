"""ClickHouse migrations: up.sh's checks, the native Hello, then the tables of 4.16.0 over HTTP (facts 1.7)."""

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from importlib import resources
from typing import Any

from ..core.log import plain
from .native import NativeError, hello

LATEST = 46
_DROPPED = ("event_log", "project_environments", "dataset_run_items")
_SUM = "arraySum(mapValues(mapFilter((k, v) -> positionCaseInsensitive(k"
_MATERIALIZED = {
    "calculated_input_cost": f"{_SUM}, 'input') > 0, cost_details)))",
    "calculated_output_cost": f"{_SUM}, 'output') > 0, cost_details)))",
    "calculated_total_cost": "cost_details['total']",
    "total_cost": "cost_details['total']",
    "input_length": "lengthUTF8(input)",
    "output_length": "lengthUTF8(output)",
}
_REQUIRED = {
    "CLICKHOUSE_URL": "is not configured",
    "CLICKHOUSE_MIGRATION_URL": "is not configured",
    "CLICKHOUSE_USER": "is not set",
    "CLICKHOUSE_PASSWORD": "is not set",
}


class MigrationError(Exception):
    """The text printed after `error: `."""


def tables() -> dict[str, dict[str, Any]]:
    text = resources.files("standin").joinpath("data/clickhouse.json").read_text("utf-8")
    loaded: dict[str, dict[str, Any]] = json.loads(text)
    return loaded


def _column(table: str, name: str, kind: str) -> str:
    if table in ("events_full", "events_core") and name in _MATERIALIZED:
        return f"`{name}` {kind} MATERIALIZED {_MATERIALIZED[name]}"
    if kind == "DateTime64(3)" and name in ("created_at", "updated_at"):
        return f"`{name}` {kind} DEFAULT now()"
    if name == "environment":
        return f"`{name}` {kind} DEFAULT 'default'"
    return f"`{name}` {kind}"


def _engine(table: str, kind: str, columns: Mapping[str, str], clustered: bool) -> str:
    if kind == "MergeTree":
        return "ReplicatedMergeTree" if clustered else "MergeTree"
    versions = "event_ts, is_deleted" if "is_deleted" in columns else "event_ts"
    if clustered:
        return f"ReplicatedReplacingMergeTree('/clickhouse/tables/{{shard}}/{table}', '{{replica}}', {versions})"
    return f"ReplacingMergeTree({versions})"


def create(name: str, shape: Mapping[str, Any], clustered: bool) -> str:
    """One CREATE statement of a table, a view or the materialized view that fills events_core."""
    columns: dict[str, str] = shape["columns"]
    where = " ON CLUSTER default" if clustered else ""
    if shape["engine"] == "View":
        fields = ", ".join(f"defaultValueOfTypeName('{k}') AS `{c}`" for c, k in columns.items())
        return f"CREATE VIEW IF NOT EXISTS {name}{where} AS SELECT {fields} WHERE 0"
    if shape["engine"] == "MaterializedView":
        cut = {"input": "leftUTF8(input, 200) AS input", "output": "leftUTF8(output, 200) AS output"}
        fields = ", ".join(cut.get(c, c) for c in columns)
        return (
            f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name}{where} TO events_core AS SELECT {fields} FROM events_full"
        )
    body = ", ".join(_column(name, c, k) for c, k in columns.items())
    parts = [f"CREATE TABLE IF NOT EXISTS {name}{where} ({body})"]
    parts.append(f"ENGINE = {_engine(name, shape['engine'], columns, clustered)}")
    if shape.get("partition_key"):
        parts.append(f"PARTITION BY {shape['partition_key']}")
    if shape.get("primary_key"):
        parts.append(f"PRIMARY KEY ({shape['primary_key']})")
    parts.append(f"ORDER BY ({shape['sorting_key']})")
    return " ".join(parts)


def statements(clustered: bool) -> list[str]:
    shapes = tables()
    order = sorted(shapes, key=lambda n: (shapes[n]["engine"] in ("View", "MaterializedView"), n))
    found = [create(n, shapes[n], clustered) for n in order if n != "schema_migrations"]
    where = " ON CLUSTER default" if clustered else ""
    return found + [f"DROP TABLE IF EXISTS {name}{where}" for name in _DROPPED]


class _Http:
    def __init__(self, values: Mapping[str, str]) -> None:
        database = urllib.parse.quote(values.get("CLICKHOUSE_DB") or "default")
        self._url = f"{values['CLICKHOUSE_URL'].rstrip('/')}/?database={database}"
        pair = f"{values['CLICKHOUSE_USER']}:{values['CLICKHOUSE_PASSWORD']}"
        self._auth = "Basic " + base64.b64encode(pair.encode()).decode()

    def run(self, query: str) -> str:
        request = urllib.request.Request(self._url, data=query.encode(), headers={"Authorization": self._auth})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as exc:
            raise MigrationError(exc.read().decode("utf-8", "replace").strip()) from None
        except OSError as exc:
            raise MigrationError(f"failed to open database: {exc}") from None


def _version(http: _Http, clustered: bool) -> tuple[int, int]:
    where, engine = (" ON CLUSTER default", "ReplicatedMergeTree") if clustered else ("", "MergeTree")
    http.run(
        f"CREATE TABLE IF NOT EXISTS schema_migrations{where} (version Int64, dirty UInt8, sequence UInt64) "
        f"ENGINE = {engine} ORDER BY sequence"
    )
    row = http.run("SELECT version, dirty FROM schema_migrations ORDER BY sequence DESC LIMIT 1 FORMAT TSV").split()
    return (int(row[0]), int(row[1])) if row else (-1, 0)


def _set_version(http: _Http, version: int, dirty: int) -> None:
    http.run(f"INSERT INTO schema_migrations (version, dirty, sequence) VALUES ({version}, {dirty}, {time.time_ns()})")


def migrate(values: Mapping[str, str]) -> None:
    """Raises MigrationError or NativeError; a version that failed stays dirty, and no later start passes it."""
    for name, wrong in _REQUIRED.items():
        if not values.get(name):
            plain(f"Error: {name} {wrong}.")
            raise SystemExit(1)
    url = (
        f"{values['CLICKHOUSE_MIGRATION_URL']}?username={values['CLICKHOUSE_USER']}"
        f"&password={values['CLICKHOUSE_PASSWORD']}&database={values.get('CLICKHOUSE_DB') or 'default'}"
        "&x-multi-statement=true"
    )
    if values.get("CLICKHOUSE_MIGRATION_SSL") == "true":
        url += "&secure=true&skip_verify=true"
    hello(url)
    clustered = values.get("CLICKHOUSE_CLUSTER_ENABLED") != "false"
    http = _Http(values)
    version, dirty = _version(http, clustered)
    if dirty:
        raise MigrationError(f"Dirty database version {version}. Fix and force version.")
    if version > LATEST:
        raise MigrationError(
            f"no migration found for version {version}: read down for version {version}: file does not exist"
        )
    if version == LATEST:
        plain("no change")
        return
    started = max(version + 1, 1)
    _set_version(http, started, 1)
    for statement in statements(clustered):
        http.run(statement)
    _set_version(http, LATEST, 0)
    plain(f"{LATEST}/u stand_in_schema_of_{LATEST}")


def main(values: Mapping[str, str]) -> int:
    try:
        migrate(values)
    except (MigrationError, NativeError) as exc:
        plain(f"error: {exc}", err=True)
        return 1
    return 0
