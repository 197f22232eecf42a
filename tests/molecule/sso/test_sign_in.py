"""The client is as it has to be, a user signs in through it, and a second run changes nothing."""

from __future__ import annotations

import pytest

from tests.integration.modules.keycloak import USER_EMAIL, Login, claims
from tests.molecule import playbook
from tests.molecule.instance import Instance, docker
from tests.molecule.sso import identity

CALLBACK = "http://localhost:3530/api/auth/callback/keycloak"


@pytest.fixture
def login() -> Login:
    return Login(identity.server(), identity.REALM, CALLBACK)


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


def test_a_user_signs_in_with_the_secret_that_web_has(sso: Instance, login: Login) -> None:
    web = dict(line.split("=", 1) for line in sso.container("langfuse-web").details["Config"]["Env"])
    assert web["AUTH_KEYCLOAK_ISSUER"] == "http://keycloak:8080/realms/platform"
    assert web["AUTH_KEYCLOAK_CHECKS"] == "pkce,state"
    assert web["AUTH_KEYCLOAK_CLIENT_ID"] == "langfuse"
    # As web asks for it: Keycloak refuses a scope that the client has not.
    assert "phone" in web["AUTH_KEYCLOAK_SCOPE"]
    tokens = login.exchange(login.code(scope=web["AUTH_KEYCLOAK_SCOPE"]), web["AUTH_KEYCLOAK_CLIENT_SECRET"]).json()
    assert isinstance(tokens, dict)
    assert claims(tokens["id_token"])["email"] == USER_EMAIL


def test_a_sign_in_without_its_proof_is_refused(login: Login) -> None:
    assert "code_challenge_method" in login.start(pkce=None).location


def test_web_finds_the_issuer_under_the_name_that_browsers_use(sso: Instance) -> None:
    found = docker(
        "exec",
        f"{sso.name}-langfuse-web-1",
        "wget",
        "-qO-",
        "http://keycloak:8080/realms/platform/.well-known/openid-configuration",
    )
    assert '"issuer":"http://keycloak:8080/realms/platform"' in found


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
    done.mentions("trace ok", f"Callback URL at the provider: {CALLBACK}")
    done.mentions("whom Langfuse does not know yet is refused")
    assert done.changed == 0
