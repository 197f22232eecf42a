"""Sign-in through a provider: which are offered, what is sent to them, and whose tokens are believed."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
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
    client = Client(env, None, providers(env)["github"], "https://lf/api/auth/callback/github")
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
    check_claims(CLAIMS, CLAIMS["iss"], "langfuse", "n", 950)
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    with pytest.raises(OidcError, match=said):
        check_claims(claims, "https://kc/realms/a", "langfuse", "n", 950)


class Idp:
    """A provider in this process; `changed` are claims and answers that it gets wrong."""

    def __init__(self, **changed: Any) -> None:
        self.changed, self.asked = changed, []
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.asked.append((request.path, request.headers.get("Authorization", ""), dict(await request.post())))
        if status := self.changed.get("status"):
            return web.Response(status=status)
        if request.path == "/token":
            if error := self.changed.get("error"):
                return web.json_response({"error": error, "error_description": "no"}, status=401)
            now = int(time.time())
            fresh = {"iss": self.url, "sub": "1", "aud": "lf", "exp": now + 60, "iat": now, "email": "a@b.c"}
            return web.json_response({"id_token": token({**fresh, **self.changed.get("claims", {})}), "scope": "x"})
        if request.path == "/keys":
            return web.json_response({"keys": [jwk()]})
        ends = {"token_endpoint": "token", "jwks_uri": "keys", "authorization_endpoint": "auth"}
        return web.json_response({"issuer": self.url, **{name: f"{self.url}/{end}" for name, end in ends.items()}})


def arrive(idp: Idp, query: dict[str, str], kept: dict[str, str]) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with RawTestServer(idp.answer) as server, aiohttp.ClientSession() as session:
            idp.url = str(server.make_url("")).rstrip("/")
            env = Env(
                {
                    "AUTH_KEYCLOAK_CLIENT_ID": "lf",
                    "AUTH_KEYCLOAK_CLIENT_SECRET": "a b",
                    "AUTH_KEYCLOAK_ISSUER": idp.url,
                    "AUTH_SSO_TIMEOUT": "500",
                },
                "web",
            )
            client = Client(env, session, providers(env)["keycloak"], "https://lf/callback")
            return (await client.user(query, kept))[0]

    return asyncio.run(run())


def test_a_code_becomes_claims() -> None:
    idp = Idp()
    found = arrive(idp, {"code": "c", "state": "s"}, {"state": "s", "pkce": "v"})
    assert (found["sub"], found["email"]) == ("1", "a@b.c")
    path, authorization, form = idp.asked[1]
    assert (path, authorization) == ("/token", f"Basic {base64.b64encode(b'lf:a+b').decode()}")
    assert form == {
        "grant_type": "authorization_code",
        "code": "c",
        "redirect_uri": "https://lf/callback",
        "code_verifier": "v",
    }


@pytest.mark.parametrize(
    ("changed", "query", "said"),
    [
        ({}, {"code": "c", "state": "other"}, "state mismatch, expected s, got: other"),
        ({}, {"code": "c"}, "state missing from the response"),
        ({}, {"code": "c", "state": "s", "iss": "https://evil"}, "iss mismatch"),
        ({"error": "unauthorized_client"}, {"code": "c", "state": "s"}, r"unauthorized_client \(no\)"),
        ({"status": 404}, {"code": "c", "state": "s"}, "expected 200 OK, got: 404 Not Found"),
        ({"claims": {"iss": "https://other"}}, {"code": "c", "state": "s"}, "unexpected iss value"),
    ],
)
def test_who_comes_back_wrongly_is_nobody(changed: dict[str, Any], query: dict[str, str], said: str) -> None:
    with pytest.raises(OidcError, match=said):
        arrive(Idp(**changed), query, {"state": "s"})


@pytest.mark.parametrize(
    ("issuer", "said"),
    [
        ("http://nowhere.invalid:1", "getaddrinfo ENOTFOUND nowhere.invalid"),
        ("http://127.0.0.1:1", "connect ECONNREFUSED 127.0.0.1:1"),
    ],
)
def test_a_closed_way_is_told_in_words_of_node(issuer: str, said: str) -> None:
    async def run() -> None:
        env = Env({**KEYCLOAK, "AUTH_KEYCLOAK_ISSUER": issuer}, "web")
        async with aiohttp.ClientSession() as session:
            await Client(env, session, providers(env)["keycloak"], "https://lf/callback").authorization_url({})

    with pytest.raises(OidcError, match=said):
        asyncio.run(run())
