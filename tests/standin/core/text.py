"""Small shapes both processes share: ids, instants, JSON the way JavaScript prints it."""

import datetime as dt
import json
import secrets
import time
from decimal import Decimal
from typing import Any

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def cuid() -> str:
    return "c" + "".join(secrets.choice(_ALPHABET) for _ in range(24))


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def iso(instant: dt.datetime) -> str:
    """`2026-11-21T20:59:14.576Z`; naive instants are UTC, as Prisma's columns are."""
    aware = instant.replace(tzinfo=dt.UTC) if instant.tzinfo is None else instant.astimezone(dt.UTC)
    return aware.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_ms(ms: int) -> str:
    return iso(dt.datetime.fromtimestamp(ms // 1000, dt.UTC).replace(microsecond=ms % 1000 * 1000))


def parse_iso(text: str) -> dt.datetime:
    """Raises ValueError unless it is an instant with an offset."""
    if "T" not in text:
        raise ValueError(text)
    found = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if found.tzinfo is None:
        raise ValueError(text)
    return found.astimezone(dt.UTC)


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def number(value: Decimal | float | None) -> float | int | None:
    """A JSON number without a needless fraction."""
    if value is None:
        return None
    as_float = float(value)
    return int(as_float) if as_float.is_integer() else as_float


def decimal_text(value: Decimal | None) -> str | None:
    """As decimal.js prints: exponents from 1e-7 downwards."""
    if value is None:
        return None
    value = value.normalize()
    if value and value.adjusted() <= -7:
        digits = "".join(str(d) for d in value.as_tuple().digits)
        head = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return f"{head}e-{-value.adjusted()}"
    return f"{value:f}"
