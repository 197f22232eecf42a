"""The images the bench can build, and the hash that says whether a built one is still right."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.paths import IMAGE_SOURCES, TESTS

REGISTRY = "bench.localhost"
HASH_LABEL = "localhost.bench.context"
SUITE = "trixie"
BASE_PACKAGES = ("ca-certificates", "python3", "tzdata", "wget")
STANDIN_TAG = "4.16.0-stand-in"
PROBED_REGISTRY_IMAGE = "docker.io/langfuse/langfuse:4.16.0"

_IGNORED = ("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache")


@dataclass(frozen=True)
class Image:
    """One image.

    `probe` runs in the built image and `version` finds the tag in its output; a fixed `tag` needs neither.
    `sources` is everything its Dockerfile copies; `variable` is the collection variable that takes the tag.
    `suite` is the Debian release of its base.
    """

    name: str
    repository: str
    context: Path
    dockerfile: Path
    sources: tuple[Path, ...]
    variable: str
    probe: tuple[str, ...] = ()
    version: str = ""
    tag: str = ""
    target: str = ""
    suite: str = SUITE

    @property
    def requirements(self) -> Path:
        return self.dockerfile.parent / "requirements.txt"

    @property
    def maven(self) -> Path:
        return self.dockerfile.parent / "maven.txt"

    def reference(self, tag: str) -> str:
        return f"{REGISTRY}/{self.repository}:{tag}"

    def find_version(self, output: str) -> str:
        match = re.search(self.version, output)
        if match is None:
            raise ValueError(f"no version in what {' '.join(self.probe)} said: {output.strip()!r}")
        return match[1]


def _store(name: str, repository: str, probe: tuple[str, ...], version: str, suite: str = SUITE) -> Image:
    directory = IMAGE_SOURCES / name
    return Image(
        name=name,
        repository=repository,
        context=directory,
        dockerfile=directory / "Dockerfile",
        sources=(directory,),
        variable=f"langfuse_{name}_version",
        probe=probe,
        version=version,
        suite=suite,
    )


def _extra(name: str, repository: str, probe: tuple[str, ...], version: str, suite: str = SUITE) -> Image:
    """No variable of the collection takes its tag."""
    return replace(_store(name, repository, probe, version, suite), variable="")


def _standin(name: str, target: str) -> Image:
    directory = IMAGE_SOURCES / "langfuse"
    return Image(
        name=name,
        repository=f"langfuse/{name}",
        context=TESTS,
        dockerfile=directory / "Dockerfile",
        sources=(directory, TESTS / "standin"),
        variable="langfuse_version",
        tag=STANDIN_TAG,
        target=target,
    )


STORES = (
    _store("postgres", "library/postgres", ("postgres", "--version"), r"PostgreSQL\) (\d+\.\d+)"),
    _store("valkey", "valkey/valkey", ("valkey-server", "--version"), r"v=(\d+\.\d+\.\d+)"),
    _store("seaweedfs", "chrislusf/seaweedfs", ("weed", "version"), r"\b(\d+\.\d+)\b"),
    _store("clickhouse", "clickhouse/clickhouse-server", ("clickhouse-server", "--version"), r"(\d+(?:\.\d+){3})"),
)
# Built only where a test asks for them: `up --with NAME`, or `extras.ensure`.
EXTRAS = (
    _extra("keycloak", "keycloak/keycloak", ("/opt/keycloak/bin/kc.sh", "--version"), r"Keycloak (\d+\.\d+\.\d+)"),
    # For the cluster of the tests.
    _extra("cnpg_postgresql", "cloudnative-pg/postgresql", ("postgres", "--version"), r"PostgreSQL\) (\d+\.\d+)"),
    _extra("cnpg_pgbouncer", "cloudnative-pg/pgbouncer", ("pgbouncer", "--version"), r"PgBouncer (\d+\.\d+\.\d+)"),
    _extra("traefik", "library/traefik", ("traefik", "version"), r"Version:\s+(\d+\.\d+\.\d+)"),
    _extra("redis", "library/redis", ("redis-server", "--version"), r"v=(\d+\.\d+\.\d+)", "bookworm"),
)
STANDINS = (_standin("langfuse", "web"), _standin("langfuse-worker", "worker"))


def wanted_images() -> list[Image]:
    """Every image whose Dockerfile is in the tree."""
    return [image for image in (*STORES, *STANDINS) if image.dockerfile.exists()]


def _files(roots: Iterable[Path]) -> Iterable[tuple[str, Path]]:
    for root in roots:
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            if path.is_file() and not any(part in _IGNORED for part in inside.parts):
                yield f"{root.name}/{inside.as_posix()}", path


def hash_context(image: Image) -> str:
    """Changes with the content, name or execute bit of any file the image is made of, and with its base."""
    digest = hashlib.sha256(repr((image.suite, BASE_PACKAGES, image.target)).encode())
    for name, path in _files(image.sources):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"\n{name} {bool(path.stat().st_mode & 0o100)} {content}".encode())
    return digest.hexdigest()[:20]


def base_reference(suite: str = SUITE) -> str:
    return f"{REGISTRY}/library/debian:{suite}"


def hash_base(suite: str = SUITE) -> str:
    return hashlib.sha256(repr((suite, BASE_PACKAGES)).encode()).hexdigest()[:20]
