# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which secrets an instance has, how a missing one is drawn, and what the application takes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_ALPHABET = string.ascii_letters + string.digits


def _text(length: int) -> Callable[[], str]:
    return lambda: "".join(secrets.choice(_ALPHABET) for _character in range(length))


@dataclass(frozen=True)
class Secret:
    """A secret that is drawn when nobody gave one.

    `draw` makes a candidate. `frozen` secrets orphan data when they change: the salt turns API keys
    into strangers until each is used once, the encryption key makes stored credentials unreadable.
    """

    draw: Callable[[], str]
    frozen: bool = False


GENERATED: Mapping[str, Secret] = {
    "langfuse_nextauth_secret": Secret(_text(48)),
    "langfuse_salt": Secret(_text(48), frozen=True),
    "langfuse_encryption_key": Secret(lambda: secrets.token_hex(32), frozen=True),
    "langfuse_postgres_password": Secret(_text(40)),
    "langfuse_clickhouse_password": Secret(_text(40)),
    "langfuse_redis_password": Secret(_text(40)),
    "langfuse_s3_access_key": Secret(_text(20)),
    "langfuse_s3_secret_key": Secret(_text(40)),
    "langfuse_init_project_public_key": Secret(lambda: f"pk-lf-{uuid.uuid4()}"),
    "langfuse_init_project_secret_key": Secret(lambda: f"sk-lf-{uuid.uuid4()}"),
    "langfuse_init_user_password": Secret(_text(24)),
    "langfuse_admin_api_key": Secret(_text(48)),
    "langfuse_keycloak_client_secret": Secret(_text(40)),
}

# The public key is drawn and kept with its secret key, but is no secret itself.
PUBLIC = frozenset({"langfuse_init_project_public_key"})

FROZEN = tuple(name for name, secret in GENERATED.items() if secret.frozen)


def candidates(have: Mapping[str, object]) -> dict[str, str]:
    """A fresh value for every generated secret that `have` lacks. Not pure: draws randomness."""
    return {name: secret.draw() for name, secret in GENERATED.items() if not have.get(name)}


def fingerprint_key(encryption_key: str) -> bytes:
    """Key for fingerprints that leave the secret place. It comes from the one secret that never changes."""
    return hmac.new(encryption_key.encode(), b"llmops.langfuse fingerprint v1", hashlib.sha256).digest()


def fingerprint(key: bytes, *parts: bytes) -> str:
    """Keyed fingerprint of `parts`, 32 hexadecimal characters."""
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:32]
