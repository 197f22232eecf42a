"""Files from Maven Central: by this machine's Maven as it is configured here, or, without one, from its address."""

from __future__ import annotations

import hashlib
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tests.bench.paths import Paths
from tests.bench.shell import BenchError, run, step

CENTRAL = "https://repo1.maven.org/maven2"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get"


@dataclass(frozen=True)
class Artifact:
    """One pinned file; `sha256` in hexadecimal digits."""

    group: str
    name: str
    version: str
    packaging: str
    sha256: str

    @property
    def coordinates(self) -> str:
        return f"{self.group}:{self.name}:{self.version}:{self.packaging}"

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}.{self.packaging}"

    @property
    def path(self) -> str:
        """Where it lies in any repository of Maven's layout."""
        return f"{self.group.replace('.', '/')}/{self.name}/{self.version}/{self.file_name}"


def parse(text: str) -> Artifact:
    """The one line of a `maven.txt` that is not a comment: coordinates and SHA-256."""
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        ((coordinates, sha256),) = lines
        group, name, version, packaging = coordinates.split(":")
    except ValueError:
        raise BenchError("maven.txt needs one line: GROUP:NAME:VERSION:PACKAGING SHA256") from None
    return Artifact(group, name, version, packaging, sha256)


def ensure(paths: Paths, artifact: Artifact, times: dict[str, float]) -> Path:
    """The folder in the cache that holds only this file, with the content that was pinned."""
    folder = paths.bench / "maven" / f"{artifact.name}-{artifact.version}"
    if (folder / artifact.file_name).exists():
        return folder
    with step(f"fetch {artifact.file_name}", times, f"{artifact.name} download"):
        partial = folder.with_name(f"partial-{folder.name}")
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "kept").mkdir(parents=True)
        fetched = (
            _by_maven(artifact, partial, paths.build_log) if shutil.which("mvn") else _by_address(artifact, partial)
        )
        check(artifact, fetched)
        fetched.rename(partial / "kept" / artifact.file_name)
        (partial / "kept").rename(folder)
        shutil.rmtree(partial)
    return folder


def check(artifact: Artifact, file: Path) -> None:
    """Refuse a file that is not the pinned one."""
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != artifact.sha256:
        raise BenchError(f"{artifact.coordinates} has SHA-256 {found}, pinned is {artifact.sha256}")


def _by_maven(artifact: Artifact, folder: Path, log: Path) -> Path:
    # A repository of its own: the user's is not filled with what only the bench needs.
    local = folder / "repository"
    words = ["mvn", "-B", "-q", f"-Dmaven.repo.local={local}", _PLUGIN]
    run([*words, f"-Dartifact={artifact.coordinates}", "-Dtransitive=false"], log=log, timeout=900)
    return local / artifact.path


def _by_address(artifact: Artifact, folder: Path) -> Path:
    file, address = folder / artifact.file_name, f"{CENTRAL}/{artifact.path}"
    try:
        with urllib.request.urlopen(address, timeout=60) as answer, file.open("wb") as stream:
            shutil.copyfileobj(answer, stream)
    except (urllib.error.URLError, OSError) as error:
        raise BenchError(
            f"{address}: {error}. Install Maven if this machine has a mirror configured for it."
        ) from error
    return file
