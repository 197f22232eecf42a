# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of the last commit that somebody else is to keep from now on. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import yaml

from ..documents.document import Document
from ..documents.flux.marks import PRUNED_NOT
from ..settings.problems import Problem

EXISTING = "langfuse_kubernetes_existing_secrets"


def refusals(
    path: str, texts: Iterable[bytes], documents: Iterable[Document], names: Collection[str]
) -> Iterator[Problem]:
    """Those that Flux would prune because they leave the tree under `path`, whoever reads them.

    texts: the tree's files of Secrets in the last commit. documents: the wanted ones. names: Secrets that others are to keep.
    """
    stay = {_name(one) for document in documents if document.sensitive for one in document.object}
    for name in sorted({*names} & set(_prunable(texts)) - stay):
        yield Problem(
            EXISTING,
            f"has {name}, which the last commit of {path} makes: Flux prunes it where it leaves the tree",
            f"Have a Secret of another name made with what {name} has, and write that",
        )


def _prunable(texts: Iterable[bytes]) -> Iterator[str]:
    for text in texts:
        try:
            content = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        except (yaml.YAMLError, ValueError):
            continue
        yield from (name for one in content if (name := _name(one)) and not _stays(one))


def _stays(one: Any) -> bool:
    return PRUNED_NOT.items() <= (one["metadata"].get("annotations") or {}).items()


def _name(one: Any) -> str:
    """Of a Secret; empty for what is none, as a hand may have written it."""
    try:
        return str(one["metadata"]["name"]) if one["kind"] == "Secret" else ""
    except (KeyError, TypeError):
        return ""
