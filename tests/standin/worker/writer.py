"""Buffers rows in memory and inserts them every second or thousand (facts 4.3).

The jobs are complete long before; a row is dropped when its attempts are used up. Connection errors are retried
100 ms later, and every row that arrives meanwhile costs an attempt once a whole batch is waiting.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from ..core.clickhouse import ClickHouse, ClickHouseError
from ..core.environment import Env
from ..core.log import log

TABLES = ("events_full", "scores", "blob_storage_file_log", "traces", "observations")


@dataclass
class _Item:
    row: dict[str, Any]
    attempts: int = 1


class Writer:
    def __init__(self, clickhouse: ClickHouse, env: Env) -> None:
        self._clickhouse = clickhouse
        self._interval = env.number("LANGFUSE_INGESTION_CLICKHOUSE_WRITE_INTERVAL_MS") / 1000
        self._batch = int(env.number("LANGFUSE_INGESTION_CLICKHOUSE_WRITE_BATCH_SIZE"))
        self._attempts = int(env.number("LANGFUSE_INGESTION_CLICKHOUSE_MAX_ATTEMPTS"))
        self._queues: dict[str, deque[_Item]] = {t: deque() for t in TABLES}
        self._busy = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._flushing: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def add(self, table: str, row: dict[str, Any]) -> None:
        queue = self._queues[table]
        queue.append(_Item(row))
        if len(queue) >= self._batch:
            task = asyncio.create_task(self.flush(table))
            self._flushing.add(task)
            task.add_done_callback(self._flushing.discard)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self.flush_all()

    async def flush_all(self, *, drain: bool = False) -> None:
        async with self._busy:
            for table in TABLES:
                await self.flush(table, drain=drain)

    async def flush(self, table: str, *, drain: bool = False) -> None:
        queue = self._queues[table]
        while queue:
            batch = [queue.popleft() for _ in range(min(self._batch, len(queue)))]
            try:
                await self._clickhouse.insert(table, [i.row for i in batch])
            except ClickHouseError as exc:
                self._failed(table, batch, exc)
                if not drain:
                    return
                await asyncio.sleep(0.1)
                continue
            if not drain:
                return

    def _failed(self, table: str, batch: list[_Item], exc: ClickHouseError) -> None:
        log.error(f"ClickhouseWriter.flush {table}: {exc.text.splitlines()[0] if exc.text else ''}")
        dropped = [i for i in batch if i.attempts >= self._attempts]
        kept = [i for i in batch if i.attempts < self._attempts]
        for item in kept:
            item.attempts += 1
        self._queues[table].extendleft(reversed(kept))
        if dropped:
            ids = [i.row.get("trace_id") or i.row.get("id") for i in dropped]
            log.error(
                f"Max attempts reached, dropped {len(dropped)} {table} record(s)",
                error=exc.text,
                droppedIds=ids,
            )

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
        await asyncio.gather(*self._flushing, return_exceptions=True)
        await self.flush_all(drain=True)
