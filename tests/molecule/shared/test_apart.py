"""The application and the instance do not see each other's data."""

from __future__ import annotations

import subprocess

import pytest

from tests.molecule.instance import Instance
from tests.molecule.shared import shop


def test_the_applications_data_is_as_it_was(shared: Instance) -> None:
    assert shop.sql("SELECT count(*) FROM orders") == str(shop.ROWS)
    assert shop.redis("get", "shop:cart") == "full"


def test_langfuse_cannot_read_the_keys_of_the_application(shared: Instance) -> None:
    password = shared.secrets()["langfuse_redis_password"]
    assert "NOPERM" in shop.redis("get", "shop:cart", user="shopfuse", password=password)
    assert "NOPERM" in shop.redis("flushall", user="shopfuse", password=password)
    assert shop.redis("exists", "shopfuse:api-key:x", user="shopfuse", password=password) == "0"


def test_the_application_cannot_read_the_keys_of_langfuse(shared: Instance) -> None:
    keys = shop.redis("--scan", "--pattern", "shopfuse:*").splitlines()
    assert len(keys) > 20, "the instance keeps its keys elsewhere"
    assert "NOPERM" in shop.redis("type", keys[0], user="shop")
    others = [key for key in shop.redis("--scan").splitlines() if not key.startswith(("shopfuse:", "shop:"))]
    assert others == []


def test_langfuse_cannot_read_the_rows_of_the_application(shared: Instance) -> None:
    password = shared.secrets()["langfuse_postgres_password"]
    command = ["psql", f"postgresql://langfuse:{password}@127.0.0.1:5432/shop", "-Atc", "SELECT * FROM orders"]
    with pytest.raises(RuntimeError, match=r"permission denied|authentication failed"):
        shop.execute("pgsql", *command)
    assert (
        shop.execute("pgsql", *command[:1], command[1].replace("/shop", "/langfuse"), "-Atc", "SELECT 1").strip() == "1"
    )


def test_no_administrator_is_written_anywhere(shared: Instance) -> None:
    for secret in (shop.DATABASE_PASSWORD, shop.REDIS_PASSWORD):
        found = subprocess.run(
            ["grep", "-rlF", secret, str(shared.directory), str(shared.secrets_file)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.stdout == ""
        for container in shared.containers():
            assert secret not in str(container.details)
