# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Web, worker and the migration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...settings.mounts import CA_FILE
from ..document import to_pem
from . import secrets as kept
from .manifest import APPLICATION, Manifest, Plan, Wave, config_map, name_of, resource, selector, service
from .pods import Pod, template

USER = 1001
# Web waits 110 s after SIGTERM before it closes (facts 1.5).
WEB_GRACE = 125
# How long a container may take to its first answer.
_START = 60
_PERIOD = 10
# After which Kubernetes gives a Deployment up that makes no progress, in seconds.
_DEADLINE = 600
_AUTHORITIES = "authorities"
# Those of the second kind do nothing but ingestion, and leave all else to the first.
WORKERS = ("worker", "ingestion")
Secrets = Mapping[str, str]


def manifests(plan: Plan, secrets: Secrets) -> list[Manifest]:
    """Everything of the application's own: account, authorities, Services, migration, Deployments."""
    around = [_service_account(plan), *_authorities(plan), *_services(plan)]
    if not plan["enabled"]:
        return around
    workers = [_worker(plan, secrets, name) for name in WORKERS if name in plan["env"]]
    return [*around, migration(plan, secrets), _web(plan, secrets), *workers]


def _service_account(plan: Plan) -> Manifest:
    """The identity by which clouds give rights. It has none in the cluster."""
    annotations = plan["kubernetes"]["pods"]["service_account_annotations"]
    account = resource(plan, "v1", "ServiceAccount", name_of(plan), "application", annotations=annotations)
    return Manifest(Wave.CONFIGURATION, {**account, "automountServiceAccountToken": False})


def _authorities(plan: Plan) -> list[Manifest]:
    if not plan["ca_certificates"]:
        return []
    where = authorities(plan)
    data = {where["key"]: to_pem(plan["ca_certificates"])}
    return [config_map(plan, where["name"], _AUTHORITIES, APPLICATION, data)]


def authorities(plan: Plan) -> dict[str, str]:
    """Name and key of the ConfigMap with the authorities of one's own."""
    return {"name": name_of(plan, _AUTHORITIES), "key": CA_FILE.rpartition("/")[2]}


def _services(plan: Plan) -> list[Manifest]:
    endpoints = plan["endpoints"]
    return [
        service(plan, Wave.CONFIGURATION, name_of(plan, name), name, {"http": endpoints[name]["port"]})
        for name in ("web", "worker")
    ]


def _pod(plan: Plan, secrets: Secrets, component: str, seconds: int, **container: Any) -> Pod:
    """What web, worker and migration have in common."""
    image = "worker" if component in WORKERS else "web"
    environment = plan["env"][component]
    volumes: dict[str, Any] = {}
    mounts: list[dict[str, Any]] = []
    if plan["ca_certificates"]:
        volumes[_AUTHORITIES] = {"configMap": {"name": name_of(plan, _AUTHORITIES)}}
        mounts.append({"name": _AUTHORITIES, "mountPath": CA_FILE.rpartition("/")[0], "readOnly": True})
    if component != "migrate":
        for volume in plan["kubernetes"]["pods"]["volumes"]:
            source = {key: value for key, value in volume.items() if key not in ("name", "mountPath", "readOnly")}
            volumes[volume["name"]] = source
            mounts.append(
                {"name": volume["name"], "mountPath": volume["mountPath"], "readOnly": volume.get("readOnly", False)}
            )
    return Pod(
        component=component,
        image=plan["images"][image],
        user=USER,
        seconds=seconds,
        volumes=volumes,
        mounts=mounts,
        service_account=name_of(plan),
        checksum=kept.checksum(plan, secrets, kept.secrets_in(environment), plan["ca_certificates"]),
        restart="Never" if component == "migrate" else "Always",
        container={
            "env": kept.environment(plan, environment),
            "resources": plan["kubernetes"]["resources"][image],
            **container,
        },
    )


def _probes(plan: Plan, live: Mapping[str, Any], ready: Mapping[str, Any]) -> dict[str, Any]:
    """A container that does not start is ended as one that is stuck: neither ends by itself."""
    stuck = plan["kubernetes"]["stuck_seconds"]
    return {
        "startupProbe": {**live, "periodSeconds": 5, "timeoutSeconds": 6, "failureThreshold": (_START + stuck) // 5},
        "livenessProbe": {
            **live,
            "periodSeconds": _PERIOD,
            "timeoutSeconds": 6,
            "failureThreshold": max(1, stuck // _PERIOD),
        },
        "readinessProbe": {**ready, "periodSeconds": 5, "timeoutSeconds": 6, "failureThreshold": 2},
    }


def _http(path: str) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http", "scheme": "HTTP"}}


# A worker that answers, with whatever status, is alive: an outage of a store must not end it.
_WORKER_ALIVE = (
    'm=$(wget -q -T 5 -O /dev/null {url} 2>&1) && exit 0; case "$m" in *HTTP/1*) exit 0;; esac; echo "$m"; exit 1'
)


def _web(plan: Plan, secrets: Secrets) -> Manifest:
    probes = _probes(plan, _http("/api/public/health"), _http("/api/public/ready"))
    pod = _pod(plan, secrets, "web", WEB_GRACE, ports=_ports(plan, "web"), **probes)
    return Manifest(Wave.WEB, _deployment(plan, pod))


def _worker(plan: Plan, secrets: Secrets, component: str) -> Manifest:
    url = f"http://127.0.0.1:{plan['endpoints']['worker']['port']}/api/health"
    alive = {"exec": {"command": ["sh", "-c", _WORKER_ALIVE.format(url=url)]}}
    pod = _pod(
        plan,
        secrets,
        component,
        plan["kubernetes"]["worker_stop_seconds"],
        ports=_ports(plan, "worker"),
        **_probes(plan, alive, _http("/api/ready")),
    )
    return Manifest(Wave.WORKER, _deployment(plan, pod))


def _ports(plan: Plan, name: str) -> list[dict[str, Any]]:
    return [{"name": "http", "containerPort": plan["endpoints"][name]["port"], "protocol": "TCP"}]


def _deployment(plan: Plan, pod: Pod) -> dict[str, Any]:
    kubernetes = plan["kubernetes"]
    # What an autoscaler sets is not set here, or each run would take it back.
    replicas = (
        {"replicas": kubernetes["replicas"][pod.component]} if kubernetes["autoscaling"]["kind"] == "none" else {}
    )
    spec = {
        **replicas,
        "revisionHistoryLimit": 3,
        # Left alone, Kubernetes gives up before whoever waits longer.
        "progressDeadlineSeconds": max(_DEADLINE, kubernetes["start_timeout"]),
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": selector(plan, pod.application, pod.component)},
        "template": template(plan, pod),
    }
    return resource(plan, "apps/v1", "Deployment", name_of(plan, pod.component), pod.component, spec=spec)


def migration(plan: Plan, secrets: Secrets) -> Manifest:
    """The migration, named by what goes into it: a Job cannot change, and one that succeeded is not repeated.

    No retry and no deadline: a migration that was cut off leaves a schema that a human has to look at.
    """
    pod = _pod(plan, secrets, "migrate", 30, args=["true"])
    pod_template = template(plan, pod)
    pod_template["spec"].pop("topologySpreadConstraints")
    what = [pod.image, json.dumps(plan["env"]["migrate"], sort_keys=True)]
    name = kept.checksum(plan, secrets, kept.secrets_in(plan["env"]["migrate"]), what)[:10]
    spec = {"backoffLimit": 0, "completions": 1, "parallelism": 1, "template": pod_template}
    return Manifest(
        Wave.MIGRATION, resource(plan, "batch/v1", "Job", name_of(plan, f"migrate-{name}"), "migrate", spec=spec)
    )
