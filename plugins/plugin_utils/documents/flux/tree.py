# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree of an instance in a Git repository: Plan and Secrets in, documents out. Pure.

The objects are those that `kubernetes_objects` makes, with annotations for who applies them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...settings.gitops import FLUX
from ..document import Document
from ..kubernetes.manifest import Manifest, Plan
from ..kubernetes.objects import objects
from . import chart
from .files import Place, Step, in_files
from .fragments import fragments
from .kustomizations import kustomizations
from .marks import marked
from .readme import readme

_ENCRYPTED = ".sops.yaml"
Files = Mapping[Place, Sequence[Manifest]]


def tree(plan: Plan, secrets: Mapping[str, str]) -> list[Document]:
    """Every file of the tree, its path relative to the root of the checkout. Sensitive ones are to be encrypted.

    Raises NoSuchObject for a patch without its object.
    """
    files = in_files(marked(plan, one) for one in manifests(plan, secrets))
    documents = [_file(place, found) for place, found in files.items()]
    documents += _order(plan, files) if plan["gitops"]["flavour"] == FLUX else [_everything(files)]
    found = fragments(plan, secrets)
    documents += [*(one.document for one in found), readme(plan, found, any(one.sensitive for one in documents))]
    root = plan["gitops"]["path"]
    return [
        Document(f"{root}/{one.path}", one.form, one.object, one.mode, one.sensitive)
        for one in sorted(documents, key=lambda one: one.path)
    ]


def manifests(plan: Plan, secrets: Mapping[str, str]) -> list[Manifest]:
    """The objects of the tree: those of the instance, or a release of the chart in place of some."""
    return chart.manifests(plan, secrets) if chart.is_wanted(plan) else objects(plan, secrets)


def _file(place: Place, found: Sequence[Manifest]) -> Document:
    content = [one.object for one in found]
    return Document(place.path, "yaml_all", content, sensitive=place.path.endswith(_ENCRYPTED))


def _order(plan: Plan, files: Files) -> Iterator[Document]:
    """`ks.yaml`, and for each step the directory that its Kustomization names."""
    yield Document("ks.yaml", "yaml_all", kustomizations(plan, files))
    # Whoever takes the directory as a whole gets the Kustomizations, not all that is below.
    yield Document("kustomization.yaml", "yaml_all", [_names(["./ks.yaml"])])
    for step in Step:
        paths = [place.path for place in files if place.step is step]
        if paths:
            yield Document(f"{step}/kustomization.yaml", "yaml_all", [_names(_relative(step, paths))])


def _names(paths: Sequence[str]) -> dict[str, Any]:
    """What kustomize reads: the files that belong together."""
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": list(paths)}


def _relative(step: Step, paths: Sequence[str]) -> list[str]:
    found = [posixpath.relpath(path, step) for path in paths]
    return [path if path.startswith("../") else f"./{path}" for path in found]


def _everything(files: Files) -> Document:
    """All of it at once, without what has to be decrypted first."""
    paths = [f"./{place.path}" for place in files if not place.path.endswith(_ENCRYPTED)]
    return Document("kustomization.yaml", "yaml_all", [_names(paths)])
