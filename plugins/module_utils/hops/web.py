# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to Langfuse web: its name, its port, its health, the project's key, and what it must refuse."""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
from urllib.parse import urlsplit

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import runtime
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import (
    FAILED,
    OK,
    SKIPPED,
    WARNING,
    Context,
    Finding,
    seen,
)

HEALTH = "/api/public/health"
PROJECTS = "/api/public/projects"


def name(ctx: Context) -> Finding:
    """The address resolves here; that the public name resolves too is worth a warning only."""
    parts, public = urlsplit(ctx.params["url"]), urlsplit(ctx.public_url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = ctx.address(host, port)
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        ctx.evidence["name"] = {"host": host, "error": str(error)}
        return Finding(FAILED, f"{host} does not resolve: {error}")
    ctx.evidence["name"] = {"host": host, "address": found}
    if public.hostname and public.hostname != host and not ctx.resolve:
        try:
            socket.getaddrinfo(public.hostname, None, type=socket.SOCK_STREAM)
        except OSError:
            ctx.evidence["name"]["public_unknown"] = public.hostname
            return Finding(WARNING, f"{host} is {found}; the public name {public.hostname} does not resolve here")
    return Finding(OK, f"{host} is {found}")


def port(ctx: Context) -> Finding:
    """The address accepts connections. Where web may still be starting, this is the hop that waits for it."""
    client = ctx.web()
    ctx.wait(lambda: _healthy(ctx), lambda: runtime.hopeless(ctx.states(), "web"))
    target = urlsplit(ctx.params["url"])
    address = ctx.address(client.host, client.port)
    try:
        socket.create_connection((address, client.port), ctx.patience).close()
    except OSError as error:
        kind = http_client.kind_of(error)
        ctx.evidence["port"] = {"kind": kind, "where": client.where, "text": str(error)}
        return Finding(FAILED, f"{client.where} does not accept connections: {error}")
    ctx.evidence["port"] = {"kind": None, "where": client.where}
    return Finding(OK, f"{target.netloc} accepts connections")


def _healthy(ctx: Context) -> bool:
    try:
        return ctx.web().request("GET", HEALTH, timeout=ctx.patience).status == 200
    except http_client.Unreachable:
        return False


def web(ctx: Context) -> Finding:
    try:
        answer = ctx.web().request("GET", HEALTH, timeout=ctx.patience)
    except http_client.Unreachable as error:
        ctx.evidence["web"] = seen(error)
        return Finding(FAILED, f"{HEALTH} gives no answer: {error.detail}")
    body = answer.json()
    version = str(body.get("version", "")) if isinstance(body, dict) else ""
    ctx.evidence["web"] = {
        "kind": None,
        "status": answer.status,
        "json": isinstance(body, dict),
        "text": answer.text(200),
        "version": version,
    }
    if answer.status != 200:
        return Finding(FAILED, f"{HEALTH} answered {answer.status}: {answer.text(120)}")
    if not version:
        return Finding(FAILED, f"{HEALTH} answered 200, but not as Langfuse does: {answer.text(80)}")
    return Finding(OK, f"Langfuse {version}")


def key(ctx: Context) -> Finding:
    """The pair works, belongs to the project, and the public key is right too.

    Langfuse identifies the caller by the secret key alone: a wrong public key with a right secret is accepted.
    A public key as bearer is looked up by itself: 403 for a known one (wrong scope), 401 for an unknown one.
    """
    params = ctx.params
    if not (params["public_key"] and params["secret_key"]):
        return Finding(SKIPPED, "no public_key and secret_key given")
    record = ctx.evidence["key"] = {"status": None, "projects": [], "public_status": None}
    try:
        with contextlib.closing(ctx.new_web()) as client:
            answer = client.request("GET", PROJECTS, headers=ctx.authorization, timeout=ctx.patience)
            record.update(status=answer.status, text=answer.text(200))
            if answer.status != 200:
                return Finding(FAILED, f"{PROJECTS} answered {answer.status}: {answer.text(120)}")
            bearer = {"Authorization": f"Bearer {params['public_key']}"}
            record["public_status"] = client.request("GET", PROJECTS, headers=bearer, timeout=ctx.patience).status
    except http_client.Unreachable as error:
        record.update(seen(error))
        return Finding(FAILED, f"{PROJECTS} gives no answer: {error.detail}")
    body = answer.json()
    data = body.get("data") if isinstance(body, dict) else None
    record["projects"] = [str(row.get("id")) for row in data or [] if isinstance(row, dict)]
    expected = params["project_id"]
    if expected and expected not in record["projects"]:
        record["wrong_project"] = True
        return Finding(FAILED, f"the key belongs to {', '.join(record['projects']) or 'no project'}, not to {expected}")
    if record["public_status"] == 401:
        return Finding(FAILED, "the secret key is right, but Langfuse does not know this public key")
    return Finding(OK, f"project {', '.join(record['projects'])}")


def refusals(ctx: Context) -> Finding:
    """Without a key and with a wrong secret nothing may be read. The wrong secret is random, so it poisons no cache."""
    if ctx.evidence.get("key", {}).get("kind") == http_client.TIMEOUT:
        return Finding(SKIPPED, "authenticated requests hang")
    wrong = http_client.basic(ctx.params["public_key"] or "pk-lf-none", f"sk-lf-{secrets.token_hex(16)}")
    tries: list[tuple[str, dict[str, str]]] = [
        ("without a header", {}),
        ("with a wrong secret", {"Authorization": wrong}),
    ]
    record = ctx.evidence["refusals"] = []
    for what, headers in tries:
        try:
            status = ctx.web().request("GET", PROJECTS, headers=headers, timeout=ctx.patience).status
        except http_client.Unreachable as error:
            record.append({"request": what, "status": None, "text": error.detail})
            return Finding(FAILED, f"a request {what} got no answer: {error.detail}")
        record.append({"request": what, "status": status})
    wrong_answers = [f"{row['request']} with {row['status']}" for row in record if row["status"] != 401]
    if wrong_answers:
        return Finding(FAILED, f"instead of 401, answered a request {' and one '.join(wrong_answers)}")
    return Finding(OK, "401 without a header and with a wrong secret")


def ports(ctx: Context) -> Finding:
    """Stores must not be reachable from outside: nothing may listen at the addresses given."""
    wanted = ctx.params["closed_ports"]
    if not wanted:
        return Finding(SKIPPED, "no closed_ports given")
    record = ctx.evidence["ports"] = []
    own = own_addresses()
    tries = [(host, entry) for entry in wanted for host in ([entry["host"]] if entry["host"] else own)]
    for host, entry in tries:
        where = f"{host}:{entry['port']}"
        try:
            socket.create_connection((host, entry["port"]), min(1.0, ctx.patience)).close()
        except OSError:
            continue
        record.append({"where": where, "service": entry["service"]})
    if record:
        return Finding(FAILED, "open: " + ", ".join(f"{row['service']} at {row['where']}" for row in record))
    return Finding(OK, f"{len(wanted)} closed to others, as they should be")


def own_addresses(table: str = "/proc/net/fib_trie") -> list[str]:
    """IPv4 addresses of this host that are not loopback, as its kernel lists them."""
    try:
        with open(table, encoding="ascii") as stream:
            text = stream.read()
    except OSError:
        return []
    found = re.findall(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL", text)
    return sorted({address for address in found if not address.startswith("127.")})
