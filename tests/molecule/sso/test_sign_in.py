"""The client is as it has to be, people sign in through it and web, and a second run changes nothing."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.modules import keycloak
from tests.molecule import playbook
from tests.molecule.instance import Instance, docker
from tests.molecule.sso import identity

# Tells what the issuer calls itself, with the authorities of a file that a variable names.
ASKS = f"""
import json, os, ssl, sys, urllib.request as http
trusted = ssl.create_default_context(cafile=os.environ.get(sys.argv[1]))
try:
    with http.urlopen("{identity.ISSUER}/.well-known/openid-configuration", context=trusted, timeout=60) as answer:
        print(json.load(answer)["issuer"])
except OSError as error:
    print(error)
"""


@pytest.fixture
def login() -> keycloak.Login:
    return keycloak.Login(identity.server(), identity.REALM, identity.CALLBACK)


def test_the_client(sso: Instance) -> None:
    client = identity.server().client(identity.REALM)
    assert client["redirectUris"] == [identity.CALLBACK]
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
    assert web["AUTH_KEYCLOAK_ISSUER"] == identity.ISSUER
    assert web["AUTH_KEYCLOAK_CHECKS"] == "pkce,state"
    assert web["AUTH_KEYCLOAK_CLIENT_ID"] == "langfuse"
    # As web asks for it: Keycloak refuses a scope that the client has not.
    assert "phone" in web["AUTH_KEYCLOAK_SCOPE"]
    tokens = login.exchange(login.code(scope=web["AUTH_KEYCLOAK_SCOPE"]), web["AUTH_KEYCLOAK_CLIENT_SECRET"]).json()
    assert isinstance(tokens, dict)
    assert keycloak.claims(tokens["id_token"])["email"] == keycloak.USER_EMAIL


@pytest.mark.parametrize("service", ["langfuse-web", "langfuse-worker"])
def test_both_containers_trust_the_authority_of_the_issuer(sso: Instance, service: str) -> None:
    """By what Node reads, and by nothing else that they have."""
    name = f"{sso.name}-{service}-1"
    assert docker("exec", name, "python3", "-c", ASKS, "NODE_EXTRA_CA_CERTS").strip() == identity.ISSUER
    assert "CERTIFICATE_VERIFY_FAILED" in docker("exec", name, "python3", "-c", ASKS, "NO_SUCH_NAME")


def test_the_first_user_signs_in_through_web(sso: Instance) -> None:
    """By account linking: the address has a password already."""
    visitor = identity.visitor()
    assert visitor.sign_in(identity.FIRST) == identity.URL
    user = visitor.session()
    assert (user["email"], user["hasPassword"]) == ("admin@example.com", True)
    assert [one["role"] for one in user["organizations"]] == ["OWNER"]


def test_a_stranger_is_refused_while_sign_up_is_closed(sso: Instance) -> None:
    visitor = identity.visitor()
    page = urlsplit(visitor.sign_in(identity.STRANGER))
    assert (page.path, parse_qs(page.query)["error"]) == ("/auth/sign-in", ["OAuthCreateAccount"])
    assert visitor.session() == {}


def test_a_sign_in_without_its_proof_is_refused(login: keycloak.Login) -> None:
    assert "code_challenge_method" in login.start(pkce=None).location


def test_drift_of_the_client_is_told_and_mended(sso: Instance) -> None:
    server = identity.server()
    client = server.client(identity.REALM)
    changed = {**client, "redirectUris": [identity.CALLBACK, "http://localhost:3530/*"]}
    server.admin.call("PUT", f"realms/{identity.REALM}/clients/{client['id']}", changed)
    predicted = playbook.check(sso)
    assert predicted.changed == 1
    predicted.mentions("http://localhost:3530/*")
    assert playbook.run(sso, "llmops.langfuse.provision").changed == 1
    assert server.client(identity.REALM)["redirectUris"] == [identity.CALLBACK]


def test_site_proves_itself_and_names_the_callback(sso: Instance) -> None:
    done = playbook.run(sso)
    done.mentions(
        "trace ok", "keycloak knows client, callback and secret", f"Callback URL at the provider: {identity.CALLBACK}"
    )
    done.mentions("whom Langfuse does not know yet is refused")
    assert done.changed == 0
