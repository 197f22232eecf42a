# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may administrate a real Keycloak, how long its token lives, and everything that can stand in the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

Result = dict[str, Any]
pytestmark = pytest.mark.engine

HOST = "https://langfuse.example.com"
ROBOT_SECRET = "canary-kc-robot-secret-1"


@pytest.fixture(scope="module")
def realm(server: Any) -> Iterator[str]:
    yield server.realm("admins")
    server.remove("admins")


@pytest.fixture
def options(server: Any, realm: str) -> Result:
    """Options of the module for a client of a realm without any."""
    server.clear(realm)
    given: Result = server.login(realm=realm, public_url=HOST)
    return given


def robot(run: Any, server: Any, *roles: str) -> Result:
    """Options for a client of the realm itself that administrates with these roles."""
    maker = server.login(realm="admins", client_id="robot", standard_flow=False, pkce="none")
    run("keycloak_client", secret=ROBOT_SECRET, service_account_roles=list(roles), **maker)
    account = {"auth_realm": "admins", "auth_client_id": "robot", "auth_client_secret": ROBOT_SECRET}
    nobody = {"auth_username": None, "auth_password": None}
    return {**server.login(realm="admins", public_url=HOST), **account, **nobody}


def test_a_client_with_two_roles_is_enough(run: Any, server: Any, options: Result) -> None:
    account = robot(run, server, "manage-clients", "view-clients")
    assert run("keycloak_client", check=True, **account)["changes"] == ["create"]
    assert run("keycloak_client", **account)["changes"] == ["create"]
    assert not run("keycloak_client", **account)["changed"]
    assert run("keycloak_client", secret="canary-kc-client-secret-3", **account)["changes"] == ["secret"]
    denied = run("keycloak_client", service_account_roles=["view-users"], **account)
    assert (denied["code"], "manage-users" in denied["cure"]) == ("keycloak_denied", True), denied
    assert run("keycloak_client", state="absent", **account)["changed"]


def test_an_account_that_only_sees_is_refused_before_the_first_write(run: Any, server: Any, options: Result) -> None:
    run("keycloak_client", **options)
    account = robot(run, server, "view-clients")
    assert not run("keycloak_client", **account)["changed"]
    for change in ({"name": "N"}, {"state": "absent"}):
        for check in (True, False):
            denied = run("keycloak_client", check=check, **{**account, **change})
            assert (denied["failed"], denied["code"]) == (True, "keycloak_denied"), denied
    made = run("keycloak_client", client_id="other", **account)
    assert made["code"] == "keycloak_denied", made


def test_an_account_without_roles_is_denied(run: Any, server: Any, options: Result) -> None:
    denied = run("keycloak_client", **robot(run, server))
    assert (denied["code"], "manage-clients" in denied["msg"]) == ("keycloak_denied", True), denied


@pytest.mark.parametrize("account", ["user", "client"])
def test_a_token_of_a_few_seconds_is_renewed(run: Any, server: Any, options: Result, account: str) -> None:
    given = robot(run, server, "manage-clients", "view-clients")
    if account == "user":
        given = server.login()
        realm = "master"
    else:
        realm = "admins"
    usual = server.admin.get(f"realms/{realm}")["accessTokenLifespan"]
    server.admin.call("PUT", f"realms/{realm}", {"accessTokenLifespan": 5})
    try:
        session = server.session(given)
        # Either it knows that the time is over, or the server says so.
        trusting = server.session(given, clock=lambda: 0.0)
        for seconds in (0, 7):  # the server counts whole ones
            time.sleep(seconds)
            for each in (session, trusting):
                assert each.get("realms/admins/clients", clientId="robot")
    finally:
        server.admin.call("PUT", f"realms/{realm}", {"accessTokenLifespan": usual})
    assert session.logins >= 2
    assert len(session.calls) == 2, "it did not wait to be refused"
    assert trusting.logins == 2
    assert [method for method, _path in trusting.calls] == ["GET", "GET", "GET"], (
        "one of them was refused and sent again"
    )


@pytest.mark.parametrize(
    ("wrong", "code", "word"),
    [
        ({"auth_password": "canary-wrong-password"}, "keycloak_wrong_password", "user admin"),
        ({"auth_username": "nobody"}, "keycloak_wrong_password", "user nobody"),
        ({"auth_client_id": "nothing"}, "keycloak_wrong_client", "client nothing"),
        ({"auth_client_id": "account-console"}, "keycloak_wrong_client", "direct access grants"),
        (
            {"auth_username": None, "auth_password": None, "auth_client_id": "x", "auth_client_secret": "canary-x-1"},
            "keycloak_wrong_client",
            "client x",
        ),
        ({"auth_realm": "nowhere"}, "keycloak_realm_missing", "auth_realm"),
        ({"realm": "nowhere"}, "keycloak_realm_missing", "no realm nowhere"),
        ({"realm": "nowhere", "state": "absent"}, "keycloak_realm_missing", "no realm nowhere"),
        ({"url": "http://no-such-host.invalid:8080"}, "keycloak_down", "no-such-host"),
        ({"url": "localhost:8080"}, "bad_option", "localhost:8080"),
        ({"client_id": "realm-management"}, "bad_option", "Keycloak's own"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(run: Any, options: Result, wrong: Result, code: str, word: str) -> None:
    for check in (True, False):
        result = run("keycloak_client", check=check, **{**options, "wait": 0, **wrong})
        assert (result["failed"], result["code"]) == (True, code), result
        assert word in result["msg"]
        assert result["cure"] in result["msg"]


def test_an_address_that_is_not_keycloaks(run: Any, server: Any, options: Result, closed_port: str) -> None:
    wrong = {
        f"{server.url}/auth": "keycloak_not_keycloak",
        server.url.replace("http:", "https:"): "keycloak_tls",
        f"http://{closed_port}": "keycloak_down",
    }
    for url, code in wrong.items():
        result = run("keycloak_client", **{**options, "wait": 0, "url": url})
        assert (result["failed"], result["code"]) == (True, code), result


def test_an_address_where_nothing_listens_is_waited_for_and_no_longer(
    run: Any, options: Result, closed_port: str
) -> None:
    began = time.monotonic()
    assert run("keycloak_client", **{**options, "url": f"http://{closed_port}", "wait": 2})["code"] == "keycloak_down"
    assert 2 <= time.monotonic() - began < 30


def test_everything_that_the_realm_lacks_is_told_at_once(run: Any, server: Any, options: Result) -> None:
    run("keycloak_client", **options)
    path = f"realms/admins/clients/{server.client('admins')['id']}"
    server.admin.call("PUT", path, {"publicClient": True})
    before = server.writes("admins")
    lacking = {"default_scopes": ["basic", "nope"], "optional_scopes": ["neither"], "service_account_roles": ["king"]}
    for check in (True, False):
        result = run("keycloak_client", check=check, **options, **lacking)
        assert result["code"] == "keycloak_foreign_client"
        for word in ("it is public", "nope, neither", "king", "view-users", "offline_access"):
            assert word in result["msg"], result["msg"]
    assert server.writes("admins") == before


def test_a_login_that_could_not_work_is_refused(run: Any, server: Any, options: Result) -> None:
    result = run("keycloak_client", check=True, default_scopes=["basic", "email"], **options)
    assert (result["code"], "scope profile" in result["msg"]) == ("keycloak_scope_missing", True), result
    less = run("keycloak_client", check=True, default_scopes=["email"], requested_scopes=["openid", "email"], **options)
    assert less["changed"]
    scopes = {scope["name"]: scope for scope in server.admin.get("realms/admins/client-scopes")}
    email = scopes["email"]
    (mapper,) = (row for row in email["protocolMappers"] if row["config"]["claim.name"] == "email")
    path = f"realms/admins/client-scopes/{email['id']}/protocol-mappers/models/{mapper['id']}"
    server.admin.call("PUT", path, {**mapper, "config": {**mapper["config"], "id.token.claim": "false"}})
    try:
        result = run("keycloak_client", check=True, **options)
    finally:
        server.admin.call("PUT", path, mapper)
    assert (result["code"], "email" in result["msg"]) == ("keycloak_claim_missing", True), result


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ({"publicClient": True}, "it is public"),
        ({"bearerOnly": True}, "bearer-only"),
        ({"protocol": "saml"}, "saml"),
        ({"clientAuthenticatorType": "client-jwt"}, "client-jwt"),
    ],
)
def test_a_client_of_another_kind_is_taken_over_only_by_force(
    run: Any, server: Any, options: Result, kind: Result, word: str
) -> None:
    server.admin.call("POST", "realms/admins/clients", {"clientId": "langfuse", **kind})
    before = server.client("admins")
    for state in ("present", "absent"):
        refused = run("keycloak_client", state=state, **options)
        assert (refused["code"], word in refused["msg"]) == ("keycloak_foreign_client", True), refused
    assert server.client("admins") == before
    secret = "canary-kc-client-secret-4"
    taken = run("keycloak_client", force=True, secret=secret, **options)
    assert taken.get("changed"), taken
    assert server.client("admins")["secret"] == secret
    assert not run("keycloak_client", secret=secret, **options)["changed"]
    assert run("keycloak_client", state="absent", **options)["changed"]


def test_a_policy_of_the_realm_that_makes_something_else_of_it_is_told(run: Any, server: Any, options: Result) -> None:
    policies = "realms/admins/client-policies"
    enforcer = {"executor": "pkce-enforcer", "configuration": {"auto-configure": "true"}}
    profile = {"name": "strict", "executors": [enforcer]}
    everyone = {"condition": "any-client", "configuration": {}}
    policy = {"name": "all", "enabled": True, "profiles": ["strict"], "conditions": [everyone]}
    server.admin.call("PUT", f"{policies}/profiles", {"profiles": [profile]})
    server.admin.call("PUT", f"{policies}/policies", {"policies": [policy]})
    try:
        result = run("keycloak_client", pkce="none", **options)
    finally:
        server.admin.call("PUT", f"{policies}/policies", {"policies": []})
        server.admin.call("PUT", f"{policies}/profiles", {"profiles": []})
    assert (result["failed"], result["code"], "pkce" in result["msg"]) == (True, "keycloak_not_kept", True), result
