# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception that every module turns into one ``fail_json``, and several of them as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Failure(Exception):
    """Something an operator has to mend.

    ``code`` is stable (tests and callers match on it), ``message`` says what is wrong and where,
    ``cure`` says what to do. ``details`` goes into the result as it is, so it must hold no secret.
    ``users`` are those whose login was refused, for callers that know where their passwords are from.
    """

    def __init__(self, code: str, message: str, cure: str, *, users: Sequence[str] = (), **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.cure = cure
        self.users = tuple(users)
        self.details = details

    def as_result(self) -> dict[str, Any]:
        """Arguments of ``fail_json``. The cure is part of the message unless the message has it already."""
        message = self.message if self.cure in self.message else f"{self.message} {self.cure}"
        return {**self.details, "msg": message, "code": self.code, "cure": self.cure}


def joined(failures: Sequence[Failure]) -> Failure:
    """Several failures as one that says all of them, with the users of all; code and cure are those of the first."""
    first = failures[0]
    messages = [failure.as_result()["msg"] for failure in failures]
    users = dict.fromkeys(user for failure in failures for user in failure.users)
    return Failure(first.code, " ".join(messages), first.cure, users=list(users), **first.details)
