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


def _ports(rule: dict[str, Any]) -> tuple[list[dict[str, str]], int]:
    """Labels of the other ends of a rule, the namespace under the name that it has in both forms; and the port."""
    if ports := rule.get("ports"):
        (port,), (peer,) = ports, rule.get("from") or rule["to"]
        namespace = peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
        labels = [
            {**peer.get("podSelector", {}).get("matchLabels", {}), **({"namespace": namespace} if namespace else {})}
        ]
    else:
        ((port,),) = (opened["ports"] for opened in rule["toPorts"])
        ends = rule.get("fromEndpoints") or rule.get("toEndpoints") or ()
        labels = [
            {"namespace" if name == "k8s:io.kubernetes.pod.namespace" else name: value for name, value in one.items()}
            for one in (each["matchLabels"] for each in ends)
        ]
    return labels, int(port["port"])


def _policies(kind: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one["spec"]
        for one in files(GUIDE)["docs/networkpolicy.yaml"].object
        if one["kind"] == kind
    }


KINDS = ["NetworkPolicy", "CiliumNetworkPolicy"]


@pytest.mark.parametrize("kind", KINDS)
def test_shared_services_let_in_who_needs_them(kind: str) -> None:
    found: dict[tuple[str, str], set[tuple[str, int]]] = {}
    for (namespace, _name), spec in _policies(kind).items():
        (pods,) = (spec.get("podSelector") or spec["endpointSelector"])["matchLabels"].values()
        for rule in spec.get("ingress", []):
            if rule.get("fromEntities"):
                # Cilium's own gateway.
                assert (namespace, rule["fromEntities"]) == ("storage", ["ingress"])
                continue
            ((labels,), port) = _ports(rule)
            home = labels.pop("namespace", "ai-system")
            assert labels.get("app.kubernetes.io/instance") == "langfuse" or "cnpg.io/cluster" in labels or not labels
            who = labels.get("app.kubernetes.io/component", f"all of {home}")
            assert home == "ai-system" or not labels
            found.setdefault((namespace, pods), set()).add((who, port))
    assert found == {
        ("cache", "dragonfly"): {("web", 6379), ("worker", 6379)},
        # Browsers fetch media and exports by the gateway.
        ("storage", "rustfs"): {("web", 9000), ("worker", 9000), ("database", 9000), ("all of network", 9000)},
        ("identity", "keycloak"): {("web", 8080)},
        ("monitoring", "tempo"): {("web", 4318), ("worker", 4318)},
        ("ai-system", "litellm"): {("web", 4000), ("worker", 4000)},
    }


@pytest.mark.parametrize("kind", KINDS)
def test_litellm_reaches_web(kind: str) -> None:
    spec = _policies(kind)["ai-system", "langfuse-from-litellm"]
    assert (spec.get("podSelector") or spec["endpointSelector"])["matchLabels"] == {"app.kubernetes.io/name": "litellm"}
    (rule,) = spec["egress"]
    web = {"name": "langfuse", "instance": "langfuse", "component": "web"}
    assert _ports(rule) == ([{f"app.kubernetes.io/{name}": value for name, value in web.items()}], 3000)


def test_each_policy_of_others_is_about_one_way_alone() -> None:
    """The other one, where nothing was closed, stays open."""
    for kind in KINDS:
        for (_namespace, name), spec in _policies(kind).items():
            way = "egress" if name == "langfuse-from-litellm" else "ingress"
            assert {"ingress", "egress"} & set(spec) == {way}
            assert spec.get("policyTypes", [way.capitalize()]) == [way.capitalize()]
            assert spec.get("enableDefaultDeny", {way: True}) == {way: True}
