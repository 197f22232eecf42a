"""Sign-in through a provider: sets that work, and bad input for each of its rules."""

from __future__ import annotations

from typing import Any

from .cases import Bad

KEYCLOAK: dict[str, Any] = {
    "keycloak_enabled": True,
    "langfuse_sso_enabled": True,
    "langfuse_sso_issuer": "https://keycloak.example.com/realms/platform",
    "langfuse_keycloak_client_secret": "canary-of-the-client",
}
ADMINISTERED: dict[str, Any] = {
    **{name: value for name, value in KEYCLOAK.items() if "secret" not in name},
    "langfuse_keycloak_admin_user": "admin",
    "langfuse_keycloak_admin_password": "canary-keycloak-admin",
}


def other(provider: str, **settings: Any) -> dict[str, Any]:
    """A complete set for another provider."""
    return {
        "langfuse_sso_enabled": True,
        "langfuse_sso_provider": provider,
        "langfuse_sso_client_id": "canary-client",
        "langfuse_sso_client_secret": "canary-of-the-client",
        **{f"langfuse_sso_{name}": value for name, value in settings.items()},
    }


def _without(given: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in names}


CASES = (
    Bad("sso_switches", {"langfuse_password_login_enabled": False}, "langfuse_password_login_enabled"),
    Bad("sso_switches", {"langfuse_sso_enforced_domains": ["example.com"]}, "langfuse_sso_enforced_domains"),
    Bad("sso_switches", _without(KEYCLOAK, "keycloak_enabled"), "langfuse_sso_enabled"),
    Bad("sso_settings", _without(KEYCLOAK, "langfuse_keycloak_client_secret"), "langfuse_keycloak_client_secret"),
    Bad("sso_settings", _without(KEYCLOAK, "langfuse_sso_issuer"), "langfuse_sso_issuer"),
    Bad("sso_settings", _without(other("github"), "langfuse_sso_client_secret"), "langfuse_sso_client_secret"),
    Bad("sso_settings", other("azure_ad"), "langfuse_sso_tenant_id"),
    Bad("sso_settings", other("workos"), "langfuse_sso_organization_id"),
    Bad("sso_settings", other("custom", issuer="https://id.example.com"), "langfuse_sso_name"),
    Bad("sso_settings", other("github", tenant_id="x"), "langfuse_sso_tenant_id"),
    Bad("sso_settings", other("workos", connection_id="x", checks=["state"]), "langfuse_sso_checks"),
    Bad("sso_issuer", {**KEYCLOAK, "langfuse_sso_issuer": "keycloak.example.com"}, "langfuse_sso_issuer"),
    Bad("sso_issuer", {**KEYCLOAK, "langfuse_sso_issuer": "https://keycloak.example.com"}, "langfuse_sso_issuer"),
    Bad("sso_issuer", other("authentik", issuer="https://id.example.com/langfuse"), "langfuse_sso_issuer"),
    Bad("sso_issuer", {**KEYCLOAK, "langfuse_sso_issuer": "http://keycloak:80x/realms/a"}, "langfuse_sso_issuer"),
    Bad("sso_issuer", {**KEYCLOAK, "langfuse_sso_issuer": "http://[::1/realms/a"}, "langfuse_sso_issuer"),
    Bad(
        "inside_a_container", {**KEYCLOAK, "langfuse_sso_issuer": "http://localhost:80/realms/a"}, "langfuse_sso_issuer"
    ),
    Bad(
        "sso_addresses", {**ADMINISTERED, "langfuse_keycloak_admin_url": "keycloak:8080"}, "langfuse_keycloak_admin_url"
    ),
    Bad("sso_scope", {**KEYCLOAK, "langfuse_sso_scope": "email profile"}, "langfuse_sso_scope"),
    Bad("sso_scope", {**KEYCLOAK, "langfuse_sso_scope": "openid,email,profile"}, "langfuse_sso_scope"),
    Bad("sso_addresses", other("github_enterprise", base_url="git.example.com"), "langfuse_sso_base_url"),
    *(
        Bad("sso_domains", {**KEYCLOAK, "langfuse_sso_enforced_domains": [domain]}, "langfuse_sso_enforced_domains")
        for domain in ("@example.org", "Example.org", "example.org ", "localhost")
    ),
    Bad("sso_domains", other("google", allowed_domains=["@example.com"]), "langfuse_sso_allowed_domains"),
    Bad(
        "sso_administrator",
        {**KEYCLOAK, "langfuse_keycloak_admin_client_secret": "canary-automation"},
        "langfuse_keycloak_admin_client_id",
    ),
    Bad(
        "sso_administrator",
        {**KEYCLOAK, "langfuse_keycloak_admin_client_id": "automation"},
        "langfuse_keycloak_admin_client_secret",
    ),
    *(
        Bad("locked_out", {**KEYCLOAK, **closed}, "langfuse_sso_account_linking")
        for closed in (
            {"langfuse_password_login_enabled": False},
            {"langfuse_sso_enforced_domains": ["example.com"]},
        )
    ),
    Bad(
        "sso_administrator",
        _without(ADMINISTERED, "langfuse_keycloak_admin_password"),
        "langfuse_keycloak_admin_password",
    ),
    Bad("sso_administrator", {**KEYCLOAK, "langfuse_keycloak_admin_url": "http://k"}, "langfuse_keycloak_admin_user"),
    Bad("sso_administrator", {**KEYCLOAK, "langfuse_keycloak_admin_realm": "it"}, "langfuse_keycloak_admin_user"),
    Bad("sso_unused", {"langfuse_sso_issuer": "https://id.example.com"}, "langfuse_sso_issuer"),
    Bad("sso_unused", _without(KEYCLOAK, "langfuse_sso_enabled"), "langfuse_keycloak_client_secret"),
    Bad("sso_unused", {**other("github"), "langfuse_keycloak_admin_user": "admin"}, "langfuse_keycloak_admin_user"),
    Bad("sso_unused", {**KEYCLOAK, "langfuse_sso_client_secret": "canary-other"}, "langfuse_sso_client_secret"),
    Bad("allowed_hosts", {"langfuse_llm_allowed_hosts": ["http://litellm:4000"]}, "langfuse_llm_allowed_hosts"),
    Bad("allowed_hosts", {"langfuse_extra_hosts": {"keycloak": "somewhere"}}, "langfuse_extra_hosts"),
)
