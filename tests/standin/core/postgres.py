"""PostgreSQL through a small pool; reads the connection URL the way Prisma does."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]


def conninfo(url: str) -> dict[str, str]:
    """libpq parameters of a Prisma URL. `sslaccept=strict` verifies with `sslcert` as the authority, and
    `require` alone does not verify. Raises ValueError on anything that is no Postgres URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ValueError("the URL must start with the protocol `postgresql://` or `postgres://`.")
    query = dict(parse_qsl(parts.query))
    found = {
        "host": parts.hostname or "localhost",
        "port": str(parts.port or 5432),
        "dbname": unquote(parts.path.lstrip("/")) or "postgres",
        "connect_timeout": query.get("connect_timeout", "5"),
        "application_name": "langfuse-stand-in",
    }
    if parts.username:
        found["user"] = unquote(parts.username)
    if parts.password:
        found["password"] = unquote(parts.password)
    if query.get("host"):
        found["host"] = query["host"]
    mode = query.get("sslmode", "prefer")
    root = query.get("sslrootcert") or query.get("sslcert")
    if query.get("sslaccept") == "strict" and mode in ("require", "prefer"):
        mode = "verify-full"
    found["sslmode"] = mode
    if root and mode in ("verify-ca", "verify-full", "require"):
        found["sslrootcert"] = root
    if schema := query.get("schema"):
        found["options"] = f"-c search_path={schema}"
    return found


class Postgres:
    """At most `size` connections, opened when needed, dropped when broken."""

    def __init__(self, url: str, size: int = 5) -> None:
        self._info = conninfo(url)
        self._pooled = "pgbouncer=true" in url
        self._idle: list[psycopg.AsyncConnection[Row]] = []
        self._slots = asyncio.Semaphore(size)

    async def _connect(self) -> psycopg.AsyncConnection[Row]:
        connection = await psycopg.AsyncConnection.connect(autocommit=True, row_factory=dict_row, **self._info)  # type: ignore[arg-type]
        if self._pooled:
            connection.prepare_threshold = None
        return connection

    async def _run(self, query: str, values: Mapping[str, Any] | Sequence[Any] | None) -> list[Row]:
        fresh = not self._idle
        connection = await self._connect() if fresh else self._idle.pop()
        try:
            async with connection.cursor() as cursor:
                await cursor.execute(query.encode(), values)
                rows = await cursor.fetchall() if cursor.description else []
        except psycopg.OperationalError:
            await connection.close()
            if fresh:
                raise
            return await self._run(query, values)
        except BaseException:
            if connection.closed or connection.info.transaction_status:
                await connection.close()
            else:
                self._idle.append(connection)
            raise
        self._idle.append(connection)
        return rows

    async def rows(self, query: str, values: Mapping[str, Any] | Sequence[Any] | None = None) -> list[Row]:
        async with self._slots:
            return await self._run(query, values)

    async def one(self, query: str, values: Mapping[str, Any] | Sequence[Any] | None = None) -> Row | None:
        found = await self.rows(query, values)
        return found[0] if found else None

    async def many(self, query: str, values: Sequence[Sequence[Any]]) -> None:
        """The same statement for every row, in one transaction."""
        async with self._slots:
            connection = await self._connect()
            async with connection, connection.transaction(), connection.cursor() as cursor:
                await cursor.executemany(query.encode(), values)

    async def close(self) -> None:
        for connection in self._idle:
            await connection.close()
        self._idle.clear()
