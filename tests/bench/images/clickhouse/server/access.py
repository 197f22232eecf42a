"""Log-in, and the statements about users, roles and grants, which the engine as a library cannot store itself.

The engine still judges each statement: it is run, and only when the engine finds nothing wrong with it but that
it has nowhere to write (codes 514 and 495) the bench makes the change in its own list and opens the engine again.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path

from .access_statements import EntityChange, GrantChange, SetRole, ShowCreateUser, ShowGrants, parse
from .engine import Answer, Engine
from .errors import EngineError, ServerError, authentication_failed
from .statements import output_format, quote, quote_name, single_statement, tokens
from .users import Accounts, User

_NOWHERE_TO_WRITE = (495, 514)
_LONGEST_STATEMENT = 65536
_FIRST_WORDS = frozenset(("GRANT", "REVOKE", "SHOW", "SET", "CREATE", "ALTER", "DROP"))


class AccountStore:
    """The accounts made by statements, kept beside the data; those of the users file are not written."""

    def __init__(self, path: Path, fixed: dict[str, User]) -> None:
        self._path = path
        self.fixed = fixed

    def load(self) -> Accounts:
        accounts = Accounts()
        if self._path.exists():
            content = json.loads(self._path.read_text())
            for name, entry in content["users"].items():
                accounts.users[name] = User(
                    name,
                    (entry["digest"][0], entry["digest"][1]),
                    tuple(entry["grants"]),
                    tuple(entry["networks"]),
                    entry["profile"],
                    entry.get("salt", ""),
                    tuple((name, value) for name, value in entry.get("settings", ())),
                )
            accounts.roles = {name: tuple(grants) for name, grants in content["roles"].items()}
        accounts.users.update(self.fixed)
        return accounts

    def save(self, accounts: Accounts) -> None:
        users = {name: asdict(user) for name, user in accounts.users.items() if name not in self.fixed}
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        partial = self._path.with_suffix(".tmp")
        partial.write_text(json.dumps({"users": users, "roles": accounts.roles}))
        partial.replace(self._path)


class Access:
    """`publish` writes the users file that the engine reads when it opens."""

    def __init__(self, engine: Engine, store: AccountStore, publish: Callable[[Accounts], None]) -> None:
        self._engine = engine
        self._store = store
        self._publish = publish
        self._accounts = store.load()
        self._lock = threading.Lock()

    def log_in(self, name: str, password: str, address: str) -> User:
        user = self._accounts.users.get(name)
        if user is None or not user.accepts(password, address):
            raise authentication_failed(name)
        return user

    def handle(self, user: User, statement: bytes, form: str) -> tuple[Answer, str] | None:
        """The answer of a statement about access, and its format; None for every other one."""
        text = statement[:_LONGEST_STATEMENT].decode(errors="replace")
        first = next(tokens(text), None)
        if first is None or first.word not in _FIRST_WORDS:
            return None
        change = parse(text)
        if change is None:
            return None
        if isinstance(change, SetRole):
            return Answer(self._set_role(user, change)), form
        if isinstance(change, ShowGrants | ShowCreateUser):
            used = output_format(text) or form
            shown = self._own_grants(user, change) if isinstance(change, ShowGrants) else self._created(user, change)
            return self._engine.admin_answer(shown, used), used
        with self._lock:
            if self._is_wanted(user, single_statement(text)) and not self._exists(change):
                self._make(change)
        return Answer(b""), form

    def shown(self, text: str) -> str:
        """`system.users` as a server tells it, where users made by statements are not in the users file."""
        made = ", ".join(quote(name) for name in self._accounts.users if name not in self._store.fixed)
        if not made or "system.users" not in text:
            return text
        row = f"SELECT * REPLACE (if(name IN ({made}), 'local_directory', storage) AS storage) FROM system.users"
        return re.sub(r"\b(FROM|JOIN)\s+system\.users\b", rf"\1 ({row})", text, flags=re.IGNORECASE)

    def _own_grants(self, user: User, statement: ShowGrants) -> str:
        holder = quote_name(user.role if user.name == "default" else user.name)
        return f"SHOW GRANTS FOR {holder} {statement.options}"

    def _created(self, user: User, statement: ShowCreateUser) -> str:
        """The engine's own text, with the settings where it has the profile that carries them."""
        with self._engine.session(user, "") as session:
            text = session.query(f"SHOW CREATE USER {quote_name(statement.name)}", "TabSeparatedRaw").data.decode()
        account = self._accounts.users.get(statement.name)
        if account is not None and account.settings:
            profile = quote_name(account.own_profile)
            settings = self._engine.admin(f"SHOW CREATE SETTINGS PROFILE {profile}").rpartition(" SETTINGS ")[2]
            text = re.sub(r"PROFILE `?" + re.escape(account.own_profile) + "`?", lambda _: settings, text)
        return f"SELECT {quote(text.strip())} AS {quote_name('CREATE USER ' + statement.name)}"

    def _is_wanted(self, user: User, text: str) -> bool:
        """Ask the engine; False when there is nothing to do, as with IF NOT EXISTS."""
        with self._engine.session(user, "") as session:
            try:
                session.query(text)
            except EngineError as error:
                if error.code in _NOWHERE_TO_WRITE:
                    return True
                raise
        return False

    def _exists(self, change: EntityChange | GrantChange) -> bool:
        """A CREATE that has nothing to do; 493 where it does not say IF NOT EXISTS or OR REPLACE."""
        if isinstance(change, GrantChange) or change.action != "CREATE" or change.option == "OR REPLACE":
            return False
        known = self._accounts.users if change.kind == "USER" else self._accounts.roles
        found = [name for name in change.names if name in known]
        if found and not change.option:
            kind, name = change.kind.lower(), found[0]
            message = f"{kind} `{name}`: cannot insert because {kind} `{name}` already exists in `user directories`."
            raise ServerError(493, message, "ACCESS_ENTITY_ALREADY_EXISTS")
        return bool(found)

    def _make(self, change: EntityChange | GrantChange) -> None:
        for name in change.names:
            if name in self._store.fixed:
                raise ServerError(
                    495, f"Cannot update user `{name}` in users_xml because this storage is readonly", "READONLY"
                )
        before, after = self._accounts, deepcopy(self._accounts)
        if isinstance(change, GrantChange):
            _grant(after, change)
        elif change.kind == "USER":
            _change_users(after, change)
        else:
            _change_roles(after, change)
        try:
            self._engine.reopen(lambda: self._publish(after))
        except (RuntimeError, ServerError) as error:
            self._engine.reopen(lambda: self._publish(before))
            raise EngineError(str(error)) from error
        self._accounts = after
        self._store.save(after)

    def _set_role(self, user: User, change: SetRole) -> bytes:
        """Every role a user has is always on: only a role that was not granted is refused."""
        granted = " ".join(user.grants)
        for name in change.names:
            if quote_name(name) not in granted:
                raise ServerError(512, f"Role {name} should be granted to set current", "SET_NON_GRANTED_ROLE")
        return b""


def _grant(accounts: Accounts, change: GrantChange) -> None:
    for name in change.names:
        if name in accounts.users:
            user = accounts.users[name]
            accounts.users[name] = replace(user, grants=_with(user.grants, change))
        elif name in accounts.roles:
            accounts.roles[name] = _with(accounts.roles[name], change)
        else:
            raise ServerError(511, f"There is no user or role `{name}` in `user directories`", "UNKNOWN_ROLE")


def _with(grants: tuple[str, ...], change: GrantChange) -> tuple[str, ...]:
    """The users file takes a role back only by not granting it. A replacement leaves the other kind as it is."""
    about_roles = _role_of(change.statements[0]) is not None
    if change.replaces:
        grants = tuple(grant for grant in grants if (_role_of(grant) is not None) != about_roles)
    if about_roles and change.statements[0].startswith("REVOKE"):
        gone = {_role_of(statement) for statement in change.statements}
        return tuple(grant for grant in grants if _role_of(grant) not in gone)
    return (*grants, *change.statements)


def _role_of(statement: str) -> str | None:
    """The quoted role of `GRANT role` or `REVOKE role`; None for privileges."""
    found = re.fullmatch(r"(?:GRANT|REVOKE) (`(?:[^`\\]|\\.)*`)(?: WITH \w+ OPTION)?", statement)
    return found[1] if found else None


def _change_users(accounts: Accounts, change: EntityChange) -> None:
    for name in change.names:
        if change.action == "DROP":
            accounts.users.pop(name, None)
            continue
        # Without IDENTIFIED a new user logs in without a password, as on the server.
        old = accounts.users.get(name) if change.action == "ALTER" else None
        user = old or User(name, ("none", ""))
        accounts.users[name] = replace(
            user,
            digest=change.digest or user.digest,
            salt=user.salt if change.digest is None else change.salt,
            settings=_settings(user, change),
            networks=user.networks if change.networks is None else change.networks,
            profile=change.profile or user.profile,
        )


def _settings(user: User, change: EntityChange) -> tuple[tuple[str, str], ...]:
    if change.settings is None:
        return user.settings
    if change.how == "":
        return change.settings
    names = [name for name, _ in change.settings]
    kept = tuple(pair for pair in user.settings if pair[0] not in names)
    return kept if change.how == "DROP" else (*kept, *change.settings)


def _change_roles(accounts: Accounts, change: EntityChange) -> None:
    for name in change.names:
        if change.action != "DROP":
            accounts.roles.setdefault(name, ())
            continue
        accounts.roles.pop(name, None)
        # A role made later under this name is another one.
        gone = quote_name(name)
        for holder, user in accounts.users.items():
            kept = tuple(grant for grant in user.grants if gone not in grant.split(" ON ")[0])
            accounts.users[holder] = replace(user, grants=kept)
        for holder, grants in accounts.roles.items():
            accounts.roles[holder] = tuple(grant for grant in grants if gone not in grant.split(" ON ")[0])
