# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How what the collection knows becomes options of the modules, and what these say becomes words of the collection."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import (
    clickhouse,
    existing_stores,
    libraries,
    postgresql,
    postgresql_database,
    redis_client,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure, joined
from ansible_collections.llmops.langfuse.plugins.module_utils.s3 import buckets as s3_buckets
from ansible_collections.llmops.langfuse.plugins.modules import existing_stores as module

STORES: dict[str, dict[str, Any]] = {
    "postgres": {"host": "db", "port": 5432, "sslmode": "disable", "database": "langfuse", "user": "langfuse"},
    "clickhouse": {"url": "http://ch:8123", "cluster": False, "database": "langfuse", "user": "langfuse"},
    "redis": {"mode": "single", "host": "redis", "port": 6379, "nodes": [], "tls": False, "prefix": "l:"},
    "s3": {"endpoint": "http://minio:9000", "region": "us-east-1", "path_style": True, "buckets": ["events"]},
    "keycloak": {"url": "http://keycloak:8080", "realm": "platform", "client_id": "langfuse"},
}


def built(store: str, secrets: dict[str, str] | None = None, **more: Any) -> existing_stores.Store:
    spec = module.argument_spec()
    group = {name: option.get("default") for name, option in (spec[store].get("options") or {}).items()}
    params: dict[str, Any] = {name: option.get("default") for name, option in spec.items()}
    params[store] = {**group, **STORES[store], **more}
    return existing_stores._BUILDERS[store]({**params, **(secrets or {})}, None, False)


@pytest.mark.parametrize("store", STORES)
def test_no_store_is_waited_for_long(store: str) -> None:
    """They run already, and a wrong address is to be told soon."""
    assert built(store).options["wait"] == 5


@pytest.mark.parametrize(
    ("store", "more", "said", "told"),
    [
        ("postgres", {"admin_user": "dba"}, "Correct login_user.", "Correct langfuse_postgres_admin_user."),
        ("postgres", {}, "Correct login_user.", "Correct langfuse_postgres_user."),
        ("postgres", {}, "Set login_database to one.", "Set langfuse_postgres_database to one."),
        ("clickhouse", {}, "Name ca_path.", "Name langfuse_ca_certificates."),
        (
            "postgres",
            {},
            "Name another one in the option database, or set force: true.",
            "Name another one in langfuse_postgres_database, or run the module postgresql_database with force: true.",
        ),
        ("redis", {}, "Set force: true.", "Run the module redis_acl_user with force: true."),
        ("clickhouse", {}, "Name another one in the option user.", "Name another one in langfuse_clickhouse_user."),
        ("redis", {}, "Take another username.", "Take another langfuse_redis_username."),
        ("keycloak", {}, "Choose another client_id.", "Choose another langfuse_sso_client_id."),
        (
            "s3",
            {},
            "Start the store, or correct the endpoint; it",
            "Start the store, or correct langfuse_s3_endpoint; it",
        ),
        (
            "s3",
            {},
            "Name the CA of the store's certificate, or correct the scheme of the endpoint.",
            "Name the CA of the store's certificate in langfuse_ca_certificates, or correct the scheme of langfuse_s3_endpoint.",
        ),
        ("s3", {}, "Correct the name or the region.", "Correct the name or langfuse_s3_region."),
        (
            "keycloak",
            {},
            "Correct default_scopes and optional_scopes, or create them.",
            "Correct langfuse_sso_scope, or create them.",
        ),
        *(
            ("keycloak", {}, said, said)
            for said in ("http://kc, realm master refused user admin.", "Realm a has no client scope email.")
        ),
        (
            "keycloak",
            {},
            "Create the realm, or correct realm (its name).",
            "Create the realm, or correct the realm of langfuse_sso_issuer (its name).",
        ),
        ("keycloak", {}, "Add the scope email; or", "Add the scope email to langfuse_sso_scope; or"),
        (
            "keycloak",
            {},
            "Correct auth_client_id and auth_client_secret.",
            "Correct langfuse_keycloak_admin_client_id and langfuse_keycloak_admin_client_secret.",
        ),
    ],
)
def test_variables_are_named_in_place_of_options(store: str, more: dict[str, Any], said: str, told: str) -> None:
    assert existing_stores._words(said, built(store, **more)) == told


def refused_logins(user: str) -> dict[str, Failure]:
    """Store → what its module says of a refused login."""
    where = redis_client.Where("redis", 6379, user=user)
    refused = redis_client.ServerError(redis_client.PASSWORD, "WRONGPASS")
    return {
        "postgres": postgresql_database.explain(postgresql.Refused("password authentication failed"), "db:5432", user),
        "clickhouse": clickhouse.explain(
            clickhouse.QueryError(516, "no"), clickhouse.Server("http://ch:8123", user, "", None)
        ),
        "redis": redis_client.explain(refused, where),
    }


@pytest.mark.parametrize("user", ["langfuse", "the shop. its admin:"])
@pytest.mark.parametrize("name", ["postgres", "clickhouse", "redis"])
def test_a_refused_login_names_the_variable_of_its_password(name: str, user: str) -> None:
    """Whoever it was, and of several each."""
    first = refused_logins(user)[name]
    both = joined([first, refused_logins("root")[name]])

    def ensure(_options: Any, _check_mode: bool) -> dict[str, Any]:
        raise both

    users = {user: f"langfuse_{name}_password", "root": f"langfuse_{name}_admin_password", "other": "langfuse_other"}
    with pytest.raises(Failure) as raised:
        existing_stores._told(existing_stores.Store(name, ensure, built(name).options, users), True)
    said = f"The password is langfuse_{name}_password. The password is langfuse_{name}_admin_password."
    assert said in raised.value.cure and "langfuse_other" not in raised.value.cure


def prepared(monkeypatch: pytest.MonkeyPatch, ensure: Any, unread: dict[str, str] | None = None) -> dict[str, Any]:
    """What becomes of all stores in a check while each is looked at by ``ensure(name)``."""
    monkeypatch.setattr(existing_stores, "_told", lambda store, _check: ensure(store.name))
    spec = module.argument_spec()
    params = {name: option.get("default") for name, option in spec.items()}
    for store, given in STORES.items():
        group = {name: option.get("default") for name, option in (spec[store].get("options") or {}).items()}
        params[store] = {**group, **given}
    return existing_stores.prepare(params, None, True, unread)


def test_libraries_that_are_missing_are_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs them all, beside what else is wrong."""

    def ensure(name: str) -> dict[str, Any]:
        if name == "postgres":
            raise libraries.missing("psycopg[binary]")
        if name in ("redis", "s3"):
            raise ImportError(name={"redis": "redis", "s3": "botocore.config"}[name])
        raise Failure("other", f"{name} is wrong.", "Mend it.")

    with pytest.raises(Failure) as raised:
        prepared(monkeypatch, ensure)
    errors = raised.value.details["errors"]
    assert len(errors) == 3 and errors[:2] == ["clickhouse is wrong. Mend it.", "keycloak is wrong. Mend it."]
    assert "-m pip install 'psycopg[binary]' redis botocore" in errors[2]


def test_stores_whose_secret_cannot_be_read_are_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ensure(name: str) -> dict[str, Any]:
        asked.append(name)
        return {"changed": False}

    why = "there is no Secret theirs in ai"
    unread = {"redis_sentinel_password": why, "gcs_credentials": why, "keycloak_client_secret": why}
    result = prepared(monkeypatch, ensure, unread)
    assert sorted(asked) == ["clickhouse", "postgres"]
    assert [notice.split(":")[0] for notice in result["notices"]] == ["redis", "s3", "keycloak"]
    assert all(why in notice for notice in result["notices"])


BACKUPS = {"bucket": "kept", "folder": "langfuse-postgresql"}


@pytest.mark.parametrize(
    ("keys", "made", "key"),
    [
        ({}, ["events", "kept"], ("own", "own-secret")),
        (
            {"s3_backup_access_key": "apart", "s3_backup_secret_key": "apart-secret"},
            ["events"],
            ("apart", "apart-secret"),
        ),
        (
            {
                "s3_backup_access_key": "apart",
                "s3_backup_secret_key": "apart-secret",
                "s3_admin_access_key": "boss",
                "s3_admin_secret_key": "boss-secret",
            },
            ["events", "kept"],
            ("apart", "apart-secret"),
        ),
        ({"s3_admin_access_key": "boss", "s3_admin_secret_key": "x"}, ["events", "kept"], ("own", "own-secret")),
    ],
)
def test_who_makes_the_bucket_of_backups_and_whose_key_is_tried(
    monkeypatch: pytest.MonkeyPatch, keys: dict[str, str], made: list[str], key: tuple[str, str]
) -> None:
    tried: list[tuple[str, str, bool]] = []
    asked: list[list[str]] = []

    def ensure(options: Any, check_mode: bool) -> dict[str, Any]:
        asked.append(options["buckets"])
        return {"changed": False, "buckets": [{"name": name, "changes": []} for name in options["buckets"]]}

    def one(options: Any, buckets: list[str], writes: bool) -> None:
        tried.extend((bucket, options["access_key"], writes) for bucket in buckets)

    monkeypatch.setattr(s3_buckets, "ensure", ensure)
    monkeypatch.setattr(s3_buckets, "accept", lambda options, buckets: one(options, buckets, False))
    monkeypatch.setattr(s3_buckets, "prove", lambda options, buckets: one(options, buckets, True))
    store = built("s3", {"s3_access_key": "own", "s3_secret_key": "own-secret", **keys}, backups=BACKUPS)
    store.ensure(store.options, True)
    assert asked[0] == made
    assert asked[1:] == ([] if "kept" in made else [["kept"]])
    assert tried == [("events", "own", False), ("kept", key[0], False)]
    tried.clear()
    store.ensure(store.options, False)
    assert tried == [("events", "own", True), ("kept", key[0], True)]


def test_what_both_keys_may_not_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_options: Any, buckets: list[str]) -> None:
        raise Failure("s3_denied", f"No right in {buckets[0]}.", "Give it.")

    row = {"changed": False, "buckets": [{"name": "events", "changes": []}]}
    monkeypatch.setattr(s3_buckets, "ensure", lambda _options, _check: row)
    monkeypatch.setattr(s3_buckets, "accept", lambda _options, _buckets: None)
    monkeypatch.setattr(s3_buckets, "prove", refuse)
    store = built("s3", {"s3_access_key": "own", "s3_backup_access_key": "apart"}, backups=BACKUPS)
    with pytest.raises(Failure) as raised:
        store.ensure(store.options, False)
    assert "With langfuse_s3_access_key: No right in events." in raised.value.message
    assert "With langfuse_backup_access_key: No right in kept." in raised.value.message


def test_a_bucket_of_backups_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused with keys of its own and nobody who could make it; else made, and tried then."""

    def ensure(options: Any, check_mode: bool) -> dict[str, Any]:
        rows = [{"name": name, "changes": ["create"]} for name in options["buckets"]]
        return {"changed": True, "buckets": rows}

    monkeypatch.setattr(s3_buckets, "ensure", ensure)
    accepted: list[str] = []
    monkeypatch.setattr(s3_buckets, "accept", lambda _options, buckets: accepted.extend(buckets))
    # Some stores would make the bucket by that.
    monkeypatch.setattr(s3_buckets, "prove", lambda _options, buckets: buckets and pytest.fail(str(buckets)))
    store = built("s3", {"s3_access_key": "own"}, backups=BACKUPS)
    assert store.ensure(store.options, True)["changed"] and accepted == ["events", "kept"]
    store = built("s3", {"s3_access_key": "own", "s3_backup_access_key": "apart"}, backups=BACKUPS)
    with pytest.raises(Failure, match="has no bucket kept") as raised:
        store.ensure(store.options, True)
    assert "langfuse_s3_admin_access_key" in raised.value.cure


def test_keys_of_backups_that_cannot_be_read_leave_out_backups_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STORES, "s3", {**STORES["s3"], "backups": BACKUPS})
    asked: dict[str, Any] = {}

    def look(store: existing_stores.Store, _check: bool) -> dict[str, Any]:
        asked[store.name] = store.options
        return {"changed": False}

    monkeypatch.setattr(existing_stores, "_told", look)
    spec = module.argument_spec()
    params = {name: option.get("default") for name, option in spec.items()}
    group = {name: option.get("default") for name, option in spec["s3"]["options"].items()}
    params["s3"] = {**group, **STORES["s3"]}
    result = existing_stores.prepare(params, None, True, {"s3_backup_access_key": "there is no Secret theirs in ai"})
    assert asked["s3"]["buckets"] == ["events"]
    assert [notice.split(":")[0] for notice in result["notices"]] == ["backups"]
