"""The worker process: validate, serve health, seed once, consume, and never end by itself after SIGTERM."""

import asyncio
import json
import os
import signal
import sys
import time

from ..core.environment import Env, Problems, validate
from ..core.log import log, plain
from .app import Worker


def _refuse(problems: Problems) -> None:
    """The raw ZodError, one to two seconds after the start."""
    time.sleep(1.0)
    if problems.v4:
        plain(f"Error: {problems.v4[0]}", err=True)
        return
    found = problems.own or problems.shared
    plain(f"ZodError: {json.dumps(found, indent=2, ensure_ascii=False)}", err=True)
    plain("    at Object.<anonymous> (/app/worker/dist/env.js)\n\nNode.js v24.19.0", err=True)


async def _run(env: Env) -> None:
    worker = Worker(env)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    await worker.start()
    await stopping.wait()
    log.info("Received SIGTERM, closing server...")
    await worker.stop()
    log.info("Shutdown complete, exiting process...")
    await asyncio.Event().wait()


def main() -> int:
    problems = validate("worker", os.environ)
    if problems:
        _refuse(problems)
        return 1
    env = Env(os.environ, "worker")
    log.configure(env.text("LANGFUSE_LOG_FORMAT"), env.text("LANGFUSE_LOG_LEVEL"))
    asyncio.run(_run(env))
    return 0


if __name__ == "__main__":
    sys.exit(main())
