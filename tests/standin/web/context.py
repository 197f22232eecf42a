"""What every handler of web can reach."""

from dataclasses import dataclass

import aiohttp

from ..core.bull import Queue
from ..core.clickhouse import ClickHouse
from ..core.environment import Env
from ..core.postgres import Postgres
from ..core.redis import Redis, address, checks_version
from ..core.s3 import S3, Store


@dataclass
class Context:
    env: Env
    session: aiohttp.ClientSession
    postgres: Postgres
    clickhouse: ClickHouse
    cache: Redis
    queues: Redis
    events: S3
    media: Store
    stopping: bool = False
    registered: bool = False

    @staticmethod
    def of(env: Env, session: aiohttp.ClientSession) -> "Context":
        where = address(env)
        reads = env.text("CLICKHOUSE_EVENTS_READ_ONLY_URL") or env.text("CLICKHOUSE_READ_ONLY_URL")
        return Context(
            env=env,
            session=session,
            postgres=Postgres(env.need("DATABASE_URL")),
            clickhouse=ClickHouse(env, session, reads),
            cache=Redis(where, "web-cache"),
            queues=Redis(where, "web-queues", check_eviction=checks_version(env)),
            events=S3(Store.of(env, "EVENT_UPLOAD"), session),
            media=Store.of(env, "MEDIA_UPLOAD"),
        )

    @property
    def prefix(self) -> str:
        return self.env.text("REDIS_KEY_PREFIX") or ""

    def queue(self, name: str) -> Queue:
        return Queue(self.queues, self.env.text("REDIS_KEY_PREFIX"), name)

    @property
    def events_only(self) -> bool:
        return self.env.text("LANGFUSE_MIGRATION_V4_WRITE_MODE") == "events_only"

    @property
    def v4_reads(self) -> bool:
        return self.env.flag("LANGFUSE_MIGRATION_V4_ALLOW_PREVIEW_OPT_IN")
