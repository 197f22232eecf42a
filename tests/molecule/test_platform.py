"""An instance with a platform around it: its authorities, labels, mounts, archive of images, and a disk for data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.molecule import playbook, snapshot
from tests.molecule.instance import BASE, EPHEMERAL, PLATFORM, SERVICES, STORES, docker
from tests.molecule.traces import Traces
from tests.unit.settings.cases import CERTIFICATE

TEARDOWN = "llmops.langfuse.teardown"
DATA, OTHER = BASE / "platform-data", BASE / "platform-data-2"
MODELS = BASE / "platform-models"
ARCHIVE = EPHEMERAL / "images.tar"
REGISTRY = "platform.localhost"
OWNERS = {"postgres": 999, "clickhouse": 101, "valkey": 999, "seaweedfs": 1000}
SETTINGS: dict[str, Any] = {
    "langfuse_image_registry": REGISTRY,
    "langfuse_image_archive": str(ARCHIVE),
    "langfuse_ca_certificates": CERTIFICATE,
    "langfuse_https_proxy": "http://user:password@proxy.invalid:3128",
    "langfuse_no_proxy": ["git.example.com"],
    "langfuse_labels": {"team": "ml", "example.com/price": "5$"},
    "langfuse_extra_volumes": [f"{MODELS}:/models:ro"],
    "langfuse_data_directory": str(DATA),
}


def _images(prefix: str) -> set[str]:
    names = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    return {name.removeprefix(f"{prefix}/") for name in names if name.startswith(f"{prefix}/")}


@pytest.fixture(scope="module", autouse=True)
def offline() -> Iterator[None]:
    """A registry of its own that does not answer; all but one of its images are on the host, and an archive has that one."""
    if not _images("bench.localhost"):
        pytest.skip("the bench has no images of its own")
    EPHEMERAL.mkdir(mode=0o700, parents=True, exist_ok=True)
    MODELS.mkdir(parents=True, exist_ok=True)
    (MODELS / "prices.json").write_text("{}")
    for name in _images("bench.localhost"):
        docker("tag", f"bench.localhost/{name}", f"{REGISTRY}/{name}")
    (valkey,) = (name for name in _images(REGISTRY) if "/valkey:" in name)
    docker("save", "--output", str(ARCHIVE), f"{REGISTRY}/{valkey}")
    docker("image", "rm", f"{REGISTRY}/{valkey}")
    yield
    docker("image", "rm", *(f"{REGISTRY}/{name}" for name in _images(REGISTRY)))
    ARCHIVE.unlink()
    for directory in (DATA, OTHER, MODELS):
        shutil.rmtree(directory, ignore_errors=True)


def _site(**changes: Any) -> playbook.Run:
    return playbook.site(PLATFORM, variables={**SETTINGS, **changes})


def _refused(*pieces: str, **changes: Any) -> None:
    """Nothing is touched, neither the project nor what the stores keep."""
    before, data = snapshot.host(PLATFORM), _folders(DATA)
    done = playbook.site(PLATFORM, variables={**SETTINGS, **changes}, fails=True)
    done.mentions("Nothing was changed", *pieces)
    snapshot.assert_same(before, snapshot.host(PLATFORM))
    assert _folders(DATA) == data


def _folders(directory: Path) -> dict[str, tuple[int, str]]:
    """Store → owner and mode of its folder, for those that hold something."""
    there = {store: directory / PLATFORM.name / store for store in STORES}
    return {
        store: (path.stat().st_uid, oct(path.stat().st_mode & 0o777))
        for store, path in there.items()
        if path.is_dir() and any(path.iterdir())
    }


def test_what_is_missing_on_the_platform_is_told_first() -> None:
    _refused("langfuse_image_archive", "is not a file of the controller", langfuse_image_archive="/nowhere/images.tar")
    _refused("/nowhere/models of langfuse_extra_volumes", langfuse_extra_volumes=["/nowhere/models:/models"])


def test_check_says_what_is_made_and_loaded() -> None:
    before = snapshot.host(PLATFORM)
    planned = playbook.check(PLATFORM, SETTINGS)
    assert {"Make the folder of each store, for its own user", "Load the missing images"} <= set(planned.changed_tasks)
    snapshot.assert_same(before, snapshot.host(PLATFORM))
    assert not DATA.exists()


def test_site_brings_it_up_with_all_of_it() -> None:
    playbook.run(PLATFORM, variables=SETTINGS)
    assert _folders(DATA) == {store: (owner, "0o700") for store, owner in OWNERS.items()}
    assert not PLATFORM.volumes()
    containers = {one.service: one.details for one in PLATFORM.containers()}
    assert set(containers) == set(SERVICES)
    for details in containers.values():
        labels = details["Config"]["Labels"]
        assert labels["team"] == "ml" and labels["example.com/price"] == "5$"
    for service in ("langfuse-web", "langfuse-worker"):
        name = f"{PLATFORM.name}-{service}-1"
        assert docker("exec", name, "sh", "-c", "cat $NODE_EXTRA_CA_CERTS").endswith(CERTIFICATE)
        environment = containers[service]["Config"]["Env"]
        assert f"HTTPS_PROXY={SETTINGS['langfuse_https_proxy']}" in environment
        (direct,) = (value.partition("=")[2].split(",") for value in environment if value.startswith("NO_PROXY="))
        assert {*STORES, "git.example.com"} <= set(direct)
        assert docker("exec", name, "cat", "/models/prices.json") == "{}"
        mounts = {mount["Destination"]: mount["RW"] for mount in containers[service]["Mounts"]}
        assert mounts == {"/models": False, "/etc/langfuse/certificates": False}
    assert not (PLATFORM.directory / ".images.tar").exists()


def test_a_second_run_changes_nothing() -> None:
    before = snapshot.host(PLATFORM)
    again = _site()
    assert again.changed == 0, again.changed_tasks
    assert playbook.check(PLATFORM, SETTINGS).changed == 0
    snapshot.assert_same(before, snapshot.host(PLATFORM))


def test_another_place_under_data_is_refused() -> None:
    here = f"The data of this instance is in {DATA}/{PLATFORM.name}/postgres"
    _refused(here, f"ask for {OTHER}/{PLATFORM.name}/postgres", langfuse_data_directory=str(OTHER))
    _refused(here, f"ask for {PLATFORM.name}_postgres", langfuse_data_directory=None)
    assert not OTHER.exists() and not PLATFORM.volumes()


def test_data_without_its_keys_is_refused(tmp_path: Path) -> None:
    lost = tmp_path / "secrets.yml"
    _refused(f"The host has data ({DATA}/{PLATFORM.name}/postgres", langfuse_secrets_file=str(lost))
    assert not lost.exists()


def test_a_missing_disk_is_no_empty_store_and_moved_data_is_taken() -> None:
    """The move comes with other authorities and labels, which spares a run."""
    traces = Traces(PLATFORM)
    old = traces.arrives("before-move")
    playbook.run(PLATFORM, TEARDOWN, variables=SETTINGS)
    assert set(_folders(DATA)) == set(STORES), "teardown without the name took data"

    shutil.move(DATA, OTHER)
    _refused(f"kept its data in {DATA}/{PLATFORM.name}, and there is none", "Mount the disk")

    labels = {"team": "data"}
    _site(langfuse_data_directory=str(OTHER), langfuse_ca_certificates=CERTIFICATE * 2, langfuse_labels=labels)
    assert old in traces.readable("before-move")
    assert not DATA.exists()
    web = PLATFORM.container("langfuse-web")
    assert docker("exec", web.id, "sh", "-c", "cat $NODE_EXTRA_CA_CERTS").endswith(CERTIFICATE * 2)
    assert web.details["Config"]["Labels"]["team"] == "data"
    assert "example.com/price" not in web.details["Config"]["Labels"]


def test_changed_authorities_restart_only_who_trusts_them() -> None:
    before = PLATFORM.container_ids()
    _site(langfuse_data_directory=str(OTHER), langfuse_labels={"team": "data"})
    after = PLATFORM.container_ids()
    assert {service for service in before if before[service] != after[service]} == {"langfuse-web", "langfuse-worker"}
    web = PLATFORM.container("langfuse-web")
    assert docker("exec", web.id, "sh", "-c", "cat $NODE_EXTRA_CA_CERTS").count("BEGIN") == 1


def test_teardown_with_the_name_removes_the_data_where_it_is() -> None:
    """Also when the settings name another place by now."""
    confirmed = {**SETTINGS, "langfuse_teardown_data": PLATFORM.name}
    before = snapshot.host(PLATFORM)
    assert (
        "Remove the data of its stores"
        in playbook.run(PLATFORM, TEARDOWN, "--check", variables=confirmed).changed_tasks
    )
    snapshot.assert_same(before, snapshot.host(PLATFORM))
    assert set(_folders(OTHER)) == set(STORES)
    docker("kill", *(one.id for one in PLATFORM.containers()))

    playbook.run(PLATFORM, TEARDOWN, variables=confirmed)

    snapshot.everything_gone(PLATFORM)
    assert not (OTHER / PLATFORM.name).exists()
    assert PLATFORM.secrets() == PLATFORM.given()
    assert playbook.run(PLATFORM, TEARDOWN, variables=confirmed).changed == 0
