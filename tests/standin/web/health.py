"""Health and readiness of web (facts 2.1): they see the process, not the stores."""

import contextlib

import psycopg
from aiohttp import web

from .. import VERSION
from ..core.clickhouse import ClickHouseError
from .answers import reply
from .context import Context

_CORS = {"Access-Control-Allow-Origin": "*"}


async def _telemetry(context: Context) -> None:
    """Queries cron_jobs first unless telemetry is off; errors are swallowed, the time is not."""
    env = context.env
    if env.text("TELEMETRY_ENABLED") == "false" and not env.text("LANGFUSE_EE_LICENSE_KEY"):
        return
    with contextlib.suppress(psycopg.Error, OSError):
        await context.postgres.rows("SELECT last_run FROM cron_jobs WHERE name = 'telemetry'")


def _status(code: int, text: str) -> web.Response:
    return reply(code, {"status": text, "version": VERSION}, _CORS)


async def health(context: Context, request: web.BaseRequest) -> web.Response:
    await _telemetry(context)
    if request.query.get("failIfDatabaseUnavailable") == "true":
        try:
            await context.postgres.rows("SELECT 1")
        except (psycopg.Error, OSError):
            return _status(503, "Database not available")
    if request.query.get("failIfNoRecentEvents") == "true":
        try:
            rows = await context.clickhouse.rows(
                "SELECT 1 AS one FROM events_core WHERE start_time > now() - INTERVAL 3 MINUTE LIMIT 1"
            )
        except ClickHouseError:
            return _status(503, "Couldn't fetch recent events")
        if not rows:
            return _status(503, "No events within the last 3 minutes")
    return _status(200, "OK")


async def ready(context: Context, request: web.BaseRequest) -> web.Response:
    if context.stopping:
        return _status(500, "SIGTERM / SIGINT received, shutting down")
    await _telemetry(context)
    return _status(200, "OK")
