# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redis 7.0 and Valkey 8.1 in containers `modules-dev-redis-*`, each with an administrator's password."""

from __future__ import annotations

import contextlib
import time
import uuid
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.bench import extras
from tests.bench.paths import find_paths
from tests.integration.modules.conftest import PREFIX, docker, image

ADMIN = "canary-admin-1"
PASSWORD = "canary-langfuse-1"


# Commands that change users, settings or files; those that change data are the server's own category.
CHANGING = {
    "acl|setuser",
    "acl|deluser",
    "acl|save",
    "acl|load",
    "acl|log",
    "config|set",
    "config|rewrite",
    "config|resetstat",
}


class Engine:
    """One of the two products, and how it is started."""

    def __init__(self, product: str) -> None:
        self.product = product
        self.command = f"{product}-server"
        self._reference = ""

    @property
    def reference(self) -> str:
        if not self._reference:
            # Without an engine both skip.
            self._reference = image("valkey/valkey")
            if self.product == "redis":
                self._reference = extras.ensure(find_paths(), "redis")
        return self._reference


class Server:
    """A running server. ``options`` are those of the module that lead to it."""

    def __init__(self, engine: Engine, *flags: str, config: str = "", mounts: tuple[str, ...] = ()) -> None:
        self.name = f"{PREFIX}-redis-{uuid.uuid4().hex[:8]}"
        # Redis 7.0 writes rules of users anew.
        self.keeps_texts = engine.product == "valkey"
        words = [engine.command, *([config] if config else []), "--requirepass", ADMIN, *flags]
        volumes = [word for mount in mounts for word in ("-v", mount)]
        docker("run", "-d", "--name", self.name, "--user=999:999", *volumes, engine.reference, *words)

    @property
    def host(self) -> str:
        """Read anew: another start may give another address."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return docker("inspect", "-f", form, self.name)

    @property
    def options(self) -> dict[str, Any]:
        return {"login_host": self.host, "login_password": ADMIN, "password": PASSWORD, "wait": 20}

    def client(self, username: str | None = None, password: str = ADMIN, **options: Any) -> Any:
        """A client that answers; another user's need not be let in at once."""
        patience = {"retry": Retry(NoBackoff(), 0), "socket_connect_timeout": 10, "decode_responses": True}
        client: Any = redis.Redis(self.host, username=username, password=password, **{**patience, **options})
        if username is None:
            self.wait(client)
        return client

    def wait(self, client: Any) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                client.ping()
                return
            except redis.RedisError:
                if time.monotonic() > deadline:
                    raise AssertionError(docker("logs", self.name)) from None
                time.sleep(0.05)

    def restart(self) -> None:
        """As a power cut does it: what the server did not write down is gone."""
        docker("kill", self.name)
        docker("start", self.name)
        self.client()

    def calls(self) -> dict[str, int]:
        """How often each command ran until now."""
        stats = self.client().info("commandstats")
        return {name.removeprefix("cmdstat_"): row["calls"] for name, row in stats.items()}

    def writing(self, commands: set[str]) -> set[str]:
        """Those that change something."""
        return commands & (CHANGING | set(self.client().acl_cat("write")))

    def remove(self) -> None:
        with contextlib.suppress(RuntimeError):
            docker("rm", "-f", "-v", self.name)


def folder(path: Path, **files: str) -> str:
    """A folder that the server may write, for its mounts. File names take "_" for "."."""
    path.mkdir(exist_ok=True)
    path.chmod(0o777)
    for name, text in files.items():
        (path / name.replace("_", ".")).write_text(text)
        (path / name.replace("_", ".")).chmod(0o666)
    for parent in (*path.parents[:3],):
        parent.chmod(parent.stat().st_mode | 0o055)
    return str(path)
