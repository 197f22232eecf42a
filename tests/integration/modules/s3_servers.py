# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Object stores to test against, each a real server that people run.

SeaweedFS comes from the bench. VersityGW and MinIO are built from their Go modules and kept in the cache: VersityGW takes
about two minutes on 2 cores, MinIO five, so that one is only built for the long tests.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules.stack import free_port

CACHE = Path(os.environ.get("LANGFUSE_CACHE") or Path.home() / ".cache" / "llmops-langfuse")
VERSITYGW = ("github.com/versity/versitygw/cmd/versitygw", "v1.8.0")
MINIO = ("github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c")


@dataclass
class Server:
    """A store with options of `s3_bucket`, what it does not know, and how a policy names a user of it."""

    name: str
    options: dict[str, Any]
    principal: str = ""
    unsupported: frozenset[str] = frozenset()
    users: dict[str, dict[str, str]] = field(default_factory=dict)


def place(module: tuple[str, str]) -> Path:
    """Where the program of a Go module is kept."""
    package, version = module
    name = package.rsplit("/", 1)[-1]
    return CACHE / "tools" / f"{name}-{version}" / name


def built(module: tuple[str, str]) -> Path:
    """The program of a Go module, from the cache or built into it."""
    package, version = module
    program = place(module)
    name = program.name
    program.parent.mkdir(parents=True, exist_ok=True)
    with (program.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if program.exists():
            return program
        if not shutil.which("go"):
            pytest.skip(f"no Go on this machine to build {name} with")
        made = program.parent / "made"
        environment = {**os.environ, "GOBIN": str(made), "GOFLAGS": "-buildvcs=false -trimpath -ldflags=-s"}
        command = ["go", "install", f"{package}@{version}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1500, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
        (made / name).rename(program)
    return program


@contextlib.contextmanager
def running(command: list[str], port: int, log: Path, **environment: str) -> Iterator[None]:
    """A process that listens on a port of loopback. It ends with the block."""
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **environment})
        try:
            _until_it_listens(process, port, log)
            yield
        finally:
            process.kill()
            process.wait()


def _until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)


@contextlib.contextmanager
def versitygw(folder: Path) -> Iterator[Server]:
    """With `langfuse`, who may nothing by himself, and `other`, who may own buckets."""
    program, port = built(VERSITYGW), free_port()
    places = {name: folder / name for name in ("data", "versions", "users", "about")}
    for place in places.values():
        place.mkdir()
    root = {"access_key": "versityroot", "secret_key": "canary-versity-root-1"}
    admin = ["-a", root["access_key"], "-s", root["secret_key"]]
    where = ["--port", f"127.0.0.1:{port}", "--iam-dir", str(places["users"]), "--iam-cache-disable"]
    kept = ["--sidecar", str(places["about"]), "--versioning-dir", str(places["versions"]), str(places["data"])]
    with running([str(program), *admin, *where, "posix", *kept], port, folder / "log"):
        endpoint = f"http://127.0.0.1:{port}"
        users = {}
        for name, role in (("langfuse", "user"), ("other", "userplus")):
            user = users[name] = {"access_key": f"{name}key", "secret_key": f"canary-versity-{name}-1"}
            make = [str(program), "admin", *admin, "--er", endpoint, "create-user", "-r", role]
            subprocess.run([*make, "-a", user["access_key"], "-s", user["secret_key"]], check=True, timeout=120)
        options = {"endpoint_url": endpoint, **root}
        yield Server("versitygw", options, users["langfuse"]["access_key"], frozenset({"lifecycle", "parts"}), users)


@contextlib.contextmanager
def versitygw_iam(folder: Path) -> Iterator[str]:
    """The address of an IAM service that draws keys itself, as AWS does."""
    program, port = built(VERSITYGW), free_port()
    (folder / "users").mkdir()
    keys = ["-a", "versityroot", "-s", "canary-versity-root-1"]
    command = [str(program), *keys, "--port", f"127.0.0.1:{port}", "iam", "--dir", str(folder / "users")]
    with running(command, port, folder / "log"):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def minio(folder: Path) -> Iterator[Server]:
    program, port = built(MINIO), free_port()
    keys = {"access_key": "minioroot", "secret_key": "canary-minio-root-1"}
    command = [str(program), "server", str(folder / "data"), "--address", f"127.0.0.1:{port}"]
    command += ["--console-address", f"127.0.0.1:{free_port()}"]
    environment = {"MINIO_ROOT_USER": keys["access_key"], "MINIO_ROOT_PASSWORD": keys["secret_key"]}
    with running(command, port, folder / "log", **environment):
        options = {"endpoint_url": f"http://127.0.0.1:{port}", **keys}
        yield Server("minio", options, "arn:aws:iam::000000000000:user/langfuse", frozenset({"cors", "parts"}))
