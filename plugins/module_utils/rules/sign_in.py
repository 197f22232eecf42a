# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Causes in the sign-in: the first user's password, and the provider (login through it fails)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.hops import sso
from ansible_collections.llmops.langfuse.plugins.module_utils.rules.base import WARNING, Evidence, Found, Rule

# next-auth's line about a provider that it cannot read: a code, then a link and the reason, which may be on a line of its own.
REASON = r"errors#signin_oauth_error (?P<reason>[^{]{1,200})"


def sign_in_failed(e: Evidence) -> Found | None:
    fact = e.of("sign_in")
    if not fact or not e.failed("sign_in") or (fact.get("status") or 0) >= 500 or fact.get("kind"):
        return None
    if fact.get("step", "") is None:
        return None
    person = e.of("postgres").get("person") or {}
    if person and not person.get("found"):
        reason = "PostgreSQL holds no such user"
    elif fact.get("error"):
        reason = f"Langfuse says {fact['error']}"
    else:
        reason = e.detail("sign_in")
    return {"reason": reason, "seen": f"step {fact.get('step')}, status {fact.get('status')}"}


def sso_not_offered(e: Evidence) -> Found | None:
    fact = e.of("sso")
    offered = fact.get("offered")
    if offered is None or fact["provider"] in offered:
        return None
    return {"provider": fact["provider"], "seen": f"offered: {', '.join(offered)}"}


def sso_issuer_unreachable(e: Evidence) -> Found | None:
    """Web refuses with OAuthSignin when it cannot read the provider's configuration; why stands in its log only."""
    fact = e.of("sso")
    if fact.get("error") != "OAuthSignin":
        return None
    told = e.log(REASON, "web")
    reason = told["reason"].strip() if told is not None else "its log says why (SIGNIN_OAUTH_ERROR)"
    where = f"{fact['issuer']}{sso.DISCOVERY}" if fact.get("issuer") else f"the configuration of {fact['provider']}"
    return {"where": where, "reason": reason, "seen": "next-auth: OAuthSignin"}


def _client(fact: Mapping[str, Any]) -> dict[str, Any]:
    return {"provider": fact["provider"], "client": fact.get("client"), "callback": fact.get("callback")}


def _said(e: Evidence, subject: str, verdict: str) -> Found | None:
    answer = e.of("sso").get(subject) or {}
    return {**_client(e.of("sso")), "said": answer["said"], "seen": ""} if answer.get("verdict") == verdict else None


def sso_redirect_refused(e: Evidence) -> Found | None:
    return _said(e, "request", sso.REFUSED)


def sso_request_refused(e: Evidence) -> Found | None:
    return _said(e, "request", sso.SENT_BACK)


def sso_client_secret(e: Evidence) -> Found | None:
    found = _said(e, "secret", sso.REFUSED)
    if found is None:
        return None
    keycloak = found["provider"] == "keycloak"
    return {**found, "variable": "langfuse_keycloak_client_secret" if keycloak else "langfuse_sso_client_secret"}


def sso_issuer_differs(e: Evidence) -> Found | None:
    fact = e.of("sso")
    found = fact.get("issuer_found")
    if not found or sso.same_issuer(found, fact["issuer"]):
        return None
    return {"found": found, "issuer": fact["issuer"], "provider": fact["provider"], "seen": ""}


RULES = (
    Rule(
        "sign_in_failed",
        "sign_in",
        sign_in_failed,
        "The first user cannot sign in: {reason}.",
        "langfuse_init_user_password acts only when the user is created: reset the password in Langfuse, or correct "
        "it and langfuse_init_user_email. langfuse_public_url must be the address in the browser.",
    ),
    Rule(
        "sso_not_offered",
        "sign_in",
        sso_not_offered,
        "Web does not offer sign-in through {provider}.",
        "Take what begins with AUTH_ out of langfuse_extra_env and langfuse_web_extra_env and run site: web ignores a provider "
        "without a word unless client, secret and issuer are all there.",
    ),
    Rule(
        "sso_issuer_unreachable",
        "sign_in",
        sso_issuer_unreachable,
        "Web cannot read {where}: {reason}.",
        "Start the provider, or correct langfuse_sso_issuer. Web must know its name (langfuse_compose_networks, "
        "langfuse_extra_hosts) and trust its certificate (langfuse_ca_certificates).",
    ),
    Rule(
        "sso_redirect_refused",
        "sign_in",
        sso_redirect_refused,
        "{provider} does not know client {client} or its callback {callback}: {said}.",
        "Run provision, which mends a client at Keycloak where langfuse_keycloak_admin_user is set; else register exactly "
        "this callback URL at the client that langfuse_sso_client_id names.",
    ),
    Rule(
        "sso_request_refused",
        "sign_in",
        sso_request_refused,
        "{provider} sends people back to Langfuse without signing them in: {said}.",
        "Run provision, which mends a client at Keycloak where langfuse_keycloak_admin_user is set; else allow client "
        "{client} the standard flow, the scopes of langfuse_sso_scope and the checks of langfuse_sso_checks.",
    ),
    Rule(
        "sso_client_secret",
        "sign_in",
        sso_client_secret,
        "{provider} refuses the secret of client {client}: {said}.",
        "Run provision, which writes the secret at Keycloak where langfuse_keycloak_admin_user is set; else write the "
        "client's secret into {variable} and run site.",
    ),
    Rule(
        "sso_issuer_differs",
        "sign_in",
        sso_issuer_differs,
        "{provider} calls itself {found}, while web asks it as {issuer}: its tokens and pages carry the other address.",
        "Set langfuse_sso_issuer to {found} if web reaches it there (langfuse_extra_hosts), or correct the provider's own "
        "host name (KC_HOSTNAME of Keycloak).",
        WARNING,
    ),
)
