"""The runbook "SSO login fails": something is broken, the page's commands name it, mend it, and people sign in again."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.molecule import canary, playbook, runbook
from tests.molecule.instance import Instance
from tests.molecule.sso import identity


def follow(instance: Instance, page: str, heading: str, fails: bool = False) -> playbook.Run:
    """Run all commands below a heading; the last one's run."""
    done = [playbook.run(instance, *words[3:], fails=fails) for words in runbook.commands(page, heading)]
    for run in done:
        assert not canary.HOSTS.found_in(run.output)
        assert instance.secrets()["langfuse_keycloak_client_secret"] not in run.output
    return done[-1]


def test_a_client_that_somebody_changed(sso: Instance) -> None:
    identity.change(secret="somethingElse1")
    assert "error=OAuthCallback" in identity.visitor().sign_in(identity.FIRST)
    identity.change(redirectUris=["http://localhost:3531/api/auth/callback/keycloak"])
    refused = identity.visitor().press()
    assert (refused.status, "Invalid parameter: redirect_uri" in refused.text) == (400, True)

    named = follow(sso, "sign-in", "Find the cause", fails=True)
    named.mentions("sign_in FAILED", "sso_redirect_refused (error)", "sso_client_secret (error)", "Run provision")
    named.mentions("Invalid parameter: redirect_uri", f"its callback {identity.CALLBACK}")
    proved = follow(sso, "sign-in", "The client")
    proved.mentions("keycloak knows client, callback and secret")
    assert identity.visitor().sign_in(identity.FIRST) == identity.URL


@pytest.fixture
def away() -> Iterator[None]:
    identity.away()
    yield
    if not identity.reachable():
        identity.back()


def test_a_keycloak_that_is_away(sso: Instance, away: None) -> None:
    named = follow(sso, "sign-in", "Find the cause", fails=True)
    named.mentions("sign_in FAILED", "sso_issuer_unreachable (error)")
    # Docker asks the host's name servers for what it does not know: they say no, or nothing for too long.
    said = re.escape(f"{identity.ISSUER}/.well-known/openid-configuration: ")
    assert re.search(f"{said}(getaddrinfo E|outgoing request timed out)", named.output), named.output[-4000:]
    assert "its log says why" not in named.output
    identity.back()
    follow(sso, "sign-in", "The provider").mentions("keycloak knows client, callback and secret")


def test_somebody_else_under_its_name(sso: Instance, away: None) -> None:
    with identity.impostor():
        named = follow(sso, "sign-in", "Find the cause", fails=True)
    named.mentions("sso_issuer_unreachable (error)", "langfuse_ca_certificates")
    named.mentions(f"{identity.ISSUER}/.well-known/openid-configuration: unable to verify the first certificate")
