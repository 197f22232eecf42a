"""Which path answers what. The first match wins; unknown paths are Next's 404 page."""

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from . import admin, catalog, health, ingest, legacy, llm, media, observations, pages, reads
from .answers import instant, invalid, issue_missing, method_not_allowed, reply
from .auth import project_caller
from .context import Context
from .session import Session
from .sign_on import SignOn

Handler = Callable[[Context, web.BaseRequest], Awaitable[web.Response]]


async def _experiments(context: Context, request: web.BaseRequest) -> web.Response:
    await project_caller(context, request)
    if instant(request.query, "fromStartTime") is None:
        raise invalid(issue_missing("fromStartTime", "string"))
    return reply(200, {"data": [], "meta": {}})


async def _feedback(context: Context, request: web.BaseRequest) -> web.Response:
    raise method_not_allowed()


async def _mcp(context: Context, request: web.BaseRequest) -> web.Response:
    text = "Not Acceptable: Client must accept text/event-stream"
    headers = {
        "Content-Type": "application/json",
        "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
        "Access-Control-Allow-Headers": "Content-Type, Authorization, Accept, Mcp-Session-Id, Last-Event-ID",
        "Access-Control-Expose-Headers": "Mcp-Session-Id",
    }
    return reply(406, {"jsonrpc": "2.0", "error": {"code": -32000, "message": text}, "id": None}, headers)


async def _page(context: Context, request: web.BaseRequest) -> web.Response:
    return pages.sign_in() if request.path.startswith("/auth/") else pages.home()


def _session(name: str, kind: type[Session] | type[SignOn] = Session) -> Handler:
    async def run(context: Context, request: web.BaseRequest) -> web.Response:
        method: Callable[[web.BaseRequest], Awaitable[web.Response]] = getattr(kind(context), name)
        return await method(request)

    return run


_P = "/api/public"
# path pattern -> method -> handler; "*" is any method
_TABLE: list[tuple[str, dict[str, Handler]]] = [
    (f"{_P}/health", {"*": health.health}),
    (f"{_P}/ready", {"*": health.ready}),
    (f"{_P}/otel/v1/traces", {"POST": ingest.otel_traces}),
    (f"{_P}/otel/v1/metrics", {"POST": ingest.otel_metrics}),
    (f"{_P}/ingestion", {"POST": ingest.ingestion}),
    (f"{_P}/v2/observations", {"GET": observations.observations}),
    (f"{_P}/v2/metrics", {"GET": reads.metrics}),
    (f"{_P}/v3/scores", {"GET": reads.scores}),
    (f"{_P}/traces", {"GET": legacy.traces, "POST": legacy.gone, "DELETE": reads.delete_traces}),
    (f"{_P}/traces/[^/]+", {"GET": legacy.trace, "DELETE": reads.delete_trace}),
    (f"{_P}/scores", {"GET": legacy.gone, "POST": ingest.scores}),
    (f"{_P}/(scores|v2/scores)/[^/]+", {"GET": legacy.gone}),
    (f"{_P}/(observations|sessions)(/[^/]+)?", {"GET": legacy.gone}),
    (f"{_P}/(metrics|metrics/daily|v2/scores|dataset-run-items)", {"GET": legacy.gone}),
    (f"{_P}/(events|generations|spans)", {"POST": legacy.gone, "PATCH": legacy.gone}),
    (f"{_P}/datasets/[^/]+/runs(/[^/]+)?", {"GET": legacy.gone, "DELETE": legacy.gone}),
    (f"{_P}/(datasets|v2/datasets|score-configs|comments|annotation-queues)", {"GET": catalog.empty_list}),
    (f"{_P}/experiments", {"GET": _experiments}),
    (f"{_P}/feedback", {"*": _feedback}),
    (f"{_P}/mcp", {"*": _mcp}),
    (f"{_P}/projects", {"GET": catalog.projects, "POST": catalog.organization_only}),
    (f"{_P}/projects/.+", {"*": catalog.organization_only}),
    (f"{_P}/(organizations|scim)/.+", {"*": catalog.organization_only}),
    (f"{_P}/integrations/blob-storage", {"*": catalog.organization_only}),
    (f"{_P}/models", {"GET": catalog.models}),
    (f"{_P}/v2/prompts", {"GET": catalog.list_prompts, "POST": catalog.create_prompt}),
    (f"{_P}/v2/prompts/[^/]+", {"GET": catalog.read_prompt}),
    (f"{_P}/media", {"POST": media.create}),
    (f"{_P}/media/[^/]+", {"GET": media.read, "PATCH": media.update}),
    (f"{_P}/llm-connections", {"GET": llm.listing, "PUT": llm.upsert}),
    (f"{_P}/llm-connections/[^/]+", {"DELETE": llm.delete}),
    ("/api/admin/bullmq", {"*": admin.bullmq}),
    ("/api/admin/api-keys", {"POST": admin.api_keys}),
    ("/api/admin/ingestion-replay", {"POST": admin.replay}),
    ("/api/admin/organizations(/.+)?", {"*": admin.organizations}),
    ("/api/auth/providers", {"GET": _session("providers")}),
    ("/api/auth/csrf", {"GET": _session("csrf")}),
    ("/api/auth/session", {"GET": _session("session")}),
    ("/api/auth/signup", {"POST": _session("sign_up")}),
    ("/api/auth/callback/credentials", {"POST": _session("sign_in")}),
    ("/api/auth/signin(/[^/]+)?", {"GET": _session("page", SignOn), "POST": _session("start", SignOn)}),
    ("/api/auth/callback/[^/]+", {"GET": _session("back", SignOn)}),
    ("/api/auth/error", {"GET": _session("error", SignOn)}),
    ("/|/auth/sign-in|/auth/sign-up|/auth/error", {"GET": _page}),
]
_COMPILED = [(re.compile(f"(?:{pattern})$"), methods) for pattern, methods in _TABLE]


def _preflight(request: web.BaseRequest) -> web.Response:
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Origin": request.headers.get("Origin", "*"),
            "Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
            "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", ""),
        },
    )


async def dispatch(context: Context, request: web.BaseRequest) -> web.Response:
    path = request.path.rstrip("/") or "/"
    if request.method == "OPTIONS" and path.startswith(_P):
        return _preflight(request)
    for pattern, methods in _COMPILED:
        if not pattern.match(path):
            continue
        method = "GET" if request.method == "HEAD" else request.method
        handler = methods.get(method) or methods.get("*")
        if handler is None:
            raise method_not_allowed()
        return await handler(context, request)
    return pages.missing()
