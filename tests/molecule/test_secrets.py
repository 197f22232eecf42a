"""Data without its keys, or with other ones: everything stops before anything changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.molecule import playbook, snapshot
from tests.molecule.instance import LIFE, Instance


@pytest.fixture
def kept_file() -> Iterator[None]:
    """The secrets file comes back after the test."""
    content, mode = LIFE.secrets_file.read_bytes(), LIFE.secrets_file.stat().st_mode
    yield
    LIFE.secrets_file.write_bytes(content)
    LIFE.secrets_file.chmod(mode)


@pytest.mark.usefixtures("kept_file")
def test_data_without_its_keys_is_refused(life: Instance) -> None:
    LIFE.secrets_file.unlink()
    before = snapshot.host(life)
    refused = playbook.site(life, fails=True)
    refused.mentions("Nothing was changed", "langfuse_salt", "langfuse_encryption_key", f"{life.name}_postgres")
    snapshot.assert_same(before, snapshot.host(life))


@pytest.mark.usefixtures("kept_file")
@pytest.mark.parametrize(
    ("name", "value"),
    [("langfuse_salt", "another-salt-0123456789"), ("langfuse_encryption_key", "0123456789abcdef" * 4)],
)
def test_changed_key_in_the_file_is_refused(life: Instance, name: str, value: str) -> None:
    environment_name = {"langfuse_salt": "SALT", "langfuse_encryption_key": "ENCRYPTION_KEY"}[name]
    life.change_secret(name, value)
    before = snapshot.host(life)
    refused = playbook.site(life, fails=True)
    refused.mentions("Nothing was changed", f"{environment_name} differs", "Put the old value back")
    assert value not in refused.output
    snapshot.assert_same(before, snapshot.host(life))


def test_changed_salt_as_a_variable_is_refused(life: Instance) -> None:
    before = snapshot.host(life)
    refused = playbook.site(life, variables={"langfuse_salt": "another-salt-0123456789"}, fails=True)
    refused.mentions("langfuse_salt: differs from the value in the secrets file")
    assert "another-salt" not in refused.output
    snapshot.assert_same(before, snapshot.host(life))
