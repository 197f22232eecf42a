"""A Compose project with the stand-in pair, and how a client is run against it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
if str(REPOSITORY) not in sys.path:
    sys.path.insert(0, str(REPOSITORY))

from tests.integration.modules.conftest import collections, run  # noqa: E402, F401
from tests.integration.modules.stack import PUBLIC_KEY, SECRETS, Stack, find_images  # noqa: E402
from tests.integration.senders.langfuse import Langfuse  # noqa: E402

PREFIX = f"{os.environ.get('LANGFUSE_TEST_PREFIX', 'of')}-{os.environ.get('PYTEST_XDIST_WORKER', 'one')}"


@pytest.fixture(scope="session")
def langfuse(run: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Langfuse]:  # noqa: F811
    images = find_images()
    if images is None:
        pytest.skip("images of the bench are missing: python -m tests.bench up")
    project = Stack(tmp_path_factory.mktemp("senders"), images, f"{PREFIX}-senders")

    def create_buckets(endpoint: str) -> None:
        keys = {"access_key": "s3key", "secret_key": SECRETS["s3"]}
        assert run("s3_bucket", endpoint_url=endpoint, buckets=["lf-events", "lf-media"], **keys)["changed"]

    project.up(create_buckets)
    yield Langfuse(project.url, PUBLIC_KEY, SECRETS["project"])
    project.down()


@pytest.fixture
def tag(request: pytest.FixtureRequest) -> str:
    return f"{request.node.name.split('[')[0].removeprefix('test_')}-{uuid.uuid4().hex[:8]}"


def send(*command: str, **environment: str) -> str:
    """Run a client as a process of its own, with nothing of this one's environment but the path."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        command, env={**kept, **environment}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout + done.stderr
