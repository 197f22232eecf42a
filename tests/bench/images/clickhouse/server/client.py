"""A small `clickhouse-client`, over HTTP: --query or standard input, exit code and message as the real one."""

from __future__ import annotations

import argparse
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence

_HTTP_PORT = 8123


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="clickhouse-client", add_help=False)
    parser.add_argument("--host", "-h", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--user", "-u", default=os.environ.get("CLICKHOUSE_USER", "default"))
    parser.add_argument("--password", default=os.environ.get("CLICKHOUSE_PASSWORD", ""))
    parser.add_argument("--database", "-d", default="")
    parser.add_argument("--query", "-q", default=None)
    parser.add_argument("--format", "-f", default="TabSeparated")
    parser.add_argument("--multiquery", "-n", action="store_true")
    parser.add_argument("--secure", "-s", action="store_true")
    options = parser.parse_args(arguments)
    # The native port is the client's default; what answers queries here is the HTTP one.
    port = _HTTP_PORT if options.port == 9000 else options.port
    parameters = {"default_format": options.format}
    if options.database:
        parameters["database"] = options.database
    if options.query is not None:
        parameters["query"] = options.query
    body = b"" if options.query is not None and sys.stdin.isatty() else sys.stdin.buffer.read()
    request = urllib.request.Request(
        f"http://{options.host}:{port}/?{urllib.parse.urlencode(parameters)}",
        data=body,
        headers={"X-ClickHouse-User": options.user, "X-ClickHouse-Key": options.password},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            sys.stdout.buffer.write(answer.read())
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        print(f"Received exception from server:\n{text}", file=sys.stderr)
        return int(error.headers.get("X-ClickHouse-Exception-Code") or 1) % 256
    except urllib.error.URLError as error:
        print(f"Code: 210. DB::NetException: {error.reason} ({options.host}:{port}). (NETWORK_ERROR)", file=sys.stderr)
        return 210
    return 0


if __name__ == "__main__":
    sys.exit(main())
