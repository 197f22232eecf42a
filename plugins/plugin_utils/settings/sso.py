# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign-in through a provider: what each one needs, and what it becomes in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from .hosts import split
from .plan import EnvValue, Secretly, Settings

KEYCLOAK = "keycloak"
# What the application asks a provider for unless told otherwise.
DEFAULT_SCOPE = "openid email profile"


@dataclass(frozen=True)
class Provider:
    """What a provider needs beside client and secret.

    `needs` are settings it cannot do without, `takes` those it can have. Each is `langfuse_sso_<name>`.
    `needs_one_of`: one of them must be set. `hosts` are what web asks where no setting says another place, or beside it.
    """

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    needs_one_of: tuple[str, ...] = ()
    checks: bool = True
    hosts: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.needs, *self.needs_one_of, *self.takes)


PROVIDERS: Mapping[str, Provider] = {
    KEYCLOAK: Provider(("issuer",), ("name", "scope")),
    "auth0": Provider(("issuer",)),
    "authentik": Provider(("issuer",)),
    "azure_ad": Provider(("tenant_id",), hosts=("login.microsoftonline.com", "graph.microsoft.com")),
    "cognito": Provider(("issuer",), hosts=("*.auth.*.amazoncognito.com",)),
    "custom": Provider(("issuer", "name"), ("scope",)),
    "github": Provider(hosts=("github.com", "api.github.com")),
    "github_enterprise": Provider(("base_url",)),
    "gitlab": Provider((), ("issuer", "base_url"), hosts=("gitlab.com",)),
    "google": Provider((), ("allowed_domains",), hosts=("accounts.google.com", "*.googleapis.com")),
    "jumpcloud": Provider(("issuer",), ("scope",)),
    "okta": Provider(("issuer",)),
    "onelogin": Provider(("issuer",)),
    "wordpress": Provider(hosts=("public-api.wordpress.com",)),
    "workos": Provider((), (), ("organization_id", "connection_id"), checks=False, hosts=("api.workos.com",)),
}
# Settings that only some providers have.
PARTICULAR = tuple(dict.fromkeys(name for provider in PROVIDERS.values() for name in provider.all))
# Setting → how its environment name ends, where that is not its own name.
_ENDS = {("gitlab", "base_url"): "URL"}


def secret_name(settings: Settings) -> str:
    """The variable with the client's secret."""
    keycloak = settings["langfuse_sso_provider"] == KEYCLOAK
    return "langfuse_keycloak_client_secret" if keycloak else "langfuse_sso_client_secret"


def callback_url(settings: Settings, url: str) -> str | None:
    """What the provider must let the instance be called back at."""
    if not settings["langfuse_sso_enabled"]:
        return None
    return f"{url}/api/auth/callback/{_id(settings)}"


def _id(settings: Settings) -> str:
    """The provider's name in addresses."""
    return str(settings["langfuse_sso_provider"]).replace("_", "-")


def addresses(settings: Settings) -> list[str]:
    """URLs of the hosts that web asks when somebody signs in. Empty without a provider."""
    if not settings["langfuse_sso_enabled"]:
        return []
    name = settings["langfuse_sso_provider"]
    told = [url for url in (settings["langfuse_sso_issuer"], settings["langfuse_sso_base_url"]) if url]
    # GitLab of one's own is not also elsewhere.
    hosts = () if told and name == "gitlab" else PROVIDERS[name].hosts
    return [*told, *(f"https://{host}" for host in hosts)]


def proof(settings: Settings) -> dict[str, Any]:
    """What the walk proves: the `provider`, and the variable with its `secret`. Empty without one."""
    if not settings["langfuse_sso_enabled"]:
        return {}
    issuer = (settings["langfuse_sso_issuer"] or "").rstrip("/")
    return {"provider": {"provider": _id(settings), "issuer": issuer}, "secret": secret_name(settings)}


def environment(settings: Settings) -> dict[str, EnvValue]:
    """What web needs for it (facts 7)."""
    found: dict[str, EnvValue] = {}
    if not settings["langfuse_password_login_enabled"]:
        found |= {"AUTH_DISABLE_USERNAME_PASSWORD": "true"}
    if not settings["langfuse_sso_enabled"]:
        return found
    name = settings["langfuse_sso_provider"]
    start, provider = f"AUTH_{name.upper()}", PROVIDERS[name]
    found[f"{start}_CLIENT_ID"] = settings["langfuse_sso_client_id"]
    found[f"{start}_CLIENT_SECRET"] = Secretly(secret_name(settings))
    for setting in provider.all:
        if value := settings[f"langfuse_sso_{setting}"]:
            text = ",".join(value) if isinstance(value, list) else str(value)
            # Discovery appends its path to the issuer as it is.
            found[f"{start}_{_ENDS.get((name, setting), setting.upper())}"] = text.rstrip("/")
    if settings["langfuse_sso_account_linking"]:
        found[f"{start}_ALLOW_ACCOUNT_LINKING"] = "true"
    if chosen := checks(settings):
        found[f"{start}_CHECKS"] = ",".join(chosen)
    if domains := settings["langfuse_sso_enforced_domains"]:
        found["AUTH_DOMAINS_WITH_SSO_ENFORCEMENT"] = ",".join(domains)
    return found


def checks(settings: Settings) -> list[str]:
    """Checks of the sign-in; none leaves the provider's own."""
    own = ["pkce", "state"] if settings["langfuse_sso_provider"] == KEYCLOAK else []
    return list(settings["langfuse_sso_checks"] or own)


def makes_client(values: Mapping[str, Any] | Settings) -> bool:
    """Whether the collection makes the client at Keycloak."""
    return bool(
        values["langfuse_sso_enabled"]
        and values["langfuse_sso_provider"] == KEYCLOAK
        and (values["langfuse_keycloak_admin_user"] or values["langfuse_keycloak_admin_client_secret"])
    )


def client(settings: Settings, url: str) -> dict[str, Any]:
    """What is made at Keycloak: `keycloak` and options of `keycloak_client` without secrets. Empty where nothing is."""
    options = client_options(settings, url)
    if options is None or not makes_client(settings):
        return {}
    issuer = split(settings["langfuse_sso_issuer"].rstrip("/"))
    base = issuer.path.rpartition("/realms/")[0]
    administrator = {
        "url": (settings["langfuse_keycloak_admin_url"] or f"{issuer.scheme}://{issuer.netloc}{base}").rstrip("/"),
        "auth_realm": settings["langfuse_keycloak_admin_realm"],
        "auth_client_id": settings["langfuse_keycloak_admin_client_id"] or "admin-cli",
        "auth_username": settings["langfuse_keycloak_admin_user"] or None,
    }
    return {KEYCLOAK: {**administrator, **options}}


def client_options(settings: Settings, url: str) -> dict[str, Any] | None:
    """The client that the instance signs in with, whoever makes it; None without Keycloak."""
    if not settings["langfuse_sso_enabled"] or settings["langfuse_sso_provider"] != KEYCLOAK:
        return None
    scopes = (settings["langfuse_sso_scope"] or DEFAULT_SCOPE).split()
    realm = split(settings["langfuse_sso_issuer"].rstrip("/")).path.rpartition("/realms/")[2]
    return {
        # As the name of the realm is, not as an address has it.
        "realm": unquote(realm),
        "client_id": settings["langfuse_sso_client_id"],
        "root_url": url,
        "redirect_uris": [callback_url(settings, url)],
        "web_origins": [url],
        "post_logout_redirect_uris": [url],
        # A client that demands what the instance does not send refuses every sign-in.
        "pkce": "S256" if "pkce" in checks(settings) else "none",
        # One that the client has not is refused at sign-in. openid is no scope of a client.
        "default_scopes": ["basic", *(scope for scope in scopes if scope not in ("basic", "openid"))],
        "requested_scopes": scopes,
    }


def signs_in(settings: Settings) -> bool:
    """Whether there is a first user, who can sign in with the password."""
    email = settings["langfuse_init_user_email"] or ""
    enforced = [domain.lower() for domain in settings["langfuse_sso_enforced_domains"]]
    return bool(
        email and settings["langfuse_password_login_enabled"] and email.rpartition("@")[2].lower() not in enforced
    )


def advice(settings: Settings) -> list[str]:
    """What surprises people who turn it on, and is no mistake."""
    if not settings["langfuse_sso_enabled"]:
        return []
    found = []
    if not settings["langfuse_signup_enabled"]:
        found.append(
            "langfuse_sso_enabled: whom Langfuse does not know yet is refused, because langfuse_signup_enabled is off, which "
            "holds for every way of signing in. To let them in by the provider only, set langfuse_signup_enabled: true and "
            "langfuse_password_login_enabled: false"
        )
    if settings["langfuse_init_user_email"] and not settings["langfuse_sso_account_linking"]:
        found.append(
            f"langfuse_sso_enabled: {settings['langfuse_init_user_email']} cannot sign in through the provider, because that "
            "address has a password already; langfuse_sso_account_linking: true joins the two"
        )
    return found
