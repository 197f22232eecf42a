"""All objects of an instance: fields that the API knows, hardened pods, no secret outside of Secrets."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.llmops.langfuse.plugins.filter.kubernetes_objects import kubernetes_objects
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.manifest import Manifest, Wave
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.objects import objects

from ...settings.cluster_cases import BACKUP, CLUSTER, SHARED
from ...settings.support import CANDIDATES
from .support import CONFIGURATIONS, QUIET, by_identity, derived, manifests, pod_specs, unfit

EACH = pytest.mark.parametrize("given", CONFIGURATIONS.values(), ids=CONFIGURATIONS)


@EACH
def test_the_api_knows_every_field(given: dict[str, Any]) -> None:
    for manifest in manifests(given):
        assert unfit(manifest.object) == [], manifest.identity


def test_a_field_that_does_not_exist_is_found() -> None:
    found = by_identity(CLUSTER)["Deployment", "langfuse-web"]
    container = found["spec"]["template"]["spec"]["containers"][0]
    container["livenessProbe"]["retries"] = 3
    container["resources"]["limits"]["memory"] = 2
    del container["name"]
    wrong = "\n".join(unfit(found))
    assert "livenessProbe.retries: Extra inputs" in wrong
    assert "containers.0.name: Field required" in wrong
    assert "memory: Input should be a valid string" in wrong


def test_a_field_that_an_operator_would_drop_is_found() -> None:
    found = by_identity(BACKUP)["ObjectStore", "langfuse-objectstore"]
    assert unfit(found) == []
    found["spec"]["configuration"]["retentionPolicy"] = found["spec"].pop("retentionPolicy")
    (wrong,) = unfit(found)
    assert wrong.startswith("spec.configuration: Additional properties are not allowed ('retentionPolicy'")


# Lists that the API merges by keys, and of which it refuses two of one key.
KEYED = {
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "containers": ("name",),
}


@EACH
def test_no_two_entries_of_a_list_have_one_key(given: dict[str, Any]) -> None:
    for name, spec in pod_specs(given).items():
        for field, keys in KEYED.items():
            for place in (spec, *spec["containers"]):
                found = [tuple(one[key] for key in keys) for one in place.get(field, [])]
                assert len(set(found)) == len(found), (name, field)


@EACH
def test_names_fit_and_occur_once(given: dict[str, Any]) -> None:
    seen = set()
    for manifest in manifests(given):
        metadata = manifest.object["metadata"]
        identity = (manifest.object["kind"], metadata.get("namespace"), metadata["name"])
        assert identity not in seen
        seen.add(identity)
        assert len(metadata["name"]) <= 63


@EACH
def test_everything_is_found_by_its_instance(given: dict[str, Any]) -> None:
    for manifest in manifests(given):
        if manifest.identity[0] == "Namespace":  # may be shared with others, and is never removed
            continue
        labels = manifest.object["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == given.get("langfuse_instance", "langfuse")
        assert labels["app.kubernetes.io/managed-by"] == "llmops.langfuse"


@EACH
def test_pods_are_restricted_and_limited(given: dict[str, Any]) -> None:
    for name, spec in pod_specs(given).items():
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True and security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["requests"]["cpu"] and container["resources"]["limits"]["memory"], name
        mounted = {mount["name"] for container in spec["containers"] for mount in container["volumeMounts"]}
        volumes = {volume["name"] for volume in spec["volumes"]}
        assert mounted - {"data"} == volumes, name


@EACH
def test_selectors_find_their_pods_and_nothing_else(given: dict[str, Any]) -> None:
    found = by_identity(given)
    pods = {
        name: one["spec"]["template"]["metadata"]["labels"]
        for (kind, name), one in found.items()
        if "template" in one.get("spec", {})
    }
    for (kind, name), one in found.items():
        if kind in ("Deployment", "StatefulSet"):
            wanted = one["spec"]["selector"]["matchLabels"].items()
            assert [other for other, labels in pods.items() if wanted <= labels.items()] == [name]


@EACH
def test_secrets_are_only_in_secrets(given: dict[str, Any]) -> None:
    result = derived(given)
    for manifest in manifests(given):
        text = json.dumps(manifest.object)
        holds = [
            name
            for name, value in result.secrets.items()
            if name != "langfuse_init_project_public_key"
            and (value in text or base64.b64encode(value.encode()).decode() in text)
        ]
        assert manifest.sensitive is (manifest.identity[0] == "Secret")
        assert manifest.sensitive or not holds, (manifest.identity, holds)


@EACH
def test_same_input_gives_the_same_bytes(given: dict[str, Any]) -> None:
    first, second = manifests(given), manifests(dict(reversed(given.items())))
    assert json.dumps([one.object for one in first]) == json.dumps([one.object for one in second])


@EACH
def test_waves_are_in_order(given: dict[str, Any]) -> None:
    waves = [one.wave for one in manifests(given)]
    assert waves == sorted(waves)
    kinds = [one.identity[0] for one in manifests(given)]
    assert kinds.index("Secret") < kinds.index("Job") < kinds.index("Deployment")


def test_what_holds_data_or_keys_is_kept() -> None:
    for manifest in manifests({**CLUSTER, "langfuse_backup_enabled": False}):
        kind, name = manifest.identity
        keeps = kind in ("Namespace", "Secret", "StatefulSet", "Cluster", "Database") or name == "langfuse-store-places"
        assert manifest.keep is keeps, manifest.identity


@EACH
def test_where_the_data_is_stands_in_the_cluster_once_there_is_some(given: dict[str, Any]) -> None:
    """Also while the instance is off, and nothing of it is secret."""
    for more in ({}, {"langfuse_enabled": False}):
        plan = derived({**given, **more})
        (found,) = [one for one in objects(plan.plan, plan.secrets) if one.identity[1].endswith("-store-places")]
        assert found.wave > Wave.MIGRATION
        assert found.object["data"] == plan.plan["kubernetes"]["record"]
        assert set(found.object["data"]) == {"postgres", "clickhouse", "redis", "s3"}
        assert not [one for one in plan.secrets.values() if len(one) > 8 and one in str(found.object)]


def test_an_instance_that_is_off_keeps_its_data() -> None:
    found = by_identity({**SHARED, "langfuse_enabled": False})
    assert not {"Deployment", "Job", "HTTPRoute"} & {kind for kind, _name in found}
    assert ("Secret", "langfuse-credentials") in found


def test_another_instance_has_other_names_in_another_namespace() -> None:
    for manifest in manifests(QUIET):
        if manifest.identity[0] != "Namespace":
            assert manifest.identity[1].startswith("team-a"), manifest.identity
            assert manifest.object["metadata"]["namespace"] == "llm"


def _patch(kind: str, name: str, **patch: Any) -> dict[str, Any]:
    return {**CLUSTER, "langfuse_kubernetes_patches": [{"kind": kind, "name": name, "patch": patch}]}


def test_a_patch_changes_its_object_only() -> None:
    before = by_identity(CLUSTER)
    after = by_identity(_patch("Service", "langfuse-web", spec={"type": "NodePort"}))
    changed = [identity for identity, one in after.items() if one != before[identity]]
    assert changed == [("Service", "langfuse-web")]
    assert after["Service", "langfuse-web"]["spec"]["type"] == "NodePort"


def test_a_patch_of_what_is_off_waits() -> None:
    off = {"langfuse_enabled": False}
    assert by_identity({**_patch("Deployment", "langfuse-web", spec={"x": 1}), **off}) == by_identity(
        {**CLUSTER, **off}
    )


@pytest.mark.parametrize("enabled", [True, False])
def test_a_patch_without_its_object_is_refused(enabled: bool) -> None:
    settings = {**_patch("Deployment", "langfuse-api", spec={"replicas": 2}), "langfuse_enabled": enabled}
    result = derived(settings)
    with pytest.raises(AnsibleFilterError, match="Deployment/langfuse-api, which the instance does not have") as error:
        kubernetes_objects(result.plan, result.secrets)
    assert "Deployment/langfuse-web" in str(error.value)


def test_a_defect_tells_no_value() -> None:
    result = derived(CLUSTER)
    with pytest.raises(AnsibleFilterError, match="has a defect: KeyError") as error:
        kubernetes_objects({**result.plan, "env": {}}, result.secrets)
    assert not [value for value in CANDIDATES.values() if value in str(error.value)]


def test_the_filter_returns_plain_data() -> None:
    result = derived(CLUSTER)
    found = kubernetes_objects(result.plan, result.secrets)
    assert json.loads(json.dumps(found)) == found
    assert set(found[0]) == set(Manifest.__dataclass_fields__)
