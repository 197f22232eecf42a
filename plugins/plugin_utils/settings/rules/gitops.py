# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GitOps: where the tree goes, and what Flux is told of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..cluster import by_git
from ..gitops import PLAIN, PLATFORM
from ..plan import Settings
from ..problems import Problem
from .cluster import LABEL

_NAME = rf"{LABEL}(\.{LABEL})*"
_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_DURATION = re.compile(r"([1-9]\d*[hms])+")
# What only Flux reads.
_OF_FLUX = (
    *("flux_namespace", "source_kind", "source_name", "source_namespace", "interval", "retry_interval"),
    *("dependencies", "decryption_secret", "substitute_from"),
)


def checkout(settings: Settings) -> Iterator[Problem]:
    name = "langfuse_gitops_directory"
    if not by_git(settings):
        return
    if not settings[name]:
        yield Problem(
            name,
            "is missing, and the files need a checkout of the Git repository to go to",
            "Write its root, like {{ inventory_dir }}/../fleet",
        )
    elif not settings[name].startswith("/"):
        yield Problem(name, "is not an absolute path", "Write it like {{ inventory_dir }}/../fleet")


def path_in_checkout(settings: Settings) -> Iterator[Problem]:
    """Plain names only: Flux, kustomize and SOPS all read the path, and none of it may lead elsewhere."""
    name, given = "langfuse_gitops_path", settings["langfuse_gitops_path"]
    if given is not None and not re.fullmatch(rf"{_PART}(/{_PART})*/?", given):
        yield Problem(
            name,
            "is not a path below the root of the repository, of plain names",
            "Write it like kubernetes/apps/ai-system/langfuse",
        )


def only_of_flux(settings: Settings) -> Iterator[Problem]:
    if not by_git(settings) or settings["langfuse_gitops_flavour"] != PLAIN:
        return
    for name in (f"langfuse_gitops_{one}" for one in _OF_FLUX):
        if name in settings.given:
            yield Problem(name, "is set while langfuse_gitops_flavour is plain", "Only Flux reads it: remove it")


def flux_names(settings: Settings) -> Iterator[Problem]:
    for name in ("langfuse_gitops_flux_namespace", "langfuse_gitops_source_namespace"):
        if settings[name] is not None and not re.fullmatch(LABEL, settings[name]):
            yield Problem(name, "is not the name of a namespace", "Use lower-case letters, digits and hyphens")
    for name in ("langfuse_gitops_source_name", "langfuse_gitops_decryption_secret"):
        if not re.fullmatch(_NAME, settings[name] or ""):
            yield Problem(name, "is not a name that Kubernetes takes", "Use lower-case letters, digits, - and .")


def flux_intervals(settings: Settings) -> Iterator[Problem]:
    for name in ("langfuse_gitops_interval", "langfuse_gitops_retry_interval"):
        if not _DURATION.fullmatch(settings[name] or ""):
            yield Problem(name, "is not a time that Flux takes", "Write it like 30s, 10m or 1h30m")


def flux_dependencies(settings: Settings) -> Iterator[Problem]:
    name = "langfuse_gitops_dependencies"
    for key, place in settings[name].items():
        if not isinstance(place, str) or not re.fullmatch(rf"(({LABEL}/)?{_NAME})?", place):
            leave_out = ", or an empty text to leave it out" if key in PLATFORM else ""
            yield Problem(
                name,
                f"has {key} with something that is no Kustomization",
                f"Write it like cache/dragonfly, namespace first{leave_out}",
            )


def flux_substitution(settings: Settings) -> Iterator[Problem]:
    name = "langfuse_gitops_substitute_from"
    for number, one in enumerate(settings[name], 1):
        if (
            not {"kind", "name"} <= set(one) <= {"kind", "name", "optional"}
            or one["kind"] not in ("ConfigMap", "Secret")
            or not re.fullmatch(_NAME, str(one["name"]))
            or not isinstance(one.get("optional", True), bool)
        ):
            yield Problem(
                name,
                f"entry {number} is not a ConfigMap or Secret by its name",
                "Write kind, name, and optional: true where it may be missing",
            )


def removed_by_hand(settings: Settings) -> Iterator[Problem]:
    """Nobody here removes anything from the cluster: what is kept there says so itself."""
    name = "langfuse_kubernetes_remove"
    if by_git(settings) and settings[name]:
        yield Problem(
            name,
            "is set, and with langfuse_target=gitops nothing is removed from the cluster by this collection",
            "Remove it; what the applier keeps is removed with kubectl delete",
        )


RULES = (
    checkout,
    path_in_checkout,
    only_of_flux,
    flux_names,
    flux_intervals,
    flux_dependencies,
    flux_substitution,
    removed_by_hand,
)
