"""The Keycloak of a platform: a container on a network of its own, with a realm and a user."""

from __future__ import annotations

import json

from ansible_collections.llmops.langfuse.plugins.module_utils import keycloak_client

from tests.bench import extras
from tests.bench.paths import find_paths
from tests.integration.modules import keycloak
from tests.integration.modules.visitor import Visitor
from tests.molecule import canary
from tests.molecule.instance import docker

# Users of the realm beside the one that every realm of the tests has.
FIRST, STRANGER = "first-user", "stranger"
NAME, NETWORK, REALM = "molecule-keycloak", "molecule-idp", "platform"
# A client that makes other ones.
AUTOMATION = "automation"
URL = "http://localhost:3530"
CALLBACK = f"{URL}/api/auth/callback/keycloak"


def server() -> keycloak.Server:
    return keycloak.Server(f"http://{address()}:8080")


def address() -> str:
    networks = json.loads(docker("inspect", NAME))[0]["NetworkSettings"]["Networks"]
    return str(networks[NETWORK]["IPAddress"])


def up() -> None:
    docker("network", "create", NETWORK, check=False)
    image = extras.ensure(find_paths(), "keycloak")
    place = ("--network", NETWORK, "--network-alias", "keycloak")
    docker("run", "-d", "--name", NAME, *place, *keycloak.OPTIONS, image, *keycloak.COMMAND)
    state = ("inspect", "-f", "{{.State.Status}}", NAME)
    keycloak.wait_until_ready(f"{address()}:9000", lambda: docker(*state).strip())
    realm = server().realm(REALM)
    server().user(realm, FIRST, keycloak.USER_PASSWORD, "admin@example.com")
    server().user(realm, STRANGER, keycloak.USER_PASSWORD, "stranger@example.com")

    automation = server().login(
        realm=REALM,
        client_id=AUTOMATION,
        public_url=f"http://{AUTOMATION}",
        secret=canary.OF_PROVIDERS["langfuse_keycloak_admin_client_secret"],
        standard_flow=False,
        pkce="none",
        service_account_roles=["manage-clients", "view-clients"],
    )
    keycloak_client.ensure(automation, False)


def change(**fields: object) -> None:
    """A hand in the client."""
    here = server()
    client = here.client(REALM)
    here.admin.call("PUT", f"realms/{REALM}/clients/{client['id']}", {**client, **fields})


def visitor() -> Visitor:
    """Somebody in front of the sign-in page of the scenario's instance."""
    return Visitor(URL, {"keycloak:8080": address()})


def away() -> None:
    """Nobody finds it any more; it goes on running."""
    docker("network", "disconnect", NETWORK, NAME)


def reachable() -> bool:
    return NETWORK in json.loads(docker("inspect", NAME))[0]["NetworkSettings"]["Networks"]


def back() -> None:
    docker("network", "connect", "--alias", "keycloak", NETWORK, NAME)


def down() -> list[str]:
    """What there was."""
    found = docker("ps", "-aq", "--filter", f"name=^{NAME}$").split()
    if found:
        docker("rm", "--force", "--volumes", *found, check=False)
    networks = docker("network", "ls", "-q", "--filter", f"name=^{NETWORK}$").split()
    if networks:
        docker("network", "rm", *networks, check=False)
    return [*found, *networks]


if __name__ == "__main__":
    up()
