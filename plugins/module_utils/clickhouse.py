# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ClickHouse over HTTP: statements, answers, and its errors as causes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

UTC = ("UTC", "Etc/UTC", "GMT", "Etc/GMT")
RAW_VALUE = "input_format_read_datetime_number_as_raw_value"
# No such user, wrong password, no password, authentication failed, address not allowed.
REFUSES_LOGIN = (192, 193, 194, 195, 516)
DENIED, READ_ONLY_ACCOUNT, UNKNOWN_DATABASE, UNKNOWN_SETTING = 497, 495, 81, 115
NO_DISTRIBUTED_DDL = (139, 225, 392, 999)
_SILENT = (
    http_client.NAME,
    http_client.REFUSED,
    http_client.TIMEOUT,
    http_client.CLOSED,
    http_client.UNREACHABLE,
)


class QueryError(Exception):
    """ClickHouse's own error code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def version_pair(version: str) -> tuple[int, int]:
    """``"26.9.2.1"`` -> ``(26, 9)``; ``(0, 0)`` where it cannot be read."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def reads_times_as_seconds(version: str) -> bool:
    """Whether the default of ``RAW_VALUE`` makes Langfuse up to 4.16 lose every trace there (it went to 0 in 26.8)."""
    return version_pair(version) >= (26, 8)


def loses_rows(version: str, raw_value: str | None) -> bool:
    """Whether Langfuse up to 4.16 loses every trace there: the setting's default went from 1 to 0 in 26.8."""
    return reads_times_as_seconds(version) and raw_value == "0"


def literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def array(values: Iterable[str]) -> str:
    """The value of an ``Array(String)`` parameter."""
    return f"[{', '.join(literal(value) for value in values)}]"


def query(
    client: http_client.Client, sql: str, database: str, timeout: float, values: Mapping[str, str] | None = None
) -> list[list[Any]]:
    """The rows of one statement, 64 bit numbers as strings. Raises QueryError and ``http_client.Unreachable``.

    ``values`` fill its ``{name:Type}``; strings are as ClickHouse's text format escapes them.
    """
    options = {"default_format": "JSONCompact", "output_format_json_quote_64bit_integers": "1"}
    options.update({f"param_{name}": value for name, value in (values or {}).items()})
    if database:
        options["database"] = database
    answer = client.request("POST", f"/?{urlencode(options, quote_via=quote)}", sql.encode(), timeout=timeout)
    body = answer.json() if answer.body else {}
    if answer.status == 200 and isinstance(body, dict):
        data: list[list[Any]] = body.get("data", [])
        return data
    text = " ".join(answer.text(400).split())
    found = re.search(r"Code: (\d+)", text)
    code = answer.headers.get("x-clickhouse-exception-code") or (found[1] if found else "0")
    raise QueryError(int(code), text[:300] or f"HTTP {answer.status}")


class Server:
    """One user's statements on one server, over one connection."""

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        ca_path: str | None = None,
        validate_certs: bool = True,
        timeout: float = 60.0,
    ) -> None:
        """ValueError for what is not an address, OSError for a CA file that cannot be read."""
        keys = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
        self._client = http_client.Client(
            url, timeout=timeout, ca_path=ca_path, validate_certs=validate_certs, headers=keys
        )
        self.user = user
        self.url = url
        self.timeout = timeout

    def rows(self, sql: str, **values: str) -> list[list[Any]]:
        return query(self._client, sql, "", self.timeout, values)

    def texts(self, sql: str, **values: str) -> list[str]:
        """The first column."""
        return [str(row[0]) for row in self.rows(sql, **values)]

    def wait(self, seconds: int) -> None:
        """Until something answers at all; who may log in is not asked."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._client.request("GET", "/ping", timeout=min(5.0, max(1.0, deadline - time.monotonic())))
                return
            except http_client.Unreachable as error:
                if error.kind not in _SILENT or time.monotonic() >= deadline:
                    raise
            time.sleep(0.3)

    def close(self) -> None:
        self._client.close()


def explain(error: QueryError | http_client.Unreachable, server: Server) -> Failure:
    """The cause and the cure of what a server, or the way to it, said. Pure."""
    if isinstance(error, http_client.Unreachable):
        if error.kind == http_client.TLS:
            cure = "Name the CA of the server's certificate in ca_path, or correct scheme and port of login_url."
            return Failure("clickhouse_tls", f"TLS with ClickHouse at {server.url} failed: {error.detail}.", cure)
        cure = "Start ClickHouse, or correct login_url; it must be reachable from where this runs."
        return Failure("clickhouse_down", f"ClickHouse at {server.url} does not answer: {error.detail}.", cure)
    said = error.text.split(" (version")[0].rstrip(".")
    details: dict[str, Any] = {"clickhouse_code": error.code}
    if error.code in REFUSES_LOGIN:
        cure = f"Correct the password of {server.user}, or let it log in from this address (its HOST clause)."
        told = f"ClickHouse at {server.url} refuses {server.user}."
        return Failure("clickhouse_login", told, cure, users=[server.user], **details)
    if error.code == DENIED:
        cure = f"Give {server.user} the grant that it names, or take another login_user."
        return Failure("clickhouse_denied", f"ClickHouse at {server.url}: {said}.", cure, **details)
    if error.code == READ_ONLY_ACCOUNT:
        cure = "Change it where it is defined (users.xml or users.d of the server), or choose another name."
        return Failure("clickhouse_fixed_user", f"ClickHouse at {server.url}: {said}.", cure, **details)
    if error.code in NO_DISTRIBUTED_DDL:
        cure = "Statements ON CLUSTER need ClickHouse Keeper and distributed_ddl in the server's configuration."
        return Failure("clickhouse_cluster", f"ClickHouse at {server.url}: {said}.", cure, **details)
    if error.code == 0:
        cure = "Correct login_url: it must be ClickHouse's HTTP port (8123, or 8443 with TLS)."
        return Failure("clickhouse_error", f"{server.url} does not answer like ClickHouse: {said}.", cure, **details)
    cure = "Look at ClickHouse's log; the code is its own."
    return Failure("clickhouse_error", f"ClickHouse at {server.url}: {said}.", cure, **details)
