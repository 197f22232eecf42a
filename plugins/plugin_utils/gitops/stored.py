# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last commit says of stores, and what they cannot become. Pure: nobody asks the cluster to which it is applied."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from ...module_utils.kubernetes.objects import Identity, Object, Wanted, identity_of, is_record
from ...module_utils.kubernetes.stored import moved, stored
from ..documents.document import Document
from ..settings.problems import Problem

PATH, NAMESPACE = "langfuse_gitops_path", "langfuse_kubernetes_namespace"
# Kinds that say where data is, in which volumes and of which version.
_KINDS = ("ConfigMap", "Cluster", "StatefulSet")
# A file may have been written by hand, and then has what a hand wrote.
_ODD = (KeyError, TypeError, AttributeError, ValueError)


def telling(documents: Iterable[Document]) -> dict[str, list[Wanted]]:
    """Path → objects of stores, of the files that have some."""
    found = {one.path: one.object for one in documents if one.form == "yaml_all" and not one.sensitive}
    return {path: wanted for path, content in found.items() if (wanted := [Wanted(one, 0) for one in _ours(content)])}


def committed(texts: Iterable[bytes]) -> dict[Identity, Object]:
    """Objects of stores in files; what cannot be read says nothing."""
    found = dict[Identity, Object]()
    for text in texts:
        try:
            content = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        except (yaml.YAMLError, ValueError):
            continue
        found |= {identity_of(one): one for one in _ours(content)}
    return found


def _ours(content: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for one in content:
        try:
            if one["kind"] in _KINDS and identity_of(one):
                yield one
        except _ODD:
            continue


def refusals(
    path: str, wanted: Iterable[Wanted], live: Mapping[Identity, Object], said: Collection[str]
) -> Iterator[Problem]:
    """Why the wanted objects cannot take the place of the committed ones in `path`. said: stores that were moved."""
    for one in wanted:
        try:
            told = [*moved([one], live, said), *stored([one], live, None)]
            found = [Problem(PATH, f"has {path} in the last commit. {each['what']}", each["cure"]) for each in told]
            found += _namespace(path, one, live, said)
        except _ODD:
            continue
        yield from found


def _namespace(path: str, one: Wanted, live: Mapping[Identity, Object], said: Collection[str]) -> Iterator[Problem]:
    """In another namespace all stores that run there start from nothing."""
    if one.identity in live or not is_record(one.object):
        return
    for identity, there in live.items():
        stores = sorted(there.get("data") or {})
        if identity.name == one.identity.name and is_record(there) and not set(stores) <= set(said):
            yield Problem(
                NAMESPACE,
                f"is {one.identity.namespace}, and {path} in the last commit has its data in {identity.namespace}",
                f"Write {identity.namespace} again; or move the data, then set langfuse_moved_stores: [{', '.join(stores)}]",
            )
