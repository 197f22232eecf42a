# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password of a PostgreSQL that runs in a Compose project."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import compose, postgresql, scram
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

_CURE = "Run diagnose, which reads its log and says why."


class Server:
    """One PostgreSQL service among the containers of a project."""

    def __init__(self, found: Sequence[compose.Container], service: str, port: int, user: str, database: str) -> None:
        self._found = found
        self._service = service
        self._login: dict[str, Any] = {"port": port, "user": user, "database": database}

    def accepts(self, password: str) -> bool:
        """Whether the user may sign in with this password. Raises Failure when the server does not answer."""
        host = compose.address(self._found, self._service)
        try:
            postgresql.connect(host, password=password, name=self._service, **self._login).close()
        except Failure as failure:
            if failure.code != "database_password":
                raise
            return False
        return True

    def set_password(self, password: str) -> None:
        """Set it through the socket inside the container, where the superuser needs no password."""
        container = next(c.name for c in self._found if c.service == self._service)
        user = self._login["user"].replace('"', '""')
        statement = f"ALTER ROLE \"{user}\" PASSWORD '{scram.verifier(password, os.urandom(16))}';\n"
        command = [
            "psql",
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            self._login["user"],
            "-d",
            self._login["database"],
        ]
        status, _output, errors = compose.docker("exec", "-i", container, *command, stdin=statement)
        if status:
            raise Failure("password_not_set", f"The password could not be set in {container}.", _CURE)
        del errors  # psql quotes the statement in them
        if not self.accepts(password):
            raise Failure(
                "password_not_taken", f"PostgreSQL in {container} refuses the password that was just set.", _CURE
            )
