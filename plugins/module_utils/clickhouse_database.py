# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Database, user, settings and grants for Langfuse in a ClickHouse: look, decide, apply, look again as the user."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import (
    clickhouse,
    clickhouse_grants,
    clickhouse_plan,
    http_client,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.clickhouse import QueryError, Server, array
from ansible_collections.llmops.langfuse.plugins.module_utils.clickhouse_grants import Holdings, Name, Right, quote_name
from ansible_collections.llmops.langfuse.plugins.module_utils.clickhouse_plan import (
    CLUSTER,
    MANAGE,
    OWN,
    Account,
    Cluster,
    Effective,
    Facts,
    Step,
    Wanted,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure, joined

_STORAGE = "SELECT storage FROM system.users WHERE name = {user:String}"
_FACTS = "SELECT version(), timezone(), (SELECT any(engine) FROM system.databases WHERE name = {database:String})"
_ROWS = "SELECT name, total_rows FROM system.tables WHERE total_rows > 0 AND database = {database:String}"
_SHARDS = "SELECT uniqExact(shard_num) FROM system.clusters WHERE cluster = {cluster:String}"
_MACROS = "SELECT macro FROM system.macros"
_SHARED_ACCOUNTS = "SELECT name FROM system.user_directories WHERE type = 'replicated'"
_USERS_OF_NODES = (
    "SELECT countIf(name = {name:String}) FROM clusterAllReplicas('default', system.users) GROUP BY hostName()"
)
_DATABASES_OF_NODES = (
    "SELECT countIf(name = {name:String}) FROM clusterAllReplicas('default', system.databases) GROUP BY hostName()"
)
_SETTING_VALUES = "SELECT name, value FROM system.settings WHERE has({names:Array(String)}, name)"


def ensure(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring the server to what ``params`` (the options of the module) ask for, or say all that is in the way.

    The result has ``changed``, ``mode``, ``version``, ``statements``, ``grants``, ``settings``, ``notes`` and ``diff``.
    Raises Failure; in check mode nothing is written.
    """
    wanted = _wanted(params)
    own = _server(params, params["user"], params["password"] or "")
    stranger = _server(params, params["user"], secrets.token_hex(16))
    admin = _server(params, params["login_user"], params["login_password"] or "") if params["login_user"] else None
    speaker = admin or own
    try:
        try:
            speaker.wait(params["wait"])
            if params["state"] == "absent":
                return _absent(_administrator(admin), wanted, params["confirm"], check_mode)
            if admin is None:
                is_open = _accepts(stranger)
                return _with_note(_verified(own, wanted), wanted, is_open)
            is_open = _accepts(stranger)
            result = _present(admin, own, wanted, params["password"], is_open, check_mode)
            return _with_note(result, wanted, is_open and result["mode"] != MANAGE)
        except (QueryError, http_client.Unreachable) as error:
            raise clickhouse.explain(error, speaker) from None
    finally:
        own.close()
        stranger.close()
        if admin:
            admin.close()


def _wanted(params: Mapping[str, Any]) -> Wanted:
    settings = {name: _text(value) for name, value in (params["settings"] or {}).items()}
    wanted = Wanted(params["database"], params["user"], params["cluster"] or "", settings, params["exclusive"])
    wrong = [name for name in settings if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in ("readonly", "profile")]
    if wrong:
        raise _bad_option(f"settings: {', '.join(wrong)} cannot be set here", "Name settings of ClickHouse.")
    if wanted.cluster and wanted.cluster != CLUSTER:
        raise _bad_option(
            f"cluster: {wanted.cluster}, but the SQL of Langfuse's migrations says ON CLUSTER {CLUSTER}",
            f"Define a cluster named {CLUSTER}, or leave the option out for a single server.",
        )
    if wanted.database.lower() in ("system", "information_schema"):
        raise _bad_option(f"database: {wanted.database} is ClickHouse's own", "Name another one.")
    if params["state"] == "present" and not params["password"]:
        raise _bad_option("password is empty, and Langfuse's migrations refuse that", "Give the user a password.")
    return wanted


def _escaped(value: str) -> str:
    """A String parameter is read as ClickHouse's tab-separated text."""
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _bad_option(message: str, cure: str) -> Failure:
    return Failure("bad_option", f"{message}.", cure)


def _server(params: Mapping[str, Any], user: str, password: str) -> Server:
    try:
        return Server(params["login_url"], user, password, params["ca_path"], params["validate_certs"])
    except ValueError as error:
        raise _bad_option(f"login_url: {error}", "Write http://HOST:8123 or https://HOST:8443.") from None
    except OSError as error:
        raise _bad_option(f"ca_path {params['ca_path']}: {error}", "Name a readable PEM file.") from None


def _administrator(admin: Server | None) -> Server:
    if admin is None:
        raise _bad_option("state: absent without login_user", "Give login_user and login_password of an administrator.")
    return admin


def _with_note(result: dict[str, Any], wanted: Wanted, is_open: bool) -> dict[str, Any]:
    if is_open:
        cure = f"ALTER USER {quote_name(wanted.user)} IDENTIFIED BY '...', or where its file defines it."
        result["notes"].append(
            f"{wanted.user} logs in with any password: whoever reaches ClickHouse is {wanted.user}. Give it one: {cure}"
        )
    return result


def _present(
    admin: Server, own: Server, wanted: Wanted, password: str, is_open: bool, check_mode: bool
) -> dict[str, Any]:
    facts, rights, account = _look(admin, own, wanted)
    wanted, _values = _on_this_version(admin, wanted, facts)
    account = account._replace(settings=_own_settings(admin, wanted, account), open=is_open)
    what = clickhouse_plan.mode(admin.user, rights, wanted.user, account.storage)
    if what != MANAGE:
        may_create = account.accepts and rights.holds(Right("CREATE DATABASE", Name(wanted.database)))
        return _looked_at(admin, own, wanted, facts, may_create, check_mode)
    _refuse(clickhouse_plan.foreign(wanted, account))
    identified = _verifier(password)
    todo = clickhouse_plan.steps(wanted, facts, account, identified)
    lacking = clickhouse_plan.not_permitted(rights, wanted, facts, account)
    if lacking:
        raise Failure(
            "clickhouse_denied",
            f"{admin.user} may not do what is needed here: it lacks {'; '.join(lacking)}.",
            "Give it that, or take another login_user.",
            missing=lacking,
        )
    if not check_mode:
        _apply(admin, todo, identified)
    if not todo or not check_mode:
        _prove(own, wanted)
    return _result(what, wanted, facts, account, todo)


def _look(admin: Server, own: Server, wanted: Wanted) -> tuple[Facts, Holdings, Account]:
    facts = _facts(admin, wanted)
    _refuse(clickhouse_plan.unfit(facts, wanted))
    rights = clickhouse_grants.read(admin.texts("SHOW GRANTS FINAL"))
    cluster = facts.cluster
    if cluster and cluster.shards:
        facts = facts._replace(cluster=_everywhere(admin, wanted, cluster))
    user, accepts = quote_name(wanted.user), _accepts(own)
    try:
        storage = admin.texts(_STORAGE, user=_escaped(wanted.user))
        if storage:
            own_rights = clickhouse_grants.read(admin.texts(f"SHOW GRANTS FOR {user}"))
            held = clickhouse_grants.read(admin.texts(f"SHOW GRANTS FOR {user} FINAL"))
            return facts, rights, Account(storage[0], own_rights, held, {}, accepts)
    except QueryError as error:
        if error.code != clickhouse.DENIED:
            raise
    return facts, rights, Account("", Holdings(), Holdings(), {}, accepts)


def _facts(server: Server, wanted: Wanted) -> Facts:
    version, zone, engine = server.rows(_FACTS, database=_escaped(wanted.database))[0]
    cluster = None
    if wanted.cluster:
        shards = server.texts(_SHARDS, cluster=wanted.cluster)[0]
        cluster = Cluster(int(shards), tuple(server.texts(_MACROS)), bool(server.texts(_SHARED_ACCOUNTS)))
    return Facts(str(version), str(zone), str(engine or ""), cluster)


def _everywhere(admin: Server, wanted: Wanted, cluster: Cluster) -> Cluster:
    """Statements ``ON CLUSTER`` that failed halfway leave nodes without: look at all of them."""

    users = () if cluster.shared_accounts else admin.texts(_USERS_OF_NODES, name=_escaped(wanted.user))
    databases = admin.texts(_DATABASES_OF_NODES, name=_escaped(wanted.database))
    return cluster._replace(lacks_database="0" in databases, lacks_user="0" in users)


def _accepts(own: Server) -> bool:
    try:
        own.rows("SELECT 1")
    except QueryError as error:
        if error.code not in clickhouse.REFUSES_LOGIN:
            raise
        return False
    return True


def _on_this_version(server: Server, wanted: Wanted, facts: Facts) -> tuple[Wanted, dict[str, str]]:
    """What is wanted of a server of this version, and the values that the one who asks has there, ``readonly`` among them."""
    settings = clickhouse_plan.settings_for(facts.version, wanted.settings)
    rows = server.rows(_SETTING_VALUES, names=array(["readonly", *settings]))
    values = {str(name): str(value) for name, value in rows}
    unknown = sorted(set(settings) - set(values))
    if unknown:
        said = f"settings: ClickHouse {facts.version} knows no {', '.join(unknown)}"
        raise _bad_option(said, "Correct the name, see system.settings.")
    return wanted._replace(settings=settings), values


def _own_settings(admin: Server, wanted: Wanted, account: Account) -> dict[str, str]:
    if not account.storage or not wanted.settings:
        return {}
    created = " ".join(admin.texts(f"SHOW CREATE USER {quote_name(wanted.user)}"))
    return clickhouse_plan.settings_of(created, list(wanted.settings))


def _verifier(password: str) -> str:
    """The clause that sets a password without naming it: what is logged on the way is worth nothing."""
    salt = secrets.token_hex(16).upper()
    digest = hashlib.sha256((password + salt).encode()).hexdigest().upper()
    return f"IDENTIFIED WITH sha256_hash BY '{digest}' SALT '{salt}'"


def _apply(admin: Server, todo: Sequence[Step], identified: str) -> None:
    for step in todo:
        try:
            admin.rows(step.sql)
        except QueryError as error:
            text = error.text.replace(identified, "IDENTIFIED ...")
            text = re.sub(r"'[0-9A-F]{32,64}'", "'...'", text)
            failure = clickhouse.explain(QueryError(error.code, text), admin)
            failure.message += f" The statement was: {step.told}."
            failure.details["statement"] = step.told
            raise failure from None


def _effective(own: Server, wanted: Wanted) -> tuple[Facts, Wanted, Effective]:
    facts = _facts(own, wanted)
    _refuse(clickhouse_plan.too_old(facts))
    wanted, values = _on_this_version(own, wanted, facts)
    # IMPLICIT: a server may open its system tables to everybody.
    held = clickhouse_grants.read(own.texts("SHOW GRANTS WITH IMPLICIT FINAL"))
    return facts, wanted, Effective(held, values)


def _found_by(own: Server, wanted: Wanted) -> tuple[Facts, Wanted, list[Failure]]:
    """What the user itself finds wrong, the server's own faults first. Refused log-in is told with its cure."""
    try:
        facts, wanted, effective = _effective(own, wanted)
    except QueryError as error:
        failure = clickhouse.explain(error, own)
        if error.code in clickhouse.REFUSES_LOGIN:
            failure.cure += f" Where it does not exist: CREATE USER {quote_name(wanted.user)} IDENTIFIED BY '...';"
            failure.cure += "".join(f" GRANT {phrase} TO {quote_name(wanted.user)};" for phrase in _phrases(wanted))
        raise failure from None
    return facts, wanted, [*clickhouse_plan.unfit(facts, wanted), *clickhouse_plan.problems(wanted, facts, effective)]


def _phrases(wanted: Wanted) -> list[str]:
    return clickhouse_grants.phrases(wanted.rights)


def _prove(own: Server, wanted: Wanted) -> None:
    _refuse(_found_by(own, wanted)[2])


def _verified(own: Server, wanted: Wanted) -> dict[str, Any]:
    facts, wanted, wrong = _found_by(own, wanted)
    _refuse(wrong)
    return _result(OWN, wanted, facts, None, [])


def _looked_at(
    admin: Server, own: Server, wanted: Wanted, facts: Facts, may_create: bool, check_mode: bool
) -> dict[str, Any]:
    """The account is not the administrator's to change: make the database if it may, and judge the rest."""
    todo: list[Step] = []
    if may_create and not facts.engine:
        _refuse([failure for failure in _found_by(own, wanted)[2] if failure.code != "clickhouse_no_database"])
        complete = Account("fixed", Holdings(), Holdings(wanted.rights), wanted.settings, True)
        todo = clickhouse_plan.steps(wanted._replace(exclusive=False), facts, complete, "-")
        if not check_mode:
            _apply(admin, todo, "-")
    if not todo or not check_mode:
        _prove(own, wanted)
    return _result(clickhouse_plan.VERIFY, wanted, facts, None, todo)


def _absent(admin: Server, wanted: Wanted, confirm: str | None, check_mode: bool) -> dict[str, Any]:
    if admin.user == wanted.user:
        raise _bad_option(f"user: {wanted.user} is login_user too", "Log in as another administrator.")
    facts = _facts(admin, wanted)
    storage = admin.texts(_STORAGE, user=_escaped(wanted.user))
    rows = {str(table): int(count) for table, count in admin.rows(_ROWS, database=_escaped(wanted.database))}
    fixed = storage[0] if storage else ""
    todo = clickhouse_plan.drops(wanted, facts, fixed, rows, confirm)
    if not check_mode:
        _apply(admin, todo, "-")
    result = _result(MANAGE, wanted, facts, None, todo)
    if fixed and not any("DROP USER" in step.sql for step in todo):
        result["notes"] = [f"{wanted.user} is defined in a file of the server: remove it there."]
    before = {"database": bool(facts.engine), "user": bool(fixed)}
    result["diff"] = {"before": before, "after": {"database": False, "user": False}}
    return result


def _refuse(wrong: Sequence[Failure]) -> None:
    if wrong:
        failure = joined(wrong)
        told = [{"code": one.code, "message": one.message, "cure": one.cure} for one in wrong]
        failure.details.update(problems=told)
        for one in wrong:
            failure.details.update({key: value for key, value in one.details.items() if key != "problems"})
        raise failure


def _result(what: str, wanted: Wanted, facts: Facts, account: Account | None, todo: Sequence[Step]) -> dict[str, Any]:
    held = account.held if account else Holdings(wanted.rights)
    missing = clickhouse_grants.phrases(clickhouse_grants.missing(wanted.rights, held))
    more = clickhouse_grants.phrases(clickhouse_grants.surplus(wanted.rights, account.own)) if account else []
    notes = []
    if more and not wanted.exclusive:
        notes = [f"{wanted.user} holds more than Langfuse needs: {'; '.join(more)}. Set exclusive to take it away."]
    return {
        "changed": bool(todo),
        "mode": what,
        "version": facts.version,
        "statements": [step.told for step in todo],
        "grants": {"needed": _phrases(wanted), "missing": missing, "more": more},
        "settings": dict(wanted.settings),
        "notes": notes,
        "diff": clickhouse_plan.difference(wanted, facts, account) if account and todo else {"before": "", "after": ""},
    }
