"""Flux's own objects, held against the schemas that its controllers publish."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.flux import chart

from ..kubernetes.support import derived, unfit
from .chart_support import BY_CHART
from .support import CONFIGURATIONS, files

_OCI = {"langfuse_chart_repository": "oci://ghcr.io/langfuse/langfuse-k8s/charts/langfuse"}


def _of_chart(given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    result = derived(given)
    for one in chart.manifests(result.plan, result.secrets):
        if ".toolkit.fluxcd.io/" in one.object["apiVersion"]:
            yield one.object


@pytest.mark.parametrize("given", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_flux_knows_every_field_of_the_steps(given: dict[str, Any]) -> None:
    found = files(given).get("ks.yaml")
    wrong = {one["metadata"]["name"]: unfit(one) for one in found.object} if found else {}
    assert not any(wrong.values()), wrong
    assert bool(wrong) == ("langfuse_gitops_flavour" not in given)


@pytest.mark.parametrize("more", [{}, _OCI], ids=["repository", "registry"])
@pytest.mark.parametrize("given", BY_CHART.values(), ids=BY_CHART)
def test_flux_knows_every_field_of_a_release(given: dict[str, Any], more: dict[str, Any]) -> None:
    found = {one["kind"]: unfit(one) for one in _of_chart({**given, **more})}
    assert set(found) == {"HelmRelease", "OCIRepository" if more else "HelmRepository"}
    assert not any(found.values()), found
