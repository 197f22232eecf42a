from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.store_configuration import (
    SEAWEEDFS_GROWTH,
    seaweedfs_arguments,
)
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.integration.bench.containers import Bench, Container, docker, wait_for

pytestmark = pytest.mark.engine

OPTIONS = ("--user=1000:1000", "-e", "AWS_ACCESS_KEY_ID=key", "-e", "AWS_SECRET_ACCESS_KEY=secret-secret")


def client(container: Container, secret: str = "secret-secret") -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"http://{container.ip}:8333",
        aws_access_key_id="key",
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(
            retries={"max_attempts": 1}, connect_timeout=10, read_timeout=60, s3={"addressing_style": "path"}
        ),
    )


@pytest.fixture(scope="module")
def server(bench: Bench) -> Container:
    volume = f"{bench.volume()}:/data"
    container = bench.run("seaweedfs", *OPTIONS, "-v", volume, command=("server", "-s3", "-master.telemetry=false"))
    # A list of buckets answers before there is a volume to write to.
    wait_for(lambda: client(container).create_bucket(Bucket="events"))
    wait_for(lambda: client(container).put_object(Bucket="events", Key="first", Body=b"1"))
    return container


def test_objects_survive_a_kill(server: Container) -> None:
    client(server).put_object(Bucket="events", Key="a/b", Body=b"seven")
    server.kill_and_start()
    answer = wait_for(lambda: client(server).get_object(Bucket="events", Key="a/b"))
    assert answer["Body"].read() == b"seven"


def test_a_wrong_secret_is_refused(server: Container) -> None:
    with pytest.raises(ClientError) as failure:
        client(server, "other").list_buckets()
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_weed_is_the_first_process_and_not_root(server: Container) -> None:
    assert server.execute("cat", "/proc/1/comm").strip() == "weed"
    assert server.execute("stat", "-c", "%u", "/proc/1").strip() == "1000"
    assert "-dir=/data" in server.execute("cat", "/proc/1/cmdline").split("\0")


def test_a_health_check_can_be_made_inside(server: Container) -> None:
    server.execute("wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8333/healthz")


def test_an_empty_store_takes_no_room(server: Container) -> None:
    """Preallocated volumes would take gigabytes for a bucket."""
    assert int(server.execute("du", "-sm", "/data").split()[0]) < 200


def test_each_bucket_takes_one_volume(bench: Bench) -> None:
    """As the collection starts it: a disk with room for few volumes is enough for all buckets."""
    growth = [word for name, value in SEAWEEDFS_GROWTH.items() for word in ("-e", f"{name}={value}")]
    container = bench.run("seaweedfs", *OPTIONS, *growth, command=(*seaweedfs_arguments("127.0.0.1", 8333),))
    wait_for(lambda: client(container).list_buckets())
    buckets = ("events", "media", "exports", "backups")
    for bucket in buckets:
        wait_for(lambda bucket=bucket: client(container).create_bucket(Bucket=bucket))
        wait_for(lambda bucket=bucket: client(container).put_object(Bucket=bucket, Key="first", Body=b"1"))
    found = json.loads(container.execute("wget", "-q", "-O", "-", "http://127.0.0.1:9333/vol/status"))
    taken = [volume["Collection"] for volume in _volumes(found["Volumes"]["DataCenters"])]
    assert sorted(name for name in taken if name) == sorted(buckets)


def _volumes(found: Any) -> list[dict[str, Any]]:
    """Those of all disks; places are maps in maps, and lists at their end."""
    if isinstance(found, dict):
        return [volume for inner in found.values() for volume in _volumes(inner)]
    return list(found or [])


def test_other_subcommands(bench: Bench) -> None:
    container = bench.run("seaweedfs", *OPTIONS, command=("mini", "-master.telemetry=false"))
    wait_for(lambda: client(container).list_buckets())
    docker("kill", container.name)
