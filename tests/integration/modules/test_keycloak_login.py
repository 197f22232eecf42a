# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user signs in through the client that the module made, by Keycloak's own login form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

Result = dict[str, Any]
pytestmark = pytest.mark.engine

HOST = "https://langfuse.example.com"
CALLBACK = f"{HOST}/api/auth/callback/keycloak"
SECRET = "canary-kc-login-secret-1"


@pytest.fixture(scope="module")
def options(server: Any) -> Iterator[Result]:
    realm = server.realm("logins")
    yield server.login(realm=realm, public_url=HOST, secret=SECRET)
    server.remove(realm)


@pytest.fixture
def login(run: Any, server: Any, options: Result) -> Any:
    from tests.integration.modules.keycloak import Login

    assert "failed" not in run("keycloak_client", **options)
    return Login(server, "logins", CALLBACK)


def test_a_user_signs_in_with_a_code_and_its_proof_key(server: Any, login: Any) -> None:
    from tests.integration.modules.keycloak import USER_EMAIL, claims

    answer = login.exchange(login.code(), SECRET)
    assert answer.status == 200, answer.text()
    told = claims(answer.json()["id_token"])
    assert told["email"] == USER_EMAIL
    assert told["sub"]
    assert (told["iss"], told["aud"], told["nonce"]) == (f"{server.url}/realms/logins", "langfuse", login.nonce)


@pytest.mark.parametrize(
    "address",
    [
        f"{CALLBACK}/",
        f"{CALLBACK}x",
        "https://langfuse.example.com.evil.example/api/auth/callback/keycloak",
        "http://langfuse.example.com/api/auth/callback/keycloak",
        HOST,
    ],
)
def test_another_redirect_address_is_refused(login: Any, address: str) -> None:
    refused = login.start(redirect_uri=address)
    assert (refused.status, refused.location) == (400, "")
    assert "Invalid parameter: redirect_uri" in refused.text


@pytest.mark.parametrize(("pkce", "word"), [(None, "Missing parameter"), ("plain", "Invalid parameter")])
def test_a_login_without_the_proof_key_is_refused(login: Any, pkce: str | None, word: str) -> None:
    from tests.integration.modules.keycloak import query_of

    refused = login.start(pkce=pkce)
    assert refused.location.startswith(CALLBACK)
    told = query_of(refused.location)
    assert (told["error"], word in told["error_description"]) == ("invalid_request", True), told


def test_a_code_without_its_proof_is_worth_nothing(login: Any) -> None:
    refused = login.exchange(login.code(), SECRET, code_verifier="x" * 64)
    assert (refused.status, refused.json()["error"]) == (400, "invalid_grant")


def test_a_scope_that_the_client_lacks_breaks_the_login(login: Any) -> None:
    """Why the module checks requested_scopes."""
    from tests.integration.modules.keycloak import query_of

    assert query_of(login.start(scope="openid email phone").location)["error"] == "invalid_scope"


def test_a_client_makes_another_one_with_the_scopes_that_are_asked_for(run: Any, server: Any, options: Result) -> None:
    """As `existing_stores` has it for an instance with `langfuse_sso_scope` and no user who administers."""
    from tests.integration.modules.keycloak import Login, query_of

    robot = {"client_id": "robot", "secret": SECRET, "standard_flow": False, "pkce": "none"}
    rights = {"service_account_roles": ["manage-clients", "view-clients"]}
    assert run("keycloak_client", **{**options, **robot, **rights})["changed"]
    client = {
        "url": server.url,
        "auth_realm": "logins",
        "auth_client_id": "robot",
        "realm": "logins",
        "client_id": "other",
        "root_url": HOST,
        "redirect_uris": [CALLBACK],
        "web_origins": [HOST],
        "post_logout_redirect_uris": [HOST],
        "default_scopes": ["basic", "email", "phone"],
        "requested_scopes": ["openid", "email", "phone"],
    }
    secrets = {"keycloak_admin_client_secret": SECRET, "keycloak_client_secret": f"{SECRET}-other"}
    made = run("existing_stores", keycloak=client, **secrets)
    assert made.get("changed"), made.get("msg")
    assert not run("existing_stores", keycloak=client, **secrets)["changed"]
    login = Login(server, "logins", CALLBACK, "other")
    assert login.exchange(login.code(scope="openid email phone"), f"{SECRET}-other").status == 200
    assert query_of(login.start(scope="openid email profile").location)["error"] == "invalid_scope"
    without = {**client, "default_scopes": ["basic", "email"]}
    refused = run("existing_stores", keycloak=without, **secrets)
    assert (refused.get("code"), "phone" in refused["msg"]) == ("keycloak_scope_missing", True), refused
    wrong = run("existing_stores", keycloak=client, **{**secrets, "keycloak_admin_client_secret": "canary-wrong-1"})
    assert "langfuse_keycloak_admin_client_secret" in wrong["msg"], wrong


def test_a_wrong_password_does_not_sign_in(login: Any) -> None:
    from tests.integration.modules.keycloak import USER

    page = login.browser.submit(login.start(), username=USER, password="canary-wrong", credentialId="")
    assert (page.status, page.location) == (200, "")
    assert "Invalid username or password" in page.text


def test_the_flows_that_langfuse_does_not_need_are_closed(login: Any) -> None:
    from tests.integration.modules.keycloak import USER, USER_PASSWORD, query_of

    password = login.token({"grant_type": "password", "username": USER, "password": USER_PASSWORD}, SECRET)
    assert (password.status, password.json()["error"]) == (400, "unauthorized_client")
    account = login.token({"grant_type": "client_credentials"}, SECRET)
    assert (account.status, account.json()["error"]) == (401, "unauthorized_client")
    implicit = login.start(response_type="id_token token")
    assert query_of(implicit.location.replace("#", "?"))["error"] == "unauthorized_client"


def test_the_old_secret_is_refused_once_another_is_set(run: Any, login: Any, options: Result) -> None:
    other = "canary-kc-login-secret-2"
    code = login.code()
    assert run("keycloak_client", **{**options, "secret": other})["changes"] == ["secret"]
    refused = login.exchange(code, SECRET)
    assert (refused.status, refused.json()["error"]) == (401, "unauthorized_client")
    assert login.exchange(login_again(login), other).status == 200


def login_again(login: Any) -> str:
    from tests.integration.modules.keycloak import Login

    fresh = Login(login.server, login.realm, login.redirect_uri)
    login.verifier, login.state = fresh.verifier, fresh.state
    login.browser = fresh.browser
    return str(login.code())


def test_a_logout_may_lead_back_to_langfuse_and_nowhere_else(login: Any) -> None:
    tokens = login.exchange(login.code(), SECRET).json()
    end = f"{login.server.endpoint('logins', 'logout')}?id_token_hint={tokens['id_token']}&post_logout_redirect_uri="
    refused = login.browser.get(f"{end}https://evil.example/")
    assert refused.status == 400
    assert login.browser.follow(login.browser.get(f"{end}{HOST}/bye"), until=HOST).location.startswith(f"{HOST}/bye")
