"""Findings about a host: each from what was seen, none on a good host."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import host, preflight, records
from ansible_collections.llmops.langfuse.plugins.module_utils.host import Host
from ansible_collections.llmops.langfuse.plugins.module_utils.places import Seen
from ansible_collections.llmops.langfuse.plugins.module_utils.preflight import Wanted

WANTED = Wanted(
    project="langfuse",
    memory_mib=9216,
    disk_gib=10,
    may_install_docker=False,
    docker_repository=False,
    clickhouse_version="25.12",
    postgres_version="17.6",
    new_secrets=(),
)
GOOD: dict[str, Any] = {
    "docker": True,
    "engine_version": "26.1.5+dfsg1",
    "compose_version": "2.26.1-4",
    "disk_gib": 50.0,
    "disk_path": "/var/lib/docker",
    "memory_mib": 16000,
    "cpu_flags": ("sse4_2",),
    "overcommit": "1",
}
TRIXIE = {"distribution": "debian 13"}
INSTALL = {"may_install_docker": True}


def test_a_good_host_has_no_finding() -> None:
    assert preflight.findings(Host(**GOOD), WANTED) == []


@pytest.mark.parametrize(
    ("seen", "wanted", "codes"),
    [
        ({"docker": False}, {}, ["docker_missing"]),
        ({"docker": False, **TRIXIE}, {}, ["docker_missing"]),
        ({"docker": False, **TRIXIE}, INSTALL, ["docker_missing"]),
        ({"docker": False, "distribution": "debian 12"}, INSTALL, ["docker_unsupported"]),
        ({"docker": False, "distribution": "debian 12"}, {**INSTALL, "docker_repository": True}, ["docker_missing"]),
        ({"docker": False, "distribution": "debian"}, INSTALL, ["docker_unsupported"]),
        (
            {"docker": False, "distribution": "rocky 10.0"},
            {**INSTALL, "docker_repository": True},
            ["docker_unsupported"],
        ),
        ({"docker": False, "root": False, **TRIXIE}, INSTALL, ["docker_missing", "rights"]),
        ({"docker": False, "can_make_venv": False, **TRIXIE}, INSTALL, ["docker_missing"]),
        ({"can_make_venv": False}, {}, ["venv_missing"]),
        ({"can_make_venv": False}, INSTALL, ["venv_missing"]),
        ({"can_make_venv": False, "python_ready": True}, {}, []),
        ({"docker_error": "permission denied while trying to connect"}, {}, ["docker_rights"]),
        ({"docker_error": "Cannot connect to the Docker daemon"}, {}, ["docker_down"]),
        ({"engine_version": "20.10.24"}, {}, ["docker_old"]),
        ({"compose_version": ""}, {}, ["compose_missing"]),
        ({"compose_version": "2.5.0"}, {}, ["compose_old"]),
        ({"memory_mib": 4000}, {}, ["memory"]),
        ({"disk_gib": 2.5}, {}, ["disk"]),
        ({"disk_gib": None}, {}, []),
        ({"taken_ports": {"langfuse_web_port": "another program"}}, {}, ["port_taken"]),
        ({"clock_skew": -300.0}, {}, ["clock"]),
        ({"unwritable": "/opt"}, {}, ["rights"]),
        ({"cpu_flags": ("fpu",)}, {}, ["cpu"]),
        ({}, {"clickhouse_version": "26.9"}, ["cpu"]),
        ({"cpu_flags": ("sse4_2", "avx2")}, {"clickhouse_version": "26.9"}, []),
        ({"overcommit": "2"}, {}, ["overcommit"]),
        ({"other_directory": "/srv/other"}, {}, ["project_taken"]),
        ({"volumes": ("langfuse_postgres",)}, {"new_secrets": ["langfuse_salt"]}, ["keys_lost"]),
        ({"volumes": ()}, {"new_secrets": ["langfuse_salt"]}, []),
        ({"places": Seen(folders=("/srv/x/postgres",))}, {"new_secrets": ["langfuse_salt"]}, ["keys_lost"]),
        (
            {"places": Seen(recorded_folders=("/srv/x/postgres",))},
            {"new_secrets": ["langfuse_salt"]},
            ["keys_lost", "data_elsewhere"],
        ),
        ({"places": Seen(missing_sources=("/srv/models",))}, {}, ["source_missing"]),
        ({"changed_secrets": ("SALT",)}, {}, ["key_changed"]),
        ({"volumes": ("v",), "postgres_image": "docker.io/library/postgres:16.9"}, {}, ["postgres_major"]),
        ({"volumes": ("v",), "postgres_image": "docker.io/library/postgres:17.2"}, {}, []),
    ],
)
def test_finding(seen: dict[str, Any], wanted: dict[str, Any], codes: list[str]) -> None:
    found = preflight.findings(Host(**{**GOOD, **seen}), replace(WANTED, **wanted))
    assert [one["code"] for one in found] == codes
    assert all(one["what"] and one["cure"] for one in found)


@pytest.mark.parametrize(
    ("seen", "wanted", "expected"),
    [
        ({"docker": False}, {}, []),
        ({"docker": False}, INSTALL, ["docker.io", "docker-cli", "docker-compose"]),
        (
            {"docker": False},
            {**INSTALL, "docker_repository": True},
            ["docker-ce", "docker-ce-cli", "docker-compose-plugin"],
        ),
        ({"can_make_venv": False}, INSTALL, ["python3-venv"]),
        ({"can_make_venv": False, "python_ready": True}, INSTALL, []),
        ({"can_make_venv": False}, {}, []),
    ],
)
def test_packages(seen: dict[str, Any], wanted: dict[str, Any], expected: list[str]) -> None:
    assert preflight.packages(Host(**{**GOOD, **seen}), replace(WANTED, **wanted)) == expected


@pytest.mark.parametrize(
    ("seen", "wanted", "levels"),
    [
        ({"docker": False, **TRIXIE}, {}, ["error"]),
        ({"docker": False, **TRIXIE}, INSTALL, ["warning"]),
        ({"docker": False, "distribution": "debian 12"}, INSTALL, ["error"]),
        ({"can_make_venv": False}, {}, ["error"]),
        ({"can_make_venv": False}, INSTALL, ["warning"]),
    ],
)
def test_what_an_installation_cures_does_not_stand_in_the_way(
    seen: dict[str, Any], wanted: dict[str, Any], levels: list[str]
) -> None:
    found = preflight.findings(Host(**{**GOOD, **seen}), replace(WANTED, **wanted))
    assert [one["level"] for one in found] == levels


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\nID=debian\n', "debian 13"),
        ("ID='ubuntu'\nVERSION_ID='24.04'\n", "ubuntu 24.04"),
        ("ID=debian\n", "debian"),
        ("", ""),
    ],
)
def test_distribution(text: str, expected: str) -> None:
    assert host._distribution(text) == expected


def test_all_findings_come_at_once() -> None:
    seen = Host(**{**GOOD, "engine_version": "20.10", "memory_mib": 1, "disk_gib": 0.1, "clock_skew": 100.0})
    assert [one["code"] for one in preflight.findings(seen, WANTED)] == ["docker_old", "memory", "disk", "clock"]


def test_a_port_in_use_is_seen() -> None:
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert host._taken("127.0.0.1", port)
    assert not host._taken("127.0.0.1", port)


def test_env_files_are_read_as_they_were_written(tmp_path: Path) -> None:
    from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import to_env

    values = {"SALT": 'a"b\\c$d', "ENCRYPTION_KEY": "00"}
    (tmp_path / "web.env").write_text(to_env(values))
    assert host._env_file(str(tmp_path / "web.env")) == values


def test_stores_that_were_started_from_an_older_project_do_not_count(tmp_path: Path) -> None:
    """A run may have written the project and ended before it started anything."""
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    assert not records.stores_started(str(tmp_path))
    (tmp_path / records.STORES).write_text(records.digest(str(tmp_path)))
    assert records.stores_started(str(tmp_path))
    (tmp_path / "compose.yaml").write_text("services: {postgres: {}}\n")
    assert not records.stores_started(str(tmp_path))


def test_an_environment_of_another_python_is_not_ready(tmp_path: Path) -> None:
    program = tmp_path / ".python" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    (tmp_path / ".python" / "lib" / "python3.6" / "site-packages").mkdir(parents=True)
    assert not host._runs_here(str(tmp_path))
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (tmp_path / ".python" / "lib" / version / "site-packages").mkdir(parents=True)
    assert host._runs_here(str(tmp_path))
    program.unlink()
    assert not host._runs_here(str(tmp_path))
