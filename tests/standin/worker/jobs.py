"""What the worker does with each kind of job (facts 4.3, 4.6)."""

import json
import time
from typing import Any

import psycopg

from ..core.bull import Job
from ..core.clickhouse import ClickHouse
from ..core.environment import Env
from ..core.log import log
from ..core.postgres import Postgres
from ..core.redis import Redis
from ..core.resp import RedisDown, RedisError
from ..core.s3 import S3, StorageError
from ..core.text import now_ms, parse_iso
from ..otel import legacy
from ..otel.mapping import Context, rows
from .writer import Writer

_TIERS = (
    "SELECT m.id AS model_id, t.id AS tier_id, t.name AS tier_name, p.usage_type, p.price::text FROM ("
    " SELECT id FROM models WHERE (project_id = %(p)s OR project_id IS NULL) AND %(m)s ~ match_pattern"
    " ORDER BY project_id NULLS LAST, start_date DESC NULLS LAST LIMIT 1) m"
    " LEFT JOIN pricing_tiers t ON t.model_id = m.id AND t.is_default LEFT JOIN prices p ON p.pricing_tier_id = t.id"
)


class Jobs:
    def __init__(
        self, env: Env, s3: S3, postgres: Postgres, clickhouse: ClickHouse, cache: Redis, writer: Writer
    ) -> None:
        self._mode = env.text("LANGFUSE_MIGRATION_V4_WRITE_MODE")
        self._prefix = env.text("REDIS_KEY_PREFIX") or ""
        self._s3 = s3
        self._postgres = postgres
        self._clickhouse = clickhouse
        self._cache = cache
        self._writer = writer

    async def _download(self, key: str) -> Any:
        try:
            return json.loads(await self._s3.get(key))
        except StorageError as exc:
            log.error("S3 request failed; emitting diagnostics", code=exc.code, key=key)
            raise RuntimeError(f"Failed to download file from S3 {key} {exc.code}") from exc

    async def otel(self, job: Job) -> None:
        """Reads the export back, maps it and buffers the rows; the job completes before they are flushed."""
        payload = job.data["payload"]
        file_key, project_id = payload["data"]["fileKey"], payload["authCheck"]["scope"]["projectId"]
        found = await self._download(file_key)
        context = Context(
            project_id,
            payload["data"].get("publicKey") or "",
            file_key,
            payload.get("sdkName") or "unknown",
            payload.get("sdkVersion") or "unknown",
            time.time_ns() // 1000,
        )
        for row in rows(found, context):
            try:
                await self._price(row)
            except psycopg.Error as exc:
                log.error(f"Failed to create event record: {exc}")
                continue
            if self._mode != "legacy":
                self._writer.add("events_full", row)
            if self._mode != "events_only":
                self._writer.add("observations", legacy.observation(row))
                if row["is_app_root"]:
                    self._writer.add("traces", legacy.trace(row))
            await self._seen(project_id, row["trace_id"])

    async def _seen(self, project_id: str, trace_id: str) -> None:
        try:
            key = f"{self._prefix}langfuse:project:{project_id}:trace:{trace_id}:seen"
            await self._cache.now("SET", key, 1, "EX", 300)
        except (RedisDown, RedisError) as exc:
            log.warn(f"Failed to mark trace as seen: {exc}")

    async def _price(self, row: dict[str, Any]) -> None:
        row["cost_details"] = dict(row["provided_cost_details"])
        if not row["provided_model_name"]:
            return
        tiers = await self._tiers(row["project_id"], row["provided_model_name"])
        if not tiers:
            return
        row["model_id"] = tiers[0]["model_id"]
        row["usage_pricing_tier_id"] = tiers[0]["tier_id"]
        row["usage_pricing_tier_name"] = tiers[0]["tier_name"]
        if row["cost_details"]:
            return
        costs = {
            t["usage_type"]: row["usage_details"][t["usage_type"]] * float(t["price"])
            for t in tiers
            if t["usage_type"] in row["usage_details"]
        }
        if costs:
            row["cost_details"] = {k: round(v, 12) for k, v in {**costs, "total": sum(costs.values())}.items()}

    async def _tiers(self, project_id: str, model: str) -> list[dict[str, Any]]:
        key = f"{self._prefix}model-price-tiers:{project_id}:{model}"
        try:
            cached = await self._cache.now("GET", key)
            if cached:
                loaded: list[dict[str, Any]] = json.loads(cached)
                return loaded
        except (RedisDown, RedisError) as exc:
            log.warn(f"Error getting model match from Redis: {exc}")
        found = await self._postgres.rows(_TIERS, {"p": project_id, "m": model})
        try:
            if found:
                await self._cache.now("SET", key, json.dumps(found), "EX", 60)
        except (RedisDown, RedisError) as exc:
            log.warn(f"Error setting model match in Redis: {exc}")
        return found

    async def ingestion(self, job: Job) -> None:
        """Lists the entity's folder, merges its events and buffers the score."""
        data = job.data["payload"]["data"]
        project_id = job.data["payload"]["authCheck"]["scope"]["projectId"]
        folder = f"{self._s3.store.prefix}{project_id}/score/{data['eventBodyId']}/"
        try:
            keys = await self._s3.list(folder)
        except StorageError as exc:
            raise RuntimeError(f"Failed to list files from S3 {exc.code}") from exc
        events = [event for key in keys for event in await self._download(key)]
        events.sort(key=lambda e: str(e.get("timestamp")))
        if not events:
            log.warn(f"No events found for project {project_id} and event {data['eventBodyId']}")
            return
        now = now_ms()
        self._writer.add("scores", score_row(project_id, events, data, now))
        for key in keys:
            self._writer.add("blob_storage_file_log", self._file_log(project_id, data, key, now))

    def _file_log(self, project_id: str, data: dict[str, Any], key: str, now: int) -> dict[str, Any]:
        event_id = key.rsplit("/", 1)[-1].removesuffix(".json")
        return {
            "id": f"{project_id}-{event_id}",
            "project_id": project_id,
            "entity_type": "score",
            "entity_id": data["eventBodyId"],
            "event_id": event_id,
            "bucket_name": self._s3.store.bucket,
            "bucket_path": key,
            "created_at": now,
            "updated_at": now,
            "event_ts": now,
            "is_deleted": 0,
        }

    async def delete_traces(self, job: Job) -> None:
        """Everything pending of the project in one go; raw OTel objects stay in S3."""
        project_id = job.data["payload"]["projectId"]
        pending = await self._postgres.rows(
            "SELECT id, object_id FROM pending_deletions WHERE project_id = %s AND object = 'trace' AND NOT is_deleted",
            (project_id,),
        )
        ids = sorted({r["object_id"] for r in pending})
        if not ids:
            return
        for table in ("events_full", "events_core", "scores", "traces"):
            column = "id" if table == "traces" else "trace_id"
            await self._clickhouse.command(
                f"DELETE FROM {table} WHERE project_id = {{p:String}} AND {column} IN ({{ids:Array(String)}})",
                {"p": project_id, "ids": ids},
                timeout=300,
            )
        await self._postgres.rows(
            "UPDATE pending_deletions SET is_deleted = true, updated_at = now() WHERE id = ANY(%s)",
            ([r["id"] for r in pending],),
        )

    async def delete_score(self, job: Job) -> None:
        payload = job.data["payload"]
        await self._clickhouse.command(
            "DELETE FROM scores WHERE project_id = {p:String} AND id IN ({ids:Array(String)})",
            {"p": payload["projectId"], "ids": payload["scoreIds"]},
            timeout=300,
        )


def score_row(project_id: str, events: list[dict[str, Any]], data: dict[str, Any], now: int) -> dict[str, Any]:
    """Later events win field by field; instants are milliseconds, the raw value of DateTime64(3)."""
    body: dict[str, Any] = {}
    for event in events:
        body |= {k: v for k, v in event["body"].items() if v is not None}
    at = int(parse_iso(events[0]["timestamp"]).timestamp() * 1000)
    given = body.get("value")
    textual = isinstance(given, str)
    kind = body.get("dataType") or ("CATEGORICAL" if textual else "NUMERIC")
    return {
        "id": data["eventBodyId"],
        "timestamp": int(parse_iso(body["timestamp"]).timestamp() * 1000) if body.get("timestamp") else at,
        "project_id": project_id,
        "environment": body.get("environment") or "default",
        "trace_id": body.get("traceId"),
        "session_id": body.get("sessionId"),
        "dataset_run_id": body.get("datasetRunId"),
        "observation_id": body.get("observationId"),
        "name": body.get("name") or "",
        "value": 0 if textual or given is None else float(given),
        "source": "API",
        "comment": body.get("comment"),
        "metadata": {str(k): str(v) for k, v in (body.get("metadata") or {}).items()},
        "config_id": body.get("configId"),
        "data_type": kind,
        "string_value": given if textual else None,
        "created_at": at // 1000 * 1000,
        "updated_at": now,
        "event_ts": at,
        "is_deleted": 0,
        "ingestion_api_key": data.get("publicKey") or "",
        "long_string_value": "",
    }
