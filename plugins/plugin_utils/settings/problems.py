# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a user's settings, said so that the user can mend it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One finding. `wrong` and `cure` never hold a secret's value.

    `variable` is the name at fault, `wrong` says what is wrong with it, `cure` what to write instead.
    """

    variable: str
    wrong: str
    cure: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.wrong}. {self.cure}"
