# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stores that an instance does not bring itself: all of them are checked before the first one is changed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from ansible_collections.llmops.langfuse.plugins.module_utils import (
    clickhouse_database,
    compose,
    keycloak_client,
    libraries,
    postgresql_database,
    redis_acl,
    redis_servers,
    resolver,
    store_claims,
    store_proofs,
    store_words,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.blobs import check as blobs
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure, joined
from ansible_collections.llmops.langfuse.plugins.module_utils.s3 import buckets as s3_buckets

Options = Mapping[str, Any]
# Connections that web, one worker and the migration open at most by themselves (Prisma: twice the cores and one, each).
_CONNECTIONS = 20
# Seconds for a store to answer: it runs already.
_WAIT = 5


class Store(NamedTuple):
    """What is asked of one store: ``ensure`` of its module, and the options of that."""

    name: str
    ensure: Callable[[Options, bool], dict[str, Any]]
    options: Options
    # User → the variable of its password.
    users: Mapping[str, str] = {}
    claim: store_claims.Claim | None = None
    proofs: store_proofs.Proofs | None = None


# What libpq, Python and botocore say of a certificate for another name.
_OTHER_NAME = re.compile("does not match host name|[Hh]ostname mismatch|doesn't match|not valid for")


# Options with secrets that a store needs, beside those that begin with its name.
_SECRETS = {"gcs_credentials": "s3"}


def prepare(
    params: Options, ca_path: str | None, check_mode: bool, unread: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """``{changed, stores, notices, errors, diff}``. Raises one Failure for all that is wrong before anything is changed.

    ``unread``: options with secrets that somebody else keeps and that cannot be read, each with the reason. Their stores are left out.
    """
    names = {**compose.names_on(params["networks"]), **compose.host_addresses(params["extra_hosts"])}
    left_out = {_SECRETS.get(option, option.split("_")[0]): why for option, why in (unread or {}).items()}
    wanted = {name: build for name, build in _BUILDERS.items() if params[name]}
    stores = [build(params, ca_path, not check_mode) for name, build in wanted.items() if name not in left_out]
    with resolver.known(names):
        result = _prepared(stores, params, check_mode)
    result["notices"] += [
        f"{name}: it is neither checked nor prepared, because {why}. What it needs has to be there already."
        for name, why in left_out.items()
        if name in wanted
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
        "wait": _WAIT,
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
        "wait": _WAIT,
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
        "wait": _WAIT,
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


def _s3(params: Options, ca_path: str | None, writes: bool) -> Store:
    given = params["s3"]
    if given["service"] != "s3":
        return _blobs(params, ca_path, writes)
    options = {
        "endpoint_url": given["endpoint"],
        "region": given["region"],
        "path_style": given["path_style"],
        "access_key": params["s3_admin_access_key"] or params["s3_access_key"],
        "secret_key": params["s3_admin_secret_key"] or params["s3_secret_key"],
        "ca_path": ca_path,
        "buckets": given["buckets"],
        **{name: given[name] for name in ("settings", "media_bucket", "media_prefix")},
        "wait": _WAIT,
    }
    own = {**options, "access_key": params["s3_access_key"], "secret_key": params["s3_secret_key"]}
    variable = f"langfuse_s3_{'admin_' if params['s3_admin_access_key'] else ''}access_key"
    place = ["s3", given["endpoint"], given["region"], params["s3_access_key"]]
    proofs = store_proofs.Proofs(params["directory"], place, params["s3_secret_key"])

    def ensure(asked: Options, check_mode: bool) -> dict[str, Any]:
        """The administrator makes, and what counts is what the application's own key may do: that is tried first."""
        with _with_key(variable):
            result = s3_buckets.ensure(asked, check_mode)
        missing = [row["name"] for row in result["buckets"] if check_mode and "create" in row["changes"]]
        there = [name for name in asked["buckets"] if name not in missing]
        # What may be written is proved by writing, once, and again after a change; a run does it before another store is changed.
        unproved = there if not check_mode else proofs.wanting(there) if writes else []
        with _with_key("langfuse_s3_access_key"):
            s3_buckets.accept(own, [name for name in asked["buckets"] if name not in unproved])
            s3_buckets.prove(own, unproved)
        proofs.proved(there)
        return result

    return Store("s3", ensure, options, claim=store_claims.s3(options), proofs=proofs)


def _blobs(params: Options, ca_path: str | None, writes: bool) -> Store:
    """Azure or Google: looked at, and tried with the one credential that there is."""
    given = params["s3"]
    options = {
        **{name: given[name] for name in ("service", "endpoint", "buckets", "creates")},
        "access_key": params["s3_access_key"],
        "secret_key": params["s3_secret_key"],
        "credentials": params["gcs_credentials"],
        "ca_path": ca_path,
        "wait": _WAIT,
    }
    place = [given["service"], given["endpoint"], params["s3_access_key"]]
    proofs = store_proofs.Proofs(params["directory"], place, params["gcs_credentials"] or params["s3_secret_key"])

    def ensure(asked: Options, _check_mode: bool) -> dict[str, Any]:
        result = blobs.ensure(asked, proofs.wanting(asked["buckets"]) if writes else [])
        proofs.proved(result["there"])
        return result

    claim = store_claims.objects(given["buckets"], lambda: blobs.opened(options))
    return Store("s3", ensure, options, claim=claim, proofs=proofs)


@contextlib.contextmanager
def _with_key(variable: str) -> Iterator[None]:
    """Say which of two keys was refused."""
    try:
        yield
    except Failure as failure:
        if failure.code in ("s3_wrong_keys", "s3_denied"):
            failure.message = f"With {variable}: {failure.message}"
        raise


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
        "wait": _WAIT,
    }
    return Store("keycloak", keycloak_client.ensure, options)


_BUILDERS: Mapping[str, Callable[[Options, str | None, bool], Store]] = {
    "postgres": _postgres,
    "clickhouse": _clickhouse,
    "redis": _redis,
    "s3": _s3,
    "keycloak": _keycloak,
}
