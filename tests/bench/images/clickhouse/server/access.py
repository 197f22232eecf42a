"""Log-in, and the statements about users, roles and grants, which the engine as a library cannot store itself."""

from __future__ import annotations

from .errors import authentication_failed
from .users import Accounts, User


class Access:
    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def log_in(self, name: str, password: str, address: str) -> User:
        user = self._accounts.users.get(name)
        if user is None or not user.accepts(password, address):
            raise authentication_failed(name)
        return user

    def handle(self, user: User, statement: bytes) -> bytes | None:
        return None
