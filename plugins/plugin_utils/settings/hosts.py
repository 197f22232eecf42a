# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and addresses of hosts, alone and in URLs."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def bare(host: str) -> str:
    """An IPv6 address without the brackets that it may have been written in."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def is_host(text: str) -> bool:
    """Whether it is a name, an IPv4 address, or an IPv6 address with or without brackets; no port, no zone."""
    if ":" not in text:
        return bool(_NAME.fullmatch(text))
    try:
        ipaddress.IPv6Address(bare(text))
    except ValueError:
        return False
    return "%" not in text


def bracketed(host: str) -> str:
    """A host as URLs have it."""
    return f"[{host}]" if ":" in host else host


def netloc(host: str, port: int) -> str:
    """Host and port as URLs have them."""
    return f"{bracketed(host)}:{port}"


def split(url: str) -> SplitResult:
    """The parts of a URL. One that cannot be read, as with a bracket or a port that is none, has no parts."""
    try:
        parts = urlsplit(url)
        _checked = parts.port
    except ValueError:
        return urlsplit("")
    return parts
