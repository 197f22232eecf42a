"""Trees of the same instances as the tests of objects have, and what of them a test asks for."""

from __future__ import annotations

import copy
import functools
import json
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import Document
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.flux.tree import tree

from ...settings.gitops_cases import REPOSITORY
from ...settings.test_inventories import variables
from ..kubernetes.support import BIG, CLOUD, QUIET, derived
from ..kubernetes.support import CONFIGURATIONS as OF_CLUSTER

PLAIN = {"langfuse_gitops_flavour": "plain"}
# The platform of the guide, with everything that it shares.
GUIDE: dict[str, Any] = variables("gitops")
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "guide": GUIDE,
    "everything": {**OF_CLUSTER["everything"], **REPOSITORY},
    "big": {**BIG, **REPOSITORY},
    "cloud": {**CLOUD, **REPOSITORY},
    "quiet": {**QUIET, **REPOSITORY, **PLAIN},
}
# Web and worker by the official chart, which has one sort of workers.
CHART: dict[str, Any] = {"langfuse_kubernetes_workload": "chart", "langfuse_ingestion_replicas": 0}
# Those that are kept as a whole.
TREES = {**CONFIGURATIONS, "chart": {**OF_CLUSTER["shared"], **REPOSITORY, **CHART}}
KUSTOMIZE = "kustomize.config.k8s.io/v1beta1"


@functools.cache
def _built(given: str) -> tuple[str, tuple[Document, ...]]:
    """Directory of the instance and its tree. Many tests look at the same ones."""
    result = derived(json.loads(given))
    return result.plan["gitops"]["path"] + "/", tuple(tree(result.plan, result.secrets))


def documents(given: Mapping[str, Any]) -> list[Document]:
    return copy.deepcopy([*_built(json.dumps(given))[1]])


def files(given: Mapping[str, Any]) -> dict[str, Document]:
    """Path below the instance's directory → document."""
    root = _built(json.dumps(given))[0]
    found = documents(given)
    assert all(one.path.startswith(root) for one in found)
    return {one.path.removeprefix(root): one for one in found}


def kustomizations(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Name → spec of each Kustomization of Flux."""
    return {one["metadata"]["name"]: one["spec"] for one in files(given)["ks.yaml"].object}


def resources(found: Mapping[str, Document], folder: str) -> list[str]:
    """What kustomize takes in a directory, as paths below the instance's."""
    (content,) = found[posixpath.join(folder, "kustomization.yaml")].object
    assert content["apiVersion"] == KUSTOMIZE
    return [posixpath.normpath(posixpath.join(folder, path)) for path in content["resources"]]


def applied(found: Mapping[str, Document], paths: Sequence[str]) -> list[dict[str, Any]]:
    """Objects of these files."""
    return [one for path in paths for one in found[path].object]
