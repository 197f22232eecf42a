# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose data an existing store holds: what a store is by its own words, whatever its address, and whether Langfuse's is in it.

``Claim.identities`` are words that stay with the data: the same store says at least one of them again. None where it does
not tell. ``Claim.holds`` says what is in it, "" for nothing of Langfuse's, and raises Failure where PostgreSQL has the
database and does not let anybody look. Both only read.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ansible_collections.llmops.langfuse.plugins.module_utils import (
    http_client,
    places,
    postgresql,
    postgresql_client,
    records,
    redis_client,
    redis_servers,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.clickhouse import QueryError, Server
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.queue import queue_key
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.backups import Backups
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.client import Looks, Where
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.client import Store as Buckets
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.errors import StoreError

Options = Mapping[str, Any]
_SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"
_TABLES = "SELECT name FROM system.tables WHERE database = {database:String} AND name = 'schema_migrations'"
_DATABASE = "SELECT DISTINCT toString(uuid) FROM %s WHERE name = {database:String}"
_EVERYWHERE = "clusterAllReplicas('default', system.databases)"
# What an engine without identifiers of its databases says.
_NO_UUID = "00000000-0000-0000-0000-000000000000"
# The queue of traces, and one with a schedule, which stays when all is idle.
_KEYS = (("otel-ingestion-queue", "meta"), ("event-propagation-queue", "repeat"))
_REPLICATION = ("run_id", "master_replid", "master_replid2")


class Claim(NamedTuple):
    """What one store says; see above. ``variable`` is what names another place in it."""

    variable: str
    identities: Callable[[], Sequence[str]]
    holds: Callable[[], str]


class Objects(Looks, Protocol):
    """An object store of any kind."""

    @property
    def label(self) -> str:
        """What people call it."""


def unclaimed(claims: Mapping[str, Claim], names: Sequence[str]) -> list[Failure]:
    """One for each of the stores that is new to the instance and has data all the same."""
    found = []
    for name in names:
        try:
            held = claims[name].holds() if name in claims else ""
        except Failure as failure:
            found.append(failure)
            continue
        if held:
            found.append(
                Failure(
                    "store_in_use",
                    f"{held}, and this instance has not used it before: two instances would mix their data.",
                    f"Write another {claims[name].variable}; or, where that data is this instance's, "
                    f"set langfuse_moved_stores: [{name}].",
                )
            )
    return found


def moved(
    claims: Mapping[str, Claim], before: Mapping[str, str], now: Mapping[str, str], directory: str
) -> list[Failure]:
    """One for each of the stores with another address that is another store by its own words too."""
    known = records.identities(directory)
    found = []
    for name, place in before.items():
        if name in claims and not set(known.get(name, ())) & set(claims[name].identities()):
            told = places.moved(name, place, now.get(name, "another place"))
            found.append(Failure(told["code"], f"{told['what']}.", f"{told['cure']}."))
    return found


def remember(claims: Mapping[str, Claim], directory: str) -> None:
    """Keep what the stores say. One that does not tell is forgotten, because an older answer may be of another."""
    told = {name: sorted(claim.identities()) for name, claim in claims.items()}
    content = json.dumps({name: words for name, words in told.items() if words}, sort_keys=True) + "\n"
    path = os.path.join(directory, records.IDENTITIES)
    if content != records.read(path):
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(f"{path}.new", path)


def postgres(options: Options) -> Claim:
    """``options`` are those of `postgresql_database`. ``holds`` raises a Failure where that cannot be seen."""
    where = {"host": options["login_host"], "port": options["login_port"]}
    where.update(postgresql.tls(options["sslmode"], options["ca_path"]))

    def connection(database: str, user: str, password: str | None) -> Any:
        return postgresql.open_connection(**where, dbname=database, user=user, password=password or "", autocommit=True)

    def administer() -> Any:
        return connection(options["login_database"], options["login_user"], options["login_password"])

    def identities() -> list[str]:
        import psycopg  # pylint: disable=import-outside-toplevel

        # Not everybody may ask, and not every server tells.
        with contextlib.suppress(postgresql.Refused, psycopg.Error), administer() as session:
            return [f"{session.execute(_SYSTEM).fetchone()[0]}/{options['database']}"]
        return []

    def has_schema() -> bool:
        with administer() as session:
            if not postgresql_client.exists(session, options["database"]):
                return False
        # The role may be let in where an administrator is not.
        logins = [(options["login_user"], options["login_password"]), (options["role"], options["password"])]
        refused: list[postgresql.Refused] = []
        for user, password in logins:
            try:
                session = connection(options["database"], user, password)
            except postgresql.Refused as error:
                refused.append(error)
                continue
            with session:
                return postgresql_client.holds_langfuse(session)
        raise refused[0]

    def holds() -> str:
        database = f"atabase {options['database']} on {options['login_host']} holds a Langfuse instance"
        try:
            return f"D{database}" if has_schema() else ""
        except (postgresql.Refused, Failure) as error:
            why = (error.text if isinstance(error, postgresql.Refused) else error.message).rstrip(".")
            message = f"Whether d{database} cannot be seen ({why})."
            raise Failure("database_unseen", message, f"Let {options['login_user']} connect to it.") from None

    return Claim("langfuse_postgres_database", identities, holds)


def clickhouse_database(options: Options) -> Claim:
    """``options`` are those of `clickhouse_database`."""

    def ask(query: str) -> list[str]:
        login = [(options["login_user"], options["login_password"])] if options["login_user"] else []
        for user, password in (*login, (options["user"], options["password"])):
            server = Server(options["login_url"], user, password or "", options["ca_path"])
            with contextlib.closing(server), contextlib.suppress(QueryError, http_client.Unreachable):
                return server.texts(query, database=options["database"])
        return []

    def identities() -> list[str]:
        table = _EVERYWHERE if options["cluster"] else "system.databases"
        return [identity for identity in ask(_DATABASE % table) if identity != _NO_UUID]

    def holds() -> str:
        return (
            f"Database {options['database']} of ClickHouse at {options['login_url']} has Langfuse's tables"
            if ask(_TABLES)
            else ""
        )

    return Claim("langfuse_clickhouse_database", identities, holds)


def redis(
    options: Options,
    login: redis_servers.Login,
    servers: Callable[[], Sequence[redis_servers.Server]],
    host: str,
    cluster: bool,
) -> Claim:
    """``options`` are those of `redis_acl_user`. Of the ``servers`` those are asked that follow no other."""

    def ask(question: Callable[[redis_client.Client], Sequence[str]]) -> list[str]:
        found: list[str] = []
        for server in (one for one in servers() if one.needed):
            where = redis_client.Where(server.host, server.port, *login, options["tls"], options["ca_path"])
            with contextlib.suppress(redis_client.ServerError):
                client = redis_client.connect(where, 0)
                with contextlib.closing(client):
                    found += question(client)
        return found

    def said(client: redis_client.Client) -> list[str]:
        info = client.info()
        words = [info.get(name, "") for name in _REPLICATION]
        return [f"{word} {options['prefix']}" for word in words if word.strip("0")]

    def there(client: redis_client.Client) -> list[str]:
        keys = [queue_key(options["prefix"], queue, part, cluster) for queue, part in _KEYS]
        answers = client.each([["EXISTS", key] for key in keys])
        return [key for key, answer in zip(keys, answers) if answer == 1]

    def holds() -> str:
        return f"Redis at {host} has queues of Langfuse under {options['prefix']}" if ask(there) else ""

    return Claim("langfuse_redis_key_prefix", lambda: ask(said), holds)


def s3(options: Options, backups: Backups | None = None) -> Claim:
    """``options`` are those of `s3_bucket`. Two clusters of PostgreSQL that archive to one place spoil the backups of both."""
    names = ("endpoint_url", "region", "path_style", "access_key", "secret_key", "ca_path")
    claim = objects(options["buckets"], lambda: Buckets(Where(*(options[name] for name in names))))
    if backups is None:
        return claim

    def holds() -> str:
        return ", and ".join(filter(None, (claim.holds(), backups.held())))

    return Claim("langfuse_s3_events_bucket (and media, exports, backups)", list, holds)


def objects(buckets: Sequence[str], opened: Callable[[], Objects]) -> Claim:
    """A bucket is what its address is."""

    def holds() -> str:
        store = opened()
        full = []
        for bucket in buckets:
            with contextlib.suppress(StoreError):
                full += [bucket] if store.look(bucket) else []
        return f"{store.label} has objects in {', '.join(full)}" if full else ""

    return Claim("langfuse_s3_events_bucket (and media, exports)", list, holds)
