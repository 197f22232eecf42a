"""Sign-up, sign-in with a password and the session, as next-auth does them (facts 3.3)."""

import asyncio
import base64
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import psycopg
from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..core.crypto import bcrypt_equal
from ..core.text import iso, iso_ms
from . import oidc
from .answers import Answer, json_body, reply
from .context import Context
from .init import InitError, create_user

_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _key(secret: str) -> bytes:
    info = b"NextAuth.js Generated Encryption Key"
    return HKDF(algorithm=SHA256(), length=32, salt=b"", info=info).derive(secret.encode())


def seal(claims: dict[str, Any], secret: str) -> str:
    """A JWE: `dir` with A256GCM, the key derived from NEXTAUTH_SECRET."""
    head = _b64(b'{"alg":"dir","enc":"A256GCM"}')
    iv = os.urandom(12)
    sealed = AESGCM(_key(secret)).encrypt(iv, json.dumps(claims).encode(), head.encode())
    return f"{head}..{_b64(iv)}.{_b64(sealed[:-16])}.{_b64(sealed[-16:])}"


def unseal(token: str, secret: str) -> dict[str, Any] | None:
    """The claims, None when it is not ours or too old."""
    try:
        head, _, iv, text, tag = token.split(".")
        claims: dict[str, Any] = json.loads(
            AESGCM(_key(secret)).decrypt(_unb64(iv), _unb64(text) + _unb64(tag), head.encode())
        )
    except (ValueError, InvalidTag):
        return None
    return claims if claims.get("exp", 0) > time.time() else None


async def form_of(request: web.BaseRequest) -> dict[str, Any]:
    """The fields that a page sends: a form or JSON."""
    body = await request.read()
    if "json" in request.headers.get("Content-Type", ""):
        return dict(json.loads(body or b"{}"))
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


class Session:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._secret = context.env.need("NEXTAUTH_SECRET")
        self._url = context.env.need("NEXTAUTH_URL").rstrip("/")
        self._secure = self._url.startswith("https://")
        suffix = context.env.text("NEXTAUTH_COOKIE_NAME_SUFFIX")
        self._cookie = f"{self.cookie_name('next-auth.session-token')}{f'.{suffix}' if suffix else ''}"
        self._csrf = f"{'__Host-' if self._secure else ''}next-auth.csrf-token"

    @property
    def base(self) -> str:
        """Where the auth routes are: the root means /api/auth, any other path is used as it is."""
        return self._url if urlsplit(self._url).path else f"{self._url}/api/auth"

    def cookie_name(self, name: str) -> str:
        return f"__Secure-{name}" if self._secure else name

    def remember(self, response: web.Response, name: str, value: str, age: int) -> None:
        """A cookie for `age` seconds; 0 takes it away."""
        self._set_cookie(response, self.cookie_name(name), value, age)

    def _set_cookie(self, response: web.Response, name: str, value: str, age: int | None = None) -> None:
        response.set_cookie(name, value, path="/", httponly=True, samesite="Lax", secure=self._secure, max_age=age)

    def remember_callback(self, response: web.Response, address: str) -> None:
        """Where to go after the sign-in: this origin only, anything else means its root."""
        allowed = address if self._same_origin(address) else self._url
        self._set_cookie(response, self.cookie_name("next-auth.callback-url"), quote(allowed, safe=""))

    def callback_url(self, request: web.BaseRequest) -> str:
        kept = unquote(request.cookies.get(self.cookie_name("next-auth.callback-url"), ""))
        return kept if self._same_origin(kept) else self._url

    def _same_origin(self, address: str) -> bool:
        own, other = urlsplit(self._url), urlsplit(address)
        return (own.scheme, own.netloc) == (other.scheme, other.netloc)

    def open(self, response: web.Response, user: Mapping[str, Any]) -> None:
        """The cookie of a session of this user."""
        age = int(self._context.env.number("AUTH_SESSION_MAX_AGE")) * 60
        claims = {
            "name": user["name"],
            "email": user["email"],
            "sub": user["id"],
            "iat": int(time.time()),
            "exp": int(time.time()) + age,
        }
        self._set_cookie(response, self._cookie, seal(claims, self._secret), age)

    async def providers(self, request: web.BaseRequest) -> web.Response:
        found = {"credentials": ("credentials", "credentials")}
        found |= {one.id: (one.name, "oauth") for one in oidc.providers(self._context.env).values()}
        return reply(
            200,
            {
                name: {
                    "id": name,
                    "name": title,
                    "type": kind,
                    "signinUrl": f"{self.base}/signin/{name}",
                    "callbackUrl": f"{self.base}/callback/{name}",
                }
                for name, (title, kind) in found.items()
            },
        )

    def _csrf_hash(self, token: str) -> str:
        return hashlib.sha256(f"{token}{self._secret}".encode()).hexdigest()

    async def csrf(self, request: web.BaseRequest) -> web.Response:
        token, _, check = unquote(request.cookies.get(self._csrf, "")).partition("|")
        known = bool(token) and self._csrf_hash(token) == check
        token = token if known else secrets.token_hex(32)
        response = reply(200, {"csrfToken": token})
        if not known:
            self._set_cookie(response, self._csrf, quote(f"{token}|{self._csrf_hash(token)}", safe=""))
            self.remember_callback(response, self._url)
        return response

    async def sign_in(self, request: web.BaseRequest) -> web.Response:
        given = await form_of(request)
        if not self.knows(request, given.get("csrfToken")):
            return reply(200, {"url": f"{self.base}/signin?csrf=true"})
        env = self._context.env
        if env.flag("AUTH_DISABLE_USERNAME_PASSWORD"):
            return self._refuse("Sign in with email and password is disabled for this instance. Please use SSO.")
        if self._enforced(str(given.get("email", ""))):
            return self._refuse("Sign in with email and password is disabled for this domain. Please use SSO.")
        row = await self._context.postgres.one(
            "SELECT id, name, email, password, image FROM users WHERE email = %s",
            (str(given.get("email", "")).lower(),),
        )
        password = str(given.get("password", ""))
        if not row or not row["password"] or not await asyncio.to_thread(bcrypt_equal, password, row["password"]):
            return self._refuse("Invalid credentials")
        response = reply(200, {"url": given.get("callbackUrl") or self._url})
        self.open(response, row)
        return response

    def knows(self, request: web.BaseRequest, given: object) -> bool:
        """Whether the CSRF token is the one of this browser's cookie."""
        token, _, check = unquote(request.cookies.get(self._csrf, "")).partition("|")
        return bool(token) and self._csrf_hash(token) == check and given == token

    def _enforced(self, email: str) -> bool:
        domains = (self._context.env.text("AUTH_DOMAINS_WITH_SSO_ENFORCEMENT") or "").lower().split(",")
        return email.rpartition("@")[2].lower().strip() in [one.strip() for one in domains if one.strip()]

    def _refuse(self, text: str) -> web.Response:
        return reply(401, {"url": f"{self.base}/error?error={quote(text)}"})

    async def session(self, request: web.BaseRequest) -> web.Response:
        claims = unseal(request.cookies.get(self._cookie, ""), self._secret)
        if claims is None:
            return reply(200, {})
        row = await self._context.postgres.one("SELECT * FROM users WHERE email = %s", (claims["email"],))
        if row is None:
            return reply(200, {})
        user = {
            "name": row["name"],
            "email": row["email"],
            "image": row["image"],
            "id": row["id"],
            "admin": row["admin"],
            "v4BetaEnabled": True,
            "v4UpgradeUiAvailable": False,
            "canToggleV4": False,
            "canCreateOrganizations": True,
            "organizations": await self._organizations(row["id"]),
            "featureFlags": dict.fromkeys(_FLAGS, False),
            "hasPassword": row["password"] is not None,
        }
        environment = {
            "enableExperimentalFeatures": False,
            "inAppAgentEnabled": False,
            "selfHostedInstancePlan": None,
            "v4WriteMode": self._context.env.text("LANGFUSE_MIGRATION_V4_WRITE_MODE"),
        }
        expires = iso_ms(int(claims["exp"]) * 1000)
        return reply(200, {"user": user, "expires": expires, "environment": environment})

    async def _organizations(self, user_id: str) -> list[dict[str, Any]]:
        found = []
        organizations = await self._context.postgres.rows(
            "SELECT o.*, m.role::text AS role FROM organizations o JOIN organization_memberships m ON m.org_id = o.id "
            "WHERE m.user_id = %s ORDER BY o.created_at",
            (user_id,),
        )
        for org in organizations:
            projects = await self._context.postgres.rows(
                "SELECT * FROM projects WHERE org_id = %s AND deleted_at IS NULL ORDER BY created_at", (org["id"],)
            )
            found.append(
                {
                    "id": org["id"],
                    "name": org["name"],
                    "role": org["role"],
                    "metadata": org["metadata"] or {},
                    "aiFeaturesEnabled": org["ai_features_enabled"],
                    "aiTelemetryEnabled": org["ai_telemetry_enabled"],
                    "projects": [
                        {
                            "id": p["id"],
                            "name": p["name"],
                            "role": org["role"],
                            "retentionDays": p["retention_days"],
                            "hasTraces": p["has_traces"],
                            "deletedAt": None,
                            "metadata": p["metadata"] or {},
                            "createdAt": iso(p["created_at"]),
                        }
                        for p in projects
                    ],
                    "plan": "oss",
                }
            )
        return found

    async def sign_up(self, request: web.BaseRequest) -> web.Response:
        env = self._context.env
        if env.flag("AUTH_EMAIL_VERIFICATION_REQUIRED"):
            raise Answer(403, {"message": "Email verification is required."})
        if env.flag("AUTH_DISABLE_SIGNUP") or env.flag("AUTH_DISABLE_USERNAME_PASSWORD"):
            raise Answer(422, {"message": "Sign up is disabled."})
        body = await json_body(request)
        name, email, password = (str(body.get(k) or "") for k in ("name", "email", "password"))
        if self._enforced(email):
            raise Answer(
                422, {"message": "Sign up with email and password is disabled for this domain. Please use SSO."}
            )
        if not name or not _EMAIL.match(email):
            raise Answer(422, {"message": "Invalid input"})
        try:
            row = await self._context.postgres.one("SELECT 1 FROM users WHERE email = %s", (email.lower(),))
            if row:
                raise InitError("User with email already exists. Please sign in.")
            await create_user(self._context.postgres, name, email.lower(), password)
        except (InitError, psycopg.errors.UniqueViolation) as exc:
            raise Answer(422, {"message": f"Signup: Error creating user: {exc}"}) from None
        return reply(200, {"message": "User created"})


_FLAGS = [
    "modernSession",
    "searchBar",
    "compactTimeline",
    "templateFlag",
    "excludeClickhouseRead",
    "v4BetaToggleVisible",
    "observationEvals",
    "experimentsV4Enabled",
]
