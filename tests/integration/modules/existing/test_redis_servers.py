# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The user on every node of a cluster, and on master and replica behind sentinels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules import conftest
from tests.integration.modules.existing.stores import options_of_redis
from tests.integration.modules.redis_servers import ADMIN as REDIS_ADMIN
from tests.integration.modules.redis_servers import Engine, Server, folder
from tests.waiting import wait

Result = dict[str, Any]
pytestmark = pytest.mark.engine


def until(ready: Any) -> None:
    wait(lambda: bool(ready()))


def users(server: Server) -> list[str]:
    return list(server.client().acl_users())


def test_every_node_of_a_cluster_gets_the_user(run: Any, valkey: Any) -> None:
    """One is listed; a replica that is away blocks nothing, is named, and gets the user when it is back."""
    login = ("--masterauth", REDIS_ADMIN)
    nodes = [valkey("--cluster-enabled", "yes", "--cluster-config-file", "/data/nodes.conf", *login) for _ in range(3)]
    first, empty, replica = nodes
    first.client().execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    for node in (empty, replica):
        node.client().execute_command("CLUSTER", "MEET", first.host, 6379)
    for node in nodes:
        until(lambda node=node: "cluster_state:ok" in str(node.client().execute_command("CLUSTER", "INFO")))
        until(lambda node=node: "cluster_known_nodes:3" in str(node.client().execute_command("CLUSTER", "INFO")))
    replica.client().execute_command("CLUSTER", "REPLICATE", first.client().execute_command("CLUSTER", "MYID"))
    until(lambda: first.client().info("replication")["connected_slaves"] == 1)
    given = options_of_redis(first, mode="cluster", host=None, nodes=[f"{first.host}:6379"])
    assert run("existing_stores", check=True, **given)["changed"]
    conftest.docker("pause", replica.name)
    try:
        made = run("existing_stores", **given)
        assert made.get("changed"), made.get("msg")
        assert f"{replica.host}:6379 does not answer and lacks the user langfuse" in " ".join(made["notices"])
    finally:
        conftest.docker("unpause", replica.name)
    assert ["langfuse" in users(node) for node in nodes] == [True, True, False]
    mended = run("existing_stores", **given)
    assert mended.get("changed"), mended.get("msg")
    assert "does not answer" not in str(mended["notices"])
    assert all("langfuse" in users(node) for node in nodes)
    assert not run("existing_stores", **given)["changed"]
    assert "%R" not in str(given) and "~{langfuse:*" in str(first.client().acl_getuser("langfuse")["keys"])
    single = run("existing_stores", **options_of_redis(first))
    assert (single["code"], "langfuse_redis_mode: cluster" in single["msg"]) == ("redis_mode", True)


def test_a_single_server_is_no_cluster(run: Any, valkey: Any) -> None:
    server = valkey()
    refused = run(
        "existing_stores", **options_of_redis(server, mode="cluster", host=None, nodes=[f"{server.host}:6379"])
    )
    assert (refused["code"], "langfuse_redis_mode: single" in refused["msg"]) == ("redis_mode", True)
    assert users(server) == ["default"]


def test_master_and_replica_behind_sentinels_get_the_user(run: Any, valkey: Any, tmp_path: Path) -> None:
    master = valkey("--masterauth", REDIS_ADMIN)
    replica = valkey("--masterauth", REDIS_ADMIN, "--replicaof", master.host, "6379")
    monitor = f"sentinel monitor mymaster {master.host} 6379 1\nsentinel auth-pass mymaster {REDIS_ADMIN}\n"
    place = folder(tmp_path / "sentinel", sentinel_conf=monitor)
    sentinel = Server(Engine("valkey"), "--sentinel", config="/data/sentinel.conf", mounts=(f"{place}:/data",))
    try:
        client = sentinel.client(port=26379)
        until(lambda: client.execute_command("SENTINEL", "REPLICAS", "mymaster"))
        given = options_of_redis(
            master, mode="sentinel", host=None, nodes=[f"{sentinel.host}:26379"], sentinel_master="mymaster"
        )
        given["redis_sentinel_password"] = REDIS_ADMIN
        inside = replica.client()
        # It listens elsewhere for a while: away at once.
        inside.config_set("port", 6390)
        made = run("existing_stores", **given)
        assert made.get("changed"), made.get("msg")
        assert "lacks the user langfuse" in " ".join(made["notices"])
        inside.config_set("port", 6379)
        assert run("existing_stores", **given)["changed"]
        assert "langfuse" in users(master) and "langfuse" in users(replica)
        assert not run("existing_stores", **given)["changed"]
        given["redis"]["sentinel_master"] = "other"
        refused = run("existing_stores", **given)
        assert (refused["code"], "langfuse_redis_sentinel_master" in refused["msg"]) == ("redis_no_master", True)
    finally:
        sentinel.remove()
