"""Recorded exchanges against a running pair: groups of repeats, substitutions, comparison."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from tests.integration.standin.stack import Stack, fetch

FILES = ("contract", "trace", "management")
NOT_COVERED: dict[tuple[str, int], str] = {
    ("contract", 71): "shows a score of year 9999, left by an earlier ClickHouse setting; the trap has its own test",
}
# Lists whose length and order come from what else the recorded instance held.
SHAPE_ONLY = {
    ("contract", 70): "the newest row may not have been flushed when it was recorded",
    ("trace", 11): "the page holds whatever was stored before",
    ("trace", 15): "counts of earlier spans",
}
Exchange = dict[str, Any]


def load(name: str) -> list[Exchange]:
    found: list[Exchange] = json.loads((Path(__file__).parent / "data" / f"{name}.json").read_text("utf-8"))
    return found


@dataclass(frozen=True)
class Group:
    """Consecutive equal requests: the last answer is what has to come, the others may come before."""

    file: str
    first: int
    exchanges: tuple[Exchange, ...]

    @property
    def id(self) -> str:
        one = self.exchanges[0]
        return f"{self.file}-{self.first:03d}-{one['service']}-{one['method']}-{urlsplit(one['path']).path or '/'}"


def _request(exchange: Exchange) -> str:
    return json.dumps([exchange.get(k) for k in ("service", "method", "path", "headers", "body")], sort_keys=True)


def groups() -> Iterator[Group]:
    for name in FILES:
        exchanges = load(name)
        start = 0
        for number, exchange in enumerate(exchanges):
            last = number + 1 == len(exchanges) or _request(exchanges[number + 1]) != _request(exchange)
            if exchange["method"] != "GET" or last:
                if (name, number) not in NOT_COVERED:
                    yield Group(name, start, tuple(exchanges[start : number + 1]))
                start = number + 1


@dataclass
class Captured:
    """What the pair made and later requests refer to."""

    upload_url: str = ""
    download_url: str = ""
    llm_id: str = ""
    csrf: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    def learn(self, path: str, headers: Mapping[str, str], body: Any) -> None:
        for name, value in re.findall(r"(?:^|, )([\w.-]+)=([^;,]+)", headers.get("set-cookie", "")):
            if "next-auth" in name:
                self.cookies[name] = value
        if not isinstance(body, dict):
            return
        self.csrf = body.get("csrfToken") or self.csrf
        if path.startswith("/api/public/media"):
            self.upload_url = body.get("uploadUrl") or self.upload_url
            self.download_url = body.get("url") or self.download_url
        if path == "/api/public/llm-connections" and body.get("provider"):
            self.llm_id = body["id"]


def _body(exchange: Exchange, captured: Captured) -> bytes | None:
    body = exchange.get("body")
    if body is None:
        return None
    if "base64" in body:
        return base64.b64decode(body["base64"])
    if "text" in body:
        text = re.sub(r"csrfToken=[0-9a-f]+", f"csrfToken={captured.csrf}", body["text"])
        return str(text).encode()
    return json.dumps(body["json"]).encode()


def send(stack: Stack, exchange: Exchange, captured: Captured) -> tuple[int, dict[str, str], bytes]:
    path, headers = exchange["path"], dict(exchange.get("headers") or {})
    if "Cookie" in headers:
        headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in captured.cookies.items())
    if exchange["service"] == "store":
        url = captured.upload_url if exchange["method"] == "PUT" else captured.download_url
    else:
        if re.search(r"/llm-connections/c\w{20,}$", path):
            path = f"/api/public/llm-connections/{captured.llm_id}"
        url = stack.url(exchange["service"]) + (quote(path, safe="/?&=%+:,") or "/")
    status, got, content = fetch(exchange["method"], url, _body(exchange, captured), headers)
    captured.learn(urlsplit(path).path, got, _parsed(content))
    return status, got, content


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


_CLASSES = (
    re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"),
    re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
    re.compile(r"^c[0-9a-z]{24}$"),
    re.compile(r"^\d{1,6}$"),
    re.compile(r"^[0-9a-f]{64}$"),
    re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-01$"),
)
_EXACT = frozenset({"startTime", "endTime", "uploadedAt", "traceId", "parentObservationId"})
_VOLATILE = frozenset(
    [
        "timestamp",
        "secondsSinceLastRun",
        "secondsSinceLastActivity",
        "count_count",
        "invalidatedCount",
        "active",
        "completed",
        "delayed",
        "failed",
        "paused",
        "prioritized",
        "waiting",
        "waiting-children",
    ]
)
_FILE_KEY = re.compile(r"(otel/\w+)/\d{4}/\d\d/\d\d/\d\d/\d\d/[0-9a-f-]{36}\.json")


def _normal(text: str) -> str:
    text = _FILE_KEY.sub(r"\1/<minute>/<uuid>.json", text)
    return re.sub(r"(langfuse\.api_key\.id=)c\w{24}", r"\1<cuid>", text)


def _same_url(wanted: str, got: str) -> bool:
    one, two = urlsplit(wanted), urlsplit(got)
    volatile = {"X-Amz-Date", "X-Amz-Credential", "X-Amz-Signature"}
    queries = [{k: "" if k in volatile else v for k, v in parse_qsl(u.query)} for u in (one, two)]
    return one.path == two.path and queries[0] == queries[1]


def differences(wanted: Any, got: Any, at: str = "$", key: str = "") -> list[str]:
    """Where `got` is not what was recorded; empty when they are the same contract."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        found = [f"{at}.{k}: missing" for k in wanted.keys() - got.keys()]
        found += [f"{at}.{k}: not recorded" for k in got.keys() - wanted.keys()]
        for k in wanted.keys() & got.keys():
            found += differences(wanted[k], got[k], f"{at}.{k}", k)
        return found
    if isinstance(wanted, list) and isinstance(got, list):
        if len(wanted) != len(got):
            return [f"{at}: {len(got)} entries instead of {len(wanted)}"]
        return [
            d for i, (w, g) in enumerate(zip(wanted, got, strict=True)) for d in differences(w, g, f"{at}[{i}]", key)
        ]
    if wanted == got and type(wanted) is type(got):
        return []
    if isinstance(wanted, int | float) and isinstance(got, int | float) and not isinstance(wanted, bool):
        return [] if key in _VOLATILE or abs(wanted - got) < 1e-12 else [f"{at}: {got} instead of {wanted}"]
    if isinstance(wanted, str) and isinstance(got, str):
        alike = key not in _EXACT and any(c.match(wanted) and c.match(got) for c in _CLASSES)
        if alike or _normal(wanted) == _normal(got) or ("X-Amz-" in wanted and _same_url(wanted, got)):
            return []
        if key == "cursor":
            return differences(_cursor(wanted), _cursor(got), at)
    return [f"{at}: {got!r} instead of {wanted!r}"]


def _cursor(text: str) -> Any:
    return json.loads(base64.b64decode(text + "=="))


def _shape(value: Any) -> Any:
    """A list by its first entry's keys."""
    if isinstance(value, dict):
        return {k: _shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [sorted(value[0])] if value and isinstance(value[0], dict) else "list"
    return "value"


def compare(group: Group, exchange: Exchange, status: int, headers: Mapping[str, str], content: bytes) -> list[str]:
    found = (
        [] if status == exchange["status"] else [f"status {status} instead of {exchange['status']}: {content[:300]!r}"]
    )
    for name, value in exchange["answer_headers"].items():
        got = headers.get(name.lower(), "")
        if got != value:
            found.append(f"{name}: {got!r} instead of {value!r}")
    answer = exchange["answer"]
    if "json" in answer:
        wanted, got_body = answer["json"], _parsed(content)
        if (group.file, group.first) in SHAPE_ONLY:
            wanted, got_body = _shape(wanted["data"]), _shape((got_body or {}).get("data"))
        return found + differences(wanted, got_body)
    if "base64" in answer:
        return found + ([] if content == base64.b64decode(answer["base64"]) else ["other bytes"])
    text = content.decode()
    if text.startswith("<!DOCTYPE html>") and answer["text"].startswith("<!DOCTYPE html>"):
        return found
    if exchange["service"] == "store":
        code = re.search("<Code>.*?</Code>", answer["text"])
        return found + ([] if code is None or code.group() in text else [f"{text[:200]!r} without {code.group()}"])
    return found + ([] if text == answer["text"] else [f"{text[:200]!r} instead of {answer['text'][:200]!r}"])
