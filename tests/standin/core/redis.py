"""Which Redis, and how it is waited for (facts 8).

The cache waits for its connection without end (ioredis' offline queue), so authenticated requests hang while Redis is
down; queue producers fail fast. Cache keys are prefix + key without separator.
"""

import asyncio
import ssl
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .environment import Env
from .log import log
from .resp import Address, Connection, RedisDown, RedisError, Reply


def tls_context(env: Env) -> ssl.SSLContext | None:
    if not env.flag("REDIS_TLS_ENABLED"):
        return None
    ca = env.text("REDIS_TLS_CA_PATH")
    context = ssl.create_default_context(cadata=Path(ca).read_text("utf-8") if ca else None)
    extra = env.raw("NODE_EXTRA_CA_CERTS")
    if extra and not ca:
        context.load_verify_locations(extra)
    cert, key = env.text("REDIS_TLS_CERT_PATH"), env.text("REDIS_TLS_KEY_PATH")
    if cert and key:
        context.load_cert_chain(cert, key, env.text("REDIS_TLS_KEY_PASSPHRASE"))
    if env.text("REDIS_TLS_CHECK_SERVER_IDENTITY") == "false":
        context.check_hostname = False
    if env.text("REDIS_TLS_REJECT_UNAUTHORIZED") == "false":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def address(env: Env) -> Address | None:
    """None: no client, as when nothing is configured or both cluster and sentinel are asked for."""
    if env.flag("REDIS_CLUSTER_ENABLED") or env.flag("REDIS_SENTINEL_ENABLED"):
        log.error("Redis cluster and sentinel are outside the stand-in's contract: no Redis client")
        return None
    try:
        tls = tls_context(env)
    except (OSError, ssl.SSLError) as exc:
        log.error(f"Failed to read Redis TLS files: {exc}")
        return None
    name = env.text("REDIS_TLS_SERVERNAME")
    url = env.text("REDIS_CONNECTION_STRING")
    if url:
        parts = urlsplit(url)
        if parts.scheme == "rediss" and tls is None:
            tls = ssl.create_default_context()
        db = parts.path.lstrip("/")
        return Address(
            parts.hostname or "localhost",
            parts.port or 6379,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
            int(db) if db.isdigit() else 0,
            tls,
            name,
        )
    host = env.text("REDIS_HOST")
    if not host:
        return None
    password = env.text("REDIS_AUTH") or "undefined"
    return Address(host, int(env.number("REDIS_PORT")), env.text("REDIS_USERNAME"), password, 0, tls, name)


def checks_version(env: Env) -> bool:
    """BullMQ asks INFO per connection and names a wrong eviction policy, unless told not to."""
    return not env.flag("LANGFUSE_BULLMQ_SKIP_REDIS_VERSION_CHECK")


class Redis:
    """One connection, reconnecting for ever (1 to 20 s)."""

    def __init__(self, where: Address | None, name: str, *, check_eviction: bool = False) -> None:
        self._where = where
        self._name = name
        self._check = check_eviction
        self._connection: Connection | None = None
        self._up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()

    @property
    def configured(self) -> bool:
        return self._where is not None

    def start(self) -> None:
        if self._where is not None:
            self._keeper = asyncio.create_task(self._keep(self._where))

    async def stop(self) -> None:
        if self._keeper:
            self._keeper.cancel()
        if self._connection:
            self._connection.close()

    async def ready(self, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    async def _keep(self, where: Address) -> None:
        delay = 1.0
        while True:
            self._lost.clear()
            connection = Connection(self._lost.set)
            try:
                await connection.connect(where, self._name)
                if self._check:
                    await self._warn_eviction(connection)
            except (RedisDown, RedisError, OSError) as exc:
                log.error(f"Redis error {exc}")
                connection.close()
                await asyncio.sleep(delay)
                delay = min(delay * 2, 20.0)
                continue
            delay = 1.0
            self._connection = connection
            self._up.set()
            await self._lost.wait()
            self._up.clear()
            self._connection = None

    async def _warn_eviction(self, connection: Connection) -> None:
        info = str(await connection.command("INFO"))
        for line in info.splitlines():
            key, _, value = line.partition(":")
            if key == "maxmemory_policy" and value.strip() != "noeviction":
                log.warn(f'IMPORTANT! Eviction policy is {value.strip()}. It should be "noeviction"')

    async def now(self, *args: str | int | float, timeout: float | None = 30) -> Reply:
        """Fails at once without a connection (`enableOfflineQueue: false`)."""
        if self._connection is None:
            raise RedisDown("Stream isn't writeable and enableOfflineQueue options is false")
        return await self._connection.command(*args, timeout=timeout)

    async def wait(self, *args: str | int | float) -> Reply:
        """Waits for the connection without end, and sends again when it broke."""
        while True:
            await self._up.wait()
            try:
                return await self.now(*args)
            except RedisDown:
                await asyncio.sleep(0.05)
