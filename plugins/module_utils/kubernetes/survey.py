# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects from a cluster what :mod:`preflight` judges. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .api_errors import refused
from .apply import Applier, Options
from .client import ApiError, Cluster, of_kind
from .look import Found, look
from .objects import Identity, Kind, Object, Owner, Wanted, group_of
from .operators import DEPLOYMENTS, GROUPS, Down, selectors, stopped
from .others import NOBODY, Others
from .ownership import foreign
from .pod_ports import closed
from .preflight import KEYS_OF_DATA, Facts
from .rights import Right, needed, reviews

_CLASSES = Kind("storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False)
_QUOTAS = Kind("v1", "ResourceQuota", "resourcequotas")
_LIMITS = Kind("v1", "LimitRange", "limitranges")
_GATEWAY = Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways")
_ANYTHING = "*"


def survey(
    cluster: Cluster,
    wanted: Sequence[Wanted],
    owner: Owner,
    drawn: Sequence[str] = (),
    reaches: Sequence[str] = (),
    moved: Sequence[str] = (),
    theirs: Others = NOBODY,
    connects: Mapping[str, Iterable[str]] | None = None,
    services: Iterable[Mapping[str, Any]] = (),
) -> Facts:
    """drawn: keys of the application that were drawn in this run. reaches, connects: as for `rights`. moved: as Facts has them.
    theirs: what Secrets of somebody else hold. services: those of others that policies open, as `pod_ports` takes them.

    Raises Failure where the cluster cannot be asked at all.
    """
    version = cluster.version()
    missing = missing_rights(cluster, needed(wanted, owner, reaches, connects))
    found = Found({}, frozenset(), ()) if missing else look(cluster, wanted, owner)
    whose = {one.identity: foreign(found.live.get(one.identity), owner) for one in wanted}
    served = _served(cluster, wanted)
    # What is told by another finding is not asked.
    rest = [
        one
        for one in wanted
        if not found.flux
        and not whose[one.identity]
        and (one.object["apiVersion"], one.object["kind"]) in served
        and not missing
    ]
    return Facts(
        version,
        served,
        _list(cluster, _CLASSES, ""),
        _gateways(cluster, wanted),
        missing,
        _list(cluster, _QUOTAS, owner.namespace) or (),
        found.live,
        {identity: who for identity, who in whose.items() if who},
        drawn,
        Applier(cluster, owner, Options(), check_mode=True).refused(rest, found),
        {place: None if data is None else frozenset(data) for place, data in theirs.contents.items()},
        moved,
        theirs.reasons,
        found.flux,
        {
            place: {key: data[key] for key in KEYS_OF_DATA if key in data}
            for place, data in theirs.contents.items()
            if data
        },
        closed(cluster, services),
        _down(cluster, wanted),
        _list(cluster, _LIMITS, owner.namespace),
    )


def missing_rights(cluster: Cluster, rights: Sequence[Right]) -> list[Right]:
    """One question for each namespace of an account that may do all there; else one for each verb."""
    missing = []
    for namespace in sorted({right.namespace for right in rights}):
        here = [right for right in rights if right.namespace == namespace]
        if _may(cluster, Right(namespace, _ANYTHING, _ANYTHING, (_ANYTHING,))):
            continue
        missing += [one for right in here for one in _denied(cluster, right)]
    return missing


def _denied(cluster: Cluster, right: Right) -> list[Right]:
    return [one for one, review in reviews([right]) if not _answer(cluster, review)]


def _may(cluster: Cluster, right: Right) -> bool:
    ((_right, review),) = reviews([right])
    return _answer(cluster, review)


def _answer(cluster: Cluster, review: Object) -> bool:
    try:
        return bool(cluster.ask(review).get("allowed"))
    except ApiError as error:
        where = Identity("authorization.k8s.io", "SelfSubjectAccessReview", "", "of the account")
        raise refused(where, error.status, "ask") from None


def _served(cluster: Cluster, wanted: Iterable[Wanted]) -> frozenset[tuple[str, str]]:
    """What the API server has of the wanted versions, and of others where these lack a kind."""
    kinds = {(one.object["apiVersion"], one.object["kind"]) for one in wanted}
    found = {(api, kind) for api in {api for api, _kind in kinds} for kind in cluster.served(api)}
    for group in sorted({group_of(api) for api, _kind in kinds - found if group_of(api)}):
        for api in cluster.versions(group):
            found.update((api, kind) for kind in cluster.served(api))
    return frozenset(found)


def _down(cluster: Cluster, wanted: Iterable[Wanted]) -> list[Down]:
    """Operators whose objects are wanted; who may not list Deployments is told of none."""
    groups = {one.identity.group for one in wanted} & GROUPS
    found = [_list(cluster, DEPLOYMENTS, "", selector) or () for selector in selectors()] if groups else []
    return stopped(groups, [one for there in found for one in there])


def _list(cluster: Cluster, kind: Kind, namespace: str, selector: str = "") -> Sequence[Object] | None:
    """None where the account may not; a right that is demanded is then among the missing ones."""
    try:
        return cluster.list(kind, namespace, selector) or ()
    except ApiError as error:
        if error.code == 403:
            return None
        raise refused(of_kind(kind, namespace), error.status, "look at") from None


def _gateways(cluster: Cluster, wanted: Iterable[Wanted]) -> dict[tuple[str, str], Object]:
    found = {}
    for one in wanted:
        for parent in one.object["spec"]["parentRefs"] if one.identity.kind == "HTTPRoute" else ():
            place = (parent.get("namespace") or one.identity.namespace, parent["name"])
            try:
                gateway = cluster.get(_GATEWAY, *place)
            except ApiError:
                # It may not be read, which the finding says.
                gateway = None
            if gateway is not None:
                found[place] = gateway
    return found
