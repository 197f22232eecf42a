"""Web and worker with a Redis user limited to their prefix, as the module makes it, and with one that is too narrow."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules.conftest import collections, run  # noqa: F401  (fixtures)
from tests.integration.standin.probe import arrives, send
from tests.integration.standin.stack import Stack
from tests.integration.standin.test_boot import extra, health
from tests.waiting import wait

pytestmark = pytest.mark.engine

PASSWORD = "canaryRedisUser1"
LIMITED = {"REDIS_USERNAME": "langfuse", "REDIS_AUTH": PASSWORD, "REDIS_KEY_PREFIX": "langfuse:"}


def denials(stack: Stack) -> list[str]:
    lines = stack.redis("ACL", "LOG").splitlines()
    return [lines[number + 1] for number, line in enumerate(lines[:-1]) if line == "object"]


def test_a_trace_arrives_under_a_limited_user(stack: Stack, run: Any) -> None:  # noqa: F811
    login = {"login_host": stack.address("redis"), "login_password": "redissecret", "password": PASSWORD}
    assert run("redis_acl_user", **login)["changed"]
    stack.redis("ACL", "LOG", "RESET")
    with extra(stack, "web", "limited", **LIMITED) as web, extra(stack, "worker", "limited", **LIMITED) as worker:
        wait(lambda: health(stack, web)[0] == 200 and health(stack, worker)[0] == 200)
        trace, status, _ = send(stack.url(web))
        assert status == 200
        assert arrives(stack.url(web), trace)
        assert denials(stack) == []
        keys = stack.redis("KEYS", "langfuse:*").splitlines()
        assert [key for key in keys if key.startswith("langfuse::otel-ingestion-queue:")]
        assert [key for key in keys if key.startswith("langfuse:api-key:")]
        assert not run("redis_acl_user", **login)["changed"]
        # Without the colon in the prefix the caches lie beside the user's keys.
        wrong = {**LIMITED, "REDIS_KEY_PREFIX": "langfuse"}
        with extra(stack, "web", "colonless", **wrong) as colonless:
            wait(lambda: health(stack, colonless)[0] == 200)
            send(stack.url(colonless))
            assert [key for key in denials(stack) if key.startswith("langfuseapi-key:")]
