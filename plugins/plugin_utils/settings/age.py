# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For whom SOPS encrypts: what is wrong with recipients of age before any program is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .problems import Problem

VARIABLE = "langfuse_age_recipients"
_RECIPIENT = re.compile(r"age1[0-9a-z]{50,}")
_MAKE = "Make a pair with age-keygen, and write its public key, age1..."


def wrong_recipients(recipients: Sequence[str], reason: str) -> Iterator[Problem]:
    """Problems of `recipients`, which `reason` needs; empty where nothing does. No message holds what may be an identity."""
    if reason and not recipients:
        yield Problem(VARIABLE, f"is empty, and {reason}", _MAKE)
    for number, recipient in enumerate(recipients, start=1):
        if recipient.upper().startswith("AGE-SECRET-KEY-"):
            yield Problem(
                VARIABLE,
                f"has an identity, which is secret, as number {number}",
                "Write its public key, age1..., and make another pair if anybody has seen this one",
            )
        elif not _RECIPIENT.fullmatch(recipient):
            yield Problem(VARIABLE, f"has something that is no public key of age, as number {number}", _MAKE)
