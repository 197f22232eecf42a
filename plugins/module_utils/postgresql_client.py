# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queries and statements of postgresql_database over open psycopg connections.

Connections are in autocommit mode; what looks does it in a transaction that is read-only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import postgresql_state as state
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

# SQLSTATE disk_full.
_DISK_FULL = "53100"
_SERVER = """
SELECT current_setting('server_version_num')::int, current_setting('server_version'), pg_is_in_recovery(),
       current_setting('default_transaction_read_only')::bool, current_setting('max_connections')::int,
       current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true)::int, 0),
       (SELECT count(*) FROM pg_stat_activity WHERE usesysid IS NOT NULL AND datid IS NOT NULL AND pid <> pg_backend_pid()),
       r.rolname, r.rolsuper, r.rolcreaterole, r.rolcreatedb, has_table_privilege('pg_catalog.pg_authid', 'SELECT'),
       r.rolinherit, pg_encoding_to_char(t.encoding), t.datctype, current_setting('TimeZone')
  FROM pg_roles r, pg_database t WHERE r.rolname = current_user AND t.datname = 'template0'
"""
# 'SET' is a privilege of its own since PostgreSQL 16; before, every member may.
_ROLE = """
SELECT r.rolcanlogin, r.rolsuper, r.rolconnlimit, nullif(r.rolvaliduntil, 'infinity')::text,
       coalesce(r.rolvaliduntil < now(), false),
       pg_has_role(r.oid, 'USAGE') AND pg_has_role(r.oid, %(member)s), pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION'),
       (SELECT count(*) FROM pg_stat_activity WHERE usesysid = r.oid),
       ARRAY(SELECT DISTINCT coalesce(d.datname, o.datname, 'all databases')
               FROM pg_shdepend s
               LEFT JOIN pg_database d ON d.oid = s.dbid
               LEFT JOIN pg_database o ON s.classid = 'pg_database'::regclass AND o.oid = s.objid
              WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
                AND coalesce(d.datname, o.datname, '') <> %(database)s ORDER BY 1)::text[]
  FROM pg_roles r WHERE r.rolname = %(role)s
"""
_STORED = "SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = %(role)s"
_DATABASE = """
SELECT pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), d.datallowconn, d.datconnlimit,
       EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
                WHERE a.grantee = 0 AND a.privilege_type IN ('CONNECT', 'TEMPORARY')),
       coalesce(has_database_privilege(r.oid, d.oid, 'CONNECT') AND has_database_privilege(r.oid, d.oid, 'CREATE')
                AND has_database_privilege(r.oid, d.oid, 'TEMPORARY'), false),
       pg_has_role(d.datdba, 'USAGE'),
       (SELECT count(*) FROM pg_stat_activity WHERE datid = d.oid AND pid <> pg_backend_pid())
  FROM pg_database d LEFT JOIN pg_roles r ON r.rolname = %(role)s WHERE d.datname = %(database)s
"""
_SETTINGS = """
SELECT s.setdatabase <> 0, s.setrole <> 0, s.setconfig FROM pg_db_role_setting s
 WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = %(database)s))
   AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = %(role)s))
"""
_SCHEMA = """
SELECT pg_get_userbyid(n.nspowner),
       coalesce(has_schema_privilege(r.oid, n.oid, 'CREATE') AND has_schema_privilege(r.oid, n.oid, 'USAGE'), false)
  FROM pg_namespace n LEFT JOIN pg_roles r ON r.rolname = %(role)s WHERE n.nspname = 'public'
"""
# What ALTER ... OWNER can be said of: no row types, arrays or sequences of tables (they follow), nothing of an extension.
_FOREIGN = """
SELECT pg_get_userbyid(o.owner), o.word, o.name FROM (
  SELECT c.tableoid, c.oid, c.relowner AS owner, format('%%I.%%I', 'public', c.relname) AS name,
         CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                        WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS word
    FROM pg_class c
   WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                        AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND c.relkind = 'S')
  UNION ALL
  SELECT t.tableoid, t.oid, t.typowner, format('%%I.%%I', 'public', t.typname), 'TYPE'
    FROM pg_type t LEFT JOIN pg_class k ON k.oid = t.typrelid
   WHERE t.typnamespace = 'public'::regnamespace AND (t.typtype IN ('e', 'd', 'r') OR k.relkind = 'c')
  UNION ALL
  SELECT p.tableoid, p.oid, p.proowner, p.oid::regprocedure::text, 'ROUTINE'
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
) o
 WHERE pg_get_userbyid(o.owner) <> %(role)s
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = o.tableoid AND e.objid = o.oid AND e.deptype = 'e')
 ORDER BY 2, 3
"""
_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname), has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
"""
_USABLE = """
SELECT current_setting('TimeZone'), n.oid IS NOT NULL, has_schema_privilege(n.oid, 'CREATE'), has_schema_privilege(n.oid, 'USAGE')
  FROM (SELECT 1) one LEFT JOIN pg_namespace n ON n.nspname = 'public'
"""
# Whoever may connect may ask it, whatever the rights on the schema are.
_LANGFUSE = """
SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = 'public' AND c.relname = '_prisma_migrations')
"""
_EXISTS = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %(database)s)"
_DOING = {
    "create_role": "create the role",
    "alter_role": "change the role",
    "join_role": "become a member of the role",
    "create_database": "create the database",
    "owner": "change the owner of the database",
    "drop_database": "drop the database",
    "drop_role": "drop the role",
}


@contextlib.contextmanager
def reading(connection: Any) -> Iterator[Any]:
    """One transaction for all that looks inside of it. Raises Failure database_refused."""
    import psycopg  # pylint: disable=import-outside-toplevel

    if connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
        yield connection
        return
    connection.read_only = True
    try:
        with connection.transaction():
            # So that names of routines come out qualified.
            connection.execute("SET LOCAL search_path = pg_catalog")
            yield connection
    except psycopg.Error as error:
        raise _refused(error, f"PostgreSQL on {connection.info.host}:{connection.info.port}", "be looked at") from None


def _refused(error: Any, where: str, doing: str) -> Failure:
    # Not str(error): it may quote the statement.
    text = error.diag.message_primary or type(error).__name__
    full = error.sqlstate == _DISK_FULL or "No space left" in text
    return Failure(
        "database_disk" if full else "database_refused",
        f"{where} refused to {doing}: {text} ({error.sqlstate or 'no code'}).",
        f"{'Free space on its disk' if full else 'Mend that'} and run again; what was done before stays done.",
        sqlstate=error.sqlstate,
    )


def _names(wanted: state.Wanted) -> dict[str, Any]:
    return {"database": wanted.database, "role": wanted.role}


def server(connection: Any) -> state.Server:
    with reading(connection):
        return state.Server(*connection.execute(_SERVER).fetchone())


def role(connection: Any, seen: state.Server, wanted: state.Wanted) -> state.Role | None:
    """The role, with its password still unknown."""
    member = "SET" if seen.number >= 160000 else "MEMBER"
    with reading(connection):
        row = connection.execute(_ROLE, {**_names(wanted), "member": member}).fetchone()
    if row is None:
        return None
    login, superuser, limit, expires, expired, member_of, with_admin, sessions, elsewhere = row
    # Before PostgreSQL 16, CREATEROLE is enough for every role but a superuser.
    manages = seen.createrole and not superuser and (with_admin or seen.number < 160000)
    return state.Role(
        login=login,
        superuser=superuser,
        connection_limit=limit,
        expires=expires,
        expired=expired,
        password=state.UNKNOWN,
        member=member_of,
        manageable=seen.superuser or manages,
        sessions=sessions,
        elsewhere=tuple(elsewhere),
    )


def stored_password(connection: Any, wanted: state.Wanted) -> str | None:
    with reading(connection):
        row = connection.execute(_STORED, _names(wanted)).fetchone()
    stored: str | None = row[0] if row else None
    return stored


def database(connection: Any, wanted: state.Wanted) -> state.Database | None:
    with reading(connection):
        row = connection.execute(_DATABASE, _names(wanted)).fetchone()
        settings = connection.execute(_SETTINGS, _names(wanted)).fetchall()
    if row is None:
        return None
    owner, encoding, accepts, limit, public, granted, usable, sessions = row
    of_database, of_role = state.set_timezones(settings)
    return state.Database(
        owner=owner,
        encoding=encoding,
        timezone=of_database,
        role_timezone=of_role,
        accepts=accepts,
        connection_limit=limit,
        public=public,
        granted=granted,
        usable=usable,
        sessions=sessions,
    )


def inside(connection: Any, wanted: state.Wanted, rows: bool) -> state.Inside:
    """The schema public; with ``rows`` also whether any table holds one (None when a table may not be read)."""
    with reading(connection):
        schema = connection.execute(_SCHEMA, _names(wanted)).fetchone()
        if rows:
            held = _holds_rows(connection)
            return state.Inside(schema[0] if schema else None, rows=held)
        if schema is None:
            return state.Inside(None, usable=False)
        foreign = connection.execute(_FOREIGN, _names(wanted)).fetchall()
    count: dict[str, int] = {}
    for owner, _word, _name in foreign:
        count[owner] = count.get(owner, 0) + 1
    migrations = any(name == "public._prisma_migrations" for _owner, _word, name in foreign)
    return state.Inside(schema[0], schema[1], count, migrations)


def _holds_rows(connection: Any) -> bool | None:
    answer: bool | None = False
    for table, readable in connection.execute(_TABLES).fetchall():
        if not readable:
            answer = None
        elif connection.execute(f"SELECT EXISTS (SELECT FROM {table})").fetchone()[0]:  # noqa: S608
            return True
    return answer


def exists(connection: Any, database_name: str) -> bool:
    """Whether the server has the database."""
    with reading(connection):
        return bool(connection.execute(_EXISTS, {"database": database_name}).fetchone()[0])


def holds_langfuse(connection: Any) -> bool:
    """Whether this database has the tables of an instance."""
    with reading(connection):
        return bool(connection.execute(_LANGFUSE).fetchone()[0])


def usable(connection: Any) -> str:
    """What keeps the role that signed in from migrating and running Langfuse, "" without such a thing."""
    with reading(connection):
        timezone, exists, create, usage = connection.execute(_USABLE).fetchone()
    if timezone.lower() not in state.UTC:
        return f"gets the time zone {timezone} instead of UTC"
    if not exists:
        return "finds no schema public"
    return "" if create and usage else "may not create tables in the schema public"


class Writer:
    """One statement a step. ``password`` is a verifier: the password itself never leaves this process."""

    def __init__(self, wanted: state.Wanted, seen: state.Server, password: str | None, where: str) -> None:
        from psycopg import sql  # pylint: disable=import-outside-toplevel

        self._sql: Any = sql
        self._wanted = wanted
        self._server = seen
        self._password = password
        self._where = where
        self._names = {"db": sql.Identifier(wanted.database), "role": sql.Identifier(wanted.role)}
        self._names["admin"] = sql.Identifier(seen.admin)

    def write(self, connection: Any, name: str, detail: Any) -> None:
        """Take one step. Raises Failure database_refused with what the server said."""
        import psycopg  # pylint: disable=import-outside-toplevel

        try:
            # A lock that Langfuse holds ends in a failure, not in waiting with half of the steps done.
            connection.execute("SET lock_timeout = '15s'")
            for statement in self._statements(connection, name, detail):
                connection.execute(statement)
        except psycopg.Error as error:
            doing = _DOING.get(name, f"set what {self._wanted.database} needs ({name})")
            raise _refused(error, f"PostgreSQL on {self._where}", doing) from None

    def told(self, connection: Any, steps: list[tuple[str, Any]]) -> list[str]:
        """The statements of these steps, for whoever has to run them by hand."""
        made = [statement for name, detail in steps for statement in self._statements(connection, name, detail)]
        return [f"{statement.as_string(connection)};" for statement in made]

    def _statements(self, connection: Any, name: str, detail: Any) -> list[Any]:
        found: list[Any] = getattr(self, f"_{detail}" if name == "inside" else f"_{name}")(connection, detail)
        return found

    def _text(self, template: str, **parts: Any) -> Any:
        return self._sql.SQL(template).format(**self._names, **parts)

    def _options(self, detail: dict[str, Any]) -> Any:
        words = [self._sql.SQL("LOGIN")] if detail.get("login") else []
        if "connection_limit" in detail:
            words.append(self._text("CONNECTION LIMIT {limit}", limit=self._sql.Literal(detail["connection_limit"])))
        if "password" in detail:
            words.append(self._text("PASSWORD {verifier}", verifier=self._sql.Literal(self._password)))
        if "expires" in detail:
            words.append(self._sql.SQL("VALID UNTIL 'infinity'"))
        return self._sql.SQL(" ").join(words)

    def _create_role(self, _connection: Any, limit: int | None) -> list[Any]:
        detail: dict[str, Any] = {"login": True, "password": ""}
        if limit is not None:
            detail["connection_limit"] = limit
        return [self._text("CREATE ROLE {role} {options}", options=self._options(detail))]

    def _alter_role(self, _connection: Any, detail: dict[str, Any]) -> list[Any]:
        return [self._text("ALTER ROLE {role} {options}", options=self._options(detail))]

    def _join_role(self, _connection: Any, _detail: Any) -> list[Any]:
        how = " WITH INHERIT TRUE, SET TRUE" if self._server.number >= 160000 else ""
        return [self._text("GRANT {role} TO {admin}" + how)]

    def _create_database(self, _connection: Any, clauses: dict[str, str]) -> list[Any]:
        words = [self._text(f"{name} {{value}}", value=self._sql.Literal(value)) for name, value in clauses.items()]
        clause = self._sql.SQL(" ").join(words)
        return [self._text("CREATE DATABASE {db} OWNER {role} TEMPLATE template0 {clause}", clause=clause)]

    def _owner(self, _connection: Any, _detail: Any) -> list[Any]:
        return [self._text("ALTER DATABASE {db} OWNER TO {role}")]

    def _timezone(self, _connection: Any, _detail: Any) -> list[Any]:
        return [self._text("ALTER DATABASE {db} SET timezone = 'UTC'")]

    def _role_timezone(self, _connection: Any, _detail: Any) -> list[Any]:
        return [self._text("ALTER ROLE {role} IN DATABASE {db} SET timezone = 'UTC'")]

    def _private(self, _connection: Any, _detail: Any) -> list[Any]:
        return [self._text("REVOKE CONNECT, TEMPORARY ON DATABASE {db} FROM PUBLIC")]

    def _grant_database(self, _connection: Any, _detail: Any) -> list[Any]:
        return [self._text("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {db} TO {role}")]

    def _create_schema(self, _connection: Any, _detail: Any) -> list[Any]:
        return [self._text("CREATE SCHEMA public AUTHORIZATION {role}")]

    def _grant_schema(self, _connection: Any, _detail: Any) -> list[Any]:
        return [self._text("GRANT USAGE, CREATE ON SCHEMA public TO {role}")]

    def _take_objects(self, connection: Any, _detail: Any) -> list[Any]:
        with reading(connection):
            found = connection.execute(_FOREIGN, _names(self._wanted)).fetchall()
        # The names were quoted by the server.
        return [
            self._text(f"ALTER {word} {name.replace('{', '{{').replace('}', '}}')} OWNER TO {{role}}")
            for _owner, word, name in found
        ]

    def _drop_database(self, _connection: Any, _detail: Any) -> list[Any]:
        return [self._text("DROP DATABASE {db}" + (" WITH (FORCE)" if self._wanted.force else ""))]

    def _drop_role(self, _connection: Any, _detail: Any) -> list[Any]:
        return [self._text("DROP ROLE {role}")]
