"""The worker's parts and their order."""

import asyncio
import datetime as dt
import time
from typing import Any

import psycopg
from aiohttp import web

from ..core.bull import CLOUD_ONLY, QUEUES, Job, Queue
from ..core.clickhouse import ClickHouse
from ..core.crons import CRONS, Cron
from ..core.environment import Env
from ..core.log import log
from ..core.postgres import Postgres
from ..core.redis import Redis, address, checks_version
from ..core.resp import RedisDown, RedisError
from ..core.s3 import S3, Store
from ..core.services import bind_host, outgoing
from ..core.text import now_ms
from ..migrations import models
from .http import Face, consumption, propagation
from .jobs import Jobs
from .loop import Activity, Consumer, Handler
from .writer import Writer

# Consumers of the application that are registered but have nothing to do in the contract.
_REGISTERED_WORKERS = 32


class Worker:
    def __init__(self, env: Env) -> None:
        self.env = env
        self.session = outgoing(env)
        self.prefix = env.text("REDIS_KEY_PREFIX") or ""
        self.where = address(env)
        self.redis = Redis(self.where, "worker", check_eviction=checks_version(env))
        self.cache = Redis(self.where, "worker-cache")
        self.postgres = Postgres(env.need("DATABASE_URL"))
        self.clickhouse = ClickHouse(env, self.session)
        self.writer = Writer(self.clickhouse, env)
        self.s3 = S3(Store.of(env, "EVENT_UPLOAD"), self.session)
        self.jobs = Jobs(env, self.s3, self.postgres, self.clickhouse, self.cache, self.writer)
        self.activity = Activity()
        self.consumers: list[Consumer] = []
        self.face = Face(self.healthy, self.event_propagation, self.queue_consumption)
        self._runner: web.ServerRunner | None = None
        self._registering: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._listen()
        self.redis.start()
        self.cache.start()
        self.writer.start()
        await self.seed()
        if not self.redis.configured:
            for name in QUEUES:
                log.error(f"Failed to initialize redis connection for {name}")
            return
        for name, (handler, concurrency, limiter) in self._handlers().items():
            blocking = Redis(self.where, f"{name}-blocking", check_eviction=checks_version(self.env))
            blocking.start()
            consumer = Consumer(self.queue(name), blocking, handler, self.activity, concurrency, limiter)
            consumer.start()
            self.consumers.append(consumer)
        self._registering = asyncio.create_task(self._register())

    async def _listen(self) -> None:
        self._runner = web.ServerRunner(web.Server(self.face.handle), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        port = int(self.env.number("PORT"))
        host = bind_host(self.env)
        await web.TCPSite(self._runner, host, port).start()
        log.info(f"Listening: http://{host}:{port}")

    def queue(self, name: str) -> Queue:
        return Queue(self.redis, self.env.text("REDIS_KEY_PREFIX"), name)

    def _enabled(self, name: str) -> bool:
        return self.env.text(f"QUEUE_CONSUMER_{name}_QUEUE_IS_ENABLED") != "false"

    def _handlers(self) -> dict[str, tuple[Handler, int, int]]:
        otel = int(self.env.number("LANGFUSE_OTEL_INGESTION_QUEUE_PROCESSING_CONCURRENCY"))
        scores = int(float(self.env.text("LANGFUSE_INGESTION_QUEUE_PROCESSING_CONCURRENCY") or 20))
        wanted: dict[str, tuple[str, Handler, int, int]] = {
            "otel-ingestion-queue": ("OTEL_INGESTION", self.jobs.otel, otel, 0),
            "secondary-otel-ingestion-queue": ("OTEL_INGESTION_SECONDARY", self.jobs.otel, otel, 0),
            "ingestion-queue": ("INGESTION", self.jobs.ingestion, scores, 0),
            "secondary-ingestion-queue": ("INGESTION_SECONDARY", self.jobs.ingestion, scores, 0),
            "trace-delete": ("TRACE_DELETE", self.jobs.delete_traces, 1, 120_000),
            "score-delete": ("SCORE_DELETE", self.jobs.delete_score, 1, 0),
        }
        for cron in CRONS:
            if cron.consumed:
                wanted[cron.queue] = (cron.switch, self._cron(cron), 1, 0)
        return {n: (h, c, m) for n, (s, h, c, m) in wanted.items() if self._enabled(s)}

    def _cron(self, cron: Cron) -> Handler:
        async def run(job: Job) -> None:
            if cron.queue == "event-propagation-queue":
                key = f"{self.prefix}langfuse:event-propagation:last-run-started-at"
                await self.cache.now("SET", key, now_ms())
            if job.id.startswith("repeat:"):
                await self.queue(cron.queue).schedule(cron.job, cron.next_ms(dt.datetime.now(dt.UTC)), cron.pattern)

        return run

    async def _register(self) -> None:
        """Once: meta of every queue and the schedules. Nothing writes them again in this process."""
        while True:
            try:
                for name in QUEUES:
                    if name not in CLOUD_ONLY:
                        await self.queue(name).register()
                for cron in CRONS:
                    await self.queue(cron.queue).schedule(cron.job, cron.next_ms(dt.datetime.now(dt.UTC)), cron.pattern)
                return
            except RedisError as exc:
                log.error(f"Failed to register queues: {exc}")
                return
            except RedisDown:
                await asyncio.sleep(1)

    async def seed(self) -> None:
        """One attempt per process: default models, then the background migrations."""
        started = time.monotonic()
        try:
            await self._models()
        except (psycopg.Error, OSError) as exc:
            took = int((time.monotonic() - started) * 1000)
            log.error(f"Error upserting default model prices after {took}ms", error=str(exc))
        try:
            await self.postgres.rows(
                "UPDATE background_migrations SET finished_at = now(), worker_id = NULL, locked_at = NULL "
                "WHERE finished_at IS NULL AND failed_at IS NULL "
                "AND (args->>'envGate' IS NULL OR args->>'envGate' = ANY(%s))",
                (self._open_gates(),),
            )
        except (psycopg.Error, OSError) as exc:
            log.error("Error running background migrations", error=str(exc))

    def _open_gates(self) -> list[str]:
        names = (
            "LANGFUSE_BACKGROUND_MIGRATION_V4_ENABLE_HISTORIC_BACKFILL",
            "LANGFUSE_BACKGROUND_MIGRATION_V4_DROP_PID_TID_SORTING_TABLES",
        )
        return [n for n in names if self.env.flag(n)]

    async def _models(self) -> None:
        for query, values in zip(models.STATEMENTS, models.rows(models.seeded()), strict=True):
            await self.postgres.many(query, values)
        log.info("Finished upserting default model prices")

    async def healthy(self) -> bool:
        try:
            async with asyncio.timeout(8):
                await self.postgres.rows("SELECT 1")
            await self.redis.now("PING", timeout=2)
        except (psycopg.Error, OSError, TimeoutError, RedisDown, RedisError):
            return False
        return True

    async def event_propagation(self) -> dict[str, Any]:
        last: int | None = None
        try:
            found = await self.cache.now("GET", f"{self.prefix}langfuse:event-propagation:last-run-started-at")
            last = int(found) if found else None
        except (RedisDown, RedisError) as exc:
            log.warn(f"Failed to read event propagation heartbeat: {exc}")
        return propagation(last, self.env.number("LANGFUSE_EVENT_PROPAGATION_STUCK_THRESHOLD_MINUTES"))

    async def queue_consumption(self) -> dict[str, Any]:
        threshold = self.env.number("LANGFUSE_QUEUE_CONSUMPTION_STUCK_THRESHOLD_MINUTES")
        return consumption(_REGISTERED_WORKERS, self.activity.since, self.activity.last, threshold)

    async def stop(self) -> None:
        """HTTP first, then the queues (waiting for active jobs), then the buffered rows."""
        self.face.stopping = True
        if self._runner:
            await self._runner.cleanup()
            log.info("Http server has been closed.")
        if self._registering:
            self._registering.cancel()
        await asyncio.gather(*(c.stop() for c in self.consumers))
        log.info("All workers have been closed.")
        await self.writer.stop()
        log.info("Clickhouse writer has been flushed and stopped.")
        await self.redis.stop()
        await self.cache.stop()
        await self.postgres.close()
        await self.session.close()
