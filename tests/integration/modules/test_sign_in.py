# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People sign in through web and a real Keycloak, and langfuse_health says what is wrong where they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.modules.stack import Stack, docker
from tests.integration.modules.test_langfuse_health import web_with

Result = dict[str, Any]
pytestmark = pytest.mark.engine

REALM, SECRET = "people", "canary-kc-people-secret-1"
ISSUER = f"http://keycloak:8080/realms/{REALM}"
SSO = {"provider": "keycloak", "issuer": ISSUER}
WALK = ["database", "s3_write", "queue", "worker", "clickhouse", "trace", "media", "refusals", "ports", "containers"]


@pytest.fixture(scope="module")
def callbacks(stack: Stack) -> list[str]:
    return [f"{stack.url}/api/auth/callback/{name}" for name in ("keycloak", "custom")]


@pytest.fixture(scope="module")
def realm(server: Any, callbacks: list[str]) -> Iterator[str]:
    """With a client as the collection makes it, and somebody beside the user that every realm has."""
    from tests.integration.modules.keycloak import USER_PASSWORD

    server.realm(REALM)
    server.user(REALM, "stranger", USER_PASSWORD, "stranger@example.com")
    fields: Result = {"clientId": "langfuse", "protocol": "openid-connect", "secret": SECRET, "redirectUris": callbacks}
    pkce = {"pkce.code.challenge.method": "S256"}
    fields |= {"publicClient": False, "standardFlowEnabled": True, "attributes": pkce}
    server.admin.call("POST", f"realms/{REALM}/clients", fields)
    yield REALM
    server.remove(REALM)


@pytest.fixture(scope="module")
def keycloak_address(stack: Stack, server: Any) -> Iterator[str]:
    """Keycloak is on the project's network, under the name of the issuer."""
    name, network = f"{stack.project}-keycloak", f"{stack.project}_default"
    docker("network", "connect", "--alias", "keycloak", network, name)
    yield docker("inspect", "-f", f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}', name)
    docker("network", "disconnect", network, name)


@pytest.fixture(scope="module")
def web(stack: Stack, realm: str, keycloak_address: str) -> Iterator[None]:
    """Web offers it twice: as Keycloak, without account linking, and as a provider of one's own, with it."""
    environment = {"AUTH_DOMAINS_WITH_SSO_ENFORCEMENT": "example.org", "AUTH_CUSTOM_NAME": "Our own"}
    for prefix in ("AUTH_KEYCLOAK", "AUTH_CUSTOM"):
        environment |= {f"{prefix}_CLIENT_ID": "langfuse", f"{prefix}_CLIENT_SECRET": SECRET}
        environment |= {f"{prefix}_ISSUER": ISSUER, f"{prefix}_CHECKS": "pkce,state,nonce"}
    environment["AUTH_CUSTOM_ALLOW_ACCOUNT_LINKING"] = "true"
    with web_with(stack, **environment):
        yield


@pytest.fixture
def look(run: Any, stack: Stack, web: None) -> Any:
    """The module's hops up to `sign_in`, with changes of its options."""

    def call(**changes: Any) -> Result:
        given = {"skip": WALK, "sso": SSO, "sso_client_secret": SECRET, "hop_timeout": 30, **changes}
        result: Result = run("langfuse_health", **stack.options(**given))
        return result

    return call


@pytest.fixture
def visit(stack: Stack, web: None, keycloak_address: str) -> Any:
    from tests.integration.modules.visitor import Visitor

    return lambda: Visitor(stack.url, {"keycloak:8080": keycloak_address})


def test_all_is_well(look: Any) -> None:
    result = look()
    hop = next(row for row in result["hops"] if row["name"] == "sign_in")
    assert (hop["status"], result["causes"]) == ("ok", [])
    assert hop["detail"].endswith("is OWNER of Provisioned Org; keycloak knows client, callback and secret")


def test_who_may_come_is_what_the_environment_says(stack: Stack, visit: Any) -> None:
    """Sign-up is open. Somebody with a password and the same address stays apart, unless the provider links."""
    from ansible_collections.llmops.langfuse.plugins.module_utils.http_client import Client

    from tests.integration.modules.keycloak import USER, USER_EMAIL

    visitor = visit()
    assert visitor.sign_in(USER) == stack.url
    assert visitor.session()["email"] == USER_EMAIL
    known = {"name": "S", "email": "stranger@example.com", "password": "canaryStranger1"}
    page = Client(stack.url)
    assert page.request("POST", "/api/auth/signup", known).status == 200
    enforced = page.request("POST", "/api/auth/signup", {**known, "email": "stranger@example.org"})
    assert (enforced.status, "Please use SSO" in enforced.text()) == (422, True)
    refused = visit()
    assert "/auth/sign-in?" in refused.sign_in("stranger")
    assert refused.session() == {}
    assert "error=OAuthAccountNotLinked" in visit().sign_in("stranger")
    linked = visit()
    assert linked.sign_in("stranger", "custom") == stack.url
    assert linked.session()["email"] == "stranger@example.com"


@pytest.mark.parametrize(
    ("changed", "restored", "code", "said"),
    [
        ({"secret": "canary-another"}, {"secret": SECRET}, "sso_client_secret", "unauthorized_client"),
        ({"redirectUris": ["http://localhost:1/x"]}, {}, "sso_redirect_refused", "Invalid parameter: redirect_uri"),
        ({"clientId": "other"}, {}, "sso_redirect_refused", "Client not found"),
        ({"attributes": {"pkce.code.challenge.method": "plain"}}, {}, "sso_request_refused", "invalid_request"),
        ({"standardFlowEnabled": False}, {}, "sso_request_refused", "unauthorized_client"),
    ],
)
def test_a_client_that_somebody_changed(
    look: Any, server: Any, changed: Result, restored: Result, code: str, said: str
) -> None:
    before = server.client(REALM)
    path = f"realms/{REALM}/clients/{before['id']}"
    server.admin.call("PUT", path, {**before, **changed})
    try:
        result = look()
    finally:
        server.admin.call("PUT", path, {**before, **restored})
    assert (result["failed"], result["first_broken"], result["code"]) == (True, "sign_in", code), result["table"]
    assert said in result["msg"]
    assert "canary" not in str(result)


def test_a_realm_that_has_another_name(look: Any, server: Any) -> None:
    server.admin.call("PUT", f"realms/{REALM}", {"realm": "elsewhere"})
    try:
        result = look(level="diagnose", fail=True)
    finally:
        server.admin.call("PUT", "realms/elsewhere", {"realm": REALM})
    assert result["code"] == "sso_issuer_unreachable"
    assert f"{ISSUER}/.well-known/openid-configuration: Realm does not exist." in result["msg"]


def test_a_keycloak_that_believes_to_be_elsewhere(look: Any, server: Any) -> None:
    """Its pages may open all the same: a warning."""
    server.admin.call("PUT", f"realms/{REALM}", {"attributes": {"frontendUrl": "http://sso.example.com"}})
    try:
        result = look(level="diagnose")
    finally:
        server.admin.call("PUT", f"realms/{REALM}", {"attributes": {"frontendUrl": ""}})
    assert [cause["code"] for cause in result["causes"]] == ["sso_issuer_differs"]
    assert f"http://sso.example.com/realms/{REALM}" in result["causes"][0]["cause"]
    assert result["healthy"]


def test_a_provider_that_web_does_not_have(look: Any) -> None:
    result = look(sso={"provider": "okta", "issuer": ISSUER})
    assert (result["code"], "keycloak" in result["msg"]) == ("sso_not_offered", True)
