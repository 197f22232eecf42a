"""Releases of the chart as tests ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.flux import chart
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.objects import objects

from ...settings.cluster_cases import CLUSTER
from ...settings.gitops_cases import REPOSITORY
from ...settings.source_cases import AZURE, CLICKHOUSE, GCS, REDIS, SENTINEL
from ..kubernetes.support import CONFIGURATIONS, derived
from .chart_model import Chart, strategic
from .support import CHART

GITOPS: dict[str, Any] = {**REPOSITORY, **CHART}
# Words that the chart has for the environment and that the five configurations do not need.
_MORE: dict[str, dict[str, Any]] = {
    "azure": {**CLUSTER, **AZURE},
    "gcs": {**CLUSTER, **GCS, "langfuse_batch_export_enabled": False},
    "sentinel": {**CLUSTER, **SENTINEL},
    "tls": {
        **CLUSTER,
        **CLICKHOUSE,
        **REDIS,
        "langfuse_clickhouse_tls": True,
        "langfuse_redis_tls": True,
        "langfuse_license_key": "langfuse_ee_canary-of-a-license",
        "langfuse_init_org_name": "A $(SALT) and $5",
        "langfuse_smtp_url": "smtp://user:p$(HOME)$$x@mail.example.com:587",
        "langfuse_email_from": "langfuse@example.com",
        "langfuse_s3_media_prefix": "media/",
    },
}
BY_CHART: dict[str, dict[str, Any]] = {name: {**given, **GITOPS} for name, given in (CONFIGURATIONS | _MORE).items()}


class Release:
    """What the collection writes for an instance, and what it would apply itself."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.result = derived(given)
        self.name = str(self.result.plan["instance"])
        self.found = {one.identity: one.object for one in chart.manifests(self.result.plan, self.result.secrets)}
        self.spec: dict[str, Any] = self.found["HelmRelease", self.name]["spec"]
        self.values: dict[str, Any] = self.spec["values"]

    def wanted(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Kind and name → object, without the chart."""
        patches = [one for one in self.result.plan["kubernetes"]["patches"] if one["kind"] != "HelmRelease"]
        plan = {**self.result.plan, "kubernetes": {**self.result.plan["kubernetes"], "patches": patches}}
        return {one.identity: one.object for one in objects(plan, self.result.secrets)}

    def rendered(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Kind and name → what the chart makes of the values and the post-renderers of that."""
        model = Chart(self.spec["releaseName"], self.values)
        made = [model.deployment("web"), model.deployment("worker"), model.service()]
        found = {(one["kind"], one["metadata"]["name"]): one for one in made}
        for patch in self.patches():
            identity = patch["kind"], patch["metadata"]["name"]
            found[identity] = strategic(found[identity], patch)
        return found

    def patches(self) -> list[dict[str, Any]]:
        (renderer,) = self.spec["postRenderers"]
        return [yaml.safe_load(one["patch"]) for one in renderer["kustomize"]["patches"]]
