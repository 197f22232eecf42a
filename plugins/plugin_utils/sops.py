# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SOPS with age, through community.sops: text goes through pipes, so that nothing is on a disk in plain.

What SOPS says is never repeated, because it may quote what it was given; its exit code tells enough.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from .settings.age import VARIABLE, wrong_recipients
from .settings.problems import Problem

IDENTITY = "langfuse_age_identity_file"
# What made `decrypt` and `encrypt` commands of their own, and what takes a value for `set` by a pipe.
_OLDEST, _SETS = (3, 9, 0), (3, 11, 0)
_NO_KEY = 128
# A `.sops.yaml` above the working directory would add its own keys and rules.
_NO_CONFIGURATION = "/dev/null"
_TRIAL = "probe: word\n"


class SopsFailed(Exception):
    """SOPS ended with `code`; 128 where no identity opens the text."""

    def __init__(self, code: int) -> None:
        super().__init__(f"SOPS ended with code {code}")
        self.code = code

    @property
    def closed(self) -> bool:
        return self.code == _NO_KEY


def metadata(data: bytes) -> Mapping[str, Any] | None:
    """What SOPS wrote into its first document; None for what it did not encrypt. Never raises."""
    try:
        first = next(iter(yaml.load_all(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))), None)
    except (yaml.YAMLError, ValueError):
        return None
    found = first.get("sops") if isinstance(first, dict) else None
    return found if isinstance(found, dict) and "mac" in found else None


def keys_of(data: bytes) -> frozenset[str] | None:
    """Who can open it: recipients of age as they are, and other kinds of keys by the name of their kind."""
    found = metadata(data)
    if found is None:
        return None
    recipients = {str(one.get("recipient")) for one in found.get("age") or [] if isinstance(one, dict)}
    others = {"kms", "gcp_kms", "azure_kv", "hc_vault", "hckms", "pgp", "key_groups"}
    return frozenset(recipients | {name for name in others if found.get(name)})


class Cipher:
    """Encrypts for `recipients`, and opens with the identity in `identity_file`, or where SOPS looks by itself."""

    def __init__(self, recipients: Sequence[str], identity_file: str | None = None) -> None:
        self.recipients = frozenset(recipients)
        # Whether `probe` found an identity that opens what is encrypted for them.
        self.opens = False
        self._identity_file = identity_file or None
        self._made: Any = None

    def unfit(self) -> list[Problem]:
        """What stands in the way of asking SOPS at all."""
        try:
            version = self._runner().version
        except ImportError:
            return [
                Problem(
                    "community.sops",
                    "is missing, the collection that runs SOPS",
                    "Install it: ansible-galaxy collection install community.sops",
                )
            ]
        except OSError:
            return [
                Problem(
                    "sops",
                    "is missing on the controller, or cannot be run",
                    "Install SOPS 3.9 or newer from https://getsops.io, and put it on the PATH",
                )
            ]
        if version < _OLDEST:
            return [Problem("sops", "is older than 3.9 on the controller", "Install SOPS 3.9 or newer")]
        if self._identity_file and not os.access(self._identity_file, os.R_OK):
            return [Problem(IDENTITY, f"is {self._identity_file}, which cannot be read", "Write the file's right path")]
        return []

    def probe(self, reason: str, must_open: bool) -> list[Problem]:
        """What stands in the way of encrypting, and of opening that again. `must_open`: whether no identity at all is a problem too."""
        if problems := [*wrong_recipients(sorted(self.recipients), reason)] or self.unfit():
            return problems
        try:
            trial = self.encrypt(_TRIAL)
        except SopsFailed:
            return [
                Problem(VARIABLE, "has a public key that SOPS does not take", "Copy it again as age-keygen printed it")
            ]
        if more := (keys_of(trial) or frozenset()) - self.recipients:
            return [
                Problem(
                    "sops",
                    f"would encrypt for {', '.join(sorted(more))} as well, because an environment variable says so",
                    "Unset the variables SOPS_... that name keys",
                )
            ]
        try:
            self.opens = bool(self.decrypt(trial))
        except SopsFailed:
            if must_open or self._identity_file:
                return [self.closed("what is encrypted for langfuse_age_recipients")]
        return []

    def closed(self, what: str) -> Problem:
        """The problem that no identity opens `what`."""
        if self._identity_file:
            wrong = f"is {self._identity_file}, and no identity in it opens {what}"
            return Problem(IDENTITY, wrong, "Write the file with the identity of one of its recipients")
        wrong = f"is not set, and no identity that SOPS finds by itself opens {what}"
        return Problem(
            IDENTITY, wrong, "Write the file with the identity of one of its recipients, or set SOPS_AGE_KEY_FILE"
        )

    def encrypt(self, text: str, only: str | None = None) -> bytes:
        """YAML `text`, encrypted: all values, or those under keys that match `only`. Raises SopsFailed."""
        options = {
            "age": sorted(self.recipients),
            "config_path": _NO_CONFIGURATION,
            "encrypted_regex": only,
        }
        data: bytes = self._run(
            "encrypt", data=text.encode(), input_type="yaml", output_type="yaml", get_option_value=options.get
        )
        return data

    def decrypt(self, data: bytes, form: str = "yaml") -> str:
        """The text in plain, as `yaml` or `json`. Raises SopsFailed."""
        options = {"age_keyfile": self._identity_file, "config_path": _NO_CONFIGURATION}
        text: str = self._run(
            "decrypt",
            encrypted_file="-",
            content=data,
            input_type="yaml",
            output_type=form,
            get_option_value=options.get,
            rstrip=False,
        )
        return text

    @property
    def sets(self) -> bool:
        """Whether `set` is there: an identity opens the file, and SOPS takes the value by a pipe."""
        return self.opens and self._runner().version >= _SETS

    def set(self, data: bytes, key: str, value: Any) -> bytes:
        """`data` with `value` under a key of its first document. Every other value keeps its ciphertext, and all documents get a new seal: whether
        the old one fits is not looked at. Only ciphertext is written, into a private folder. Raises SopsFailed."""
        environment = {**os.environ, **({"SOPS_AGE_KEY_FILE": self._identity_file} if self._identity_file else {})}
        with tempfile.TemporaryDirectory(prefix="langfuse-") as folder:
            file = Path(folder, "x.yaml")
            file.write_bytes(data)
            words = ["sops", "--config", _NO_CONFIGURATION, "set", "--ignore-mac", "--value-stdin", str(file)]
            done = subprocess.run(
                [*words, json.dumps([key])],
                env=environment,
                input=json.dumps(value).encode(),
                capture_output=True,
                check=False,
            )
            if done.returncode:
                raise SopsFailed(done.returncode)
            return file.read_bytes()

    def _runner(self) -> Any:
        if self._made is None:
            # Only who encrypts needs the collection.
            from ansible_collections.community.sops.plugins.module_utils.sops import SopsRunner

            self._made = SopsRunner("sops")  # type: ignore[no-untyped-call]
        return self._made

    def _run(self, command: str, **words: Any) -> Any:
        from ansible_collections.community.sops.plugins.module_utils.sops import SopsError

        try:
            return getattr(self._runner(), command)(**words)
        except SopsError as error:
            code = re.search(r"code:? (\d+)", str(error))
            raise SopsFailed(int(code[1]) if code else 1) from None
