# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign-in through a provider: complete sets, and nobody locked out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..cluster_secrets import is_there
from ..hosts import split
from ..plan import Settings
from ..problems import Problem
from ..sso import DEFAULT_SCOPE, KEYCLOAK, PARTICULAR, PROVIDERS, secret_name, signs_in
from .urls import is_web


def sso_switches(settings: Settings) -> Iterator[Problem]:
    if not settings["langfuse_sso_enabled"]:
        if not settings["langfuse_password_login_enabled"]:
            yield Problem(
                "langfuse_password_login_enabled",
                "is off while langfuse_sso_enabled is off, so nobody could sign in",
                "Set langfuse_sso_enabled: true and its provider, or leave passwords on",
            )
        if settings["langfuse_sso_enforced_domains"]:
            yield Problem(
                "langfuse_sso_enforced_domains",
                "is set while langfuse_sso_enabled is off, so those users could not sign in",
                "Set langfuse_sso_enabled: true, or remove it",
            )
    elif settings["langfuse_sso_provider"] == KEYCLOAK and not settings["keycloak_enabled"]:
        yield Problem(
            "langfuse_sso_enabled",
            "is on with Keycloak while keycloak_enabled is off",
            "Set keycloak_enabled: true, or choose another langfuse_sso_provider",
        )


def sso_unused(settings: Settings) -> Iterator[Problem]:
    """What is set and would do nothing. A value that says nothing (empty, off) is no setting."""
    starts: tuple[str, ...]
    if not settings["langfuse_sso_enabled"]:
        starts, why = ("langfuse_sso_", "langfuse_keycloak_"), "langfuse_sso_enabled is off"
        cure = "Set langfuse_sso_enabled: true, or remove"
    elif settings["langfuse_sso_provider"] != KEYCLOAK:
        starts, why = ("langfuse_keycloak_",), f"langfuse_sso_provider is {settings['langfuse_sso_provider']}"
        cure = "Remove"
    else:
        starts, why = ("langfuse_sso_client_secret",), "Keycloak has langfuse_keycloak_client_secret"
        cure = "Write it there, and remove"
    # Those have a rule of their own, which says more.
    own = ("langfuse_sso_enabled", "langfuse_sso_enforced_domains")
    found = sorted(name for name in settings.given if name.startswith(starts) and settings[name] and name not in own)
    if found:
        others = f"; so are {', '.join(found[1:])}" if found[1:] else ""
        yield Problem(
            found[0], f"is set and does nothing, because {why}{others}", f"{cure} {'them' if others else 'it'}"
        )


def sso_settings(settings: Settings) -> Iterator[Problem]:
    """Langfuse ignores a provider whose set is not complete, without a word (facts 7)."""
    if not settings["langfuse_sso_enabled"]:
        return
    name = settings["langfuse_sso_provider"]
    provider = PROVIDERS[name]
    for setting in provider.needs:
        if not settings[f"langfuse_sso_{setting}"]:
            yield Problem(f"langfuse_sso_{setting}", f"is missing, and {name} needs it", "Write what the provider says")
    if provider.needs_one_of and not any(settings[f"langfuse_sso_{one}"] for one in provider.needs_one_of):
        others = " or ".join(f"langfuse_sso_{one}" for one in provider.needs_one_of)
        yield Problem(f"langfuse_sso_{provider.needs_one_of[0]}", f"is missing, and {name} needs {others}", "Write one")
    for setting in PARTICULAR:
        if settings[f"langfuse_sso_{setting}"] and setting not in provider.all:
            yield Problem(f"langfuse_sso_{setting}", f"is set, and {name} does not take it", "Remove it")
    if settings["langfuse_sso_checks"] and not provider.checks:
        yield Problem("langfuse_sso_checks", f"is set, and {name} does not take it", "Remove it")
    secret = secret_name(settings)
    if not is_there(settings, secret):
        cure = "Write the secret of the client"
        if name == KEYCLOAK:
            cure += ", or name an administrator (langfuse_keycloak_admin_user) to have the client made"
        yield Problem(secret, f"is missing, and {name} needs it", cure)


def sso_issuer(settings: Settings) -> Iterator[Problem]:
    issuer, name = settings["langfuse_sso_issuer"], settings["langfuse_sso_provider"]
    if not settings["langfuse_sso_enabled"] or not issuer:
        return
    parts = split(issuer)
    if not is_web(issuer):
        yield Problem("langfuse_sso_issuer", "is not an http or https URL", "Write it as the provider's tokens have it")
    elif name == KEYCLOAK and not re.search(r"/realms/[^/]+/?$", parts.path):
        yield Problem(
            "langfuse_sso_issuer",
            "does not end with /realms/ and a realm",
            "Write it like https://keycloak.example.com/realms/platform",
        )
    elif name == "authentik" and not re.fullmatch(r"/application/o/[^/]+/?", parts.path):
        yield Problem(
            "langfuse_sso_issuer",
            "is not https://<domain>/application/o/<slug>, without which web does not start",
            "Copy it from the provider's OpenID configuration",
        )


def sso_scope(settings: Settings) -> Iterator[Problem]:
    """Whom the provider sends back with a token that says nothing of a person is refused by web."""
    scope = settings["langfuse_sso_scope"]
    if settings["langfuse_sso_enabled"] and scope and "openid" not in scope.split():
        yield Problem(
            "langfuse_sso_scope",
            "has no openid, without which no provider says who signs in",
            f"Write it with spaces between the scopes, like {DEFAULT_SCOPE}",
        )


def sso_addresses(settings: Settings) -> Iterator[Problem]:
    for name, like in (
        ("langfuse_sso_base_url", "https://git.example.com"),
        ("langfuse_keycloak_admin_url", "http://keycloak:8080"),
    ):
        if settings[name] and not is_web(settings[name]):
            yield Problem(name, "is not an http or https URL", f"Write it like {like}")


def sso_domains(settings: Settings) -> Iterator[Problem]:
    """Langfuse compares them as they are with what follows the @."""
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    for name in ("langfuse_sso_enforced_domains", "langfuse_sso_allowed_domains"):
        for domain in settings[name]:
            if not re.fullmatch(rf"{label}(\.{label})+", domain):
                yield Problem(
                    name, f"has {domain!r}, which is not a domain in lower case", "Write it like example.com, without @"
                )


def locked_out(settings: Settings) -> Iterator[Problem]:
    """On an instance that has users already it is allowed: they may have accounts at the provider."""
    if (
        settings["langfuse_sso_enabled"]
        and "langfuse_salt" in settings.generated
        and settings["langfuse_init_user_email"]
        and not signs_in(settings)
        and not settings["langfuse_signup_enabled"]
        and not settings["langfuse_sso_account_linking"]
    ):
        yield Problem(
            "langfuse_sso_account_linking",
            "is off while sign-up is closed and the first user may not use a password, so nobody could ever sign in",
            "Turn it on to let the first user in through the provider, or set langfuse_signup_enabled: true",
        )


def sso_administrator(settings: Settings) -> Iterator[Problem]:
    if not settings["langfuse_sso_enabled"] or settings["langfuse_sso_provider"] != KEYCLOAK:
        return
    if settings["langfuse_keycloak_admin_user"] and not settings["langfuse_keycloak_admin_password"]:
        yield Problem(
            "langfuse_keycloak_admin_password", "is missing while langfuse_keycloak_admin_user is set", "Write it"
        )
    user, client, secret = (
        settings[f"langfuse_keycloak_admin_{name}"] for name in ("user", "client_id", "client_secret")
    )
    if secret and not client:
        yield Problem(
            "langfuse_keycloak_admin_client_id",
            "is missing while langfuse_keycloak_admin_client_secret is set",
            "Name the client that it belongs to",
        )
    if client and not secret and not user:
        yield Problem(
            "langfuse_keycloak_admin_client_secret",
            "is missing while langfuse_keycloak_admin_client_id is set",
            "Write it",
        )
    if user or client or secret:
        return
    for name in ("langfuse_keycloak_admin_url", "langfuse_keycloak_admin_realm"):
        # The realm that holds anyway says nothing.
        if name in settings.given and settings[name] not in (None, "", "master"):
            yield Problem(
                "langfuse_keycloak_admin_user",
                f"is missing while {name} is set",
                f"Name the administrator, or remove {name}",
            )


def allowed_hosts(settings: Settings) -> Iterator[Problem]:
    for name, values in (
        ("langfuse_llm_allowed_hosts", settings["langfuse_llm_allowed_hosts"]),
        ("langfuse_extra_hosts", settings["langfuse_extra_hosts"]),
    ):
        for host in values:
            if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", host):
                yield Problem(name, f"has {host}, which is not a host name", "Write it like litellm, without a port")
    for host, address in settings["langfuse_extra_hosts"].items():
        if not re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F:]+|host-gateway", str(address)):
            yield Problem(
                "langfuse_extra_hosts",
                f"says that {host} is at something else than an address",
                "Write it like 10.0.0.7",
            )


RULES = (
    sso_switches,
    sso_unused,
    sso_settings,
    sso_issuer,
    sso_scope,
    sso_addresses,
    sso_domains,
    locked_out,
    sso_administrator,
    allowed_hosts,
)
