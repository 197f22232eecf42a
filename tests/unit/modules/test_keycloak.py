# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keycloak's answers as causes, and clients compared: recorded representations of 26.7, free to be spoilt."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import http_client, keycloak
from ansible_collections.llmops.langfuse.plugins.module_utils import keycloak_client as subject
from ansible_collections.llmops.langfuse.plugins.module_utils import keycloak_representation as representation
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

HOST = "https://langfuse.example.com"
USER = keycloak.Account("master", "admin-cli", None, "admin", "secret-of-admin")
CLIENT = keycloak.Account("company", "robot", "secret-of-robot")
READ_BACK: dict[str, Any] = {
    "id": "f4511166-6791-4c79-b0e9-5f6f7a8002db",
    "clientId": "langfuse",
    "surrogateAuthRequired": False,
    "enabled": True,
    "alwaysDisplayInConsole": False,
    "clientAuthenticatorType": "client-secret",
    "secret": "made-by-the-server",
    "redirectUris": [f"{HOST}/api/auth/callback/keycloak"],
    "webOrigins": [HOST],
    "notBefore": 0,
    "bearerOnly": False,
    "consentRequired": False,
    "standardFlowEnabled": True,
    "implicitFlowEnabled": False,
    "directAccessGrantsEnabled": False,
    "serviceAccountsEnabled": False,
    "publicClient": False,
    "frontchannelLogout": False,
    "protocol": "openid-connect",
    "attributes": {
        "realm_client": "false",
        "client.secret.creation.time": "1795325221",
        "backchannel.logout.session.required": "true",
        "post.logout.redirect.uris": f"{HOST}/*",
        "pkce.code.challenge.method": "S256",
        "backchannel.logout.revoke.offline.tokens": "false",
    },
    "authenticationFlowBindingOverrides": {},
    "fullScopeAllowed": True,
    "nodeReRegistrationTimeout": -1,
    "defaultClientScopes": ["profile", "basic", "email"],
    "optionalClientScopes": [],
    "access": {"view": True, "configure": True, "manage": True},
}


def mapper(claim: str, in_id_token: str = "true") -> dict[str, Any]:
    return {"config": {"claim.name": claim, "id.token.claim": in_id_token}}


SCOPES: dict[str, dict[str, Any]] = {
    "email": {"protocolMappers": [mapper("email"), mapper("email_verified")]},
    "profile": {"protocolMappers": [mapper("name")]},
    "basic": {},
}


def options(**given: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in subject.SPEC.items()}
    base = {"url": "http://kc:8080", "realm": "company", "public_url": HOST, "auth_username": "a", "auth_password": "b"}
    return representation.settle({**defaults, **base, **given})


def wanted(**given: Any) -> representation.Wanted:
    found = options(**given)
    assert representation.problems(found) == []
    return representation.wanted(found)


@pytest.mark.parametrize(
    ("url", "redirect", "origin"),
    [
        (HOST, f"{HOST}/api/auth/callback/keycloak", HOST),
        (f"{HOST}/", f"{HOST}/api/auth/callback/keycloak", HOST),
        ("http://localhost:3030", "http://localhost:3030/api/auth/callback/keycloak", "http://localhost:3030"),
        (f"{HOST}/base/api/auth", f"{HOST}/base/api/auth/callback/keycloak", HOST),
    ],
)
def test_addresses_of_a_langfuse(url: str, redirect: str, origin: str) -> None:
    assert representation.addresses(url) == {
        "redirect_uris": [redirect],
        "web_origins": [origin],
        "post_logout_redirect_uris": [f"{origin}/*"],
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, []),
        ({"public_url": "langfuse.example.com"}, ["public_url", "redirect_uris is given"]),
        ({"public_url": f"{HOST} "}, ["white space", "redirect_uris is given"]),
        ({"public_url": None}, ["neither public_url nor redirect_uris"]),
        ({"public_url": None, "standard_flow": False}, []),
        ({"public_url": None, "state": "absent"}, []),
        ({"redirect_uris": ["*"]}, ["every address"]),
        ({"redirect_uris": [f"{HOST}/#a"]}, ["fragment"]),
        ({"redirect_uris": [f" {HOST}/a"]}, ["white space"]),
        ({"redirect_uris": ["/a"]}, ["'/a' is not an address"]),
        ({"redirect_uris": ["/a"], "root_url": HOST}, []),
        ({"root_url": "host"}, ["root_url"]),
        ({"web_origins": ["*"]}, ["every origin"]),
        ({"web_origins": ["+"]}, []),
        ({"web_origins": [f"{HOST}/"]}, ["more than scheme"]),
        ({"post_logout_redirect_uris": ["+", "-", f"{HOST}/*"]}, []),
        ({"post_logout_redirect_uris": [f"{HOST}/a##{HOST}/b"]}, ["fragment"]),
        ({"post_logout_redirect_uris": ["/a##/b", "/c"], "root_url": HOST}, ["fragment"]),
        ({"secret": ""}, ["secret is empty"]),
        ({"secret": "**********"}, ["masked"]),
        ({"secret": "abc\n"}, ["newline"]),
        ({"secret": "abc§"}, ["ASCII"]),
        ({"secret": "abc", "return_secret": True}, ["return_secret"]),
        ({"attributes": {"pkce.code.challenge.method": "plain"}}, ["set by pkce"]),
        ({"attributes": {"post.logout.redirect.uris": "x"}}, ["set by post_logout_redirect_uris"]),
        ({"attributes": {"a": ["b"]}}, ["a is not one value"]),
        ({"optional_scopes": ["email", "phone"]}, ["scope email is in"]),
        ({"client_id": "account"}, ["Keycloak's own"]),
        ({"client_id": "x-realm", "realm": "master"}, ["Keycloak's own"]),
        ({"client_id": "x-realm"}, []),
        ({"client_id": "robot", "auth_client_id": "robot", "auth_realm": "company"}, ["logs in here"]),
        ({"client_id": "robot", "auth_client_id": "robot"}, []),
        ({"secret": " ", "redirect_uris": ["*"], "web_origins": ["x"]}, ["secret", "every address", "web_origins"]),
    ],
    ids=str,
)
def test_what_is_wrong_with_options(given: dict[str, Any], words: list[str]) -> None:
    found = representation.problems(options(**given))
    assert len(found) == len(words), found
    for word, problem in zip(words, found, strict=True):
        assert word in problem
    assert given.get("secret") in (None, "", " ") or given["secret"] not in str(found)


def test_all_of_it_is_told_before_anything_is_asked() -> None:
    with pytest.raises(Failure) as failed:
        subject.ensure({**options(secret="", redirect_uris=["*"]), "auth_password": None}, False)
    assert failed.value.code == "bad_option"
    for word in ("auth_username has no", "secret is empty", "every address"):
        assert word in failed.value.message


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"auth_password": None}, "auth_username has no auth_password"),
        ({"auth_username": None}, "auth_password has no auth_username"),
        ({"auth_username": None, "auth_password": None}, "neither"),
        ({"auth_username": None, "auth_password": None, "auth_client_secret": "s"}, None),
        ({"auth_client_secret": "s"}, None),
    ],
)
def test_who_logs_in(given: dict[str, Any], problem: str | None) -> None:
    found = keycloak.account_problems(options(**given))
    assert [text.startswith(str(problem)) for text in found] == ([True] if problem else [])


@pytest.mark.parametrize("account", [USER, CLIENT])
def test_the_form_of_a_login(account: keycloak.Account) -> None:
    grant = "password" if account is USER else "client_credentials"
    assert account.form["grant_type"] == grant
    assert ("password" in account.form, "client_secret" in account.form) == (account is USER, account is CLIENT)
    assert "secret" not in account.label


def test_what_the_server_tells_is_no_change() -> None:
    found = representation.plan(wanted(), READ_BACK)
    assert (found.changed, found.body, found.default_scopes, found.optional_scopes) == (False, {}, ([], []), ([], []))


def test_sets_have_no_order() -> None:
    uris = [f"{HOST}/b", f"{HOST}/a"]
    client = {**READ_BACK, "redirectUris": uris, "webOrigins": uris}
    assert not representation.plan(wanted(redirect_uris=uris[::-1], web_origins=["+"]), client).body.get("redirectUris")
    assert representation.plan(wanted(redirect_uris=uris[:1]), client).body["redirectUris"] == uris[:1]


@pytest.mark.parametrize(
    ("spoilt", "option", "body"),
    [
        ({"redirectUris": ["*"]}, "redirect_uris", {"redirectUris": [f"{HOST}/api/auth/callback/keycloak"]}),
        ({"webOrigins": []}, "web_origins", {"webOrigins": [HOST]}),
        ({"enabled": False}, "enabled", {"enabled": True}),
        ({"implicitFlowEnabled": True}, "implicit_flow", {"implicitFlowEnabled": False}),
        ({"serviceAccountsEnabled": True}, "service_account", {"serviceAccountsEnabled": False}),
        ({"publicClient": True}, "publicClient", {"publicClient": False}),
        ({"protocol": "saml"}, "protocol", {"protocol": "openid-connect"}),
        ({"pkce.code.challenge.method": "s256"}, "pkce", {"attributes": {"pkce.code.challenge.method": "S256"}}),
        (
            {"oauth2.device.authorization.grant.enabled": "true"},
            "attributes.oauth2.device.authorization.grant.enabled",
            {"attributes": {"oauth2.device.authorization.grant.enabled": "false"}},
        ),
    ],
    ids=str,
)
def test_a_difference_is_sent_alone(spoilt: dict[str, Any], option: str, body: dict[str, Any]) -> None:
    client = copy.deepcopy(READ_BACK)
    for key, value in spoilt.items():
        (client["attributes"] if "." in key else client)[key] = value
    found = representation.plan(wanted(), client)
    assert [change.option for change in found.changes] == [option]
    assert found.body == {"clientId": "langfuse", **body}


@pytest.mark.parametrize(
    ("given", "now", "default", "optional"),
    [
        ({}, (["profile", "email", "basic"], ["phone"]), ([], []), ([], [])),
        ({}, (["profile"], ["email"]), ([], ["basic", "email"]), (["email"], [])),
        ({"optional_scopes": []}, (["profile", "email", "basic"], ["phone"]), ([], []), (["phone"], [])),
        (
            {"default_scopes": ["basic"], "optional_scopes": ["email", "profile"]},
            (["profile", "email", "basic"], []),
            (["email", "profile"], []),
            ([], ["email", "profile"]),
        ),
        ({}, (["profile", "email", "basic", "service_account"], []), (["service_account"], []), ([], [])),
        (
            {"service_account_roles": []},
            (["profile", "email", "basic", "service_account"], []),
            ([], []),
            ([], []),
        ),
    ],
)
def test_scopes_are_moved_one_by_one(
    given: dict[str, Any], now: tuple[list[str], list[str]], default: Any, optional: Any
) -> None:
    client = {**READ_BACK, "defaultClientScopes": now[0], "optionalClientScopes": now[1]}
    found = representation.plan(wanted(**given), client)
    assert (found.default_scopes, found.optional_scopes) == (default, optional)
    assert "defaultClientScopes" not in found.body, "the server ignores them there"


def test_a_creation_carries_everything() -> None:
    found = representation.plan(wanted(secret="s3", service_account_roles=["view-users"]), None)
    assert found.create
    assert found.body["defaultClientScopes"] == ["basic", "email", "profile"]
    assert found.body["secret"] == "s3"
    assert (found.body["publicClient"], found.body["protocol"]) == (False, "openid-connect")
    assert found.roles == ([], ["view-users"])
    assert "s3" not in str(found.changes)


@pytest.mark.parametrize(
    ("now", "given", "before", "after"),
    [
        ("old-one", "new-one", "set", "another one"),
        ("", "new-one", "none", "another one"),
        ("old-one", "old-one", None, None),
        ("old-one", None, None, None),
    ],
)
def test_secrets_are_compared_and_not_shown(now: str, given: str | None, before: Any, after: Any) -> None:
    found = representation.plan(wanted(secret=given), {**READ_BACK, "secret": now})
    assert [(change.before, change.after) for change in found.changes] == ([(before, after)] if before else [])
    assert found.body.get("secret") == (given if before else None)


@pytest.mark.parametrize(
    ("value", "now", "sent"),
    [
        (300, "300", None),
        (300, "60", "300"),
        (True, "true", None),
        ("", "x", ""),
        (None, "x", ""),
        (None, None, None),
    ],
)
def test_attributes_are_text_for_the_server(value: Any, now: str | None, sent: str | None) -> None:
    client = copy.deepcopy(READ_BACK)
    if now is not None:
        client["attributes"]["a.secret"] = now
    found = representation.plan(wanted(attributes={"a.secret": value}), client)
    assert found.body.get("attributes", {}).get("a.secret") == sent
    assert all(change.before in ("set", "none") for change in found.changes), "an attribute named so is not shown"


def test_post_logout_addresses_have_no_order() -> None:
    client = copy.deepcopy(READ_BACK)
    client["attributes"]["post.logout.redirect.uris"] = f"{HOST}/b##{HOST}/a"
    assert not representation.plan(wanted(post_logout_redirect_uris=[f"{HOST}/a", f"{HOST}/b"]), client).changed
    assert representation.plan(wanted(post_logout_redirect_uris=[f"{HOST}/a"]), client).changed


@pytest.mark.parametrize(
    ("given", "scopes", "gaps"),
    [
        ({}, SCOPES, ([], [])),
        ({"default_scopes": ["basic", "email"]}, SCOPES, (["profile"], [])),
        ({"default_scopes": [], "optional_scopes": ["email", "profile"]}, SCOPES, ([], [])),
        ({"default_scopes": ["basic"], "requested_scopes": ["openid"]}, SCOPES, ([], ["email"])),
        ({}, {**SCOPES, "email": {"protocolMappers": [mapper("email", "false")]}}, ([], ["email"])),
        ({"default_scopes": [], "standard_flow": False}, SCOPES, ([], [])),
    ],
)
def test_what_a_login_would_lack(given: dict[str, Any], scopes: dict[str, Any], gaps: Any) -> None:
    assert representation.login_gaps(wanted(**given), {}, scopes) == gaps


def test_a_mapper_of_the_clients_own_gives_a_claim() -> None:
    want = wanted(default_scopes=["basic"], requested_scopes=["openid"])
    assert representation.login_gaps(want, {"protocolMappers": [mapper("email")]}, SCOPES) == ([], [])


@pytest.mark.parametrize(
    ("status", "body", "account", "code", "word"),
    [
        (400, {"error": "invalid_grant", "error_description": "Invalid user credentials"}, USER, "wrong_password", "admin"),
        (401, {"error": "invalid_grant", "error_description": "Invalid user credentials"}, USER, "wrong_password", "admin"),
        (400, {"error": "invalid_grant", "error_description": "Account is not fully set up"}, USER, "login_refused", "set up"),
        (401, {"error": "invalid_client", "error_description": "Invalid client"}, CLIENT, "wrong_client", "robot"),
        (401, {"error": "unauthorized_client", "error_description": "x"}, CLIENT, "wrong_client", "robot"),
        (400, {"error": "unauthorized_client", "error_description": "x"}, USER, "wrong_client", "admin-cli"),
        (404, {"error": "Realm does not exist"}, CLIENT, "realm_missing", "company"),
        (404, {"error": "Unable to find matching target resource method"}, USER, "not_keycloak", "/auth"),
        (403, {"error": "invalid_request", "error_description": "HTTPS required"}, USER, "tls", "https://"),
        (200, "<html>", USER, "not_keycloak", "kc:8080"),
        (404, "<html>", USER, "not_keycloak", "kc:8080"),
        (503, "starting", USER, "not_ready", "503"),
        (301, "", USER, "redirects", "https://there"),
    ],
)  # fmt: skip
def test_refused_logins(status: int, body: Any, account: keycloak.Account, code: str, word: str) -> None:
    raw = http_client.json.dumps(body).encode() if isinstance(body, dict) else body.encode()
    answer = http_client.Response(status, [("Location", "https://there")], raw, 1.0)
    failure = keycloak.explain_login(keycloak.refusal(answer), "http://kc:8080", account)
    assert failure.code == f"keycloak_{code}"
    said = failure.as_result()["msg"]
    assert word in said
    assert "secret-of" not in said


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (403, {"error": "HTTP 403 Forbidden"}, "denied"),
        (403, {}, "denied"),
        (401, {"error": "HTTP 401 Unauthorized"}, "denied"),
        (409, {"errorMessage": "Client langfuse already exists"}, "conflict"),
        (400, {"error": "invalid_input", "error_description": "A redirect URI must not contain"}, "bad_request"),
        (500, {"error": "unknown_error"}, "not_ready"),
        (404, None, "not_keycloak"),
    ],
)
def test_refused_requests(status: int, body: Any, code: str) -> None:
    answer = http_client.Response(status, [], http_client.json.dumps(body).encode(), 1.0)
    assert keycloak.explain(keycloak.refusal(answer), "http://kc", "the list").code == f"keycloak_{code}"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (http_client.TLS, "keycloak_tls"),
        (http_client.REFUSED, "keycloak_down"),
        (http_client.NAME, "keycloak_down"),
        (http_client.TIMEOUT, "keycloak_down"),
    ],
)
def test_no_answer(kind: str, code: str) -> None:
    assert keycloak.explain_unreachable(http_client.Unreachable(kind, "kc:8080", "why"), "http://kc:8080").code == code
