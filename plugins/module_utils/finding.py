# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One finding about a host, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping


def finding(code: str, what: str, cure: str, level: str = "error") -> dict[str, str]:
    return dict(code=code, level=level, what=what, cure=cure)


def tell(one: Mapping[str, str]) -> str:
    return f"{one['what']}. {one['cure']}."
