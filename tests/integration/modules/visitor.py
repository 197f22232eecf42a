# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Somebody with a browser in front of Langfuse's sign-in page, whose provider is a Keycloak."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.integration.modules.browser import Browser, Page
from tests.integration.modules.keycloak import USER_PASSWORD


class Visitor:
    """A browser without cookies at the web of ``url``. ``names`` has the address of every ``host:port`` that it knows;
    the only one is Keycloak's. ``ca_path`` is the authority that its owner trusts.
    """

    def __init__(self, url: str, names: Mapping[str, str], ca_path: str | None = None) -> None:
        self.url = url
        self.keycloak = f"{'https' if ca_path else 'http'}://{next(iter(names))}/"
        self.browser = Browser(names, ca_path)

    def press(self, provider: str = "keycloak") -> Page:
        """A provider's button on the sign-in page, and where it leads to in the end."""
        token = self._json("/api/auth/csrf")["csrfToken"]
        form = {"csrfToken": token, "callbackUrl": self.url}
        return self.browser.follow(self.browser.request("POST", f"{self.url}/api/auth/signin/{provider}", form))

    def sign_in(self, user: str, provider: str = "keycloak") -> str:
        """Through Keycloak's form; the address of the page where it ends."""
        form = self.press(provider)
        assert form.url.startswith(self.keycloak), (form.url, form.text[:400])
        sent = self.browser.submit(form, username=user, password=USER_PASSWORD, credentialId="")
        return self.browser.follow(sent).url

    def session(self) -> dict[str, Any]:
        """Who web believes that this is, {} for nobody."""
        return dict(self._json("/api/auth/session").get("user", {}))

    def _json(self, path: str) -> dict[str, Any]:
        return dict(json.loads(self.browser.get(f"{self.url}{path}").text))
