# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One client of a Keycloak realm: look, plan, refuse, write, and read back what was written."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.llmops.langfuse.plugins.module_utils import keycloak
from ansible_collections.llmops.langfuse.plugins.module_utils import keycloak_representation as representation
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure, joined

SPEC: dict[str, Any] = {
    **keycloak.AUTH_SPEC,
    "realm": {"type": "str", "required": True},
    "client_id": {"type": "str", "default": "langfuse"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "public_url": {"type": "str"},
    "secret": {"type": "str", "no_log": True},
    "return_secret": {"type": "bool", "default": False, "no_log": False},
    "name": {"type": "str"},
    "description": {"type": "str"},
    "enabled": {"type": "bool", "default": True},
    "root_url": {"type": "str"},
    "base_url": {"type": "str"},
    "redirect_uris": {"type": "list", "elements": "str"},
    "web_origins": {"type": "list", "elements": "str"},
    "post_logout_redirect_uris": {"type": "list", "elements": "str"},
    "pkce": {"type": "str", "choices": ["S256", "none"], "default": "S256"},
    "standard_flow": {"type": "bool", "default": True},
    "direct_access_grants": {"type": "bool", "default": False},
    "implicit_flow": {"type": "bool", "default": False},
    "default_scopes": {"type": "list", "elements": "str", "default": ["basic", "email", "profile"]},
    "optional_scopes": {"type": "list", "elements": "str"},
    "requested_scopes": {"type": "list", "elements": "str", "default": ["openid", "email", "profile"]},
    "service_account_roles": {"type": "list", "elements": "str"},
    "attributes": {"type": "dict", "default": {}},
    "force": {"type": "bool", "default": False},
}


def ensure(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Options as in ``SPEC`` (those with a default may be left out) -> the module's result. Raises Failure."""
    defaults = {name: option.get("default") for name, option in SPEC.items()}
    options = representation.settle({**defaults, **params})
    found = [*keycloak.account_problems(options), *representation.problems(options)]
    if found:
        raise Failure("bad_option", f"Client {options['client_id']}: {'; '.join(found)}.", "Correct these options.")
    with contextlib.closing(keycloak.Session.open(options)) as session:
        realm = _Realm(session, options["realm"])
        try:
            run = _absent if options["state"] == "absent" else _present
            return run(realm, options, check_mode)
        except keycloak.Refused as error:
            raise realm.explain(error) from None


class _Realm:
    """The calls that are needed, below one realm. ``doing`` is the one at hand, for the message when it is refused."""

    def __init__(self, session: keycloak.Session, name: str) -> None:
        self.name = name
        self.doing = ""
        self._session = session
        self._base = f"realms/{quote(name, safe='')}"

    @property
    def url(self) -> str:
        return self._session.url

    @property
    def management(self) -> str:
        """The client whose roles are the rights in this realm."""
        return "master-realm" if self.name == "master" else "realm-management"

    def explain(self, error: keycloak.Refused) -> Failure:
        if error.status == 404 and "realm" in error.said.lower():
            return Failure(
                "keycloak_realm_missing",
                f"{self.url} has no realm {self.name}.",
                "Create the realm, or correct realm (its name, not its display name).",
            )
        who = self._session.account.label
        failure = keycloak.explain(error, self.url, f"{self.doing} in realm {self.name} to {who}")
        if failure.code == "keycloak_denied" and "service account" in self.doing:
            failure.cure = (
                "Give the account manage-users too, and itself the roles that it is to give (realm-management)."
            )
        return failure

    def get(self, doing: str, path: str, **query: str) -> Any:
        self.doing = doing
        return self._session.get(f"{self._base}/{path}", **query)

    def send(self, doing: str, method: str, path: str, body: Any = None) -> None:
        self.doing = doing
        self._session.call(method, f"{self._base}/{path}", body)

    def find(self, client_id: str) -> dict[str, Any] | None:
        found: list[dict[str, Any]] = self.get("the list of clients", "clients", clientId=client_id)
        return next((client for client in found if client.get("clientId") == client_id), None)

    def scopes(self) -> dict[str, dict[str, Any]]:
        return {scope["name"]: scope for scope in self.get("the list of client scopes", "client-scopes")}

    def issuer(self) -> str:
        path = f"/realms/{quote(self.name, safe='')}/.well-known/openid-configuration"
        said = self._session.public(path)
        return str(said.get("issuer") or "") if isinstance(said, dict) else ""


class _Roles:
    """The management roles of a realm, and those that a client's service account has."""

    def __init__(self, realm: _Realm, client: Mapping[str, Any] | None) -> None:
        self._realm = realm
        management = realm.find(realm.management)
        self._management = management["id"] if management else ""
        rows = realm.get("the roles for a service account", f"clients/{self._management}/roles") if management else []
        self.known: dict[str, dict[str, Any]] = {row["name"]: row for row in rows}
        self.given: list[str] = []
        if client is not None and client.get("serviceAccountsEnabled"):
            self.given = [row["name"] for row in realm.get("the roles of a service account", self._path(client))]

    def _path(self, client: Mapping[str, Any]) -> str:
        user = self._realm.get("the service account", f"clients/{client['id']}/service-account-user")
        return f"users/{user['id']}/role-mappings/clients/{self._management}"

    def move(self, client: Mapping[str, Any], taken: list[str], given: list[str]) -> None:
        if not taken and not given:
            return
        path = self._path(client)
        for method, names in (("DELETE", taken), ("POST", given)):
            if names:
                rows = [{"id": self.known[name]["id"], "name": name} for name in names]
                self._realm.send("roles for a service account", method, path, rows)


def _absent(realm: _Realm, options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    client = realm.find(options["client_id"])
    if client is not None:
        failures = _refusals(realm, options, client, changes=True)
        if failures:
            raise joined(failures)
        if not check_mode:
            realm.send("the deletion of the client", "DELETE", f"clients/{client['id']}")
    told = {"id": client["id"] if client else None, "client_id": options["client_id"], "realm": realm.name}
    diff = {"before": {"exists": client is not None}, "after": {"exists": False}}
    return {"changed": client is not None, "changes": ["delete"] if client else [], "client": told, "diff": diff}


def _present(realm: _Realm, options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    want = representation.wanted(options)
    client = realm.find(want.client_id)
    scopes = realm.scopes()
    roles = _Roles(realm, client) if want.roles is not None else None
    plan = representation.plan(want, client, roles.given if roles else ())
    failures = _refusals(realm, options, client, plan.changed)
    failures += _gaps(realm, want, client, scopes, roles)
    if failures:
        raise joined(failures)
    if plan.changed and not check_mode:
        client = _write(realm, want, plan, client, scopes, roles)
    result = _result(realm, want, plan, client)
    if options["return_secret"] and client is not None:
        result["secret"] = _secret(realm, client)
    return result


def _refusals(
    realm: _Realm, options: Mapping[str, Any], client: Mapping[str, Any] | None, changes: bool
) -> list[Failure]:
    """Why an existing client is not touched."""
    if client is None:
        return []
    found = []
    reasons = representation.foreign(client)
    if reasons and not options["force"]:
        found.append(
            Failure(
                "keycloak_foreign_client",
                f"Realm {realm.name} has a client {client['clientId']} of another kind: {', '.join(reasons)}.",
                "Choose another client_id; or set force: true, which breaks whoever uses it now.",
            )
        )
    if changes and client.get("access", {}).get("manage") is False:
        found.append(
            Failure(
                "keycloak_denied",
                f"{realm.url} lets this account see client {client['clientId']} of realm {realm.name}, not change it.",
                "Give the account the role manage-clients of that realm (realm-management).",
            )
        )
    return found


def _gaps(
    realm: _Realm,
    want: representation.Wanted,
    client: Mapping[str, Any] | None,
    scopes: Mapping[str, Mapping[str, Any]],
    roles: _Roles | None,
) -> list[Failure]:
    """What the realm lacks for the client that is wanted."""
    found = []
    asked = [*(want.default_scopes or []), *(want.optional_scopes or [])]
    known = sorted(name for name, scope in scopes.items() if scope.get("protocol") == representation.KIND["protocol"])
    missing = [name for name in asked if name not in known]
    if missing:
        cure = f"Correct default_scopes and optional_scopes, or create them. There are {', '.join(known)}."
        message = f"Realm {realm.name} has no client scope {', '.join(missing)}."
        found.append(Failure("keycloak_scope_missing", message, cure))
    unknown = [name for name in want.roles or [] if roles is not None and name not in roles.known]
    if unknown:
        cure = f"Correct service_account_roles. There are {', '.join(sorted(roles.known) if roles else [])}."
        message = f"{realm.management} of realm {realm.name} has no role {', '.join(unknown)}."
        found.append(Failure("keycloak_role_missing", message, cure))
    refused, claims = ([], []) if missing else representation.login_gaps(want, client or {}, scopes)
    if refused:
        names = ", ".join(refused)
        message = (
            f"Client {want.client_id} would not have scope {names}, and Keycloak refuses a login that asks for it."
        )
        cure = "Add it to default_scopes or optional_scopes, or take it from AUTH_KEYCLOAK_SCOPE and requested_scopes."
        found.append(Failure("keycloak_scope_missing", message, cure))
    if claims:
        message = f"No scope of client {want.client_id} would put {', '.join(claims)} into the ID token"
        cure = "Add the scope email; if the client has it, mend its mappers in the realm."
        found.append(Failure("keycloak_claim_missing", f"{message}, and Langfuse refuses a login without it.", cure))
    return found


def _write(
    realm: _Realm,
    want: representation.Wanted,
    plan: representation.Plan,
    client: dict[str, Any] | None,
    scopes: Mapping[str, Mapping[str, Any]],
    roles: _Roles | None,
) -> dict[str, Any]:
    """Send the plan, then read back: a policy of the realm may have made something else of it."""
    if client is None:
        realm.send("the creation of the client", "POST", "clients", plan.body)
    elif plan.body:
        realm.send("the change of the client", "PUT", f"clients/{client['id']}", plan.body)
    if client is None or plan.body:
        # A service account or another protocol brings scopes of its own.
        client = _must(realm, want.client_id)
        plan = representation.plan(want, client, roles.given if roles else ())
    kinds = (("default-client-scopes", plan.default_scopes), ("optional-client-scopes", plan.optional_scopes))
    # All are taken away before any is given: a scope cannot be both.
    for method, which in (("DELETE", 0), ("PUT", 1)):
        for kind, moves in kinds:
            for name in moves[which]:
                path = f"clients/{client['id']}/{kind}/{scopes[name]['id']}"
                realm.send(f"scope {name} of the client", method, path)
    if roles is not None:
        roles.move(client, *plan.roles)
    client = _must(realm, want.client_id)
    left = representation.plan(want, client, want.roles or ())
    if left.changed:
        names = ", ".join(change.option for change in left.changes)
        raise Failure(
            "keycloak_not_kept",
            f"Realm {realm.name} took the change of client {want.client_id} and did not keep {names}.",
            "Look at the realm's client policies; they may force or forbid values.",
        )
    return client


def _must(realm: _Realm, client_id: str) -> dict[str, Any]:
    client = realm.find(client_id)
    if client is None:
        message = (
            f"Client {client_id} of realm {realm.name} is gone, or hidden from this account, after it was written."
        )
        raise Failure("keycloak_conflict", message, "Run again; give the account the role view-clients.")
    return client


def _secret(realm: _Realm, client: Mapping[str, Any]) -> str:
    if client.get("secret"):
        return str(client["secret"])
    said = realm.get("the secret of the client", f"clients/{client['id']}/client-secret")
    return str(said.get("value") or "")


def _result(
    realm: _Realm, want: representation.Wanted, plan: representation.Plan, client: Mapping[str, Any] | None
) -> dict[str, Any]:
    default, optional = representation.final_scopes(want, client or {})
    told = {
        "id": client["id"] if client else None,
        "client_id": want.client_id,
        "realm": realm.name,
        "issuer": realm.issuer(),
        "redirect_uris": sorted(want.sets.get("redirectUris", (client or {}).get("redirectUris") or [])),
        "default_scopes": default,
        "optional_scopes": optional,
    }
    before: dict[str, Any] = {"exists": not plan.create}
    after: dict[str, Any] = {"exists": True}
    if not plan.create:
        before.update({change.option: change.before for change in plan.changes})
    after.update({change.option: change.after for change in plan.changes})
    changes = ["create"] if plan.create else [change.option for change in plan.changes]
    return {
        "changed": plan.changed,
        "changes": changes,
        "client": told,
        "diff": {"before": before, "after": after},
    }
