# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of an instance's Flux objects is in the cluster. Asks, and judges nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ..kubernetes.api_errors import refused
from ..kubernetes.client import ApiError, Cluster, of_kind
from ..kubernetes.objects import KINDS, Kind, Object, group_of
from ..kubernetes.ownership import FLUX_NAME, FLUX_NAMESPACE
from ..kubernetes.prune import loss
from .state import (
    CHART,
    KUSTOMIZATION,
    RELEASE,
    REPOSITORIES,
    Key,
    Seen,
    Tree,
    condition,
    source_of,
)

_KUSTOMIZATIONS = Kind("kustomize.toolkit.fluxcd.io/v1", KUSTOMIZATION, "kustomizations")
_EVENTS, _DEPLOYMENTS = Kind("v1", "Event", "events"), Kind("apps/v1", "Deployment", "deployments")
# Newest first; an older Flux has only some kinds in the newest.
_SOURCES = ("source.toolkit.fluxcd.io/v1", "source.toolkit.fluxcd.io/v1beta2")
_CONTROLLERS = ("kustomize-controller", "source-controller")
# Of these something may be left, because what is in them would go with them.
_LEFT = (
    *("Secret", "ConfigMap", "PersistentVolumeClaim", "StatefulSet"),
    *("Cluster", "Database", "ClickHouseCluster", "KeeperCluster"),
)


def look(cluster: Cluster, tree: Tree, home: str) -> Seen:
    """home: the instance's namespace. Raises Failure where the account may not see Kustomizations; of all else it may not see it says nothing."""
    try:
        found = cluster.list(_KUSTOMIZATIONS, tree.namespace)
    except ApiError as error:
        raise refused(of_kind(_KUSTOMIZATIONS, tree.namespace), error.status, "look at") from None
    if found is None:
        return Seen({}, unserved=(KUSTOMIZATION,))
    by_name = {one["metadata"]["name"]: one for one in found}
    own = [by_name[name] for name in tree.kustomizations if name in by_name]
    objects: dict[Key, Object | None] = {
        (KUSTOMIZATION, tree.namespace, name): by_name.get(name) for name in tree.kustomizations
    }
    for key in (key for one in own for key in _dependencies(one) if key not in objects):
        known = by_name.get(key[2]) if key[1] == tree.namespace else _get(cluster, _KUSTOMIZATIONS, key)
        objects[key] = known
    for key in dict.fromkeys(source_of(one) for one in own) or [tree.source]:
        objects[key] = _source(cluster, key)
    for kind, key in (entry for one in own for entry in inventory(one)):
        if key[0] in (RELEASE, *REPOSITORIES):
            objects[key] = _get(cluster, cluster.kind(kind.api, kind.name), key)
            if chart := _chart(objects[key]):
                objects[chart] = _source(cluster, chart)
    controllers = (*_CONTROLLERS, *(["helm-controller"] if any(key[0] == RELEASE for key in objects) else []))
    working = any(condition(one, "Ready").get("status") == "Unknown" for one in own)
    return Seen(
        objects,
        events=_some(cluster, _EVENTS, tree.namespace) if working else [],
        controllers=[
            one for one in _some(cluster, _DEPLOYMENTS, tree.namespace) if one["metadata"]["name"] in controllers
        ],
        kept=list(_left(cluster, tree, own, home)),
    )


def _dependencies(found: Object) -> Iterator[Key]:
    for one in (found.get("spec") or {}).get("dependsOn") or ():
        yield KUSTOMIZATION, str(one.get("namespace") or found["metadata"]["namespace"]), str(one["name"])


def inventory(found: Object) -> Iterator[tuple[Kind, Key]]:
    """Kind and place of everything that a Kustomization has applied."""
    for one in ((found.get("status") or {}).get("inventory") or {}).get("entries") or ():
        namespace, _separator, rest = str(one["id"]).partition("_")
        name, group, kind = rest.rsplit("_", 2)
        api = f"{group}/{one['v']}" if group else str(one["v"])
        yield Kind(api, kind, ""), (kind, namespace, name)


def _source(cluster: Cluster, key: Key) -> Object | None:
    for api in _SOURCES:
        if kind := cluster.kind(api, key[0]):
            return _get(cluster, kind, key)
    return None


def _chart(release: Object | None) -> Key | None:
    """The HelmChart that source-controller makes for a release."""
    namespace, slash, name = str(((release or {}).get("status") or {}).get("helmChart") or "").partition("/")
    return (CHART, namespace, name) if slash else None


def _left(cluster: Cluster, tree: Tree, own: list[Object], home: str) -> Iterator[Object]:
    """Objects of the instance that Flux has made and no Kustomization has any more."""
    applied = {key for one in own for _kind, key in inventory(one)}
    names = ",".join(tree.kustomizations)
    selector = f"{FLUX_NAME} in ({names}),{FLUX_NAMESPACE}={tree.namespace}"
    for kind in (one for one in KINDS if one.name in _LEFT and (one.name != "Cluster" or "cnpg" in group_of(one.api))):
        for one in _some(cluster, kind, home, selector):
            if (kind.name, home, one["metadata"]["name"]) not in applied and loss(one):
                yield one


def _get(cluster: Cluster, kind: Kind | None, key: Key) -> Object | None:
    try:
        return cluster.get(kind, key[1], key[2]) if kind else None
    except ApiError:
        return None


def _some(cluster: Cluster, kind: Kind, namespace: str, selector: str = "") -> list[Object]:
    """What the account may not read is not known."""
    try:
        return cluster.list(kind, namespace, selector) or []
    except ApiError:
        return []
