"""Pieces for other applications: each where the instance needs it, and each as the modules of the collection would make it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner

from ...settings.cases import GOOD
from ...settings.cluster_cases import BACKUP, KEYS, SHARED
from ...settings.consumer_cases import POD
from ...settings.gitops_cases import GITOPS, REPOSITORY
from ...settings.source_cases import AWS, S3
from ...settings.support import run
from ..kubernetes.support import unfit
from .support import CONFIGURATIONS, GUIDE, PLAIN, files

EACH = pytest.mark.parametrize("given", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
README = "docs/README.md"
KEYCLOAK = {
    name: value for name, value in GUIDE.items() if name.startswith(("keycloak", "langfuse_sso", "langfuse_key"))
}
LITELLM = {"litellm_enabled": True}
POLICIES = {"network_policies_enabled": True}


def _fragments(given: dict[str, Any]) -> set[str]:
    return {path.removeprefix("docs/") for path in files(given) if path.startswith("docs/") and path != README}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (GITOPS, set()),
        ({**GITOPS, **POLICIES}, set()),
        ({**SHARED, **REPOSITORY}, {"buckets.yaml", "dragonfly-acl.sops.yaml"}),
        # It is everybody's who has no user of its own.
        ({**SHARED, **REPOSITORY, "langfuse_redis_username": "default"}, {"buckets.yaml"}),
        ({**SHARED, **REPOSITORY, **POLICIES}, {"buckets.yaml", "dragonfly-acl.sops.yaml", "networkpolicy.yaml"}),
        ({**GITOPS, **S3}, {"buckets.yaml"}),
        # A cloud has tools of its own.
        ({**GITOPS, **AWS}, set()),
        ({**GITOPS, **KEYCLOAK}, {"keycloak-client.yaml"}),
        ({**GITOPS, **LITELLM}, {"litellm-values.yaml", "litellm.sops.yaml"}),
        # `connect` gives it what it needs.
        ({**GITOPS, **LITELLM, "langfuse_consumers": [{**POD, "kind": "litellm", "config_map": "litellm"}]}, set()),
    ],
)
def test_only_what_the_instance_needs(given: dict[str, Any], expected: set[str]) -> None:
    assert _fragments(given) == expected


def test_a_user_of_somebody_else_is_not_made() -> None:
    given = {**SHARED, **REPOSITORY, "langfuse_kubernetes_existing_secrets": {"redis-credentials": "theirs"}}
    del given["dragonfly_langfuse_password"]
    assert "dragonfly-acl.sops.yaml" not in _fragments(given)


@EACH
def test_the_page_names_every_file_of_its_folder(given: dict[str, Any]) -> None:
    found = files(given)
    assert found[README].form == "text" and not found[README].sensitive
    named = {line.split("`")[1] for line in found[README].object.splitlines() if line.startswith("* `")}
    assert named == _fragments(given)


@pytest.mark.parametrize(
    ("given", "others"), [(GITOPS, "kubectl apply --server-side -k"), ({**GITOPS, **PLAIN}, "sops-age")]
)
def test_the_page_is_about_who_applies_the_tree(given: dict[str, Any], others: str) -> None:
    text = files(given)[README].object
    assert others not in text
    assert ("app/secret.sops.yaml" in text) is (given.get("langfuse_gitops_flavour") == "plain")


@EACH
def test_they_are_not_found_as_objects_of_the_instance(given: dict[str, Any]) -> None:
    """`teardown` removes what is labelled as its own."""
    labels = Owner(
        given.get("langfuse_instance", "langfuse"), given.get("langfuse_kubernetes_namespace", "ai-system")
    ).labels
    for path, document in files(given).items():
        for one in document.object if path.startswith("docs/") and document.form == "yaml_all" else ():
            assert not labels.items() & one.get("metadata", {}).get("labels", {}).items(), path


@EACH
def test_the_api_knows_their_fields(given: dict[str, Any]) -> None:
    for path, document in files(given).items():
        for one in document.object if path.startswith("docs/") and document.form == "yaml_all" else ():
            assert "apiVersion" not in one or unfit(one) == [], path


def _object(given: dict[str, Any], name: str, kind: str = "") -> dict[str, Any]:
    (found,) = [one for one in files(given)[f"docs/{name}"].object if not kind or one["kind"] == kind]
    return dict(found)


def test_the_user_of_dragonfly_has_its_own_keys_only() -> None:
    found = _object({**SHARED, **REPOSITORY}, "dragonfly-acl.sops.yaml")
    assert found["metadata"]["namespace"] == "cache"
    assert base64.b64decode(found["data"]["acl.conf"]).decode() == (
        "user langfuse on >canary-of-the-shared-dragonfly ~langfuse:* resetchannels +@all -@admin -@dangerous +info\n"
    )


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ({**SHARED}, {"storage": ["events", "exports", "media"]}),
        # With the application's own key, backups are in its reach.
        ({**BACKUP}, {"storage": ["events", "exports", "media", "postgres-backups"]}),
        ({**BACKUP, **KEYS}, {"storage": ["events", "exports", "media"], "backup-storage": ["postgres-backups"]}),
    ],
)
def test_each_key_reaches_its_buckets_by_name(given: dict[str, Any], keys: dict[str, list[str]]) -> None:
    given = {**given, **REPOSITORY}
    data = _object(given, "buckets.yaml", "ConfigMap")["data"]
    assert set(data) == {f"langfuse-{key}.json" for key in keys}
    for key, buckets in keys.items():
        statements = json.loads(data[f"langfuse-{key}.json"])["Statement"]
        reached = sorted(
            {one.rpartition(":::")[2].partition("/")[0] for each in statements for one in each["Resource"]}
        )
        assert reached == [f"langfuse-{bucket}" for bucket in buckets]
    job = _object(given, "buckets.yaml", "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    made = sorted(word.removeprefix("store/langfuse-") for word in container["command"][2].split() if "store/" in word)
    assert made == sorted(bucket for each in keys.values() for bucket in each)
    assert job["metadata"]["namespace"] == "storage"
    assert {
        "name": "MC_HOST_store",
        "value": "http://$(ACCESS_KEY):$(SECRET_KEY)@rustfs-svc.storage.svc.cluster.local:9000",
    } in container["env"]


def test_the_client_at_keycloak_is_confidential_and_sends_people_back_here() -> None:
    (client,) = _object(GUIDE, "keycloak-client.yaml")["clients"]
    assert _object(GUIDE, "keycloak-client.yaml")["realm"] == "platform"
    assert (client["clientId"], client["publicClient"], client["standardFlowEnabled"]) == ("langfuse", False, True)
    assert not any(client[f"{flow}Enabled"] for flow in ("directAccessGrants", "implicitFlow", "serviceAccounts"))
    assert client["redirectUris"] == ["https://langfuse.example.com/api/auth/callback/keycloak"]
    assert client["webOrigins"] == ["https://langfuse.example.com"]
    assert client["attributes"]["pkce.code.challenge.method"] == "S256"
    assert client["secret"] == "$(env:LANGFUSE_CLIENT_SECRET)"


def test_it_is_the_client_that_provision_makes() -> None:
    administered = {
        **GUIDE,
        "langfuse_keycloak_admin_user": "admin",
        "langfuse_keycloak_admin_password": "canary-of-keycloak",
    }
    options = run({**GOOD, **administered}).plan["provision"]["keycloak"]
    (client,) = _object(GUIDE, "keycloak-client.yaml")["clients"]
    assert client["redirectUris"] == options["redirect_uris"]
    assert client["defaultClientScopes"] == options["default_scopes"]
    assert client["attributes"]["post.logout.redirect.uris"] == "##".join(options["post_logout_redirect_uris"])


def test_litellm_reads_what_the_secret_has() -> None:
    given = {**GITOPS, **LITELLM}
    secret, values = _object(given, "litellm.sops.yaml"), _object(given, "litellm-values.yaml")
    assert values == {
        "environmentSecrets": [secret["metadata"]["name"]],
        "proxy_config": {"litellm_settings": {"callbacks": ["langfuse_otel"]}},
    }
    data = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    assert data == {
        "LANGFUSE_PUBLIC_KEY": "pk-lf-11111111",
        "LANGFUSE_SECRET_KEY": "sk-lf-22222222",
        "LANGFUSE_HOST": "http://langfuse-web.ai-system.svc.cluster.local:3000",
        "LANGFUSE_BASE_URL": "http://langfuse-web.ai-system.svc.cluster.local:3000",
    }


def _let_in(given: dict[str, Any], kind: str) -> dict[tuple[str, str], set[tuple[str, int]]]:
    """Namespace and pods of a service → components of the instance with the port at which they are let in."""
    found: dict[tuple[str, str], set[tuple[str, int]]] = {}
    for one in files(given)["docs/networkpolicy.yaml"].object:
        if one["kind"] != kind:
            continue
        selector = one["spec"].get("podSelector") or one["spec"]["endpointSelector"]
        (pods,) = selector["matchLabels"].values()
        entries = found.setdefault((one["metadata"]["namespace"], pods), set())
        assert "egress" not in one["spec"], "others' ways out are none of the instance's business"
        for rule in one["spec"]["ingress"]:
            if kind == "NetworkPolicy":
                ((peer,), (port,)) = rule["from"], rule["ports"]
                namespace = peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
                labels = peer["podSelector"]["matchLabels"]
            else:
                ((peer,), (opened,)) = rule["fromEndpoints"], rule["toPorts"]
                (port,) = opened["ports"]
                labels = peer["matchLabels"]
                namespace = labels.get("k8s:io.kubernetes.pod.namespace")
            assert namespace == (None if one["metadata"]["namespace"] == "ai-system" else "ai-system")
            assert "langfuse" in {
                labels.get("app.kubernetes.io/instance"),
                labels.get("cnpg.io/cluster", "").partition("-")[0],
            }
            entries.add((labels["app.kubernetes.io/component"], int(port["port"])))
    return found


@pytest.mark.parametrize("kind", ["NetworkPolicy", "CiliumNetworkPolicy"])
def test_shared_services_let_in_who_needs_them(kind: str) -> None:
    assert _let_in(GUIDE, kind) == {
        ("cache", "dragonfly"): {("web", 6379), ("worker", 6379)},
        ("storage", "rustfs"): {("web", 9000), ("worker", 9000), ("database", 9000)},
        ("identity", "keycloak"): {("web", 8080)},
        ("monitoring", "tempo"): {("web", 4318), ("worker", 4318)},
        ("ai-system", "litellm"): {("web", 4000), ("worker", 4000)},
    }


def test_policies_of_others_are_only_about_who_comes_in() -> None:
    for one in files(GUIDE)["docs/networkpolicy.yaml"].object:
        spec = one["spec"]
        assert spec.get("policyTypes", ["Ingress"]) == ["Ingress"]
        assert spec.get("enableDefaultDeny", {"ingress": True}) == {"ingress": True}
