from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.builder import Built
from tests.bench.catalogue import EXTRAS, STANDINS, STORES, Image, hash_context, wanted_images
from tests.bench.variables import format_variables


def _image(directory: Path) -> Image:
    return Image("x", "library/x", directory, directory / "Dockerfile", (directory,), "langfuse_x_version")


@pytest.fixture
def context(tmp_path: Path) -> Path:
    directory = tmp_path / "x"
    (directory / "sub").mkdir(parents=True)
    (directory / "Dockerfile").write_text("FROM base\n")
    (directory / "sub" / "run.sh").write_text("#!/bin/sh\n")
    return directory


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda path: (path / "Dockerfile").write_text("FROM other\n"), True),
        (lambda path: (path / "sub" / "run.sh").chmod(0o755), True),
        (lambda path: (path / "sub" / "run.sh").rename(path / "sub" / "start.sh"), True),
        (lambda path: (path / "sub" / "new").touch(), True),
        (lambda path: (path / "sub" / "run.sh").touch(), False),
        (lambda path: (path / "__pycache__").mkdir() or (path / "__pycache__" / "a.pyc").touch(), False),
    ],
    ids=["content", "execute bit", "name", "new file", "time only", "caches"],
)
def test_hash_follows_what_goes_into_the_image(context: Path, change: Callable[[Path], object], differs: bool) -> None:
    before = hash_context(_image(context))
    change(context)
    assert (hash_context(_image(context)) != before) is differs


def test_hash_does_not_depend_on_the_place(context: Path, tmp_path: Path) -> None:
    before = hash_context(_image(context))
    (tmp_path / "elsewhere").mkdir()
    moved = context.rename(tmp_path / "elsewhere" / "x")
    assert hash_context(_image(moved)) == before


@pytest.mark.parametrize(
    ("name", "output", "expected"),
    [
        ("postgres", "postgres (PostgreSQL) 17.6 (Debian 17.6-0+deb13u1)", "17.6"),
        ("valkey", "Server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1", "8.1.1"),
        ("redis", "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1", "7.0.15"),
        ("cnpg_postgresql", "postgres (PostgreSQL) 17.11 (Debian 17.11-0+deb13u1)", "17.11"),
        ("cnpg_pgbouncer", "PgBouncer 1.24.1\nlibevent 2.1.12-stable\n", "1.24.1"),
        ("traefik", "Version:      3.7.15\nCodename:     x\n", "3.7.15"),
        ("seaweedfs", "version 30GB 4.48 abcdef linux amd64", "4.48"),
        ("clickhouse", "ClickHouse server version 26.9.2.1 (the engine as a library).", "26.9.2.1"),
    ],
)
def test_version_is_read_from_the_engine_inside(name: str, output: str, expected: str) -> None:
    image = next(image for image in (*STORES, *EXTRAS) if image.name == name)
    assert image.find_version(output) == expected


def test_what_only_some_tests_need_is_not_built_by_up() -> None:
    assert not {image.name for image in wanted_images()} & {image.name for image in EXTRAS}
    assert {hash_context(image) for image in EXTRAS}.isdisjoint(hash_context(image) for image in STORES)


def test_hash_follows_the_release_of_the_base(context: Path) -> None:
    image = _image(context)
    assert hash_context(replace(image, suite="bookworm")) != hash_context(image)


def test_no_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="no version"):
        STORES[0].find_version("command not found")


def test_repositories_are_the_official_ones() -> None:
    assert [image.repository for image in (*STORES, *STANDINS)] == [
        "library/postgres",
        "valkey/valkey",
        "chrislusf/seaweedfs",
        "clickhouse/clickhouse-server",
        "langfuse/langfuse",
        "langfuse/langfuse-worker",
    ]


def test_variables_redirect_to_the_bench() -> None:
    images = [
        Built("valkey", "langfuse_valkey_version", "valkey/valkey", "8.1.1", "h", 1, 1.0),
        Built("langfuse", "langfuse_version", "langfuse/langfuse", "4.16.0-stand-in", "h", 1, 1.0),
        Built("langfuse-worker", "langfuse_version", "langfuse/langfuse-worker", "4.16.0-stand-in", "h", 1, 1.0),
    ]
    assert format_variables(images).splitlines()[2:] == [
        "langfuse_image_registry: bench.localhost",
        "langfuse_image_pull: never",
        'langfuse_valkey_version: "8.1.1"',
        'langfuse_version: "4.16.0-stand-in"',
    ]


def test_variables_redirect_nothing_when_a_registry_answers() -> None:
    assert "langfuse_" not in format_variables([])
