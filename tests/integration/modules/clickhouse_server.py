# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A ClickHouse of the bench with an administrator, users of its files and a cluster of one node."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from tests.integration.modules import conftest

ADMIN, ADMIN_PASSWORD = "boss", "canary-boss-password-1"
# One node that is a cluster to itself: what is read of a cluster is real, ON CLUSTER needs Keeper and is not.
CLUSTER = """<clickhouse>
  <remote_servers><default><shard><replica><host>localhost</host><port>9000</port></replica></shard></default></remote_servers>
  <macros><shard>1</shard><replica>one</replica></macros>
</clickhouse>"""
USERS = """<clickhouse><users>
  <written><password>canary-written-password</password><profile>default</profile><networks><ip>::/0</ip></networks>
    <grants><query>GRANT SELECT ON langfuse.*</query></grants></written>
  <maker><password>canary-maker-password</password><profile>default</profile><networks><ip>::/0</ip></networks>
    <grants><query>GRANT CREATE DATABASE ON *.*</query><query>GRANT SHOW ON *.*</query></grants></maker>
</users></clickhouse>"""


WRITING = ("CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "INSERT", "SYSTEM", "SET ", "TRUNCATE", "ATTACH")


def writing(statements: Iterable[str]) -> list[str]:
    """Those that change something."""
    return [sql for sql in statements if sql.strip().upper().startswith(WRITING)]


class Refused(Exception):
    """ClickHouse's own code of an error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def statement(address: str, sql: str, user: str = ADMIN, password: str = ADMIN_PASSWORD, database: str = "") -> str:
    keys = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password, "X-ClickHouse-Database": database or "default"}
    request = urllib.request.Request(f"http://{address}/", data=sql.encode(), headers=keys)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode()).strip()
    except urllib.error.HTTPError as error:
        raise Refused(int(error.headers["X-ClickHouse-Exception-Code"]), error.read().decode()) from None


def start(name: str, folder: Path, *options: str, config: str = CLUSTER) -> str:
    environment = {
        "CLICKHOUSE_USER": ADMIN,
        "CLICKHOUSE_PASSWORD": ADMIN_PASSWORD,
        "CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT": "1",
    }
    given = [word for key, value in environment.items() for word in ("-e", f"{key}={value}")]
    for kind, text in (("config.d", config), ("users.d", USERS)):
        path = folder / f"{kind}.xml"
        path.write_text(text)
        path.chmod(0o644)
        given += ["-v", f"{path}:/etc/clickhouse-server/{kind}/test.xml:ro"]
    folder.chmod(0o755)
    image = conftest.image("clickhouse/clickhouse-server")
    address = conftest.start(name, image, port=8123, options=(*given, *options))
    conftest.wait_for_http(address)
    return address
