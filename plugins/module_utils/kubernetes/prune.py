# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes when it is no longer wanted, and what stays because data or keys would go with it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from .jobs import is_running
from .objects import Identity, Object, Owner, group_of, identity_of, in_removal_order, is_record, made_for

REMOVE, KEEP = "remove", "keep"
# (group, kind) → what would be lost.
_DATA = {
    ("", "PersistentVolumeClaim"): "the volume and its data",
    ("apps", "StatefulSet"): "a store, whose volume nobody would serve any more",
    ("clickhouse.com", "ClickHouseCluster"): "ClickHouse with its volumes",
    ("clickhouse.com", "KeeperCluster"): "what the servers of ClickHouse agreed on",
    ("postgresql.cnpg.io", "Cluster"): "PostgreSQL with its volumes",
    ("postgresql.cnpg.io", "Database"): "the database",
}
# Keys of Secrets that the user's own variables hold, or that are none. Everything else in a Secret may be the only copy.
REPLACEABLE = frozenset({"SMTP_CONNECTION_URL", "HTTPS_PROXY", "LANGFUSE_EE_LICENSE_KEY", "ca.pem"})
_OF_VARIABLES = re.compile(r"(?:\w+_)?extra_env\.\w+")


class Verdict(NamedTuple):
    """What happens to an object that is not wanted, and why."""

    identity: Identity
    action: str
    why: str


def loss(found: Object) -> str | None:
    """What would be lost with the object; None where the next run could make it again."""
    key = (group_of(found["apiVersion"]), found["kind"])
    if key in _DATA:
        return _DATA[key]
    if is_record(found):
        return "where the data of the instance is"
    if found["kind"] == "Secret" and not all(map(is_replaceable, found.get("data") or {"?": ""})):
        return "keys that may have no other copy"
    return None


def is_replaceable(key: str) -> bool:
    """Whether the next run could write the key of a Secret again."""
    return key in REPLACEABLE or bool(_OF_VARIABLES.fullmatch(key))


def holds_data(found: Object) -> bool:
    """Whether it is of a kind that data goes with."""
    return (group_of(found["apiVersion"]), found["kind"]) in _DATA


_HINT = "; write {} into langfuse_kubernetes_remove to have it removed"


def prune(
    live: Iterable[Object],
    wanted: Collection[Identity],
    owner: Owner,
    confirmed: Collection[str] = (),
    hint: str = _HINT,
) -> list[Verdict]:
    """Verdicts on the instance's objects that are not wanted, in the order in which they go.

    live: all objects with the owner's labels. confirmed: names of what may be lost, as ``Kind/name``. hint: how to confirm
    such a name, behind the reason why it stays.
    """
    verdicts = {
        identity_of(one): _verdict(one, confirmed, hint)
        for one in live
        # What a controller made goes with what it was made for.
        if owner.has(one) and identity_of(one) not in wanted and not made_for(one) and not _serves(one, wanted)
    }
    return [verdicts[identity] for identity in in_removal_order(verdicts)]


def _serves(found: Object, wanted: Collection[Identity]) -> bool:
    """Whether it is the volume of a wanted store: its StatefulSet makes it, and is no owner that it would go with."""
    if found["kind"] != "PersistentVolumeClaim":
        return False
    name, namespace = found["metadata"]["name"], found["metadata"]["namespace"]
    sets = [one.name for one in wanted if one.kind == "StatefulSet" and one.namespace == namespace]
    return any(re.fullmatch(rf"[a-z0-9]+-{re.escape(one)}-\d+", name) for one in sets)


def _verdict(found: Object, confirmed: Collection[str], hint: str) -> Verdict:
    identity = identity_of(found)
    if identity.kind == "Namespace":
        return Verdict(identity, KEEP, "others may live in it")
    if found["metadata"].get("deletionTimestamp"):
        return Verdict(identity, KEEP, "is being removed already")
    if identity.kind == "Job" and is_running(found):
        return Verdict(identity, KEEP, "is running, and a migration is never cut off")
    lost = loss(found)
    if lost and identity.short not in confirmed:
        return Verdict(identity, KEEP, f"holds {lost}{hint.format(identity.short)}")
    return Verdict(identity, REMOVE, f"confirmed, with {lost}" if lost else "is no longer wanted")


def not_there(verdicts: Iterable[Verdict], confirmed: Collection[str]) -> list[str]:
    """Names that were confirmed and belong to nothing: maybe a mistake in what was to go."""
    there = {verdict.identity.short for verdict in verdicts}
    return [name for name in confirmed if name not in there]
