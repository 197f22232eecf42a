"""The part of openid-client: discovery, the authorization request, the code for tokens, the claims of an ID token.

Every failure is an `OidcError` with openid-client's words, which next-auth writes into web's log.
"""

import base64
import hashlib
import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

import aiohttp
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from ..core.environment import Env

_HASHES: dict[str, type[HashAlgorithm]] = {"RS256": SHA256, "RS384": SHA384, "RS512": SHA512}
_TIMEOUT_MS = 3500


class OidcError(Exception):
    """The provider, or the way to it, does not do what it must."""


@dataclass(frozen=True)
class Provider:
    """A provider whose set in the environment is complete. Without an `issuer` there is no flow beyond the redirect."""

    id: str
    prefix: str
    name: str
    checks: tuple[str, ...]
    scope: str
    issuer: str = ""
    authorization: str = ""

    def value(self, env: Env, name: str) -> str | None:
        return env.text(f"{self.prefix}_{name}")


def providers(env: Env) -> dict[str, Provider]:
    """Those that the environment configures, in the order of the page. An incomplete set is ignored without a word."""

    def has(prefix: str, *names: str) -> bool:
        return all(env.text(f"{prefix}_{name}") for name in ("CLIENT_ID", "CLIENT_SECRET", *names))

    def checks(prefix: str, *own: str) -> tuple[str, ...]:
        given = env.text(f"{prefix}_CHECKS")
        return tuple(word.strip() for word in given.split(",")) if given else own

    found: dict[str, Provider] = {}
    openid = "openid email profile"
    if has("AUTH_GITHUB"):
        address = "https://github.com/login/oauth/authorize"
        found["github"] = Provider(
            "github",
            "AUTH_GITHUB",
            "GitHub",
            checks("AUTH_GITHUB", "state"),
            "read:user user:email",
            authorization=address,
        )
    if has("AUTH_KEYCLOAK", "ISSUER"):
        found["keycloak"] = Provider(
            "keycloak",
            "AUTH_KEYCLOAK",
            env.text("AUTH_KEYCLOAK_NAME") or "Keycloak",
            checks("AUTH_KEYCLOAK", "pkce", "state"),
            env.text("AUTH_KEYCLOAK_SCOPE") or openid,
            env.need("AUTH_KEYCLOAK_ISSUER"),
        )
    if has("AUTH_CUSTOM", "ISSUER", "NAME"):
        found["custom"] = Provider(
            "custom",
            "AUTH_CUSTOM",
            env.need("AUTH_CUSTOM_NAME"),
            checks("AUTH_CUSTOM", "state"),
            env.text("AUTH_CUSTOM_SCOPE") or openid,
            env.need("AUTH_CUSTOM_ISSUER"),
        )
    return found


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


class Client:
    """One exchange with a provider; next-auth discovers anew each time."""

    def __init__(self, env: Env, session: aiohttp.ClientSession, provider: Provider, callback: str) -> None:
        self._env, self._session, self._provider, self._callback = env, session, provider, callback
        self._id = provider.value(env, "CLIENT_ID") or ""
        self._secret = provider.value(env, "CLIENT_SECRET") or ""

    async def authorization_url(self, extra: Mapping[str, str]) -> str:
        where = self._provider.authorization or (await self._discover())["authorization_endpoint"]
        query = {
            "client_id": self._id,
            "scope": self._provider.scope,
            "response_type": "code",
            "redirect_uri": self._callback,
            **extra,
        }
        return f"{where}{'&' if '?' in where else '?'}{urlencode(query)}"

    async def user(self, query: Mapping[str, str], kept: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Claims and tokens of who comes back with `query`; `kept` has what the cookies remember: state, nonce, pkce."""
        metadata = await self._discover()
        if query.get("iss", metadata["issuer"]) != metadata["issuer"]:
            raise OidcError(f"iss mismatch, expected {metadata['issuer']}, got: {query['iss']}")
        if "state" in kept and query.get("state") != kept["state"]:
            got = query.get("state")
            raise OidcError(
                f"state mismatch, expected {kept['state']}, got: {got}" if got else "state missing from the response"
            )
        form = {"grant_type": "authorization_code", "code": query.get("code", ""), "redirect_uri": self._callback}
        if "pkce" in kept:
            form["code_verifier"] = kept["pkce"]
        tokens = await self._token(metadata, form)
        if "id_token" not in tokens:
            raise OidcError("id_token not present in TokenSet")
        claims = await self._claims(metadata, str(tokens["id_token"]), kept.get("nonce"))
        if self._provider.value(self._env, "ID_TOKEN") == "false":
            bearer = {"Authorization": f"Bearer {tokens.get('access_token')}"}
            claims = await self._json("GET", metadata["userinfo_endpoint"], headers=bearer)
        return claims, tokens

    async def _discover(self) -> dict[str, Any]:
        if not self._provider.issuer:
            raise OidcError("the stand-in knows no token endpoint of this provider")
        return await self._json("GET", f"{self._provider.issuer}/.well-known/openid-configuration")

    async def _token(self, metadata: Mapping[str, Any], form: dict[str, str]) -> dict[str, Any]:
        method = self._provider.value(self._env, "CLIENT_AUTH_METHOD")
        headers = {}
        if method == "client_secret_basic":
            pair = f"{quote_plus(self._id)}:{quote_plus(self._secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        elif method == "client_secret_post":
            form |= {"client_id": self._id, "client_secret": self._secret}
        else:
            raise OidcError(f"the stand-in does not know the client authentication {method}")
        return await self._json("POST", metadata["token_endpoint"], data=form, headers=headers)

    async def _claims(self, metadata: Mapping[str, Any], token: str, nonce: str | None) -> dict[str, Any]:
        algorithm = self._provider.value(self._env, "ID_TOKEN_SIGNED_RESPONSE_ALG") or "RS256"
        keys = await self._json("GET", metadata["jwks_uri"])
        found = claims_of(token, keys.get("keys", []), algorithm)
        check_claims(found, str(metadata["issuer"]), self._id, nonce, time.time())
        return found

    async def _json(self, method: str, url: str, **options: Any) -> dict[str, Any]:
        milliseconds = float(self._env.text("AUTH_SSO_TIMEOUT") or _TIMEOUT_MS)
        proxy = self._env.text("AUTH_HTTPS_PROXY") or self._env.text("AUTH_HTTP_PROXY")
        limit = aiohttp.ClientTimeout(total=milliseconds / 1000)
        try:
            async with self._session.request(
                method, url, timeout=limit, proxy=proxy, allow_redirects=False, **options
            ) as answer:
                body = await answer.read()
        except TimeoutError:
            raise OidcError(f"outgoing request timed out after {milliseconds:.0f}ms") from None
        except (aiohttp.ClientError, OSError) as exc:
            raise OidcError(_said(exc)) from None
        try:
            told = json.loads(body)
        except ValueError:
            told = None
        if isinstance(told, dict) and answer.status >= 400 and "error" in told:
            more = f" ({told['error_description']})" if told.get("error_description") else ""
            raise OidcError(f"{told['error']}{more}")
        if answer.status != 200:
            raise OidcError(f"expected 200 OK, got: {answer.status} {answer.reason}")
        if not isinstance(told, dict):
            raise OidcError("failed to parse JSON from the response")
        return told


def _said(error: Exception) -> str:
    """Node's words for a way that is closed."""
    cause = getattr(error, "os_error", error)
    where = getattr(error, "host", ""), getattr(error, "port", "")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "unable to verify the first certificate"
    if isinstance(cause, socket.gaierror):
        return f"getaddrinfo ENOTFOUND {where[0]}"
    if isinstance(cause, ConnectionRefusedError):
        return f"connect ECONNREFUSED {where[0]}:{where[1]}"
    return str(error) or type(error).__name__


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(token: str, keys: list[dict[str, Any]], algorithm: str) -> dict[str, Any]:
    """The payload of a JWT whose signature one of the `keys` (JWKs, RSA only) made. Raises OidcError."""
    try:
        head, payload, signature = token.split(".")
        header, claims = json.loads(_unb64(head)), json.loads(_unb64(payload))
    except ValueError:
        raise OidcError("JWT is malformed") from None
    if header.get("alg") != algorithm:
        raise OidcError(f"unexpected JWT alg received, expected {algorithm}, got: {header.get('alg')}")
    if algorithm not in _HASHES:
        raise OidcError(f"the stand-in does not know the signature {algorithm}")
    for key in keys:
        if key.get("kty") != "RSA" or key.get("kid") != header.get("kid"):
            continue
        numbers = RSAPublicNumbers(
            int.from_bytes(_unb64(key["e"]), "big"),
            int.from_bytes(_unb64(key["n"]), "big"),
        )
        try:
            numbers.public_key().verify(
                _unb64(signature), f"{head}.{payload}".encode(), PKCS1v15(), _HASHES[algorithm]()
            )
        except InvalidSignature:
            break
        return dict(claims)
    raise OidcError("failed to validate JWT signature")


def check_claims(claims: Mapping[str, Any], issuer: str, client: str, nonce: str | None, now: float) -> None:
    """Raises OidcError unless the ID token is from this issuer, for this client, fresh, and of this sign-in."""
    for name in ("iss", "sub", "aud", "exp", "iat"):
        if name not in claims:
            raise OidcError(f"missing required JWT property {name}")
    if claims["iss"] != issuer:
        raise OidcError(f"unexpected iss value, expected {issuer}, got: {claims['iss']}")
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if client not in audience:
        raise OidcError(f"aud mismatch, expected {client}, got: {claims['aud']}")
    if claims["exp"] <= now:
        raise OidcError(f"id_token expired, now {now:.0f}, exp {claims['exp']}")
    if nonce is not None and claims.get("nonce") != nonce:
        raise OidcError(f"nonce mismatch, expected {nonce}, got: {claims.get('nonce')}")
