# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done to a ClickHouse for Langfuse, and what is wrong with one. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.llmops.langfuse.plugins.module_utils import clickhouse_grants as grants
from ansible_collections.llmops.langfuse.plugins.module_utils.clickhouse import (
    RAW_VALUE,
    UTC,
    literal,
    reads_times_as_seconds,
    version_pair,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.clickhouse_grants import (
    NOWHERE,
    Holdings,
    Name,
    Right,
    quote_name,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

OLDEST = (25, 12)
# The SQL of Langfuse's clustered migrations says ON CLUSTER default, whatever CLICKHOUSE_CLUSTER_NAME is.
CLUSTER = "default"
MANAGE, VERIFY, OWN = "manage", "verify", "own"
Settings = Mapping[str, str]


class Wanted(NamedTuple):
    database: str
    user: str
    cluster: str
    settings: Settings
    exclusive: bool

    @property
    def rights(self) -> tuple[Right, ...]:
        return grants.needed(self.database, bool(self.cluster))


class Cluster(NamedTuple):
    """``shards`` is 0 where the server does not know the cluster; ``lacks_*``: some node has no such database, user."""

    shards: int
    macros: tuple[str, ...]
    shared_accounts: bool
    lacks_database: bool = False
    lacks_user: bool = False


class Facts(NamedTuple):
    """What any user may see. ``engine`` is that of the database, empty where there is none."""

    version: str
    timezone: str
    engine: str
    cluster: Cluster | None = None


class Account(NamedTuple):
    """What an administrator sees of the application's user. ``storage`` is empty where there is none.

    ``own`` is granted to itself, ``held`` also by its roles; ``settings`` are its own; ``accepts``: it logs in;
    ``open``: it does so with any password.
    """

    storage: str
    own: Holdings
    held: Holdings
    settings: Settings
    accepts: bool
    open: bool = False


class Effective(NamedTuple):
    """What the user sees once it is logged in."""

    held: Holdings
    settings: Settings


class Step(NamedTuple):
    """``told`` is the statement without what nobody may read."""

    sql: str
    told: str


def settings_for(version: str, given: Settings) -> dict[str, str]:
    """What the user needs set on this server, and what was asked for."""
    if not reads_times_as_seconds(version):
        return dict(given)
    if not same(given.get(RAW_VALUE, "1"), "1"):
        raise Failure(
            "bad_option",
            f"settings: {RAW_VALUE} is {given[RAW_VALUE]}, and ClickHouse {version} would lose every trace of Langfuse.",
            "Remove it; the module sets it to 1.",
        )
    return {**given, RAW_VALUE: "1"}


def same(left: str | None, right: str) -> bool:
    """Whether two spellings of a setting's value mean the same: ``1`` and ``true``, ``60`` and ``60.``."""
    return left is not None and _plain(left) == _plain(right)


def _plain(value: str) -> str | float:
    text = value.strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    text = {"true": "1", "false": "0"}.get(text.lower(), text)
    try:
        return float(text)
    except ValueError:
        return text


def settings_of(created: str, names: Sequence[str]) -> dict[str, str]:
    """Those of the settings that the text of ``SHOW CREATE USER`` has."""
    found = {}
    listed = created.partition(" SETTINGS ")[2]
    for name in names:
        match = re.search(rf"(?:^|[\s,]){re.escape(name)} = ('(?:[^'\\]|\\.)*'|[^\s,]+)", listed)
        if match:
            found[name] = match[1]
    return found


def mode(login: str, admin: Holdings, user: str, storage: str) -> str:
    """What may be done with the account: made and changed, only looked at with two eyes, or with its own."""
    if not login:
        return OWN
    managers = [Right(privilege, NOWHERE, Name(user)) for privilege in ("CREATE USER", "ALTER USER")]
    if storage in ("users_xml", "ldap") or not all(admin.holds(right) for right in managers):
        return VERIFY
    return MANAGE


def too_old(facts: Facts) -> list[Failure]:
    """Of such a version nothing else is asked: it may not know the statements."""
    if version_pair(facts.version) >= OLDEST:
        return []
    return [
        Failure(
            "clickhouse_version",
            f"ClickHouse {facts.version} is older than 25.12: a migration of Langfuse v4 fails there and leaves "
            "the schema half done.",
            "Upgrade ClickHouse (26.4 is what Langfuse recommends).",
        )
    ]


def unfit(facts: Facts, wanted: Wanted) -> list[Failure]:
    """Why Langfuse cannot work on this server whatever is granted."""
    found = too_old(facts)
    if facts.timezone not in UTC:
        found.append(
            Failure(
                "clickhouse_timezone",
                f"ClickHouse's time zone is {facts.timezone}, and Langfuse then shows wrong or no data.",
                "Set <timezone>UTC</timezone> in the server's configuration, without session_timezone in a profile, "
                "and restart it.",
            )
        )
    return found + (_unfit_cluster(facts, facts.cluster) if facts.cluster else [])


def _unfit_cluster(facts: Facts, cluster: Cluster) -> list[Failure]:
    if not cluster.shards:
        return [
            Failure(
                "clickhouse_cluster",
                f"ClickHouse knows no cluster {CLUSTER}, and Langfuse's migrations have that name fixed.",
                f"Define remote_servers/{CLUSTER} in its configuration, or leave cluster out for a single server.",
            )
        ]
    found = []
    if cluster.shards > 1:
        found.append(
            Failure(
                "clickhouse_cluster",
                f"The cluster {CLUSTER} has {cluster.shards} shards: Langfuse would see a part of its rows at a time.",
                "Make it one shard with replicas.",
            )
        )
    lacking = [name for name in ("replica", "shard") if name not in cluster.macros]
    if lacking:
        found.append(
            Failure(
                "clickhouse_cluster",
                f"ClickHouse has no macro {' and '.join(lacking)}, which replicated tables are named by.",
                "Define <macros> in the configuration of every node.",
            )
        )
    if facts.engine == "Replicated":
        found.append(
            Failure(
                "clickhouse_cluster",
                "The database has the engine Replicated, which refuses the ON CLUSTER of Langfuse's migrations.",
                "Use a database with the engine Atomic.",
            )
        )
    return found


def foreign(wanted: Wanted, account: Account) -> list[Failure]:
    """Why the account is not to be touched: with another password and rights elsewhere, somebody else uses it."""
    if not account.storage or account.accepts or wanted.exclusive:
        return []
    more = grants.surplus(wanted.rights, account.own)
    places = sorted({right.database.sql for right in more if right.database != NOWHERE} - {"system"})
    if not places:
        return []
    return [
        Failure(
            "clickhouse_foreign_user",
            f"User {wanted.user} of ClickHouse has another password, and rights on {', '.join(places)}: it is somebody else's.",
            "Name another one in the option user, or give the password that it has.",
        )
    ]


def steps(wanted: Wanted, facts: Facts, account: Account, identified: str) -> list[Step]:
    """The statements still needed, those about the account first: should it be a fixed one, nothing is done yet.

    ``identified`` is the clause with the verifier of the password; no ``told`` has it.
    """
    user, cluster = quote_name(wanted.user), facts.cluster
    everywhere = f" ON CLUSTER {quote_name(wanted.cluster)}" if wanted.cluster else ""
    on = "" if cluster and cluster.shared_accounts else everywhere
    new = not account.storage or bool(cluster and cluster.lacks_user)
    found = []
    changes = {name: value for name, value in wanted.settings.items() if not same(account.settings.get(name), value)}
    if new:
        clause = f" SETTINGS {_assignments(wanted.settings)}" if wanted.settings else ""
        found.append(_secret(f"CREATE USER IF NOT EXISTS {user}{on} {identified}{clause}", identified))
    if account.storage and (account.open or not account.accepts):
        found.append(_secret(f"ALTER USER {user}{on} {identified}", identified))
    if account.storage and changes:
        found.append(_open(f"ALTER USER {user}{on} MODIFY SETTINGS {_assignments(changes)}"))
    found += _grants(wanted, account, user, on, new)
    if not facts.engine or (cluster and cluster.lacks_database):
        engine = " ENGINE = Atomic" if everywhere else ""
        found.append(_open(f"CREATE DATABASE IF NOT EXISTS {quote_name(wanted.database)}{everywhere}{engine}"))
    return found


def _grants(wanted: Wanted, account: Account, user: str, on: str, new: bool) -> list[Step]:
    if wanted.exclusive and (grants.surplus(wanted.rights, account.own) or account.own.roles):
        everything = ", ".join(grants.phrases(wanted.rights))
        found = [_open(f"GRANT{on} {everything} TO {user} WITH REPLACE OPTION")]
        return found + [_open(f"REVOKE{on} {quote_name(role)} FROM {user}") for role in account.own.roles]
    held = account.own if wanted.exclusive else account.held
    needed = wanted.rights if new else grants.missing(wanted.rights, held)
    return [_open(f"GRANT{on} {phrase} TO {user}") for phrase in grants.phrases(needed)]


def _assignments(settings: Settings) -> str:
    return ", ".join(f"{name} = {_value(value)}" for name, value in settings.items())


def _value(value: str) -> str:
    return value if re.fullmatch(r"-?\d+(\.\d+)?", value) else literal(value)


def _open(sql: str) -> Step:
    return Step(sql, sql)


def _secret(sql: str, identified: str) -> Step:
    return Step(sql, sql.replace(identified, "IDENTIFIED WITH sha256_hash BY '...'"))


def not_permitted(admin: Holdings, wanted: Wanted, facts: Facts, account: Account) -> list[str]:
    """What ``steps`` will need and the administrator does not have, as what to grant to it."""
    lacking = [
        right
        for right in grants.missing(wanted.rights, account.held if account.storage else Holdings())
        if not admin.holds(right, grantable=True)
    ]
    found = [f"{phrase} (WITH GRANT OPTION)" for phrase in grants.phrases(lacking)]
    create = Right("CREATE DATABASE", Name(wanted.database))
    if not facts.engine and not admin.holds(create):
        found += grants.phrases([create])
    if wanted.cluster and not admin.holds(Right("CLUSTER")):
        found += grants.phrases([Right("CLUSTER")])
    return found


def problems(wanted: Wanted, facts: Facts, effective: Effective) -> list[Failure]:
    """What the application's user would stumble over, each with the statement that mends it."""
    user, found = quote_name(wanted.user), []
    if not facts.engine:
        found.append(
            Failure(
                "clickhouse_no_database",
                f"Database {wanted.database} does not exist, or {wanted.user} may not see it.",
                f"Run as an administrator: CREATE DATABASE IF NOT EXISTS {quote_name(wanted.database)};",
            )
        )
    if not same(effective.settings.get("readonly", "0"), "0"):
        found.append(
            Failure(
                "clickhouse_readonly",
                f"The profile of {wanted.user} sets readonly, and Langfuse writes and sets settings of its own.",
                "Give it a profile without readonly.",
            )
        )
    wrong = {name: value for name, value in wanted.settings.items() if not same(effective.settings.get(name), value)}
    if wrong:
        said = ", ".join(
            f"{name} is {effective.settings.get(name, 'unknown')} instead of {wrong[name]}" for name in wrong
        )
        lost = (
            f" ClickHouse {facts.version} then loses every trace, with all health checks green."
            if RAW_VALUE in wrong
            else ""
        )
        found.append(
            Failure(
                "clickhouse_setting",
                f"For {wanted.user}, {said}.{lost}",
                f"Run as an administrator: ALTER USER {user} MODIFY SETTINGS {_assignments(wrong)}; or set it in its profile.",
                settings=sorted(wrong),
            )
        )
    phrases = grants.phrases(grants.missing(wanted.rights, effective.held))
    if phrases:
        cures = " ".join(f"GRANT {phrase} TO {user};" for phrase in phrases)
        found.append(
            Failure(
                "clickhouse_grants",
                f"{wanted.user} lacks {'; '.join(phrases)}.",
                f"Run as an administrator: {cures}",
                missing=phrases,
            )
        )
    return found


def drops(wanted: Wanted, facts: Facts, storage: str, rows: Mapping[str, int], confirm: str | None) -> list[Step]:
    """``rows``: table -> rows, for those tables that have any."""
    if rows and confirm != wanted.database:
        most = sorted(rows, key=lambda table: (-rows[table], table))
        listed = ", ".join(f"{table} ({rows[table]})" for table in most[:5])
        more = f" and {len(most) - 5} more tables" if len(most) > 5 else ""
        raise Failure(
            "clickhouse_not_empty",
            f"Database {wanted.database} holds rows in {listed}{more}, and is not dropped.",
            f"Back them up; or set confirm: {wanted.database} to delete them for good.",
            tables=most,
        )
    everywhere = f" ON CLUSTER {quote_name(wanted.cluster)}" if wanted.cluster else ""
    on = "" if facts.cluster and facts.cluster.shared_accounts else everywhere
    found = []
    if storage and storage not in ("users_xml", "ldap"):
        found.append(_open(f"DROP USER IF EXISTS {quote_name(wanted.user)}{on}"))
    if facts.engine:
        found.append(_open(f"DROP DATABASE IF EXISTS {quote_name(wanted.database)}{everywhere} SYNC"))
    return found


def difference(wanted: Wanted, facts: Facts, account: Account) -> dict[str, Any]:
    """Before and after for the diff mode."""
    held = [right for right in wanted.rights if account.held.holds(right)]
    before: dict[str, Any] = {
        "database": bool(facts.engine),
        "user": bool(account.storage),
        "password": "none" if account.open else "as given" if account.accepts else "another one",
        "settings": dict(account.settings),
        "grants": grants.phrases(held),
    }
    after = {
        "database": True,
        "user": True,
        "password": "as given",
        "settings": {**account.settings, **wanted.settings},
        "grants": grants.phrases(wanted.rights),
    }
    if wanted.exclusive:
        before["more"] = [*grants.phrases(grants.surplus(wanted.rights, account.own)), *account.own.roles]
        after["more"] = []
    return {"before": before, "after": after}
