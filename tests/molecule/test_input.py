"""Bad input, as people write it: one message with every problem and its cure, and a host that was not touched."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.molecule import playbook, snapshot
from tests.molecule.instance import LIFE, Instance

# Variable, what was written, what the message must say. Types are refused first, so there are two tables.
TYPES: list[tuple[str, Any, str]] = [
    ("langfuse_version", 4.16, "langfuse_version: is a number where text is due. Put it in quotes"),
    ("langfuse_signup_enabled", "perhaps", "langfuse_signup_enabled: is not accepted"),
    (
        "langfuse_web_prot",
        3031,
        "langfuse_web_prot: is not a variable of this collection. Did you mean langfuse_web_port?",
    ),
    ("langfuse_size", "huge", "Write one of: small, medium, large"),
    ("langfuse_worker_replicas", "many", "langfuse_worker_replicas: is not accepted"),
    ("langfuse_redis_password", True, "langfuse_redis_password: is a boolean where text is due"),
]
RULES: list[tuple[str, Any, str]] = [
    ("langfuse_nextauth_secret", "tiny-secret-7", "langfuse_nextauth_secret: is shorter than 32 characters"),
    ("langfuse_clickhouse_password", "slash/and:colon@7", "langfuse_clickhouse_password: holds characters that break"),
    ("langfuse_init_user_email", "nobody", "langfuse_init_user_email: is not an e-mail address"),
    ("langfuse_init_user_password", "short7!", "langfuse_init_user_password: is not 8 to 72 bytes long"),
    ("langfuse_public_url", "langfuse.example.com", "langfuse_public_url: is not an http or https URL"),
    ("langfuse_web_port", 9190, "langfuse_s3_port: is the port of web as well"),
    ("langfuse_s3_media_prefix", "media", "langfuse_s3_media_prefix: does not end with /"),
    ("langfuse_trace_sampling_ratio", 1.5, "langfuse_trace_sampling_ratio: is not above 0 and at most 1"),
    ("langfuse_session_max_age", 2592000, "langfuse_session_max_age: is more than a year of minutes"),
    ("langfuse_postgres_version", "14.9", "langfuse_postgres_version: is older than Langfuse 4 takes. Use 15 or newer"),
    ("langfuse_web_memory", "512m", "langfuse_web_memory: is less than the service starts with"),
    ("langfuse_tracing_enabled", True, "langfuse_tracing_enabled: is on while tracing_enabled is off"),
    ("langfuse_email_from", "langfuse@example.com", "langfuse_smtp_url: is missing while langfuse_email_from is set"),
    ("langfuse_s3_media_bucket", "langfuse-events", "langfuse_s3_media_bucket: is the bucket of the events"),
    ("langfuse_extra_env", {"SALT": "x"}, "langfuse_extra_env: repeats SALT, which the collection sets itself"),
    ("langfuse_teardown_data", "langfuse", "langfuse_teardown_data: is not the name of this instance"),
]
# What was written into a secret is not repeated.
HIDDEN = ("tiny-secret-7", "slash/and:colon@7", "short7!")


def _refused(variables: dict[str, Any], *pieces: str, words: tuple[str, ...] = ()) -> str:
    before = snapshot.host(LIFE)
    done = playbook.site(LIFE, *words, variables=variables, fails=True)
    done.mentions("Nothing was changed. Please mend:", *pieces)
    assert "Traceback" not in done.output
    snapshot.assert_same(before, snapshot.host(LIFE))
    return done.output


@pytest.mark.parametrize("table", [TYPES, RULES], ids=["types", "rules"])
def test_all_problems_come_in_one_message(table: list[tuple[str, Any, str]]) -> None:
    output = _refused({name: value for name, value, _piece in table}, *(piece for _name, _value, piece in table))
    assert output.count("fatal: [") == 1
    assert [text for text in HIDDEN if text in output] == []


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def test_taken_port_is_named(taken_port: int) -> None:
    _refused(
        {"langfuse_web_port": taken_port},
        "The port of langfuse_web_port is taken",
        f"127.0.0.1:{taken_port}",
        "Choose another langfuse_web_port",
    )


def test_vault_without_a_password_is_refused(tmp_path: Path) -> None:
    _refused(
        {"langfuse_secrets_format": "vault", "langfuse_secrets_file": str(tmp_path / "vault.yml")},
        "langfuse_secrets_format: is vault, and this run has no vault password",
        "--vault-password-file",
    )
    assert not (tmp_path / "vault.yml").exists()


def test_secrets_file_that_cannot_be_written_is_refused(life: Instance, tmp_path: Path) -> None:
    """Before anything changes: a start with secrets that nobody kept would orphan the data."""
    (tmp_path / "file").write_text("in the way")
    before = snapshot.host(life)
    done = playbook.site(life, variables={"langfuse_secrets_file": f"{tmp_path}/file/secrets.yml"}, fails=True)
    done.mentions("langfuse_secrets_file", "cannot be", f"{tmp_path}/file/secrets.yml")
    snapshot.assert_same(before, snapshot.host(life))
    assert LIFE.secrets_file.exists()


def test_directory_that_cannot_be_made_is_refused(life: Instance, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    before = snapshot.host(life)
    done = playbook.site(
        life,
        variables={"langfuse_instance": "elsewhere", "langfuse_project_directory": f"{tmp_path}/file/project"},
        fails=True,
    )
    assert "Traceback" not in done.output
    assert "elsewhere" not in LIFE.secrets_file.read_text()
    snapshot.assert_same(before, snapshot.host(life))


def test_a_disk_that_is_too_small_is_named() -> None:
    _refused({"langfuse_minimum_disk": 100_000}, "GiB free, 100000 are asked for", "lower langfuse_minimum_disk")


def test_a_user_without_rights_is_told_what_is_missing() -> None:
    """As `nobody`, who may read the directory, and neither write to it nor talk to Docker Engine."""
    nobody = {
        "ansible_become_user": "nobody",
        "ansible_become_method": "su",
        "ansible_become_flags": "-s /bin/sh",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    _refused(
        nobody,
        "This user may not talk to Docker Engine",
        "cannot be written by this user",
        "Let Ansible become root (-b)",
        words=("--become",),
    )
