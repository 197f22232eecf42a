"""`ks.yaml`: what comes before what, what is waited for and how long, what is kept."""

from __future__ import annotations

from typing import Any

import pytest

from ...settings.cases import RECIPIENT
from ...settings.cluster_cases import SHARED
from ...settings.gitops_cases import GITOPS, REPOSITORY
from ...settings.source_cases import POSTGRES
from ..kubernetes.support import derived, unfit
from .support import CONFIGURATIONS, GUIDE, PLAIN, applied, files, kustomizations, resources

OF_FLUX = {name: given for name, given in CONFIGURATIONS.items() if name != "quiet"}
EACH = pytest.mark.parametrize("given", OF_FLUX.values(), ids=OF_FLUX)
STEPS = {"stores": "langfuse-stores", "migration": "langfuse-migrate", "app": "langfuse"}


def _names(wanted: list[dict[str, str]]) -> list[str]:
    return ["/".join(filter(None, (one.get("namespace"), one["name"]))) for one in wanted]


@EACH
def test_each_step_waits_for_the_one_before(given: dict[str, Any]) -> None:
    found = kustomizations(given)
    assert list(found) == list(STEPS.values())
    assert _names(found["langfuse-migrate"]["dependsOn"]) == ["langfuse-stores"]
    assert _names(found["langfuse"]["dependsOn"]) == ["langfuse-migrate"]


@pytest.mark.parametrize("given", [GITOPS, {**GITOPS, "langfuse_enabled": False}, {**GITOPS, **PLAIN}])
def test_the_plan_names_those_that_are_applied(given: dict[str, Any]) -> None:
    found = [] if PLAIN.items() <= given.items() else list(kustomizations(given))
    assert derived(given).plan["gitops"]["applied"] == found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            GUIDE,
            [
                *("kube-system/coredns", "cnpg-system/cloudnative-pg", "cache/dragonfly"),
                *("storage/rustfs", "identity/keycloak"),
            ],
        ),
        (GITOPS, ["kube-system/coredns", "cnpg-system/cloudnative-pg"]),
        (
            {**SHARED, **REPOSITORY},
            ["kube-system/coredns", "cnpg-system/cloudnative-pg", "cache/dragonfly", "storage/rustfs"],
        ),
        # A platform that has it says nothing about an instance that does not use it.
        ({**GITOPS, **POSTGRES, "keycloak_enabled": True}, ["kube-system/coredns"]),
        (
            {**GITOPS, "langfuse_gitops_dependencies": {"cnpg": "databases/cnpg", "coredns": "", "keda": "keda/keda"}},
            ["databases/cnpg", "keda/keda"],
        ),
        # A bare name is one beside ours.
        ({**GITOPS, "langfuse_gitops_dependencies": {"coredns": "dns", "cnpg": ""}}, ["flux-system/dns"]),
        # Another place for what is not used is no reason to wait for it.
        (
            {**GITOPS, "langfuse_gitops_dependencies": {"rustfs": "s3/rustfs"}},
            ["kube-system/coredns", "cnpg-system/cloudnative-pg"],
        ),
        ({**GITOPS, "langfuse_gitops_dependencies": {"coredns": "", "cnpg": ""}}, []),
    ],
)
def test_what_the_platform_must_have_first(given: dict[str, Any], expected: list[str]) -> None:
    assert _names(kustomizations(given)["langfuse-stores"].get("dependsOn", [])) == expected


@EACH
def test_objects_stay_in_their_namespaces_and_keep_their_labels(given: dict[str, Any]) -> None:
    for spec in kustomizations(given).values():
        assert not {"targetNamespace", "commonMetadata", "namePrefix", "patches", "force"} & set(spec)
        assert spec["prune"] is True


@EACH
def test_paths_are_those_of_the_tree(given: dict[str, Any]) -> None:
    for step, name in STEPS.items():
        assert kustomizations(given)[name]["path"] == f"./kubernetes/apps/ai-system/langfuse/{step}"


@EACH
def test_who_has_secrets_decrypts_and_nobody_else(given: dict[str, Any]) -> None:
    found = files(given)
    specs = kustomizations(given)
    for step, name in STEPS.items():
        encrypted = any(found[path].sensitive for path in resources(found, step))
        wanted = {"provider": "sops", "secretRef": {"name": "sops-age"}} if encrypted else None
        assert specs[name].get("decryption") == wanted, step
    assert "decryption" in specs["langfuse-stores"]


@EACH
def test_the_migration_has_to_end_well(given: dict[str, Any]) -> None:
    (job,) = files(given)["migration/job.yaml"].object
    spec = kustomizations(given)["langfuse-migrate"]
    named = {"apiVersion": "batch/v1", "kind": "Job", "name": job["metadata"]["name"], "namespace": "ai-system"}
    assert spec["wait"] is True and spec["healthChecks"] == [named]
    # Flux does not look at what it passes over, and would take a migration that failed for a good one.
    assert not [name for name in job["metadata"].get("annotations", {}) if name.endswith("/ssa")]


@EACH
def test_web_and_workers_are_named_and_everything_is_waited_for(given: dict[str, Any]) -> None:
    found = files(given)
    spec = kustomizations(given)["langfuse"]
    deployments = [
        one["metadata"]["name"] for one in applied(found, resources(found, "app")) if one["kind"] == "Deployment"
    ]
    assert spec["wait"] is True
    assert [one["name"] for one in spec["healthChecks"]] == deployments
    assert {"langfuse-web", "langfuse-worker"} <= set(deployments)


@EACH
def test_objects_of_operators_are_not_taken_for_ready_before_they_are_seen(given: dict[str, Any]) -> None:
    """Flux takes what has no conditions for ready."""
    found = files(given)
    groups = ("postgresql.cnpg.io/", "clickhouse.com/")
    kinds = {
        (one["apiVersion"], one["kind"])
        for one in applied(found, resources(found, "stores"))
        if one["apiVersion"].startswith(groups) and one["kind"] != "ScheduledBackup"
    }
    spec = kustomizations(given)["langfuse-stores"]
    assert {(one["apiVersion"], one["kind"]) for one in spec.get("healthCheckExprs", [])} == kinds
    assert all(one["current"] for one in spec.get("healthCheckExprs", []))
    assert spec["wait"] is True


def test_an_instance_that_is_off_holds_nothing_up() -> None:
    """A sleeping PostgreSQL is not ready, and web would never go."""
    found = kustomizations({**GITOPS, "langfuse_enabled": False})
    assert list(found) == ["langfuse-stores", "langfuse"]
    assert all(spec["wait"] is False and "healthChecks" not in spec for spec in found.values())
    assert _names(found["langfuse"]["dependsOn"]) == ["langfuse-stores"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # Stores and databases, the migration, web and workers.
        (GITOPS, ("600s", "1800s", "600s")),
        ({**GITOPS, "langfuse_start_timeout": 900, "langfuse_migration_timeout": 7200}, ("1800s", "7200s", "1800s")),
        (CONFIGURATIONS["cloud"], ("300s", "1800s", "600s")),
    ],
)
def test_time_is_what_the_instance_is_given(given: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert tuple(spec["timeout"] for spec in kustomizations(given).values()) == expected


def test_flux_is_told_what_the_user_says() -> None:
    given = {
        **GITOPS,
        "langfuse_instance": "team-a",
        "langfuse_gitops_flux_namespace": "flux",
        "langfuse_gitops_source_kind": "OCIRepository",
        "langfuse_gitops_source_name": "fleet",
        "langfuse_gitops_interval": "10m",
        "langfuse_gitops_retry_interval": "1m",
        "langfuse_gitops_decryption_secret": "age",
        "langfuse_gitops_substitute_from": [{"kind": "Secret", "name": "cluster-secrets", "optional": True}],
    }
    for one in files(given)["ks.yaml"].object:
        spec = one["spec"]
        assert one["metadata"]["namespace"] == "flux"
        assert one["metadata"]["name"].startswith("team-a")
        assert spec["sourceRef"] == {"kind": "OCIRepository", "name": "fleet", "namespace": "flux"}
        assert (spec["interval"], spec["retryInterval"]) == ("10m", "1m")
        assert spec["postBuild"] == {"substituteFrom": given["langfuse_gitops_substitute_from"]}
    assert kustomizations(given)["team-a-stores"]["decryption"]["secretRef"] == {"name": "age"}
    elsewhere = kustomizations({**given, "langfuse_gitops_source_namespace": "sources"})
    assert {one["sourceRef"]["namespace"] for one in elsewhere.values()} == {"sources"}


def test_nothing_is_replaced_unless_asked_for() -> None:
    assert not [spec for spec in kustomizations(GITOPS).values() if "postBuild" in spec]


def test_recipients_are_told_once() -> None:
    plan = derived({**GITOPS, "langfuse_age_recipients": [RECIPIENT, RECIPIENT]}).plan
    assert plan["gitops"]["recipients"] == [RECIPIENT]


@pytest.mark.parametrize("given", [*CONFIGURATIONS.values(), {**GITOPS, "langfuse_enabled": False}])
def test_flux_knows_every_field(given: dict[str, Any]) -> None:
    substitution = {"langfuse_gitops_substitute_from": [{"kind": "Secret", "name": "cluster-secrets"}]}
    for one in files({**given, "langfuse_gitops_flavour": "flux", **substitution})["ks.yaml"].object:
        assert unfit(one) == []


def test_a_field_that_flux_would_drop_is_found() -> None:
    (one, *_others) = files(GITOPS)["ks.yaml"].object
    one["spec"]["healthcheck"] = True
    assert unfit(one)
