"""The web process. A boot that fails leaves it up, answering 500 on every path for ever (facts 1.8)."""

import asyncio
import json
import os
import signal
import sys

import psycopg
from aiohttp import web

from ..core.clickhouse import ClickHouseError
from ..core.environment import Env, Problems, table, validate
from ..core.log import log, plain
from ..core.services import bind_host, outgoing
from . import init
from .answers import Answer, internal_error, reply
from .context import Context
from .routes import dispatch

_DRAIN_SECONDS = 110.0
_REDIS_AT_BOOT = 12.0


def inspect(problems: Problems) -> str:
    """The problems of web's own schema as Node prints the object."""
    found: dict[str, list[str]] = {}
    for one in problems.own:
        found.setdefault(str(one["path"][0]), []).append(str(one["message"]))
    lines = ",\n".join(f"  {k}: [ {', '.join(repr(m) for m in v)} ]" for k, v in found.items())
    return f"{{\n{lines}\n}}" if len(found) > 1 else f"{{ {lines.strip()} }}"


class Web:
    def __init__(self) -> None:
        self.context: Context | None = None
        self.broken = False
        self.booted = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        await self.booted.wait()
        if self.broken or self.context is None:
            return web.Response(status=500, body=b"Internal Server Error", headers={"Content-Type": "text/plain"})
        try:
            return await dispatch(self.context, request)
        except Answer as exc:
            if isinstance(exc.body, str):
                return web.Response(status=exc.status, text=exc.body)
            return exc.response()
        except ClickHouseError as exc:
            log.error(f"ClickHouse query error: {exc.text}")
            return internal_error(exc.text)
        except (psycopg.Error, OSError) as exc:
            log.error(f"Database error: {type(exc).__name__}")
            return reply(500, {"message": "Internal server error"})
        except Exception as exc:
            log.error(f"Unexpected error in the stand-in: {exc!r}")
            return internal_error(str(exc))

    async def boot(self) -> None:
        """What Next's instrumentation hook runs; requests wait for it."""
        try:
            await self._boot()
        except Exception as exc:
            self.broken = True
            plain(
                f"Failed to prepare server Error: An error occurred while loading instrumentation hook: {exc}", err=True
            )
        self.booted.set()

    async def _boot(self) -> None:
        if (os.environ.get("NEXT_PUBLIC_LANGFUSE_RUN_NEXT_INIT") or "true") != "true":
            self.context = self._context(Env(os.environ, "web"))
            return
        plain("Running init scripts...")
        problems = validate("web", os.environ)
        if problems.own:
            plain(f"❌ Invalid environment variables: {inspect(problems)}", err=True)
            raise RuntimeError("Invalid environment variables")
        if problems.shared:
            raise RuntimeError(json.dumps(problems.shared, indent=2, ensure_ascii=False))
        env = Env(os.environ, "web")
        log.configure(env.text("LANGFUSE_LOG_FORMAT"), env.text("LANGFUSE_LOG_LEVEL"))
        context = self._context(env)
        if context.cache.configured:
            await asyncio.gather(context.cache.ready(_REDIS_AT_BOOT), context.queues.ready(_REDIS_AT_BOOT))
        await context.postgres.rows("SELECT 1")
        await init.run(env, context.postgres)
        self.context = context

    def _context(self, env: Env) -> Context:
        context = Context.of(env, outgoing(env))
        context.cache.start()
        context.queues.start()
        return context

    async def drain(self) -> None:
        """Readiness falls at once, everything else goes on for the whole time."""
        if self.context is None or self.broken:
            os._exit(143)
        self.context.stopping = True
        log.info("SIGTERM / SIGINT received. Shutting down in 110 seconds.")
        await asyncio.sleep(float(os.environ.get("STANDIN_DRAIN_SECONDS") or _DRAIN_SECONDS))
        await self.context.cache.stop()
        await self.context.queues.stop()
        await self.context.postgres.close()
        await self.context.session.close()
        log.info("Shutdown complete, exiting process...")


def _port() -> int:
    text = os.environ.get("PORT") or "3000"
    return int(text) if text.isdigit() else 3000


async def _main() -> None:
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    app = Web()
    runner = web.ServerRunner(
        web.Server(app.handle, auto_decompress=False), access_log=None, shutdown_timeout=0.1, keepalive_timeout=110.0
    )
    await runner.setup()
    host, port = bind_host(Env(os.environ, "web")), _port()
    await web.TCPSite(runner, host, port).start()
    plain(f"   ▲ Next.js 16.3.0\n   - Local:        http://{host}:{port}\n\n ✓ Starting...\n ✓ Ready in 0ms")
    boot = asyncio.create_task(app.boot())
    await stopping.wait()
    boot.cancel()
    await app.drain()
    os._exit(0)


if __name__ == "__main__":
    table()
    sys.exit(asyncio.run(_main()))
