"""Containers of the bench's images, and a way to wait for them."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Callable

import pytest

from tests.bench import extras
from tests.bench.builder import present_images
from tests.bench.catalogue import EXTRAS
from tests.bench.paths import find_paths

# As the collection runs them.
HARDENED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")


def docker(*words: str, check: bool = True, timeout: float = 300) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=timeout)
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def wait_for[T](probe: Callable[[], T], seconds: float = 120) -> T:
    """The probe's first answer that is not an error."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return probe()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


class Container:
    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def ip(self) -> str:
        return docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.name).strip()

    @property
    def logs(self) -> str:
        return docker("logs", self.name)

    def execute(self, *words: str, check: bool = True) -> str:
        return docker("exec", self.name, *words, check=check)

    def state(self, field: str) -> str:
        return docker("inspect", "-f", f"{{{{.State.{field}}}}}", self.name).strip()

    def wait(self) -> int:
        """The exit code of a container that ends by itself."""
        return int(docker("wait", self.name).split()[-1])

    def kill_and_start(self) -> None:
        """As a power cut does it: no signal that could be handled."""
        docker("kill", "--signal=KILL", self.name)
        docker("wait", self.name)
        docker("start", self.name)


class Bench:
    """`run(image, *docker options, command=(...))`; `volume()` gives a fresh named one."""

    def __init__(self) -> None:
        self._references = {name: built.reference for name, built in present_images(find_paths()).items()}
        self._containers: list[str] = []
        self._volumes: list[str] = []

    def reference(self, image: str) -> str:
        if image in {extra.name for extra in EXTRAS}:
            return extras.ensure(find_paths(), image)
        if image not in self._references:
            pytest.skip(f"no image {image} of these sources: run `python -m tests.bench up`")
        return self._references[image]

    def volume(self) -> str:
        name = f"bench-test-{uuid.uuid4().hex[:12]}"
        docker("volume", "create", name)
        self._volumes.append(name)
        return name

    def run(self, image: str, *options: str, command: tuple[str, ...] = (), hardened: bool = True) -> Container:
        reference = self.reference(image)
        name = f"bench-test-{image}-{uuid.uuid4().hex[:12]}"
        self._containers.append(name)
        flags = HARDENED if hardened else ()
        docker("run", "-d", "--name", name, *flags, *options, reference, *command)
        return Container(name)

    def close(self) -> None:
        for name in self._containers:
            docker("rm", "-fv", name, check=False)
        for name in self._volumes:
            docker("volume", "rm", "-f", name, check=False)
