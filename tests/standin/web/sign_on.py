"""Sign-in through a provider, as next-auth 4 walks it: signin, the callback, the user, the errors (facts 7).

Errors are redirects to the pages; what was the matter stands in the log only.
"""

import secrets
import time
from typing import Any
from urllib.parse import quote

import psycopg
from aiohttp import web

from ..core.log import plain
from ..core.text import cuid
from .answers import reply
from .context import Context
from .oidc import Client, OidcError, Provider, challenge, providers
from .session import Session, form_of, seal, unseal

_AGE = 900
# Check → cookie that remembers it until the provider sends the browser back.
_COOKIES = {"state": "next-auth.state", "nonce": "next-auth.nonce", "pkce": "next-auth.pkce.code_verifier"}
# Errors that the sign-in page shows itself; all others have a page of their own.
_INLINE = (
    "Signin",
    "OAuthSignin",
    "OAuthCallback",
    "OAuthCreateAccount",
    "EmailCreateAccount",
    "Callback",
    "OAuthAccountNotLinked",
    "EmailSignin",
    "CredentialsSignin",
    "SessionRequired",
)
# Columns of the table of accounts that a provider's answer may fill.
_TOKENS = ("refresh_token", "access_token", "token_type", "scope", "id_token", "session_state")


class Refused(Exception):
    """Ends a callback with this word in the address of the error page."""


def log_error(code: str, message: str) -> None:
    plain(
        f"[next-auth][error][{code}] \nhttps://next-auth.js.org/errors#{code.lower()} {message}",
        err=True,
    )


class SignOn:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._session = Session(context)
        self._secret = context.env.need("NEXTAUTH_SECRET")

    def _provider(self, request: web.BaseRequest) -> Provider | None:
        return providers(self._context.env).get(request.path.rstrip("/").rpartition("/")[2])

    def _client(self, provider: Provider) -> Client:
        return Client(
            self._context.env, self._context.session, provider, f"{self._session.base}/callback/{provider.id}"
        )

    async def page(self, request: web.BaseRequest) -> web.Response:
        """`/api/auth/signin` is the application's own page."""
        return _redirect(self._page_address(request, request.query.get("error", "")))

    async def error(self, request: web.BaseRequest) -> web.Response:
        error = request.query.get("error", "")
        if error in _INLINE:
            return _redirect(f"{self._session.base}/signin?error={quote(error)}")
        return _redirect(f"/auth/error?error={quote(error)}")

    def _page_address(self, request: web.BaseRequest, error: str) -> str:
        address = f"/auth/sign-in?callbackUrl={quote(self._session.callback_url(request), safe='')}"
        return f"{address}&error={quote(error)}" if error else address

    async def start(self, request: web.BaseRequest) -> web.Response:
        """POST `/api/auth/signin/<provider>`: to the provider, with what must come back in cookies."""
        given = await form_of(request)
        provider = self._provider(request)
        if provider is None or not self._session.knows(request, given.get("csrfToken")):
            return _to(f"{self._session.base}/signin?csrf=true", given)
        drawn = {check: secrets.token_urlsafe(32) for check in provider.checks if check in _COOKIES}
        sent: dict[str, str] = {name: value for name, value in drawn.items() if name != "pkce"}
        if "pkce" in drawn:
            sent |= {"code_challenge": challenge(drawn["pkce"]), "code_challenge_method": "S256"}
        try:
            address = await self._client(provider).authorization_url(sent)
        except OidcError as exc:
            log_error("SIGNIN_OAUTH_ERROR", str(exc))
            return _to(f"{self._session.base}/error?error=OAuthSignin", given)
        response = _to(address, given)
        for check, value in drawn.items():
            self._session.remember(response, _COOKIES[check], self._sealed(value), _AGE)
        self._session.remember_callback(response, str(given.get("callbackUrl") or ""))
        return response

    def _sealed(self, value: str) -> str:
        return seal({"value": value, "exp": int(time.time()) + _AGE}, self._secret)

    async def back(self, request: web.BaseRequest) -> web.Response:
        """GET `/api/auth/callback/<provider>`: the code becomes a user, and the user a session."""
        provider = self._provider(request)
        if provider is None:
            return _redirect(f"{self._session.base}/error?error=Configuration")
        try:
            user = await self._arrive(provider, request)
            response = _redirect(self._session.callback_url(request))
            self._session.open(response, user)
        except Refused as exc:
            response = _redirect(f"{self._session.base}/error?error={quote(str(exc))}")
        for check in provider.checks:
            if check in _COOKIES:
                self._session.remember(response, _COOKIES[check], "", 0)
        return response

    async def _arrive(self, provider: Provider, request: web.BaseRequest) -> dict[str, Any]:
        if error := request.query.get("error"):
            log_error("OAUTH_CALLBACK_HANDLER_ERROR", f"{error} {request.query.get('error_description', '')}")
            raise Refused("Callback")
        try:
            kept = {check: self._kept(request, check) for check in provider.checks if check in _COOKIES}
            claims, tokens = await self._client(provider).user(request.query, kept)
        except OidcError as exc:
            log_error("OAUTH_CALLBACK_ERROR", str(exc))
            raise Refused("OAuthCallback") from None
        profile = _profile(claims, self._claim_names(provider))
        if not profile["email"]:
            raise Refused("No email found in user object")
        try:
            return await self._user(provider, profile, tokens)
        except psycopg.Error as exc:
            log_error("OAUTH_CALLBACK_HANDLER_ERROR", type(exc).__name__)
            raise Refused("Callback") from None

    def _kept(self, request: web.BaseRequest, check: str) -> str:
        sealed = unseal(request.cookies.get(self._session.cookie_name(_COOKIES[check]), ""), self._secret)
        if sealed is None:
            raise OidcError(f"{check.upper() if check == 'pkce' else check.capitalize()} cookie was missing.")
        return str(sealed["value"])

    def _claim_names(self, provider: Provider) -> dict[str, str]:
        if provider.id != "custom":
            return {"sub": "sub", "email": "email", "name": "name", "image": "picture"}
        return {
            name: self._context.env.text(f"LANGFUSE_CUSTOM_SSO_{name.upper()}_CLAIM") or default
            for name, default in (("sub", "sub"), ("email", "email"), ("name", "name"), ("image", "picture"))
        }

    async def _user(self, provider: Provider, profile: dict[str, str], tokens: dict[str, Any]) -> dict[str, Any]:
        """Who the account belongs to, else who has the address (when linking is allowed), else somebody new."""
        env, postgres = self._context.env, self._context.postgres
        known = await postgres.one(
            'SELECT u.* FROM "Account" a JOIN users u ON u.id = a.user_id '
            'WHERE a.provider = %s AND a."providerAccountId" = %s',
            (provider.id, profile["sub"]),
        )
        if known:
            return known
        user = await postgres.one("SELECT * FROM users WHERE email = %s", (profile["email"],))
        if user and provider.value(env, "ALLOW_ACCOUNT_LINKING") != "true":
            raise Refused("OAuthAccountNotLinked")
        if user is None:
            user = await self._create(profile)
        columns = {name: tokens[name] for name in _TOKENS if tokens.get(name) is not None}
        values = {
            "id": cuid(),
            "type": "oauth",
            "provider": provider.id,
            "providerAccountId": profile["sub"],
            "user_id": user["id"],
            **columns,
        }
        names = ", ".join(f'"{name}"' for name in values)
        holes = ", ".join(["%s"] * len(values))
        await postgres.rows(f'INSERT INTO "Account" ({names}) VALUES ({holes})', list(values.values()))
        return user

    async def _create(self, profile: dict[str, str]) -> dict[str, Any]:
        env, postgres = self._context.env, self._context.postgres
        if env.flag("AUTH_DISABLE_SIGNUP"):
            log_error("adapter_error_createUser", "Sign up is disabled.")
            raise Refused("OAuthCreateAccount")
        user_id = cuid()
        await postgres.rows(
            "INSERT INTO users (id, name, email, image) VALUES (%s, %s, %s, %s)",
            (user_id, profile["name"] or None, profile["email"], profile["image"] or None),
        )
        if org := env.text("LANGFUSE_DEFAULT_ORG_ID"):
            await postgres.rows(
                "INSERT INTO organization_memberships (id, org_id, user_id, role) "
                "SELECT %s, id, %s, %s FROM organizations WHERE id = %s",
                (cuid(), user_id, env.text("LANGFUSE_DEFAULT_ORG_ROLE") or "VIEWER", org),
            )
        row = await postgres.one("SELECT * FROM users WHERE id = %s", (user_id,))
        return row or {}


def _profile(claims: dict[str, Any], names: dict[str, str]) -> dict[str, str]:
    found = {key: str(claims.get(claim) or "") for key, claim in names.items()}
    return {**found, "email": found["email"].lower()}


def _redirect(address: str) -> web.Response:
    return web.Response(status=302, headers={"Location": address})


def _to(address: str, given: dict[str, Any]) -> web.Response:
    """A form is redirected; a script that asked for JSON gets the address."""
    return reply(200, {"url": address}) if str(given.get("json", "")).lower() == "true" else _redirect(address)
