# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first user signs in with e-mail and password, as the sign-in page does it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import (
    FAILED,
    OK,
    SKIPPED,
    Context,
    Finding,
    seen,
)


class Jar:
    """Cookies by name. ``Secure`` is ignored on purpose: web may be reached in the clear behind its own proxy."""

    def __init__(self) -> None:
        self._cookies: dict[str, str] = {}

    def keep(self, answer: http_client.Response) -> None:
        for line in answer.cookies:
            name, value = line.split(";", 1)[0].split("=", 1)
            self._cookies[name.strip()] = value

    def header(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}


def sign_in(ctx: Context) -> Finding:
    params = ctx.params
    if not (params["user_email"] and params["user_password"]):
        return Finding(SKIPPED, "no user_email and user_password given")
    record: dict[str, Any] = {"step": "providers", "kind": None, "status": None, "error": ""}
    ctx.evidence["sign_in"] = record
    try:
        return _sign_in(ctx, record)
    except http_client.Unreachable as error:
        record.update(seen(error))
        return Finding(FAILED, f"{record['step']}: {error}")


def _sign_in(ctx: Context, record: dict[str, Any]) -> Finding:
    jar = Jar()

    def ask(step: str, method: str, path: str, body: bytes | None = None, **headers: str) -> http_client.Response:
        record["step"] = step
        answer = ctx.web().request(method, path, body, {**headers, **jar.header()}, ctx.patience)
        record["status"] = answer.status
        jar.keep(answer)
        return answer

    providers = ask("providers", "GET", "/api/auth/providers").json()
    if isinstance(providers, dict) and "credentials" not in providers:
        record["step"] = None
        return Finding(
            SKIPPED, f"sign-in with a password is switched off; offered: {', '.join(providers) or 'nothing'}"
        )
    token = (ask("csrf", "GET", "/api/auth/csrf").json() or {}).get("csrfToken")
    if not token:
        return Finding(FAILED, f"no CSRF token: {record['status']}")
    form = {
        "csrfToken": token,
        "email": ctx.params["user_email"],
        "password": ctx.params["user_password"],
        "json": "true",
        "callbackUrl": ctx.public_url,
    }
    answer = ask(
        "credentials",
        "POST",
        "/api/auth/callback/credentials",
        urlencode(form, quote_via=quote).encode(),
        **{"Content-Type": "application/x-www-form-urlencoded"},
    )
    record["error"] = error_of(answer)
    if answer.status != 200 or record["error"]:
        return Finding(FAILED, f"{ctx.params['user_email']} was refused: {record['error'] or answer.status}")
    session = ask("session", "GET", "/api/auth/session").json()
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


def error_of(answer: http_client.Response) -> str:
    """next-auth's own word for a refused sign-in: the ``error`` of the URL it wants to send the browser to."""
    body = answer.json()
    url = str(body.get("url", "")) if isinstance(body, dict) else answer.headers.get("location", "")
    return (parse_qs(urlsplit(url).query).get("error") or [""])[0]


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
