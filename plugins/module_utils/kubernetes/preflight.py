# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in the way of an instance in a cluster: everything at once, before the first object is applied. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..failure import Failure
from ..finding import finding
from .api_errors import brings, missing_kind, old_kind
from .objects import Identity, Object, Owner, Wanted, group_of
from .operators import Down
from .ownership import by_flux, foreign_object
from .pod_ports import Closed
from .prune import holds_data
from .quantities import asked, over, unsaid
from .references import Reference, of_others
from .rights import Right, told
from .stored import claims_of, is_default, moved, stored

# The first in which everything that the objects say is known to the API server.
OLDEST = (1, 27)
Finding = Mapping[str, str]


class Facts(NamedTuple):
    """What was found in the cluster.

    version: of the API server, like ``v1.36.3``. served: ``apiVersion`` and kind of all that it serves. classes: the
    storage classes, None where they may not be read. gateways: namespace and name → object, for those that could be read. missing: rights that the
    account does not have. quotas: of the instance's namespace. live: identity → object, of the wanted ones that are
    there. foreign: identity → who has it. drawn: keys of the application that are new. refused: what the API server says
    of the rest in a dry run. theirs: namespace and name of a Secret of somebody else that pods read → its keys, None where there is none.
    frozen: the same place → those of its values that data needs (``KEYS_OF_DATA``), which no finding shows.
    moved: stores whose data is said to have been moved. reasons: why one of theirs is not there, where somebody says so. flux: the
    Kustomizations that apply the instance. closed: ports of pods that the instance's policies do not open. down: operators without a
    ready pod. limits: LimitRanges of the instance's namespace, None where they may not be read.
    """

    version: str
    served: frozenset[tuple[str, str]]
    classes: Sequence[Object] | None = ()
    gateways: Mapping[tuple[str, str], Object] = {}
    missing: Sequence[Right] = ()
    quotas: Sequence[Object] = ()
    live: Mapping[Identity, Object] = {}
    foreign: Mapping[Identity, str] = {}
    drawn: Sequence[str] = ()
    refused: Sequence[Failure] = ()
    theirs: Mapping[tuple[str, str], Collection[str] | None] = {}
    moved: Sequence[str] = ()
    reasons: Mapping[tuple[str, str], str] = {}
    flux: Collection[tuple[str, str]] = ()
    frozen: Mapping[tuple[str, str], Mapping[str, str]] = {}
    closed: Sequence[Closed] = ()
    down: Sequence[Down] = ()
    limits: Sequence[Object] | None = ()


def findings(wanted: Sequence[Wanted], owner: Owner, facts: Facts) -> list[Finding]:
    """In the order in which a person would mend them."""
    ours = [one for one in wanted if one.identity not in facts.foreign]
    found = [
        *_version(facts),
        *_rights(facts),
        *_kinds(wanted, facts),
        *_operators(facts),
        *_collisions(facts),
        *_keys(wanted, owner, facts),
        *_theirs(wanted, facts),
        *_classes(wanted, facts),
        *moved(ours, facts.live, facts.moved),
        *stored(ours, facts.live, facts.classes),
        *_gateways(wanted, facts),
        *_closed(facts),
        *_quotas(wanted, owner, facts),
    ]
    told = {one["code"] for one in found}
    return [*found, *(_refused(one) for one in facts.refused if one.code not in told)]


def _refused(failure: Failure) -> Finding:
    return finding(failure.code, failure.message.rstrip("."), failure.cure.rstrip("."))


def _version(facts: Facts) -> Iterator[Finding]:
    numbers = re.match(r"v?(\d+)\.(\d+)", facts.version)
    if not numbers or (int(numbers[1]), int(numbers[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        yield finding("old_cluster", f"The cluster is {facts.version}", f"Upgrade it to {oldest} or newer")


def _rights(facts: Facts) -> Iterator[Finding]:
    if lines := told(facts.missing):
        yield finding("forbidden", f"The account may not {'; '.join(lines)}", "Give it the roles that are printed")


def _kinds(wanted: Iterable[Wanted], facts: Facts) -> Iterator[Finding]:
    """Once for each kind, however many objects of it there would be."""
    seen: dict[tuple[str, str], Wanted] = {}
    for one in wanted:
        seen.setdefault((one.object["apiVersion"], one.object["kind"]), one)
    for (api, kind), one in seen.items():
        if (api, kind) in facts.served:
            continue
        others = sorted(other for other, name in facts.served if name == kind and group_of(other) == group_of(api))
        yield _refused(old_kind(one.identity, api, others) if others else missing_kind(one.identity))


def _operators(facts: Facts) -> Iterator[Finding]:
    for one in facts.down:
        yield finding(
            "operator_down",
            f"{brings(one.group)} is installed and has no pod that is ready ({', '.join(one.deployments)})",
            "Look at the pods of that Deployment",
        )


def _collisions(facts: Facts) -> Iterator[Finding]:
    if facts.flux:
        yield _refused(by_flux(facts.flux))
    for identity, whose in sorted(facts.foreign.items()):
        yield _refused(foreign_object(identity, whose))


# Keys of a Secret without which what is stored cannot be read any more.
KEYS_OF_DATA = ("SALT", "ENCRYPTION_KEY")


def _keys(wanted: Iterable[Wanted], owner: Owner, facts: Facts) -> Iterator[Finding]:
    """Data outlives a lost secrets file, and the Secret in the cluster is then the only copy of its keys."""
    for one in wanted:
        live = facts.live.get(one.identity)
        if live is None or one.identity.kind != "Secret" or one.identity in facts.foreign:
            continue
        before, after = live.get("data") or {}, one.object.get("data") or {}
        changed = [key for key in KEYS_OF_DATA if key in before and before[key] != after.get(key)]
        if changed:
            yield finding(
                "other_keys",
                f"{one.identity} has another {' and '.join(changed)}, and what is stored with it could not be read any more",
                "Bring the secrets file back, or write these values from the Secret into the inventory",
            )
            return
    if other := _other_keys_of_theirs(wanted, owner, facts):
        yield other
    data = sorted(str(identity) for identity, one in facts.live.items() if holds_data(one) and owner.has(one))
    if facts.drawn and data:
        yield finding(
            "lost_keys",
            f"{data[0]} holds data of the instance, and the secrets file has no {' and '.join(facts.drawn)} for it",
            "Bring the secrets file back, or remove the data first if nobody needs it",
        )


def _other_keys_of_theirs(wanted: Iterable[Wanted], owner: Owner, facts: Facts) -> Finding | None:
    """Somebody else's Secret takes the place of the instance's own, which stays in the cluster, and data needs the same keys."""
    before = {
        key: (identity, live["data"][key])
        for identity, live in sorted(facts.live.items())
        for key in KEYS_OF_DATA
        if identity.kind == "Secret" and owner.has(live) and key in (live.get("data") or {})
    }
    for one in of_others(wanted):
        after = facts.frozen.get(one.place) or {}
        changed = [key for key in KEYS_OF_DATA if key in before and key in after and before[key][1] != after[key]]
        if one.key in changed:
            own = before[one.key][0]
            return finding(
                "other_keys",
                f"{Identity('', 'Secret', *one.place)} has another {' and '.join(changed)} than {own} of the instance, "
                "and what is stored with it could not be read any more",
                f"Have whoever keeps it put the values of {own} into it, or remove that one first if nobody needs the data",
            )
    return None


def _theirs(wanted: Iterable[Wanted], facts: Facts) -> Iterator[Finding]:
    """Once for each Secret of somebody else."""
    lacking: dict[tuple[str, str], list[Reference]] = {}
    for one in of_others(wanted):
        keys = facts.theirs.get(one.place, (one.key,))
        if keys is None or (one.key is not None and one.key not in keys):
            lacking.setdefault(one.place, []).append(one)
    for (namespace, name), found in lacking.items():
        keys = sorted(one.key for one in found if one.key)
        there = facts.theirs[namespace, name] is not None
        what = (
            f"Secret {name} in {namespace} has no {', '.join(keys)}"
            if there
            else f"There is no Secret {name} in {namespace}"
        )
        why = facts.reasons.get((namespace, name))
        yield finding(
            "no_secret",
            f"{what}, and {found[0].reader} reads it{f'; {why}' if why else ''}",
            "Have whoever keeps that Secret make it first, or correct langfuse_kubernetes_existing_secrets or langfuse_kubernetes_volumes",
        )


def _classes(wanted: Iterable[Wanted], facts: Facts) -> Iterator[Finding]:
    if facts.classes is None:
        return
    known = {one["metadata"]["name"] for one in facts.classes}
    asked_for: dict[str | None, Identity] = {}
    for one in wanted:
        # What is there has its volumes already.
        if one.identity not in facts.live:
            for name, _size in claims_of(one.object):
                asked_for.setdefault(name, one.identity)
    for name, identity in asked_for.items():
        if name is None and not any(map(is_default, facts.classes)):
            there = f"; it has {', '.join(sorted(known))}" if known else ""
            yield finding(
                "no_storage_class",
                f"The cluster has no storage class that is the default, and {identity} needs a volume{there}",
                "Write the name of one as langfuse_storage_class",
            )
        elif name is not None and name not in known:
            there = f"; it has {', '.join(sorted(known))}" if known else " nor any other"
            yield finding(
                "no_storage_class",
                f"The cluster has no storage class {name} for {identity}{there}",
                "Write another langfuse_storage_class",
            )


def _gateways(wanted: Iterable[Wanted], facts: Facts) -> Iterator[Finding]:
    for one in wanted:
        # A Gateway of another version is not seen, and the kind is told already.
        if one.object["kind"] != "HTTPRoute" or (one.object["apiVersion"], "HTTPRoute") not in facts.served:
            continue
        for parent in one.object["spec"]["parentRefs"]:
            place = (parent.get("namespace") or one.identity.namespace, parent["name"])
            gateway = facts.gateways.get(place)
            if gateway is None:
                yield finding(
                    "no_gateway",
                    f"There is no Gateway {place[1]} in {place[0]}, or it may not be read",
                    "Write langfuse_gateway_name and langfuse_gateway_namespace, or set langfuse_expose",
                )
            else:
                yield from _listener(one.object, parent, gateway)


def _closed(facts: Facts) -> Iterator[Finding]:
    for host, port, of_pods in facts.closed:
        yield finding(
            "closed_port",
            f"The network policies open {port} towards {host}, and act on its pods, which listen on {of_pods}",
            f"Add {host}:{of_pods} to langfuse_network_policy_to",
        )


def _listener(route: Object, parent: Mapping[str, Any], gateway: Object) -> Iterator[Finding]:
    name, section = parent["name"], parent.get("sectionName")
    listeners = gateway["spec"].get("listeners") or ()
    found = [one for one in listeners if section in (None, one["name"])]
    if not found:
        yield finding(
            "no_listener",
            f"The Gateway {name} has no listener {section}; it has {', '.join(one['name'] for one in listeners)}",
            "Write one of these as langfuse_gateway_section",
        )
        return
    hosts = [host for host in route["spec"].get("hostnames") or () if not any(_serves(one, host) for one in found)]
    for host in hosts:
        served = ", ".join(sorted({one["hostname"] for one in found if one.get("hostname")}))
        yield finding(
            "no_listener",
            f"The Gateway {name} serves {served} there, and not {host}",
            "Write another langfuse_gateway_section or host name, or add a listener",
        )
    conditions = (gateway.get("status") or {}).get("conditions") or ()
    for condition in conditions:
        if condition.get("type") == "Programmed" and condition.get("status") == "False":
            said = condition.get("message") or condition.get("reason")
            yield finding("gateway_down", f"The Gateway {name} does not work: {said}", "Mend it first")


def _serves(listener: Mapping[str, Any], host: str) -> bool:
    pattern = listener.get("hostname") or ""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:])
    return pattern in ("", host)


def _called(one: Object) -> str:
    return f"{one['kind']} {one['metadata']['name']}"


def _quotas(wanted: Iterable[Wanted], owner: Owner, facts: Facts) -> Iterator[Finding]:
    new = [one.object for one in wanted if one.identity not in facts.live and one.identity.namespace == owner.namespace]
    for quota in facts.quotas:
        name = quota["metadata"]["name"]
        if lines := over(quota, asked(new)):
            yield finding(
                "quota",
                f"The quota {name} of {owner.namespace} leaves too little: {'; '.join(lines)}",
                "Have it raised, or write less (langfuse_size, langfuse_kubernetes_resources, sizes of volumes)",
            )
        for counted, those in unsaid(quota, new, facts.limits).items() if facts.limits is not None else ():
            yield finding(
                "quota",
                f"The quota {name} of {owner.namespace} counts {counted}, and pods with a container that has none are refused: "
                f"those of {', '.join(_called(one) for one in those)}",
                "Write it into langfuse_kubernetes_resources, or have the namespace given a LimitRange with a default for containers",
            )
