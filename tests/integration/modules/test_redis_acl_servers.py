# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""redis_acl_user on servers of every kind: with and without a place for users, evicting, replicas, clusters, TLS, loading."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration import certificates
from tests.integration.modules.conftest import docker
from tests.integration.modules.redis_servers import ADMIN, PASSWORD, Engine, Server, folder
from tests.waiting import wait

Result = dict[str, Any]
Start = Callable[..., Server]
pytestmark = pytest.mark.engine


@pytest.fixture(scope="module", params=["redis", "valkey"])
def engine(request: Any) -> Engine:
    return Engine(request.param)


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """`start(*flags, config=…, mounts=…)`: servers that are gone after the test."""
    servers: list[Server] = []

    def begin(*flags: str, answers: bool = True, **options: Any) -> Server:
        servers.append(Server(engine, *flags, **options))
        if answers:
            servers[-1].client()
        return servers[-1]

    yield begin
    for server in servers:
        server.remove()


def works(server: Server) -> bool:
    try:
        return bool(server.client("langfuse", PASSWORD).set("langfuse:a", "1"))
    except redis.exceptions.AuthenticationError:
        return False


def test_the_user_survives_a_restart_in_an_acl_file(run: Any, start: Start, tmp_path: Path) -> None:
    line = f"user default on >{ADMIN} ~* &* +@all\n"
    data = folder(tmp_path / "data", users_acl=line)
    server = start("--aclfile", "/data/users.acl", mounts=(f"{data}:/data",))
    made = run("redis_acl_user", persist="required", **server.options)
    assert (made["changed"], made["kept_in"]) == (True, "acl_file")
    assert PASSWORD not in (tmp_path / "data" / "users.acl").read_text()
    server.restart()
    assert works(server)
    assert not run("redis_acl_user", **server.options)["changed"]
    assert run("redis_acl_user", **{**server.options, "state": "absent"})["changed"]
    server.restart()
    assert not works(server)


def test_the_user_survives_a_restart_in_a_configuration_file(run: Any, start: Start, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", server_conf="appendonly yes\n")
    server = start(config="/data/server.conf", mounts=(f"{data}:/data",))
    made = run("redis_acl_user", persist="required", **server.options)
    assert (made["changed"], made["kept_in"], made["server"]["saves"]) == (True, "config_file", True)
    server.restart()
    assert works(server)
    assert not run("redis_acl_user", **server.options)["changed"]
    assert run("redis_acl_user", **{**server.options, "state": "absent"})["changed"]
    server.restart()
    assert not works(server)


def test_without_a_place_for_users_it_says_so_each_time(run: Any, start: Start) -> None:
    server = start("--save", "")
    refused = run("redis_acl_user", persist="required", **server.options)
    assert (refused["failed"], refused["code"]) == (True, "redis_not_kept")
    assert "langfuse" not in server.client().acl_users()
    for check in (True, False, False, True):
        result = run("redis_acl_user", check=check, **server.options)
        assert result["kept_in"] == "nowhere"
        assert "gone at the next restart" in str(result["warnings"])
        assert "keeps no data over a restart" in str(result["warnings"])
    assert "gone" not in str(run("redis_acl_user", persist="never", **server.options).get("warnings"))
    server.restart()
    assert not works(server)
    assert run("redis_acl_user", **server.options)["changed"]
    assert works(server)


@pytest.mark.parametrize("place", ["acl_file", "config_file"])
def test_what_cannot_be_written_down_is_taken_back(run: Any, start: Start, tmp_path: Path, place: str) -> None:
    line = f"user default on >{ADMIN} ~* &* +@all\n"
    read_only = folder(tmp_path / "etc", users_acl=line, server_conf="appendonly no\n")
    flags = ("--aclfile", "/etc/server/users.acl") if place == "acl_file" else ()
    config = "/etc/server/server.conf" if place == "config_file" else ""
    server = start(*flags, config=config, mounts=(f"{read_only}:/etc/server:ro",))
    for _ in range(2):
        failed = run("redis_acl_user", **server.options)
        assert (failed["failed"], failed["code"]) == (True, "redis_not_kept"), failed
        assert "taken back" in failed["msg"]
        assert server.client().acl_users() == ["default"]
    made = run("redis_acl_user", persist="never", **server.options)
    assert (made["changed"], made["kept_in"]) == (True, "nowhere")
    before = server.client().acl_list()
    changed = {**server.options, "password": "canary-langfuse-2"}
    assert run("redis_acl_user", channels=["a*"], **changed)["code"] == "redis_not_kept"
    assert server.client().acl_list() == before, "the user has what it had"
    assert run("redis_acl_user", **{**server.options, "state": "absent"})["code"] == "redis_not_kept"
    assert server.client().acl_list() == before
    assert works(server)


def test_an_evicting_server_is_refused_before_anything_is_changed(run: Any, start: Start) -> None:
    server = start("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    for state in ("present", "verified"):
        client = server.client()
        if state == "verified":
            client.execute_command("ACL", "SETUSER", "langfuse", "on", f">{PASSWORD}", "~langfuse:*", "+@all")
        refused = run("redis_acl_user", **{**server.options, "state": state})
        assert (refused["failed"], refused["code"]) == (True, "redis_evicting"), refused
        assert (refused["maxmemory_policy"], refused["cure"] in refused["msg"]) == ("allkeys-lru", True)
        assert ("langfuse" in client.acl_users()) == (state == "verified")
    taken = run("redis_acl_user", allow_eviction=True, **server.options)
    assert taken["changed"]
    assert "evicts keys" in str(taken["warnings"])
    server.client().config_set("maxmemory-policy", "noeviction")
    assert "evicts" not in str(run("redis_acl_user", **server.options)["warnings"])


def test_all_that_is_wrong_is_told_at_once(run: Any, start: Start) -> None:
    master = start()
    server = start("--replicaof", f"{master.host} 6379", "--masterauth", ADMIN, "--maxmemory-policy", "volatile-lru")
    server.client().execute_command("ACL", "SETUSER", "langfuse", "~*")
    refused = run("redis_acl_user", commands="+@all +nonsense -@nowhere", **server.options)
    assert refused["code"] == "redis_replica"
    for part in (f"replica of {master.host}:6379", "volatile-lru", "(~*)", "+nonsense, -@nowhere"):
        assert part in refused["msg"], refused["msg"]


def test_a_replica_has_users_of_its_own(run: Any, start: Start) -> None:
    master = start("--repl-diskless-sync-delay", "0")
    replica = start("--replicaof", f"{master.host} 6379", "--masterauth", ADMIN)
    wait(lambda: replica.client().info("replication")["master_link_status"] == "up")
    made = run("redis_acl_user", **master.options)
    assert "has 1 replicas, and users are not replicated" in str(made["warnings"])
    master.client().wait(1, 2000)
    assert replica.client().acl_users() == ["default"], "users are not replicated"
    assert run("redis_acl_user", **replica.options)["code"] == "redis_replica"
    there = run("redis_acl_user", replica=True, **replica.options)
    assert (there["changed"], there["server"]["role"]) == (True, "replica")
    assert not run("redis_acl_user", replica=True, probe=True, **replica.options)["changed"], "it takes no writes"
    replica.client().execute_command("REPLICAOF", "NO", "ONE")
    assert works(replica)


def test_a_node_of_a_cluster(run: Any, start: Start) -> None:
    server, other = (start("--cluster-enabled", "yes", "--cluster-node-timeout", "15000") for _ in range(2))
    for node, slots in ((server, (0, 8000)), (other, (8001, 16383))):
        node.client().execute_command("CLUSTER", "ADDSLOTSRANGE", *slots)
    server.client().execute_command("CLUSTER", "MEET", other.host, 6379)
    wait(lambda: all("state:ok" in node.client().execute_command("CLUSTER", "INFO") for node in (server, other)))
    # Half of the keys are of the other node: the rights are known all the same.
    made = run("redis_acl_user", probe=True, **server.options)
    assert made.get("key_patterns") == ["~langfuse:*", "~{langfuse:*"], made
    assert "each keeps its own users" in str(made["warnings"])
    assert not run("redis_acl_user", **server.options)["changed"]
    seen = server.client().acl_getuser("langfuse")["keys"]
    assert sorted(seen) == ["~langfuse:*", "~{langfuse:*"]
    assert run("redis_acl_user", cluster=False, **server.options)["changes"] == ["keys"]
    own = {"login_host": server.host, "password": PASSWORD, "state": "verified", "wait": 5}
    lacks = run("redis_acl_user", **own)
    assert lacks["code"] == "redis_rights"
    assert "step queue_keys" in lacks["msg"]


def test_tls(run: Any, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("theirs", "strange"):
        (tmp_path / name).mkdir()
        certificates.write(tmp_path / name, "redis.test")
    folder(tmp_path / "theirs")
    flags = "--port 0 --tls-port 6379 --tls-cert-file /tls/server.pem --tls-key-file /tls/server.key --tls-ca-cert-file /tls/ca.pem"
    server = start(*flags.split(), answers=False, mounts=(f"{tmp_path / 'theirs'}:/tls:ro",))
    theirs = tmp_path / "theirs"
    pair = {"client_cert": str(theirs / "server.pem"), "client_key": str(theirs / "server.key")}
    # The certificate has a name that no resolver knows.
    address, real = server.host, __import__("socket").getaddrinfo
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda host, *a, **k: real(address if host == "redis.test" else host, *a, **k)
    )
    named = {**server.options, "login_host": "redis.test", "tls": True, "ca_path": str(theirs / "ca.pem"), **pair}
    made = run("redis_acl_user", **named)
    assert made.get("changed"), made
    assert not run("redis_acl_user", **named)["changed"]
    own = {key: value for key, value in named.items() if not key.startswith("login_pass")}
    assert run("redis_acl_user", **{**own, "state": "verified"})["isolated"]
    for wrong, code in (
        ({"ca_path": str(tmp_path / "strange" / "ca.pem")}, "redis_tls"),
        ({"ca_path": None}, "redis_tls"),
        ({"login_host": address}, "redis_tls"),
        ({"client_cert": None, "client_key": None}, "redis_tls"),
        ({"ca_path": str(tmp_path / "none.pem")}, "bad_option"),
        ({"tls": False}, "bad_option"),
    ):
        options = {key: value for key, value in {**named, "wait": 1, **wrong}.items() if value is not None}
        refused = run("redis_acl_user", **options)
        assert (refused.get("failed"), refused.get("code")) == (True, code), (wrong, refused)
    plain = {**server.options, "wait": 0}
    refused = run("redis_acl_user", **plain)
    assert refused["code"] == "redis_down"
    assert "tls: true" in refused["msg"]
    unverified = {
        **named,
        "login_host": address,
        "ca_path": str(tmp_path / "strange" / "ca.pem"),
        "validate_certs": False,
    }
    assert not run("redis_acl_user", **unverified)["changed"]


def test_tls_where_the_server_speaks_none(run: Any) -> None:
    # It waits for the rest of what it takes for a command, until the client gives up.
    server = Server(Engine("valkey"))
    try:
        server.client()
        refused = run("redis_acl_user", tls=True, **{**server.options, "wait": 0})
    finally:
        server.remove()
    assert (refused["code"], "tls: false" in refused["msg"]) == ("redis_down", True), refused


def test_where_nothing_listens_it_waits_and_no_longer(run: Any, closed_port: str) -> None:
    host, port = closed_port.split(":")
    began = time.monotonic()
    result = run("redis_acl_user", login_host=host, login_port=int(port), password=PASSWORD, wait=1)
    assert (result["code"], result["kind"]) == ("redis_down", "refused")
    assert 1 <= time.monotonic() - began < 30
    unknown = run("redis_acl_user", login_host="no-such-host.invalid", password=PASSWORD, wait=0)
    assert (unknown["code"], unknown["kind"]) == ("redis_down", "name")


def test_a_server_that_reads_its_data_is_waited_for(run: Any, start: Start, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", server_conf='save ""\nrdbcompression no\n')
    server = start(config="/data/server.conf", mounts=(f"{data}:/data",))
    server.client().mset({f"other:{number}": "x" * 200 for number in range(500)})
    server.client().save()
    # Microseconds for each key: ten seconds in all. It answers between some of them.
    slow = 'save ""\nkey-load-delay 20000\nloading-process-events-interval-bytes 1024\nrdbcompression no\n'
    (tmp_path / "data" / "server.conf").write_text(slow)
    docker("kill", server.name)
    docker("start", server.name)
    options = server.options
    early = run("redis_acl_user", **{**options, "wait": 0})
    while early["code"] == "redis_down":
        early = run("redis_acl_user", **{**options, "wait": 0})
    assert early["code"] == "redis_loading", early
    assert run("redis_acl_user", **{**options, "wait": 60})["changed"]


def test_memory_that_is_full_is_named_by_the_probe(run: Any, start: Start) -> None:
    server = start("--maxmemory", "1")
    result = run("redis_acl_user", probe=True, **server.options)
    assert (result["failed"], result["code"]) == (True, "redis_full"), result
    assert result["probe"][-1]["step"] == "commands"
    assert not run("redis_acl_user", **server.options)["changed"]


def test_an_open_default_user_is_told(run: Any, start: Start) -> None:
    server = start("--protected-mode", "no")
    server.client().execute_command("ACL", "SETUSER", "default", "nopass")
    open_to_all = run("redis_acl_user", **server.options)
    assert "needs no password and may read ~*" in str(open_to_all["warnings"])
    server.client().execute_command("CONFIG", "SET", "protected-mode", "yes")
    refused = run("redis_acl_user", **server.options)
    assert (refused["failed"], refused["code"]) == (True, "redis_protected"), refused
