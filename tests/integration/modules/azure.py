# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Azure's own emulator of its Blob service, and web's routes for media with addresses signed as the application signs them."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import http.client
import json
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.modules.conftest import wait_for_port
from tests.integration.modules.stack import free_port

ACCOUNT, KEY, CONTAINER = "canaryaccount", base64.b64encode(b"canary-azure-key-1").decode(), "media"
VERSION = "2025-05-05"
CACHE = Path(os.environ.get("LANGFUSE_CACHE") or Path.home() / ".cache" / "llmops-langfuse") / "azurite"


SCRIPT = CACHE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


def cached() -> bool:
    """Whether it is installed already."""
    return (CACHE / ".complete").exists() and bool(shutil.which("node"))


def install() -> Path:
    """Its start script, from the package of npm, once."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("no node on this machine")
    source = Path(__file__).parent / "azurite" / "package.json"
    if not (CACHE / ".complete").exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        shutil.copy(source, CACHE)
        command = [
            "npm",
            "install",
            "--ignore-scripts",
            "--omit=optional",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ]
        subprocess.run(command, cwd=CACHE, check=True, capture_output=True, timeout=600)
        (CACHE / ".complete").touch()
    return SCRIPT


def _signed(*lines: str) -> str:
    text = "\n".join(lines).encode()
    return base64.b64encode(hmac.new(base64.b64decode(KEY), text, hashlib.sha256).digest()).decode()


def _expiry() -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _query(**values: str) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())


class Azurite:
    """The emulator on a port of loopback, with one container."""

    def __init__(self, script: Path, folder: Path) -> None:
        self.port = free_port()
        command = [
            "node",
            str(script),
            "--blobHost",
            "127.0.0.1",
            "--blobPort",
            str(self.port),
            "--location",
            str(folder),
        ]
        environment = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
        self._process = subprocess.Popen(
            [*command, "--silent", "--disableTelemetry"], env=environment, cwd=folder, stdout=subprocess.DEVNULL
        )
        wait_for_port(f"127.0.0.1:{self.port}")
        self.url = f"http://127.0.0.1:{self.port}/{ACCOUNT}"
        self.create(CONTAINER)

    def create(self, container: str) -> None:
        parts = {"sp": "c", "ss": "b", "srt": "c", "se": _expiry(), "sv": VERSION}
        signature = _signed(ACCOUNT, "c", "b", "c", "", parts["se"], "", "", VERSION, "", "")
        status = self._call("PUT", f"/{ACCOUNT}/{container}?restype=container&{_query(**parts, sig=signature)}")
        assert status == 201, status

    def put(self, container: str, name: str) -> None:
        """An object with nothing in it."""
        status = self._call("PUT", self.address(name, "w", container=container), {"x-ms-blob-type": "BlockBlob"})
        assert status == 201, status

    def _call(self, method: str, target: str, headers: dict[str, str] | None = None) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, target, headers={"Content-Length": "0", **(headers or {})})
        status = connection.getresponse().status
        connection.close()
        return status

    def address(self, path: str, rights: str, content_type: str = "", container: str = CONTAINER) -> str:
        """What `generateSasUrl` of a block blob makes."""
        place, until = f"/{ACCOUNT}/{container}/{path}", _expiry()
        lines = (rights, "", until, f"/blob{place}", "", "", "", VERSION, "b", "", "", "", "", "", "", content_type)
        parts = {"sv": VERSION, "se": until, "sr": "b", "sp": rights}
        parts |= {"rsct": content_type} if content_type else {}
        return f"http://127.0.0.1:{self.port}{place}?{_query(**parts, sig=_signed(*lines))}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)


class MediaRoutes(ThreadingHTTPServer):
    """The three requests about a file; `confirmed` is what web was told of the last upload."""

    daemon_threads = True

    def __init__(self, store: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = store
        self.confirmed: dict[str, Any] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: MediaRoutes

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _asked(self) -> dict[str, Any]:
        asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return asked

    def do_POST(self) -> None:
        self._answer(
            201, {"mediaId": "m1", "uploadUrl": self.server.store.address("m1", "w", self._asked()["contentType"])}
        )

    def do_PATCH(self) -> None:
        self.server.confirmed = self._asked()
        self._answer(200, {"message": "OK"})

    def do_GET(self) -> None:
        self._answer(200, {"url": self.server.store.address("m1", "r")})
