"""ExportTraceServiceRequest from its wire format to OTLP's JSON shape; ids become lower-case hex."""

import base64
import struct
from typing import Any

Message = dict[str, Any]

# message -> field number -> (name, kind, repeated); kind is a message name or a scalar
_SCHEMA: dict[str, dict[int, tuple[str, str, bool]]] = {
    "Request": {1: ("resourceSpans", "ResourceSpans", True)},
    "ResourceSpans": {
        1: ("resource", "Resource", False),
        2: ("scopeSpans", "ScopeSpans", True),
        3: ("schemaUrl", "string", False),
    },
    "Resource": {1: ("attributes", "KeyValue", True), 2: ("droppedAttributesCount", "varint", False)},
    "ScopeSpans": {1: ("scope", "Scope", False), 2: ("spans", "Span", True), 3: ("schemaUrl", "string", False)},
    "Scope": {1: ("name", "string", False), 2: ("version", "string", False), 3: ("attributes", "KeyValue", True)},
    "Span": {
        1: ("traceId", "hex", False),
        2: ("spanId", "hex", False),
        3: ("traceState", "string", False),
        4: ("parentSpanId", "hex", False),
        5: ("name", "string", False),
        6: ("kind", "varint", False),
        7: ("startTimeUnixNano", "fixed64", False),
        8: ("endTimeUnixNano", "fixed64", False),
        9: ("attributes", "KeyValue", True),
        11: ("events", "Event", True),
        15: ("status", "Status", False),
    },
    "Event": {
        1: ("timeUnixNano", "fixed64", False),
        2: ("name", "string", False),
        3: ("attributes", "KeyValue", True),
    },
    "Status": {2: ("message", "string", False), 3: ("code", "varint", False)},
    "KeyValue": {1: ("key", "string", False), 2: ("value", "AnyValue", False)},
    "AnyValue": {
        1: ("stringValue", "string", False),
        2: ("boolValue", "bool", False),
        3: ("intValue", "int64", False),
        4: ("doubleValue", "double", False),
        5: ("arrayValue", "ArrayValue", False),
        6: ("kvlistValue", "KeyValueList", False),
        7: ("bytesValue", "bytes", False),
    },
    "ArrayValue": {1: ("values", "AnyValue", True)},
    "KeyValueList": {1: ("values", "KeyValue", True)},
}
_WIRE = {"varint": 0, "bool": 0, "int64": 0, "fixed64": 1, "double": 1}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("varint too long")


def _scalar(kind: str, raw: int | bytes) -> Any:
    match kind, raw:
        case "varint", int():
            return raw
        case "bool", int():
            return bool(raw)
        case "int64", int():
            return str(raw - (1 << 64) if raw >> 63 else raw)
        case "fixed64", bytes():
            return str(struct.unpack("<Q", raw)[0])
        case "double", bytes():
            return struct.unpack("<d", raw)[0]
        case "string", bytes():
            return raw.decode()
        case "hex", bytes():
            return raw.hex()
        case "bytes", bytes():
            return base64.b64encode(raw).decode()
    raise ValueError(f"wrong wire type for {kind}")


def decode(data: bytes, message: str = "Request") -> Message:
    """Raises ValueError on anything that is not this message; unknown fields are skipped."""
    fields, found, at = _SCHEMA[message], Message(), 0
    try:
        while at < len(data):
            tag, at = _varint(data, at)
            number, wire = tag >> 3, tag & 7
            raw: int | bytes
            if number == 0:
                raise ValueError("illegal field number 0")
            if wire == 0:
                raw, at = _varint(data, at)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
                raw, at = data[at : at + size], at + size
            elif wire == 2:
                size, at = _varint(data, at)
                raw, at = data[at : at + size], at + size
            else:
                raise ValueError(f"illegal wire type {wire}")
            if at > len(data):
                raise ValueError("index out of range")
            if number not in fields:
                continue
            name, kind, repeated = fields[number]
            if _WIRE.get(kind, 2) != wire:
                raise ValueError(f"wrong wire type for {name}")
            value = decode(raw, kind) if kind in _SCHEMA and isinstance(raw, bytes) else _scalar(kind, raw)
            if repeated:
                found.setdefault(name, []).append(value)
            else:
                found[name] = value
    except (IndexError, UnicodeDecodeError, struct.error) as exc:
        raise ValueError(str(exc)) from exc
    return found
