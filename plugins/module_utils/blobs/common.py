# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the two services have in common."""

from __future__ import annotations

import email.utils
import time
from typing import NamedTuple, Protocol

from ansible_collections.llmops.langfuse.plugins.module_utils.s3.errors import StoreError

# Codes of ours, where a service has none of its own or several.
NO_OBJECT, BAD_CREDENTIALS, NO_IDENTITY = "no_object", "bad_credentials", "no_identity"


class Judgement(NamedTuple):
    """Code of the failure, what is wrong ("" for what the service said), and the cure."""

    code: str
    message: str
    cure: str


class Service(Protocol):
    """One account of a service. Every call raises StoreError only, with the service's code or a kind of ``http_client``.

    ``label`` is what people call it, ``reach`` what to do where it does not answer. ``skew`` is by how many seconds this
    host's clock is ahead of the service's.
    """

    label: str
    reach: str
    skew: float

    def look(self, bucket: str) -> bool | None:
        """None: no such bucket. True: it holds objects. False: it is empty."""

    def read(self, bucket: str, name: str) -> bytes:
        """The object's content. StoreError ``no_object`` where it is not there."""

    def write(self, bucket: str, name: str, body: bytes) -> None:
        """Make the object, or replace it."""

    def delete(self, bucket: str, name: str) -> None:
        """Remove the object."""

    def hints(self) -> list[str]:
        """What will hurt later, as sentences. Writes nothing."""

    def explain(self, error: StoreError, bucket: str) -> Judgement | None:
        """The cause and the cure of an error of the service's own; None for one that is not known. Pure."""


def skew(date: str | None) -> float:
    """Seconds between this clock and the one of a ``Date`` header; 0 without one."""
    try:
        return time.time() - email.utils.parsedate_to_datetime(date or "").timestamp()
    except (TypeError, ValueError):
        return 0.0
