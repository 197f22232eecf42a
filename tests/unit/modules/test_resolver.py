# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of the containers, as every client of the modules finds them."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import compose, http_client, resolver


def _address(host: Any) -> str:
    return str(socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)[0][4][0])


def test_known_names_come_before_the_resolver_and_others_after_it() -> None:
    asked: list[str] = []

    def otherwise() -> dict[str, str]:
        asked.append("once")
        return {"db.invalid": "192.0.2.2", "localhost": "192.0.2.9"}

    with resolver.known({"Files.invalid": "192.0.2.1", "v6.invalid": "fd00::1"}, otherwise):
        assert [_address(name) for name in ("files.invalid", b"FILES.invalid")] == ["192.0.2.1", "192.0.2.1"]
        assert _address("v6.invalid") == "fd00::1"
        assert _address("localhost") in ("127.0.0.1", "::1") and not asked
        assert _address("db.invalid") == "192.0.2.2"
        with pytest.raises(socket.gaierror):
            _address("nobody.invalid")
    with pytest.raises(socket.gaierror):
        _address("files.invalid")


def test_a_claimed_name_is_asked_for_before_the_resolver() -> None:
    """In a pod names of Services resolve, and a search domain with a wildcard resolves anything."""
    others = {"localhost": "192.0.2.9"}
    with resolver.known({}, lambda: others, lambda name: name == "localhost"):
        assert _address("LOCALHOST") == "192.0.2.9"
    with resolver.known({"localhost": "192.0.2.1"}, lambda: others, lambda _name: True):
        assert _address("localhost") == "192.0.2.1"
        # What nobody claims to know after all is where it always was.
        assert _address("127.0.0.7") == "127.0.0.7"


def test_the_gateway_is_the_address_of_docker_s_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    told = '[{"IPAM": {"Config": [{"Subnet": "fd00::/64"}, {"Gateway": "172.17.0.1"}]}}]'
    monkeypatch.setattr(compose, "docker", lambda *_words: (0, told, ""))
    given = {"host.docker.internal": "host-gateway", "idp": "10.0.0.7"}
    assert compose.host_addresses(given) == {"host.docker.internal": "172.17.0.1", "idp": "10.0.0.7"}
    monkeypatch.setattr(compose, "docker", lambda *_words: (1, "", "no such network"))
    assert compose.host_addresses(given) == {"idp": "10.0.0.7"}


@pytest.mark.parametrize(
    ("host", "port", "text"), [("db", 5432, "db:5432"), ("fd00::1", 80, "[fd00::1]:80"), ("10.0.0.7", 1, "10.0.0.7:1")]
)
def test_an_ipv6_address_has_brackets_in_urls(host: str, port: int, text: str) -> None:
    assert http_client.netloc(host, port) == text
    client = http_client.Client(f"http://{text}")
    assert (client.host, client.port) == (host, port)
