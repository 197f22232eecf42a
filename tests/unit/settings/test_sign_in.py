"""Sign-in through a provider: what web gets, what is made at Keycloak, what is told."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings import environment_schema as schema
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.sso import PROVIDERS

from .cases import GOOD
from .sign_in_cases import ADMINISTERED, KEYCLOAK, other
from .support import CANDIDATES, run

# The first user comes in through the provider too.
LINKED = {**KEYCLOAK, "langfuse_sso_account_linking": True}
SETS: dict[str, dict[str, Any]] = {
    "keycloak": KEYCLOAK,
    "auth0": other("auth0", issuer="https://t.auth0.com"),
    "authentik": other("authentik", issuer="https://id.example.com/application/o/langfuse"),
    "azure_ad": other("azure_ad", tenant_id="tenant"),
    "cognito": other("cognito", issuer="https://cognito-idp.eu-west-1.amazonaws.com/pool"),
    "custom": other("custom", issuer="https://id.example.com", name="Our own", scope="openid email"),
    "github": other("github"),
    "github_enterprise": other("github_enterprise", base_url="https://git.example.com"),
    "gitlab": other("gitlab", base_url="https://gitlab.example.com", issuer="https://gitlab.example.com"),
    "google": other("google", allowed_domains=["example.com", "example.org"]),
    "jumpcloud": other("jumpcloud", issuer="https://oauth.id.jumpcloud.com"),
    "okta": other("okta", issuer="https://t.okta.com"),
    "onelogin": other("onelogin", issuer="https://t.onelogin.com/oidc/2"),
    "wordpress": other("wordpress"),
    "workos": other("workos", organization_id="org_1"),
}


def _environment(given: dict[str, Any], service: str = "web") -> dict[str, str]:
    result = run({**GOOD, **given})
    assert not result.problems, list(map(str, result.problems))
    return {
        name: value if isinstance(value, str) else result.secrets[value["secret"]]
        for name, value in result.plan["env"][service].items()
    }


def test_every_provider_is_here() -> None:
    assert set(SETS) == set(PROVIDERS)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_gets_what_the_application_reads(provider: str) -> None:
    start = f"AUTH_{provider.upper()}_"
    environment = _environment({**SETS[provider], "langfuse_sso_account_linking": True})
    found = {name: value for name, value in environment.items() if name.startswith(start)}
    assert found[f"{start}CLIENT_SECRET"] == "canary-of-the-client"
    assert found[f"{start}ALLOW_ACCOUNT_LINKING"] == "true"
    # Every setting that was given has become a name of its own.
    particular = [n for n in SETS[provider] if n.startswith("langfuse_sso_")]
    assert len(found) >= len(particular) - 2
    for name, value in found.items():
        assert schema.reads("web", name), name
        assert schema.unfit(name, value) is None, name
    assert not [name for name in _environment(SETS[provider], "worker") if name.startswith("AUTH_") and "SSO" in name]


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        (KEYCLOAK, "AUTH_KEYCLOAK_ISSUER", "https://keycloak.example.com/realms/platform"),
        (
            {**KEYCLOAK, "langfuse_sso_issuer": "https://keycloak.example.com/realms/platform/"},
            "AUTH_KEYCLOAK_ISSUER",
            "https://keycloak.example.com/realms/platform",
        ),
        (KEYCLOAK, "AUTH_KEYCLOAK_CHECKS", "pkce,state"),
        ({**KEYCLOAK, "langfuse_sso_checks": ["nonce"]}, "AUTH_KEYCLOAK_CHECKS", "nonce"),
        (SETS["gitlab"], "AUTH_GITLAB_URL", "https://gitlab.example.com"),
        (SETS["google"], "AUTH_GOOGLE_ALLOWED_DOMAINS", "example.com,example.org"),
        (
            {**LINKED, "langfuse_sso_enforced_domains": ["example.com"]},
            "AUTH_DOMAINS_WITH_SSO_ENFORCEMENT",
            "example.com",
        ),
        ({**LINKED, "langfuse_password_login_enabled": False}, "AUTH_DISABLE_USERNAME_PASSWORD", "true"),
    ],
)
def test_environment(given: dict[str, Any], name: str, value: str) -> None:
    assert _environment(given)[name] == value


def test_without_sign_in_through_a_provider_nothing_is_set() -> None:
    names = {"AUTH_DISABLE_SIGNUP", "AUTH_SESSION_MAX_AGE"}
    assert {name for name in _environment({}) if name.startswith("AUTH_")} == names
    plan = run(GOOD).plan
    assert (plan["provision"], plan["sso_callback_url"]) == ({}, None)


def test_the_secret_of_a_client_that_is_made_is_drawn_and_no_administrator_stays() -> None:
    result = run({**GOOD, **ADMINISTERED})
    assert "langfuse_keycloak_client_secret" in result.generated
    assert _environment(ADMINISTERED)["AUTH_KEYCLOAK_CLIENT_SECRET"] == CANDIDATES["langfuse_keycloak_client_secret"]
    assert "langfuse_keycloak_client_secret" not in run(GOOD).secrets
    for service in ("web", "worker", "migrate"):
        assert "canary-keycloak-admin" not in _environment(ADMINISTERED, service).values()


def test_the_client_at_keycloak() -> None:
    public = {
        "langfuse_public_url": "https://langfuse.example.com",
        "langfuse_s3_public_endpoint": "https://langfuse.example.com",
    }
    plan = run({**GOOD, **ADMINISTERED, **public}).plan
    assert plan["provision"]["keycloak"] == {
        "url": "https://keycloak.example.com",
        "auth_realm": "master",
        "auth_client_id": "admin-cli",
        "auth_username": "admin",
        "realm": "platform",
        "client_id": "langfuse",
        "root_url": "https://langfuse.example.com",
        "redirect_uris": ["https://langfuse.example.com/api/auth/callback/keycloak"],
        "web_origins": ["https://langfuse.example.com"],
        "post_logout_redirect_uris": ["https://langfuse.example.com"],
        "pkce": "S256",
        "default_scopes": ["basic", "email", "profile"],
        "requested_scopes": ["openid", "email", "profile"],
    }
    unproved = run({**GOOD, **ADMINISTERED, "langfuse_sso_checks": ["state"]}).plan
    assert unproved["provision"]["keycloak"]["pkce"] == "none"
    assert plan["sso_callback_url"] == plan["provision"]["keycloak"]["redirect_uris"][0]
    assert run({**GOOD, **KEYCLOAK}).plan["provision"] == {}


def test_a_client_can_make_the_client() -> None:
    given = {name: value for name, value in ADMINISTERED.items() if "admin" not in name}
    robot = {
        "langfuse_keycloak_admin_client_id": "automation",
        "langfuse_keycloak_admin_client_secret": "canary-automation",
    }
    result = run({**GOOD, **given, **robot})
    made = result.plan["provision"]["keycloak"]
    assert (made["auth_client_id"], made["auth_username"]) == ("automation", None)
    assert result.secrets["langfuse_keycloak_admin_client_secret"] == "canary-automation"
    assert "langfuse_keycloak_client_secret" in result.generated


def test_scopes_that_are_asked_for_are_those_of_the_client() -> None:
    """Keycloak refuses a sign-in that asks for one that the client has not."""
    given = {**GOOD, **ADMINISTERED, "langfuse_sso_scope": "openid email groups"}
    made = run(given).plan["provision"]["keycloak"]
    assert made["requested_scopes"] == ["openid", "email", "groups"]
    assert made["default_scopes"] == ["basic", "email", "groups"]
    assert _environment(given)["AUTH_KEYCLOAK_SCOPE"] == "openid email groups"


def test_a_realm_with_a_blank_is_called_by_its_name() -> None:
    given = {**GOOD, **ADMINISTERED, "langfuse_sso_issuer": "https://sso.example.com/realms/Our%20users"}
    assert run(given).plan["provision"]["keycloak"]["realm"] == "Our users"


def test_an_old_keycloak_has_a_path_before_its_realms() -> None:
    given = {**ADMINISTERED, "langfuse_sso_issuer": "https://sso.example.com/auth/realms/a"}
    assert run({**GOOD, **given}).plan["provision"]["keycloak"]["url"] == "https://sso.example.com/auth"
    inside = {**given, "langfuse_keycloak_admin_url": "http://keycloak:8080/auth/"}
    assert run({**GOOD, **inside}).plan["provision"]["keycloak"]["url"] == "http://keycloak:8080/auth"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (KEYCLOAK, ["whom Langfuse does not know yet is refused", "langfuse_sso_account_linking"]),
        ({**KEYCLOAK, "langfuse_sso_account_linking": True}, ["whom Langfuse does not know yet is refused"]),
        ({**KEYCLOAK, "langfuse_signup_enabled": True}, ["langfuse_sso_account_linking"]),
        ({}, []),
    ],
)
def test_what_surprises_people_is_told(given: dict[str, Any], said: list[str]) -> None:
    warnings = run({**GOOD, **given}).warnings
    assert len(warnings) == len(said)
    for text, part in zip(warnings, said, strict=True):
        assert part in text


@pytest.mark.parametrize("service", ["web", "worker"])
def test_private_hosts_of_models_are_allowed_in_both(service: str) -> None:
    environment = _environment({"langfuse_llm_allowed_hosts": ["litellm", "vllm"]}, service)
    assert environment["LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST"] == "litellm,vllm"


def test_an_instance_with_users_may_be_closed() -> None:
    """Its users may have accounts at the provider; it is a warning then."""
    closed = {**GOOD, **KEYCLOAK, "langfuse_password_login_enabled": False}
    assert [problem.variable for problem in run(closed).problems] == ["langfuse_sso_account_linking"]
    assert run(closed, stored={"langfuse_salt": CANDIDATES["langfuse_salt"]}).problems == ()
    assert run({**closed, "langfuse_sso_account_linking": True}).problems == ()
    assert run({**closed, "langfuse_signup_enabled": True}).problems == ()


@pytest.mark.parametrize(
    ("given", "proved"),
    [
        ({}, {}),
        (
            {**KEYCLOAK, "langfuse_sso_issuer": "https://keycloak.example.com/realms/platform/"},
            {
                "provider": {"provider": "keycloak", "issuer": "https://keycloak.example.com/realms/platform"},
                "secret": "langfuse_keycloak_client_secret",
            },
        ),
        (
            SETS["azure_ad"],
            {"provider": {"provider": "azure-ad", "issuer": ""}, "secret": "langfuse_sso_client_secret"},
        ),
    ],
)
def test_what_the_walk_proves_of_the_provider(given: dict[str, Any], proved: dict[str, Any]) -> None:
    assert run({**GOOD, **given}).plan["health"]["sso"] == proved


def test_settings_that_do_nothing_are_all_named_in_one_sentence() -> None:
    given = {name: value for name, value in ADMINISTERED.items() if name != "langfuse_sso_enabled"}
    (problem,) = run({**GOOD, **given}).problems
    assert str(problem).count("langfuse_sso_enabled") == 2
    for name in ("langfuse_keycloak_admin_user", "langfuse_keycloak_admin_password", "langfuse_sso_issuer"):
        assert name in str(problem)


def test_a_setting_that_says_nothing_is_no_problem() -> None:
    given = {"langfuse_sso_issuer": "", "langfuse_sso_account_linking": False, "langfuse_sso_checks": []}
    assert run({**GOOD, **given}).problems == ()
