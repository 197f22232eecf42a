# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the account that applies an instance must be allowed to do, as roles to give it and as questions to ask. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .objects import ELSEWHERE, KINDS, Owner, Wanted, group_of
from .operators import DEPLOYMENTS, GROUPS
from .prune import holds_data
from .references import of_others

_APPLY = ("create", "get", "list", "patch")
# A WebSocket begins as a GET, and Kubernetes 1.35 wants the other too.
FORWARDS = ("create", "get")
# What is read to say why something is not ready, and to reach stores and web: resource → verbs.
_LOOKS: Mapping[str, tuple[str, ...]] = {
    "events": ("list",),
    "persistentvolumeclaims": ("list",),
    "pods": ("get", "list"),
    "pods/log": ("get",),
    "pods/portforward": FORWARDS,
    "resourcequotas": ("list",),
}
# What reaching a Service elsewhere takes on top of its address: resource → verbs.
_REACHES: Mapping[str, tuple[str, ...]] = {
    "pods": ("get", "list"),
    "pods/portforward": FORWARDS,
    "services": ("get",),
}
# What `connect` does with a consumer's objects.
_CONNECT = ("create", "delete", "get", "patch")
_RBAC = "rbac.authorization.k8s.io"


class Right(NamedTuple):
    """Verbs on a resource; ``namespace`` is empty for the whole cluster."""

    namespace: str
    group: str
    resource: str
    verbs: tuple[str, ...]


def needed(
    wanted: Iterable[Wanted],
    owner: Owner,
    reaches: Iterable[str] = (),
    connects: Mapping[str, Iterable[str]] | None = None,
) -> list[Right]:
    """The least that applying, waiting, provisioning, proving and connecting need. Removing data is not among it.

    reaches: namespaces with Services of others, such as stores. connects: namespace → resources that consumers have there.
    """
    plurals = {(group_of(kind.api), kind.name): kind.plural for kind in KINDS}
    found: dict[tuple[str, str, str], set[str]] = {}

    def add(namespace: str, group: str, resource: str, verbs: Iterable[str]) -> None:
        found.setdefault((namespace, group, resource), set()).update(verbs)

    everything = list(wanted)
    for one in everything:
        identity = one.identity
        # The kind of a patch of the user's may be any; its plural is a guess of most of them.
        resource = plurals.get((identity.group, identity.kind), f"{identity.kind.lower()}s")
        removed = () if identity.kind == "Namespace" or holds_data(one.object) else ("delete",)
        add(identity.namespace, identity.group, resource, (*_APPLY, *removed))
        if identity.kind == "HTTPRoute":
            for parent in one.object["spec"]["parentRefs"]:
                add(parent.get("namespace") or identity.namespace, identity.group, "gateways", ("get",))
    for reference in of_others(everything):
        add(reference.reader.namespace, "", "secrets", ("get",))
    for resource, verbs in _LOOKS.items():
        add(owner.namespace, "", resource, verbs)
    for namespace in reaches:
        for resource, verbs in _REACHES.items():
            add(namespace, "", resource, verbs)
    for namespace, resources in (connects or {}).items():
        for resource in resources:
            add(namespace, "", resource, _CONNECT)
    add("", "", "namespaces", ("get",))
    add("", "storage.k8s.io", "storageclasses", ("list",))
    return [Right(*key, tuple(sorted(verbs))) for key, verbs in sorted(found.items())]


def helpful(wanted: Iterable[Wanted], owner: Owner) -> list[Right]:
    """What finds objects in namespaces that the settings no longer name, operators that do not run, and pods that a quota refuses
    because of what they do not say. Nobody is refused without it.
    """
    wanted = [*wanted]
    groups = {one.identity.group for one in wanted if one.identity.kind in ELSEWHERE}
    kinds = [kind for kind in KINDS if kind.name in ELSEWHERE and group_of(kind.api) in groups]
    kinds += [DEPLOYMENTS] if GROUPS & {one.identity.group for one in wanted} else []
    found = [Right("", group_of(kind.api), kind.plural, ("list",)) for kind in kinds]
    return [*found, Right(owner.namespace, "", "limitranges", ("list",))]


def roles(rights: Sequence[Right], owner: Owner) -> list[dict[str, Any]]:
    """The rights as a ClusterRole and a Role for each namespace, ready to be bound to an account."""
    found = []
    for namespace in sorted({right.namespace for right in rights}):
        rules = [
            {"apiGroups": [right.group], "resources": [right.resource], "verbs": list(right.verbs)}
            for right in rights
            if right.namespace == namespace
        ]
        # Cluster roles have no namespace, so two instances of one name would share theirs.
        name = f"{owner.instance}-deployer" if namespace else f"{owner.namespace}-{owner.instance}-deployer"
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        kind = "Role" if namespace else "ClusterRole"
        found.append({"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules})
    return found


def reviews(rights: Iterable[Right]) -> list[tuple[Right, dict[str, Any]]]:
    """A question (SelfSubjectAccessReview) for each verb of each right, with the right of that verb alone."""
    return [(right._replace(verbs=(verb,)), _review(right, verb)) for right in rights for verb in right.verbs]


def _review(right: Right, verb: str) -> dict[str, Any]:
    resource, _slash, part = right.resource.partition("/")
    attributes = {"namespace": right.namespace, "verb": verb, "group": right.group, "resource": resource}
    if part:
        attributes["subresource"] = part
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }


def told(missing: Iterable[Right]) -> list[str]:
    """What may not be done, a line for each resource."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for right in missing:
        found.setdefault(right[:3], []).extend(right.verbs)
    return [
        f"{', '.join(verbs)} {resource}{f'.{group}' if group else ''}"
        f"{f' in {namespace}' if namespace else ' in the whole cluster'}"
        for (namespace, group, resource), verbs in sorted(found.items())
    ]
