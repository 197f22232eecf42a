"""The engine as a library: sessions on it, and the moments when it must be closed and opened again."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .errors import EngineError, ServerError, unknown_database
from .statements import quote, quote_name
from .users import ADMIN_ROLE, Settings, User, plain

_REOPEN_WAIT_SECONDS = 60
SESSION_NOT_FOUND = ServerError(372, "Session not found.", "SESSION_NOT_FOUND")
SESSION_IS_LOCKED = ServerError(373, "Session is locked by a concurrent client.", "SESSION_IS_LOCKED")


class _Library(Protocol):
    """The part of `chdb.session.Session` used here."""

    def query(self, sql: str, fmt: str = ...) -> Any: ...

    def send_insert(self, query: str, fmt: str = ...) -> Any: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Answer:
    data: bytes
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    seconds: float = 0.0


class Session:
    """One connection to the engine, under one user's rights."""

    def __init__(self, library: _Library, user: User | None, settings: Settings = ()) -> None:
        self._library = library
        self._user = user
        self._settings = settings
        self.lock = threading.Lock()

    def query(self, sql: str, form: str = "TabSeparated") -> Answer:
        try:
            result = self._library.query(sql, form)
        except Exception as error:
            raise self._error(error) from error
        return Answer(
            bytes(result.bytes()), result.rows_read(), result.bytes_read(), seconds=float(result.elapsed() or 0)
        )

    def insert(self, head: str, form: str, chunks: list[bytes]) -> Answer:
        started = time.monotonic()
        try:
            inserter = self._library.send_insert(head, form)
            try:
                for chunk in chunks:
                    if chunk:
                        inserter.append(chunk)
                result = inserter.finish()
            except BaseException:
                inserter.cancel()
                raise
        except Exception as error:
            raise self._error(error) from error
        seconds = time.monotonic() - started
        return Answer(b"", written_rows=result.rows_written, written_bytes=result.bytes_written, seconds=seconds)

    def _error(self, error: Exception) -> EngineError:
        """The engine runs everything as its own user: put the name of the one who asked in its place."""
        text = str(error)
        if self._user is not None:
            text = text.replace("DB::Exception: default: ", f"DB::Exception: {self._user.name}: ", 1)
        return EngineError(text)

    def enter(self, database: str) -> None:
        """Take the database and the user's rights. The database is only checked for existence, as the server does."""
        role = ADMIN_ROLE if self._user is None else self._user.role
        if self._user is not None:
            self.query(f"SET ROLE {quote_name(ADMIN_ROLE)}")
        if database:
            try:
                self.query(f"USE {quote_name(database)}")
            except EngineError as error:
                raise unknown_database(database) from error
        self.query(f"SET ROLE {quote_name(role)}")

    def apply_profile(self) -> None:
        """The library knows the default profile only: `SET profile` is accepted and does nothing."""
        # After `readonly` nothing else could be set.
        for name, value in sorted(self._settings, key=lambda item: item[0] == "readonly"):
            self.query(f"SET {name} = {quote(value)}")

    def close(self) -> None:
        self._library.close()


@dataclass
class _Named:
    session: Session
    generation: int
    expires: float = field(default=0.0)


class Engine:
    """Opens sessions. `reopen` waits for those in use, because users are only read when the engine opens."""

    def __init__(self, path: str, configuration: Path, profiles: Mapping[str, Settings]) -> None:
        self._profiles = profiles
        self._source = f"{path}?config-file={configuration}"
        self._connect: Callable[[str], _Library] = importlib.import_module("chdb.session").Session
        self._gate = threading.Condition()
        self._active = 0
        self._closing = False
        self._generation = 0
        self._named: dict[tuple[str, str], _Named] = {}
        self._root = self._open_root()
        self.version = self.admin("SELECT version()")
        self.timezone = self.admin("SELECT timezone()")

    def _open_root(self) -> Session:
        session = Session(self._connect(self._source), None)
        session.enter("")
        return session

    def _open(self, user: User) -> Session:
        settings = () if user.profile == "default" else self._profiles.get(user.profile, ())
        own = tuple((name, plain(value)) for name, value in user.settings)
        return Session(self._connect(self._source), user, (*settings, *own))

    def admin(self, sql: str) -> str:
        """With all rights; the answer as text without the last line's end."""
        return self.admin_answer(sql, "TabSeparatedRaw").data.decode().removesuffix("\n")

    def admin_answer(self, sql: str, form: str) -> Answer:
        with self._using():
            return self._root.query(sql, form)

    def has_database(self, name: str) -> bool:
        return self.admin(f"SELECT count() FROM system.databases WHERE name = {quote(name)}") == "1"

    @contextmanager
    def session(self, user: User, database: str) -> Iterator[Session]:
        """A session of its own, gone afterwards with everything that was set in it."""
        with self._using():
            session = self._open(user)
            try:
                session.enter(database or "default")
                session.apply_profile()
                yield session
            finally:
                session.close()

    @contextmanager
    def named_session(
        self, user: User, database: str, name: str, seconds: float, must_exist: bool
    ) -> Iterator[Session]:
        """The session of this name and user, kept `seconds` after its last use."""
        with self._using():
            entry = self._take_named(user, database, name, must_exist)
            if not entry.session.lock.acquire(blocking=False):
                raise SESSION_IS_LOCKED
            try:
                if database:
                    entry.session.enter(database)
                yield entry.session
            finally:
                entry.expires = time.monotonic() + seconds
                entry.session.lock.release()

    def _take_named(self, user: User, database: str, name: str, must_exist: bool) -> _Named:
        key = (user.name, name)
        with self._gate:
            entry = self._named.get(key)
            if entry is not None:
                entry.expires = float("inf")
                return entry
        if must_exist:
            raise SESSION_NOT_FOUND
        session = self._open(user)
        try:
            session.enter(database or "default")
            session.apply_profile()
        except BaseException:
            session.close()
            raise
        with self._gate:
            entry = self._named.setdefault(key, _Named(session, self._generation, float("inf")))
        if entry.session is not session:
            session.close()
        return entry

    def expire_named(self) -> None:
        now = time.monotonic()
        with self._gate:
            gone = [
                key for key, entry in self._named.items() if entry.expires < now and not entry.session.lock.locked()
            ]
            entries = [self._named.pop(key) for key in gone]
        for entry in entries:
            entry.session.close()

    def forget_session(self, user: User, name: str) -> None:
        with self._gate:
            entry = self._named.pop((user.name, name), None)
        if entry is not None:
            with entry.session.lock:
                entry.session.close()

    @contextmanager
    def _using(self) -> Iterator[None]:
        with self._gate:
            self._gate.wait_for(lambda: not self._closing, _REOPEN_WAIT_SECONDS)
            self._active += 1
        try:
            yield
        finally:
            with self._gate:
                self._active -= 1
                self._gate.notify_all()

    def reopen(self, change: Callable[[], None]) -> None:
        """Close everything, make the change, open again. Named sessions lose what they held."""
        with self._gate:
            self._gate.wait_for(lambda: not self._closing, _REOPEN_WAIT_SECONDS)
            self._closing = True
            if not self._gate.wait_for(lambda: self._active == 0, _REOPEN_WAIT_SECONDS):
                self._closing = False
                self._gate.notify_all()
                raise ServerError(159, "Timeout: other queries did not end in time.", "TIMEOUT_EXCEEDED")
        try:
            self._close_all()
            change()
            self._root = self._open_root()
            self._generation += 1
        finally:
            with self._gate:
                self._closing = False
                self._gate.notify_all()

    def _close_all(self) -> None:
        for entry in self._named.values():
            entry.session.close()
        self._named.clear()
        self._root.close()

    def close(self) -> None:
        """For the end of the process: queries that still run are cut off."""
        with self._gate:
            self._closing = True
            self._gate.wait_for(lambda: self._active == 0, 2)
        self._close_all()
