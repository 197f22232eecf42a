from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bench.containers import Bench, Container, docker, wait_for

pytestmark = pytest.mark.engine

PASSWORD = "secret-of-admin"
COMMAND = ("start", "--optimized", "--http-enabled=true", "--hostname-strict=false", "--cache=local", "--import-realm")


def ready(container: Container) -> dict[str, Any]:
    assert container.state("Running") == "true", container.logs
    with urllib.request.urlopen(f"http://{container.ip}:9000/health/ready", timeout=5) as answer:
        return dict(json.load(answer))


def token(container: Container, password: str) -> str:
    form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": password}
    address = f"http://{container.ip}:8080/realms/master/protocol/openid-connect/token"
    with urllib.request.urlopen(address, urllib.parse.urlencode(form).encode(), timeout=30) as answer:
        return str(json.load(answer)["access_token"])


@pytest.fixture(scope="module")
def server(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Container:
    directory = tmp_path_factory.mktemp("keycloak")
    for path in (directory, *directory.parents[:2]):
        path.chmod(0o755)
    realm: Path = directory / "company.json"
    realm.write_text(json.dumps({"realm": "company", "enabled": True}))
    account = ("-e", "KC_BOOTSTRAP_ADMIN_USERNAME=admin", "-e", f"KC_BOOTSTRAP_ADMIN_PASSWORD={PASSWORD}")
    mounts = ("-v", f"{bench.volume()}:/opt/keycloak/data", "-v", f"{directory}:/opt/keycloak/data/import:ro")
    container = bench.run("keycloak", *account, *mounts, command=COMMAND)
    wait_for(lambda: ready(container), 300)
    return container


def test_it_is_ready_and_runs_as_the_official_user(server: Container) -> None:
    assert ready(server)["status"] == "UP"
    assert server.execute("stat", "-c", "%u:%g", "/proc/1").strip() == "1000:0"


def test_the_first_administrator_is_that_of_the_environment(server: Container) -> None:
    assert token(server, PASSWORD)
    with pytest.raises(urllib.error.HTTPError):
        token(server, "another")


def test_a_realm_was_imported_and_survives_a_kill(server: Container) -> None:
    def issuer() -> str:
        address = f"http://{server.ip}:8080/realms/company/.well-known/openid-configuration"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return str(json.load(answer)["issuer"])

    assert issuer() == f"http://{server.ip}:8080/realms/company"
    server.kill_and_start()
    wait_for(lambda: ready(server), 300)
    assert issuer().endswith("/realms/company")
    assert token(server, PASSWORD)


def test_stop_is_clean(server: Container) -> None:
    docker("stop", "-t", "30", server.name)
    assert server.state("ExitCode") in ("0", "143")
