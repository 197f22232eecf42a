"""What the runbooks say: something is broken, the page's commands name it, mend it and prove it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.molecule import playbook, runbook
from tests.molecule.instance import Instance, docker
from tests.molecule.shared import shop
from tests.molecule.shared.test_connect import CONFIG, CONSUMERS, ENV, OWN, OWN_CONFIG, environment
from tests.molecule.traces import Bucket, Traces


def follow(instance: Instance, page: str, heading: str, fails: bool = False, **places: str) -> playbook.Run:
    """Run all commands below a heading, `places` put in; the last playbook's run."""
    done = None
    for words in runbook.lines(page, heading):
        if words[0] == "docker":
            docker(*[places[word.strip("<>")] if word.startswith("<") else word for word in words[1:]])
            continue
        assert words[:3] == runbook.PLAYBOOK
        done = playbook.run(instance, *words[3:], variables={"langfuse_consumers": CONSUMERS}, fails=fails)
    assert done is not None
    return done


def names(instance: Instance, page: str, heading: str, *said: str) -> None:
    """What the page tells to run first names all of this."""
    began = time.monotonic()
    follow(instance, page, heading, fails=True).mentions(*said)
    assert time.monotonic() - began < 180, "nobody waits that long at night"


@pytest.fixture(scope="module", autouse=True)
def consumer() -> None:
    """A service and a gateway that are not connected any more: the tests of `connect` took their keys out."""
    ENV.write_text(OWN)
    CONFIG.write_text(OWN_CONFIG)


def test_litellm_without_keys_and_callback(shared: Instance) -> None:
    """What everybody begins with: nothing else is wrong."""
    names(
        shared,
        "litellm",
        "Find the cause",
        "consumer_keys (error)",
        f"LANGFUSE_SECRET_KEY in {ENV}",
        "consumer_config (error)",
        "Run connect",
    )
    follow(shared, "litellm", "Connect it again").mentions("a trace came back through http://langfuse-web:3000")


def test_litellm_that_was_only_restarted(shared: Instance) -> None:
    """Somebody wrote the right key into the file, and restarted the container."""
    right = ENV.read_text()
    ENV.write_text(right.replace("LANGFUSE_PUBLIC_KEY=pk", "LANGFUSE_PUBLIC_KEY=old-pk"))
    shop.compose("up", "-d", "--force-recreate", "--no-deps", "ai-service")
    ENV.write_text(right)
    shop.compose("restart", "-t", "1", "ai-service")
    names(shared, "litellm", "Find the cause", "consumer_container (error)", "ai-service", "LANGFUSE_PUBLIC_KEY")
    follow(shared, "litellm", "Connect it again")
    assert environment()["LANGFUSE_PUBLIC_KEY"] == shared.secrets()["langfuse_init_project_public_key"]


def test_nothing_is_wrong(shared: Instance) -> None:
    follow(shared, "README", "Runbooks").mentions("consumers ok", "trace ok", "containers ok")


def test_a_password_that_somebody_changed(shared: Instance) -> None:
    shop.sql("ALTER ROLE langfuse PASSWORD 'somethingElse1'")
    names(
        shared,
        "database",
        "Find the cause",
        "database FAILED",
        "database_password (error)",
        "of user langfuse",
        "Run site",
    )
    follow(shared, "database", "The password")


def test_postgresql_that_is_down(shared: Instance) -> None:
    shop.compose("stop", "-t", "2", "pgsql")
    try:
        names(shared, "database", "Find the cause", "database FAILED", "database_unreachable (error)", "pgsql:5432")
    finally:
        follow(shared, "database", "PostgreSQL is down", project=shop.PROJECT, service="pgsql")


@pytest.fixture
def renamed() -> Iterator[None]:
    """The database under another name, and back."""
    rename("langfuse", "langfuse_aside")
    yield
    if "langfuse_aside" in shop.sql("SELECT datname FROM pg_database"):
        rename("langfuse_aside", "langfuse")


def rename(old: str, new: str) -> None:
    for statement in (
        f"ALTER DATABASE {old} ALLOW_CONNECTIONS false",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{old}'",
        f"ALTER DATABASE {old} RENAME TO {new}",
        f"ALTER DATABASE {new} ALLOW_CONNECTIONS true",
    ):
        shop.sql(statement)


def test_a_database_that_is_gone(shared: Instance, renamed: None) -> None:
    names(
        shared,
        "database",
        "Find the cause",
        "database FAILED",
        "database_missing (error)",
        "no database langfuse",
        "its name back",
    )
    rename("langfuse_aside", "langfuse")
    follow(shared, "database", "The database is gone")


def test_a_worker_that_is_down(shared: Instance) -> None:
    """What is accepted meanwhile comes afterwards."""
    docker("stop", "-t", "5", f"{shared.name}-langfuse-worker-1")
    traces = Traces(shared)
    waiting, status = traces.send("while-the-worker-was-down")
    assert status == 200
    names(shared, "no-traces", "Find the cause", "worker FAILED", "worker_down (error)", "exited")
    follow(shared, "no-traces", "The worker")
    assert traces.missing("while-the-worker-was-down", [waiting], 60) == set()


def test_stores_that_are_down(shared: Instance) -> None:
    docker("stop", "-t", "5", f"{shared.name}-clickhouse-1", f"{shared.name}-seaweedfs-1")
    names(shared, "stores", "Find the cause", "clickhouse_down (error)", "s3_down (error)", "site starts a bundled one")
    follow(shared, "stores", "Start them")


def other_secrets(instance: Instance, service: str, names: dict[str, str]) -> None:
    """A hand in the environment of a store: its container is made with other values."""
    path = instance.directory / "env" / f"{service}.env"
    kept = path.read_text()
    lines = [line for line in kept.splitlines() if line.split("=")[0] not in names]
    path.write_text("\n".join([*lines, *(f"{name}={value}" for name, value in names.items())]) + "\n")
    project = ("-p", instance.name, "--project-directory", str(instance.directory))
    docker("compose", *project, "up", "-d", "--no-deps", "--wait", service)


def test_keys_that_the_store_does_not_know_any_more(shared: Instance) -> None:
    other_secrets(shared, "seaweedfs", {"AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "somethingElse1"})
    other_secrets(shared, "clickhouse", {"CLICKHOUSE_PASSWORD": "somethingElse1"})
    assert Traces(shared).send("refused")[1] == 500
    names(shared, "uploads", "Find the cause", "s3_wrong_keys (error)", "clickhouse_password (error)", "Run site")
    follow(shared, "uploads", "Keys")


def test_a_bucket_that_is_gone(shared: Instance) -> None:
    """The one of exports, which is empty. SeaweedFS makes one that is written to by itself, and renames none."""
    bucket = Bucket(shared)
    bucket.delete("langfuse-exports")
    names(
        shared,
        "uploads",
        "Find the cause",
        "s3_write FAILED",
        "s3_bucket_missing (error)",
        "langfuse-exports",
        "Run site",
    )
    follow(shared, "uploads", "Buckets")
    assert "langfuse-exports" in bucket.names()
