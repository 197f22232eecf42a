# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authorities of one's own beside those that the host trusts, for libraries that take one file or the other."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator

from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

# Where distributions keep the authorities that a host trusts.
_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def of_host() -> str | None:
    """The file of the host's authorities: the one that OpenSSL is told (``SSL_CERT_FILE``), or the distribution's."""
    return ssl.get_default_verify_paths().cafile or next((path for path in _FILES if os.path.exists(path)), None)


@contextlib.contextmanager
def beside_those_of_host(text: str | None) -> Iterator[str | None]:
    """A file with the host's authorities and the given ones (PEM), while it is needed; None where none are given."""
    if not text:
        yield None
        return
    with tempfile.NamedTemporaryFile("w", prefix="authorities-", suffix=".pem", encoding="utf-8") as file:
        if path := of_host():
            with open(path, encoding="utf-8", errors="ignore") as known:
                file.write(known.read().rstrip() + "\n")
        file.write(text)
        file.flush()
        yield file.name


def read(path: str | None) -> str | None:
    """Text of the file of one's own authorities, which site writes. Raises Failure bad_option."""
    if not path:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        cure = "Name a readable PEM file in ca_path; that of langfuse_ca_certificates is written by site, so run that."
        raise Failure(
            "bad_option",
            f"The authorities in {path} cannot be read: {getattr(error, 'strerror', 'it is no text')}.",
            cure,
        ) from None
