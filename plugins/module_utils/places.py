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
    data the user has moved.
    """

    stores: Sequence[str] = ()
    folders: Mapping[str, str] = field(default_factory=dict)
    sources: Sequence[str] = ()
    images: Sequence[str] = ()
    store_places: Mapping[str, str] = field(default_factory=dict)
    moved: Sequence[str] = ()


@dataclass(frozen=True)
class Seen:
    """What was found.

    folders: those of the wanted ones that hold something. recorded: where the last run put the data,
    empty for named volumes, and recorded_folders: what is there, unless it is wanted too. store_places: kind
    of store → where the last run had it, for those that it did not run itself.
    """

    folders: tuple[str, ...] = ()
    recorded: str = ""
    recorded_folders: tuple[str, ...] = ()
    migrated: bool = False
    may_chown: bool = True
    missing_sources: tuple[str, ...] = ()
    store_places: Mapping[str, str] = field(default_factory=dict)

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


def _moved(places: Places, seen: Seen) -> list[dict[str, str]]:
    """Another store starts from nothing, and the instance with it."""
    if not seen.migrated:
        return []
    return [
        finding(
            "store_moved",
            f"The data of {store} is at {before}, and langfuse_{store}_source and its variables say {now}",
            f"Put them back; or move the data as docs/guides/existing-stack.md says, then set langfuse_moved_stores: [{store}]",
        )
        for store, now in places.store_places.items()
        if (before := seen.store_places.get(store, BUNDLED)) != now and store not in places.moved
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
