"""The worker's HTTP face: health and readiness (facts 2.2)."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from ..core.text import iso_ms, now_ms

CSP = (
    "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';frame-ancestors 'self';"
    "img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';"
    "style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "Access-Control-Allow-Origin": "*",
    "Content-Type": "application/json; charset=utf-8",
}
Check = Callable[[], Awaitable[bool]]
Detail = Callable[[], Awaitable[dict[str, Any]]]


def answer(status: int, body: dict[str, Any]) -> web.Response:
    return web.Response(
        status=status, text=json.dumps(body, ensure_ascii=False, separators=(",", ":")), headers=_HEADERS
    )


def propagation(last_ms: int | None, threshold_minutes: float) -> dict[str, Any]:
    """`lastRunStartedAt` null never counts as stuck."""
    since = None if last_ms is None else (now_ms() - last_ms) // 1000
    limit = int(threshold_minutes * 60)
    return {
        "enabled": True,
        "lastRunStartedAt": None if last_ms is None else iso_ms(last_ms),
        "secondsSinceLastRun": since,
        "propagationDelaySeconds": None,
        "lastProcessedPartition": None,
        "thresholdSeconds": limit,
        "stuck": since is not None and since > limit,
    }


def consumption(workers: int, since_ms: int, last_ms: int, threshold_minutes: float) -> dict[str, Any]:
    idle = (now_ms() - last_ms) // 1000
    limit = int(threshold_minutes * 60)
    return {
        "enabled": True,
        "registeredWorkerCount": workers,
        "trackingSince": iso_ms(since_ms),
        "lastActivityAt": iso_ms(last_ms),
        "secondsSinceLastActivity": idle,
        "thresholdSeconds": limit,
        "stuck": idle > limit,
    }


class Face:
    def __init__(self, healthy: Check, event_propagation: Detail, queue_consumption: Detail) -> None:
        self._healthy = healthy
        self._details = {
            "failIfEventPropagationStuck": ("eventPropagation", "Event propagation stuck", event_propagation),
            "failIfQueueConsumptionStuck": ("queueConsumption", "Queue consumption stuck", queue_consumption),
        }
        self.stopping = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.rstrip("/") or "/"
        if path == "/":
            return answer(200, {"message": "Langfuse Worker API 🚀"})
        if path not in ("/api/health", "/api/ready") or request.method not in ("GET", "HEAD"):
            return answer(404, {"message": f"🔍 - Not Found - {request.path_qs}", "stack": "🥞"})
        if path == "/api/ready" and self.stopping:
            return answer(500, {"status": "SIGTERM / SIGINT received, shutting down"})
        if not await self._healthy():
            return answer(500, {"status": "error"})
        body: dict[str, Any] = {"status": "ok"}
        stuck = []
        for flag, (name, text, detail) in self._details.items():
            if request.query.get(flag) == "true":
                body[name] = await detail()
                if body[name]["stuck"]:
                    stuck.append(text)
        if stuck:
            body["status"] = "; ".join(stuck)
        return answer(503 if stuck else 200, body)
