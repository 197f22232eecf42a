"""Who calls the public API (facts 3.1)."""

import asyncio
import base64
import binascii
import json
import secrets
from dataclasses import dataclass
from typing import Any

import psycopg
from aiohttp import web

from ..core.crypto import bcrypt_equal, fast_hash
from ..core.log import log
from ..core.resp import RedisError
from .answers import Answer
from .context import Context

HOST_HINT = "Confirm that you've configured the correct host."
MISSING = "api-key-non-existent"
_KEY = (
    "SELECT k.id, k.public_key, k.hashed_secret_key, k.fast_hashed_secret_key, k.scope::text AS scope, k.project_id,"
    " coalesce(k.organization_id, p.org_id) AS org_id FROM api_keys k LEFT JOIN projects p ON p.id = k.project_id"
)


class Unauthorized(Exception):
    """The reason, as the 401 says it."""


@dataclass(frozen=True)
class Caller:
    """`access` is `project`, `organization` or `scores` (Bearer with a public key)."""

    key_id: str
    public_key: str
    project_id: str
    org_id: str
    access: str


def _credentials(header: str) -> tuple[str, str]:
    """The first two `:` fields, so a secret that contains one is cut."""
    try:
        fields = base64.b64decode(header.removeprefix("Basic "), validate=True).decode().split(":")
        public, secret = fields[0], fields[1]
    except (binascii.Error, UnicodeDecodeError, IndexError):
        raise Unauthorized("Invalid authorization header") from None
    return public, secret


class Authenticator:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._ttl = int(context.env.number("LANGFUSE_CACHE_API_KEY_TTL_SECONDS"))
        self._cached = context.env.flag("LANGFUSE_CACHE_API_KEY_ENABLED")

    def cache_key(self, sha: str) -> str:
        return f"{self._context.prefix}api-key:{sha}"

    async def caller(self, header: str | None) -> Caller:
        if not header:
            raise Unauthorized("No authorization header")
        if header.startswith("Basic "):
            return await self._basic(*_credentials(header))
        if header.startswith("Bearer "):
            return await self._bearer(header.removeprefix("Bearer "))
        raise Unauthorized("Invalid authorization header")

    async def _basic(self, public: str, secret: str) -> Caller:
        salt = self._context.env.need("SALT")
        sha = fast_hash(secret, salt)
        found = await self._read_cache(sha)
        if found == MISSING:
            raise Unauthorized(f"Invalid credentials. {HOST_HINT}")
        if not isinstance(found, dict):
            found = await self._lookup(public, secret, sha)
            await self._write_cache(sha, found or MISSING)
        if found is None:
            raise Unauthorized(f"Invalid credentials. {HOST_HINT}")
        if found["publicKey"] != public:
            log.warn("API key public key mismatch: the secret key belongs to another public key")
        access = "organization" if found["scope"] == "ORGANIZATION" else "project"
        return Caller(found["id"], found["publicKey"], found["projectId"] or "", found["orgId"] or "", access)

    async def _lookup(self, public: str, secret: str, sha: str) -> dict[str, Any] | None:
        """By the fast hash; else by public key and bcrypt, and the fast hash is stored (a changed SALT heals)."""
        row = await self._context.postgres.one(f"{_KEY} WHERE k.fast_hashed_secret_key = %s", (sha,))
        if row is None:
            row = await self._context.postgres.one(f"{_KEY} WHERE k.public_key = %s", (public,))
            if row is None or not await asyncio.to_thread(bcrypt_equal, secret, row["hashed_secret_key"]):
                return None
            await self._context.postgres.rows(
                "UPDATE api_keys SET fast_hashed_secret_key = %s WHERE id = %s", (sha, row["id"])
            )
        return {
            "id": row["id"],
            "publicKey": row["public_key"],
            "scope": row["scope"],
            "projectId": row["project_id"],
            "orgId": row["org_id"],
        }

    async def _bearer(self, public: str) -> Caller:
        row = await self._context.postgres.one(f"{_KEY} WHERE k.public_key = %s", (public,))
        if row is None:
            raise Unauthorized(f"Invalid public key. {HOST_HINT}")
        if row["scope"] == "ORGANIZATION":
            raise Unauthorized(f"Unauthorized: Cannot use organization key with bearer auth. {HOST_HINT}")
        return Caller(row["id"], public, row["project_id"], row["org_id"], "scores")

    async def _read_cache(self, sha: str) -> dict[str, Any] | str | None:
        """GETEX, so every use renews the TTL, a negative answer's too. Waits for Redis without end."""
        if not self._cached or not self._context.cache.configured:
            return None
        try:
            text = await self._context.cache.wait("GETEX", self.cache_key(sha), "EX", self._ttl)
        except RedisError as exc:
            log.error(f"Error fetching key from Redis: {exc}")
            return None
        if not text:
            return None
        found: dict[str, Any] | str = json.loads(text)
        return found

    async def _write_cache(self, sha: str, found: dict[str, Any] | str) -> None:
        if not self._cached or not self._context.cache.configured:
            return
        try:
            await self._context.cache.wait("SET", self.cache_key(sha), json.dumps(found), "EX", self._ttl)
        except RedisError as exc:
            log.error(f"Error storing key in Redis: {exc}")


async def project_caller(context: Context, request: web.BaseRequest, *, scores: bool = False) -> Caller:
    """The wrapped routes' check: 401 with `message`, 403 for a right key of the wrong scope."""
    caller = await authenticate(context, request)
    if caller.access == "organization" or (caller.access == "scores" and not scores):
        raise Answer(403, {"message": "Access denied - need to use basic auth with secret key"})
    return caller


async def authenticate(context: Context, request: web.BaseRequest) -> Caller:
    try:
        return await Authenticator(context).caller(request.headers.get("Authorization"))
    except Unauthorized as exc:
        raise Answer(401, {"message": str(exc)}) from None
    except (psycopg.Error, OSError):
        raise Answer(500, "Internal Server Error") from None


def require_admin(context: Context, request: web.BaseRequest) -> None:
    """`Authorization: Bearer $ADMIN_API_KEY`; the body's key is `error`."""
    expected = context.env.text("ADMIN_API_KEY")
    if not expected:
        raise Answer(403, {"error": "ADMIN_API_KEY is not set"})
    header = request.headers.get("Authorization")
    if not header:
        raise Answer(401, {"error": "Unauthorized: No authorization header provided"})
    scheme, _, token = header.partition(" ")
    if scheme != "Bearer" or not secrets.compare_digest(token.encode(), expected.encode()):
        raise Answer(401, {"error": "Unauthorized: Invalid token"})


async def project_or_admin(context: Context, request: web.BaseRequest) -> str:
    """The project id, from a project key or from the admin key with its project header (facts 6.2 P+A)."""
    admin = request.headers.get("x-langfuse-admin-api-key")
    if admin is None:
        return (await project_caller(context, request)).project_id
    expected = context.env.text("ADMIN_API_KEY")
    if not expected:
        raise Answer(500, {"message": "Admin API key is not configured"})
    bearer = (request.headers.get("Authorization") or "").removeprefix("Bearer ")
    if admin != expected or bearer != expected:
        raise Answer(401, {"message": "Invalid admin API key"})
    project = request.headers.get("x-langfuse-project-id")
    if not project:
        text = "x-langfuse-project-id header is required for admin API key authentication"
        raise Answer(400, {"message": text})
    row = await context.postgres.one("SELECT id FROM projects WHERE id = %s AND deleted_at IS NULL", (project,))
    if row is None:
        raise Answer(404, {"message": "Project not found"})
    return project
