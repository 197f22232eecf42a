"""Consuming queues as BullMQ workers do: block on the marker, move to active, lock, finish or fail."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

from ..core.bull import Job, Queue
from ..core.log import log
from ..core.redis import Redis
from ..core.resp import RedisDown, RedisError
from ..core.text import now_ms

Handler = Callable[[Job], Awaitable[None]]
_DRAIN_DELAY = 5.0


class Activity:
    """Facts for `failIfQueueConsumptionStuck`."""

    def __init__(self) -> None:
        self.since = now_ms()
        self.last = now_ms()


class Consumer:
    """One queue with its own blocking connection and up to `concurrency` jobs at a time."""

    def __init__(
        self,
        queue: Queue,
        blocking: Redis,
        handler: Handler,
        activity: Activity,
        concurrency: int = 1,
        limiter_ms: int = 0,
    ) -> None:
        self.queue = queue
        self._blocking = blocking
        self._handler = handler
        self._activity = activity
        self._slots = asyncio.Semaphore(concurrency)
        self._limiter_ms = limiter_ms
        self._jobs: set[asyncio.Task[None]] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._token = uuid.uuid4().hex

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._stalled())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        await self._blocking.stop()

    async def _run(self) -> None:
        while True:
            try:
                await self._slots.acquire()
                found = await self.queue.take(self._token, self._limiter_ms)
            except (RedisDown, RedisError) as exc:
                self._slots.release()
                if isinstance(exc, RedisError):
                    log.error(f"Queue {self.queue.name} errored: {exc}")
                await asyncio.sleep(1)
                continue
            if isinstance(found, Job):
                task = asyncio.create_task(self._work(found))
                self._jobs.add(task)
                task.add_done_callback(self._jobs.discard)
                continue
            self._slots.release()
            await self._sleep_until(found)

    async def _sleep_until(self, at: int) -> None:
        """Blocks on the marker until a job comes, at most until the next delayed one."""
        wait = min(_DRAIN_DELAY, (at - now_ms()) / 1000) if at else _DRAIN_DELAY
        wait = max(wait, 0.01)
        if wait < 0.2 or self._limiter_ms:
            await asyncio.sleep(wait)
            return
        try:
            await self._blocking.now("BZPOPMIN", self.queue.base + "marker", round(wait, 3), timeout=wait + 10)
        except (RedisDown, RedisError) as exc:
            if isinstance(exc, RedisError):
                log.error(f"Queue {self.queue.name} errored: {exc}")
            await asyncio.sleep(1)

    async def _work(self, job: Job) -> None:
        self._activity.last = now_ms()
        keeper = asyncio.create_task(self._keep_lock(job.id))
        try:
            await self._handler(job)
        except Exception as exc:
            log.error(f"Queue job {job.name} with id {job.id} in {self.queue.name} failed: {exc}")
            await self._settle(self.queue.fail(job, str(exc)))
        else:
            await self._settle(self.queue.done(job.id))
        finally:
            keeper.cancel()
            self._slots.release()

    async def _settle(self, change: Awaitable[object]) -> None:
        try:
            await change
        except (RedisDown, RedisError) as exc:
            log.error(f"Queue {self.queue.name} errored: {exc}")

    async def _keep_lock(self, job_id: str) -> None:
        while True:
            await asyncio.sleep(15)
            await self._settle(self.queue.extend(job_id, self._token))

    async def _stalled(self) -> None:
        while True:
            try:
                moved = await self.queue.rescue_stalled()
                if moved:
                    log.info(f"{moved} stalled job(s) of {self.queue.name} moved back to wait")
            except (RedisDown, RedisError):
                pass
            await asyncio.sleep(30)
