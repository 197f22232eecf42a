# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rules ask of URLs and hosts."""

from __future__ import annotations

import ipaddress
import re

from ..hosts import bare, split

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"


def is_web(url: str) -> bool:
    """Whether it is an http or https URL of a host: no user, query or fragment, and a port that is one."""
    parts = split(url)
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and parts.port != 0
        and not (parts.username or parts.password or parts.query or parts.fragment or re.search(r"\s", url))
    )


def is_address(host: str) -> bool:
    """Whether it is an IP address and no name."""
    try:
        ipaddress.ip_address(bare(host))
    except ValueError:
        return False
    return True


def is_name(host: str) -> bool:
    """Whether it is a host name: labels of letters, digits and hyphens, and no address gone wrong."""
    return bool(re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", host)) and not host.rpartition(".")[2].isdigit()


def is_loopback(host: str) -> bool:
    """Whether whoever connects to it means itself."""
    if not is_address(host):
        return host.lower() == "localhost" or host.lower().endswith(".localhost")
    address = ipaddress.ip_address(bare(host))
    return address.is_loopback or address.is_unspecified
