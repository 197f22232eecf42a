"""The tree: the objects of the cluster, each in one file, each file in one step."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.llmops.langfuse.plugins.filter.flux_tree import flux_tree
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.document import Document
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.objects import objects

from ...settings.gitops_cases import GITOPS
from ...settings.support import CANDIDATES
from ..kubernetes.support import derived
from .support import CONFIGURATIONS, GUIDE, PLAIN, applied, documents, files, resources

EACH = pytest.mark.parametrize("given", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
EACH_OF_FLUX = pytest.mark.parametrize("given", [GUIDE, *list(CONFIGURATIONS.values())[:4]])
_MARKS = ("kustomize.toolkit.fluxcd.io/", "argocd.argoproj.io/")


def _unmarked(found: dict[str, Any]) -> dict[str, Any]:
    """The object without what the tree adds: annotations, and how often the migration is tried."""
    copy: dict[str, Any] = json.loads(json.dumps(found))
    metadata = copy["metadata"]
    if "annotations" in metadata:
        left = {key: value for key, value in metadata["annotations"].items() if not key.startswith(_MARKS)}
        metadata["annotations"] = left
        if not left:
            del metadata["annotations"]
    if copy["kind"] == "Job":
        del copy["spec"]["backoffLimit"]
        metadata["name"] = re.sub(r"[0-9a-f]{10}$", "", metadata["name"])
    return copy


@EACH
def test_every_object_of_the_cluster_is_there_as_it_is_and_nothing_else(given: dict[str, Any]) -> None:
    result = derived(given)
    wanted = [_unmarked(one.object) for one in objects(result.plan, result.secrets)]
    found = [
        _unmarked(one)
        for path, document in files(given).items()
        if path.startswith(("app/", "migration/")) and not path.endswith("kustomization.yaml")
        for one in document.object
    ]
    order = json.dumps
    assert sorted(map(order, found)) == sorted(map(order, wanted))


@EACH_OF_FLUX
def test_every_file_is_applied_by_one_step(given: dict[str, Any]) -> None:
    found = files(given)
    taken = [path for step in ("stores", "migration", "app") for path in resources(found, step)]
    assert len(taken) == len(set(taken))
    ours = {path for path in found if path.startswith(("app/", "migration/")) and "kustomization" not in path}
    assert set(taken) == ours
    assert resources(found, "") == ["ks.yaml"]


@EACH
def test_plain_takes_everything_at_once_but_what_is_encrypted(given: dict[str, Any]) -> None:
    found = files({**given, **PLAIN})
    assert "ks.yaml" not in found and "stores/kustomization.yaml" not in found
    ours = {path for path in found if path.startswith(("app/", "migration/"))}
    assert set(resources(found, "")) == ours - {"app/secret.sops.yaml"}
    assert "app/secret.sops.yaml" in ours


@EACH
def test_nothing_of_the_fragments_is_applied(given: dict[str, Any]) -> None:
    found = files(given)
    taken = [
        path
        for name, one in found.items()
        if name.endswith("kustomization.yaml")
        for content in one.object
        for path in content["resources"]
    ]
    assert taken and not [path for path in taken if "docs" in path]


@EACH
def test_secrets_are_in_files_for_secrets(given: dict[str, Any]) -> None:
    for path, document in files(given).items():
        assert document.sensitive is path.endswith(".sops.yaml"), path
        kinds = {one["kind"] for one in document.object if "kind" in one} if document.form == "yaml_all" else set()
        assert ("Secret" in kinds) is document.sensitive, path
        # SOPS encrypts these alone.
        for one in document.object if document.sensitive else ():
            assert set(one) == {"apiVersion", "kind", "metadata", "type", "data"}


def test_files_have_the_names_of_the_guide() -> None:
    found = set(files(GUIDE))
    assert {
        "ks.yaml",
        *(f"app/{name}.yaml" for name in ("kustomization", "postgresql", "secret.sops", "httproute", "referencegrant")),
        *(f"app/{name}.yaml" for name in ("networkpolicy", "servicemonitor", "web", "worker", "clickhouse")),
        *("migration/kustomization.yaml", "migration/job.yaml", "docs/README.md"),
    } <= found


@EACH
def test_what_is_written_reads_as_what_was_meant(given: dict[str, Any]) -> None:
    for document in documents(given):
        if document.form == "yaml_all":
            assert list(yaml.load_all(document.content(), yaml.CSafeLoader)) == document.object, document.path


@EACH
def test_files_are_in_order_and_below_the_directory(given: dict[str, Any]) -> None:
    paths = [one.path for one in documents(given)]
    assert paths == sorted(paths) and len(set(paths)) == len(paths)
    assert not [path for path in paths if path.startswith("/") or ".." in path.split("/")]


@EACH
def test_same_input_gives_the_same_bytes(given: dict[str, Any]) -> None:
    def written(found: list[Document]) -> str:
        return json.dumps([one.as_data() for one in found])

    assert written(documents(given)) == written(documents(dict(reversed(given.items()))))


def test_an_instance_that_is_off_keeps_its_stores_and_migrates_nothing() -> None:
    found = files({**GITOPS, "langfuse_enabled": False})
    assert not [path for path in found if path.startswith("migration/")]
    kinds = {one["kind"] for one in applied(found, resources(found, "app") + resources(found, "stores"))}
    assert {"Cluster", "StatefulSet", "Secret"} <= kinds and not {"Deployment", "Job", "HTTPRoute"} & kinds


def test_the_tree_goes_where_it_is_told() -> None:
    for path in ("apps/langfuse", "apps/langfuse/"):
        found = documents({**GITOPS, "langfuse_gitops_path": path})
        assert {one.path for one in found} >= {"apps/langfuse/ks.yaml", "apps/langfuse/app/web.yaml"}
        assert not [one.path for one in found if "//" in one.path]
    assert documents(GITOPS)[0].path.startswith("kubernetes/apps/ai-system/langfuse/")


def test_secrets_that_somebody_else_keeps_leave_no_file_for_them() -> None:
    groups = ("credentials", "postgresql-credentials", "clickhouse-credentials", "redis-credentials", "s3-credentials")
    found = files(
        {
            **GITOPS,
            "langfuse_init_project_public_key": "pk-lf-abcdefgh",
            "langfuse_kubernetes_existing_secrets": {
                **{group: f"their-{group}" for group in groups},
                "init-credentials": "their-init",
            },
        }
    )
    assert not [path for path in found if path.endswith(".sops.yaml")]
    assert "age" not in found["docs/README.md"].object
    assert not any("decryption" in one["spec"] for one in found["ks.yaml"].object)


def test_a_patch_without_its_object_is_refused() -> None:
    patch = {"kind": "Deployment", "name": "langfuse-api", "patch": {"spec": {"replicas": 2}}}
    result = derived({**GITOPS, "langfuse_kubernetes_patches": [patch]})
    with pytest.raises(AnsibleFilterError, match="Deployment/langfuse-api, which the instance does not have"):
        flux_tree(result.plan, result.secrets)


def test_a_defect_tells_no_value() -> None:
    result = derived(GITOPS)
    with pytest.raises(AnsibleFilterError, match="flux_tree has a defect: KeyError") as error:
        flux_tree({**result.plan, "env": {}}, result.secrets)
    assert not [value for value in CANDIDATES.values() if value in str(error.value)]


def test_the_filter_returns_plain_data() -> None:
    result = derived(GITOPS)
    found = flux_tree(result.plan, result.secrets)
    assert json.loads(json.dumps(found)) == found
    assert set(found[0]) == set(Document.__dataclass_fields__)
