# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets file: one YAML file per inventory, keyed by instance, in a vault, encrypted by SOPS, or plain.

An existing value is never changed: `add` takes only what is missing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, is_encrypted

from .settings.problems import Problem
from .sops import Cipher, SopsFailed, keys_of

_HEADER = "# Generated secrets of Langfuse instances, kept by llmops.langfuse. Back this file up: without it the data cannot be read.\n"


class Refused(Exception):
    """The file cannot be used; the message says why and what to do, and holds no value."""


class SecretsStore:
    """Secrets of the instances of one inventory."""

    def __init__(
        self, path: str, form: str, vault: VaultLib, passwords: Sequence[Any], cipher: Cipher | None = None
    ) -> None:
        self._path = Path(path)
        # Behind a symbolic link, which is to stay one.
        self._file = Path(os.path.realpath(path))
        self._form = form
        self._vault = vault
        self._passwords = passwords
        self._cipher = cipher or Cipher(())

    def read(self, instance: str) -> dict[str, str]:
        """Stored secrets of the instance, empty when there are none. Raises Refused."""
        return dict(self._load().get(instance, {}))

    def unwritable(self) -> list[str]:
        """Why a new secret could not be written, if so; as messages for the user."""
        if self._form == "vault" and not self._passwords:
            return [
                str(
                    Problem(
                        "langfuse_secrets_format",
                        "is vault, and this run has no vault password",
                        "Add --vault-password-file or --ask-vault-pass, or set it to plain for a local demo",
                    )
                )
            ]
        if self._form == "sops":
            return list(map(str, self._cipher.probe("langfuse_secrets_format is sops", must_open=True)))
        return []

    def add(self, instance: str, values: Mapping[str, str], dry: bool = False) -> bool:
        """Write the values, which this run drew. Returns whether the file changes. Raises Refused, also where another run has
        drawn and kept others meanwhile: with two sets of them, what one run makes the other could not open."""
        with self._alone(dry):
            content = self._load()
            mine = content.get(instance, {})
            if any(mine[name] != value for name, value in values.items() if name in mine):
                raise Refused(
                    f"langfuse_secrets_file: another run has written other secrets of {instance} to {self._path} since this one "
                    "began. Let it end, and run again"
                )
            missing = {name: value for name, value in values.items() if name not in mine}
            if not missing and self._is_in_form():
                return False
            if not dry:
                self._save({**content, instance: {**mine, **missing}})
            return True

    def forget(self, instance: str, dry: bool = False) -> bool:
        """Remove the secrets of the instance. Returns whether there were any."""
        with self._alone(dry):
            content = self._load()
            if instance not in content:
                return False
            if not dry:
                self._save({name: values for name, values in content.items() if name != instance})
            return True

    @contextlib.contextmanager
    def _alone(self, dry: bool) -> Iterator[None]:
        """Between reading and writing no other run writes. The lock is on the folder, so that no file of it stays."""
        try:
            if not dry:
                self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._file.parent, os.O_RDONLY)
        except OSError:
            # Reading or writing says what is wrong with it.
            yield
            return
        try:
            # Not every file system knows locks.
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _is_in_form(self) -> bool:
        if not self._path.exists():
            return True
        data = self._path.read_bytes()
        if is_encrypted(data):
            return self._form == "vault"
        recipients = keys_of(data)
        return recipients == (self._cipher.recipients if self._form == "sops" else None) and self._form != "vault"

    def _load(self) -> dict[str, dict[str, str]]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise Refused(
                f"langfuse_secrets_file: {self._path} cannot be read: {error.strerror}. Mend its rights"
            ) from None
        opened = None
        if is_encrypted(data):
            if not self._passwords:
                raise Refused(
                    f"langfuse_secrets_file: {self._path} is encrypted. Add --vault-password-file or --ask-vault-pass"
                )
            try:
                data = self._vault.decrypt(data)
            except AnsibleError:
                raise Refused(
                    f"langfuse_secrets_file: none of the vault passwords opens {self._path}. Give the right one"
                ) from None
        elif keys_of(data) is not None:
            opened = self._opened(data)
        try:
            content = yaml.safe_load(data) if opened is None else json.loads(opened)
        except (yaml.YAMLError, ValueError):
            content = "broken"
        if content is None:
            return {}
        if not isinstance(content, dict) or not all(isinstance(values, dict) for values in content.values()):
            raise Refused(f"langfuse_secrets_file: {self._path} is not a map of instances. Restore it from its backup")
        return content

    def _save(self, content: Mapping[str, Mapping[str, str]]) -> None:
        data = (_HEADER + yaml.safe_dump(dict(content), sort_keys=True)).encode()
        if self._form == "vault":
            if problems := self.unwritable():
                raise Refused(problems[0])
            label, password = self._passwords[0]
            data = self._vault.encrypt(data, secret=password, vault_id=label)
        elif self._form == "sops":
            data = self._encrypted(content)
        try:
            handle, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.replace(temporary, self._file)
            except BaseException:
                os.unlink(temporary)
                raise
        except OSError as error:
            raise Refused(
                f"langfuse_secrets_file: {self._path} cannot be written: {error.strerror}. Choose another place"
            ) from None

    def _opened(self, data: bytes) -> str:
        """What SOPS encrypted, as JSON: there text stays text, whatever it looks like."""
        if problems := self._cipher.unfit():
            raise Refused(str(problems[0]))
        try:
            return self._cipher.decrypt(data, "json")
        except SopsFailed as failed:
            if failed.closed:
                raise Refused(str(self._cipher.closed(f"langfuse_secrets_file, {self._path},"))) from None
            raise Refused(
                f"langfuse_secrets_file: SOPS does not take {self._path}, which was changed after it was encrypted. "
                "Restore it from its backup"
            ) from None

    def _encrypted(self, content: Mapping[str, Mapping[str, str]]) -> bytes:
        if problems := self.unwritable():
            raise Refused(problems[0])
        # Behind the comment, which SOPS would encrypt too. JSON, because two readers of YAML take some text for different numbers.
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        data = _HEADER.encode() + self._cipher.encrypt(text)
        if json.loads(self._opened(data)) != content:
            raise Refused(
                f"langfuse_secrets_file: SOPS gave back other secrets than it got, so {self._path} was left alone"
            )
        return data
