# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Engines that an instance does not bring itself, started once for all files of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules import conftest
from tests.integration.modules.clickhouse_server import ADMIN as CLICKHOUSE_ADMIN
from tests.integration.modules.clickhouse_server import ADMIN_PASSWORD as CLICKHOUSE_PASSWORD
from tests.integration.modules.clickhouse_server import start as start_clickhouse
from tests.integration.modules.existing.stores import OWN, options_of_redis
from tests.integration.modules.postgresql_server import SUPERUSER
from tests.integration.modules.postgresql_server import Server as Postgres
from tests.integration.modules.redis_servers import ADMIN as REDIS_ADMIN
from tests.integration.modules.redis_servers import Engine, Server, folder

Result = dict[str, Any]


@pytest.fixture(scope="package")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(17, tmp_path_factory.mktemp("postgres"))
    yield server
    server.remove()


@pytest.fixture(scope="package")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield start_clickhouse("existing-clickhouse", tmp_path_factory.mktemp("clickhouse"))
    conftest.stop("existing-clickhouse")


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Any]:
    """Starts servers that keep their users in a file."""
    engine, servers = Engine("valkey"), []

    def start(*flags: str) -> Server:
        place = folder(tmp_path / f"data{len(servers)}", users_acl=f"user default on >{REDIS_ADMIN} ~* &* +@all\n")
        servers.append(Server(engine, "--aclfile", "/data/users.acl", *flags, mounts=(f"{place}:/data",)))
        servers[-1].client()
        return servers[-1]

    yield start
    for server in servers:
        server.remove()


@pytest.fixture
def names(request: pytest.FixtureRequest) -> str:
    """A name for role, database and user that no other test has."""
    return f"ex{abs(hash(request.node.name)) % 10**8}"


@pytest.fixture
def only(postgres: Postgres, names: str) -> Result:
    """PostgreSQL with its administrator."""
    return {
        "postgres": {
            "host": "localhost",
            "port": postgres.port,
            "sslmode": "disable",
            "database": names,
            "user": names,
            "admin_user": SUPERUSER["login_user"],
        },
        "postgres_password": OWN,
        "postgres_admin_password": SUPERUSER["login_password"],
    }


@pytest.fixture
def everything(only: Result, clickhouse: str, valkey: Any, store: Result, names: str) -> Iterator[Result]:
    yield {
        **only,
        "clickhouse": {
            "url": f"http://{clickhouse}",
            "database": names,
            "user": names,
            "admin_user": CLICKHOUSE_ADMIN,
        },
        "clickhouse_password": OWN,
        "clickhouse_admin_password": CLICKHOUSE_PASSWORD,
        **options_of_redis(valkey()),
        "s3": {"endpoint": store["endpoint_url"], "buckets": [f"{names}-events", f"{names}-media"]},
        "s3_access_key": store["access_key"],
        "s3_secret_key": store["secret_key"],
    }
