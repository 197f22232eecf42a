# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a store that has data cannot become: another one, smaller, of another storage class or major version. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from .. import places
from ..finding import finding
from .objects import COMPONENT, Identity, Object, Wanted, is_record
from .quantities import amount

_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def is_default(found: Object) -> bool:
    """Whether volumes that name no storage class are of this one."""
    annotations = found["metadata"].get("annotations") or {}
    return bool(annotations.get(_DEFAULT) == "true")


def claims_of(found: Object) -> list[tuple[str | None, str]]:
    """Storage class (None: the default) and size of each volume that the object has made for a pod."""
    spec = found.get("spec") or {}
    if found["kind"] == "StatefulSet":
        claims = [claim["spec"] for claim in spec.get("volumeClaimTemplates") or ()]
        return [(one.get("storageClassName"), one["resources"]["requests"]["storage"]) for one in claims]
    storage = spec.get("storage") or {}
    # A patch may have put a template of claims there instead of a size.
    if found["kind"] == "Cluster" and "size" in storage:
        return [(storage.get("storageClass"), storage["size"])]
    return []


def stored(
    wanted: Iterable[Wanted], live: Mapping[Identity, Object], classes: Sequence[Object] | None
) -> Iterator[Mapping[str, str]]:
    """Findings on stores that are there. classes: the storage classes, None where they may not be read."""
    for one in wanted:
        there = live.get(one.identity)
        if there is None:
            continue
        yield from _sizes(one, there, classes)
        if one.identity.kind == "StatefulSet":
            yield from _class(one, there)
        if one.identity.kind == "Cluster":
            yield from _version(one, there)


def moved(
    wanted: Iterable[Wanted], live: Mapping[Identity, Object], said: Collection[str]
) -> Iterator[Mapping[str, str]]:
    """A finding for each store whose data is elsewhere, unless it is ``said`` to have been moved."""
    for one in wanted:
        there = live.get(one.identity)
        if there is None or not is_record(one.object):
            continue
        after = one.object["data"]
        for store, before in sorted((there.get("data") or {}).items()):
            if store in after and store not in said and not places.same(store, before, after[store]):
                yield places.moved(store, before, after[store])


def _sizes(one: Wanted, live: Object, classes: Sequence[Object] | None) -> Iterator[Mapping[str, str]]:
    labels = one.object["metadata"].get("labels") or {}
    store = "postgres" if one.identity.kind == "Cluster" else labels.get(COMPONENT)
    for (name, before), (_name, after) in zip(claims_of(live), claims_of(one.object)):
        back = f"Write langfuse_{store}_storage: {before} again"
        if amount(after) < amount(before):
            yield finding(
                "smaller_volume",
                f"{one.identity} has volumes of {before}, which cannot shrink to {after}",
                f"{back}; a smaller one has to be a new instance",
            )
        elif amount(after) == amount(before):
            continue
        elif one.identity.kind == "StatefulSet":
            yield finding(
                "fixed_volume",
                f"{one.identity} has volumes of {before}, and Kubernetes does not let a StatefulSet ask for {after}",
                f"{back}; what the claim itself asks for can grow by hand",
            )
        elif _is_fixed(name, classes):
            yield finding(
                "fixed_volume",
                f"{one.identity} has volumes of {before} that cannot grow to {after}: "
                f"the storage class {name or 'that is the default'} does not allow it",
                f"{back}, or have allowVolumeExpansion set in the class if what is behind it can do that",
            )


def _class(one: Wanted, live: Object) -> Iterator[Mapping[str, str]]:
    """The default and its name are two: in a StatefulSet neither becomes the other."""
    labels = one.object["metadata"].get("labels") or {}
    name = "langfuse_clickhouse_storage_class" if labels.get(COMPONENT) == "clickhouse" else "langfuse_storage_class"
    for (before, _size), (after, _after) in zip(claims_of(live), claims_of(one.object)):
        if before != after:
            yield finding(
                "fixed_volume",
                f"{one.identity} has volumes of {_called(before)}, and Kubernetes does not let a StatefulSet ask for {_called(after)}",
                f"Write {name}: {before} again"
                if before
                else f"Take {name} out again; that of PostgreSQL alone is langfuse_postgres_storage_class",
            )


def _called(storage_class: str | None) -> str:
    return f"the storage class {storage_class}" if storage_class else "the default storage class"


def _is_fixed(name: str | None, classes: Sequence[Object] | None) -> bool:
    """Whether the class is known not to let volumes grow."""
    found = [one for one in classes or () if (is_default(one) if name is None else one["metadata"]["name"] == name)]
    return bool(found) and not any(one.get("allowVolumeExpansion") for one in found)


def _version(one: Wanted, live: Object) -> Iterator[Mapping[str, str]]:
    """CloudNativePG would upgrade the data on its own as soon as the image is of a newer major version, and never go back."""
    known = ((live.get("status") or {}).get("pgDataImageInfo") or {}).get("majorVersion")
    before = known or _major((live.get("spec") or {}).get("imageName"))
    after = _major(one.object["spec"].get("imageName"))
    if before and after and before != after:
        yield finding(
            "other_major_version",
            f"{one.identity} has data of PostgreSQL {before}, and the image is of {after}",
            f"Write a langfuse_postgres_version (or langfuse_postgres_image) of {before}; to upgrade, take a backup, "
            "set the image in the Cluster yourself as CloudNativePG describes it, and write it here afterwards",
        )


def _major(image: str | None) -> int | None:
    """``…/postgresql:17.11-standard-trixie`` → 17; None where the tag does not begin with a version."""
    found = re.match(r"(\d+)", (image or "").rpartition("/")[2].partition("@")[0].partition(":")[2])
    return int(found[1]) if found else None
