# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment that the pinned Langfuse reads, and whether a name and a value fit it."""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .hosts import split

_FILE = Path(__file__).with_name("environment_schema.json")

# Read by libraries of the application (tracers, the AWS SDK, Node), not by its own schemas.
_LIBRARIES = re.compile(r"(DD|OTEL|AWS|NODE)_[A-Z0-9_]+\Z|(HTTPS?|NO)_PROXY\Z|(https?|no)_proxy\Z|TZ\Z")

# Names whose values are secrets by their form. Where a secret lies is none.
_SECRET = re.compile(
    r"(?:\w+_)?(?:(?:SECRET|PASSWORD|PASSPHRASE|TOKEN|CREDENTIALS)(?:_\w+)?"
    r"|KEY|KEY_ID|SALT|AUTH|CONNECTION_STRING|OTLP_(?:\w+_)?HEADERS)(?<!_FILE)(?<!_PATH)(?<!_URL)(?<!_URI)"
)
# Some carry a password in an address.
_WITH_LOGIN = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#\s]*@")


@functools.cache
def schema() -> Mapping[str, Mapping[str, Any]]:
    """Name → {services, type, and where it has them enum, min, max, minExclusive, length, required}."""
    loaded: Mapping[str, Mapping[str, Any]] = json.loads(_FILE.read_text("utf-8"))
    return loaded


@functools.cache
def reads(service: str, name: str) -> bool:
    """Whether `service` (web or worker) or one of its libraries reads the variable."""
    option = schema().get(name)
    return service in option["services"] if option else bool(_LIBRARIES.match(name))


def nearest(name: str) -> str | None:
    """The known name most like `name`."""
    near = difflib.get_close_matches(name, schema(), n=1, cutoff=0.75)
    return near[0] if near else None


def is_secret(name: str, value: str) -> bool:
    """Whether nobody may read `value`, which somebody gives the variable. The application's switches and numbers are none."""
    option = schema().get(name)
    fits = option is None or option["type"] == "string"
    return bool((fits and _SECRET.fullmatch(name)) or _WITH_LOGIN.search(value))


def unfit(name: str, value: str) -> str | None:
    """Why the application would refuse `value`, or None. Empty values count as unset there."""
    option = schema().get(name)
    if option is None or value == "":
        return None
    match option["type"]:
        case "bool" if value not in ("true", "false"):
            return "must be exactly true or false, in lower case"
        case "enum" if value not in option["enum"]:
            return f"must be one of {', '.join(option['enum'])}"
        case "url" if not (split(value).scheme and split(value).netloc):
            return "must be a URL with scheme and host"
        case "number" | "integer" as kind:
            return _unfit_number(option, kind, value)
    if (length := option.get("length")) and len(value) != length:
        return f"must have exactly {length} characters"
    return None


def _unfit_number(option: Mapping[str, Any], kind: str, value: str) -> str | None:
    if not re.fullmatch(r"-?\d+" if kind == "integer" else r"-?\d+(\.\d+)?", value):
        return "must be a whole number" if kind == "integer" else "must be a number"
    number, low, high = float(value), option.get("min"), option.get("max")
    if low is not None and (number <= low if option.get("minExclusive") else number < low):
        return f"must be {'above' if option.get('minExclusive') else 'at least'} {low}"
    if high is not None and number > high:
        return f"must be at most {high}"
    return None
