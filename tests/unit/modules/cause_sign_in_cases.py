# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence of a sign-in that fails, and the causes that it has."""

from __future__ import annotations

from .cause_cases import Cases

SSO = {
    "provider": "keycloak",
    "issuer": "https://kc/realms/a",
    "client": "lf",
    "callback": "http://lf/c",
    "offered": ["keycloak"],
}
REFUSED = {"verdict": "refused", "said": "no"}

CASES: Cases = [
    ("sign-in", {"sign_in": {"status": 401, "error": "CredentialsSignin"}}, ("sign_in",), ["sign_in_failed:error"]),
    ("sign-in, server broken", {"sign_in": {"status": 500, "error": ""}}, ("sign_in",), ["sign_in_failed:error"]),
    (
        "a password that is right explains nothing",
        {"sign_in": {"status": 200, "error": "", "step": None}, "sso": {**SSO, "request": REFUSED}},
        ("sign_in",),
        ["sso_redirect_refused:error"],
    ),
    ("provider not offered", {"sso": {**SSO, "offered": ["credentials"]}}, ("sign_in",), ["sso_not_offered:error"]),
    ("provider away", {"sso": {**SSO, "error": "OAuthSignin"}}, ("sign_in",), ["sso_issuer_unreachable:error"]),
    ("callback unknown", {"sso": {**SSO, "request": REFUSED}}, ("sign_in",), ["sso_redirect_refused:error"]),
    ("sent back", {"sso": {**SSO, "request": {**REFUSED, "verdict": "sent_back"}}}, ("sign_in",), ["sso_request_refused:error"]),
    ("secret wrong", {"sso": {**SSO, "secret": REFUSED}}, ("sign_in",), ["sso_client_secret:error"]),
    (
        "callback unknown and secret wrong",
        {"sso": {**SSO, "request": REFUSED, "secret": REFUSED}},
        ("sign_in",),
        ["sso_redirect_refused:error", "sso_client_secret:error"],
    ),
    ("issuer differs", {"sso": {**SSO, "issuer_found": "https://other/"}}, (), ["sso_issuer_differs:warning"]),
    ("issuer with a slash", {"sso": {**SSO, "issuer_found": "https://kc/realms/a/"}}, (), []),
]  # fmt: skip
