# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the container beside the bundled store does: objects that are old enough go, others stay."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import s3
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.compose import stores

from tests.integration.modules.conftest import PREFIX, docker, image, wait_for_port
from tests.waiting import wait, wait_until

pytestmark = pytest.mark.engine
PROJECT = f"{PREFIX}-expiry"
KEYS = {"access_key": "expirykey", "secret_key": "canary-expiry-1"}
PLAN = {"compose": {"expires": True, "s3_port": 0, "data_folders": {}}}
DAY = 86400


@pytest.fixture
def compose(tmp_path: Path) -> Any:
    return lambda *words, **how: docker("compose", "-p", PROJECT, "-f", str(tmp_path / "compose.json"), *words, **how)


@pytest.fixture
def project(compose: Any, tmp_path: Path) -> Iterator[str]:
    """The two services as the collection writes them; gives the store's address."""
    given = {"AWS_ACCESS_KEY_ID": KEYS["access_key"], "AWS_SECRET_ACCESS_KEY": KEYS["secret_key"]}
    server: dict[str, Any] = {**stores._seaweedfs(PLAN), "ports": ["127.0.0.1::8333"], "environment": given}
    server.pop("env_file")
    services = {"seaweedfs": server, **stores.expiry(PLAN)}
    for service in services.values():
        service.update(image=image("chrislusf/seaweedfs"), read_only=True, cap_drop=["ALL"], stop_grace_period="1s")
    (tmp_path / "compose.json").write_text(json.dumps({"services": services, "volumes": {"seaweedfs": {}}}))
    compose("up", "-d", "seaweedfs")
    try:
        address = docker("port", f"{PROJECT}-seaweedfs-1", "8333").splitlines()[0]
        wait_for_port(address)
        wait(lambda: docker("inspect", "-f", "{{.State.Health.Status}}", f"{PROJECT}-seaweedfs-1") == "healthy")
        yield address
    finally:
        compose("down", "-v", check=False)


def varint(number: int) -> bytes:
    """As protobuf writes it."""
    found = b""
    while number >= 128:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def in_the_store(script: str) -> str:
    return docker("exec", f"{PROJECT}-seaweedfs-1", "sh", "-c", script)


def add_an_older_one(store: s3.Store, bucket: str, name: str, older: str, days: int) -> None:
    """Beside an object of now the same one under another name, as it would be had it been written days ago."""
    written = int(store.call("head_object", Bucket=bucket, Key=name)["LastModified"].timestamp())
    shell = "weed shell -master=seaweedfs:9333"
    saved = in_the_store(
        f"echo 'fs.meta.save -o=/tmp/saved /buckets/{bucket}/a' | {shell} >/dev/null; base64 -w0 /tmp/saved"
    )
    entry = base64.b64decode(saved).replace(name.rpartition("/")[2].encode(), older.rpartition("/")[2].encode())
    entry = entry.replace(varint(written), varint(written - days * DAY))
    text = base64.b64encode(entry).decode()
    # The shell loads while it reads on, and ends with what it reads, which may be before that.
    load = f"(echo 'fs.meta.load -concurrency=1 /tmp/changed'; sleep 2) | {shell}"

    def loaded() -> bool:
        in_the_store(f"echo {text} | base64 -d > /tmp/changed; {load}")
        return older in names(store, bucket)

    wait_until(f"{older} is in {bucket}", loaded, 120)


def names(store: s3.Store, bucket: str) -> list[str]:
    return [row["Key"] for row in store.call("list_objects_v2", Bucket=bucket).get("Contents", [])]


def test_what_is_old_enough_goes(run: Any, project: str, compose: Any) -> None:
    where = {"endpoint_url": f"http://{project}", **KEYS}
    buckets = ["expiry-events", "expiry-media"]
    assert run("s3_bucket", buckets=buckets, probe=True, **where).get("changed")
    store = s3.Store(s3.Where(where["endpoint_url"], "us-east-1", True, KEYS["access_key"], KEYS["secret_key"]))
    for bucket in buckets:
        store.call("put_object", Bucket=bucket, Key="a/fresh", Body=b"x")
        add_an_older_one(store, bucket, "a/fresh", "a/stale", 5)
        assert names(store, bucket) == ["a/fresh", "a/stale"]
    # The objects were there before the rule, as in an instance that had none.
    assert run("s3_bucket", buckets=buckets[:1], lifecycle=[{"expire_days": 3}], **where)["changed"]
    # It is healthy only after a pass that ended well.
    compose("up", "-d", "--wait", stores.EXPIRY)
    assert names(store, buckets[0]) == ["a/fresh"]
    assert names(store, buckets[1]) == ["a/fresh", "a/stale"], "a bucket without a rule lost something"
