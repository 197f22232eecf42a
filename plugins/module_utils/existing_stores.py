# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stores that an instance does not bring itself: all of them are checked before the first one is changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ansible_collections.llmops.langfuse.plugins.module_utils import (
    clickhouse_database,
    compose,
    keycloak_client,
    postgresql,
    postgresql_database,
    redis_acl,
    redis_servers,
    redis_user,
    resolver,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure, joined
from ansible_collections.llmops.langfuse.plugins.module_utils.s3 import buckets as s3_buckets

Options = Mapping[str, Any]
# Connections that web, one worker and the migration open at most by themselves (Prisma: twice the cores and one, each).
_CONNECTIONS = 20
# Seconds for a store to answer: it runs already.
_WAIT = 5
# Option of a module → variable of the collection, for what people read; {} is the store.
_VARIABLES = {
    "login_host": "langfuse_{}_host",
    "login_port": "langfuse_{}_port",
    "login_url": "langfuse_{}_host",
    "login_user": "langfuse_{}_admin_user",
    "login_password": "langfuse_{}_admin_password",
    "login_database": "langfuse_{}_admin_database",
    "endpoint_url": "langfuse_{}_endpoint",
    "sslmode": "langfuse_{}_sslmode",
    "tls": "langfuse_{}_tls",
    "ca_path": "langfuse_ca_certificates",
}
_KEYCLOAK = {
    "url": "langfuse_keycloak_admin_url",
    "realm": "realm of langfuse_sso_issuer",
    "auth_realm": "langfuse_keycloak_admin_realm",
    "auth_username": "langfuse_keycloak_admin_user",
    "auth_password": "langfuse_keycloak_admin_password",
    "ca_path": "langfuse_ca_certificates",
}


class Store(NamedTuple):
    """What is asked of one store: ``ensure`` of its module, and the options of that."""

    name: str
    ensure: Callable[[Options, bool], dict[str, Any]]
    options: Options


def prepare(params: Options, ca_path: str | None, check_mode: bool) -> dict[str, Any]:
    """``{changed, stores, notices, diff}``. Raises one Failure for all that is wrong before anything is changed."""
    names = {**compose.names_on(params["networks"]), **compose.host_addresses(params["extra_hosts"])}
    stores = [build(params, ca_path) for name, build in _BUILDERS.items() if params[name]]
    with resolver.known(names):
        return _prepared(stores, params["new_secrets"], check_mode)


def _prepared(stores: list[Store], new_secrets: list[str], check_mode: bool) -> dict[str, Any]:
    planned: dict[str, dict[str, Any]] = {}
    failures: list[Failure] = []
    with ThreadPoolExecutor(max_workers=len(stores) or 1) as pool:
        looked = [pool.submit(_told, store, True) for store in stores]
        for store, future in zip(stores, looked):
            try:
                planned[store.name] = future.result()
            except Failure as failure:
                failures.append(failure)
    failures += _keys_lost(stores, new_secrets)
    if failures:
        raise joined(failures)
    results = dict(planned)
    if not check_mode:
        # A store that had nothing to change was proved by the look already.
        for store in stores:
            if planned[store.name]["changed"]:
                results[store.name] = _told(store, False)
    return _result(results)


def _told(store: Store, check_mode: bool) -> dict[str, Any]:
    """The module's result; its failure in the words of the collection's variables."""
    try:
        return store.ensure(store.options, check_mode)
    except Failure as failure:
        raise Failure(
            failure.code, _words(failure.message, store), _words(failure.cure, store), **failure.details
        ) from None


def _keys_lost(stores: list[Store], new_secrets: list[str]) -> list[Failure]:
    """The failure that new keys for an old database are: they orphan what it holds."""
    for store in stores:
        if new_secrets and store.name == "postgres" and _has_schema(store.options):
            where = f"{store.options['database']} on {store.options['login_host']}"
            return [
                Failure(
                    "keys_lost",
                    f"Database {where} holds a Langfuse instance, and the secrets file lacks {', '.join(new_secrets)}: new ones would "
                    "orphan its data.",
                    "Put the old secrets file back (or give the old values), or name an empty database in langfuse_postgres_database.",
                )
            ]
    return []


def _has_schema(options: Options) -> bool:
    """Whether the database has Langfuse's tables; False where it is not there yet, or may not be read."""
    login = {"user": options["login_user"], "password": options["login_password"] or ""}
    where = {"host": options["login_host"], "port": options["login_port"], "dbname": options["database"]}
    try:
        connection = postgresql.open_connection(
            **where, **login, **postgresql.tls(options["sslmode"], options["ca_path"])
        )
    except postgresql.Refused:
        return False
    with connection:
        found = connection.execute("SELECT to_regclass('public._prisma_migrations') IS NOT NULL").fetchone()
    return bool(found and found[0])


def _words(text: str, store: Store) -> str:
    variables = _KEYCLOAK if store.name == "keycloak" else _VARIABLES
    pattern = re.compile(rf"\b({'|'.join(variables)})\b")
    return pattern.sub(lambda found: variables[found[1]].format(store.name), text)


def _result(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    changed = {name: result for name, result in results.items() if result["changed"]}
    notices = [f"{name}: {text}" for name, result in results.items() for text in _notices(result)]
    return {
        "changed": bool(changed),
        "stores": {
            name: {"changed": result["changed"], "version": _version(result)} for name, result in results.items()
        },
        "notices": notices,
        "diff": [
            {**part, "before_header": name, "after_header": name}
            for name, result in changed.items()
            for part in (result["diff"] if isinstance(result["diff"], list) else [result["diff"]])
        ],
    }


def _notices(result: Mapping[str, Any]) -> list[str]:
    return [*result.get("notices", ()), *result.get("notes", ()), *result.get("warnings", ())]


def _version(result: Mapping[str, Any]) -> str:
    return str(result.get("version") or (result.get("server") or {}).get("version") or "")


def _postgres(params: Options, ca_path: str | None) -> Store:
    given = params["postgres"]
    administered = bool(given["admin_user"])
    options = {
        "login_host": given["host"],
        "login_port": given["port"],
        "login_user": given["admin_user"] or given["user"],
        "login_password": params["postgres_admin_password"] if administered else params["postgres_password"],
        "login_database": given["admin_database"] if administered else given["database"],
        "sslmode": given["sslmode"],
        "ca_path": ca_path if given["sslmode"] == "verify-full" else None,
        "database": given["database"],
        "role": given["user"],
        "password": params["postgres_password"],
        "connection_limit": None,
        "private": True,
        "force": False,
        "confirm": None,
        "needed_connections": _CONNECTIONS,
        "wait": _WAIT,
        "state": "present",
    }
    ensure = postgresql_database.ensure if administered else _only_checked
    return Store("postgres", ensure, options)


def _only_checked(options: Options, _check_mode: bool) -> dict[str, Any]:
    """Without an administrator nothing is made; what would have to be made is missing."""
    result = postgresql_database.ensure(options, True)
    if result["steps"]:
        raise Failure(
            "database_incomplete",
            f"Database {options['database']} on {options['login_host']}:{options['login_port']} is not ready for Langfuse: "
            f"{', '.join(result['steps'])} would be needed.",
            "Let its owner do that, or name an administrator in login_user.",
        )
    return result


def _clickhouse(params: Options, ca_path: str | None) -> Store:
    given = params["clickhouse"]
    options = {
        "login_url": given["url"],
        "login_user": given["admin_user"],
        "login_password": params["clickhouse_admin_password"],
        "ca_path": ca_path,
        "validate_certs": True,
        "database": given["database"],
        "user": given["user"],
        "password": params["clickhouse_password"],
        "cluster": "default" if given["cluster"] else None,
        "settings": {},
        "exclusive": False,
        "state": "present",
        "confirm": None,
        "wait": _WAIT,
    }
    return Store("clickhouse", clickhouse_database.ensure, options)


def _redis(params: Options, ca_path: str | None) -> Store:
    given = params["redis"]
    administered = bool(given["admin_user"])
    options = {
        "login_user": given["admin_user"],
        "login_password": params["redis_admin_password"],
        "tls": given["tls"],
        "ca_path": ca_path if given["tls"] else None,
        "client_cert": None,
        "client_key": None,
        "validate_certs": True,
        "username": given["username"] or "default",
        "password": params["redis_password"],
        "prefix": given["prefix"],
        "cluster": given["mode"] == "cluster" or None,
        "channels": [],
        "commands": redis_acl.COMMANDS,
        "state": "present" if administered else "verified",
        # A user that is gone after the next restart would stop the instance then.
        "persist": "required",
        "force": False,
        "allow_eviction": False,
        # Each server that may become a master has users of its own.
        "replica": given["mode"] != "single",
        "probe": False,
        "wait": _WAIT,
    }

    def ensure(asked: Options, check_mode: bool) -> dict[str, Any]:
        servers = redis_servers.servers(given, params["redis_sentinel_password"], ca_path)
        results = [
            redis_user.ensure({**asked, "login_host": host, "login_port": port}, check_mode) for host, port in servers
        ]
        return {
            **results[0],
            "changed": any(result["changed"] for result in results),
            "warnings": list(dict.fromkeys(text for result in results for text in result["warnings"])),
            "diff": [result["diff"] for result in results if result["changed"]],
        }

    return Store("redis", ensure, options)


def _s3(params: Options, ca_path: str | None) -> Store:
    given = params["s3"]
    options = {
        "endpoint_url": given["endpoint"],
        "region": given["region"],
        "path_style": given["path_style"],
        "access_key": params["s3_admin_access_key"] or params["s3_access_key"],
        "secret_key": params["s3_admin_secret_key"] or params["s3_secret_key"],
        "ca_path": ca_path,
        "buckets": given["buckets"],
        "wait": _WAIT,
    }
    own = {**options, "access_key": params["s3_access_key"], "secret_key": params["s3_secret_key"], "probe": True}

    def ensure(asked: Options, check_mode: bool) -> dict[str, Any]:
        """The administrator makes, and what counts is what the application's own key may do."""
        result = s3_buckets.ensure(asked, check_mode)
        if not (check_mode and result["changed"]):
            s3_buckets.ensure(own, check_mode)
        return result

    return Store("s3", ensure, options)


def _keycloak(params: Options, ca_path: str | None) -> Store:
    """Not a store, but there already as they are, and to be checked with them."""
    given = params["keycloak"]
    options = {
        **given,
        "auth_password": params["keycloak_admin_password"],
        "secret": params["keycloak_client_secret"],
        "ca_path": ca_path,
        "resolve": [],
    }
    return Store("keycloak", keycloak_client.ensure, options)


_BUILDERS: Mapping[str, Callable[[Options, str | None], Store]] = {
    "postgres": _postgres,
    "clickhouse": _clickhouse,
    "redis": _redis,
    "s3": _s3,
    "keycloak": _keycloak,
}
