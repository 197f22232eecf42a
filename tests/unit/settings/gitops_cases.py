"""GitOps: settings that work, and bad input for each of its rules."""

from __future__ import annotations

from typing import Any

from .cases import RECIPIENT, Bad
from .cluster_cases import CLUSTER, SHARED

# What an instance needs beyond that of a cluster.
REPOSITORY: dict[str, Any] = {
    "langfuse_target": "gitops",
    "langfuse_gitops_directory": "/srv/fleet",
    "langfuse_age_recipients": [RECIPIENT],
}
GITOPS: dict[str, Any] = {**CLUSTER, **REPOSITORY}
_SHARED: dict[str, Any] = {**SHARED, **REPOSITORY}
# A user of the shared Dragonfly that the platform does not know of.
_USER: dict[str, Any] = {**_SHARED, "dragonfly_acl_enabled": False, "langfuse_redis_username": "theirs"}


def bad(rule: str, given: dict[str, Any], variable: str = "", *without: str) -> Bad:
    values = {name: value for name, value in {**GITOPS, **given}.items() if name not in without}
    return Bad(rule, values, variable or next(iter(given)))


CASES = (
    bad("checkout", {}, "langfuse_gitops_directory", "langfuse_gitops_directory"),
    bad("checkout", {"langfuse_gitops_directory": "fleet"}),
    bad("age_recipients", {"langfuse_age_recipients": []}),
    *(
        bad("path_in_checkout", {"langfuse_gitops_path": path})
        for path in (
            *(
                "",
                "/",
                ".",
                "/apps/langfuse",
                "apps/../../langfuse",
                "../langfuse",
                "apps//langfuse",
                "apps/./langfuse",
            ),
            *(".git/hooks", "apps/.hidden", "apps/lang fuse", "apps/langfuse\n", "${HOME}"),
        )
    ),
    *(
        bad("only_of_flux", {"langfuse_gitops_flavour": "plain", name: value}, name)
        for name, value in {
            "langfuse_gitops_flux_namespace": "flux",
            "langfuse_gitops_source_kind": "Bucket",
            "langfuse_gitops_source_name": "fleet",
            "langfuse_gitops_source_namespace": "flux",
            "langfuse_gitops_interval": "10m",
            "langfuse_gitops_retry_interval": "1m",
            "langfuse_gitops_dependencies": {"keda": "keda/keda"},
            "langfuse_gitops_decryption_secret": "age",
            "langfuse_gitops_substitute_from": [{"kind": "Secret", "name": "cluster-secrets"}],
            "langfuse_migration_timeout": 600,
        }.items()
    ),
    bad("flux_names", {"langfuse_gitops_flux_namespace": "Flux"}),
    bad("flux_names", {"langfuse_gitops_source_namespace": "flux.system"}),
    bad("flux_names", {"langfuse_gitops_source_name": "my fleet"}),
    bad("flux_names", {"langfuse_gitops_decryption_secret": ""}),
    bad("flux_intervals", {"langfuse_gitops_interval": "hourly"}),
    bad("flux_intervals", {"langfuse_gitops_interval": "0s"}),
    bad("flux_intervals", {"langfuse_gitops_retry_interval": "1d"}),
    bad("flux_dependencies", {"langfuse_gitops_dependencies": {"keda": "a/b/c"}}),
    bad("flux_dependencies", {"langfuse_gitops_dependencies": {"cnpg": False}}),
    bad("flux_dependencies", {"langfuse_gitops_dependencies": {"cnpg": {"name": "cloudnative-pg"}}}),
    bad("flux_dependencies", {"langfuse_gitops_dependencies": {"mine": "langfuse"}}),
    bad("flux_dependencies", {"langfuse_gitops_dependencies": {"cnpg": "flux-system/langfuse-stores"}}),
    bad(
        "flux_dependencies",
        {"langfuse_gitops_dependencies": {"mine": "flux/langfuse-migrate"}, "langfuse_gitops_flux_namespace": "flux"},
    ),
    bad("flux_substitution", {"langfuse_gitops_substitute_from": [{"kind": "Secret"}]}),
    bad("flux_substitution", {"langfuse_gitops_substitute_from": [{"kind": "Env", "name": "cluster-secrets"}]}),
    bad("flux_substitution", {"langfuse_gitops_substitute_from": [{"kind": "Secret", "name": "x", "key": "y"}]}),
    bad("flux_substitution", {"langfuse_gitops_substitute_from": [{"kind": "Secret", "name": "x", "optional": "no"}]}),
    bad("acl_line", {**_SHARED, "dragonfly_langfuse_password": "two words ~* +@all"}, "dragonfly_langfuse_password"),
    bad("acl_line", {**_SHARED, "langfuse_redis_username": "a on nopass ~*"}, "langfuse_redis_username"),
    bad(
        "acl_line",
        {**_USER, "langfuse_redis_password": "two words of it"},
        "langfuse_redis_password",
        "dragonfly_langfuse_password",
    ),
    bad("removed_by_hand", {"langfuse_kubernetes_remove": ["Cluster/langfuse-postgresql"]}),
)
