"""Sign-in through a provider: which are offered, what is sent to them, and whose tokens are believed."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from standin.core.environment import Env
from standin.web.oidc import Client, OidcError, challenge, check_claims, claims_of, providers

KEYCLOAK = {
    "AUTH_KEYCLOAK_CLIENT_ID": "langfuse",
    "AUTH_KEYCLOAK_CLIENT_SECRET": "canary",
    "AUTH_KEYCLOAK_ISSUER": "https://kc/realms/a",
}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLAIMS = {"iss": "https://kc/realms/a", "sub": "1", "aud": "langfuse", "exp": 1000, "iat": 900, "nonce": "n"}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwk(kid: str = "k") -> dict[str, Any]:
    numbers = KEY.public_key().public_numbers()
    return {"kty": "RSA", "kid": kid, "n": b64(numbers.n.to_bytes(256, "big")), "e": b64(numbers.e.to_bytes(3, "big"))}


def token(claims: dict[str, Any], **header: str) -> str:
    head = b64(json.dumps({"alg": "RS256", "kid": "k", **header}).encode())
    body = b64(json.dumps(claims).encode())
    return f"{head}.{body}.{b64(KEY.sign(f'{head}.{body}'.encode(), PKCS1v15(), SHA256()))}"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, []),
        (KEYCLOAK, ["keycloak"]),
        ({**KEYCLOAK, "AUTH_KEYCLOAK_ISSUER": ""}, []),
        ({"AUTH_CUSTOM_CLIENT_ID": "a", "AUTH_CUSTOM_CLIENT_SECRET": "b", "AUTH_CUSTOM_ISSUER": "https://i"}, []),
        ({"AUTH_GITHUB_CLIENT_ID": "a", "AUTH_GITHUB_CLIENT_SECRET": "b"}, ["github"]),
    ],
)
def test_an_incomplete_set_is_ignored_without_a_word(given: dict[str, str], found: list[str]) -> None:
    assert list(providers(Env(given, "web"))) == found


def test_checks_of_the_environment_replace_the_providers_own() -> None:
    assert providers(Env(KEYCLOAK, "web"))["keycloak"].checks == ("pkce", "state")
    given = {**KEYCLOAK, "AUTH_KEYCLOAK_CHECKS": "nonce, state"}
    assert providers(Env(given, "web"))["keycloak"].checks == ("nonce", "state")


def test_what_is_asked_of_the_provider() -> None:
    env = Env({"AUTH_GITHUB_CLIENT_ID": "a", "AUTH_GITHUB_CLIENT_SECRET": "b"}, "web")
    client = Client(env, None, providers(env)["github"], "https://lf/api/auth/callback/github")  # type: ignore[arg-type]
    url = asyncio.run(client.authorization_url({"state": "s"}))
    assert url.startswith("https://github.com/login/oauth/authorize?")
    assert {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()} == {
        "client_id": "a",
        "scope": "read:user user:email",
        "response_type": "code",
        "redirect_uri": "https://lf/api/auth/callback/github",
        "state": "s",
    }


def test_the_challenge_is_the_published_one() -> None:
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_token_is_believed_when_one_of_the_keys_signed_it() -> None:
    assert claims_of(token(CLAIMS), [jwk("other"), jwk()], "RS256") == CLAIMS


@pytest.mark.parametrize(
    ("text", "keys", "said"),
    [
        ("x.y", [jwk()], "malformed"),
        (token(CLAIMS)[:-8] + "AAAAAAAA", [jwk()], "signature"),
        (token(CLAIMS), [], "signature"),
        (token(CLAIMS, alg="none"), [jwk()], "unexpected JWT alg"),
    ],
)
def test_other_tokens_are_not(text: str, keys: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(OidcError, match=said):
        claims_of(text, keys, "RS256")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"iss": "https://other"}, "unexpected iss value"),
        ({"aud": ["another"]}, "aud mismatch"),
        ({"exp": 949}, "id_token expired"),
        ({"nonce": "another"}, "nonce mismatch"),
        ({"sub": None}, "missing required JWT property sub"),
    ],
)
def test_claims_of_another_sign_in_are_refused(changed: dict[str, Any], said: str) -> None:
    check_claims(CLAIMS, CLAIMS["iss"], "langfuse", "n", 950)  # type: ignore[arg-type]
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    with pytest.raises(OidcError, match=said):
        check_claims(claims, "https://kc/realms/a", "langfuse", "n", 950)
