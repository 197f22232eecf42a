# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keycloak's admin REST: a session whose short-lived token is renewed, and errors of the server as causes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from ansible_collections.llmops.langfuse.plugins.module_utils import args, http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

AUTH_SPEC: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "ca_path": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "resolve": {"type": "list", "elements": "str", "default": []},
    "auth_realm": {"type": "str", "default": "master"},
    "auth_client_id": {"type": "str", "default": "admin-cli"},
    "auth_client_secret": {"type": "str", "no_log": True},
    "auth_username": {"type": "str"},
    "auth_password": {"type": "str", "no_log": True},
    "wait": {"type": "int", "default": 30},
}
_FRESH = 0.8  # of a token's life; the rest is for the way and for clocks
_TIMEOUT = 30.0  # seconds for one answer: a server of two busy cores hashes passwords and makes keys
_STARTING = (502, 503, 504)


class Refused(Exception):
    """An answer that is no success. ``text`` is what Keycloak said, "" where it was not Keycloak's JSON."""

    def __init__(self, status: int, code: str, text: str, location: str = "") -> None:
        super().__init__(f"{status} {code} {text}")
        self.status = status
        self.code = code
        self.text = text
        self.location = location

    @property
    def said(self) -> str:
        return " ".join(part for part in (str(self.status), self.code, self.text) if part).rstrip(".")


class Account(NamedTuple):
    """Who administrates: a user (password grant), or a client by its own secret (client credentials grant)."""

    realm: str
    client_id: str
    client_secret: str | None = None
    username: str | None = None
    password: str | None = None

    @property
    def label(self) -> str:
        who = f"user {self.username}" if self.username else f"client {self.client_id}"
        return f"{who} of realm {self.realm}"

    @property
    def form(self) -> dict[str, str]:
        fields = {"client_id": self.client_id}
        if self.client_secret:
            fields["client_secret"] = self.client_secret
        if self.username:
            return {**fields, "grant_type": "password", "username": self.username, "password": self.password or ""}
        return {**fields, "grant_type": "client_credentials"}


def account_problems(params: Mapping[str, Any]) -> list[str]:
    """What is wrong with the options that say who logs in. Pure."""
    user, password, secret = params["auth_username"], params["auth_password"], params["auth_client_secret"]
    if user and not password:
        return ["auth_username has no auth_password"]
    if password and not user:
        return ["auth_password has no auth_username"]
    if not user and not secret:
        return ["neither auth_username with auth_password nor auth_client_id with auth_client_secret is given"]
    return []


def refusal(response: http_client.Response) -> Refused:
    """What an answer says, in the spellings of the token endpoint and of the admin REST. Pure."""
    said = response.json()
    location = response.headers.get("location", "")
    if not isinstance(said, dict):
        return Refused(response.status, "", "", location)
    text = said.get("error_description") or said.get("errorMessage") or ""
    return Refused(response.status, str(said.get("error") or ""), str(text), location)


def explain_login(error: Refused, url: str, account: Account) -> Failure:
    """Why no token was given, and the cure. Pure."""
    where = f"{url}, realm {account.realm}"
    said = (error.text or error.code).rstrip(".")
    if error.status == 404 and "realm" in said.lower():
        return Failure(
            "keycloak_realm_missing",
            f"{url} has no realm {account.realm} ({said}), in which {account.label} should log in.",
            "Correct auth_realm; the administrators of the whole server are in master.",
        )
    if error.text == "HTTPS required":
        return Failure(
            "keycloak_tls",
            f"{where} lets this host in over HTTPS only.",
            "Give url with https://, or go to Keycloak by a private address.",
        )
    if error.code == "invalid_grant" and "credentials" in said:
        return Failure(
            "keycloak_wrong_password",
            f"{where} refused {account.label}: {said}.",
            "Correct auth_username and auth_password. A wrong password may also mean a locked or temporary account.",
        )
    if error.code in ("invalid_client", "unauthorized_client") and error.status == 401:
        return Failure(
            "keycloak_wrong_client",
            f"{where} refused client {account.client_id}: {said}.",
            "Correct auth_client_id and auth_client_secret.",
        )
    if error.code == "unauthorized_client":
        cure = "Enable direct access grants for that client, or use admin-cli (password), or a client with a service"
        return Failure(
            "keycloak_wrong_client",
            f"{where} does not let client {account.client_id} log in this way: {said}.",
            f"{cure} account (client credentials).",
        )
    if error.code == "invalid_grant":
        return Failure(
            "keycloak_login_refused",
            f"{where} refused {account.label}: {said}.",
            "Let that account log in by a browser once and finish what is asked of it, or use a client with a secret.",
        )
    return explain(error, url)


def explain(error: Refused, url: str, what: str = "a login") -> Failure:
    """The cause and the cure of any other answer. Pure."""
    if error.status in (301, 302, 303, 307, 308):
        cure = f"Give the address behind the redirect as url: {error.location or 'it names none'}."
        return Failure("keycloak_redirects", f"{url} answers {what} with a redirect ({error.status}).", cure)
    if error.status in _STARTING or error.status >= 500:
        cure = "Wait until Keycloak is ready (/health/ready on port 9000), and look at its log."
        return Failure("keycloak_not_ready", f"{url} answers {what} with {error.said}.", cure)
    if error.status in (401, 403) and (error.code or error.text or error.status == 403):
        cure = "Give the account the roles manage-clients and view-clients of that realm (realm-management)."
        return Failure("keycloak_denied", f"{url} denies {what}: {error.said}.", cure)
    if error.status == 409:
        cure = "Run again: something else changed it in the same moment."
        return Failure("keycloak_conflict", f"{url} refused {what}: {error.said}.", cure)
    if error.status != 404 and (error.code or error.text):
        return Failure("keycloak_bad_request", f"{url} refused {what}: {error.said}.", "Correct what it names.")
    return Failure(
        "keycloak_not_keycloak",
        f"What answers {what} at {url} is not Keycloak ({error.said}).",
        "Give Keycloak's own address as url, with its path where it has one (http-relative-path, formerly /auth).",
    )


def explain_unreachable(error: http_client.Unreachable, url: str) -> Failure:
    """Pure."""
    if error.kind == http_client.TLS:
        cure = "Name the CA of its certificate (ca_path), or correct the scheme of url."
        return Failure("keycloak_tls", f"TLS with {url} failed: {error.detail}.", cure, kind=error.kind)
    cure = "Start Keycloak, or correct url; it must be reachable from where this runs."
    return Failure("keycloak_down", f"{url} does not answer: {error.detail}.", cure, kind=error.kind)


class Session:
    """Requests in the name of one account. Its token is renewed before it ends, and when the server says it has.

    ``calls`` are the methods and paths of the admin REST that were sent, for tests and counters.
    """

    def __init__(
        self,
        client: http_client.Client,
        url: str,
        account: Account,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url
        self.account = account
        self.calls: list[tuple[str, str]] = []
        self.logins = 0
        self._client = client
        self._clock = clock
        self._token = ""
        self._fresh_until = 0.0

    @staticmethod
    def open(params: Mapping[str, Any]) -> Session:
        """A session that is logged in, or the Failure that says why not. It waits ``wait`` seconds for an answer at all."""
        url = str(params["url"]).rstrip("/")
        account = Account(
            params["auth_realm"],
            params["auth_client_id"],
            params["auth_client_secret"],
            params["auth_username"],
            params["auth_password"],
        )
        session = Session(args.client(dict(params), url, _TIMEOUT), url, account)
        try:
            session.wait(params["wait"])
        except BaseException:
            session.close()
            raise
        return session

    def close(self) -> None:
        self._client.close()

    def wait(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """Log in as soon as something answers. Answers that waiting does not change are raised at once."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._login()
                return
            except http_client.Unreachable as error:
                if error.kind == http_client.TLS or time.monotonic() >= deadline:
                    raise explain_unreachable(error, self.url) from None
            except Refused as error:
                if error.status not in _STARTING or time.monotonic() >= deadline:
                    raise explain_login(error, self.url, self.account) from None
            sleep(0.2)

    def get(self, path: str, **query: str) -> Any:
        """The decoded answer of the admin REST below ``/admin/realms/``."""
        return self.call("GET", f"{path}?{urlencode(query)}" if query else path).json()

    def call(self, method: str, path: str, body: Any = None) -> http_client.Response:
        """One request of the admin REST, raising Refused, and Failure where nothing answers."""
        try:
            if self._clock() >= self._fresh_until:
                self._renew()
            answer = self._send(method, path, body)
            if answer.status == 401:
                self._renew()
                answer = self._send(method, path, body)
        except http_client.Unreachable as error:
            raise explain_unreachable(error, self.url) from None
        if not 200 <= answer.status < 300:
            raise refusal(answer)
        return answer

    def public(self, path: str) -> Any:
        """The decoded answer of an address that needs no login, None where it is no JSON."""
        try:
            return self._client.request("GET", path).json()
        except http_client.Unreachable as error:
            raise explain_unreachable(error, self.url) from None

    def _send(self, method: str, path: str, body: Any) -> http_client.Response:
        self.calls.append((method, path))
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        return self._client.request(method, f"/admin/{path}", data, headers)

    def _renew(self) -> None:
        try:
            self._login()
        except Refused as error:
            raise explain_login(error, self.url, self.account) from None

    def _login(self) -> None:
        path = f"/realms/{quote(self.account.realm, safe='')}/protocol/openid-connect/token"
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        asked = self._clock()
        answer = self._client.request("POST", path, urlencode(self.account.form).encode(), headers)
        said = answer.json()
        if answer.status != 200 or not isinstance(said, dict) or "access_token" not in said:
            raise refusal(answer)
        self.logins += 1
        self._token = str(said["access_token"])
        self._fresh_until = asked + _FRESH * float(said.get("expires_in") or 0)
