# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sign-in through a provider, proved as far as it goes without a user.

Web builds the request, so web itself has read the provider's configuration, with its own name resolution and authorities.
The provider's answer to that request tells whether it knows client and callback; a code that nobody was given tells
whether it knows the secret: it refuses either the code or the client.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import (
    FAILED,
    OK,
    SKIPPED,
    WARNING,
    Context,
    Finding,
    seen,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.nextauth import Visit, destination, error_of

DISCOVERY = "/.well-known/openid-configuration"
# What the answer to an authorization request, or to a code, can be.
ACCEPTED, REFUSED, SENT_BACK, UNCLEAR = "accepted", "refused", "sent_back", "unclear"
# What an error page says in plain words; of others the title.
_TOLD = re.compile(r"(Invalid parameter: \w+|Client not found|redirect_uri_mismatch|AADSTS\d+)")
_TITLE = re.compile(r"<title>\s*([^<]{1,80}?)\s*<")


class Answer(NamedTuple):
    """One of the four, and the provider's own words."""

    verdict: str
    said: str


def provider(ctx: Context) -> Finding:
    wanted = ctx.params["sso"]
    if not wanted:
        return Finding(SKIPPED, "no provider given")
    record: dict[str, Any] = {**wanted, "step": "providers", "kind": None, "status": None}
    ctx.evidence["sso"] = record
    try:
        address, problem = _request_of_web(ctx, record)
    except http_client.Unreachable as error:
        record.update(seen(error))
        return Finding(FAILED, f"{record['step']}: {error}")
    if problem:
        return Finding(FAILED, problem)
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    record.update(step=None, client=query.get("client_id", ""), callback=query.get("redirect_uri", ""))
    return judge(record, *_at_provider(ctx, record, address))


def _request_of_web(ctx: Context, record: dict[str, Any]) -> tuple[str, str]:
    """Where web sends somebody who wants to sign in, or why it does not."""
    name, visit = record["provider"], Visit(ctx, record)
    offered = visit.providers()
    if not isinstance(offered, dict):
        return "", f"/api/auth/providers answered {record['status']}"
    record["offered"] = list(offered)
    if name not in offered:
        return "", f"web does not offer {name}, but {', '.join(offered) or 'nothing'}"
    form = {"csrfToken": visit.token(), "callbackUrl": ctx.public_url, "json": "true"}
    answer = visit.ask("signin", f"/api/auth/signin/{name}", form)
    record["error"] = error_of(answer)
    address = destination(answer)
    if record["error"] or "client_id=" not in address:
        reason = record["error"] or f"status {answer.status}"
        return "", f"web cannot send anybody to {name}: {reason}"
    return address, ""


def _at_provider(ctx: Context, record: dict[str, Any], address: str) -> tuple[Answer, Answer]:
    """The provider's answers to web's request and to the client's secret, looked at from here."""
    request = secret = Answer(UNCLEAR, "")
    try:
        page = _ask(ctx, "GET", address, {"Accept": "text/html"})
        request = to_request(page.status, page.headers.get("location", ""), page.text(20000), record["callback"])
    except http_client.Unreachable as error:
        record["unreachable"] = seen(error)
    try:
        configuration = _ask(ctx, "GET", record["issuer"] + DISCOVERY).json() if record["issuer"] else None
        if isinstance(configuration, dict) and "issuer" in configuration:
            record["issuer_found"] = str(configuration["issuer"])
            secret = _try_secret(ctx, record, configuration)
    except http_client.Unreachable as error:
        record["unreachable"] = seen(error)
    record.update(request=request._asdict(), secret=secret._asdict())
    return request, secret


def _try_secret(ctx: Context, record: Mapping[str, Any], configuration: Mapping[str, Any]) -> Answer:
    """Offer a code that cannot be right. The client is looked at first, so only a right secret gets to the code."""
    value, endpoint = ctx.params["sso_client_secret"], configuration.get("token_endpoint")
    if not value or not endpoint:
        return Answer(UNCLEAR, "")
    form = {
        "grant_type": "authorization_code",
        "code": secrets.token_hex(16),
        "redirect_uri": record["callback"],
        "code_verifier": secrets.token_hex(32),
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    methods = configuration.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    if "client_secret_basic" in methods:
        headers["Authorization"] = http_client.basic(quote_plus(record["client"]), quote_plus(value))
    else:
        form.update(client_id=record["client"], client_secret=value)
    answer = _ask(ctx, "POST", str(endpoint), headers, urlencode(form).encode())
    return to_secret(answer.json())


def _ask(
    ctx: Context, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> http_client.Response:
    parts = urlsplit(url)
    with contextlib.closing(ctx.client(f"{parts.scheme}://{parts.netloc}")) as client:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return client.request(method, path, body, headers, ctx.patience)


def to_request(status: int, location: str, page: str, callback: str) -> Answer:
    """What the answer to an authorization request says. An unknown client or callback gives an error page, never a redirect."""
    query = parse_qs(urlsplit(location).query)
    error = (query.get("error") or query.get("authError") or [""])[0]
    if location and error:
        more = (query.get("error_description") or [""])[0]
        told = f"{error} ({more})" if more else error
        return Answer(SENT_BACK if location.startswith(callback) else REFUSED, told[:200])
    if 400 <= status < 500:
        found = _TOLD.search(page) or _TITLE.search(page)
        return Answer(REFUSED, f"{status} {found[1]}" if found else f"{status}")
    return Answer(ACCEPTED if status < 400 else UNCLEAR, f"{status}")


def to_secret(body: Any) -> Answer:
    """What the answer to a code that nobody was given says about the client's secret (RFC 6749, section 5.2)."""
    error = str(body.get("error", "")) if isinstance(body, dict) else ""
    if error in ("invalid_client", "unauthorized_client"):
        return Answer(REFUSED, error)
    return Answer(ACCEPTED if error == "invalid_grant" else UNCLEAR, error)


def same_issuer(one: str, other: str) -> bool:
    """Some providers write a slash behind their issuer; discovery works with and without."""
    return one.rstrip("/") == other.rstrip("/")


def judge(record: Mapping[str, Any], request: Answer, secret: Answer) -> Finding:
    """The finding of the answers; what people meet first comes first."""
    name, client = record["provider"], record["client"]
    if request.verdict == REFUSED:
        return Finding(FAILED, f"{name} refuses client {client} or its callback {record['callback']}: {request.said}")
    if request.verdict == SENT_BACK:
        return Finding(FAILED, f"{name} sends people back: {request.said}")
    if secret.verdict == REFUSED:
        return Finding(FAILED, f"{name} refuses the secret of client {client}: {secret.said}")
    found = record.get("issuer_found", "")
    if found and not same_issuer(found, record["issuer"]):
        return Finding(WARNING, f"{name} calls itself {found}, not {record['issuer']}")
    if request.verdict == UNCLEAR:
        away = record.get("unreachable") or {}
        return Finding(OK, f"web sends people to {name}; unseen from here: {away.get('text') or request.said}")
    known = "client, callback and secret" if secret.verdict == ACCEPTED else "client and callback"
    return Finding(OK, f"{name} knows {known}")
