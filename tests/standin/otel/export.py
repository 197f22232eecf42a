"""Reading an OTLP export as `POST /api/public/otel/v1/traces` does: what is refused, and with which text."""

import gzip
import json
import zlib
from typing import Any

from .protobuf import decode

MAX_INGESTION_VERSION = 4


class Refused(Exception):
    """A 400; the text is the body's `error`."""


def ingestion_version(header: str | None) -> str:
    """As sent; "" when absent."""
    if not header:
        return ""
    try:
        good = int(header) <= MAX_INGESTION_VERSION
    except ValueError:
        good = False
    if not good:
        raise Refused(
            f'Unsupported x-langfuse-ingestion-version: "{header}". Maximum supported: "{MAX_INGESTION_VERSION}".'
        )
    return header


def read(body: bytes, content_type: str, encoding: str) -> list[dict[str, Any]]:
    """resourceSpans in OTLP's JSON shape; one bad span refuses all of them."""
    if "gzip" in encoding:
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            raise Refused("Failed to decompress gzip data") from None
    if "application/x-protobuf" in content_type:
        try:
            found = decode(body).get("resourceSpans", [])
        except ValueError:
            raise Refused("Failed to parse OTel Protobuf Trace") from None
    elif "application/json" in content_type:
        try:
            parsed = json.loads(body)
            found = parsed["resourceSpans"]
        except (ValueError, KeyError, TypeError):
            raise Refused("Failed to parse OTel JSON Trace") from None
    else:
        raise Refused("Invalid content type")
    if not isinstance(found, list):
        raise Refused("Failed to parse OTel JSON Trace")
    for resource in found:
        for scope in resource.get("scopeSpans") or []:
            for span in scope.get("spans") or []:
                _check(span)
    return found


def hex_id(value: Any) -> str | None:
    """Strings are kept as sent; byte arrays (`[1, 2]` or `{"type":"Buffer","data":[..]}`) become hex."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        value = value.get("data")
    if isinstance(value, list) and all(isinstance(b, int) and 0 <= b < 256 for b in value):
        return bytes(value).hex()
    return None


def _check(span: Any) -> None:
    prefix = "Invalid OTLP trace export"
    if not isinstance(span, dict):
        raise Refused(f"{prefix}: span is not an object")
    for name in ("traceId", "spanId"):
        if hex_id(span.get(name)) is None:
            raise Refused(f"{prefix}: span has a missing or invalid {name}")
    if not isinstance(span.get("attributes", []), list):
        raise Refused(f"{prefix}: span attributes must be a list")
