# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies between stores that run and an application that may start: password, buckets, schema."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import (
    authorities,
    bundled_postgresql,
    compose,
    document_files,
    libraries,
    migration,
    records,
    resolver,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure, joined
from ansible_collections.llmops.langfuse.plugins.module_utils.s3 import buckets as s3_buckets

BUNDLED = "bundled"
# Codes of a store that may only need another moment.
_PASSING = ("database_unreachable", "clickhouse_down", "s3_down", "s3_not_ready", "container_missing")
# Seconds between two tries, and between two looks at the containers.
_PAUSE, _LOOK = 0.1, 1.0
# Seconds that stores have to answer once all of them say that they are healthy.
_HEALTHY = 15
# A store that starts more often than this while it is waited for will not come up.
_RESTARTS = 2


def prepare(given: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The result of the module. The buckets are made while the schema is migrated. Raises one Failure for all."""
    stores = _Stores(given["project"], given["services"], 0 if check_mode else given["timeout"])
    if check_mode and stores.fresh and not records.migrated(given["directory"]):
        return {**_result(False, _buckets(given), dict(migration.FRESH)), "unchecked": []}
    failures: list[Failure] = []
    password_set, moved, made = False, dict(migration.UNSEEN), Made()
    with ThreadPoolExecutor(max_workers=1) as pool:
        buckets = pool.submit(stores.patiently, lambda _found: make_buckets(given, check_mode, made))
        try:
            password_set = stores.patiently(lambda found: set_password(given, found, check_mode))
            moved = stores.patiently(lambda found: migrate(given, found, check_mode))
        except Failure as failure:
            failures.append(failure)
        try:
            buckets.result()
        except Failure as failure:
            failures.append(failure)
    # A check looks at stores that may still have to be started or to be given other passwords.
    in_the_way = [failure for failure in failures if not check_mode or failure.code.startswith("dirty_schema")]
    if in_the_way:
        raise joined(in_the_way)
    if not check_mode and not records.stores_started(given["directory"]):
        record = {records.STORES: records.digest(given["directory"])}
        document_files.Store(given["directory"]).write([{"path": records.STORES, "mode": "0644"}], record)
    return {**_result(password_set, made, moved), "unchecked": [failure.message for failure in failures]}


class _Stores:
    """The containers of the project, and the patience with those that do not answer yet."""

    def __init__(self, project: str, services: Sequence[str], seconds: float) -> None:
        self._project = project
        self._services = services
        self._deadline = time.monotonic() + seconds
        self._found = compose.containers(project)

    @property
    def fresh(self) -> bool:
        """Whether the project has stores, and none of them a container."""
        return bool(self._services) and not any(one.service in self._services for one in self._found)

    def patiently(self, action: Callable[[Sequence[compose.Container]], Any]) -> Any:
        """Do it again while a store only needs another moment, and none of them has given up."""
        found, looked = self._found, time.monotonic()
        healthy_since: float | None = None
        while True:
            try:
                return action(found)
            except Failure as failure:
                now = time.monotonic()
                late = healthy_since is not None and now - healthy_since > _HEALTHY
                if failure.code not in _PASSING or now >= self._deadline or late:
                    raise
                time.sleep(_PAUSE)
                if failure.code != "container_missing" and now - looked < _LOOK:
                    continue
            found, looked = compose.containers(self._project), time.monotonic()
            if given_up := ended(self._found, found, self._services):
                raise given_up
            if not all(one.health in ("", "healthy") for one in found if one.service in self._services):
                healthy_since = None
            elif healthy_since is None:
                healthy_since = looked


def ended(
    before: Sequence[compose.Container], now: Sequence[compose.Container], services: Sequence[str]
) -> Failure | None:
    """The failure that a store is which ended, or started again and again since `before`. None while all stay up."""
    restarts = {container.name: container.restarts for container in before}
    for container in now:
        if container.service not in services:
            continue
        again = container.restarts - restarts.get(container.name, 0)
        if container.state in ("exited", "dead") or again > _RESTARTS:
            return Failure(
                "store_ended",
                f"{container.name} does not stay up (exit code {container.exit_code}).",
                "Run diagnose, which reads its log and says why.",
            )
    return None


def set_password(given: Mapping[str, Any], found: Sequence[compose.Container], check_mode: bool) -> bool:
    """Make PostgreSQL accept the password of the plan. Whether it had to be changed."""
    target = given["postgres"]
    if target["source"] != BUNDLED:
        return False
    server = bundled_postgresql.Server(found, target["host"], target["port"], target["user"], target["database"])
    if server.accepts(given["postgres_password"]):
        return False
    if not check_mode:
        server.set_password(given["postgres_password"])
    return True


Made = list[tuple[str, str]]


def _buckets(given: Mapping[str, Any]) -> Made:
    """What the bundled object store has to have: bucket and change."""
    if not given["s3"]:
        return []
    made: Made = []
    for bucket, forms in s3_buckets.per_bucket(given["s3"]).items():
        steps = s3_buckets.plan(s3_buckets.unseen(forms), "present", forms, force=False)
        made += [(bucket, change.name) for change in steps]
    return made


def make_buckets(given: Mapping[str, Any], check_mode: bool, made: Made) -> None:
    """Add bucket and change of all that was missing to `made`, also of those before a failure. Raises Failure."""
    if not given["s3"]:
        return
    keys = {"access_key": given["s3_access_key"], "secret_key": given["s3_secret_key"]}
    options = {**given["s3"], **keys, "endpoint_url": given["s3"]["endpoint"], "path_style": True, "wait": 0}

    def note(bucket: str, change: str) -> None:
        if (bucket, change) not in made:
            made.append((bucket, change))

    try:
        s3_buckets.ensure(options, check_mode, note)
    except ImportError:
        raise libraries.missing("botocore") from None


def migrate(given: Mapping[str, Any], found: Sequence[compose.Container], check_mode: bool) -> dict[str, Any]:
    names = {**compose.names_on(given["networks"]), **compose.host_addresses(given["extra_hosts"])}

    def locate(store: Mapping[str, Any]) -> str:
        return compose.address(found, store["host"]) if store["source"] == BUNDLED else str(store["host"])

    with resolver.known(names), authorities.beside_those_of_host(authorities.read(given["ca_path"])) as bundle:
        run = migration.Migration(
            locate,
            given["project"],
            given["directory"],
            given["image"],
            dict(given["postgres"], password=given["postgres_password"], ca_path=bundle),
            dict(given["clickhouse"], password=given["clickhouse_password"], ca_path=given["ca_path"]),
        )
        return run.preview() if check_mode else run.run(given["migration_timeout"])


def _result(password_set: bool, made: Made, moved: dict[str, Any]) -> dict[str, Any]:
    before, after = [], []
    if password_set:
        before.append("password of PostgreSQL: another one")
        after.append("password of PostgreSQL: as planned")
    for bucket, change in made:
        after.append(f"bucket: {bucket}" if change == "create" else f"bucket: {bucket}, {change}")
    if moved["changed"]:
        before.append(f"schema: {moved['reason']}")
        after.append("schema: migrated")
    told = {"before": "".join(f"{line}\n" for line in before), "after": "".join(f"{line}\n" for line in after)}
    return {
        "changed": bool(password_set or made or moved["changed"]),
        "password_set": password_set,
        "buckets": list(dict.fromkeys(bucket for bucket, _change in made)),
        "migration": moved,
        "diff": told,
    }
