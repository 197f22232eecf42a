"""PostgreSQL by CloudNativePG: its password, what its data does not take, two servers behind PgBouncer, a failover.

Volumes do not shrink again, so what follows has the larger ones.
"""

from __future__ import annotations

import time

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.bench import extras
from tests.bench.cluster import runtime
from tests.bench.cluster.api import Object
from tests.bench.lock import only_one
from tests.molecule import canary, playbook
from tests.molecule.kubernetes import faults
from tests.molecule.kubernetes.instance import LAYOUT, ClusterInstance, api, kubectl
from tests.molecule.load import Load
from tests.molecule.traces import Traces
from tests.waiting import wait_until

API = "postgresql.cnpg.io/v1"


def _postgresql(cluster: ClusterInstance) -> Object:
    found: Object = api().get(cluster.path("clusters", f"{cluster.name}-postgresql", API))
    return found


def _primary(cluster: ClusterInstance) -> Object:
    found: Object = api().get(cluster.path("pods", _postgresql(cluster)["status"]["currentPrimary"]))
    return found


def _query(cluster: ClusterInstance, statement: str, password: str = "") -> str:
    """By the server's own account, or as the application with this password, which no command line shows."""
    pod = _primary(cluster)["metadata"]["name"]
    where = "dbname=langfuse"
    if password:
        where += f" user=langfuse host={cluster.name}-postgresql-rw.{cluster.namespace}.svc.cluster.local"
    words = ("sh", "-c", 'IFS= read -r PGPASSWORD; export PGPASSWORD; exec psql -XAtc "$0" "$1"', statement, where)
    place = (f"--namespace={cluster.namespace}", pod, "--container=postgres")
    return kubectl("exec", "--stdin", *place, "--", *words, stdin=f"{password}\n").strip()


def test_changed_password_is_taken_over_while_traces_flow(cluster: ClusterInstance) -> None:
    old, pods = cluster.secrets()["langfuse_postgres_password"], cluster.uids()
    assert _query(cluster, "select 1", old) == "1"
    new = f"changed-{old}"
    cluster.change_given("langfuse_postgres_password", new)

    with Load(cluster) as load:
        changed = playbook.site(cluster, "--diff")

    print(load.summary())
    after = cluster.uids()
    assert {component for component in pods if pods[component] != after.get(component)} == {"web", "worker"}
    assert len(load.accepted) == len(load.sent)
    assert load.lost() == set()
    assert canary.CLUSTERS.found_in(changed.output, old, new) == []
    assert _query(cluster, "select 1", new) == "1"
    with pytest.raises(RuntimeError, match="password authentication failed"):
        _query(cluster, "select 1", old)


def test_what_its_data_does_not_take_is_refused(cluster: ClusterInstance) -> None:
    repository, _colon, version = _postgresql(cluster)["spec"]["imageName"].rpartition(":")
    before = cluster.settled()
    other = {"langfuse_postgres_storage": "5Gi", "langfuse_postgres_image": f"{repository}:99.1"}
    refused = playbook.site(cluster, variables=other, fails=True)
    refused.mentions(
        "Nothing was changed",
        "has volumes of 10Gi, which cannot shrink to 5Gi. Write langfuse_postgres_storage: 10Gi again",
        f"has data of PostgreSQL {version.partition('.')[0]}, and the image is of 99",
    )
    assert cluster.versions() == before


def test_it_goes_only_when_it_is_named(cluster: ClusterInstance) -> None:
    """The plan for an instance to which the same server is somebody else's from now on."""
    name, home = f"{cluster.name}-postgresql", cluster.namespace
    gone = f"--- before: Cluster {name} in {home} +++ after: (removed)"
    moved = {
        "cnpg_enabled": False,
        "langfuse_postgres_source": "existing",
        "langfuse_postgres_image": None,
        "langfuse_postgres_host": f"{name}-rw.{home}.svc.cluster.local",
        "langfuse_postgres_sslmode": "require",
        "langfuse_postgres_password": cluster.secrets()["langfuse_postgres_password"],
    }
    refused = playbook.site(cluster, variables=moved, fails=True)
    refused.mentions(
        "The data of postgres is at cnpg/langfuse, and", f"{name}-rw.{home}.svc.cluster.local:5432/langfuse"
    )
    moved["langfuse_moved_stores"] = ["postgres"]
    kept = playbook.check(cluster, moved)
    kept.mentions(f"write Cluster/{name} into langfuse_kubernetes_remove")
    assert gone not in " ".join(kept.output.split())
    playbook.check(cluster, {**moved, "langfuse_kubernetes_remove": [f"Cluster/{name}"]}).mentions(gone)


@pytest.fixture(scope="module")
def pooler_image() -> str:
    reference = extras.ensure(LAYOUT.paths, "cnpg_pgbouncer")
    with only_one(LAYOUT.paths):
        runtime.add_from_docker(LAYOUT, reference, {})
    return reference


def _is_written(cluster: ClusterInstance) -> bool:
    """Whether what PgBouncer leads to takes changes, which a server that follows another one does not."""
    host = cluster.service("postgresql-pooler")["spec"]["clusterIP"]
    password = cluster.secrets()["langfuse_postgres_password"]
    login = make_conninfo(host=host, user="langfuse", dbname="langfuse", password=password, connect_timeout=5)
    try:
        with psycopg.connect(login) as connection:
            connection.execute("create temporary table written (number int) on commit drop")
    except psycopg.Error:
        return False
    return True


def test_two_larger_servers_behind_a_pooler(cluster: ClusterInstance, pooler_image: str) -> None:
    # A new server begins with a checkpoint, which PostgreSQL else spreads over minutes.
    _query(cluster, "checkpoint")
    cluster.change_given("langfuse_postgres_storage", "12Gi")
    playbook.site(
        cluster,
        variables={
            "langfuse_postgres_instances": 2,
            "langfuse_postgres_pooler_instances": 1,
            "langfuse_postgres_pooler_image": pooler_image,
        },
    )

    status = _postgresql(cluster)["status"]
    assert (status["readyInstances"], status["phase"]) == (2, "Cluster in healthy state")
    claims = [cluster.path("persistentvolumeclaims", name) for name in status["instanceNames"]]
    wait_until(
        "volumes of 12 GiB",
        lambda: [api().get(claim)["status"]["capacity"]["storage"] for claim in claims] == ["12Gi"] * 2,
        120,
    )
    Traces(cluster).arrives("pooled")
    pooler = cluster.pod("pooler")
    clients = "select distinct client_addr from pg_stat_activity where usename = 'langfuse'"
    assert _query(cluster, clients) == pooler["status"]["podIP"]
    assert _is_written(cluster)


def test_failover_while_traces_flow(cluster: ClusterInstance) -> None:
    old = _primary(cluster)
    with Load(cluster) as load:
        time.sleep(2)
        faults.end(cluster, old)
        began = time.monotonic()
        wait_until(
            "another primary",
            lambda: _postgresql(cluster)["status"]["currentPrimary"] != old["metadata"]["name"],
            120,
        )
        took = time.monotonic() - began
        wait_until("both servers", lambda: _postgresql(cluster)["status"].get("readyInstances") == 2, 240)
        time.sleep(2)
    print(f"another primary after {took:.1f} s, {load.summary()}")
    assert len(load.accepted) >= 10, load.summary()
    assert load.lost() == set()
    # Traces alone do not ask it: keys are remembered, and what comes in is in the bucket and in ClickHouse.
    wait_until("PgBouncer leads to the new primary", lambda: _is_written(cluster), 120, 1)
    wait_until("the worker reaches its stores again", cluster.works, 120)
    Traces(cluster).arrives("after-failover")
