# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection to Redis, Valkey or Dragonfly: raw answers, and errors as causes.

Answers stay as the server gives them: the library's own readings of them differ between its versions.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

PASSWORD, DENIED, UNKNOWN, LOADING, BUSY, FULL = "password", "denied", "unknown", "loading", "busy", "full"
PROTECTED, ELSEWHERE, OTHER = "protected", "elsewhere", "other"
_SILENT = (http_client.NAME, http_client.REFUSED, http_client.TIMEOUT, http_client.CLOSED, http_client.UNREACHABLE)
# In this order: the sentence on the protected mode names about everything.
_KINDS = (
    (PROTECTED, ("protected mode",)),
    (PASSWORD, ("WRONGPASS", "NOAUTH", "invalid username-password", "invalid password", "without any password")),
    (PASSWORD, ("but no password is set", "Authentication required", "AUTH failed")),
    (DENIED, ("NOPERM", "has no permissions", "has no ACL permissions", "No permissions")),
    (UNKNOWN, ("unknown command", "unknown subcommand", "Unknown subcommand")),
    (LOADING, ("LOADING", "Redis is loading", "MASTERDOWN")),
    (BUSY, ("max number of clients", "BUSY ")),
    (FULL, ("MISCONF", "OOM", "command not allowed when used memory", "No space left")),
    (ELSEWHERE, ("MOVED", "ASK ", "CROSSSLOT", "Keys in request don't hash")),
    (http_client.TLS, ("SSL", "_ssl.c", "CERTIFICATE", "certificate")),
    (http_client.TIMEOUT, ("timed out", "Timeout")),
    (http_client.REFUSED, ("Connection refused", "Error 111")),
    (http_client.NAME, ("Name or service not known", "name resolution", "Error -", "nodename nor servname")),
    (http_client.CLOSED, ("Connection closed", "Connection reset", "Broken pipe")),
    (http_client.UNREACHABLE, ("No route to host", "Network is unreachable", "unreachable")),
)


class ServerError(Exception):
    """What the server or the way to it said. ``kind`` is one of those above or of ``http_client``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Where(NamedTuple):
    """Address, TLS and login of a server."""

    host: str
    port: int = 6379
    user: str | None = None
    password: str | None = None
    tls: bool = False
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True

    @property
    def label(self) -> str:
        return f"{self.host}:{self.port}"


def kind(text: str) -> str:
    """What an error's text is about. Pure."""
    return next((name for name, parts in _KINDS if any(part in text for part in parts)), OTHER)


def explain(error: ServerError, where: Where) -> Failure:
    """The cause and the cure of an error of the connection or of a refused command. Pure."""
    user = where.user or "default"
    said = error.message.rstrip(".")
    # A server that asks for a certificate of the client hangs up on one without.
    hung_up = where.tls and error.kind == http_client.CLOSED
    if error.kind in _SILENT and not hung_up:
        hint = ""
        if error.kind in (http_client.CLOSED, http_client.TIMEOUT):
            hint = " Or it speaks no TLS (tls: false)." if where.tls else " Or it expects TLS (tls: true)."
        cure = (
            f"Start the server, or correct login_host and login_port; it must be reachable from where this runs.{hint}"
        )
        return Failure("redis_down", f"Redis at {where.label} does not answer: {said}.", cure, kind=error.kind)
    if error.kind == http_client.TLS or hung_up:
        cure = (
            "Name the CA of the server's certificate in ca_path, and a certificate of the client (client_cert) where it asks "
            "for one; or correct login_host or tls."
        )
        return Failure("redis_tls", f"TLS with Redis at {where.label} failed: {said}.", cure, kind=error.kind)
    if error.kind == PASSWORD:
        cure = f"Correct the password of user {user}, or see with an administrator (ACL LIST) whether the user is there and on."
        told = f"Redis at {where.label} refuses the login of user {user}: {said}."
        return Failure("redis_wrong_password", told, cure, users=[user])
    if error.kind == PROTECTED:
        cure = "Give its default user a password (requirepass), and name it in login_password."
        told = f"Redis at {where.label} has no password and answers on its own host only (protected mode)."
        return Failure("redis_protected", told, cure)
    if error.kind == DENIED:
        cure = "Log in with an administrator (login_user), or let one make the user and take state: verified."
        return Failure("redis_denied", f"User {user} of Redis at {where.label} may not do this: {said}.", cure)
    if error.kind == UNKNOWN:
        cure = (
            "Redis has ACLs since 6.0. Hosted services hide them: make the user in the service's own console, and take "
            "state: verified."
        )
        return Failure("redis_no_acl", f"Redis at {where.label} has no access control lists: {said}.", cure)
    if error.kind == LOADING:
        cure = "Wait until it has read its data, and run again; raise wait for large data."
        return Failure("redis_loading", f"Redis at {where.label} is not ready: {said}.", cure)
    if error.kind == BUSY:
        cure = "Raise maxclients (web and worker take some 150 connections), or end the script that runs (SCRIPT KILL)."
        return Failure("redis_busy", f"Redis at {where.label} takes no commands now: {said}.", cure)
    if error.kind == FULL:
        cure = "Free its memory or disk, or give it more (maxmemory); its log says which."
        return Failure("redis_full", f"Redis at {where.label} takes no data: {said}.", cure)
    return Failure("redis_error", f"Redis at {where.label} said: {said}.", "Look at the server's log.")


class Client:
    """One connection, each call raising ServerError only. Raises ImportError without the library."""

    def __init__(self, where: Where, timeout: float = 5.0) -> None:
        import redis  # pylint: disable=import-outside-toplevel
        import redis.backoff  # pylint: disable=import-outside-toplevel
        import redis.retry  # pylint: disable=import-outside-toplevel

        for path in filter(None, (where.ca_path, where.client_cert, where.client_key)):
            if not os.access(path, os.R_OK):
                raise Failure("bad_option", f"{path} cannot be read.", "Name a readable PEM file on this host.")
        tls: dict[str, Any] = {}
        if where.tls:
            tls = {
                "ssl": True,
                "ssl_ca_certs": where.ca_path,
                "ssl_certfile": where.client_cert,
                "ssl_keyfile": where.client_key,
                "ssl_cert_reqs": "required" if where.validate_certs else "none",
                "ssl_check_hostname": where.validate_certs,
            }
        self.where = where
        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError, ValueError)
        self._client: Any = redis.Redis(
            host=where.host,
            port=where.port,
            # By name, because an open default user takes any password so, and none without.
            username=where.user or ("default" if where.password else None),
            password=where.password,
            protocol=2,
            socket_connect_timeout=min(3.0, timeout),
            socket_timeout=timeout,
            retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0),
            decode_responses=True,
            single_connection_client=False,
            **tls,
        )
        self._client.response_callbacks.clear()

    def call(self, *words: str | int) -> Any:
        try:
            return self._client.execute_command(*words)
        except self._errors as error:
            raise _as_error(error) from None

    def each(self, commands: Sequence[Sequence[str | int]]) -> list[Any]:
        """All commands in one go; the answer of one that was refused is its ServerError."""
        pipeline = self._client.pipeline(transaction=False)
        for words in commands:
            pipeline.execute_command(*words)
        try:
            answers = pipeline.execute(raise_on_error=False)
        except self._errors as error:
            raise _as_error(error) from None
        return [_as_error(one) if isinstance(one, Exception) else one for one in answers]

    def info(self) -> dict[str, str]:
        """All sections as one: Dragonfly takes one section or all, and hides some without being asked."""
        lines = str(self.call("INFO", "all")).splitlines()
        return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon}

    def settings(self, names: Sequence[str]) -> dict[str, str | None]:
        """Each with its value, None where the server or its administrator does not tell. Dragonfly takes one name at a time."""
        answers = self.each([("CONFIG", "GET", name) for name in names])
        told = [not isinstance(answer, ServerError) and len(answer) == 2 for answer in answers]
        return {name: str(answer[1]) if one else None for name, answer, one in zip(names, answers, told)}

    def close(self) -> None:
        with contextlib.suppress(*self._errors):
            self._client.close()


def connect(where: Where, seconds: float, sleep: Callable[[float], None] = time.sleep) -> Client:
    """A client that answers. Waits for a server that does not answer yet or reads its data, never for a wrong password."""
    deadline = time.monotonic() + seconds
    client = Client(where)
    while True:
        try:
            client.call("PING")
            return client
        except ServerError as error:
            if error.kind == DENIED:  # it is in, and its rights are another matter
                return client
            if error.kind not in (*_SILENT, LOADING) or time.monotonic() >= deadline:
                client.close()
                raise
        sleep(0.2)


# Exceptions of which the library takes the server's own code from the text.
_NAMED = {
    "NoPermissionError": DENIED,
    "AuthenticationError": PASSWORD,
    "AuthenticationWrongNumberOfArgsError": PASSWORD,
    "BusyLoadingError": LOADING,
    "MovedError": ELSEWHERE,
    "AskError": ELSEWHERE,
    "ClusterCrossSlotError": ELSEWHERE,
}


def _as_error(error: BaseException) -> ServerError:
    text = " ".join(str(error).split())
    name = type(error).__name__
    found = _NAMED.get(name) or kind(text)
    return ServerError(http_client.TIMEOUT if name == "TimeoutError" and found == OTHER else found, text or name)
