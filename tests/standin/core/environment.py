"""The environment of both processes, validated from one table (`data/environment.json`, from the zod schemas).

Empty strings count as unset. A variable belongs to one or more schemas: `shared` is loaded by both processes, `web`
and `worker` by one of them, so an invalid shared value stops both.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal
from urllib.parse import urlsplit

Service = Literal["web", "worker"]
Issue = dict[str, Any]

_SALT = (
    "A strong Salt is required to encrypt API keys securely. "
    "See: https://langfuse.com/self-hosting#deploy-the-container"
)
_ENCRYPTION_KEY = (
    "ENCRYPTION_KEY must be 256 bits, 64 string characters in hex format, generate via: openssl rand -hex 32"
)
_BUCKET = "Langfuse requires a bucket name for S3 Event Uploads."
_EMAIL = re.compile(r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$")
_AUTHENTIK = re.compile(r"^https?://.+/application/o/[^/]+/?$")
_REQUIRED_TEXT = {"SALT": _SALT, "LANGFUSE_S3_EVENT_UPLOAD_BUCKET": _BUCKET}


@cache
def table() -> dict[str, dict[str, Any]]:
    """name -> {schemas, type, types?, required?, default?, defaults?, enum?, min?, max?, ...}."""
    text = resources.files("standin").joinpath("data/environment.json").read_text("utf-8")
    loaded: dict[str, dict[str, Any]] = json.loads(text)
    return loaded


def issue(name: str, code: str, message: str, **more: object) -> Issue:
    return {**more, "code": code, "path": [name], "message": message}


def _enum(name: str, value: str, values: list[str]) -> list[Issue]:
    if value in values:
        return []
    options = "|".join(f'"{v}"' for v in values)
    return [issue(name, "invalid_value", f"Invalid option: expected one of {options}", values=values)]


def _range(name: str, number: float, rule: Mapping[str, Any]) -> list[Issue]:
    found: list[Issue] = []
    low, high = rule.get("min"), rule.get("max")
    if low is not None and (number <= low if rule.get("minExclusive") else number < low):
        sign = ">" if rule.get("minExclusive") else ">="
        found.append(
            issue(name, "too_small", f"Too small: expected number to be {sign}{low}", origin="number", minimum=low)
        )
    if high is not None and number > high:
        found.append(issue(name, "too_big", f"Too big: expected number to be <={high}", origin="number", maximum=high))
    return found


def _number(name: str, value: str, rule: Mapping[str, Any], whole: bool) -> list[Issue]:
    try:
        number = float(int(value, 0)) if value.lower().startswith("0x") else float(value)
    except ValueError:
        number = float("nan")
    if number != number or number in (float("inf"), float("-inf")):
        return [
            issue(
                name, "invalid_type", "Invalid input: expected number, received NaN", expected="number", received="NaN"
            )
        ]
    if whole and number != int(number):
        return [issue(name, "invalid_type", "Invalid input: expected int, received number", expected="int")]
    if name == "REDIS_SOCKET_TIMEOUT_MS" and number != 0 and number < 10000:
        return [issue(name, "custom", "REDIS_SOCKET_TIMEOUT_MS must be 0 (disabled) or at least 10000")]
    return _range(name, number, rule)


def _url(name: str, value: str) -> list[Issue]:
    try:
        parts = urlsplit(value)
        good = bool(parts.scheme) and (bool(parts.netloc) or bool(parts.path)) and ":" in value
        _ = parts.port
    except ValueError:
        good = False
    return [] if good else [issue(name, "invalid_format", "Invalid URL", format="url")]


def _text(name: str, value: str, rule: Mapping[str, Any]) -> list[Issue]:
    if name == "LANGFUSE_ALLOWED_ORGANIZATION_CREATORS":
        return [] if all(_EMAIL.match(v.strip()) for v in value.split(",") if v.strip()) else [_bad_email(name)]
    if name == "ENCRYPTION_KEY" and len(value) != 64:
        return [issue(name, "too_big" if len(value) > 64 else "too_small", _ENCRYPTION_KEY, origin="string")]
    if name == "AUTH_AUTHENTIK_ISSUER" and not _AUTHENTIK.match(value):
        return [
            issue(
                name,
                "invalid_format",
                "The Authentik issuer must be in the format 'https://<your-domain>/application/o/<slug>'",
                format="regex",
            )
        ]
    least = rule.get("minLength")
    if least and len(value) < least:
        return [issue(name, "too_small", f"Too small: expected string to have >={least} characters", origin="string")]
    return []


def _csv(name: str, value: str, rule: Mapping[str, Any]) -> list[Issue]:
    items = [v.strip() for v in value.split(",")]
    found: list[Issue] = []
    for item in items if rule.get("enum") else []:
        found += _enum(name, item, rule["enum"])
    return found


def _bad_email(name: str) -> Issue:
    return issue(name, "invalid_format", "Invalid email address", format="email")


def _date(name: str, value: str) -> list[Issue]:
    good = re.match(r"^\d{4}-\d\d-\d\d", value)
    return [] if good else [issue(name, "invalid_type", "Invalid input: expected date, received Date", expected="date")]


_CHECKS: dict[str, Callable[[str, str, Mapping[str, Any]], list[Issue]]] = {
    "string": _text,
    "bool": lambda n, v, r: _enum(n, v, ["true", "false"]),
    "enum": lambda n, v, r: _enum(n, v, r["enum"]),
    "number": lambda n, v, r: _number(n, v, r, whole=False),
    "integer": lambda n, v, r: _number(n, v, r, whole=True),
    "url": lambda n, v, r: _url(n, v),
    "csv": _csv,
    "email|string": lambda n, v, r: [] if _EMAIL.match(v) else [_bad_email(n)],
    "date": lambda n, v, r: _date(n, v),
    "datetime": lambda n, v, r: _date(n, v),
}


def _schema_issues(schema: str, service: Service, values: Mapping[str, str]) -> list[Issue]:
    found: list[Issue] = []
    for name, rule in table().items():
        if schema not in rule["schemas"].split():
            continue
        value = values.get(name) or None
        if value is None:
            if _required(name, rule, schema, service):
                message = _REQUIRED_TEXT.get(name, "Invalid input: expected string, received undefined")
                found.append(issue(name, "invalid_type", message, expected="string"))
            continue
        kind = rule.get("types", {}).get(schema, rule["type"])
        found += _CHECKS[kind](name, value, rule)
    return found


def _required(name: str, rule: Mapping[str, Any], schema: str, service: Service) -> bool:
    """`NODE_ENV` is baked into the images; `SALT` and `NEXTAUTH_URL` are required by the web schema alone."""
    if name == "NODE_ENV" or service not in rule.get("required", "").split():
        return False
    return schema == "web" or service == "worker" or set(rule["schemas"].split()) == {"shared", "worker"}


@dataclass(frozen=True)
class Problems:
    """What the process would print: its own schema is loaded first, then the shared one."""

    own: list[Issue]
    shared: list[Issue]
    v4: list[str]

    def __bool__(self) -> bool:
        return bool(self.own or self.shared or self.v4)


def validate(service: Service, values: Mapping[str, str]) -> Problems:
    if values.get("DOCKER_BUILD") == "1":
        return Problems([], [], [])
    own = _schema_issues(service, service, values)
    shared = _schema_issues("shared", service, values)
    v4 = v4_problems(values) if service == "worker" and not own and not shared else []
    return Problems(own, shared, v4)


def v4_problems(values: Mapping[str, str]) -> list[str]:
    """Combinations the worker refuses; web does not look."""
    mode = values.get("LANGFUSE_MIGRATION_V4_WRITE_MODE") or "events_only"
    native = values.get("LANGFUSE_MIGRATION_V4_NATIVE_OTEL_BEHAVIOUR") or "direct"
    opt_in = values.get("LANGFUSE_MIGRATION_V4_ALLOW_PREVIEW_OPT_IN") or "true"
    prefix = "Invalid V4 config: LANGFUSE_MIGRATION_V4_WRITE_MODE="
    found = []
    if mode == "legacy" and native == "direct":
        found.append(f"{prefix}legacy cannot be combined with LANGFUSE_MIGRATION_V4_NATIVE_OTEL_BEHAVIOUR=direct")
    if mode == "events_only" and native == "dual_write":
        found.append(
            f"{prefix}events_only cannot be combined with LANGFUSE_MIGRATION_V4_NATIVE_OTEL_BEHAVIOUR=dual_write"
        )
    if mode == "events_only" and opt_in == "false":
        found.append(f"{prefix}events_only requires LANGFUSE_MIGRATION_V4_ALLOW_PREVIEW_OPT_IN=true")
    return found


class Env:
    """Typed access to a validated environment; defaults come from the same table."""

    def __init__(self, values: Mapping[str, str], service: Service) -> None:
        self._values = values
        self.service: Service = service

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value:
            return value
        rule = table().get(name, {})
        default = rule.get("defaults", {}).get(self.service, rule.get("default"))
        return None if default is None else str(default)

    def need(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise KeyError(name)
        return value

    def flag(self, name: str) -> bool:
        return self.text(name) == "true"

    def number(self, name: str) -> float:
        return float(self.need(name))

    def raw(self, name: str) -> str | None:
        """As set, the empty string included."""
        return self._values.get(name)
