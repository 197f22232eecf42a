# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of lines ``NAME=value``, as Compose and most frameworks read them (``.env``)."""

from __future__ import annotations

import re

_LINE = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)\s*=[^\S\n]*
    (?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<bare>[^\n]*?))
    [^\S\n]*(?:(?<=\s)\#.*|(?<=["'])\#.*)?\Z""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse(text: str) -> dict[str, str]:
    """Name → value; the last of several wins. Lines that are none are left out, ``${…}`` is kept as it is."""
    values = {}
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            continue
        if match["double"] is not None:
            value = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), match["double"])
        else:
            value = match["single"] if match["single"] is not None else match["bare"]
        values[match["name"]] = value
    return values
