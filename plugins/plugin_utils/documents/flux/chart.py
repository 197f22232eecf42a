# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Web and worker by Langfuse's official chart: a release of it in place of the Deployments that the collection would apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...settings.chart import OCI
from ...settings.hosts import netloc, split
from ..document import dump_indented
from ..kubernetes import secrets as kept
from ..kubernetes.manifest import APPLICATION, Manifest, Plan, Wave, name_of, resource
from ..kubernetes.objects import objects, patched
from .chart_values import Values, nested
from .chart_workloads import COMPONENTS, Rendered, taken_over

_SOURCES = "source.toolkit.fluxcd.io/v1"
_RELEASES = "helm.toolkit.fluxcd.io/v2"
_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
# Left alone, the chart makes stores, Secrets and objects that the instance has already.
_OFF: Mapping[str, Any] = {
    "langfuse.serviceAccount.create": False,
    "langfuse.web.pdb.create": False,
    "langfuse.worker.pdb.create": False,
    "postgresql.deploy": False,
    "redis.deploy": False,
    "clickhouse.deploy": False,
    "s3.deploy": False,
    # An upload would have from these what it is not given.
    "s3.bucket": "",
    "s3.region": "",
    "s3.forcePathStyle": False,
}


def is_wanted(plan: Plan) -> bool:
    """Whether the chart makes web and worker."""
    return bool(plan["gitops"]["chart"])


def manifests(plan: Plan, secrets: Mapping[str, str]) -> list[Manifest]:
    """All objects of the instance, web and worker by the chart. Raises NoSuchObject for a patch without its object.

    A patch of a Deployment that the chart makes goes the way that all of the Deployment goes.
    """
    kubernetes = plan["kubernetes"]
    own = {(_source_kind(plan), name_of(plan)), ("HelmRelease", name_of(plan))}
    later = [patch for patch in kubernetes["patches"] if (patch["kind"], patch["name"]) in own]
    others = [patch for patch in kubernetes["patches"] if patch not in later]
    found = in_place(plan, objects({**plan, "kubernetes": {**kubernetes, "patches": others}}, secrets))
    return patched(found, later) if plan["enabled"] else found


def in_place(plan: Plan, manifests: Sequence[Manifest]) -> list[Manifest]:
    """The objects, with the release in place of those that the chart makes: two Deployments and the Service of web.

    It has no Service of the worker, so that one stays. An instance that is off has no release: the chart knows no number of
    pods below one.
    """
    rendered = {"service": ("Service", name_of(plan, "web"))}
    rendered |= {component: ("Deployment", name_of(plan, component)) for component in COMPONENTS}
    found = {one.identity: one.object for one in manifests if one.identity in rendered.values()}
    rest = [one for one in manifests if one.identity not in found]
    if not plan["enabled"]:
        return rest
    made = taken_over({what: found[identity] for what, identity in rendered.items()})
    return sorted([*rest, _source(plan), _release(plan, made)], key=lambda one: one.wave)


def _source_kind(plan: Plan) -> str:
    return "OCIRepository" if plan["gitops"]["chart"]["repository"].startswith(OCI) else "HelmRepository"


def _source(plan: Plan) -> Manifest:
    gitops, kind = plan["gitops"], _source_kind(plan)
    spec: dict[str, Any] = {"interval": gitops["interval"], "url": gitops["chart"]["repository"]}
    if kind == "OCIRepository":
        spec["ref"] = {"tag": gitops["chart"]["version"]}
        spec["layerSelector"] = {"mediaType": _LAYER, "operation": "copy"}
    return Manifest(Wave.WEB, resource(plan, _SOURCES, kind, name_of(plan), "application", spec=spec))


def _chart(plan: Plan) -> dict[str, Any]:
    gitops, source = plan["gitops"], {"kind": _source_kind(plan), "name": name_of(plan)}
    if source["kind"] == "OCIRepository":
        return {"chartRef": source}
    chart = {"chart": APPLICATION, "version": gitops["chart"]["version"], "sourceRef": source}
    return {"chart": {"spec": {**chart, "interval": gitops["interval"]}}}


def _release(plan: Plan, made: Rendered) -> Manifest:
    gitops = plan["gitops"]
    # Nothing is rolled back: an older version would meet the schema that the migration has left for the newer one.
    again = {"strategy": {"name": "RetryOnFailure", "retryInterval": gitops["retry_interval"]}}
    values = {"fullnameOverride": name_of(plan), **_OFF, **_demanded(plan), **made.values}
    spec = {
        "interval": gitops["interval"],
        "timeout": f"{plan['kubernetes']['start_timeout']}s",
        "releaseName": name_of(plan),
        **_chart(plan),
        "install": again,
        "upgrade": {**again, "cleanupOnFail": True},
        # As Flux does with objects that it applies itself.
        "driftDetection": {"mode": "enabled"},
        "values": nested(values),
        "postRenderers": [{"kustomize": {"patches": [_patch(one) for one in made.patches]}}],
    }
    # In the wave of the workers, because they are waited for as well.
    return Manifest(Wave.WORKER, resource(plan, _RELEASES, "HelmRelease", name_of(plan), "application", spec=spec))


def _demanded(plan: Plan) -> Values:
    """What the chart does not render without. Web and worker read none of it: they have addresses as a whole."""
    postgres, redis = plan["endpoints"]["postgres"], plan["endpoints"]["redis"]
    password = kept.reference(plan, "langfuse_postgres_password")
    return {
        "postgresql.host": netloc(postgres["host"], postgres["port"]),
        "postgresql.auth": {
            "username": postgres["user"],
            "database": postgres["database"],
            "existingSecret": password["name"],
            "secretKeys": {"userPasswordKey": password["key"]},
        },
        "redis.host": redis["host"] or split(f"//{redis['nodes'][0]}").hostname,
        "redis.port": redis["port"],
    }


def _patch(content: Mapping[str, Any]) -> dict[str, Any]:
    group, _slash, version = content["apiVersion"].rpartition("/")
    target = {"group": group, "version": version, "kind": content["kind"], "name": content["metadata"]["name"]}
    return {"target": {key: value for key, value in target.items() if value}, "patch": dump_indented(content)}
