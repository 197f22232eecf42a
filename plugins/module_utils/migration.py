# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One supervised migration of a Compose project."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import records, schema_state
from ansible_collections.llmops.langfuse.plugins.module_utils.document_files import Store
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.schema_state import SchemaState

SERVICE = "langfuse-migrate"
# What a preview says of a project whose stores do not run.
FRESH = {"changed": True, "reason": "the stores are not up yet"}
# Nor can it be known while stores that have a schema do not run.
UNSEEN = {"changed": False, "reason": "the stores cannot be looked at now"}


def reason(record: Mapping[str, Any] | None, wanted: Mapping[str, Any], state: SchemaState) -> str:
    """Why a migration must run, or an empty text."""
    if state.postgres is None:
        return "PostgreSQL has no schema yet"
    if state.clickhouse is None:
        return "ClickHouse has no schema yet"
    if record is None:
        return "no migration is on record"
    for name, value in wanted.items():
        if record.get(name) != value:
            return f"the {name} changed"
    return ""


def explain(output: str) -> list[str]:
    """The telling last lines of a failed migration."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    return lines[-8:]


class Migration:
    """The migration service of a project, and the record of its last success.

    ``locate`` gives the address of a store as this host reaches it.
    """

    def __init__(
        self,
        locate: Callable[[Mapping[str, Any]], str],
        project: str,
        directory: str,
        image: str,
        postgres: Mapping[str, Any],
        clickhouse: Mapping[str, Any],
    ) -> None:
        self._locate = locate
        self._project = project
        self._directory = directory
        self._stores = {"postgres": postgres, "clickhouse": clickhouse}
        self._wanted = {
            "image": image,
            "stores": [f"{s['host']}:{s['port']}/{s['database']}" for s in (postgres, clickhouse)],
        }

    def preview(self) -> dict[str, Any]:
        """What `run` would do. A project without running stores is a fresh one."""
        try:
            state = self._state()
        except Failure as failure:
            if failure.code == "database_password":
                return {"changed": False, "reason": "the password of PostgreSQL is not set yet, so nothing was read"}
            if failure.code != "container_missing":
                raise
            return dict(UNSEEN if self._record() else FRESH)
        why = reason(self._record(), self._wanted, state)
        return dict(changed=bool(why), reason=why or "the schema is up to date", before=_told(state))

    def run(self, timeout: int) -> dict[str, Any]:
        """Migrate if needed. Raises Failure with the state that a second run can repair or must not touch."""
        before = self._state()
        self._refuse_dirty(before)
        why = reason(self._record(), self._wanted, before)
        if not why:
            return dict(
                changed=False, reason="the schema is up to date", before=_told(before), after=_told(before), seconds=0.0
            )
        started = time.monotonic()
        status, output = self._run(timeout)
        after = self._state()
        self._refuse_dirty(after)
        if status:
            raise Failure(
                "migration_failed",
                "The migration failed: " + " | ".join(explain(output)),
                "Mend what it names, then run site again: it starts where it stopped.",
            )
        if after.empty:
            raise Failure(
                "migration_empty",
                "The migration ended well and left no schema.",
                "Check that the image is Langfuse's web image.",
            )
        store = Store(self._directory)
        store.write([{"path": records.MIGRATION, "mode": "0644"}], {records.MIGRATION: json.dumps(self._wanted)})
        return dict(
            changed=True,
            reason=why,
            before=_told(before),
            after=_told(after),
            seconds=round(time.monotonic() - started, 1),
        )

    def _state(self) -> SchemaState:
        located = {name: dict(store, address=self._locate(store)) for name, store in self._stores.items()}
        return schema_state.read(located["postgres"], located["clickhouse"])

    @staticmethod
    def _refuse_dirty(state: SchemaState) -> None:
        failure = schema_state.dirty(state)
        if failure:
            raise failure

    def _record(self) -> Mapping[str, Any] | None:
        try:
            record = json.loads(records.read(self._directory, records.MIGRATION))
        except ValueError:
            return None
        return record if isinstance(record, dict) else None

    def _run(self, timeout: int) -> Any:
        name = f"{self._project}-migration"
        command = [shutil.which("docker") or "docker", "compose", "--project-directory", self._directory]
        command += ["run", "--rm", "--no-deps", "-T", "--name", name, SERVICE]
        # Not run_command, which has no time limit.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._directory,
        )
        try:
            output, _nothing = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Failure(
                "migration_slow",
                f"The migration still runs after {timeout} s, in the container {name}. It was left alone.",
                f"Watch it with `docker logs -f {name}`; when it has ended, run site again. A large instance needs a larger langfuse_migration_timeout.",
            ) from None
        if process.returncode and "is already in use" in output:
            raise Failure(
                "migration_running",
                f"A migration is already running, in the container {name}.",
                f"Wait for its end (`docker wait {name}`), then run site again.",
            )
        return process.returncode, output


def _told(state: SchemaState) -> dict[str, Any]:
    return dict(postgres=state.postgres, clickhouse=state.clickhouse)
