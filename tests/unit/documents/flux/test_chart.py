"""The chart makes the very pods that the collection would apply itself."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.flux import chart
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.objects import NoSuchObject

from ..kubernetes.support import derived, unfit
from . import chart_model, stand_in_chart
from .chart_support import BY_CHART, GITOPS, Release
from .support import files, kustomizations

NAMES = tuple(BY_CHART)
_MANAGED_BY = "app.kubernetes.io/managed-by"


def comparable(deployment: dict[str, Any], component: str, container: str) -> dict[str, Any]:
    """A Deployment without what the chart decides: labels of its own, the selector, the container's name, the order of variables."""
    found = copy.deepcopy(deployment)
    del found["spec"]["selector"], found["metadata"]
    template = found["spec"]["template"]
    template["metadata"]["labels"].pop("app", None)
    template["spec"].pop("restartPolicy", None)
    (main,) = [one for one in template["spec"]["containers"] if one["name"] == container]
    main["name"] = component
    main["env"] = sorted(main["env"], key=lambda one: one["name"])
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("component", ["web", "worker"])
def test_the_pods_are_those_of_our_own_deployments(name: str, component: str) -> None:
    release = Release(BY_CHART[name])
    identity = "Deployment", f"{release.name}-{component}"
    assert comparable(release.rendered()[identity], component, f"langfuse-{component}") == comparable(
        release.wanted()[identity], component, component
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("component", ["web", "worker"])
def test_the_environment_is_the_one_of_the_plan(name: str, component: str) -> None:
    release = Release(BY_CHART[name])
    deployment = release.rendered()["Deployment", f"{release.name}-{component}"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    found = {one["name"]: one for one in container["env"]}
    expected = release.result.plan["env"][component]
    assert set(found) == set(expected)
    for variable, value in expected.items():
        assert ("value" in found[variable]) is isinstance(value, str), variable
        if isinstance(value, str):
            assert found[variable]["value"] == value.replace("$", "$$"), variable


@pytest.mark.parametrize("name", NAMES)
def test_every_value_is_one_that_the_chart_reads(name: str) -> None:
    values = Release(BY_CHART[name]).values
    assert chart_model.unknown(values) == []
    assert chart_model.misfits(values) == []


@pytest.mark.parametrize("name", NAMES)
def test_no_store_and_no_account_is_the_charts(name: str) -> None:
    values = Release(BY_CHART[name]).values
    assert [values[store]["deploy"] for store in ("postgresql", "redis", "clickhouse", "s3")] == [False] * 4
    assert values["postgresql"]["migration"]["autoMigrate"] is False
    assert values["clickhouse"]["migration"]["autoMigrate"] is False
    assert values["langfuse"]["serviceAccount"]["create"] is False


@pytest.mark.parametrize("name", NAMES)
def test_everything_else_is_as_without_the_chart(name: str) -> None:
    release = Release(BY_CHART[name])
    replaced = {
        *(("Deployment", f"{release.name}-{one}") for one in ("web", "worker")),
        ("Service", f"{release.name}-web"),
    }
    wanted = release.wanted()
    assert set(wanted) - set(release.found) == replaced
    assert set(release.found) - set(wanted) == {("HelmRelease", release.name), ("HelmRepository", release.name)}
    for identity in set(wanted) - replaced:
        assert release.found[identity] == wanted[identity]


@pytest.mark.parametrize("name", NAMES)
def test_selectors_of_the_instance_find_the_charts_pods(name: str) -> None:
    """Services, policies, budgets: by labels that the pods have beside the chart's own."""
    release = Release(BY_CHART[name])
    wanted, rendered = release.wanted(), release.rendered()
    for component in ("web", "worker"):
        identity = "Deployment", f"{release.name}-{component}"
        labels = rendered[identity]["spec"]["template"]["metadata"]["labels"]
        assert wanted[identity]["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert rendered[identity]["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert labels == {**wanted[identity]["spec"]["template"]["metadata"]["labels"], "app": component}
        # Helm takes only objects of its own.
        assert rendered[identity]["metadata"]["labels"][_MANAGED_BY] == "Helm"
    web = rendered["Service", f"{release.name}-web"]
    assert web["spec"]["ports"] == wanted["Service", f"{release.name}-web"]["spec"]["ports"]
    assert (
        web["spec"]["selector"].items()
        <= rendered["Deployment", f"{release.name}-web"]["spec"]["template"]["metadata"]["labels"].items()
    )


def test_what_the_chart_cannot_say_ispatched() -> None:
    web, worker, _service = Release(BY_CHART["shared"]).patches()
    for patch, seconds in ((web, 125), (worker, 30)):
        template = patch["spec"]["template"]
        assert template["spec"]["terminationGracePeriodSeconds"] == seconds
        assert set(template["metadata"]["annotations"]) == {"llmops.langfuse/checksum"}
        (container,) = template["spec"]["containers"]
        assert container["startupProbe"]["failureThreshold"] == 30
    assert worker["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["path"] == "/api/ready"


def patched(component: str, patch: dict[str, Any]) -> dict[str, Any]:
    one = {"kind": "Deployment", "name": f"langfuse-{component}", "patch": patch}
    return {**BY_CHART["shared"], "langfuse_kubernetes_patches": [one]}


_SIDECAR = {"name": "tail", "image": "example.com/tail:1"}


@pytest.mark.parametrize(
    "patch",
    [
        {"spec": {"template": {"spec": {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.1"]}}}}},
        {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": None}}}},
        {"spec": {"template": {"spec": {"securityContext": None}}}},
        {"spec": {"template": {"spec": {"nodeSelector": {"disk": "fast"}}}}},
        {"spec": {"template": {"spec": {"topologySpreadConstraints": None, "tolerations": [{"key": "a"}]}}}},
        {"spec": {"template": {"metadata": {"annotations": {"example.com/a.b": "c"}}}}},
        {"spec": {"replicas": 7, "strategy": None, "revisionHistoryLimit": 1}},
    ],
)
def test_a_patch_of_a_deployment_arrives(patch: dict[str, Any]) -> None:
    release = Release(patched("web", patch))
    identity = "Deployment", "langfuse-web"
    assert comparable(release.rendered()[identity], "web", "langfuse-web") == comparable(
        release.wanted()[identity], "web", "web"
    )


@pytest.mark.parametrize("tag", ["", ":4.16.0", "@sha256:" + "0" * 64, ":4.16.0@sha256:" + "0" * 64])
def test_a_container_beside_the_application_arrives(tag: str) -> None:
    image = f"mirror.example.com:5000/langfuse-worker{tag}"
    given = BY_CHART["shared"]
    (own,) = Release(given).wanted()["Deployment", "langfuse-worker"]["spec"]["template"]["spec"]["containers"]
    own["image"] = image
    del own["livenessProbe"]
    release = Release(patched("worker", {"spec": {"template": {"spec": {"containers": [own, _SIDECAR]}}}}))
    identity = "Deployment", "langfuse-worker"
    found = release.rendered()[identity]
    assert comparable(found, "worker", "langfuse-worker") == comparable(release.wanted()[identity], "worker", "worker")
    assert _SIDECAR in found["spec"]["template"]["spec"]["containers"]
    # The chart has no words for an image without a tag.
    assert ("image" in release.values["langfuse"]["worker"]) is ("worker:" in image or "@" in image)


def test_images_come_from_a_mirror() -> None:
    values = Release({**BY_CHART["shared"], "langfuse_image_registry": "mirror.example.com:5000/hub"}).values
    assert [values["langfuse"][component]["image"] for component in ("web", "worker")] == [
        {"repository": f"mirror.example.com:5000/hub/langfuse/{name}", "tag": "4.16.0"}
        for name in ("langfuse", "langfuse-worker")
    ]


def test_what_only_one_component_has_is_no_value_of_both() -> None:
    values = Release(BY_CHART["shared"]).values
    assert "endpoint" in values["s3"]["eventUpload"] and "endpoint" not in values["s3"]["mediaUpload"]
    for component in ("web", "worker"):
        names = [one["name"] for one in values["langfuse"][component]["pod"]["additionalEnv"]]
        assert "LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT" in names


def test_flux_waits_for_the_release() -> None:
    applied = kustomizations(BY_CHART["quiet"])["team-a"]
    assert [(one["kind"], one["name"]) for one in applied["healthChecks"]] == [("HelmRelease", "team-a")]
    release = Release(BY_CHART["quiet"]).spec
    assert applied["wait"] and int(applied["timeout"][:-1]) == 2 * int(release["timeout"][:-1])


def test_the_tree_has_the_files_of_the_guide() -> None:
    found = files(BY_CHART["shared"])
    assert [one["kind"] for one in found["app/helmrelease.yaml"].object] == ["HelmRelease"]
    assert [one["kind"] for one in found["app/helmrepository.yaml"].object] == ["HelmRepository"]
    assert "app/web.yaml" not in found
    assert [one["kind"] for one in found["app/worker.yaml"].object] == ["Service"]
    assert {"./helmrelease.yaml", "./helmrepository.yaml"} <= set(
        found["app/kustomization.yaml"].object[0]["resources"]
    )


def test_the_release_and_its_source_can_be_patched() -> None:
    patches = [
        {
            "kind": "HelmRelease",
            "name": "langfuse",
            "patch": {"spec": {"values": {"langfuse": {"affinity": {"a": 1}}}}},
        },
        {"kind": "HelmRepository", "name": "langfuse", "patch": {"spec": {"secretRef": {"name": "mirror"}}}},
    ]
    release = Release({**BY_CHART["shared"], "langfuse_kubernetes_patches": patches})
    assert release.values["langfuse"]["affinity"] == {"a": 1}
    assert release.values["langfuse"]["nodeEnv"] == "production"
    assert release.found["HelmRepository", "langfuse"]["spec"]["secretRef"] == {"name": "mirror"}


def test_the_service_of_web_can_be_patched() -> None:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    spec = {"type": "LoadBalancer", "loadBalancerClass": "x", "ports": ports}
    patch = {"metadata": {"annotations": {"a": "b"}}, "spec": spec}
    given = {"langfuse_kubernetes_patches": [{"kind": "Service", "name": "langfuse-web", "patch": patch}]}
    service = Release({**BY_CHART["shared"], **given}).rendered()["Service", "langfuse-web"]
    assert service["metadata"]["annotations"] == {"a": "b"}
    assert {key: value for key, value in service["spec"].items() if key != "selector"} == spec


def test_variables_of_one_component_stay_there() -> None:
    given = {
        **BY_CHART["shared"],
        "langfuse_worker_extra_env": {"LANGFUSE_S3_CONCURRENT_READS": "7"},
        "langfuse_extra_env": {"LANGFUSE_S3_CONCURRENT_WRITES": "9"},
    }
    release = Release(given)
    environments = {}
    for component in ("web", "worker"):
        deployment = release.rendered()["Deployment", f"langfuse-{component}"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        environments[component] = {one["name"]: one.get("value") for one in container["env"]}
    assert environments["worker"]["LANGFUSE_S3_CONCURRENT_READS"] == "7"
    assert "LANGFUSE_S3_CONCURRENT_READS" not in environments["web"]
    assert environments["worker"]["LANGFUSE_S3_CONCURRENT_WRITES"] == "9"


def test_secrets_of_one_component_stay_there_by_name() -> None:
    given = {
        "langfuse_web_extra_env": {"SLACK_CLIENT_SECRET": "hidden"},
        "langfuse_extra_env": {"DD_API_KEY": "hidden"},
    }
    release = Release({**BY_CHART["shared"], **given})
    read = {}
    for component in ("web", "worker"):
        deployment = release.rendered()["Deployment", f"langfuse-{component}"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        entries = {one["name"]: one.get("valueFrom") for one in container["env"]}
        read[component] = [entries.get(name) for name in ("SLACK_CLIENT_SECRET", "DD_API_KEY")]
    slack, tracer = (
        {"secretKeyRef": {"name": "langfuse-extra-env", "key": key}}
        for key in ("web_extra_env.SLACK_CLIENT_SECRET", "extra_env.DD_API_KEY")
    )
    assert read == {"web": [slack, tracer], "worker": [None, tracer]}


def test_without_exports_nothing_of_them_is_written() -> None:
    release = Release({**BY_CHART["shared"], "langfuse_batch_export_enabled": False})
    assert release.values["s3"]["batchExport"] == {"enabled": False}


@pytest.mark.parametrize(
    ("repository", "kind", "expected"),
    [
        (
            "https://charts.example.com",
            "HelmRepository",
            {
                "chart": {
                    "spec": {
                        "chart": "langfuse",
                        "version": "2.0.1",
                        "sourceRef": {"kind": "HelmRepository", "name": "team-a"},
                        "interval": "1h",
                    }
                }
            },
        ),
        (
            "oci://mirror.example.com/charts/langfuse",
            "OCIRepository",
            {"chartRef": {"kind": "OCIRepository", "name": "team-a"}},
        ),
    ],
)
def test_the_chart_comes_from_a_mirror(repository: str, kind: str, expected: dict[str, Any]) -> None:
    given = {"langfuse_chart_repository": repository, "langfuse_chart_version": "2.0.1"}
    release = Release({**BY_CHART["quiet"], **given})
    source = release.found[kind, "team-a"]
    assert source["spec"]["url"] == repository
    assert source["spec"].get("ref") == ({"tag": "2.0.1"} if kind == "OCIRepository" else None)
    assert {key: release.spec[key] for key in ("chart", "chartRef") if key in release.spec} == expected
    assert unfit(source) == [] and unfit(release.found["HelmRelease", "team-a"]) == []


def test_an_instance_that_is_off_has_no_release() -> None:
    patches = [{"kind": "HelmRelease", "name": "langfuse", "patch": {"spec": {"suspend": True}}}]
    given = {**BY_CHART["shared"], "langfuse_enabled": False, "langfuse_kubernetes_patches": patches}
    result = derived(given)
    kinds = {one.identity for one in chart.manifests(result.plan, result.secrets)}
    assert not {kind for kind, _name in kinds} & {"HelmRelease", "HelmRepository", "Deployment"}
    # Helm would refuse to take over one that is there already.
    assert ("Service", "langfuse-web") not in kinds and ("Service", "langfuse-worker") in kinds


def test_nothing_of_the_release_is_a_secret() -> None:
    for given in BY_CHART.values():
        release = Release(given)
        text = yaml.safe_dump([one for (kind, _name), one in release.found.items() if kind.startswith("Helm")])
        for name, value in release.result.secrets.items():
            if name not in ("langfuse_init_project_public_key",) and len(value) > 8:
                assert value not in text, name


def test_without_the_word_nothing_changes() -> None:
    given = {**GITOPS, **{key: one for key, one in BY_CHART["shared"].items() if key != "langfuse_kubernetes_workload"}}
    del given["langfuse_kubernetes_workload"]
    assert derived(given).plan["gitops"]["chart"] is None


def test_pods_without_the_application_are_refused() -> None:
    given = patched("web", {"spec": {"template": {"spec": {"containers": [_SIDECAR]}}}})
    with pytest.raises(NoSuchObject, match="without their container web"):
        Release(given)


@pytest.mark.parametrize("name", NAMES)
def test_the_api_knows_every_field(name: str) -> None:
    found = Release(BY_CHART[name]).found
    for identity in found:
        if identity[0] in ("HelmRelease", "HelmRepository", "OCIRepository"):
            assert unfit(found[identity]) == [], identity


def test_the_stand_in_has_the_values_of_the_chart() -> None:
    for name, write in stand_in_chart.FILES.items():
        assert (stand_in_chart.FOLDER / name).read_text("utf-8") == write(), name
