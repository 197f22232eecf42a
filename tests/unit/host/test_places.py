"""Where data is and where it is wanted: what must not start from nothing, and what may."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import places, records
from ansible_collections.llmops.langfuse.plugins.module_utils.places import Places, Seen
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.compose.project import project

from ..settings.cases import GOOD
from ..settings.source_cases import POSTGRES, REDIS, S3
from ..settings.support import run

STORES = ("postgres", "valkey")
VOLUMES = ("langfuse_postgres", "langfuse_valkey")
NEW, OLD = ("/new/postgres", "/new/valkey"), ("/old/postgres", "/old/valkey")
NAMED = Places(STORES)
FOLDERS = Places(STORES, dict(zip(STORES, NEW, strict=True)))


@pytest.mark.parametrize(
    ("wanted", "seen", "volumes", "codes"),
    [
        pytest.param(NAMED, Seen(), (), [], id="fresh host, named volumes"),
        pytest.param(FOLDERS, Seen(), (), [], id="fresh host, folders"),
        pytest.param(NAMED, Seen(migrated=True), VOLUMES, [], id="second run, named volumes"),
        pytest.param(NAMED, Seen(migrated=True), (), [], id="named volumes that somebody removed"),
        pytest.param(FOLDERS, Seen(NEW, "/new", migrated=True), (), [], id="second run, folders"),
        pytest.param(FOLDERS, Seen(recorded="/new"), (), [], id="interrupted before the stores wrote anything"),
        pytest.param(FOLDERS, Seen(migrated=True), VOLUMES, ["data_elsewhere"], id="set under named volumes"),
        pytest.param(FOLDERS, Seen(NEW[:1]), VOLUMES, ["data_elsewhere"], id="half moved"),
        pytest.param(FOLDERS, Seen(NEW), VOLUMES, ["data_left"], id="moved out of named volumes"),
        pytest.param(FOLDERS, Seen(NEW), ("langfuse_extra",), [], id="a volume of an override is no data of a store"),
        pytest.param(NAMED, Seen((), "/old", OLD, True), (), ["data_elsewhere"], id="removed under data"),
        pytest.param(FOLDERS, Seen((), "/old", OLD, True), (), ["data_elsewhere"], id="changed under data"),
        pytest.param(FOLDERS, Seen(NEW, "/old", (), True), (), [], id="moved whole"),
        pytest.param(
            FOLDERS, Seen(NEW, "/old", OLD, True), (), ["data_elsewhere"], id="copied, or an older copy of what is live"
        ),
        pytest.param(NAMED, Seen((), "/old", OLD, True), VOLUMES, ["data_elsewhere"], id="back to older named volumes"),
        pytest.param(FOLDERS, Seen((), "/new", (), True), (), ["data_missing"], id="the disk is not mounted"),
        pytest.param(FOLDERS, Seen(NEW[:1], "/new", (), True), (), ["data_missing"], id="one store is empty"),
        pytest.param(NAMED, Seen((), "/old", (), True), (), ["data_missing"], id="removed while the disk is away"),
        pytest.param(FOLDERS, Seen(may_chown=False), (), ["rights_data"], id="not root"),
        pytest.param(NAMED, Seen(may_chown=False), (), [], id="not root, named volumes"),
        pytest.param(
            Places(store_places={"postgres": "db:5432/langfuse"}),
            Seen(migrated=True),
            (),
            ["store_moved"],
            id="taken out",
        ),
        pytest.param(
            Places(store_places={"redis": "bundled"}),
            Seen(store_places={"redis": "cache:6379 langfuse:"}, migrated=True),
            (),
            ["store_moved"],
            id="taken in",
        ),
        pytest.param(
            Places(store_places={"s3": "s3 https://new"}, moved=("s3",)),
            Seen(store_places={"s3": "s3 https://old"}, migrated=True),
            (),
            [],
            id="moved to another place, and said so",
        ),
        pytest.param(
            Places(store_places={"s3": "s3 https://new"}),
            Seen(store_places={"s3": "s3 https://old"}),
            (),
            [],
            id="never used",
        ),
        pytest.param(
            Places(store_places={"postgres": "pooler:6432/langfuse"}),
            Seen(store_places={"postgres": "db:5432/langfuse"}, migrated=True, identified=("postgres",)),
            (),
            [],
            id="another address of a store that can be asked",
        ),
        pytest.param(
            Places(store_places={"redis": "cache:6379 other:", "postgres": "db:5432/other"}),
            Seen(
                store_places={"redis": "cache:6379 langfuse:", "postgres": "db:5432/langfuse"},
                migrated=True,
                identified=("postgres", "redis"),
            ),
            (),
            ["store_moved", "store_moved"],
            id="another prefix and another database need no asking",
        ),
        pytest.param(
            Places(store_places={"postgres": "bundled"}),
            Seen(store_places={"postgres": "db:5432/langfuse"}, migrated=True, identified=("postgres",)),
            (),
            ["store_moved"],
            id="taken in, which needs no asking",
        ),
        pytest.param(
            Places(store_places={"postgres": "db:5432/langfuse"}, former={"postgres": "pooler:6432/langfuse"}),
            Seen(store_places={"postgres": "pooler:6432/langfuse"}, migrated=True),
            (),
            [],
            id="written down by its pooler",
        ),
        pytest.param(NAMED, Seen(missing_sources=("/srv/models",)), (), ["source_missing"], id="extra volume"),
    ],
)
def test_findings(wanted: Places, seen: Seen, volumes: tuple[str, ...], codes: list[str]) -> None:
    found = places.findings(wanted, seen, "langfuse", volumes)
    assert [one["code"] for one in found] == codes
    assert all(one["what"] and one["cure"] for one in found)


def _written(tmp_path: Path) -> Path:
    """A project directory as the last run left it, with its data under `tmp_path`/data."""
    result = run({**GOOD, "langfuse_data_directory": f"{tmp_path}/data"})
    assert not result.problems
    (compose, *_others) = project(result.plan, result.secrets)
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / compose.path).write_text(compose.content())
    return directory


def test_what_the_last_run_recorded_is_read_back(tmp_path: Path) -> None:
    directory = _written(tmp_path)
    postgres = tmp_path / "data" / "langfuse" / "postgres"
    postgres.mkdir(parents=True)
    assert places.look(str(directory), NAMED).recorded == f"{tmp_path}/data/langfuse"
    assert places.look(str(directory), NAMED).recorded_folders == ()
    (postgres / "PG_VERSION").touch()
    assert places.look(str(directory), NAMED).recorded_folders == (str(postgres),)
    again = places.look(str(directory), Places(STORES, {"postgres": str(postgres)}))
    assert again.folders == (str(postgres),) and again.recorded_folders == ()
    assert not again.migrated
    (directory / records.MIGRATION).touch()
    assert places.look(str(directory), NAMED).migrated


def test_a_missing_source_is_seen(tmp_path: Path) -> None:
    wanted = Places(sources=(str(tmp_path), f"{tmp_path}/nothing"))
    assert places.look(str(tmp_path), wanted).missing_sources == (f"{tmp_path}/nothing",)


def test_what_cannot_be_listed_counts_as_data(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert places._holds_something(str(tmp_path / "file"))
    assert not places._holds_something(str(tmp_path / "nothing"))


def test_free_space_is_that_of_the_nearest_directory(tmp_path: Path) -> None:
    assert places.nearest(f"{tmp_path}/not/yet") == str(tmp_path)
    assert places.nearest(os.sep) == os.sep


def test_places_of_stores_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    given = {**GOOD, **POSTGRES, **REDIS, **S3}
    result = run({**given, "langfuse_redis_key_prefix": "shop:"})
    (tmp_path / records.PROJECT).write_text(project(result.plan, result.secrets)[0].content())
    (tmp_path / records.MIGRATION).write_text("{}")
    wanted = {name: place for name, place in result.plan["compose"]["store_places"].items() if place != "bundled"}
    seen = places.look(str(tmp_path), Places())
    assert seen.store_places == wanted
    assert seen.data_outside == tuple(f"{store} at {place}" for store, place in wanted.items())
    assert seen.written and not seen.identified
    (tmp_path / records.IDENTITIES).write_text('{"postgres": ["1/langfuse"]}')
    assert places.look(str(tmp_path), Places()).identified == ("postgres",)


def test_the_bundled_postgresql_is_not_the_one_of_a_stack_that_is_called_so(tmp_path: Path) -> None:
    joined = run({**GOOD, **POSTGRES, "langfuse_postgres_host": "postgres"})
    (tmp_path / records.PROJECT).write_text(project(joined.plan, joined.secrets)[0].content())
    (tmp_path / records.MIGRATION).write_text("{}")
    bundled = run(GOOD).plan["compose"]
    wanted = Places(store_places=bundled["store_places"], former=bundled["former_places"])
    found = places.findings(wanted, places.look(str(tmp_path), wanted), "langfuse", ())
    assert [one["code"] for one in found] == ["store_moved"]


@pytest.mark.parametrize(
    ("store", "before", "now", "same"),
    [
        ("redis", "a:1,b:1 langfuse:", "b:1,c:1 langfuse:", True),
        ("redis", "a:1 langfuse:", "a:1 other:", False),
        ("redis", "a:1 langfuse:", "b:1 langfuse:", False),
        ("redis", "a:1,b:1 langfuse:", "b:1,c:1/mymaster langfuse:", True),
        ("redis", "a:1,b:1/one langfuse:", "b:1,c:1/two langfuse:", False),
        ("s3", "s3 https://minio", "s3 https://minio events,media", True),
        ("s3", "s3 https://minio:9000", "s3 https://minio events,media", False),
        ("s3", "s3 https://minio events,media", "s3 https://minio events,other", False),
        ("postgres", "db:5432/langfuse", "db:5432/langfuse", True),
        ("postgres", "db:5432/langfuse", "db:5432/other", False),
        ("clickhouse", "ch:8123/langfuse", "ch-2:8123/langfuse", False),
    ],
)
def test_places_that_are_one_store(store: str, before: str, now: str, same: bool) -> None:
    assert places.same(store, before, now) == same


POSTGRES_AT_DB = {"postgres": "db:5432/langfuse"}


@pytest.mark.parametrize(
    ("wanted", "seen", "new", "unclaimed"),
    [
        pytest.param(Places(store_places=POSTGRES_AT_DB), Seen(), True, ["postgres"], id="new"),
        pytest.param(Places(store_places=POSTGRES_AT_DB), Seen(), False, [], id="on a new host, with its secrets"),
        pytest.param(Places(store_places={"postgres": "bundled"}), Seen(), True, [], id="of its own"),
        pytest.param(Places(store_places=POSTGRES_AT_DB, moved=("postgres",)), Seen(), True, [], id="said so"),
        pytest.param(
            Places(store_places=POSTGRES_AT_DB),
            *(Seen(store_places=POSTGRES_AT_DB, written=True), True, []),
            id="interrupted, or all secrets given",
        ),
        pytest.param(
            Places(store_places=POSTGRES_AT_DB),
            *(Seen(store_places={"postgres": "typo:5432/langfuse"}, written=True), False, ["postgres"]),
            id="corrected before it was used",
        ),
        pytest.param(Places(store_places=POSTGRES_AT_DB), Seen(written=True), False, ["postgres"], id="was bundled"),
        pytest.param(
            Places(store_places={"postgres": "pooler:6432/langfuse"}),
            Seen(store_places=POSTGRES_AT_DB, written=True, migrated=True, identified=("postgres",)),
            *(False, []),
            id="asked who it is instead",
        ),
    ],
)
def test_stores_that_the_instance_has_not_used(wanted: Places, seen: Seen, new: bool, unclaimed: list[str]) -> None:
    assert places.unclaimed(wanted, seen, new) == unclaimed
