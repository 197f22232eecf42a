# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an instance's data is on a host, and what its containers mount. `look` looks, `findings` judges (pure)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.llmops.langfuse.plugins.module_utils import records
from ansible_collections.llmops.langfuse.plugins.module_utils.finding import finding

# The line of compose.yaml that says where the data is.
_RECORDED = re.compile(r"^x-langfuse-data: (/\S+)$", re.MULTILINE)
# Its lines that say which stores the instance does not run itself, and where they are.
_STORES = re.compile(r"^x-langfuse-stores:\n((?:  .+\n)+)", re.MULTILINE)
BUNDLED = "bundled"


@dataclass(frozen=True)
class Places:
    """What to look for on a host.

    stores: names of the stores. folders: store → folder of its data, empty with named volumes.
    sources: paths that containers will mount. images: images that an archive has to bring.
    store_places: kind of store → where it is, `bundled` for one of the project's own. moved: kinds whose
    data the user has moved. former: kind of store → how an older record may call the same place.
    """

    stores: Sequence[str] = ()
    folders: Mapping[str, str] = field(default_factory=dict)
    sources: Sequence[str] = ()
    images: Sequence[str] = ()
    store_places: Mapping[str, str] = field(default_factory=dict)
    moved: Sequence[str] = ()
    former: Mapping[str, str] = field(default_factory=dict)

    def is_known(self, store: str, before: str) -> bool:
        """Whether the last run's place is the one that is wanted now."""
        return before == self.former.get(store) or same(store, before, self.store_places[store])


@dataclass(frozen=True)
class Seen:
    """What was found.

    folders: those of the wanted ones that hold something. recorded: where the last run put the data,
    empty for named volumes, and recorded_folders: what is there, unless it is wanted too. store_places: kind
    of store → where the last run had it, for those that it did not run itself. identified: those that have
    said who they are. written: whether there was a last run.
    """

    folders: tuple[str, ...] = ()
    recorded: str = ""
    recorded_folders: tuple[str, ...] = ()
    migrated: bool = False
    may_chown: bool = True
    missing_sources: tuple[str, ...] = ()
    store_places: Mapping[str, str] = field(default_factory=dict)
    identified: tuple[str, ...] = ()
    written: bool = False

    @property
    def data_outside(self) -> tuple[str, ...]:
        """Stores of others that hold data of the instance."""
        return tuple(f"{store} at {place}" for store, place in self.store_places.items() if self.migrated)


def look(directory: str, places: Places) -> Seen:
    """Look at the places; `directory` is the project's."""
    written = records.read(directory, records.PROJECT)
    match, stores = _RECORDED.search(written), _STORES.search(written)
    recorded = match.group(1) if match else ""
    there = [os.path.join(recorded, store) for store in places.stores] if recorded else []
    wanted = list(places.folders.values())
    return Seen(
        folders=tuple(path for path in wanted if _holds_something(path)),
        recorded=recorded,
        recorded_folders=tuple(path for path in there if path not in wanted and _holds_something(path)),
        migrated=records.migrated(directory),
        may_chown=os.geteuid() == 0,
        missing_sources=tuple(path for path in places.sources if not os.path.lexists(path)),
        store_places=_pairs(stores.group(1)) if stores else {},
        identified=tuple(records.identities(directory)),
        written=bool(written),
    )


def _pairs(lines: str) -> dict[str, str]:
    """Lines ``name: text`` of a YAML file that this collection wrote."""
    pairs = [line.strip().partition(": ")[::2] for line in lines.splitlines()]
    return {name: value.strip("'\"") for name, value in pairs}


def findings(places: Places, seen: Seen, project: str, volumes: Sequence[str]) -> list[dict[str, str]]:
    """What stands in the way. `volumes` are the named volumes of the project."""
    found = [
        finding("source_missing", f"{path} of langfuse_extra_volumes is not on this host", "Make it, or remove it")
        for path in seen.missing_sources
    ]
    if places.folders and not seen.may_chown:
        found.append(
            finding(
                "rights_data",
                "This user may not give the folders of langfuse_data_directory to the users of the stores",
                "Let Ansible become root (-b)",
            )
        )
    return [*found, *_moved(places, seen), *_data(places, seen, project, volumes)]


def same(store: str, before: str, now: str) -> bool:
    """Whether two places are one store: it may be written by other nodes, and older records had less in them."""
    if store == "redis":
        (nodes, master, prefix), (others, other_master, other_prefix) = map(_redis, (before, now))
        return (
            prefix == other_prefix
            and bool(nodes & others)
            and (master == other_master or not (master and other_master))
        )
    if store == "s3" and before.count(" ") == 1:
        return now.startswith(f"{before} ")
    return before == now


def _redis(place: str) -> tuple[set[str], str, str]:
    """Nodes, master behind sentinels and prefix of ``node,node/master prefix``."""
    address, _space, prefix = place.partition(" ")
    nodes, _slash, master = address.partition("/")
    return set(nodes.split(",")), master, prefix


def unclear(places: Places, seen: Seen) -> dict[str, str]:
    """Store → where the last run had it, for those that only the store itself can tell to be the same."""
    return {
        store: before
        for store, before in _elsewhere(places, seen).items()
        if store in seen.identified and _inside(store, before) == _inside(store, places.store_places[store]) != ""
    }


def _inside(store: str, place: str) -> str:
    """Name of the database, or the prefix: with another one it is no question of addresses. "" for a bundled store."""
    return place.partition(" " if store == "redis" else "/")[2]


def unclaimed(places: Places, seen: Seen, new: bool) -> list[str]:
    """Stores of others that this instance has not used. `new`: neither has it secrets from an earlier run."""
    wanted = {store for store, now in places.store_places.items() if now != BUNDLED and store not in places.moved}
    if not seen.written:
        return sorted(wanted) if new else []
    known = {store for store in wanted if places.is_known(store, seen.store_places.get(store, BUNDLED))}
    return sorted(wanted - known - set(unclear(places, seen)))


def moved(store: str, before: str, now: str) -> dict[str, str]:
    """Another store starts from nothing, and the instance with it."""
    return finding(
        "store_moved",
        f"The data of {store} is at {before}, and langfuse_{store}_source and its variables say {now}",
        f"Put them back; or move the data as docs/guides/existing-stack.md says, then set langfuse_moved_stores: [{store}]",
    )


def _elsewhere(places: Places, seen: Seen) -> dict[str, str]:
    """Store → where its data is, of those that are asked for elsewhere."""
    before = {
        store: seen.store_places.get(store, BUNDLED) for store in places.store_places if store not in places.moved
    }
    return {store: place for store, place in before.items() if seen.migrated and not places.is_known(store, place)}


def _moved(places: Places, seen: Seen) -> list[dict[str, str]]:
    asked = unclear(places, seen)
    return [
        moved(store, before, places.store_places[store])
        for store, before in _elsewhere(places, seen).items()
        if store not in asked
    ]


def _data(places: Places, seen: Seen, project: str, volumes: Sequence[str]) -> list[dict[str, str]]:
    """A store that starts from nothing while its data is elsewhere has lost it in all but name."""
    named = [f"{project}_{store}" for store in places.stores]
    elsewhere = list(seen.recorded_folders)
    if places.folders:
        elsewhere += [name for name in named if name in volumes]
        missing = [path for path in places.folders.values() if path not in seen.folders]
    else:
        missing = [name for name in named if name not in volumes]
    # What the last run recorded is the live data, whatever older copy lies in the place that is asked for.
    if seen.recorded_folders or (elsewhere and missing):
        return [
            finding(
                "data_elsewhere",
                f"The data of this instance is in {', '.join(elsewhere)}, and the settings ask for {', '.join(missing or [*places.folders.values()] or named)}",
                "Put langfuse_data_directory back, or move the data first as docs/guides/compose-host.md says (a copy: then rename the old folder)",
            )
        ]
    if elsewhere:
        return [
            finding(
                "data_left",
                f"{', '.join(elsewhere)} holds data of this instance too, which nothing reads any more",
                "Remove it once everything works",
                "warning",
            )
        ]
    if missing and seen.recorded and seen.migrated:
        return [
            finding(
                "data_missing",
                f"This instance kept its data in {seen.recorded}, and there is none in {', '.join(missing)}",
                "Mount the disk or put the data back; to start from nothing, run teardown with langfuse_teardown_data first",
            )
        ]
    return []


def nearest(path: str) -> str:
    """The nearest existing directory: the path itself, or one above it."""
    while not os.path.isdir(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path


def _holds_something(path: str) -> bool:
    try:
        return bool(os.listdir(path))
    except FileNotFoundError:
        return False
    except OSError:
        return True  # what cannot be read must not be taken for nothing
