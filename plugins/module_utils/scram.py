# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What PostgreSQL stores instead of a password: made, and compared with one that is stored (RFC 5802, 7677)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from ansible_collections.llmops.langfuse.plugins.module_utils import libraries

ITERATIONS = 4096
_SCHEME = "SCRAM-SHA-256$"


def prepared(password: str) -> bytes:
    """The bytes that are hashed: SASLprep, or the password as it is where SASLprep forbids it, as PostgreSQL does.

    Raises Failure missing_library, only for a password that is not ASCII.
    """
    if password.isascii():
        return password.encode()
    try:
        from passlib.utils import saslprep  # pylint: disable=import-outside-toplevel
    except ImportError:
        raise libraries.missing("libpass", needed_by="a password that is not ASCII") from None
    try:
        return saslprep(password).encode() or password.encode()
    except (ValueError, AssertionError):
        return password.encode()


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """A verifier that PostgreSQL stores as it is when it is given in place of the password."""
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password), salt, iterations)
    stored = hashlib.sha256(hmac.new(salted, b"Client Key", hashlib.sha256).digest()).digest()
    server = hmac.new(salted, b"Server Key", hashlib.sha256).digest()
    words = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"{_SCHEME}{iterations}:{words[0]}${words[1]}:{words[2]}"


def matches(stored: str | None, password: str) -> bool:
    """Whether a stored verifier is one of this password. False for anything that is no verifier."""
    if not stored or not stored.startswith(_SCHEME):
        return False
    try:
        iterations, salt = stored[len(_SCHEME) :].split("$")[0].split(":")
        wanted = verifier(password, base64.b64decode(salt, validate=True), int(iterations))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(stored.encode(), wanted.encode())
