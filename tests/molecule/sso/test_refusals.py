"""What cannot work is said before anything is made, at Keycloak or on the host."""

from __future__ import annotations

from typing import Any

import pytest

from tests.molecule import canary, playbook
from tests.molecule.instance import Instance
from tests.molecule.sso import identity


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"langfuse_keycloak_admin_password": "CanaryWrong"}, ["admin", "langfuse_keycloak_admin_password"]),
        ({"langfuse_sso_issuer": "http://keycloak:8080/realms/nowhere"}, ["nowhere"]),
        ({"langfuse_sso_issuer": "http://keycloak:8081/realms/platform"}, ["keycloak:8081"]),
        ({"langfuse_sso_issuer": "http://keycloak:8080"}, ["does not end with /realms/ and a realm"]),
        ({"keycloak_enabled": False}, ["langfuse_sso_enabled: is on with Keycloak while keycloak_enabled is off"]),
        (
            {"langfuse_sso_enabled": False, "langfuse_password_login_enabled": False},
            ["so nobody could sign in"],
        ),
    ],
)
def test_what_cannot_work(sso: Instance, variables: dict[str, Any], said: list[str]) -> None:
    run = playbook.site(sso, variables=variables, fails=True)
    run.mentions(*said)
    assert not sso.containers() and sso.secrets() == {}
    assert not identity.server().admin.get(f"realms/{identity.REALM}/clients", clientId="langfuse")
    assert not canary.found_in(run.output)
