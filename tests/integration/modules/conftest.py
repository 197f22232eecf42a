# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules run as Ansible runs them (arguments in, one JSON out), against engines in containers `PREFIX-*`."""

from __future__ import annotations

import contextlib
import http.client
import importlib
import importlib.util
import io
import json
import os
import socket
import subprocess
import sys
import time
import unittest.mock
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
# Two checkouts may test at the same time, and so do the workers of one run.
PREFIX = f"{os.environ.get('LANGFUSE_TEST_PREFIX', 'modules')}-{os.environ.get('PYTEST_XDIST_WORKER', 'dev')}"
sys.path.insert(0, str(REPOSITORY))


Result = dict[str, Any]
Run = Callable[..., Result]


@pytest.fixture(scope="session")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """This repository importable as the collection, unless it is already."""
    name = "ansible_collections.llmops.langfuse.plugins.modules.s3_bucket"
    with contextlib.suppress(ImportError):
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None and Path(found.origin).resolve().is_relative_to(REPOSITORY):
            yield
            return
    path = tmp_path_factory.mktemp("collections")
    link = path / "ansible_collections" / "llmops" / "langfuse"
    link.parent.mkdir(parents=True)
    link.symlink_to(REPOSITORY)
    sys.path.insert(0, str(path))
    yield
    sys.path.remove(str(path))


@pytest.fixture(scope="session")
def run(collections: None) -> Run:
    """`run(module, check=False, diff=False, **options)` gives the module's result, `failed` included."""
    return call


def call(module: str, check: bool = False, diff: bool = False, **options: Any) -> Result:
    """The module as Ansible runs it, arguments in and one JSON out, but in this process: no second for imports."""
    from ansible.module_utils.testing import patch_module_args

    arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": diff}
    main = importlib.import_module(f"ansible_collections.llmops.langfuse.plugins.modules.{module}").main
    with _process_of_a_module(), patch_module_args(arguments), io.StringIO() as out:
        with contextlib.redirect_stdout(out), pytest.raises(SystemExit):
            main()
        text = out.getvalue()
    for name, value in options.items():
        # `secret` alone is the name of an object.
        if name != "secret" and any(word in name for word in ("secret", "password", "headers")):
            assert not [secret for secret in texts(value) if secret in text], f"{name} is in the result"
    result: Result = json.loads(text)
    return result


@contextlib.contextmanager
def _process_of_a_module() -> Iterator[None]:
    """A process of Ansible runs one module: all warnings in it are that module's, and go into its result.

    Where a test has run a filter or an action before, warnings would be shown as the controller shows its own.
    """
    from ansible.module_utils import _internal
    from ansible.module_utils.common import warnings

    warnings._global_warnings.clear()
    with unittest.mock.patch.object(_internal, "is_controller", False):
        yield


def texts(value: Any) -> list[str]:
    """Every text in a value, short words aside."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    return [value] if isinstance(value, str) and len(value) > 6 else []


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=300, check=False)
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(words)}: {done.stderr}")
    return done.stdout.strip()


def image(repository: str) -> str:
    """The bench's image of a repository, or a skip that says how to get it."""
    try:
        found = docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"bench.localhost/{repository}").splitlines()
    except (OSError, RuntimeError):
        found = []
    if not found:
        pytest.skip(f"no image bench.localhost/{repository}: python -m tests.bench up")
    return found[0]


def start(
    name: str, reference: str, *command: str, port: int, options: tuple[str, ...] = (), host_port: int | str = ""
) -> str:
    """Start `PREFIX-NAME` with `port` published on loopback and give its `host:port`.

    A port of the host that the engine chose is another one after the container has joined a network.
    """
    container = f"{PREFIX}-{name}"
    docker("rm", "-f", "-v", container, check=False)
    docker("run", "-d", "--name", container, "-p", f"127.0.0.1:{host_port}:{port}", *options, reference, *command)
    address = docker("port", container, str(port)).splitlines()[0]
    wait_for_port(address)
    return address


def stop(name: str) -> None:
    docker("rm", "-f", "-v", f"{PREFIX}-{name}", check=False)


def wait_for_port(address: str, seconds: float = 120) -> None:
    host, port = address.rsplit(":", 1)
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def wait_for_http(address: str, seconds: float = 120) -> None:
    """Until any answer comes: Docker takes connections to a published port before anything listens behind it."""
    deadline = time.monotonic() + seconds
    while True:
        connection = http.client.HTTPConnection(address, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse()
            return
        except (OSError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        finally:
            connection.close()


@pytest.fixture(scope="session")
def closed_port() -> Iterator[str]:
    """An address where nothing listens, and nobody else can while the tests run."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(scope="session")
def store() -> Iterator[Result]:
    """Options of `s3_bucket` for a SeaweedFS that enforces its keys."""
    keys = {"access_key": "modulesdev", "secret_key": "canary-s3-secret-1"}
    environment = ("-e", f"AWS_ACCESS_KEY_ID={keys['access_key']}", "-e", f"AWS_SECRET_ACCESS_KEY={keys['secret_key']}")
    command = ("mini", "-dir=/data", "-ip.bind=0.0.0.0", "-master.telemetry=false", "-s3.port=8333")
    command = (*command, "-s3.iam.readOnly=false")
    address = start("s3", image("chrislusf/seaweedfs"), *command, port=8333, options=environment)
    wait_for_http(address)
    yield {"endpoint_url": f"http://{address}", **keys}
    stop("s3")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every request that botocore sends, as `METHOD ?first-parameter`, or the action of IAM."""
    import botocore.httpsession

    requests: list[str] = []
    send = botocore.httpsession.URLLib3Session.send

    def record(session: Any, request: Any) -> Any:
        body = request.body.decode() if isinstance(request.body, bytes) else str(request.body or "")
        action = next((part[7:] for part in body.split("&") if part.startswith("Action=")), "")
        requests.append(action or f"{request.method} ?{urlsplit(request.url).query.partition('&')[0]}")
        return send(session, request)

    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", record)
    return requests


@pytest.fixture(scope="session")
def server(collections: None) -> Iterator[Any]:
    """A Keycloak of the bench, whose image is built when it is not there."""
    from tests.bench import extras
    from tests.bench.paths import find_paths
    from tests.integration.modules import keycloak
    from tests.integration.modules.stack import free_port

    try:
        docker("info")
    except (OSError, RuntimeError):
        pytest.skip("no Docker Engine: python -m tests.bench up")
    options = (*keycloak.OPTIONS, "--publish=127.0.0.1::9000")
    try:
        reference = extras.ensure(find_paths(), "keycloak")
        where: Any = {"port": 8080, "host_port": free_port(), "options": options}
        address = start("keycloak", reference, *keycloak.COMMAND, **where)
        name = f"{PREFIX}-keycloak"
        management = docker("port", name, "9000").splitlines()[0]
        keycloak.wait_until_ready(f"http://{management}", lambda: docker("inspect", "-f", "{{.State.Status}}", name))
        yield keycloak.Server(f"http://{address}")
    finally:
        stop("keycloak")


@pytest.fixture(scope="session")
def stack(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Real stores, the stand-in's web and worker, buckets made by the module under test."""
    from tests.integration.modules.stack import SECRETS, Stack, find_images

    images = find_images()
    if images is None:
        pytest.skip("images of the bench are missing: python -m tests.bench up")
    project = Stack(tmp_path_factory.mktemp("stack"), images, PREFIX)

    def create_buckets(endpoint: str) -> None:
        keys = {"access_key": "s3key", "secret_key": SECRETS["s3"]}
        made = run("s3_bucket", endpoint_url=endpoint, buckets=["lf-events", "lf-media"], **keys)
        assert made["changed"], made

    project.up(create_buckets)
    yield project
    project.down()
