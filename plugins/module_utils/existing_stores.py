# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stores that an instance does not bring itself: all of them are checked before the first one is changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import (
    clickhouse_database,
    compose,
    existing_objects,
    keycloak_client,
    libraries,
    postgresql_database,
    redis_acl,
    redis_servers,
    resolver,
    store_claims,
    store_words,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.asked_store import WAIT, Options, Store
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure, joined

# Connections that web, one worker and the migration open at most by themselves (Prisma: twice the cores and one, each).
_CONNECTIONS = 20


# What libpq, Python and botocore say of a certificate for another name.
_OTHER_NAME = re.compile("does not match host name|[Hh]ostname mismatch|doesn't match|not valid for")


# Options with secrets that a store needs, beside those that begin with its name.
_SECRETS = {"gcs_credentials": "s3", "s3_backup_access_key": "backups", "s3_backup_secret_key": "backups"}


def prepare(
    params: Options, ca_path: str | None, check_mode: bool, unread: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """``{changed, stores, notices, errors, diff}``. Raises one Failure for all that is wrong before anything is changed.

    ``unread``: options with secrets that somebody else keeps and that cannot be read, each with the reason. Their stores are left out.
    """
    names = {**compose.names_on(params["networks"]), **compose.host_addresses(params["extra_hosts"])}
    left_out = {_SECRETS.get(option, option.split("_")[0]): why for option, why in (unread or {}).items()}
    told = dict(params, backups=(params["s3"] or {}).get("backups"))
    if "backups" in left_out and told["backups"]:
        params = {**params, "s3": {**params["s3"], "backups": None}}
    wanted = {name: build for name, build in _BUILDERS.items() if params[name]}
    stores = [build(params, ca_path, not check_mode) for name, build in wanted.items() if name not in left_out]
    with resolver.known(names):
        result = _prepared(stores, params, check_mode)
    result["notices"] += [
        f"{name}: it is neither checked nor prepared, because {why}. What it needs has to be there already."
        for name, why in left_out.items()
        if told[name]
    ]
    return result


def _prepared(stores: list[Store], params: Options, check_mode: bool) -> dict[str, Any]:
    planned: dict[str, dict[str, Any]] = {}
    failures: list[Failure] = []
    lacking: list[str] = []
    with ThreadPoolExecutor(max_workers=len(stores) or 1) as pool:
        looked = [pool.submit(_told, store, True) for store in stores]
        for store, future in zip(stores, looked):
            try:
                planned[store.name] = future.result()
            except Failure as failure:
                # One finding for all libraries.
                lacking += failure.details.get("libraries", ())
                failures += [] if failure.code == "missing_library" else [failure]
            except ImportError as error:
                lacking.append(libraries.package_of(error))
    failures += [libraries.missing(*dict.fromkeys(lacking))] if lacking else []
    claims = {store.name: store.claim for store in stores if store.claim and store.name in planned}
    lost = _keys_lost(claims, params["new_secrets"])
    others = [name for name in params["unclaimed"] if not (lost and name == "postgres")]
    failures += [*lost, *store_claims.unclaimed(claims, others)]
    failures += store_claims.moved(claims, params["unclear"], params["places"], params["directory"] or "")
    if failures:
        all_of_them = joined(failures)
        all_of_them.details["errors"] = [one.as_result()["msg"] for one in failures]
        raise all_of_them
    results = dict(planned)
    if not check_mode:
        # A store that had nothing to change was proved by the look already.
        for store in stores:
            if planned[store.name]["changed"]:
                results[store.name] = _told(store, False)
        if params["directory"]:
            store_claims.remember(claims, params["directory"])
        for store in stores:
            if store.proofs:
                store.proofs.keep()
    return _result(results)


def _told(store: Store, check_mode: bool) -> dict[str, Any]:
    """The module's result; its failure in the words of the collection's variables."""
    try:
        return store.ensure(store.options, check_mode)
    except Failure as failure:
        cure = _words(failure.cure, store)
        variables = [store.users[user] for user in failure.users if user in store.users]
        cure = " ".join([cure, *(f"The password is {variable}." for variable in variables)])
        if failure.code.endswith("_tls") and _OTHER_NAME.search(failure.message):
            where = f"langfuse_{store.name}_{'endpoint' if store.name == 's3' else 'host'}"
            cure = (
                f"Write a name that the certificate has in {where} (a service of a Compose project gets it as an alias on its "
                "network), or have the certificate made for this name too."
            )
        raise Failure(failure.code, _words(failure.message, store), cure, **failure.details) from None


def _users(store: str, own: str, admin: str | None) -> dict[str, str]:
    return {**({admin: f"langfuse_{store}_admin_password"} if admin else {}), own: f"langfuse_{store}_password"}


def _keys_lost(claims: Mapping[str, store_claims.Claim], new_secrets: Sequence[str]) -> list[Failure]:
    """The failure that new keys for an old database are: they orphan what it holds. Who cannot see that does not go on."""
    if not new_secrets or "postgres" not in claims:
        return []
    lacks = f"the secrets file lacks {', '.join(new_secrets)}: new ones would orphan its data."
    cure = "Put the old secrets file back (or give the old values), or name an empty database in langfuse_postgres_database."
    try:
        held = claims["postgres"].holds()
    except Failure as failure:
        return [
            Failure("keys_unknown", f"{failure.message} If it does, {lacks}", f"{failure.cure} If it holds one: {cure}")
        ]
    return [Failure("keys_lost", f"{held}, and {lacks}", cure)] if held else []


def _words(text: str, store: Store) -> str:
    return store_words.translated(text, store.name, store.name == "postgres" and store.options["state"] == "verified")


def _result(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    changed = {name: result for name, result in results.items() if result["changed"]}
    notices = [
        f"{name}: {store_words.translated(text, name)}" for name, result in results.items() for text in _notices(result)
    ]
    return {
        "changed": bool(changed),
        "stores": {
            name: {"changed": result["changed"], "version": _version(result)} for name, result in results.items()
        },
        "notices": notices,
        "errors": [],
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


def _postgres(params: Options, ca_path: str | None, _writes: bool) -> Store:
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
        "wait": WAIT,
        "state": "present" if administered else "verified",
    }
    ensure = postgresql_database.ensure if administered else _verified
    users = _users("postgres", given["user"], given["admin_user"])
    return Store("postgres", ensure, options, users, store_claims.postgres(options))


def _verified(options: Options, _check_mode: bool) -> dict[str, Any]:
    """Without an administrator nothing is made; who is not let in at all is told how it is made."""
    try:
        return postgresql_database.ensure(options, True)
    except Failure as failure:
        if failure.code in ("database_password", "database_missing"):
            database, role = options["database"], options["role"]
            failure.cure += (
                f" Where they do not exist, run as a superuser: CREATE ROLE {role} LOGIN PASSWORD '...'; "
                f"CREATE DATABASE {database} OWNER {role} TEMPLATE template0 ENCODING 'UTF8'; "
                f"ALTER DATABASE {database} SET timezone = 'UTC'; or name an administrator in langfuse_postgres_admin_user."
            )
        raise


def _clickhouse(params: Options, ca_path: str | None, _writes: bool) -> Store:
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
        "wait": WAIT,
    }
    users = _users("clickhouse", given["user"], given["admin_user"])
    claim = store_claims.clickhouse_database(options)
    return Store("clickhouse", clickhouse_database.ensure, options, users, claim)


def _redis(params: Options, ca_path: str | None, _writes: bool) -> Store:
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
        "wait": WAIT,
    }

    own, admin = (given["username"], params["redis_password"]), (given["admin_user"], params["redis_admin_password"])
    login, cluster = admin if administered else own, given["mode"] == "cluster"

    def servers() -> list[redis_servers.Server]:
        return redis_servers.servers(given, login, params["redis_sentinel_password"], ca_path)

    def ensure(asked: Options, check_mode: bool) -> dict[str, Any]:
        return redis_servers.ensure_user(servers(), asked, check_mode, cluster)

    users = _users("redis", options["username"], given["admin_user"])
    claim = store_claims.redis(options, login, servers, given["host"] or given["nodes"][0], cluster)
    return Store("redis", ensure, options, users, claim)


def _keycloak(params: Options, ca_path: str | None, _writes: bool) -> Store:
    """Not a store, but there already as they are, and to be checked with them."""
    given = params["keycloak"]
    options = {
        **given,
        "auth_password": params["keycloak_admin_password"],
        "auth_client_secret": params["keycloak_admin_client_secret"],
        "secret": params["keycloak_client_secret"],
        "ca_path": ca_path,
        "resolve": [],
        "wait": WAIT,
    }
    return Store("keycloak", keycloak_client.ensure, options)


_BUILDERS: Mapping[str, Callable[[Options, str | None, bool], Store]] = {
    "postgres": _postgres,
    "clickhouse": _clickhouse,
    "redis": _redis,
    "s3": existing_objects.object_store,
    "keycloak": _keycloak,
}
