"""The client is as it has to be, people sign in through it and web, and a second run changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.http_client import Client, Unreachable

from tests.integration.modules import keycloak
from tests.molecule import playbook
from tests.molecule.instance import Container, Instance, docker, wait_until
from tests.molecule.sso import identity
from tests.molecule.sso.visitor import CALLBACK, URL, Visitor


@pytest.fixture
def login() -> keycloak.Login:
    return keycloak.Login(identity.server(), identity.REALM, CALLBACK)


def test_the_client(sso: Instance) -> None:
    client = identity.server().client(identity.REALM)
    assert client["redirectUris"] == [CALLBACK]
    assert client["webOrigins"] == ["http://localhost:3530"]
    assert (client["publicClient"], client["standardFlowEnabled"]) == (False, True)
    assert (client["implicitFlowEnabled"], client["directAccessGrantsEnabled"]) == (False, False)
    assert client["attributes"]["pkce.code.challenge.method"] == "S256"
    assert client["secret"] == sso.secrets()["langfuse_keycloak_client_secret"]


def test_a_second_run_changes_nothing_and_writes_nothing_at_keycloak(sso: Instance) -> None:
    server, before = identity.server(), sso.ids()
    wrote = server.writes(identity.REALM)
    assert playbook.site(sso).changed == 0
    assert playbook.check(sso).changed == 0
    assert (sso.ids(), server.writes(identity.REALM)) == (before, wrote)


def test_a_user_signs_in_with_the_secret_that_web_has(sso: Instance, login: keycloak.Login) -> None:
    web = dict(line.split("=", 1) for line in sso.container("langfuse-web").details["Config"]["Env"])
    assert web["AUTH_KEYCLOAK_ISSUER"] == "http://keycloak:8080/realms/platform"
    assert web["AUTH_KEYCLOAK_CHECKS"] == "pkce,state"
    assert web["AUTH_KEYCLOAK_CLIENT_ID"] == "langfuse"
    # As web asks for it: Keycloak refuses a scope that the client has not.
    assert "phone" in web["AUTH_KEYCLOAK_SCOPE"]
    tokens = login.exchange(login.code(scope=web["AUTH_KEYCLOAK_SCOPE"]), web["AUTH_KEYCLOAK_CLIENT_SECRET"]).json()
    assert isinstance(tokens, dict)
    assert keycloak.claims(tokens["id_token"])["email"] == keycloak.USER_EMAIL


def test_the_first_user_signs_in_through_web(sso: Instance) -> None:
    """By account linking: the address has a password already."""
    visitor = Visitor()
    assert visitor.sign_in(identity.FIRST) == URL
    user = visitor.session()
    assert (user["email"], user["hasPassword"]) == ("admin@example.com", True)
    assert [one["role"] for one in user["organizations"]] == ["OWNER"]


def test_a_stranger_is_refused_while_sign_up_is_closed(sso: Instance) -> None:
    visitor = Visitor()
    page = urlsplit(visitor.sign_in(identity.STRANGER))
    assert (page.path, parse_qs(page.query)["error"]) == ("/auth/sign-in", ["OAuthCreateAccount"])
    assert visitor.session() == {}


@pytest.fixture
def open_web(sso: Instance, tmp_path: Path) -> Iterator[str]:
    """Address of a second web: sign-up is open, accounts are not linked, and Keycloak is a custom provider too."""
    details = sso.container("langfuse-web").details
    environment = dict(line.split("=", 1) for line in details["Config"]["Env"])
    environment |= {"AUTH_DISABLE_SIGNUP": "false", "AUTH_KEYCLOAK_ALLOW_ACCOUNT_LINKING": "false", "PORT": "3530"}
    environment |= {"AUTH_DOMAINS_WITH_SSO_ENFORCEMENT": "example.org", "AUTH_CUSTOM_NAME": "Again"}
    environment["AUTH_CUSTOM_ALLOW_ACCOUNT_LINKING"] = "true"
    for name in ("CLIENT_ID", "CLIENT_SECRET", "ISSUER", "CHECKS"):
        environment[f"AUTH_CUSTOM_{name}"] = environment[f"AUTH_KEYCLOAK_{name}"]
    file = tmp_path / "environment"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
    networks = list(details["NetworkSettings"]["Networks"])
    name = f"{sso.name}-open"
    docker("create", "--name", name, "--network", networks[0], "--env-file", str(file), details["Config"]["Image"])
    try:
        for network in networks[1:]:
            docker("network", "connect", network, name)
        docker("start", name)
        address = Container(json.loads(docker("inspect", name))[0]).address
        health = Client(f"http://{address}:3530")
        wait_until("a second web", lambda: _answers(health), 60)
        identity.change(redirectUris=[CALLBACK, f"{URL}/api/auth/callback/custom"])
        yield address
    finally:
        identity.change(redirectUris=[CALLBACK])
        docker("rm", "--force", name)


def _answers(client: Client) -> bool:
    try:
        return client.request("GET", "/api/public/health").status == 200
    except Unreachable:
        return False


def test_who_may_come_is_what_the_environment_says(sso: Instance, open_web: str) -> None:
    visitor = Visitor(open_web)
    assert visitor.sign_in(keycloak.USER) == URL
    assert visitor.session()["email"] == keycloak.USER_EMAIL
    # Somebody who signed up with a password, and whose address the provider knows too.
    sign_up = Client(f"http://{open_web}:3530")
    known = {"name": "S", "email": "stranger@example.com", "password": keycloak.USER_PASSWORD}
    assert sign_up.request("POST", "/api/auth/signup", known).status == 200
    enforced = sign_up.request("POST", "/api/auth/signup", {**known, "email": "stranger@example.org"})
    assert (enforced.status, "Please use SSO" in enforced.text()) == (422, True)
    assert "error=OAuthAccountNotLinked" in Visitor(open_web).sign_in(identity.STRANGER)
    # One address, two providers, and the second one links.
    assert Visitor(open_web).sign_in(keycloak.USER, "custom") == URL


def test_a_sign_in_without_its_proof_is_refused(login: keycloak.Login) -> None:
    assert "code_challenge_method" in login.start(pkce=None).location


def test_drift_of_the_client_is_told_and_mended(sso: Instance) -> None:
    server = identity.server()
    client = server.client(identity.REALM)
    changed = {**client, "redirectUris": [CALLBACK, "http://localhost:3530/*"]}
    server.admin.call("PUT", f"realms/{identity.REALM}/clients/{client['id']}", changed)
    predicted = playbook.check(sso)
    assert predicted.changed == 1
    predicted.mentions("http://localhost:3530/*")
    assert playbook.run(sso, "llmops.langfuse.provision").changed == 1
    assert server.client(identity.REALM)["redirectUris"] == [CALLBACK]


def test_site_proves_itself_and_names_the_callback(sso: Instance) -> None:
    done = playbook.run(sso)
    done.mentions("trace ok", "keycloak knows client, callback and secret", f"Callback URL at the provider: {CALLBACK}")
    done.mentions("whom Langfuse does not know yet is refused")
    assert done.changed == 0
