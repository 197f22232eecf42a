# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Langfuse with a user that clickhouse_database made: the migration runs, a trace comes back; less than that is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.modules import stack as stacks
from tests.integration.modules.clickhouse_server import ADMIN, ADMIN_PASSWORD, statement
from tests.integration.modules.conftest import PREFIX
from tests.integration.modules.stack import PUBLIC_KEY, SECRETS, Stack
from tests.integration.modules.test_clickhouse_database import RAW, own

Result = dict[str, Any]
pytestmark = pytest.mark.engine
TRACE = {"public_key": PUBLIC_KEY, "secret_key": SECRETS["project"]}


class Granted(Stack):
    """The same project with a ClickHouse that has an administrator, no profile of ours and no user for Langfuse."""

    @property
    def clickhouse_address(self) -> str:
        return stacks.docker("port", f"{self.project}-clickhouse-1", "8123").splitlines()[0]

    def _document(self) -> dict[str, Any]:
        document = super()._document()
        service = document["services"]["clickhouse"]
        service["environment"] = {
            "CLICKHOUSE_USER": ADMIN,
            "CLICKHOUSE_PASSWORD": ADMIN_PASSWORD,
            "CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT": "1",
        }
        service["ports"] = ["127.0.0.1::8123"]
        del service["volumes"]
        return document

    def database(self) -> Result:
        return {
            "login_url": f"http://{self.clickhouse_address}",
            "login_user": ADMIN,
            "login_password": ADMIN_PASSWORD,
            "database": "langfuse",
            "user": "langfuse",
            "password": SECRETS["clickhouse"],
        }


@pytest.fixture(scope="module")
def granted(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Granted]:
    images = stacks.find_images()
    if images is None:
        pytest.skip("images of the bench are missing: python -m tests.bench up")
    project = Granted(tmp_path_factory.mktemp("granted"), images, f"{PREFIX}-granted")

    def prepare(endpoint: str) -> None:
        keys = {"access_key": "s3key", "secret_key": SECRETS["s3"]}
        assert run("s3_bucket", endpoint_url=endpoint, buckets=["lf-events", "lf-media"], **keys)["changed"]
        assert run("clickhouse_database", **project.database())["changed"]

    project.up(prepare)
    yield project
    project.down()


def arrives(run: Any, granted: Granted, seconds: float = 60) -> bool:
    result = run("langfuse_trace", url=granted.url, timeout=seconds, **TRACE)
    return not result.get("failed") and result["differences"] == []


def test_migration_and_trace_with_exactly_these_grants(run: Any, granted: Granted) -> None:
    address = granted.clickhouse_address
    assert statement(address, "SELECT max(version) FROM langfuse.schema_migrations") == "46"
    assert arrives(run, granted)
    assert not run("clickhouse_database", **granted.database())["changed"]
    assert not run("clickhouse_database", **own(granted.database()))["changed"]


@pytest.mark.parametrize(
    ("less", "code", "named"),
    [
        ("REVOKE INSERT ON langfuse.* FROM langfuse", "clickhouse_grants", "INSERT ON langfuse.*"),
        ("REVOKE SELECT ON langfuse.events_core FROM langfuse", "clickhouse_grants", "SELECT ON langfuse.*"),
        (f"ALTER USER langfuse DROP SETTINGS {RAW}", "clickhouse_setting", RAW),
    ],
)
def test_with_less_no_trace_arrives_and_the_module_says_why(
    run: Any, granted: Granted, less: str, code: str, named: str
) -> None:
    statement(granted.clickhouse_address, less)
    assert not arrives(run, granted, 12)
    refused = run("clickhouse_database", **own(granted.database()))
    assert (refused["failed"], refused["code"]) == (True, code)
    assert named in refused["msg"]
    assert len(run("clickhouse_database", **granted.database())["statements"]) == 1
    assert arrives(run, granted)
