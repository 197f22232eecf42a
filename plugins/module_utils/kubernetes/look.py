# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of an instance is in the cluster, whoever has it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from ..failure import Failure, joined
from .api_errors import EVERYWHERE, missing_kind, refused
from .client import ApiError, Cluster, of_kind
from .objects import ELSEWHERE, KINDS, Identity, Kind, Object, Owner, Wanted, group_of, identity_of
from .ownership import by_flux, flux_of, foreign, foreign_object

_KUSTOMIZATION = Kind("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "kustomizations")


class Found(NamedTuple):
    """live: identity → object, of the instance's own and of all that have a wanted name. missing: ``apiVersion`` and name of
    wanted kinds that are not served. unseen: where the account may not look for what is no longer wanted. flux: namespace and name of
    Kustomizations that apply the instance."""

    live: dict[Identity, Object]
    missing: frozenset[tuple[str, str]]
    unseen: Sequence[str]
    flux: Collection[tuple[str, str]] = ()


def places(wanted: Sequence[Wanted], owner: Owner, elsewhere: Collection[str]) -> list[tuple[Kind, str, bool]]:
    """Kind, namespace, and whether an object is wanted there: what has to be looked at. Pure."""
    found = []
    for kind in _kinds(wanted):
        if not kind.namespaced:
            continue
        key = (group_of(kind.api), kind.name)
        there = {one.identity.namespace for one in wanted if one.identity[:2] == key}
        outside = set(elsewhere) if kind.name in ELSEWHERE else set()
        for namespace in sorted({owner.namespace, *there, *outside}):
            found.append((kind, namespace, namespace in there))
    return found


def _kinds(wanted: Iterable[Wanted]) -> list[Kind]:
    """All that an instance may have, in the versions that are wanted."""
    versions = {(group_of(one.object["apiVersion"]), one.object["kind"]): one.object["apiVersion"] for one in wanted}
    return [kind._replace(api=versions.get((group_of(kind.api), kind.name), kind.api)) for kind in KINDS]


def look(
    cluster: Cluster, wanted: Sequence[Wanted], owner: Owner, elsewhere: Collection[str] = (), strict: bool = False
) -> Found:
    """elsewhere: further namespaces in which the instance may have objects. strict: what every cluster has must be readable in the
    instance's own, wanted or not. Raises Failure with all that may not be read."""
    live: dict[Identity, Object] = {}
    missing, failures = set(), []
    everywhere, unseen = _everywhere(cluster, wanted, owner)
    for kind, namespace, is_wanted in places(wanted, owner, elsewhere):
        if kind.name in everywhere:
            continue
        try:
            found = cluster.list(kind, namespace, owner.selector)
        except ApiError as error:
            needed = is_wanted or (strict and namespace == owner.namespace and group_of(kind.api) in EVERYWHERE)
            if error.code == 403 and not needed:
                unseen.append(f"{kind.plural} in {namespace}")
            elif error.code == 403:
                failures.append(refused(of_kind(kind, namespace), error.status, "look at"))
            else:
                raise refused(of_kind(kind, namespace), error.status, "look at") from None
            continue
        if found is None and is_wanted:
            missing.add((kind.api, kind.name))
        live.update(
            (Identity(group_of(kind.api), kind.name, namespace, one["metadata"]["name"]), one) for one in found or ()
        )
    if failures:
        raise joined(failures)
    live.update((identity_of(one), one) for there in everywhere.values() for one in there)
    for one, there in _of_others(cluster, wanted, live, missing):
        if there is not None:
            live[one.identity] = there
    return Found(live, frozenset(missing), unseen, appliers(cluster, (one for one in live.values() if owner.has(one))))


def _everywhere(cluster: Cluster, wanted: Iterable[Wanted], owner: Owner) -> tuple[dict[str, list[Object]], list[str]]:
    """Kind → the instance's objects of it in the whole cluster: one may be in a namespace that the settings no longer name. Kinds that
    are not served, or that the account may not look for there, are left out; the latter are told beside it."""
    found, unseen = {}, []
    for kind in _kinds(wanted):
        if kind.name not in ELSEWHERE:
            continue
        try:
            there = cluster.list(kind, "", owner.selector)
        except ApiError as error:
            if error.code != 403:
                raise refused(of_kind(kind, ""), error.status, "look at") from None
            unseen.append(f"{kind.plural} in other namespaces")
        else:
            found.update({} if there is None else {kind.name: there})
    return found, unseen


def appliers(cluster: Cluster, live: Iterable[Object]) -> list[tuple[str, str]]:
    """The Kustomizations of Flux that apply these objects. One that the account may not see is taken to be there."""
    found = []
    for namespace, name in sorted({key for one in live if (key := flux_of(one))}):
        try:
            there = cluster.get(_KUSTOMIZATION, namespace, name) is not None
        except ApiError:
            there = True
        found += [(namespace, name)] if there else []
    return found


def _of_others(
    cluster: Cluster, wanted: Iterable[Wanted], live: Collection[Identity], missing: set[tuple[str, str]]
) -> Iterator[tuple[Wanted, Object | None]]:
    """Wanted objects that no list had: new ones, and those that are somebody else's."""
    for one in wanted:
        api, name = one.object["apiVersion"], one.object["kind"]
        if one.identity in live or (api, name) in missing:
            continue
        try:
            kind = cluster.kind(api, name)
            if kind is None:
                missing.add((api, name))
            else:
                yield one, cluster.get(kind, one.identity.namespace, one.identity.name)
        except ApiError as error:
            raise refused(one.identity, error.status, "look at") from None


def refusals(wanted: Sequence[Wanted], found: Found, owner: Owner) -> list[Failure]:
    """What stands in the way before anything is asked of the cluster. Pure."""
    failures, told = [by_flux(found.flux)] if found.flux else [], set()
    for one in wanted:
        key = (one.object["apiVersion"], one.object["kind"])
        if key in found.missing:
            if key not in told:
                failures.append(missing_kind(one.identity))
            told.add(key)
        elif whose := foreign(found.live.get(one.identity), owner):
            failures.append(foreign_object(one.identity, whose))
    return failures
