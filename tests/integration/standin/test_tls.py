"""Redis over TLS with a private authority: the files the application reads, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration import certificates
from tests.integration.standin.probe import arrives, send
from tests.integration.standin.stack import STORES, Stack, image
from tests.integration.standin.test_boot import extra, health
from tests.waiting import wait

pytestmark = pytest.mark.engine


def test_redis_over_tls(stack: Stack, tmp_path: Path) -> None:
    certificates.write(tmp_path, "redis-tls")
    mount = ("-v", f"{tmp_path}:/tls:ro")
    settings = (
        "--requirepass redissecret --port 0 --tls-port 6379 --tls-auth-clients no --tls-cert-file /tls/server.pem"
    )
    args = [*settings.split(), "--tls-key-file", "/tls/server.key", "--tls-ca-cert-file", "/tls/ca.pem"]
    stack.run("redis-tls", image(STORES[1]) or "", "valkey-server", *args, options=mount)
    secured = {"REDIS_HOST": "redis-tls", "REDIS_TLS_ENABLED": "true", "REDIS_TLS_CA_PATH": "/tls/ca.pem"}
    stack.options = mount
    try:
        with extra(stack, "web", "tls", **secured) as web, extra(stack, "worker", "tls", **secured) as worker:
            wait(lambda: health(stack, web)[0] == 200 and health(stack, worker)[0] == 200)
            trace, status, _ = send(stack.url(web))
            assert status == 200
            assert arrives(stack.url(web), trace)
        unread = {**secured, "REDIS_TLS_CA_PATH": "-", "REDIS_TLS_CA": "/tls/ca.pem"}
        with extra(stack, "worker", "tls", **unread) as worker:
            wait(lambda: health(stack, worker)[0] == 500)
            assert "self-signed certificate in certificate chain" in stack.logs(worker)
    finally:
        stack.options = ()
        stack.remove("redis-tls")
