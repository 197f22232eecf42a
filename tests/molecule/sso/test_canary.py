"""No secret of a provider shows while its client is made, changed, or given by hand."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.molecule import canary, playbook
from tests.molecule.instance import ROOT, Instance
from tests.molecule.sso import identity

SECRETS = canary.OF_PROVIDERS
GROUP = ROOT / "molecule" / "sso" / "inventory" / "group_vars" / "langfuse_sso.yml"
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "keycloak": (
        {"langfuse_keycloak_client_secret": SECRETS["langfuse_keycloak_client_secret"]},
        "AUTH_KEYCLOAK_CLIENT_SECRET",
        SECRETS["langfuse_keycloak_client_secret"],
    ),
    "keycloak by a client": (
        {
            "langfuse_keycloak_admin_user": "",
            "langfuse_keycloak_admin_password": "",
            "langfuse_keycloak_admin_realm": identity.REALM,
            "langfuse_keycloak_admin_client_id": identity.AUTOMATION,
            "langfuse_keycloak_admin_client_secret": SECRETS["langfuse_keycloak_admin_client_secret"],
            "langfuse_keycloak_client_secret": "CanaryAnother-of-the-client",
        },
        "AUTH_KEYCLOAK_CLIENT_SECRET",
        "CanaryAnother-of-the-client",
    ),
    "github": (
        {
            "langfuse_sso_provider": "github",
            "langfuse_sso_scope": "",
            "langfuse_sso_issuer": "",
            "langfuse_keycloak_admin_url": "",
            "langfuse_keycloak_admin_user": "",
            "langfuse_keycloak_admin_password": "",
            "langfuse_sso_client_secret": SECRETS["langfuse_sso_client_secret"],
        },
        "AUTH_GITHUB_CLIENT_SECRET",
        SECRETS["langfuse_sso_client_secret"],
    ),
}


@pytest.mark.parametrize(("variables", "name", "value"), CASES.values(), ids=CASES)
def test_a_changed_secret_shows_nowhere(sso: Instance, variables: dict[str, Any], name: str, value: str) -> None:
    given = yaml.safe_load(GROUP.read_text())["langfuse_keycloak_admin_password"]
    assert given == SECRETS["langfuse_keycloak_admin_password"]
    with canary.HOSTS.watched_processes() as processes:
        predicted = playbook.site(sso, "--check", *playbook.LOUD, variables=variables)
        done = playbook.site(sso, *playbook.LOUD, variables=variables)
    assert predicted.changed and done.changed
    assert f"{name}={value}" in sso.container("langfuse-web").details["Config"]["Env"]
    canary.assert_hidden(sso, predicted.output + done.output, processes)
