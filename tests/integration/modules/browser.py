# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of a browser as a login needs: cookies by host, redirects seen one by one, the form of a page."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urljoin, urlsplit

from ansible_collections.llmops.langfuse.plugins.module_utils.http_client import Client, Response

_FORM = re.compile(r"<form[^>]*\baction=\"([^\"]+)\"", re.I)
_HIDDEN = re.compile(r"<input[^>]*\btype=\"hidden\"[^>]*>", re.I)


@dataclass
class Page:
    """An answer and the address that gave it."""

    url: str
    answer: Response

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def location(self) -> str:
        """Where a redirect leads, "" where there is none."""
        given = self.answer.headers.get("location", "")
        return urljoin(self.url, given) if given else ""

    @property
    def text(self) -> str:
        return self.answer.body.decode("utf-8", "replace")


@dataclass
class Browser:
    """Cookies are sent back over http too: Keycloak marks its own Secure even there, and browsers trust loopback."""

    resolve: Mapping[str, str] = field(default_factory=dict)
    ca_path: str | None = None
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    def request(self, method: str, url: str, form: dict[str, str] | None = None) -> Page:
        parts = urlsplit(url)
        jar = self.cookies.setdefault(parts.netloc, {})
        headers = {"Accept": "text/html", "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        client = Client(f"{parts.scheme}://{parts.netloc}", timeout=30, resolve=self.resolve, ca_path=self.ca_path)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            answer = client.request(method, path, urlencode(form).encode() if form is not None else None, headers)
        finally:
            client.close()
        for cookie in answer.cookies:
            name, _, rest = cookie.partition("=")
            value, _, attributes = rest.partition(";")
            if not value or "max-age=0" in attributes.lower().replace(" ", ""):
                jar.pop(name, None)
            else:
                jar[name] = value
        return Page(url, answer)

    def get(self, url: str) -> Page:
        return self.request("GET", url)

    def submit(self, page: Page, **fields: str) -> Page:
        """Send the page's form with its hidden fields and these."""
        found = _FORM.search(page.text)
        assert found, f"no form at {page.url} ({page.status}): {page.text[:400]}"
        hidden = {}
        for tag in _HIDDEN.findall(page.text):
            given = dict(re.findall(r"\b(name|value)=\"([^\"]*)\"", tag))
            hidden[given.get("name", "")] = html.unescape(given.get("value", ""))
        return self.request("POST", urljoin(page.url, html.unescape(found[1])), {**hidden, **fields})

    def follow(self, page: Page, until: str = "", limit: int = 10) -> Page:
        """Follow redirects to the end, or to the first that leads to an address starting with ``until``."""
        for _ in range(limit):
            if not page.location or (until and page.location.startswith(until)):
                return page
            page = self.get(page.location)
        raise AssertionError(f"more than {limit} redirects, at {page.url}")
