"""What operators publish, and what the bench changes in it."""

from __future__ import annotations

from pathlib import Path

from tests.bench.cluster import flux, gateway, names
from tests.bench.cluster.manifests import DEFINITIONS, read, with_image
from tests.bench.cluster.metrics import complete

PUBLISHED = {
    "kind": "Deployment",
    "spec": {
        "replicas": 1,
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "serviceAccountName": "operator",
                "containers": [
                    {
                        "image": "ghcr.io/x:1",
                        "args": ["--log-level=info"],
                        "imagePullPolicy": "Always",
                        "env": [{"name": "OPERATOR_IMAGE_NAME", "value": "ghcr.io/x:1"}, {"name": "OTHER", "value": "1"}],
                    }
                ],
            },
        },
    },
}  # fmt: skip


def test_objects_are_read_from_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "crds").mkdir()
    (tmp_path / "crds" / "a.yaml").write_text("apiVersion: v1\nkind: A\nwords: [=, '!=']\n---\n")
    (tmp_path / "crds" / "kustomization.yaml").write_text("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: K\n")
    (tmp_path / "crds" / "without.yaml").write_text("resources:\n- a.yaml\n")
    (tmp_path / "one.yaml").write_text("apiVersion: v1\nkind: B\n---\napiVersion: v1\nkind: C\n")
    found = read(tmp_path, ["crds", "one.yaml"])
    assert [each["kind"] for each in found] == ["A", "B", "C"]
    assert found[0]["words"] == ["=", "!="]


def test_sources_are_pinned_and_told_apart() -> None:
    assert len({source.key for source in DEFINITIONS}) == len(DEFINITIONS)
    assert all(source.version.startswith("v") for source in DEFINITIONS)


def test_the_operator_and_what_it_hands_on_use_the_image_of_the_node() -> None:
    changed = with_image(PUBLISHED, "bench.localhost/x:2")
    (container,) = changed["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "bench.localhost/x:2"
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["env"] == [
        {"name": "OPERATOR_IMAGE_NAME", "value": "bench.localhost/x:2"},
        {"name": "OTHER", "value": "1"},
    ]
    assert changed["spec"]["template"]["spec"]["serviceAccountName"] == "operator"
    assert PUBLISHED["spec"]["template"]["spec"]["containers"][0]["image"] == "ghcr.io/x:1"  # type: ignore[index]


def test_a_name_is_applied_before_what_needs_it() -> None:
    for objects in (names.objects("x"), gateway.objects("x")):
        kinds = [each["kind"] for each in objects]
        assert kinds.index("ServiceAccount") < kinds.index("Deployment")
    assert kinds[0] == "Namespace"
    assert kinds[-1] == "Gateway"


def test_metrics_server_is_completed_as_its_kustomization_would() -> None:
    published = {
        "kind": "Deployment",
        "spec": {"template": {"spec": {"containers": [{"image": "x", "args": ["--secure-port=10250"]}]}}},
    }
    spec = complete(published, "bench.localhost/y:1")["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["args"] == ["--secure-port=10250", "--kubelet-insecure-tls"]
    assert (
        complete({"kind": "Service", "spec": {"ports": []}}, "y")["spec"]["selector"] == spec["selector"]["matchLabels"]
    )
    assert complete({"kind": "ClusterRole"}, "y") == {"kind": "ClusterRole"}


def test_controllers_of_flux_have_names_and_accounts_of_their_own() -> None:
    binding = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "manager-rolebinding"},
        "roleRef": {"kind": "ClusterRole", "name": "manager-role"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "system"}],
    }
    role = {"kind": "ClusterRole", "metadata": {"name": "manager-role"}, "rules": []}
    found = flux.objects(
        [role, binding, {"metadata": {"name": "x"}, **PUBLISHED}], "helm-controller", "bench.localhost/y:1"
    )
    account, prefixed, bound, deployment = found
    assert (account["kind"], account["metadata"]["name"]) == ("ServiceAccount", "helm-controller")
    assert prefixed["metadata"]["name"] == bound["roleRef"]["name"] == "helm-controller-manager-role"
    assert bound["subjects"] == [{"kind": "ServiceAccount", "name": "helm-controller", "namespace": "flux-system"}]
    spec = deployment["spec"]["template"]["spec"]
    assert (spec["serviceAccountName"], spec["containers"][0]["image"]) == ("helm-controller", "bench.localhost/y:1")
    assert spec["containers"][0]["args"] == ["--log-level=info", "--requeue-dependency=2s"]
    assert deployment["metadata"]["namespace"] == "flux-system"
    administrator = {**binding, "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}}
    assert flux.complete(administrator, "helm-controller", "y")["roleRef"]["name"] == "cluster-admin"
