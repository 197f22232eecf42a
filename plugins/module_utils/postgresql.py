# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to PostgreSQL, or what is in the way of one."""

from __future__ import annotations

from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import authorities, libraries
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

UNREACHABLE, PASSWORD, MISSING, DISK, FULL, OTHER = "unreachable", "password", "missing", "disk", "full", "other"
# DENIED: the server has no rule for this client. FORBIDDEN: the password was right, but the role may not go on.
DENIED, FORBIDDEN, TLS = "denied", "forbidden", "tls"

VERIFYING = ("verify-ca", "verify-full")

# libpq gives no error code for a connection that fails. The first text found decides: with sslmode=prefer libpq tries twice
# and says both reasons.
_TEXTS = (
    ("password authentication failed", PASSWORD),
    ("no password supplied", PASSWORD),
    ("no pg_hba.conf entry", DENIED),
    ("pg_hba.conf rejects connection", DENIED),
    ("permission denied for database", FORBIDDEN),
    ("is not permitted to log in", FORBIDDEN),
    ("is not currently accepting connections", FORBIDDEN),
    ("too many connections", FULL),
    ("too many clients", FULL),
    ("remaining connection slots", FULL),
    ('role "', PASSWORD),
    ("SSL SYSCALL", UNREACHABLE),
    ("SSL connection has been closed", UNREACHABLE),
    ("SSL", TLS),
    ("root certificate", TLS),
    ("server certificate", TLS),
    ("does not exist", MISSING),
    ("No space left", DISK),
    ("Connection refused", UNREACHABLE),
    ("timeout", UNREACHABLE),
    ("timed out", UNREACHABLE),
    ("could not translate host name", UNREACHABLE),
    ("failed to resolve host", UNREACHABLE),
    ("Name or service not known", UNREACHABLE),
    ("No route to host", UNREACHABLE),
    ("server closed the connection", UNREACHABLE),
    ("starting up", UNREACHABLE),
    ("shutting down", UNREACHABLE),
)


class Refused(Exception):
    """No connection: ``kind`` of the reason, and ``text`` as libpq or the server said it, on one line."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no message"]
        self.text = lines[-1]
        self.kind = error_kind(text)
        super().__init__(self.text)


def error_kind(text: str) -> str:
    """What a failed connection to PostgreSQL means, by the server's and libpq's texts."""
    return next((kind for part, kind in _TEXTS if part in text), OTHER)


def open_connection(**options: Any) -> Any:
    """A psycopg connection. Raises Refused, and Failure missing_library."""
    try:
        import psycopg  # pylint: disable=import-outside-toplevel
    except ImportError:
        raise libraries.missing("psycopg[binary]") from None
    try:
        return psycopg.connect(connect_timeout=10, **options)
    except (psycopg.Error, OSError) as error:
        raise Refused(str(error)) from None


def connect(
    host: str,
    port: int,
    user: str,
    password: str,
    database: str,
    sslmode: str = "prefer",
    ca_path: str | None = None,
    name: str = "",
) -> Any:
    """A connection of the application; ``name`` is what people call the host.

    Raises Failure: missing_library, database_password, database_unreachable.
    """
    options = {"host": host, "port": port, "user": user, "password": password, "dbname": database}
    try:
        return open_connection(**options, **tls(sslmode, ca_path))
    except Refused as refused:
        if refused.kind == PASSWORD:
            raise Failure(
                "database_password",
                f"PostgreSQL on {name or host}:{port} refuses the password of {user}.",
                "Check langfuse_postgres_password.",
                users=[user],
            ) from None
        raise Failure(
            "database_unreachable",
            f"PostgreSQL on {name or host}:{port} does not answer: {refused.text}.",
            "Run diagnose, which says why; site starts a bundled PostgreSQL.",
        ) from None


def tls(sslmode: str, ca_path: str | None) -> dict[str, str]:
    """Options of a connection that encrypts, and checks the certificate against these authorities or the host's own."""
    if sslmode not in VERIFYING:
        return {"sslmode": sslmode}
    return {"sslmode": sslmode, "sslrootcert": ca_path or authorities.of_host() or "system"}
