# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses name ports of Services, and network policies act on those of pods: where the two differ."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .api_errors import refused
from .client import ApiError, Cluster
from .forward import POD, SERVICE, pod_behind, selector_of
from .objects import Identity, Object


class Closed(NamedTuple):
    """A port of a Service that policies open, while its pods listen on another, which they do not."""

    host: str
    port: int
    of_pods: int


def closed(cluster: Cluster, services: Iterable[Mapping[str, Any]]) -> list[Closed]:
    """services: ``host`` as the settings have it, ``name``, ``namespace`` and the opened ``ports``. What the account may not look at is
    left out."""
    found = []
    for one in services:
        try:
            service = cluster.get(SERVICE, one["namespace"], one["name"])
            if service is not None and _forwards(service):
                pods = _pods(cluster, service)
                found += [Closed(one["host"], *ports) for ports in differing(service, pods, one["ports"])]
        except ApiError as error:
            if error.code != 403:
                raise refused(Identity("", "Service", one["namespace"], one["name"]), error.status, "look at") from None
    return found


def _forwards(service: Object) -> bool:
    """Whether it has an address of its own. Without one a name is that of the pods, and the port too."""
    spec = service["spec"]
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None"


def _pods(cluster: Cluster, service: Object) -> Sequence[Object]:
    """Only they know the number of a port that has a name."""
    named = any(isinstance(port.get("targetPort"), str) for port in service["spec"].get("ports") or ())
    return cluster.list(POD, service["metadata"]["namespace"], selector_of(service)) or () if named else ()


def differing(service: Object, pods: Sequence[Object], opened: Collection[int]) -> Iterator[tuple[int, int]]:
    """Ports of the Service, each with the one of its pods that is not open. Pure."""
    for port in service["spec"].get("ports") or ():
        target = port.get("targetPort", port["port"])
        behind = pod_behind(pods, port) if isinstance(target, str) else ("", target)
        if behind and port["port"] in opened and behind[1] not in opened:
            yield port["port"], behind[1]
