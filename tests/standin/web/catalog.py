"""Projects, models, prompts and the lists that a fresh install answers empty."""

import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from ..core.text import iso, number
from .answers import Answer, invalid, issue_missing, json_body, not_found, pages, reply, whole_number
from .auth import authenticate, project_caller, project_or_admin
from .context import Context


async def projects(context: Context, request: web.BaseRequest) -> web.Response:
    """The canonical check of a key."""
    caller = await authenticate(context, request)
    if caller.access != "project":
        raise Answer(403, {"message": "Invalid API key. Are you using an organization key?"})
    rows = await context.postgres.rows(
        "SELECT p.id, p.name, p.metadata, p.retention_days, o.id AS org_id, o.name AS org_name FROM projects p "
        "JOIN organizations o ON o.id = p.org_id WHERE p.id = %s AND p.deleted_at IS NULL",
        (caller.project_id,),
    )
    data = []
    for row in rows:
        found = {
            "id": row["id"],
            "name": row["name"],
            "organization": {"id": row["org_id"], "name": row["org_name"]},
            "metadata": row["metadata"] or {},
        }
        data.append(found | ({"retentionDays": row["retention_days"]} if row["retention_days"] else {}))
    return reply(200, {"data": data})


async def organization_only(context: Context, request: web.BaseRequest) -> web.Response:
    """Routes that want an organisation key, which open source can only make in the UI."""
    await authenticate(context, request)
    path = request.path
    text = "Invalid API key. Organization-scoped API key required for this operation."
    if "/scim/" in path:
        schemas = ["urn:ietf:params:scim:api:messages:2.0:Error"]
        raise Answer(403, {"schemas": schemas, "detail": text, "status": 403})
    if "/integrations/blob-storage" in path:
        short = "Organization-scoped API key required for this operation."
        raise Answer(403, {"message": short, "error": "ForbiddenError"})
    raise Answer(403, {"error" if "/organizations/" in path else "message": text})


async def empty_list(context: Context, request: web.BaseRequest) -> web.Response:
    await project_caller(context, request)
    page, limit = whole_number(request.query, "page", 1, 1, None), whole_number(request.query, "limit", 50, 1, 100)
    return reply(200, {"data": [], "meta": pages(0, page, limit)})


async def models(context: Context, request: web.BaseRequest) -> web.Response:
    project = await project_or_admin(context, request)
    page, limit = whole_number(request.query, "page", 1, 1, None), whole_number(request.query, "limit", 50, 1, 100)
    scope = "(project_id = %s OR project_id IS NULL)"
    total = await context.postgres.one(f"SELECT count(*)::int AS n FROM models WHERE {scope}", (project,))
    rows = await context.postgres.rows(
        f"SELECT * FROM models WHERE {scope} ORDER BY model_name, id LIMIT %s OFFSET %s",
        (project, limit, (page - 1) * limit),
    )
    data = [await _model(context, r) for r in rows]
    return reply(200, {"data": data, "meta": pages(total["n"] if total else 0, page, limit)})


async def _model(context: Context, row: Mapping[str, Any]) -> dict[str, Any]:
    found = await context.postgres.rows(
        "SELECT t.*, p.usage_type, p.price FROM pricing_tiers t LEFT JOIN prices p ON p.pricing_tier_id = t.id "
        "WHERE t.model_id = %s ORDER BY t.priority, p.usage_type",
        (row["id"],),
    )
    tiers: dict[str, dict[str, Any]] = {}
    for price in found:
        tier = tiers.setdefault(
            price["id"],
            {
                "id": price["id"],
                "name": price["name"],
                "isDefault": price["is_default"],
                "priority": price["priority"],
                "conditions": price["conditions"],
                "prices": {},
            },
        )
        tier["prices"][price["usage_type"]] = number(price["price"])
    default: dict[str, Any] = next((t for t in tiers.values() if t["isDefault"]), {"prices": {}})
    return {
        "id": row["id"],
        "createdAt": iso(row["created_at"]),
        "modelName": row["model_name"],
        "matchPattern": row["match_pattern"],
        "startDate": iso(row["start_date"]) if row["start_date"] else None,
        "tokenizerId": row["tokenizer_id"],
        "tokenizerConfig": row["tokenizer_config"],
        "unit": row["unit"],
        "inputPrice": number(row["input_price"]),
        "outputPrice": number(row["output_price"]),
        "totalPrice": number(row["total_price"]),
        "prices": {k: {"price": v} for k, v in default["prices"].items()},
        "isLangfuseManaged": row["project_id"] is None,
        "pricingTiers": list(tiers.values()),
    }


def _prompt(row: Mapping[str, Any], active: bool | None) -> dict[str, Any]:
    return {
        "id": row["id"],
        "createdAt": iso(row["created_at"]),
        "updatedAt": iso(row["updated_at"]),
        "projectId": row["project_id"],
        "createdBy": row["created_by"],
        "prompt": row["prompt"],
        "name": row["name"],
        "version": row["version"],
        "type": row["type"],
        "isActive": active,
        "config": row["config"],
        "tags": row["tags"],
        "labels": row["labels"],
        "commitMessage": row["commit_message"],
    }


async def create_prompt(context: Context, request: web.BaseRequest) -> web.Response:
    """Always a new version; its labels move here and it takes `latest`."""
    caller = await project_caller(context, request)
    body = await json_body(request)
    missing = [issue_missing(n, "string") for n in ("name", "prompt") if n not in body]
    if missing:
        raise invalid(*missing)
    labels = list(dict.fromkeys([*body.get("labels", []), "latest"]))
    await context.postgres.rows(
        "UPDATE prompts SET labels = ARRAY(SELECT unnest(labels) EXCEPT SELECT unnest(%s::text[])), updated_at = now() "
        "WHERE project_id = %s AND name = %s AND labels && %s::text[]",
        (labels, caller.project_id, body["name"], labels),
    )
    row = await context.postgres.one(
        "INSERT INTO prompts "
        "(id, project_id, created_by, name, version, prompt, type, config, tags, labels, commit_message) "
        "SELECT %s, %s, 'API', %s, coalesce(max(version), 0) + 1, %s, %s, %s, %s, %s, %s FROM prompts "
        "WHERE project_id = %s AND name = %s RETURNING *",
        (
            str(uuid.uuid4()),
            caller.project_id,
            body["name"],
            json.dumps(body["prompt"]),
            body.get("type") or "text",
            json.dumps(body.get("config") or {}),
            body.get("tags") or [],
            labels,
            body.get("commitMessage"),
            caller.project_id,
            body["name"],
        ),
    )
    assert row is not None
    return reply(201, _prompt(row, None))


async def read_prompt(context: Context, request: web.BaseRequest) -> web.Response:
    caller = await project_caller(context, request)
    name = unquote(request.path.rsplit("/", 1)[-1])
    label, version = request.query.get("label") or "production", request.query.get("version")
    if version:
        row = await context.postgres.one(
            "SELECT * FROM prompts WHERE project_id = %s AND name = %s AND version = %s",
            (caller.project_id, name, int(version) if version.isdigit() else 0),
        )
        wanted = f"version {version}"
    else:
        row = await context.postgres.one(
            "SELECT * FROM prompts WHERE project_id = %s AND name = %s AND %s = ANY(labels)",
            (caller.project_id, name, label),
        )
        wanted = f"label '{label}'"
    if row is None:
        raise not_found(f"Prompt not found: '{name}' with {wanted}")
    return reply(200, {**_prompt(row, "production" in row["labels"]), "resolutionGraph": None})


async def list_prompts(context: Context, request: web.BaseRequest) -> web.Response:
    caller = await project_caller(context, request)
    page, limit = whole_number(request.query, "page", 1, 1, None), whole_number(request.query, "limit", 10, 1, 100)
    rows = await context.postgres.rows(
        "SELECT DISTINCT ON (p.name) p.name, p.tags, p.type, p.config, "
        "(SELECT array_agg(version ORDER BY version) FROM prompts q "
        "WHERE (q.project_id, q.name) = (p.project_id, p.name))"
        " AS versions, "
        "(SELECT max(updated_at) FROM prompts q WHERE (q.project_id, q.name) = (p.project_id, p.name)) AS updated, "
        "ARRAY(SELECT DISTINCT unnest(q.labels) FROM prompts q WHERE (q.project_id, q.name) = (p.project_id, p.name))"
        " AS labels FROM prompts p WHERE p.project_id = %s ORDER BY p.name, p.version DESC",
        (caller.project_id,),
    )
    shown = rows[(page - 1) * limit : page * limit]
    data = [
        {
            "name": r["name"],
            "tags": r["tags"],
            "lastUpdatedAt": iso(r["updated"]),
            "versions": r["versions"],
            "labels": sorted(r["labels"]),
            "type": r["type"],
            "lastConfig": r["config"],
        }
        for r in shown
    ]
    meta = pages(len(rows), page, limit)
    return reply(200, {"data": data, "meta": meta, "pagination": meta})
