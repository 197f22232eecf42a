"""Taken away with its name while the stack is down: its own data goes; what it has there stays, with the keys to it, and is told."""

from __future__ import annotations

from tests.molecule import playbook, snapshot
from tests.molecule.instance import Instance
from tests.molecule.shared import shop


def test_teardown_leaves_the_stack_alone(shared: Instance) -> None:
    kept = shared.secrets()
    shop.compose("down", "-t", "2")
    done = playbook.run(shared, "llmops.langfuse.teardown", variables={"langfuse_teardown_data": shared.name})
    done.mentions("pgsql:5432/langfuse", "redis:6379 shopfuse:", "So are the secrets of shopfuse in")
    snapshot.everything_gone(shared)
    # Without them the next site could do nothing with that database.
    assert {"langfuse_encryption_key", "langfuse_postgres_password"} <= set(kept)
    assert shared.secrets() == kept
    shop.up()
    assert shop.sql("SELECT count(*) FROM _prisma_migrations", "langfuse") != "0"
    assert shop.sql("SELECT count(*) FROM orders") == str(shop.ROWS)
    assert shop.redis("get", "shop:cart") == "full"
