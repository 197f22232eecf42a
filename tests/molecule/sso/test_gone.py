"""Taken away with its name: the client at Keycloak stays, and is told. Nothing else of it is elsewhere."""

from __future__ import annotations

from tests.molecule import playbook, snapshot
from tests.molecule.instance import Instance
from tests.molecule.sso import identity


def test_teardown_names_the_client_that_stays(sso: Instance) -> None:
    done = playbook.run(sso, "llmops.langfuse.teardown", variables={"langfuse_teardown_data": sso.name})
    done.mentions("Its client langfuse in realm platform of Keycloak is kept")
    snapshot.everything_gone(sso)
    assert sso.secrets() == {}
    assert identity.server().client(identity.REALM)
