# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GitOps: where the tree goes, and what Flux is told of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..cluster import by_git
from ..endpoints import redis_user
from ..gitops import PLAIN, PLATFORM, dependencies, kustomizations
from ..plan import Settings
from ..problems import Problem
from ..sources import source
from .cluster import LABEL

_NAME = rf"{LABEL}(\.{LABEL})*"
_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_DURATION = re.compile(r"([1-9]\d*[hms])+")
# What only Flux reads.
_OF_FLUX = (
    *(
        f"langfuse_gitops_{name}"
        for name in (
            *("flux_namespace", "source_kind", "source_name", "source_namespace", "interval", "retry_interval"),
            *("dependencies", "decryption_secret", "substitute_from"),
        )
    ),
    # Of its Kustomization. Argo CD and kubectl wait as long as they are told.
    "langfuse_migration_timeout",
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
    for name in _OF_FLUX:
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
            return
    own = kustomizations(settings).values()
    for one in dependencies(settings):
        if one["name"] in own and one["namespace"] == settings["langfuse_gitops_flux_namespace"]:
            yield Problem(
                name,
                f"has {one['name']}, a Kustomization of this instance, which would wait for itself",
                "Remove it: their own order they have without it",
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


def acl_line(settings: Settings) -> Iterator[Problem]:
    """The tree has it ready for the ACL file of a shared Dragonfly, in which blanks part the rules of all users."""
    if not by_git(settings) or source(settings, "redis") != "dragonfly":
        return
    kept = "dragonfly_langfuse_password" if settings["dragonfly_acl_enabled"] else "langfuse_redis_password"
    for name, value in (
        ("langfuse_redis_username", redis_user(settings)),
        (kept, settings.secrets.get("langfuse_redis_password")),
    ):
        if re.search(r"\s", value or ""):
            yield Problem(
                name,
                "has a blank in it, which ends a rule in the ACL file of the shared Dragonfly",
                "Write one without",
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
    acl_line,
    removed_by_hand,
)
