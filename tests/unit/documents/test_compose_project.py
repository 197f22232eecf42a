"""The Compose project as data: what its services have in common, and who is recreated by which change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.compose.project import project
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import Document

from ..settings.cases import CERTIFICATE, GOOD
from ..settings.source_cases import S3
from ..settings.support import CANDIDATES, run

APPLICATION = {"langfuse-web", "langfuse-worker", "langfuse-migrate"}
STORES = {"postgres", "clickhouse", "valkey", "seaweedfs"}


def _documents(given: dict[str, Any] | None = None) -> dict[str, Document]:
    result = run({**GOOD, **(given or {})})
    assert not result.problems, result.problems
    return {document.path: document for document in project(result.plan, result.secrets)}


def _services(given: dict[str, Any] | None = None) -> dict[str, Any]:
    services: dict[str, Any] = _documents(given)["compose.yaml"].object["services"]
    return services


EXPIRING = {"langfuse_s3_events_expire_days": 30}


@pytest.mark.parametrize("service", sorted({*APPLICATION, *STORES, "seaweedfs-expiry"}))
def test_every_service_is_hardened_and_limited(service: str) -> None:
    found = _services(EXPIRING)[service]
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["user"].split(":")[0] != "0"
    assert found["mem_limit"].endswith("m")
    assert found["logging"]["options"] == {"max-size": "20m", "max-file": "5"}
    assert found["restart"] == ("no" if service == "langfuse-migrate" else "unless-stopped")


def test_what_deletes_old_objects_is_there_only_where_something_expires() -> None:
    name = "seaweedfs-expiry"
    assert name in _services({"langfuse_s3_exports_expire_days": 1})
    for given in ({}, {"langfuse_s3_events_expire_days": 0}, {**S3, **EXPIRING}):
        assert name not in _services(given)
    with_it = _documents(EXPIRING)["compose.yaml"].object
    assert name not in with_it["volumes"], "it keeps nothing"
    assert with_it["services"][name]["image"] == with_it["services"]["seaweedfs"]["image"]


def test_secrets_are_only_in_sensitive_documents_that_only_their_owner_reads() -> None:
    for document in _documents().values():
        text = document.content()
        holds = [
            name for name, value in CANDIDATES.items() if value in text and name != "langfuse_init_project_public_key"
        ]
        if document.sensitive:
            assert document.mode == "0600"
        else:
            assert not holds, (document.path, holds)


def test_secrets_of_the_extra_environment_are_in_the_env_files_alone() -> None:
    given = {"langfuse_extra_env": {"DD_API_KEY": "hidden-1"}, "langfuse_worker_extra_env": {"DD_API_KEY": "hidden-2"}}
    holds = {path: one.content() for path, one in _documents(given).items() if "hidden" in one.content()}
    assert holds.keys() == {"env/web.env", "env/worker.env"}
    assert 'DD_API_KEY="hidden-1"' in holds["env/web.env"] and 'DD_API_KEY="hidden-2"' in holds["env/worker.env"]


def test_stores_are_published_on_loopback_only() -> None:
    services = _services({"langfuse_bind_address": "0.0.0.0"})
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"langfuse-web": ["0.0.0.0:3030:3000"], "seaweedfs": ["127.0.0.1:9090:8333"]}


@pytest.mark.parametrize(
    ("given", "published", "reached", "closed"),
    [
        ("127.0.0.1", "127.0.0.1:3030:3000", "http://127.0.0.1:3030", True),
        ("0.0.0.0", "0.0.0.0:3030:3000", "http://127.0.0.1:3030", False),
        ("10.0.0.5", "10.0.0.5:3030:3000", "http://10.0.0.5:3030", False),
        ("::1", "[::1]:3030:3000", "http://[::1]:3030", True),
        ("[fd00::5]", "[fd00::5]:3030:3000", "http://[fd00::5]:3030", False),
        ("::", "[::]:3030:3000", "http://[::1]:3030", False),
    ],
)
def test_where_web_listens(given: str, published: str, reached: str, closed: bool) -> None:
    """And where the host itself reaches it."""
    variables = {"langfuse_bind_address": given}
    assert _services(variables)["langfuse-web"]["ports"] == [published]
    plan = run({**GOOD, **variables}).plan["compose"]
    assert plan["host_url"] == reached
    assert ("web" in [port["service"] for port in plan["closed_ports"]]) == closed


def _readers(given: dict[str, Any]) -> set[str]:
    """Services whose definition or environment changes."""
    before, after = _documents(), _documents(given)
    changed = set()
    for name in _services():
        definitions = [documents["compose.yaml"].object["services"][name] for documents in (before, after)]
        files = [[documents[path].content() for path in definitions[0]["env_file"]] for documents in (before, after)]
        if definitions[0] != definitions[1] or files[0] != files[1]:
            changed.add(name)
    return changed


@pytest.mark.parametrize(
    ("given", "readers"),
    [
        ({"langfuse_nextauth_secret": "n" * 40}, {"langfuse-web"}),
        ({"langfuse_redis_password": "r" * 40}, {"langfuse-web", "langfuse-worker", "valkey"}),
        ({"langfuse_session_max_age": 100}, {"langfuse-web"}),
        ({"langfuse_ingestion_clickhouse_max_attempts": 700}, {"langfuse-worker"}),
        ({"langfuse_worker_replicas": 2}, {"langfuse-worker"}),
        ({"langfuse_clickhouse_version": "26.9"}, {"clickhouse"}),
        ({"langfuse_worker_extra_env": {"LANGFUSE_S3_CONCURRENT_READS": "9"}}, {"langfuse-worker"}),
        ({"langfuse_valkey_memory": "1g"}, {"valkey"}),
        ({"langfuse_ca_certificates": CERTIFICATE}, APPLICATION),
        ({"langfuse_https_proxy": "http://proxy:3128"}, {"langfuse-web", "langfuse-worker"}),
        ({"langfuse_extra_volumes": ["/srv/models:/models"]}, {"langfuse-web", "langfuse-worker"}),
        ({"langfuse_labels": {"team": "ml"}}, {*APPLICATION, *STORES}),
        ({"langfuse_data_directory": "/srv/data"}, STORES),
    ],
)
def test_a_change_recreates_exactly_its_readers(given: dict[str, Any], readers: set[str]) -> None:
    assert _readers(given) == readers


def test_a_changed_mounted_file_changes_the_label_of_its_service() -> None:
    before, after = _services(), _services({"langfuse_clickhouse_version": "26.9"})
    assert before["clickhouse"]["labels"] != after["clickhouse"]["labels"]
    assert before["valkey"]["labels"] == after["valkey"]["labels"]


def test_changed_authorities_change_the_label_of_those_that_trust_them() -> None:
    given = {"langfuse_ca_certificates": CERTIFICATE}
    more = {"langfuse_ca_certificates": f"# twice\n{CERTIFICATE}{CERTIFICATE}"}
    before, after = _services(given), _services(more)
    assert {name for name in before if before[name] != after[name]} == APPLICATION
    (mount,) = before["langfuse-web"]["volumes"]
    assert mount["read_only"] is True
    # The folder: a file that is mounted by itself stays the old one when another takes its place.
    assert f"{mount['source']}/ca.pem" == "/opt/langfuse/langfuse/certificates/ca.pem"
    path = f"{mount['target']}/ca.pem"
    assert path == run({**GOOD, **given}).plan["env"]["worker"]["NODE_EXTRA_CA_CERTS"]
    assert _documents(given)["certificates/ca.pem"].content().endswith(CERTIFICATE)


def test_labels_are_text_beside_our_own() -> None:
    services = _services({"langfuse_labels": {"traefik.users": "u:$apr1$x"}})
    assert all(service["labels"]["traefik.users"] == "u:$$apr1$$x" for service in services.values())
    assert (
        services["valkey"]["labels"]["llmops.langfuse.files"]
        == _services()["valkey"]["labels"]["llmops.langfuse.files"]
    )
    assert "labels" not in _services()["langfuse-web"]


def test_extra_volumes_must_exist_and_are_seen_by_web_and_worker() -> None:
    services = _services({"langfuse_extra_volumes": ["/srv/$models:/models:ro", "/srv/cache:/cache"]})
    for name in ("langfuse-web", "langfuse-worker"):
        first, second = services[name]["volumes"]
        assert first == {
            "type": "bind",
            "source": "/srv/$$models",
            "target": "/models",
            "read_only": True,
            "bind": {"create_host_path": False},
        }
        assert second["target"] == "/cache" and "read_only" not in second
    assert "volumes" not in services["langfuse-migrate"]


def test_a_data_directory_takes_the_place_of_the_named_volumes() -> None:
    compose = _documents({"langfuse_data_directory": "/srv/data"})["compose.yaml"].object
    assert "volumes" not in compose
    assert compose["x-langfuse-data"] == "/srv/data/langfuse"
    for name in STORES:
        first = compose["services"][name]["volumes"][0]
        assert first["source"] == f"/srv/data/langfuse/{name}"
        # A disk that is not mounted must not look like an empty store.
        assert first["bind"] == {"create_host_path": False}
    named = _documents()["compose.yaml"].object
    assert set(named["volumes"]) == STORES and "x-langfuse-data" not in named


def test_the_profile_setting_is_written_for_servers_that_need_it_only() -> None:
    name = "input_format_read_datetime_number_as_raw_value"
    assert name not in _documents({"langfuse_clickhouse_version": "26.7"})["clickhouse/users.xml"].content()
    assert (
        f"<{name}>1</{name}>" in _documents({"langfuse_clickhouse_version": "26.8"})["clickhouse/users.xml"].content()
    )


@pytest.mark.parametrize(
    ("version", "mount"),
    [("17.11", "postgres:/var/lib/postgresql/data"), ("18.6", "postgres:/var/lib/postgresql")],
)
def test_the_data_of_postgresql_lies_where_its_image_keeps_it(version: str, mount: str) -> None:
    assert _services({"langfuse_postgres_version": version})["postgres"]["volumes"] == [mount]


def test_health_checks_heal_and_never_ask_ready() -> None:
    for service in ("langfuse-web", "langfuse-worker"):
        (_kind, check) = _services({"langfuse_stuck_seconds": 77})[service]["healthcheck"]["test"]
        assert "kill -KILL -1" in check and "-lt 77 ]" in check
        assert "/ready" not in check


def test_web_has_the_time_to_drain() -> None:
    assert int(_services()["langfuse-web"]["stop_grace_period"].rstrip("s")) > 111


def test_overrides_are_merged_and_null_removes() -> None:
    given = {"services": {"langfuse-web": {"hostname": "web", "mem_limit": None}, "valkey": {"mem_limit": "1g"}}}
    services = _services({"langfuse_compose_overrides": given})
    assert services["langfuse-web"]["hostname"] == "web"
    assert "mem_limit" not in services["langfuse-web"]
    assert services["valkey"]["mem_limit"] == "1g"
    assert services["valkey"]["read_only"] is True


def test_same_input_gives_the_same_bytes() -> None:
    assert json.dumps([d.as_data() for d in _documents().values()]) == json.dumps(
        [d.as_data() for d in _documents().values()]
    )
