"""ClickHouse over HTTP as @clickhouse/client speaks it."""

import errno
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from .environment import Env


class ClickHouseError(Exception):
    """`text` is the server's own message, or Node's for a connection that failed (`retryable` False)."""

    def __init__(self, text: str, *, connection: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.connection = connection


def node_error(exc: BaseException, host: str, port: int) -> str:
    """The text Node gives to a failed connection."""
    cause = exc.os_error if isinstance(exc, aiohttp.ClientConnectorError) else exc
    if isinstance(cause, socket.gaierror) or isinstance(exc, aiohttp.ClientConnectorDNSError):
        return f"getaddrinfo ENOTFOUND {host}"
    if isinstance(cause, OSError) and cause.errno in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH):
        try:
            address = socket.gethostbyname(host)
        except OSError:
            address = host
        return f"connect {errno.errorcode[cause.errno]} {address}:{port}"
    if isinstance(exc, TimeoutError):
        return "Timeout error."
    return "socket hang up"


class ClickHouse:
    def __init__(self, env: Env, session: aiohttp.ClientSession, url: str | None = None) -> None:
        self._url = (url or env.need("CLICKHOUSE_URL")).rstrip("/")
        self._session = session
        self._headers = {
            "X-ClickHouse-User": env.need("CLICKHOUSE_USER"),
            "X-ClickHouse-Key": env.need("CLICKHOUSE_PASSWORD"),
        }
        self._database = env.need("CLICKHOUSE_DB")

    async def _send(self, query: str, body: bytes, params: dict[str, str], timeout: float) -> bytes:
        values = (
            {"database": self._database, "query": query, **params} if body else {"database": self._database, **params}
        )
        try:
            async with self._session.post(
                f"{self._url}/",
                params=values,
                data=body or query.encode(),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as answer:
                content = await answer.read()
                if answer.status != 200:
                    raise ClickHouseError(content.decode("utf-8", "replace").strip())
                return content
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            parts = urlsplit(self._url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
            raise ClickHouseError(node_error(exc, parts.hostname or "", port), connection=True) from exc

    async def rows(self, query: str, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """`values` fill `{name:Type}` placeholders."""
        params = {f"param_{k}": _param(v) for k, v in (values or {}).items()}
        params["output_format_json_quote_64bit_integers"] = "0"
        answer = await self._send(f"{query} FORMAT JSONEachRow", b"", params, 30)
        return [json.loads(line) for line in answer.decode().splitlines() if line]

    async def command(self, query: str, values: dict[str, Any] | None = None, timeout: float = 60) -> None:
        await self._send(query, b"", {f"param_{k}": _param(v) for k, v in (values or {}).items()}, timeout)

    async def insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        """One JSONEachRow insert; numbers for DateTime64 columns, as the application sends them."""
        body = "\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in rows).encode()
        settings = {"async_insert": "1", "wait_for_async_insert": "1", "date_time_input_format": "best_effort"}
        await self._send(f"INSERT INTO {table} FORMAT JSONEachRow", body, settings, 120)


def _param(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join("'" + str(v).replace("\\", "\\\\").replace("'", "\\'") + "'" for v in value) + "]"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
