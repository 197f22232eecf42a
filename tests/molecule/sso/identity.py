"""The Keycloak of a platform: a container on a network of its own, with a realm and a user, behind HTTPS.

Its certificate is of a private authority. People know it by one name, those who administrate by another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.llmops.langfuse.plugins.module_utils import keycloak_client

from tests.bench import extras
from tests.bench.catalogue import base_reference
from tests.bench.paths import find_paths
from tests.integration import certificates
from tests.integration.modules import keycloak
from tests.integration.modules.visitor import Visitor
from tests.molecule import canary
from tests.molecule.instance import BASE, docker

# Users of the realm beside the one that every realm of the tests has.
FIRST, STRANGER = "first-user", "stranger"
NAME, IMPOSTOR = "molecule-keycloak", "molecule-keycloak-impostor"
NETWORK, REALM = "molecule-idp", "platform"
HOME = BASE / "sso" / "keycloak"
CA = str(HOME / "ca.pem")
PUBLIC, INTERNAL = "keycloak", "keycloak-internal"
PORT, MANAGEMENT = 8443, 9000
ISSUER = f"https://{PUBLIC}:{PORT}/realms/{REALM}"
COMMAND = (
    *("start", "--optimized", "--cache=local"),
    *("--https-certificate-file=/tls/server.pem", "--https-certificate-key-file=/tls/server.key"),
    # Whoever comes by the internal name is told pages of the public one, and may go on by the internal one.
    *(f"--hostname=https://{PUBLIC}:{PORT}", "--hostname-backchannel-dynamic=true"),
)
# A server at that port that nobody gets an answer from without believing its certificate.
ANSWERS = f"""
import http.server, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/server.pem", "/tls/server.key")
server = http.server.HTTPServer(("", {PORT}), http.server.BaseHTTPRequestHandler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
# A client that makes other ones.
AUTOMATION = "automation"
URL = "http://localhost:3530"
CALLBACK = f"{URL}/api/auth/callback/keycloak"


def server() -> keycloak.Server:
    return keycloak.Server(f"https://{PUBLIC}:{PORT}", CA, [f"{PUBLIC}:{PORT}:{address()}"])


def address() -> str:
    networks = json.loads(docker("inspect", NAME))[0]["NetworkSettings"]["Networks"]
    return str(networks[NETWORK]["IPAddress"])


def _aliases(option: str) -> list[str]:
    return [f"{option}={name}" for name in (PUBLIC, INTERNAL)]


def up() -> None:
    docker("network", "create", NETWORK, check=False)
    HOME.mkdir(parents=True, exist_ok=True)
    certificates.write(HOME, PUBLIC, INTERNAL)
    image = extras.ensure(find_paths(), "keycloak")
    place = ("--network", NETWORK, *_aliases("--network-alias"), "-v", f"{HOME}:/tls:ro")
    docker("run", "-d", "--name", NAME, *place, *keycloak.OPTIONS, image, *COMMAND)
    state = ("inspect", "-f", "{{.State.Status}}", NAME)
    management = f"{PUBLIC}:{MANAGEMENT}"
    known = {management: address()}
    keycloak.wait_until_ready(f"https://{management}", lambda: docker(*state).strip(), ca_path=CA, resolve=known)
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
    return Visitor(URL, {f"{PUBLIC}:{PORT}": address()}, CA)


def away() -> None:
    """Nobody finds it any more; it goes on running."""
    docker("network", "disconnect", NETWORK, NAME)


def reachable() -> bool:
    return NETWORK in json.loads(docker("inspect", NAME))[0]["NetworkSettings"]["Networks"]


def back() -> None:
    docker("network", "connect", *_aliases("--alias"), NETWORK, NAME)


@contextmanager
def impostor() -> Iterator[None]:
    """Somebody else under its name, with a certificate for that name. It must be away meanwhile."""
    place = HOME / "impostor"
    place.mkdir(exist_ok=True)
    certificates.write(place, PUBLIC)
    options = ("--name", IMPOSTOR, "--network", NETWORK, f"--network-alias={PUBLIC}", "-v", f"{place}:/tls:ro")
    docker("run", "-d", *options, base_reference(), "python3", "-c", ANSWERS)
    try:
        yield
    finally:
        docker("rm", "--force", IMPOSTOR)


def down() -> list[str]:
    """What there was."""
    found = docker("ps", "-aq", "--filter", f"name=^({NAME}|{IMPOSTOR})$").split()
    if found:
        docker("rm", "--force", "--volumes", *found, check=False)
    networks = docker("network", "ls", "-q", "--filter", f"name=^{NETWORK}$").split()
    if networks:
        docker("network", "rm", *networks, check=False)
    return [*found, *networks]


if __name__ == "__main__":
    up()
