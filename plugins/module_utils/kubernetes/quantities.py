# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Amounts of memory, storage and processors, and how much an instance asks for beside what a quota leaves. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from .objects import Object

_UNITS: Mapping[str, Decimal] = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}
# ``1E`` has a unit, ``1E3`` an exponent.
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]+)|([A-Za-z]*))")
Amounts = dict[str, Decimal]


def amount(text: str | int | float) -> Decimal:
    """``500m`` is a half, ``2Gi`` is 2147483648, ``1e3`` a thousand. Raises ValueError for what is no quantity."""
    found = _QUANTITY.fullmatch(str(text))
    if not found or (found[3] or "") not in _UNITS:
        raise ValueError(f"{text} is no quantity")
    return Decimal(f"{found[1]}e{found[2] or 0}") * _UNITS[found[3] or ""]


def asked(objects: Iterable[Object]) -> Amounts:
    """What these objects take of a namespace, under the names that quotas have for it. A roll's extra pod is not counted."""
    total: Amounts = {}
    for found in objects:
        for name, value in _of(found):
            total[name] = total.get(name, Decimal(0)) + value
    return total


def _of(found: Object) -> Iterator[tuple[str, Decimal]]:
    kind, spec = found["kind"], found.get("spec") or {}
    if kind in _TEMPLATES:
        pods = Decimal(spec.get("replicas", 1))
        yield from _pods(pods, _containers(found))
        for claim in spec.get("volumeClaimTemplates") or ():
            yield from _claims(pods, claim["spec"]["resources"]["requests"]["storage"])
    elif kind == "Cluster":
        pods = Decimal(spec.get("instances", 1))
        yield from _pods(pods, _containers(found))
        yield from _claims(pods, spec["storage"]["size"])
    elif kind == "Pooler":
        yield from _pods(Decimal(spec.get("instances", 1)), _containers(found))
    elif kind in _OF_CLICKHOUSE:
        pods = Decimal(spec["replicas"])
        yield from _pods(pods, _containers(found))
        yield from _claims(pods, spec["dataVolumeClaimSpec"]["resources"]["requests"]["storage"])
    yield f"count/{kind}", Decimal(1)


_TEMPLATES = ("Deployment", "StatefulSet", "Job")
_OF_CLICKHOUSE = ("ClickHouseCluster", "KeeperCluster")


def _containers(found: Object, beside: bool = False) -> list[Mapping[str, Any]]:
    """Resources of each container of a pod that the object makes; `beside` those that start first or that a plugin adds."""
    kind, spec = found["kind"], found.get("spec") or {}
    if kind in (*_TEMPLATES, "Pooler"):
        pod = spec["template"]["spec"]
        more = pod.get("initContainers") or () if beside else ()
        return [one.get("resources") or {} for one in (*pod["containers"], *more)]
    if kind == "Cluster":
        return [spec.get("resources") or {}]
    if kind in _OF_CLICKHOUSE:
        return [spec["containerTemplate"]["resources"]]
    if kind == "ObjectStore" and beside:
        return [(spec.get("instanceSidecarConfiguration") or {}).get("resources") or {}]
    return []


def _pods(pods: Decimal, containers: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Decimal]]:
    yield "pods", pods
    for resources in containers:
        for side in ("requests", "limits"):
            for name, text in (resources.get(side) or {}).items():
                yield f"{side}.{name}", pods * amount(text)


def _claims(pods: Decimal, size: str) -> Iterator[tuple[str, Decimal]]:
    yield "persistentvolumeclaims", pods
    yield "requests.storage", pods * amount(size)


# Older names of quotas for the same.
_SAME = {"cpu": "requests.cpu", "memory": "requests.memory"}


def over(quota: Object, wanted: Amounts) -> list[str]:
    """Names of what the quota does not leave enough of, each with both numbers as the quota writes them."""
    used = (quota.get("status") or {}).get("used") or {}
    found = []
    for name, limit in sorted(_hard(quota).items()):
        more = wanted.get(_SAME.get(name, name))
        if more and more > amount(limit) - amount(used.get(name, 0)):
            found.append(
                f"{name}: {used.get(name, 0)} of {limit} is taken, and {_text(more, str(limit))} more is needed"
            )
    return found


def _hard(quota: Object) -> Mapping[str, Any]:
    """What the quota counts. One with scopes counts only some pods, and which these are is the server's to say."""
    spec = quota.get("spec") or {}
    if spec.get("scopes") or spec.get("scopeSelector"):
        return {}
    return (quota.get("status") or {}).get("hard") or spec.get("hard") or {}


# What each container has to say where a quota counts it.
_SAID = ("limits.cpu", "limits.memory", "requests.cpu", "requests.memory")


def unsaid(quota: Object, objects: Iterable[Object], ranges: Iterable[Object]) -> dict[str, list[Object]]:
    """What the quota counts and nobody says → objects with such a container, whose pods the API refuses.

    ranges: LimitRanges of the namespace, which say it for containers that do not.
    """
    counted = {_SAME.get(name, name) for name in _hard(quota)}
    filled = _defaults(ranges)
    found = {
        name: [one for one in objects if any(name not in _says(each) for each in _containers(one, beside=True))]
        for name in _SAID
        if name in counted and name not in filled
    }
    return {name: those for name, those in found.items() if those}


def _says(resources: Mapping[str, Any]) -> Collection[str]:
    """A limit is a request, too, where there is none."""
    limits = resources.get("limits") or {}
    return {f"limits.{name}" for name in limits} | {
        f"requests.{name}" for name in (*limits, *(resources.get("requests") or {}))
    }


def _defaults(ranges: Iterable[Object]) -> Collection[str]:
    """What LimitRanges say for containers; the API server has filled in what follows from their other fields."""
    items = [item for one in ranges for item in (one.get("spec") or {}).get("limits") or ()]
    return {
        name
        for item in items
        if item.get("type") == "Container"
        for name in _says({"limits": item.get("default"), "requests": item.get("defaultRequest")})
    }


def _text(value: Decimal, like: str) -> str:
    """In the unit that the quota itself is written in."""
    unit = _QUANTITY.fullmatch(like)
    name = (unit[3] or "") if unit else ""
    shown = (value / _UNITS[name]).quantize(Decimal("0.1")).normalize()
    return f"{shown:f}{name}"
