"""Answers in the application's words."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ..core.text import parse_iso

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
EVENTS_ONLY = (
    "This endpoint is not available on deployments running in Langfuse v4 events_only mode. "
    "Learn more about Langfuse v4 at: https://langfuse.com/docs/v4"
)
_DATETIME = (
    "/^(?:(?:\\d\\d[2468][048]|\\d\\d[13579][26]|\\d\\d0[48]|[02468][048]00|[13579][26]00)-02-29|\\d{4}-(?:(?:0[13578]|"
    "1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|(?:02)-(?:0[1-9]|1\\d|2[0-8])))T(?:(?:[01]\\d|"
    "2[0-3]):[0-5]\\d(?::[0-5]\\d(?:\\.\\d+)?)?(?:Z|([+-](?:[01]\\d|2[0-3]):[0-5]\\d)))$/"
)


class Answer(Exception):
    """Ends a request with this answer."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        return reply(self.status, self.body, self.headers)


def reply(status: int, body: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        headers={"Content-Type": JSON, **(headers or {})},
    )


def internal_error(text: str) -> web.Response:
    return reply(500, {"message": "Internal Server Error", "error": text})


def method_not_allowed() -> Answer:
    return Answer(405, {"message": "Method not allowed", "error": "MethodNotAllowedError"})


def not_found(message: str) -> Answer:
    return Answer(404, {"message": message, "error": "LangfuseNotFoundError"})


def invalid(*issues: dict[str, Any]) -> Answer:
    return Answer(400, {"message": "Invalid request data", "error": list(issues)})


def issue_missing(name: str, expected: str, received: str = "undefined") -> dict[str, Any]:
    return {
        "expected": expected,
        "code": "invalid_type",
        "path": [name],
        "message": f"Invalid input: expected {expected}, received {received}",
    }


def issue_enum(name: str, values: list[str]) -> dict[str, Any]:
    options = "|".join(f'"{v}"' for v in values)
    return {
        "code": "invalid_value",
        "values": values,
        "path": [name],
        "message": f"Invalid option: expected one of {options}",
    }


def whole_number(query: Mapping[str, str], name: str, default: int, low: int, high: int | None) -> int:
    """A query parameter as zod coerces it."""
    given = query.get(name)
    if given is None:
        return default
    try:
        number = int(given)
    except ValueError:
        raise invalid(issue_missing(name, "number", "NaN")) from None
    if number < low:
        text = f"Too small: expected number to be >={low}"
        raise invalid(
            {
                "origin": "number",
                "code": "too_small",
                "minimum": low,
                "inclusive": True,
                "path": [name],
                "message": text,
            }
        )
    if high is not None and number > high:
        text = f"Too big: expected number to be <={high}"
        raise invalid(
            {"origin": "number", "code": "too_big", "maximum": high, "inclusive": True, "path": [name], "message": text}
        )
    return number


def instant(query: Mapping[str, str], name: str) -> dt.datetime | None:
    given = query.get(name)
    if given is None:
        return None
    try:
        return parse_iso(given)
    except ValueError:
        raise invalid(
            {
                "origin": "string",
                "code": "invalid_format",
                "format": "datetime",
                "pattern": _DATETIME,
                "path": [name],
                "message": "Invalid ISO datetime",
            }
        ) from None


def pages(total: int, page: int, limit: int) -> dict[str, int]:
    return {"page": page, "limit": limit, "totalItems": total, "totalPages": -(-total // limit)}


async def json_body(request: web.BaseRequest) -> Any:
    """The parsed body, {} when empty; 400 as Next answers."""
    body = await request.read()
    if not body:
        return {}
    try:
        return json.loads(body)
    except ValueError:
        raise Answer(400, "Invalid JSON") from None
