# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to PostgreSQL, or the failure that says why not."""

from __future__ import annotations

from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def connect(host: str, port: int, user: str, password: str, database: str) -> Any:
    """An open psycopg connection. Raises Failure: psycopg_missing, database_password, database_unreachable."""
    try:
        import psycopg
    except ImportError:
        raise Failure(
            "psycopg_missing",
            "The Python library psycopg is missing on this host.",
            "Run the role llmops.langfuse.host.",
        ) from None
    try:
        return psycopg.connect(host=host, port=port, user=user, password=password, dbname=database, connect_timeout=10)
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise Failure(
                "database_password",
                f"PostgreSQL on {host}:{port} refuses the password of {user}.",
                "Check langfuse_postgres_password.",
            ) from None
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no message"]
        raise Failure(
            "database_unreachable",
            f"PostgreSQL on {host}:{port} does not answer: {lines[-1]}.",
            "See: docker compose logs postgres",
        ) from None
