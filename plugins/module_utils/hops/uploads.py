# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes with a file to a presigned address, by the service that signed it. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

CHECKSUM = "x-amz-checksum-sha256"
BLOB_TYPE = "x-ms-blob-type"


class Upload(NamedTuple):
    """``target`` and ``headers`` of the upload, the same with what the store must refuse, and what that is called.

    ``asked`` are the headers for which a browser needs the store's permission.
    """

    target: str
    headers: Mapping[str, str]
    forged_target: str
    forged_headers: Mapping[str, str]
    forgery: str
    asked: tuple[str, ...]


def target(url: str) -> str:
    """Path and query."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def upload(url: str, content_type: str, checksum: str) -> Upload:
    """As the SDKs upload: all they have, and to Google only what it takes.

    S3 signs length, type and checksum, Google length and type, and Azure only where to and how long.
    """
    signed = {name.lower(): value for name, value in parse_qsl(urlsplit(url).query)}
    here = target(url)
    if "x-goog-signature" in signed:
        forged = {"Content-Type": "application/x-forged"}
        return Upload(here, {"Content-Type": content_type}, here, forged, "another type", ("content-type",))
    headers = {"Content-Type": content_type, CHECKSUM: checksum, BLOB_TYPE: "BlockBlob"}
    if "sig" in signed and "sv" in signed:
        return Upload(here, headers, _resigned(url), headers, "a wrong signature", ("content-type", BLOB_TYPE))
    wrong = base64.b64encode(hashlib.sha256(b"forged").digest()).decode()
    return Upload(here, headers, here, {**headers, CHECKSUM: wrong}, "a wrong checksum", ("content-type", CHECKSUM))


def _resigned(url: str) -> str:
    """The target with a signature that nobody made."""
    parts = urlsplit(url)
    forged = base64.b64encode(hashlib.sha256(b"forged").digest()).decode()
    pairs = [(name, forged if name == "sig" else value) for name, value in parse_qsl(parts.query)]
    return f"{parts.path}?{urlencode(pairs, quote_via=quote)}"
