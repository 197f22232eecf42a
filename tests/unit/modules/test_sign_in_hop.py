# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the hop through the sign-in concludes from answers of web and of a provider."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.hops import nextauth, session, sso
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import Finding


def test_what_next_auth_says() -> None:
    def said(status: int, body: Any) -> str:
        return nextauth.error_of(http_client.Response(status, [], json.dumps(body).encode(), 1))

    assert (
        said(401, {"url": "http://h/api/auth/error?error=Invalid%20credentials&provider=credentials"})
        == "Invalid credentials"
    )
    assert said(200, {"url": "http://h"}) == ""
    assert nextauth.error_of(http_client.Response(302, [("Location", "/auth/error?error=X")], b"", 1)) == "X"


def test_facts_of_a_session() -> None:
    organizations = [
        {"name": "A", "role": "VIEWER", "projects": [{"id": "one"}]},
        {"name": "B", "role": "OWNER", "projects": [{"id": "two"}]},
    ]
    user = {"user": {"email": "a@b", "organizations": organizations}}
    assert session.session_facts(user, "two") == {"email": "a@b", "role": "OWNER", "organization": "B"}
    assert session.session_facts(user, None)["role"] == "VIEWER"
    assert session.session_facts(user, "three") == {"email": "a@b", "role": "", "organization": ""}
    assert session.session_facts({}, "two")["email"] == ""


CALLBACK = "http://localhost:3030/api/auth/callback/keycloak"


@pytest.mark.parametrize(
    ("status", "location", "page", "verdict", "said"),
    [
        (200, "", "<title>Sign in to platform</title>", sso.ACCEPTED, "200"),
        (302, "https://id.example.com/login?state=x", "", sso.ACCEPTED, "302"),
        (303, f"{CALLBACK}?code=x", "", sso.ACCEPTED, "303"),
        (
            400,
            "",
            "<title>Sign in</title><p>Invalid parameter: redirect_uri</p>",
            sso.REFUSED,
            "400 Invalid parameter: redirect_uri",
        ),
        (400, "", "<p>Client not found.</p>", sso.REFUSED, "400 Client not found"),
        (403, "", "<title> Oops </title>", sso.REFUSED, "403 Oops"),
        (404, "", "", sso.REFUSED, "404"),
        (302, "https://id.example.com/oauth/error?authError=abc", "", sso.REFUSED, "abc"),
        (
            302,
            f"{CALLBACK}?error=invalid_scope&error_description=No+such",
            "",
            sso.SENT_BACK,
            "invalid_scope (No such)",
        ),
        (502, "", "", sso.UNCLEAR, "502"),
    ],
)
def test_answers_to_an_authorization_request(status: int, location: str, page: str, verdict: str, said: str) -> None:
    assert sso.to_request(status, location, page, CALLBACK) == (verdict, said)


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({"error": "invalid_grant"}, sso.ACCEPTED),
        ({"error": "invalid_client"}, sso.REFUSED),
        ({"error": "unauthorized_client"}, sso.REFUSED),
        ({"error": "invalid_request"}, sso.UNCLEAR),
        ({}, sso.UNCLEAR),
        (None, sso.UNCLEAR),
    ],
)
def test_answers_to_a_code_that_nobody_was_given(body: Any, verdict: str) -> None:
    assert sso.to_secret(body).verdict == verdict


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("https://a/", "https://a", True), ("https://a", "https://a", True), ("http://a", "https://a", False)],
)
def test_a_slash_does_not_make_another_issuer(one: str, other: str, same: bool) -> None:
    assert sso.same_issuer(one, other) == same


@pytest.mark.parametrize(
    ("request_", "secret", "found", "status", "said"),
    [
        (sso.ACCEPTED, sso.ACCEPTED, "https://a", "ok", "keycloak knows client, callback and secret"),
        (sso.ACCEPTED, sso.UNCLEAR, "", "ok", "keycloak knows client and callback"),
        (sso.UNCLEAR, sso.UNCLEAR, "", "ok", "unseen from here: away"),
        (sso.REFUSED, sso.REFUSED, "https://a", "failed", "its callback http://c"),
        (sso.SENT_BACK, sso.ACCEPTED, "https://a", "failed", "sends people back: said"),
        (sso.ACCEPTED, sso.REFUSED, "https://a", "failed", "refuses the secret of client lf: said"),
        (sso.ACCEPTED, sso.ACCEPTED, "https://b", "warning", "calls itself https://b, not https://a"),
    ],
)
def test_what_is_told_of_a_provider(request_: str, secret: str, found: str, status: str, said: str) -> None:
    record = {"provider": "keycloak", "client": "lf", "callback": "http://c", "issuer": "https://a"}
    record |= {"issuer_found": found}
    facts = {**record, "unreachable": {"text": "away"}}
    finding = sso.judge(facts, sso.Answer(request_, "said"), sso.Answer(secret, "said"))
    assert finding.status == status
    assert said in finding.detail


def test_sign_in_is_as_good_as_its_worst_way() -> None:
    skipped, fine, broken = (Finding(status, status) for status in ("skipped", "ok", "failed"))
    assert session.worst(skipped, skipped) == skipped
    assert session.worst(skipped, fine) == fine
    assert session.worst(fine, fine) == Finding("ok", "ok; ok")
    assert session.worst(fine, broken) == broken
    assert session.worst(broken, fine) == broken
