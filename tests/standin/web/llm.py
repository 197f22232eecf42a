"""LLM connections (facts 6.5): secrets sealed with ENCRYPTION_KEY, base URLs checked against private addresses."""

import asyncio
import ipaddress
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from ..core.crypto import encrypt
from ..core.environment import Env
from ..core.text import cuid, iso
from .answers import (
    Answer,
    internal_error,
    invalid,
    issue_enum,
    issue_missing,
    json_body,
    not_found,
    pages,
    reply,
    whole_number,
)
from .auth import project_or_admin
from .context import Context

ADAPTERS = ["anthropic", "openai", "azure", "bedrock", "google-vertex-ai", "google-ai-studio"]
_BLOCKED_NAMES = (".internal", ".intranet", ".local", ".localhost")


def _list(env: Env, name: str) -> list[str]:
    return [v.strip() for v in (env.text(f"LANGFUSE_LLM_CONNECTION_WHITELISTED_{name}") or "").split(",") if v.strip()]


def _refuse(text: str) -> Answer:
    return Answer(400, {"message": f"Invalid baseURL: {text}", "error": "InvalidRequestError"})


async def check_url(env: Env, url: str) -> None:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https") or not host:
        raise _refuse("Only http and https URLs are allowed")
    if parts.username or parts.password:
        raise _refuse("Credentials are not allowed")
    if host in _list(env, "HOST"):
        return
    if host == "localhost" or host.endswith(_BLOCKED_NAMES) or host.startswith("host.docker"):
        raise _refuse("Blocked hostname detected")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise _refuse(f"DNS lookup failed for {host}") from None
    segments = [ipaddress.ip_network(s, strict=False) for s in _list(env, "IP_SEGMENTS")]
    for entry in found:
        address = ipaddress.ip_address(entry[4][0])
        allowed = str(address) in _list(env, "IPS") or any(address in s for s in segments)
        if not address.is_global and not allowed:
            raise _refuse("Blocked IP address detected")


def shape(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "provider": row["provider"],
        "adapter": row["adapter"],
        "displaySecretKey": row["display_secret_key"],
        "baseURL": row["base_url"],
        "customModels": row["custom_models"],
        "withDefaultModels": row["with_default_models"],
        "extraHeaderKeys": row["extra_header_keys"],
        "config": row["config"],
        "createdAt": iso(row["created_at"]),
        "updatedAt": iso(row["updated_at"]),
    }


_AMBIENT = {
    "__BEDROCK_DEFAULT_CREDENTIALS__": "Default AWS credentials",
    "__VERTEXAI_DEFAULT_CREDENTIALS__": "Default GCP credentials (ADC)",
}


def display(secret: str) -> str:
    """`...` and the last four characters, those before `"}` for JSON."""
    return _AMBIENT.get(secret) or f"...{secret.removesuffix('"}')[-4:]}"


async def listing(context: Context, request: web.BaseRequest) -> web.Response:
    project = await project_or_admin(context, request)
    unknown = [k for k in request.query if k not in ("page", "limit")]
    if unknown:
        text = f'Unrecognized key: "{unknown[0]}"'
        raise invalid({"code": "unrecognized_keys", "keys": unknown, "path": [], "message": text})
    page, limit = whole_number(request.query, "page", 1, 1, None), whole_number(request.query, "limit", 50, 1, 100)
    rows = await context.postgres.rows(
        "SELECT * FROM llm_api_keys WHERE project_id = %s ORDER BY created_at", (project,)
    )
    data = [shape(r) for r in rows[(page - 1) * limit : page * limit]]
    return reply(200, {"data": data, "meta": pages(len(rows), page, limit)})


def _check(body: dict[str, Any]) -> None:
    issues = [issue_missing(n, "string") for n in ("provider", "secretKey") if not isinstance(body.get(n), str)]
    if body.get("adapter") not in ADAPTERS:
        issues.append(issue_enum("adapter", ADAPTERS))
    if issues:
        raise invalid(*issues)
    adapter, config = body["adapter"], body.get("config")
    if adapter == "bedrock" and not (isinstance(config, dict) and config.get("region")):
        raise Answer(400, {"message": "Invalid config: bedrock requires region", "error": "InvalidRequestError"})
    if config and adapter not in ("bedrock", "openai", "google-vertex-ai"):
        text = f"Invalid config: config is not supported for adapter {adapter}"
        raise Answer(400, {"message": text, "error": "InvalidRequestError"})


async def upsert(context: Context, request: web.BaseRequest) -> web.Response:
    """PUT replaces everything; the key is (project, provider)."""
    project = await project_or_admin(context, request)
    body = await json_body(request)
    _check(body)
    old = await context.postgres.one(
        "SELECT * FROM llm_api_keys WHERE project_id = %s AND provider = %s", (project, body["provider"])
    )
    url = body.get("baseURL")
    if url and (old is None or old["base_url"] != url):
        await check_url(context.env, url)
    headers = body.get("extraHeaders") or {}
    key = context.env.text("ENCRYPTION_KEY")
    try:
        secret = encrypt(body["secretKey"], key)
        sealed = encrypt(json.dumps(headers), key) if headers else None
    except RuntimeError as exc:
        return internal_error(str(exc))
    row = await context.postgres.one(
        "INSERT INTO llm_api_keys "
        "(id, provider, display_secret_key, secret_key, project_id, base_url, adapter, custom_models,"
        " with_default_models, config, extra_headers, extra_header_keys) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (project_id, provider) DO UPDATE SET display_secret_key = excluded.display_secret_key,"
        " secret_key = excluded.secret_key, base_url = excluded.base_url, adapter = excluded.adapter,"
        " custom_models = excluded.custom_models, with_default_models = excluded.with_default_models,"
        " config = excluded.config, extra_headers = excluded.extra_headers,"
        " extra_header_keys = excluded.extra_header_keys, updated_at = now() RETURNING *",
        (
            cuid(),
            body["provider"],
            display(body["secretKey"]),
            secret,
            project,
            url,
            body["adapter"],
            body.get("customModels") or [],
            body.get("withDefaultModels", True),
            json.dumps(body["config"]) if body.get("config") else None,
            sealed,
            list(headers),
        ),
    )
    assert row is not None
    return reply(200 if old else 201, shape(row))


async def delete(context: Context, request: web.BaseRequest) -> web.Response:
    project = await project_or_admin(context, request)
    row = await context.postgres.one(
        "DELETE FROM llm_api_keys WHERE id = %s AND project_id = %s RETURNING id",
        (request.path.rsplit("/", 1)[-1], project),
    )
    if row is None:
        raise not_found("LLM connection not found")
    return reply(200, {"message": "LLM connection successfully deleted"})
