"""What cannot work is said before anything is made, at Keycloak or on the host."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.modules.conftest import call
from tests.molecule import canary, playbook
from tests.molecule.instance import Instance
from tests.molecule.sso import identity


def test_keycloak_is_not_believed_without_its_authority() -> None:
    """The module alone: with the authority it goes on, to a user that is not there."""
    options = identity.server().login(realm=identity.REALM, public_url=identity.URL, auth_username="nobody", wait=0)
    for ca_path, code in ((None, "keycloak_tls"), (identity.CA, "keycloak_wrong_password")):
        refused = call("keycloak_client", **{**options, "ca_path": ca_path})
        assert (refused["failed"], refused["code"]) == (True, code), refused


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"langfuse_keycloak_admin_password": "CanaryWrong"}, ["admin", "langfuse_keycloak_admin_password"]),
        ({"langfuse_ca_certificates": ""}, ["certificate verify failed", "langfuse_ca_certificates"]),
        ({"langfuse_sso_issuer": "https://keycloak:8443/realms/nowhere"}, ["nowhere"]),
        ({"langfuse_keycloak_admin_url": "https://keycloak-internal:8444"}, ["keycloak-internal:8444"]),
        ({"langfuse_sso_issuer": "https://keycloak:8443"}, ["does not end with /realms/ and a realm"]),
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
    assert not canary.HOSTS.found_in(run.output)
