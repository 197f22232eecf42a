# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real Keycloak in a container, the realms that tests use, and a login as a browser and an OIDC library do it."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client, keycloak

from tests.integration.modules.browser import Browser, Page

ADMIN, ADMIN_PASSWORD = "admin", "Canary22keycloak-admin"
USER, USER_PASSWORD, USER_EMAIL = "driver-seven", "canary-kc-user-1", "driver@example.com"
COMMAND = ("start", "--optimized", "--http-enabled=true", "--hostname-strict=false", "--cache=local")
# As the collection runs its own containers.
HARDENED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
OPTIONS = (
    *HARDENED,
    "--tmpfs=/opt/keycloak/data:uid=1000,mode=0755",
    f"--env=KC_BOOTSTRAP_ADMIN_USERNAME={ADMIN}",
    f"--env=KC_BOOTSTRAP_ADMIN_PASSWORD={ADMIN_PASSWORD}",
)


class Server:
    """A running Keycloak at ``url``, with an admin session of its own beside the module's.

    ``resolve`` has addresses of names in the module's spelling; ``ca_path`` is the authority of its certificate.
    """

    def __init__(self, url: str, ca_path: str | None = None, resolve: Sequence[str] = ()) -> None:
        self.url, self.ca_path, self.resolve = url, ca_path, list(resolve)
        self.names = http_client.parse_resolve(self.resolve)
        self.admin = self.session(self.login())

    def login(self, **options: Any) -> dict[str, Any]:
        """Options of the module that say where and who."""
        account = {"auth_username": ADMIN, "auth_password": ADMIN_PASSWORD}
        reach = {"url": self.url, "ca_path": self.ca_path, "resolve": self.resolve}
        base = {"validate_certs": True, "wait": 120}
        names = {"auth_realm": "master", "auth_client_id": "admin-cli", "auth_client_secret": None}
        return {**reach, **base, **names, **account, **options}

    def session(self, options: dict[str, Any], **changed: Any) -> keycloak.Session:
        """The module's own session, logged in with these options."""
        account = keycloak.Account(*(options[f"auth_{name}"] for name in ("realm", "client_id", "client_secret")))
        account = account._replace(username=options["auth_username"], password=options["auth_password"])
        session = keycloak.Session(self.reach(self.url, 60), self.url, account, **changed)
        session.wait(30)
        return session

    def reach(self, url: str, timeout: float = 30) -> http_client.Client:
        return http_client.Client(url, timeout=timeout, ca_path=self.ca_path, resolve=self.names)

    def realm(self, name: str, **fields: Any) -> str:
        """A fresh realm that records what administrators do, with one user."""
        self.remove(name)
        told = {"realm": name, "enabled": True, "adminEventsEnabled": True, "adminEventsDetailsEnabled": True}
        self.admin.call("POST", "realms", {**told, **fields})
        self.user(name, USER, USER_PASSWORD, USER_EMAIL)
        return name

    def clear(self, realm: str) -> None:
        """Take away the clients that tests have made, and the record of what was done. A fresh realm costs seconds."""
        for client in self.admin.get(f"realms/{realm}/clients"):
            if client["clientId"] in ("langfuse", "sync", "robot", "other"):
                self.admin.call("DELETE", f"realms/{realm}/clients/{client['id']}")
        self.admin.call("DELETE", f"realms/{realm}/admin-events")

    def user(self, realm: str, name: str, password: str, email: str) -> None:
        names = {"username": name, "email": email, "firstName": "Seven", "lastName": "Driver"}
        credentials = [{"type": "password", "value": password, "temporary": False}]
        told = {**names, "enabled": True, "emailVerified": True, "credentials": credentials}
        self.admin.call("POST", f"realms/{realm}/users", told)

    def remove(self, realm: str) -> None:
        try:
            self.admin.call("DELETE", f"realms/{realm}")
        except keycloak.Refused as error:
            assert error.status == 404

    def client(self, realm: str, client_id: str = "langfuse") -> dict[str, Any]:
        """The client as the server tells it."""
        (found,) = self.admin.get(f"realms/{realm}/clients", clientId=client_id)
        return dict(found)

    def writes(self, realm: str) -> list[str]:
        """What administrators wrote in the realm, oldest first: the server's own record."""
        events = self.admin.get(f"realms/{realm}/admin-events", max="1000")
        return [f"{event['operationType']} {event['resourceType']}" for event in reversed(events)]

    def endpoint(self, realm: str, name: str) -> str:
        return f"{self.url}/realms/{realm}/protocol/openid-connect/{name}"


class Login:
    """One authorization code login of a client: verifier, state and nonce are drawn as an OIDC library does."""

    def __init__(self, server: Server, realm: str, redirect_uri: str, client_id: str = "langfuse") -> None:
        self.server, self.realm, self.redirect_uri, self.client_id = server, realm, redirect_uri, client_id
        self.browser = Browser(server.names, server.ca_path)
        self.verifier = secrets.token_urlsafe(48)
        self.state, self.nonce = secrets.token_hex(8), secrets.token_hex(8)

    def start(self, pkce: str | None = "S256", scope: str = "openid email profile", **changed: str) -> Page:
        """What Keycloak answers to the address that the application sends a browser to."""
        query = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": scope,
            "state": self.state,
            "nonce": self.nonce,
        }
        if pkce == "S256":
            digest = hashlib.sha256(self.verifier.encode()).digest()
            query["code_challenge"] = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        elif pkce == "plain":
            query["code_challenge"] = self.verifier
        if pkce:
            query["code_challenge_method"] = pkce
        return self.browser.get(f"{self.server.endpoint(self.realm, 'auth')}?{urlencode({**query, **changed})}")

    def code(self, **started: str) -> str:
        """Fill the login form in and give the code that came back to the redirect address."""
        form = self.start(**started)
        assert form.status == 200, (form.status, form.location, form.text[:400])
        back = self.browser.submit(form, username=USER, password=USER_PASSWORD, credentialId="")
        back = self.browser.follow(back, until=self.redirect_uri)
        assert back.location.startswith(self.redirect_uri), (back.status, back.location, back.text[:400])
        said = query_of(back.location)
        assert said["state"] == self.state
        return said["code"]

    def exchange(self, code: str, secret: str, **changed: str) -> http_client.Response:
        """The code for tokens, with client_secret_basic as next-auth does it."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri}
        return self.token({**form, "code_verifier": self.verifier, **changed}, secret)

    def token(self, form: dict[str, str], secret: str) -> http_client.Response:
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": http_client.basic(self.client_id, secret),
        }
        client = self.server.reach(self.server.endpoint(self.realm, "token"))
        try:
            return client.request("POST", "", urlencode(form).encode(), headers)
        finally:
            client.close()


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def claims(token: str) -> dict[str, Any]:
    """The payload of a token; its signature is Keycloak's business here."""
    body = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def wait_until_ready(management: str, status: Callable[[], str], seconds: float = 300, **reach: Any) -> None:
    """Return when the management interface at that URL says that it is ready, and fail when the container ended."""
    deadline = time.monotonic() + seconds
    client = http_client.Client(management, timeout=5, **reach)
    while True:
        try:
            if client.request("GET", "/health/ready").status == 200:
                return
        except http_client.Unreachable:
            pass
        assert status() == "running", "Keycloak ended while it started"
        assert time.monotonic() < deadline, f"Keycloak is not ready after {seconds:g} s"
        time.sleep(0.2)
