# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Keycloak client as it is wanted, as the server tells it, and what lies between. Pure.

The server adds fields, keeps no order in sets, turns attributes into strings, joins post-logout addresses by ``##``, merges
attributes and ignores scopes of an update. So only what is wanted is compared, in a form that both sides can be brought to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PKCE = "pkce.code.challenge.method"
POST_LOGOUT = "post.logout.redirect.uris"
# Flows that live in attributes: off unless asked for, and off is the same as not there.
OTHER_FLOWS = ("oauth2.device.authorization.grant.enabled", "oidc.ciba.grant.enabled")
# Given by the server to every client with a service account.
SERVICE_SCOPE = "service_account"
NEEDED_CLAIMS = ("email",)
BUILT_IN = ("account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console")
MASK = "**********"

# option -> field of the representation
SCALARS = {
    "name": "name",
    "description": "description",
    "enabled": "enabled",
    "root_url": "rootUrl",
    "base_url": "baseUrl",
    "standard_flow": "standardFlowEnabled",
    "direct_access_grants": "directAccessGrantsEnabled",
    "implicit_flow": "implicitFlowEnabled",
}
SETS = {"redirect_uris": "redirectUris", "web_origins": "webOrigins"}
# What makes a client one of ours: confidential, with a secret.
KIND = {
    "protocol": "openid-connect",
    "publicClient": False,
    "bearerOnly": False,
    "clientAuthenticatorType": "client-secret",
}


class Wanted(NamedTuple):
    """Options in the server's terms. None means: as it is."""

    client_id: str
    fields: dict[str, Any]
    sets: dict[str, list[str]]
    attributes: dict[str, str]
    default_scopes: list[str] | None
    optional_scopes: list[str] | None
    roles: list[str] | None
    secret: str | None
    login: bool
    requested: list[str]


Moves = tuple[list[str], list[str]]


class Change(NamedTuple):
    """One option that differs, as a person may see it."""

    option: str
    before: Any
    after: Any


class Plan(NamedTuple):
    """``body`` is what a POST or PUT carries; of scopes and roles, the names to be taken away and to be given."""

    create: bool
    body: dict[str, Any]
    changes: list[Change]
    default_scopes: Moves
    optional_scopes: Moves
    roles: Moves

    @property
    def changed(self) -> bool:
        return bool(self.create or self.changes)


def addresses(public_url: str) -> dict[str, list[str]]:
    """What a client of a Langfuse at ``public_url`` needs. next-auth adds ``/api/auth`` only to an address without a path."""
    parts = urlsplit(public_url)
    origin = f"{parts.scheme}://{parts.netloc}"
    base = parts.path.rstrip("/") or "/api/auth"
    return {
        "redirect_uris": [f"{origin}{base}/callback/keycloak"],
        "web_origins": [origin],
        "post_logout_redirect_uris": [f"{origin}/*"],
    }


def settle(params: Mapping[str, Any]) -> dict[str, Any]:
    """The options with those that ``public_url`` gives filled in."""
    options = dict(params)
    if options["public_url"] and not url_problem(options["public_url"]):
        for name, value in addresses(options["public_url"]).items():
            if options[name] is None:
                options[name] = value
    return options


def url_problem(url: str) -> str:
    """What is wrong with an absolute address, "" when nothing is."""
    if url != url.strip() or any(char.isspace() for char in url):
        return "holds white space"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return "is not an address with http:// or https:// and a host"
    if "#" in url:
        return "holds a fragment (#), which Keycloak refuses"
    return ""


def problems(options: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with the options themselves, as sentences without a full stop."""
    client_id, secret = options["client_id"], options["secret"]
    found = []
    if client_id in BUILT_IN or (options["realm"] == "master" and client_id.endswith("-realm")):
        found.append(f"client_id {client_id} is one of Keycloak's own clients")
    elif client_id == options["auth_client_id"] and options["realm"] == options["auth_realm"]:
        found.append(f"client_id {client_id} is the client that logs in here (auth_client_id)")
    if options["state"] == "absent":
        return found
    if secret is not None and (not secret or secret == MASK or secret != secret.strip()):
        found.append(
            "secret is empty, masked, or has white space at its ends (a file read without its newline taken off?)"
        )
    elif secret is not None and not (secret.isascii() and secret.isprintable()):
        found.append("secret holds characters outside printable ASCII")
    if secret is not None and options["return_secret"]:
        found.append("return_secret is for a secret of the server's, and secret is given")
    return found + _address_problems(options) + _attribute_problems(options["attributes"]) + _scope_problems(options)


def _address_problems(options: Mapping[str, Any]) -> list[str]:
    found = []
    for name in ("public_url", "root_url"):
        if options[name] and (problem := url_problem(options[name])):
            found.append(f"{name} {options[name]!r} {problem}")
    root = options["root_url"] or ""
    for uri in options["redirect_uris"] or []:
        problem = "lets every address in" if uri == "*" else url_problem(root + uri if uri.startswith("/") else uri)
        if problem:
            found.append(f"redirect_uris: {uri!r} {problem}")
    for origin in options["web_origins"] or []:
        if origin == "+":
            continue
        problem = "lets every origin in" if origin == "*" else url_problem(origin)
        if not problem and origin != "{0.scheme}://{0.netloc}".format(urlsplit(origin)):
            problem = "is more than scheme, host and port, so it would never match"
        if problem:
            found.append(f"web_origins: {origin!r} {problem}")
    for uri in options["post_logout_redirect_uris"] or []:
        problem = "" if uri in ("+", "-") else url_problem(root + uri if uri.startswith("/") else uri)
        if problem:
            found.append(f"post_logout_redirect_uris: {uri!r} {problem}")
    if options["standard_flow"] and not options["redirect_uris"]:
        found.append("neither public_url nor redirect_uris is given, and a client for logins (standard_flow) needs one")
    return found


def _attribute_problems(attributes: Mapping[str, Any]) -> list[str]:
    found = []
    for name, option in ((PKCE, "pkce"), (POST_LOGOUT, "post_logout_redirect_uris")):
        if name in attributes:
            found.append(f"attributes: {name} is set by {option}")
    for name, value in attributes.items():
        if isinstance(value, (dict, list)):
            found.append(f"attributes: {name} is not one value")
    return found


def _scope_problems(options: Mapping[str, Any]) -> list[str]:
    both = set(options["default_scopes"] or []) & set(options["optional_scopes"] or [])
    return [f"scope {name} is in default_scopes and in optional_scopes" for name in sorted(both)]


def text_of(value: Any) -> str:
    """An attribute as the server keeps it. None takes it away."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def wanted(options: Mapping[str, Any]) -> Wanted:
    """Settled and valid options in the server's terms."""
    fields = {field: options[option] for option, field in SCALARS.items() if options[option] is not None}
    fields["serviceAccountsEnabled"] = options["service_account_roles"] is not None
    attributes = dict.fromkeys(OTHER_FLOWS, "false")
    attributes.update({name: text_of(value) for name, value in options["attributes"].items()})
    attributes[PKCE] = "" if options["pkce"] == "none" else options["pkce"]
    if options["post_logout_redirect_uris"] is not None:
        attributes[POST_LOGOUT] = "##".join(_unique(options["post_logout_redirect_uris"]))
    return Wanted(
        client_id=options["client_id"],
        fields=fields,
        sets={field: _unique(options[option]) for option, field in SETS.items() if options[option] is not None},
        attributes=attributes,
        default_scopes=_unique(options["default_scopes"]) if options["default_scopes"] is not None else None,
        optional_scopes=_unique(options["optional_scopes"]) if options["optional_scopes"] is not None else None,
        roles=_unique(options["service_account_roles"]) if options["service_account_roles"] is not None else None,
        secret=options["secret"],
        login=options["standard_flow"],
        requested=[name for name in _unique(options["requested_scopes"]) if name != "openid"],
    )


def foreign(client: Mapping[str, Any]) -> list[str]:
    """What makes an existing client another kind than ours. Turning it would break whoever uses it."""
    found = []
    protocol = client.get("protocol") or KIND["protocol"]
    if protocol != KIND["protocol"]:
        found.append(f"its protocol is {protocol}")
    if client.get("publicClient"):
        found.append("it is public")
    if client.get("bearerOnly"):
        found.append("it is bearer-only")
    authenticator = client.get("clientAuthenticatorType") or KIND["clientAuthenticatorType"]
    if authenticator != KIND["clientAuthenticatorType"]:
        found.append(f"it proves itself by {authenticator}")
    return found


def login_gaps(
    want: Wanted, client: Mapping[str, Any], scopes: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str], list[str]]:
    """Scopes that Langfuse asks for and the client would not have, and claims that no mapper would put into the ID token.

    Keycloak answers a login that asks for a scope the client has neither as default nor as optional with invalid_scope;
    Langfuse refuses a token without ``email``. ``scopes`` are the realm's by name.
    """
    if not want.login:
        return [], []
    default, optional = final_scopes(want, client)
    refused = [name for name in want.requested if name not in default and name not in optional]
    mappers = list(client.get("protocolMappers") or [])
    for name in {*default, *want.requested}:
        mappers += scopes.get(name, {}).get("protocolMappers") or []
    claims = [claim for claim in NEEDED_CLAIMS if not any(_gives(mapper, claim) for mapper in mappers)]
    return refused, claims


def _gives(mapper: Mapping[str, Any], claim: str) -> bool:
    config = mapper.get("config") or {}
    return config.get("claim.name") == claim and config.get("id.token.claim") == "true"


def final_scopes(want: Wanted, client: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Default and optional scopes as they will be. A scope that is asked for as one leaves the other."""
    default = sorted(client.get("defaultClientScopes") or [])
    optional = sorted(client.get("optionalClientScopes") or [])
    if want.default_scopes is not None:
        kept = [SERVICE_SCOPE] if SERVICE_SCOPE in default and want.roles is not None else []
        default = sorted({*want.default_scopes, *kept})
        optional = [name for name in optional if name not in default]
    if want.optional_scopes is not None:
        optional = sorted(want.optional_scopes)
        default = [name for name in default if name not in optional]
    return default, optional


def plan(want: Wanted, client: Mapping[str, Any] | None, roles: Iterable[str] = ()) -> Plan:
    """What has to be sent so that ``client`` (None: there is none), with ``roles`` given to its service account, becomes ``want``."""
    now: Mapping[str, Any] = client or {}
    body: dict[str, Any] = {}
    changes: list[Change] = []
    _plan_fields(want, now, body, changes)
    _plan_attributes(want, now, body, changes)
    if want.secret is not None and want.secret != now.get("secret"):
        body["secret"] = want.secret
        changes.append(Change("secret", "set" if now.get("secret") else "none", "another one" if now else "given"))
    default, optional = _plan_scopes(want, client, body, changes)
    moved = _moves(sorted(roles), want.roles) if want.roles is not None else ([], [])
    if moved != ([], []):
        changes.append(Change("service_account_roles", sorted(roles), sorted(want.roles or [])))
    if client is None:
        body = {"clientId": want.client_id, **KIND, **body}
        if want.secret is None:
            changes.append(Change("secret", "none", "made by the server"))
    elif body:
        body = {"clientId": want.client_id, **body}
    return Plan(client is None, body, changes, default, optional, moved)


def _plan_fields(want: Wanted, now: Mapping[str, Any], body: dict[str, Any], changes: list[Change]) -> None:
    names = {field: option for option, field in {**SCALARS, **SETS}.items()}
    for field, value in want.fields.items():
        if now.get(field) != value:
            body[field] = value
            changes.append(Change(names.get(field, "service_account"), now.get(field), value))
    for field, values in want.sets.items():
        before = sorted(now.get(field) or [])
        if before != sorted(values) or not now:
            body[field] = values
            changes.append(Change(names[field], before, sorted(values)))
    if now:
        for field, value in KIND.items():
            found = now.get(field) or (False if value is False else value)
            if found != value:
                body[field] = value
                changes.append(Change(field, found, value))


def _plan_attributes(want: Wanted, now: Mapping[str, Any], body: dict[str, Any], changes: list[Change]) -> None:
    known = now.get("attributes") or {}
    sent = {}
    for name, value in want.attributes.items():
        before = known.get(name) or ""
        if name == POST_LOGOUT:
            same = sorted(filter(None, before.split("##"))) == sorted(filter(None, value.split("##")))
        else:
            same = before == value or (name in OTHER_FLOWS and not before and value == "false")
        if same:
            continue
        sent[name] = value
        option = {PKCE: "pkce", POST_LOGOUT: "post_logout_redirect_uris"}.get(name, f"attributes.{name}")
        changes.append(Change(option, *_shown(name, before, value)))
    if sent:
        # The server merges: attributes that are not sent stay, and "" takes one away.
        body["attributes"] = sent


def _plan_scopes(
    want: Wanted, client: Mapping[str, Any] | None, body: dict[str, Any], changes: list[Change]
) -> tuple[Moves, Moves]:
    """Only a creation takes scopes with the client; without any it gives the realm's own. Afterwards each is moved by itself."""
    if client is None:
        asked = {"defaultClientScopes": want.default_scopes, "optionalClientScopes": want.optional_scopes}
        body.update({field: names for field, names in asked.items() if names is not None})
    now = client or {}
    moves = []
    options = ("default_scopes", "defaultClientScopes"), ("optional_scopes", "optionalClientScopes")
    for (option, field), after in zip(options, final_scopes(want, now)):
        before = sorted(now.get(field) or [])
        moves.append(_moves(before, after) if client is not None else ([], []))
        if before != after:
            changes.append(Change(option, before, after))
    return moves[0], moves[1]


def _shown(name: str, before: str, after: str) -> tuple[Any, Any]:
    if name == POST_LOGOUT:
        return sorted(filter(None, before.split("##"))), sorted(filter(None, after.split("##")))
    if any(word in name.lower() for word in ("secret", "private", "password")):
        return "set" if before else "none", "another one" if after else "none"
    return before or "none", after or "none"


def _moves(before: Sequence[str], after: Sequence[str]) -> Moves:
    """What to take away, and what to give."""
    return [name for name in before if name not in after], [name for name in after if name not in before]


def _unique(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))
