from __future__ import annotations

from pathlib import Path

import pytest
import redis

from tests.integration.bench.containers import Bench, Container, docker, wait_for

pytestmark = pytest.mark.engine

OPTIONS = ("--user=999:999",)


def client(container: Container, password: str | None = None) -> redis.Redis:
    connection = redis.Redis(host=container.ip, password=password, socket_timeout=30)
    connection.ping()
    return connection


@pytest.fixture(scope="module")
def server(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Container:
    directory = tmp_path_factory.mktemp("valkey")
    for path in (directory, *directory.parents[:2]):
        path.chmod(0o755)
    file: Path = directory / "langfuse.conf"
    file.write_text("requirepass secret\nappendonly yes\nappendfsync always\nmaxmemory-policy noeviction\n")
    mounts = ("-v", f"{file}:/etc/valkey/langfuse.conf:ro", "-v", f"{bench.volume()}:/data")
    container = bench.run("valkey", *OPTIONS, *mounts, command=("/etc/valkey/langfuse.conf",))
    wait_for(lambda: client(container, "secret"))
    return container


def test_a_configuration_file_starts_the_server(server: Container) -> None:
    connection = client(server, "secret")
    assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert server.execute("cat", "/proc/1/comm").strip() == "valkey-server"
    assert server.execute("stat", "-c", "%u", "/proc/1").strip() == "999"


@pytest.mark.parametrize("password", [None, "wrong"])
def test_the_password_is_needed(server: Container, password: str | None) -> None:
    with pytest.raises((redis.AuthenticationError, redis.ResponseError)):
        client(server, password)


def test_valkey_cli_is_there(server: Container) -> None:
    answer = docker("exec", "-e", "REDISCLI_AUTH=secret", server.name, "valkey-cli", "ping")
    assert answer.strip() == "PONG"


def test_keys_survive_a_kill(server: Container) -> None:
    client(server, "secret").set("kept", "7")
    server.kill_and_start()
    assert wait_for(lambda: client(server, "secret")).get("kept") == b"7"


def test_data_is_for_its_owner_only(server: Container) -> None:
    mode = server.execute("find", "/data", "-name", "*.aof", "-perm", "/077")
    assert mode.strip() == ""


def test_stop_is_clean(server: Container) -> None:
    docker("stop", "-t", "20", server.name)
    assert server.state("ExitCode") == "0"


@pytest.mark.parametrize("command", [("--save", ""), ("valkey-server", "--save", ""), ()])
def test_ways_to_start_it(bench: Bench, command: tuple[str, ...]) -> None:
    container = bench.run("valkey", *OPTIONS, command=command)
    # Without a password only the container itself is let in: protected mode.
    wait_for(lambda: container.execute("valkey-cli", "ping"))


def test_root_becomes_valkey(bench: Bench) -> None:
    container = bench.run("valkey", hardened=False)
    wait_for(lambda: container.execute("valkey-cli", "ping"))
    assert container.execute("stat", "-c", "%u", "/proc/1").strip() == "999"


def test_other_commands_run_as_they_are(bench: Bench) -> None:
    container = bench.run("valkey", *OPTIONS, command=("sh", "-c", "echo hello"))
    assert container.wait() == 0
    assert container.logs.strip() == "hello"
