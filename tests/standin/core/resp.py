"""One Redis connection speaking RESP2, with ioredis' habits: a password the server does not want only warns."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .log import log

Reply = Any


class RedisError(Exception):
    """An error reply (`NOPERM ...`, `WRONGTYPE ...`)."""


class RedisDown(Exception):
    """No connection."""


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    username: str | None
    password: str | None
    db: int = 0
    tls: ssl.SSLContext | None = None
    server_name: str | None = None


async def _read(reader: asyncio.StreamReader) -> Reply:
    line = (await reader.readuntil(b"\r\n"))[:-2]
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        return RedisError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        size = int(rest)
        return None if size < 0 else (await reader.readexactly(size + 2))[:-2].decode("utf-8", "replace")
    if kind == b"*":
        size = int(rest)
        return None if size < 0 else [await _read(reader) for _ in range(size)]
    raise RedisDown(f"unexpected reply {line[:20]!r}")


def _encode(args: tuple[str | int | float, ...]) -> bytes:
    parts = [f"*{len(args)}\r\n".encode()]
    for arg in args:
        data = str(arg).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


class Connection:
    """Pipelines commands; every failure closes it and fails what was waiting."""

    def __init__(self, on_close: Callable[[], None] = lambda: None) -> None:
        self._waiting: deque[asyncio.Future[Reply]] = deque()
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._on_close = on_close

    @property
    def open(self) -> bool:
        return self._writer is not None

    async def connect(self, address: Address, name: str) -> None:
        try:
            async with asyncio.timeout(10):
                reader, self._writer = await asyncio.open_connection(
                    address.host,
                    address.port,
                    ssl=address.tls,
                    server_hostname=address.server_name if address.tls and address.server_name else None,
                )
        except (OSError, TimeoutError, ssl.SSLError) as exc:
            raise RedisDown(str(exc) or "connect ETIMEDOUT") from exc
        self._task = asyncio.create_task(self._pump(reader))
        try:
            await self._hello(address, name)
        except BaseException:
            self.close()
            raise

    async def _hello(self, address: Address, name: str) -> None:
        if address.password is not None:
            user = (address.username,) if address.username else ()
            try:
                await self.command("AUTH", *user, address.password)
            except RedisError as exc:
                if "without any password configured" not in str(exc):
                    raise
                log.warn(
                    "[WARN] This Redis server's `default` user does not require a password, but a password was supplied"
                )
        if address.db:
            await self.command("SELECT", address.db)
        await self.command("CLIENT", "SETNAME", name)

    async def _pump(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                reply = await _read(reader)
                future = self._waiting.popleft()
                if not future.done():
                    if isinstance(reply, RedisError):
                        future.set_exception(reply)
                    else:
                        future.set_result(reply)
        except (OSError, EOFError, RedisDown, IndexError, ValueError):
            self.close()

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.close()
        if self._task and self._task is not asyncio.current_task():
            self._task.cancel()
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(RedisDown("Connection is closed."))
        self._on_close()

    async def command(self, *args: str | int | float, timeout: float | None = 30) -> Reply:
        if self._writer is None:
            raise RedisDown("Connection is closed.")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._writer.write(_encode(args))
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            self.close()
            raise RedisDown("Socket timeout") from None
