# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Amounts of memory, storage and processors, and how much an instance asks for beside what a quota leaves. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from .objects import Object

_UNITS: Mapping[str, Decimal] = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([A-Za-z]*)")
Amounts = dict[str, Decimal]


def amount(text: str | int | float) -> Decimal:
    """``500m`` is a half, ``2Gi`` is 2147483648. Raises ValueError for what is no quantity."""
    found = _QUANTITY.fullmatch(str(text))
    if not found or found[2] not in _UNITS:
        raise ValueError(f"{text} is no quantity")
    return Decimal(found[1]) * _UNITS[found[2]]


def asked(objects: Iterable[Object]) -> Amounts:
    """What these objects take of a namespace, under the names that quotas have for it. A roll's extra pod is not counted."""
    total: Amounts = {}
    for found in objects:
        for name, value in _of(found):
            total[name] = total.get(name, Decimal(0)) + value
    return total


def _of(found: Object) -> Iterator[tuple[str, Decimal]]:
    kind, spec = found["kind"], found.get("spec") or {}
    if kind in ("Deployment", "StatefulSet", "Job"):
        pods = Decimal(spec.get("replicas", 1))
        containers = [one.get("resources") or {} for one in spec["template"]["spec"]["containers"]]
        yield from _pods(pods, containers)
        for claim in spec.get("volumeClaimTemplates") or ():
            yield from _claims(pods, claim["spec"]["resources"]["requests"]["storage"])
    elif kind == "Cluster":
        pods = Decimal(spec.get("instances", 1))
        yield from _pods(pods, [spec.get("resources") or {}])
        yield from _claims(pods, spec["storage"]["size"])
    elif kind in ("ClickHouseCluster", "KeeperCluster"):
        pods = Decimal(spec["replicas"])
        yield from _pods(pods, [spec["containerTemplate"]["resources"]])
        yield from _claims(pods, spec["dataVolumeClaimSpec"]["resources"]["requests"]["storage"])
    yield f"count/{kind}", Decimal(1)


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
    hard = (quota.get("status") or {}).get("hard") or (quota.get("spec") or {}).get("hard") or {}
    used = (quota.get("status") or {}).get("used") or {}
    found = []
    for name, limit in sorted(hard.items()):
        more = wanted.get(_SAME.get(name, name))
        if more and more > amount(limit) - amount(used.get(name, 0)):
            found.append(
                f"{name}: {used.get(name, 0)} of {limit} is taken, and {_text(more, str(limit))} more is needed"
            )
    return found


def without_limits(quota: Object, objects: Iterable[Object]) -> bool:
    """Whether the quota counts limits of processors, which makes the API refuse every pod without one."""
    hard = (quota.get("status") or {}).get("hard") or (quota.get("spec") or {}).get("hard") or {}
    return "limits.cpu" in hard and "limits.cpu" not in asked(objects)


def _text(value: Decimal, like: str) -> str:
    """In the unit that the quota itself is written in."""
    unit = _QUANTITY.fullmatch(like)
    name = unit[2] if unit else ""
    shown = (value / _UNITS[name]).quantize(Decimal("0.1")).normalize()
    return f"{shown:f}{name}"
