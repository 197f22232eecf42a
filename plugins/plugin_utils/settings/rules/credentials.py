# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets: what can be guessed, what the application cannot take, what breaks a file or a URL."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..cluster_secrets import kept_elsewhere
from ..plan import Settings
from ..problems import Problem
from ..sources import drawn, is_bundled

_CONTROL = re.compile(r"[\x00-\x1f]")
_DRAW = "Remove the variable to have one generated"


def short_secrets(settings: Settings) -> Iterator[Problem]:
    """Given secrets that can be guessed. Generated ones are long enough."""
    minimum = {
        "langfuse_nextauth_secret": 32,
        "langfuse_salt": 16,
        "langfuse_admin_api_key": 32,
        "langfuse_postgres_password": 12,
        "langfuse_clickhouse_password": 12,
        "langfuse_redis_password": 12,
        "langfuse_s3_secret_key": 12,
    }
    for name, length in minimum.items():
        # What an existing store takes is its owner's business; what is missing is another rule's.
        if name in settings.secrets and drawn(settings.values, name) and len(settings.secrets[name]) < length:
            yield Problem(name, f"is shorter than {length} characters", f"Write a longer one. {_DRAW}")


def encryption_key(settings: Settings) -> Iterator[Problem]:
    """The application checks only the length and fails later, at the first credential (facts 3.4)."""
    key = settings.secrets.get("langfuse_encryption_key")
    if key is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", key):
        yield Problem(
            "langfuse_encryption_key",
            "is not 64 hexadecimal characters",
            f"Write the output of `openssl rand -hex 32`. {_DRAW}",
        )


def project_key_form(settings: Settings) -> Iterator[Problem]:
    for name, start in (("langfuse_init_project_public_key", "pk-lf-"), ("langfuse_init_project_secret_key", "sk-lf-")):
        if name in settings.secrets and not re.fullmatch(rf"{start}[A-Za-z0-9_-]{{8,}}", settings.secrets[name]):
            yield Problem(name, f"is not {start} followed by at least 8 letters, digits, _ or -", _DRAW)


def project_key_pair(settings: Settings) -> Iterator[Problem]:
    """A new secret under an old public key is ignored by the application (facts 5)."""
    pair = ("langfuse_init_project_public_key", "langfuse_init_project_secret_key")
    missing = [name for name in pair if name not in settings.given and not kept_elsewhere(settings, name)]
    # Of a secret key that somebody else keeps, the public one must be said.
    if len(missing) == 1:
        yield Problem(
            missing[0],
            "is missing while the other key of the pair is given",
            "Give both keys, or none to have them generated",
        )


def clickhouse_password(settings: Settings) -> Iterator[Problem]:
    """The migration tool puts it into a URL as it is, the application uses it raw (facts 1.7)."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", settings.secrets.get("langfuse_clickhouse_password", "")):
        yield Problem(
            "langfuse_clickhouse_password",
            "holds characters that break the migration's URL",
            "Use only letters, digits, _ and -",
        )


def postgres_password(settings: Settings) -> Iterator[Problem]:
    """The bundled one's verifier is computed without SASLprep, which only printable ASCII does not need."""
    password = settings.secrets.get("langfuse_postgres_password", "x")
    if is_bundled(settings, "postgres") and not re.fullmatch(r"[ -~]+", password):
        yield Problem(
            "langfuse_postgres_password",
            "holds other characters than printable ASCII",
            "Use letters, digits and punctuation",
        )


def object_store_keys(settings: Settings) -> Iterator[Problem]:
    key = settings.secrets.get("langfuse_s3_access_key", "xxx")
    if is_bundled(settings, "s3") and not re.fullmatch(r"[A-Za-z0-9]{3,128}", key):
        yield Problem("langfuse_s3_access_key", "is not 3 to 128 letters and digits", _DRAW)


def control_characters(settings: Settings) -> Iterator[Problem]:
    """A line break in a secret ends a line of an env file, a configuration or a header."""
    for name, value in settings.secrets.items():
        if _CONTROL.search(value):
            yield Problem(name, "holds a line break or another control character", "Write it on one line")


def license_form(settings: Settings) -> Iterator[Problem]:
    value = settings["langfuse_license_key"]
    if value and not value.startswith(("langfuse_ee_", "langfuse_pro_")):
        yield Problem("langfuse_license_key", "does not start with langfuse_ee_ or langfuse_pro_", "Copy the whole key")


RULES = (
    short_secrets,
    encryption_key,
    project_key_form,
    project_key_pair,
    clickhouse_password,
    postgres_password,
    object_store_keys,
    control_characters,
    license_form,
)
