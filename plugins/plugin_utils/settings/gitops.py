# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Plan says of the tree in a Git repository."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .chart import chart
from .fragments import fragments
from .plan import Settings
from .sources import source

Endpoints = Mapping[str, Mapping[str, Any]]
# Step → how its Kustomization is called after the instance's name.
_STEPS: Mapping[str, str] = {"stores": "stores", "migration": "migrate", "app": ""}
FLUX, PLAIN = "flux", "plain"
# What the platform may have → its Kustomization, as the platform of the Kubernetes guide calls it.
PLATFORM: Mapping[str, str] = {
    "coredns": "kube-system/coredns",
    "cnpg": "cnpg-system/cloudnative-pg",
    "dragonfly": "cache/dragonfly",
    "rustfs": "storage/rustfs",
    "keycloak": "identity/keycloak",
}


def gitops(settings: Settings, endpoints: Endpoints, buckets: Mapping[str, str], url: str) -> dict[str, Any]:
    """Where the tree is, for whom its secrets are, and how Flux is told of it. No secrets."""
    flux_namespace = settings["langfuse_gitops_flux_namespace"]
    return {
        "directory": settings["langfuse_gitops_directory"],
        "path": tree_path(settings),
        "flavour": settings["langfuse_gitops_flavour"],
        "recipients": list(dict.fromkeys(settings["langfuse_age_recipients"])),
        "identity_file": settings["langfuse_age_identity_file"],
        "overwrite": settings["langfuse_gitops_overwrite"],
        # Those that are not to leave the tree: who does not prune takes none away.
        "kept_by_others": _kept_by_others(settings),
        "namespace": flux_namespace,
        "kustomizations": (names := kustomizations(settings)),
        # An instance that is switched off migrates nothing; its Services stay.
        "applied": [name for step, name in names.items() if settings["langfuse_enabled"] or step != "migration"],
        "source": {
            "kind": settings["langfuse_gitops_source_kind"],
            "name": settings["langfuse_gitops_source_name"],
            "namespace": settings["langfuse_gitops_source_namespace"] or flux_namespace,
        },
        "interval": settings["langfuse_gitops_interval"],
        "retry_interval": settings["langfuse_gitops_retry_interval"],
        "depends_on": dependencies(settings),
        "decryption_secret": settings["langfuse_gitops_decryption_secret"],
        "substitute_from": settings["langfuse_gitops_substitute_from"],
        "chart": chart(settings),
        "fragments": fragments(settings, endpoints, buckets, url),
    }


def _kept_by_others(settings: Settings) -> list[str]:
    if settings["langfuse_gitops_flavour"] != FLUX:
        return []
    return sorted(set(settings["langfuse_kubernetes_existing_secrets"].values()))


def kustomizations(settings: Settings) -> dict[str, str]:
    """Step → name of its Kustomization, in the order in which they are applied. Empty where it is not Flux who does."""
    if settings["langfuse_gitops_flavour"] != FLUX:
        return {}
    return {step: f"{settings.instance}-{suffix}" if suffix else settings.instance for step, suffix in _STEPS.items()}


def tree_path(settings: Settings) -> str:
    """Directory of the instance, relative to the root of the checkout."""
    default = f"kubernetes/apps/{settings['langfuse_kubernetes_namespace']}/{settings.instance}"
    return str(settings["langfuse_gitops_path"] or default).rstrip("/")


def dependencies(settings: Settings) -> list[dict[str, str]]:
    """Kustomizations that come before the instance: name and namespace, in the order of `PLATFORM`, then the user's own."""
    used = {
        "coredns": True,
        "cnpg": source(settings, "postgres") == "cnpg",
        "dragonfly": source(settings, "redis") == "dragonfly",
        "rustfs": source(settings, "s3") == "rustfs",
        "keycloak": settings["keycloak_enabled"] and settings["langfuse_sso_enabled"],
    }
    found = {}
    for key, place in {**PLATFORM, **settings["langfuse_gitops_dependencies"]}.items():
        # Another place for what the instance does not use says nothing about it.
        if place and used.get(key, True):
            namespace, _slash, name = place.rpartition("/")
            found[name, namespace] = {
                "name": name,
                "namespace": namespace or settings["langfuse_gitops_flux_namespace"],
            }
    return list(found.values())
