# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Langfuse's official chart has to be told so that it makes the Deployments and the Service that an instance wants.

Part after part of them is taken over into the chart's values; what is left becomes a patch of what the chart renders. So
whatever they have arrives, be it from a patch of the user's.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ...settings.endpoints import WEB_PORT, WORKER_PORT
from ..kubernetes.objects import NoSuchObject
from ..kubernetes.secrets import CHECKSUM
from .chart_values import Entry, Values, composed

COMPONENTS = ("web", "worker")
_LABELS = "app.kubernetes.io"
# The chart sets these itself, to the same values but for the last one, which Helm insists on.
_OF_SELECTORS = (f"{_LABELS}/name", f"{_LABELS}/instance")
_MANAGED_BY = f"{_LABELS}/managed-by"
# Part of a Deployment, a pod or a container → value of the chart, which is the same for web and worker.
_OF_DEPLOYMENTS = {"revisionHistoryLimit": "langfuse.revisionHistoryLimit", "strategy": "langfuse.deployment.strategy"}
_OF_PODS = {
    "serviceAccountName": "langfuse.serviceAccount.name",
    "automountServiceAccountToken": "langfuse.serviceAccount.automountServiceAccountToken",
    "securityContext": "langfuse.podSecurityContext",
    "nodeSelector": "langfuse.nodeSelector",
    "tolerations": "langfuse.tolerations",
    "volumes": "langfuse.extraVolumes",
    "imagePullSecrets": "langfuse.image.pullSecrets",
}
_OF_CONTAINERS = {
    "imagePullPolicy": "langfuse.image.pullPolicy",
    "securityContext": "langfuse.securityContext",
    "volumeMounts": "langfuse.extraVolumeMounts",
}
# The same, with values for web and worker of their own.
_OF_ONE_POD = {"hostAliases": "hostAliases", "topologySpreadConstraints": "pod.topologySpreadConstraints"}
# Probes that the chart has values for only in part, and which of them it writes unasked.
_PROBES = {"startupProbe": (), "livenessProbe": COMPONENTS, "readinessProbe": ("web",)}
_IMAGE = re.compile(r"(?P<repository>.+?):(?P<tag>[^/:@]+(@[^/]+)?)")
# Those that the chart writes.
_PORT = {"name": "http", "protocol": "TCP"}
_PORTS = {"web": WEB_PORT, "worker": WORKER_PORT}
Object = dict[str, Any]
# Among the entries of a list: they are there in place of the chart's, and not beside them.
_INSTEAD = {"$patch": "replace"}


@dataclass(frozen=True)
class Rendered:
    """How the chart makes the objects: path → value, and strategic merge patches of what it renders then."""

    values: Values
    patches: Sequence[Object]


def taken_over(objects: Mapping[str, Mapping[str, Any]]) -> Rendered:
    """`objects` are the Deployments `web` and `worker`, and the `service` of web."""
    left = {what: copy.deepcopy(dict(one)) for what, one in objects.items()}
    deployments = {component: left[component] for component in COMPONENTS}
    pods = {component: one["spec"]["template"]["spec"] for component, one in deployments.items()}
    containers = {component: _main(component, pod) for component, pod in pods.items()}
    values: Values = {}
    for paths, parts in (
        (_OF_DEPLOYMENTS, [one["spec"] for one in deployments.values()]),
        (_OF_PODS, list(pods.values())),
        (_OF_CONTAINERS, list(containers.values())),
    ):
        values |= _common(paths, parts)
    environments = {
        component: {entry["name"]: entry for entry in container.pop("env", [])}
        for component, container in containers.items()
    }
    composition = composed(environments)
    values |= composition.values
    for component, deployment in deployments.items():
        values |= {
            f"langfuse.{component}.{path}": value
            for path, value in {
                **_of_deployment(component, deployment),
                **_of_container(component, containers[component]),
            }.items()
        }
        _correct(containers[component], composition.corrections[component])
    values |= _of_service(left["service"])
    return Rendered(values, [*deployments.values(), left["service"]])


def _main(component: str, pod: Mapping[str, Any]) -> Object:
    """The container of the application, by the name that it has in the chart. Others stay beside it."""
    for container in pod.get("containers") or ():
        if container["name"] == component:
            container["name"] = f"langfuse-{component}"
            return cast("Object", container)
    raise NoSuchObject(
        f"langfuse_kubernetes_patches: leaves the pods of {component} without their container {component}"
    )


def _common(paths: Mapping[str, str], parts: Sequence[Object]) -> Values:
    """What all of `parts` have alike is taken out of them."""
    found = {}
    for key, path in paths.items():
        if key in parts[0] and all(part.get(key) == parts[0][key] for part in parts):
            found[path] = parts[0][key]
            for part in parts:
                del part[key]
    return found


def _of_deployment(component: str, deployment: Object) -> Values:
    """What one Deployment has of its own, but for its containers."""
    spec, template = deployment["spec"], deployment["spec"]["template"]
    _without(deployment["metadata"]["labels"], *_OF_SELECTORS, _MANAGED_BY)
    _without(template["metadata"]["labels"], *_OF_SELECTORS)
    _without(deployment["metadata"], "namespace")
    _without(spec, "selector")
    # All of them are, and the chart says nothing of it.
    _without(template["spec"], "restartPolicy")
    annotations = template["metadata"].get("annotations", {})
    wishes = {name: annotations.pop(name) for name in list(annotations) if name != CHECKSUM}
    found = {"pod.annotations": wishes} if wishes else {}
    # Without a number it is an autoscaler's, and each upgrade would take it back.
    if replicas := spec.pop("replicas", None):
        found["replicas"] = replicas
    else:
        spec["replicas"] = None
    return found | {path: template["spec"].pop(key) for key, path in _OF_ONE_POD.items() if key in template["spec"]}


def _of_container(component: str, container: Object) -> Values:
    """What one container has of its own, but for its environment."""
    found: Values = {}
    if image := _IMAGE.fullmatch(container["image"]):
        found["image"] = {"repository": image["repository"], "tag": image["tag"]}
        del container["image"]
    if container.get("ports") == [{**_PORT, "containerPort": _PORTS[component]}]:
        del container["ports"]
    elif "ports" in container:
        container["ports"].append(_INSTEAD)
    if "resources" in container:
        found["resources"] = container.pop("resources")
    for probe, unasked in _PROBES.items():
        if probe in container:
            # Of both, what runs a command and what asks for a page, the API takes one.
            container[probe] = {**_INSTEAD, **container[probe]}
        elif component in unasked:
            container[probe] = None
    return found


def _of_service(service: Object) -> Values:
    """What the Service of web has of its own. It has the port of the pods."""
    _without(service["metadata"], "namespace")
    _without(service["metadata"]["labels"], *_OF_SELECTORS, _MANAGED_BY)
    spec = service["spec"]
    _without(spec, "selector")
    if spec["ports"] == [{**_PORT, "port": _PORTS["web"], "targetPort": "http"}]:
        del spec["ports"]
    else:
        spec["ports"].append(_INSTEAD)
    found = {"langfuse.web.service.type": spec.pop("type"), "langfuse.web.service.port": WEB_PORT}
    if not spec:
        del service["spec"]
    return found


def _correct(container: Object, corrections: Mapping[str, Entry | None]) -> None:
    """Variables that the chart writes and that are to be otherwise, or not at all."""
    entries = [
        {**entry, **_INSTEAD} if entry else {"name": name, "$patch": "delete"}
        for name, entry in sorted(corrections.items())
    ]
    if entries:
        container["env"] = entries


def _without(found: Object, *keys: str) -> None:
    for key in keys:
        found.pop(key, None)
