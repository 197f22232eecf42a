# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""keycloak_client on a real Keycloak: check, run, run again, change, absent; and what makes a client change for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

Result = dict[str, Any]
pytestmark = pytest.mark.engine

HOST = "https://langfuse.example.com"
CALLBACK = f"{HOST}/api/auth/callback/keycloak"
SECRET = "canary-kc-client-secret-1"


@pytest.fixture(scope="module")
def realm(server: Any) -> Iterator[str]:
    yield server.realm("clients")
    server.remove("clients")


@pytest.fixture
def options(server: Any, realm: str) -> Result:
    """Options of the module for a client of a realm without any."""
    server.clear(realm)
    given: Result = server.login(realm=realm, public_url=HOST)
    return given


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, collections: None) -> list[str]:
    """Methods of the admin REST that the module has sent."""
    from ansible_collections.llmops.langfuse.plugins.module_utils import keycloak

    methods: list[str] = []
    send = keycloak.Session._send

    def record(self: Any, method: str, path: str, body: Any) -> Any:
        methods.append(method)
        return send(self, method, path, body)

    monkeypatch.setattr(keycloak.Session, "_send", record)
    return methods


def test_check_run_again_change_absent(run: Any, server: Any, options: Result) -> None:
    planned = run("keycloak_client", check=True, diff=True, secret=SECRET, **options)
    assert (planned["changed"], planned["changes"], planned["client"]["id"]) == (True, ["create"], None)
    assert planned["diff"]["before"] == {"exists": False}
    assert planned["diff"]["after"]["secret"] == "given"
    made = run("keycloak_client", secret=SECRET, **options)
    assert (made["changed"], made["changes"]) == (True, ["create"]), "check mode must not have created anything"
    assert made["client"]["issuer"] == f"{server.url}/realms/clients"
    told = server.client("clients")
    assert (told["publicClient"], told["secret"], told["redirectUris"], told["webOrigins"]) == (
        False,
        SECRET,
        [CALLBACK],
        [HOST],
    )
    assert told["attributes"]["pkce.code.challenge.method"] == "S256"
    assert told["attributes"]["post.logout.redirect.uris"] == f"{HOST}/*"
    flows = ("standardFlowEnabled", "implicitFlowEnabled", "directAccessGrantsEnabled", "serviceAccountsEnabled")
    assert [told[flow] for flow in flows] == [True, False, False, False]
    assert {key: made["client"][key] for key in ("id", "redirect_uris", "default_scopes", "optional_scopes")} == {
        "id": told["id"],
        "redirect_uris": [CALLBACK],
        "default_scopes": ["basic", "email", "profile"],
        "optional_scopes": [],
    }
    second = run("keycloak_client", diff=True, secret=SECRET, **options)
    assert (second["changed"], second["changes"], second["diff"]["before"]) == (False, [], second["diff"]["after"])
    gone = {**options, "state": "absent"}
    assert run("keycloak_client", check=True, **gone)["changes"] == ["delete"]
    assert run("keycloak_client", **gone)["changed"]
    assert not run("keycloak_client", **gone)["changed"]
    assert server.writes("clients")[-2:] == ["CREATE CLIENT", "DELETE CLIENT"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"secret": SECRET},
        {"redirect_uris": [f"{HOST}/z", CALLBACK, f"{HOST}/a", CALLBACK]},
        {"web_origins": ["https://b.example", "https://a.example"]},
        {"web_origins": ["+"]},
        {"web_origins": []},
        {"post_logout_redirect_uris": [f"{HOST}/z", f"{HOST}/a"]},
        {"post_logout_redirect_uris": ["+"]},
        {"public_url": None, "redirect_uris": [CALLBACK]},
        {"root_url": HOST, "redirect_uris": ["/api/auth/callback/keycloak"]},
        {"default_scopes": ["profile", "email", "offline_access"], "optional_scopes": ["phone", "address"]},
        {"default_scopes": [], "optional_scopes": ["profile", "email"]},
        {"attributes": {"access.token.lifespan": 300, "use.refresh.tokens": True, "login_theme": None}},
        {"attributes": {"oauth2.device.authorization.grant.enabled": True}},
        {"pkce": "none"},
        {"name": "", "description": ""},
        {"name": "Langfuse ÄÖ", "base_url": HOST, "enabled": False},
        {"service_account_roles": []},
        {"service_account_roles": ["view-users", "view-realm"]},
        {"standard_flow": False, "public_url": None, "pkce": "none", "service_account_roles": ["view-users"]},
        {"direct_access_grants": True, "implicit_flow": True},
    ],
    ids=str,
)
def test_what_the_server_adds_orders_or_derives_is_no_change(
    run: Any, server: Any, options: Result, sent: list[str], given: Result
) -> None:
    wanted = {**options, **given}
    assert run("keycloak_client", **wanted)["changes"] == ["create"]
    written = server.writes("clients")
    sent.clear()
    for check in (True, False):
        again = run("keycloak_client", check=check, **wanted)
        assert (again["changed"], again["changes"]) == (False, [])
    assert set(sent) == {"GET"}
    assert server.writes("clients") == written


@pytest.mark.parametrize(
    ("given", "changes", "fields"),
    [
        ({"redirect_uris": [CALLBACK, f"{HOST}/z"]}, ["redirect_uris"], {"redirectUris"}),
        ({"web_origins": ["https://other.example"]}, ["web_origins"], {"webOrigins"}),
        ({"post_logout_redirect_uris": ["+"]}, ["post_logout_redirect_uris"], {"attributes"}),
        ({"pkce": "none"}, ["pkce"], {"attributes"}),
        ({"secret": "canary-kc-client-secret-2"}, ["secret"], {"secret"}),
        ({"name": "N"}, ["name"], {"name"}),
        ({"description": "D"}, ["description"], {"description"}),
        ({"enabled": False}, ["enabled"], {"enabled"}),
        ({"root_url": HOST}, ["root_url"], {"rootUrl"}),
        ({"base_url": HOST}, ["base_url"], {"baseUrl"}),
        ({"direct_access_grants": True}, ["direct_access_grants"], {"directAccessGrantsEnabled"}),
        ({"implicit_flow": True}, ["implicit_flow"], {"implicitFlowEnabled"}),
        ({"standard_flow": False}, ["standard_flow"], {"standardFlowEnabled"}),
        ({"default_scopes": ["basic", "email", "profile", "roles"]}, ["default_scopes"], {"defaultClientScopes"}),
        ({"optional_scopes": ["phone"]}, ["optional_scopes"], {"optionalClientScopes"}),
        (
            {"default_scopes": ["basic", "email"], "optional_scopes": ["profile"]},
            ["default_scopes", "optional_scopes"],
            {"defaultClientScopes", "optionalClientScopes"},
        ),
        ({"attributes": {"login_theme": "keycloak"}}, ["attributes.login_theme"], {"attributes"}),
        ({"service_account_roles": []}, ["service_account"], {"serviceAccountsEnabled", "defaultClientScopes"}),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_a_change_touches_what_it_names_and_can_be_taken_back(
    run: Any, server: Any, options: Result, given: Result, changes: list[str], fields: set[str]
) -> None:
    # As it may stand after years: with things that people have added.
    start = {**options, "secret": SECRET, "name": "", "description": "", "root_url": "", "base_url": ""}
    start = {**start, "attributes": {"login_theme": ""}, "optional_scopes": []}
    run("keycloak_client", **start)
    people = {"consentRequired": True, "notBefore": 7, "attributes": {"theirs": "kept"}}
    server.admin.call("PUT", f"realms/clients/clients/{server.client('clients')['id']}", people)
    before = server.client("clients")
    planned = run("keycloak_client", check=True, diff=True, **{**start, **given})
    assert server.client("clients") == before
    done = run("keycloak_client", diff=True, **{**start, **given})
    assert (done["changes"], done["diff"], planned["changes"]) == (changes, planned["diff"], changes)
    after = server.client("clients")
    differ = {key for key in {*before, *after} if _orderless(before.get(key)) != _orderless(after.get(key))}
    assert differ == fields
    assert after["attributes"]["theirs"] == "kept"
    assert run("keycloak_client", **start)["changed"]
    assert not run("keycloak_client", **start)["changed"]
    back = server.client("clients")
    assert {key for key in back if _orderless(back[key]) != _orderless(before.get(key))} <= {"attributes"}


def _orderless(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else value


def test_what_people_changed_is_put_right(run: Any, server: Any, options: Result) -> None:
    run("keycloak_client", secret=SECRET, **options)
    path = f"realms/clients/clients/{server.client('clients')['id']}"
    drift = {
        "redirectUris": ["*"],
        "webOrigins": ["*"],
        "directAccessGrantsEnabled": True,
        "serviceAccountsEnabled": True,
        "enabled": False,
        "secret": "",
        "attributes": {
            "pkce.code.challenge.method": "s256",
            "post.logout.redirect.uris": "+",
            "oauth2.device.authorization.grant.enabled": "true",
            "oidc.ciba.grant.enabled": "true",
        },
    }
    server.admin.call("PUT", path, drift)
    mended = run("keycloak_client", diff=True, secret=SECRET, **options)
    assert sorted(mended["changes"]) == [
        "attributes.oauth2.device.authorization.grant.enabled",
        "attributes.oidc.ciba.grant.enabled",
        "default_scopes",
        "direct_access_grants",
        "enabled",
        "pkce",
        "post_logout_redirect_uris",
        "redirect_uris",
        "secret",
        "service_account",
        "web_origins",
    ]
    assert mended["diff"]["before"]["pkce"] == "s256"
    assert not run("keycloak_client", secret=SECRET, **options)["changed"]


def test_a_secret_of_the_servers_is_kept_and_read_back(run: Any, server: Any, options: Result) -> None:
    planned = run("keycloak_client", check=True, return_secret=True, **options)
    assert "secret" not in planned
    made = run("keycloak_client", return_secret=True, **options)
    again = run("keycloak_client", return_secret=True, **options)
    assert made["secret"] == again["secret"] == server.client("clients")["secret"]
    assert not again["changed"]
    assert "secret" not in run("keycloak_client", **options)


def test_a_run_that_broke_off_is_finished_by_the_next(
    run: Any, server: Any, options: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ansible_collections.llmops.langfuse.plugins.module_utils import http_client, keycloak

    run("keycloak_client", secret=SECRET, **options)
    wanted = {**options, "secret": SECRET, "name": "N", "service_account_roles": ["view-users", "view-realm"]}
    wanted.update(default_scopes=["basic", "email"], optional_scopes=["profile", "phone"])
    send, written = keycloak.Session._send, [0]
    for survive in range(1, 5):
        written[0] = 0

        def broken(self: Any, method: str, path: str, body: Any, survive: int = survive) -> Any:
            written[0] += method != "GET"
            if method != "GET" and written[0] > survive:
                raise http_client.Unreachable(http_client.CLOSED, "server", "cut")
            return send(self, method, path, body)

        monkeypatch.setattr(keycloak.Session, "_send", broken)
        result = run("keycloak_client", **wanted)
        assert result["code"] == "keycloak_down", survive
        monkeypatch.setattr(keycloak.Session, "_send", send)
        assert run("keycloak_client", **wanted)["changed"]
        assert not run("keycloak_client", **wanted)["changed"]
        run("keycloak_client", state="absent", **{key: wanted[key] for key in options if key != "state"})
        run("keycloak_client", secret=SECRET, **options)


def test_service_accounts_have_exactly_the_roles(run: Any, server: Any, options: Result) -> None:
    wanted = {**options, "client_id": "sync", "standard_flow": False, "pkce": "none", "public_url": None}
    wanted["secret"] = SECRET
    roles = ["view-users", "view-realm"]
    assert run("keycloak_client", service_account_roles=roles, **wanted)["changes"] == ["create"]
    account = server.login(auth_realm="clients", auth_client_id="sync", auth_client_secret=SECRET)
    account.update(auth_username=None, auth_password=None)
    assert server.session(account).get("realms/clients/users", max="5")
    fewer = run("keycloak_client", diff=True, service_account_roles=["view-realm"], **wanted)
    assert fewer["diff"]["before"]["service_account_roles"] == ["view-realm", "view-users"]
    assert fewer["diff"]["after"]["service_account_roles"] == ["view-realm"]
    with pytest.raises(Exception, match="403"):
        server.session(account).get("realms/clients/users", max="5")
    assert run("keycloak_client", service_account_roles=[], **wanted)["changed"]
    assert not run("keycloak_client", service_account_roles=[], **wanted)["changed"]
    assert run("keycloak_client", **wanted)["changes"] == ["service_account", "default_scopes"]


def test_the_master_realm_has_roles_under_another_name(run: Any, server: Any) -> None:
    wanted = server.login(realm="master", client_id="it-master", standard_flow=False, pkce="none")
    try:
        assert run("keycloak_client", service_account_roles=["view-users"], **wanted)["changed"]
        assert not run("keycloak_client", service_account_roles=["view-users"], **wanted)["changed"]
    finally:
        assert run("keycloak_client", state="absent", **wanted)["changed"]
