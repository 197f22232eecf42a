# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People can sign in: the first user with e-mail and password, and others through the provider."""

from __future__ import annotations

from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import sso
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import (
    FAILED,
    OK,
    SKIPPED,
    WARNING,
    Context,
    Finding,
    seen,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.nextauth import Visit, error_of

# From the best to the worst.
_RANK = (SKIPPED, OK, WARNING, FAILED)


def sign_in(ctx: Context) -> Finding:
    """With a password and through a provider, whatever of it is there."""
    return worst(password(ctx), sso.provider(ctx))


def worst(*findings: Finding) -> Finding:
    """One finding of several: the worst status, and what each says that was not skipped (all, where all were)."""
    status = max((one.status for one in findings), key=_RANK.index)
    told = [one for one in findings if one.status == FAILED] or [one for one in findings if one.status != SKIPPED]
    return Finding(status, "; ".join(one.detail for one in told or findings[:1]))


def password(ctx: Context) -> Finding:
    """The first user, as the sign-in page does it."""
    params = ctx.params
    if not (params["user_email"] and params["user_password"]):
        return Finding(SKIPPED, "no user_email and user_password given")
    record: dict[str, Any] = {"step": "providers", "kind": None, "status": None, "error": ""}
    ctx.evidence["sign_in"] = record
    try:
        return _with_password(ctx, record)
    except http_client.Unreachable as error:
        record.update(seen(error))
        return Finding(FAILED, f"{record['step']}: {error}")


def _with_password(ctx: Context, record: dict[str, Any]) -> Finding:
    visit = Visit(ctx, record)
    providers = visit.providers()
    if isinstance(providers, dict) and "credentials" not in providers:
        record["step"] = None
        return Finding(
            SKIPPED, f"sign-in with a password is switched off; offered: {', '.join(providers) or 'nothing'}"
        )
    token = visit.token()
    if not token:
        return Finding(FAILED, f"no CSRF token: {record['status']}")
    form = {
        "csrfToken": token,
        "email": ctx.params["user_email"],
        "password": ctx.params["user_password"],
        "json": "true",
        "callbackUrl": ctx.public_url,
    }
    answer = visit.ask("credentials", "/api/auth/callback/credentials", form)
    record["error"] = error_of(answer)
    if answer.status != 200 or record["error"]:
        return Finding(FAILED, f"{ctx.params['user_email']} was refused: {record['error'] or answer.status}")
    session = visit.ask("session", "/api/auth/session").json()
    record.update(session_facts(session, ctx.params["project_id"]))
    ctx.evidence["write_mode"] = _write_mode(session)
    if record["email"] != ctx.params["user_email"].lower():
        return Finding(FAILED, "signed in, but the session holds no user: are cookies and NEXTAUTH_URL right?")
    if not record["role"]:
        holder = (
            f"an organization with project {ctx.params['project_id']}"
            if ctx.params["project_id"]
            else "any organization"
        )
        return Finding(FAILED, f"signed in, but is no member of {holder}")
    if record["role"] != "OWNER":
        return Finding(FAILED, f"signed in, but as {record['role']} of the organization, not as OWNER")
    record["step"] = None
    return Finding(OK, f"{record['email']} is OWNER of {record['organization']}")


def session_facts(session: Any, project: str | None) -> dict[str, str]:
    """E-mail, and role and name of the organization that holds ``project`` (of the first one without a project)."""
    user = session.get("user") if isinstance(session, dict) else None
    if not isinstance(user, dict):
        return {"email": "", "role": "", "organization": ""}
    for organization in user.get("organizations") or []:
        projects = [row.get("id") for row in organization.get("projects") or []]
        if not project or project in projects:
            role, name = organization.get("role"), organization.get("name")
            return {"email": str(user.get("email", "")), "role": str(role or ""), "organization": str(name or "")}
    return {"email": str(user.get("email", "")), "role": "", "organization": ""}


def _write_mode(session: Any) -> str:
    environment = session.get("environment") if isinstance(session, dict) else None
    return str(environment.get("v4WriteMode", "")) if isinstance(environment, dict) else ""
