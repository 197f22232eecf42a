# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A visit to the sign-in page of Langfuse web, as a browser makes it: cookies, the CSRF token, forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import Context


class Jar:
    """Cookies by name. ``Secure`` is ignored on purpose: web may be reached in the clear behind its own proxy."""

    def __init__(self) -> None:
        self._cookies: dict[str, str] = {}

    def keep(self, answer: http_client.Response) -> None:
        for line in answer.cookies:
            name, value = line.split(";", 1)[0].split("=", 1)
            self._cookies[name.strip()] = value

    def header(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}


class Visit:
    """``record`` is the evidence: it keeps the step that was taken last and the status of its answer."""

    def __init__(self, ctx: Context, record: dict[str, Any]) -> None:
        self._ctx, self._record, self._jar = ctx, record, Jar()

    def ask(self, step: str, path: str, form: Mapping[str, str] | None = None) -> http_client.Response:
        """GET, or POST with a form."""
        self._record["step"] = step
        headers, body = self._jar.header(), None
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(form, quote_via=quote).encode()
        answer = self._ctx.web().request("GET" if body is None else "POST", path, body, headers, self._ctx.patience)
        self._record["status"] = answer.status
        self._jar.keep(answer)
        return answer

    def providers(self) -> Any:
        """What the page offers, by id; None where web does not say it."""
        return self.ask("providers", "/api/auth/providers").json()

    def token(self) -> str:
        """The CSRF token that every form needs, "" where web gives none."""
        return str((self.ask("csrf", "/api/auth/csrf").json() or {}).get("csrfToken") or "")


def destination(answer: http_client.Response) -> str:
    """Where web wants to send the browser."""
    body = answer.json()
    return str(body.get("url", "")) if isinstance(body, dict) else answer.headers.get("location", "")


def error_of(answer: http_client.Response) -> str:
    """next-auth's own word for a refused sign-in: the ``error`` of the address it wants to send the browser to."""
    return (parse_qs(urlsplit(destination(answer)).query).get("error") or [""])[0]
