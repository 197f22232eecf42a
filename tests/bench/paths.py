"""Where the bench keeps things: all of it under one cache directory, nothing in the repository."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

BENCH_SOURCES = Path(__file__).resolve().parent
TESTS = BENCH_SOURCES.parent
IMAGE_SOURCES = BENCH_SOURCES / "images"


@dataclass(frozen=True)
class Paths:
    """Every file the bench writes on this machine, outside of the packages it installs."""

    cache: Path

    @property
    def bench(self) -> Path:
        return self.cache / "bench"

    @property
    def apt(self) -> Path:
        return self.bench / "apt"

    @property
    def packages(self) -> Path:
        return self.bench / "packages"

    @property
    def wheels(self) -> Path:
        return self.bench / "wheels"

    @property
    def contexts(self) -> Path:
        return self.bench / "contexts"

    @property
    def data_root(self) -> Path:
        return self.bench / "docker"

    @property
    def exec_root(self) -> Path:
        return self.bench / "exec"

    @property
    def pidfile(self) -> Path:
        return self.bench / "dockerd.pid"

    @property
    def daemon_configuration(self) -> Path:
        """There while the engine keeps its images in the containerd that a cluster uses as well."""
        return self.bench / "daemon.json"

    @property
    def engine_log(self) -> Path:
        return self.bench / "dockerd.log"

    @property
    def host_before(self) -> Path:
        return self.bench / "host-before.json"

    @property
    def build_log(self) -> Path:
        return self.bench / "build.log"

    @property
    def build_report(self) -> Path:
        return self.bench / "build.json"

    @property
    def variables(self) -> Path:
        return self.bench / "vars.yml"

    @property
    def lock(self) -> Path:
        return self.bench / "lock"


def find_paths(environ: dict[str, str] | None = None) -> Paths:
    """`$LANGFUSE_CACHE`, or `~/.cache/llmops-langfuse`."""
    given = (os.environ if environ is None else environ).get("LANGFUSE_CACHE", "")
    return Paths(Path(given).expanduser().resolve() if given else Path.home() / ".cache" / "llmops-langfuse")
