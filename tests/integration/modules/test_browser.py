# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Media in a real browser: the page's content-security policy and the object store's CORS both let it through."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests

from tests.integration.modules.stack import PUBLIC_KEY, SECRETS, Stack

pytestmark = [pytest.mark.engine, pytest.mark.long]
CHROMIUM = shutil.which("chromium")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[str]:
    """Address of a headless Chromium's debugger."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    command = [CHROMIUM, *QUIET, "--remote-debugging-port=0", f"--user-data-dir={tmp_path}", "about:blank"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if match := re.search(r"ws://(\S+?)/", line):
                yield f"http://{match[1]}"
                break
        else:
            raise AssertionError("Chromium did not start")
    finally:
        process.terminate()
        process.wait(20)


async def _on_page(browser: str, page: str, script: str) -> Any:
    """What `script` (an async function body) returns on the page."""
    async with aiohttp.ClientSession() as session:
        async with session.put(f"{browser}/json/new?{page}") as answer:
            target = await answer.json(content_type=None)
        async with session.ws_connect(target["webSocketDebuggerUrl"]) as socket:
            for number in range(50):
                # Until the page is there, the script would run on the empty one before it.
                expression = f"document.readyState == 'complete' && location.href.startsWith({json.dumps(page)})"
                if (await _evaluate(socket, number, expression))["result"].get("value"):
                    break
                await asyncio.sleep(0.2)
            done = await _evaluate(socket, 100, f"(async () => {{ {script} }})()")
    assert "exceptionDetails" not in done, done
    return done["result"]["value"]


async def _evaluate(socket: Any, number: int, expression: str) -> dict[str, Any]:
    parameters = {"expression": expression, "awaitPromise": True, "returnByValue": True}
    await socket.send_json({"id": number, "method": "Runtime.evaluate", "params": parameters})
    while True:
        answer = await socket.receive_json(timeout=30)
        if answer.get("id") == number:
            return dict(answer["result"])


def _register(stack: Stack, body: bytes) -> dict[str, Any]:
    """What an SDK asks before it uploads."""
    asked = {
        "traceId": secrets.token_hex(16),
        "contentType": "image/png",
        "contentLength": len(body),
        "sha256Hash": base64.b64encode(hashlib.sha256(body).digest()).decode(),
        "field": "input",
    }
    answer = requests.post(
        f"{stack.url}/api/public/media", json=asked, auth=(PUBLIC_KEY, SECRETS["project"]), timeout=20
    )
    assert answer.status_code == 201, answer.text
    return {**asked, **answer.json()}


PUT = """
try {
  const answer = await fetch(%s, {method: 'PUT', headers: %s, body: new TextEncoder().encode(%s)});
  return answer.status;
} catch (error) { return String(error); }
"""
GET = "try { return await (await fetch(%s)).text(); } catch (error) { return String(error); }"


def test_the_page_may_upload_and_read(stack: Stack, browser: str) -> None:
    text = f"not really a picture {secrets.token_hex(8)}"
    media = _register(stack, text.encode())
    assert media["uploadUrl"].startswith(f"http://localhost:{stack.s3_port}/")
    page = f"{stack.url}/auth/sign-in"
    headers = {"Content-Type": media["contentType"], "x-amz-checksum-sha256": media["sha256Hash"]}

    put = PUT % (json.dumps(media["uploadUrl"]), json.dumps(headers), json.dumps(text))
    assert asyncio.run(_on_page(browser, page, put)) == 200

    path = f"{stack.url}/api/public/media/{media['mediaId']}"
    done = {"uploadedAt": "2026-01-01T00:00:00.000Z", "uploadHttpStatus": 200, "uploadHttpError": None}
    keys = (PUBLIC_KEY, SECRETS["project"])
    assert requests.patch(path, json=done, auth=keys, timeout=20).status_code == 200
    link = requests.get(path, auth=keys, timeout=20).json()["url"]
    assert asyncio.run(_on_page(browser, page, GET % json.dumps(link))) == text


def test_the_page_may_not_reach_the_store_by_another_name(stack: Stack, browser: str) -> None:
    """The policy is at work: an address that it does not list is refused by the browser itself."""
    other = json.dumps(f"http://127.0.0.1:{stack.s3_port}/status")
    assert "Failed to fetch" in asyncio.run(_on_page(browser, f"{stack.url}/auth/sign-in", GET % other))
