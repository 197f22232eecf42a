# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Secrets of somebody else hold that an instance reads. One that External Secrets is about to make is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from .api_errors import refused
from .client import ApiError, Cluster
from .objects import Identity, Kind, Object, Wanted
from .references import Contents, Place, of_others

_SECRET = Kind("v1", "Secret", "secrets")
_EXTERNAL = tuple(
    Kind(f"external-secrets.io/{version}", "ExternalSecret", "externalsecrets") for version in ("v1", "v1beta1")
)
# Seconds for the operator to make a Secret. It does so at once, or says why not.
_WAIT = 60


class Others(NamedTuple):
    """contents: of those that may be read. reasons: place → why one is not there, where somebody says so."""

    contents: Contents
    reasons: Mapping[Place, str]


NOBODY = Others({}, {})


def contents(cluster: Cluster, wanted: Iterable[Wanted]) -> Contents:
    """As they are now. Raises Failure where the account may not read one."""
    found: dict[Place, Mapping[str, str] | None] = {}
    for place in _places(wanted):
        try:
            found[place] = _data(cluster, place)
        except ApiError as error:
            raise refused(Identity("", "Secret", *place), error.status, "read") from None
    return found


def settled(
    cluster: Cluster, wanted: Iterable[Wanted], seconds: float = _WAIT, sleep: Callable[[float], None] = time.sleep
) -> Others:
    """Once External Secrets has made those that are its own, has said that it cannot, or the seconds are over."""
    places, deadline = _places(wanted), time.monotonic() + seconds
    found: dict[Place, Mapping[str, str] | None] = {}
    while True:
        reasons = {}
        waits = False
        for place in places:
            if found.get(place) is None:
                try:
                    found[place] = _data(cluster, place)
                except ApiError:
                    # It may not be read, which the finding says.
                    continue
            if found[place] is None and (maker := _maker(cluster, place)):
                reasons[place], failed = _said(maker)
                waits = waits or not failed
        if not waits or time.monotonic() >= deadline:
            return Others(found, reasons)
        sleep(1)


def _places(wanted: Iterable[Wanted]) -> list[Place]:
    return list(dict.fromkeys(one.place for one in of_others(wanted)))


def _data(cluster: Cluster, place: Place) -> Mapping[str, str] | None:
    secret = cluster.get(_SECRET, *place)
    return None if secret is None else secret.get("data") or {}


def _maker(cluster: Cluster, place: Place) -> Object | None:
    """The ExternalSecret that makes it, where the account may look."""
    namespace, name = place
    for kind in _EXTERNAL:
        try:
            found = cluster.list(kind, namespace)
        except ApiError:
            return None
        for one in found or ():
            target = (one.get("spec") or {}).get("target") or {}
            if name == (target.get("name") or one["metadata"]["name"]):
                return one
        if found is not None:
            return None
    return None


def _said(maker: Object) -> tuple[str, bool]:
    """What an ExternalSecret says of itself, and whether that is a failure."""
    name = f"ExternalSecret {maker['metadata']['name']}"
    for one in (maker.get("status") or {}).get("conditions") or ():
        if one.get("type") == "Ready" and one.get("status") == "False":
            return f"{name} says: {str(one.get('message') or one.get('reason')).rstrip('.')}", True
    return f"{name} has not made it yet", False
