"""Somebody with a browser in front of Langfuse's sign-in page."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.modules.browser import Browser, Page
from tests.integration.modules.keycloak import USER_PASSWORD
from tests.molecule.sso import identity

URL = "http://localhost:3530"
CALLBACK = f"{URL}/api/auth/callback/keycloak"


class Visitor:
    """A browser without cookies. `web` is the address of the web that it meets under the instance's URL."""

    def __init__(self, web: str = "127.0.0.1") -> None:
        self.browser = Browser({"keycloak:8080": identity.address(), "localhost:3530": web})

    def press(self, provider: str = "keycloak") -> Page:
        """A provider's button on the sign-in page, and where it leads to in the end."""
        token = self._json("/api/auth/csrf")["csrfToken"]
        form = {"csrfToken": token, "callbackUrl": URL}
        return self.browser.follow(self.browser.request("POST", f"{URL}/api/auth/signin/{provider}", form))

    def sign_in(self, user: str, provider: str = "keycloak") -> str:
        """Through Keycloak's form; the address of the page where it ends."""
        form = self.press(provider)
        assert form.url.startswith("http://keycloak:8080/"), (form.url, form.text[:400])
        sent = self.browser.submit(form, username=user, password=USER_PASSWORD, credentialId="")
        return self.browser.follow(sent).url

    def session(self) -> dict[str, Any]:
        """Who web believes that this is, {} for nobody."""
        return dict(self._json("/api/auth/session").get("user", {}))

    def _json(self, path: str) -> dict[str, Any]:
        return dict(json.loads(self.browser.get(f"{URL}{path}").text))
