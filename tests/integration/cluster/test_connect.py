"""`kubernetes_consumer` on a real cluster: what a sender's namespace gets, and what is left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.integration.cluster.running import LAYOUT, Namespace
from tests.integration.modules.conftest import call

pytestmark = [pytest.mark.engine]
CANARY = "sk-lf-Warbler-of-a-sender"
KEYS = {"LANGFUSE_PUBLIC_KEY", "LANGFUSE_HOST", "LANGFUSE_BASE_URL", "LANGFUSE_SECRET_KEY"}
URL = "http://langfuse-web.ai-system.svc.cluster.local:3000"


def _connect(place: Namespace, check: bool = False, **options: Any) -> dict[str, Any]:
    given = {
        "instance": "lf",
        "namespace": "ai-system",
        "kind": "litellm",
        "consumer_namespace": place.name,
        "secret": "langfuse-keys",
        "config_map": "langfuse-values",
        "values": {"LANGFUSE_PUBLIC_KEY": "pk-lf-1", "LANGFUSE_HOST": URL, "LANGFUSE_BASE_URL": URL},
        "secret_values": {"LANGFUSE_SECRET_KEY": CANARY},
        "cluster": {"kubeconfig": str(LAYOUT.kubeconfig)},
    }
    result = call("kubernetes_consumer", check=check, diff=True, **{**given, **options})
    assert CANARY not in json.dumps(result)
    return result


def _found(namespace: Namespace, kind: str, name: str) -> dict[str, Any]:
    done = namespace.running.kubectl(f"--namespace={namespace.name}", "get", kind, name, "--output=json")
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    return found


def test_a_sender_gets_its_keys_and_loses_them(namespace: Namespace) -> None:
    assert _connect(namespace, check=True)["changed"]
    assert _found(namespace, "secret", "langfuse-keys") == {}
    assert _connect(namespace)["changed"]
    made = _found(namespace, "secret", "langfuse-keys")
    assert set(made["data"]) == KEYS
    # The instance's own objects are found by other labels: `site` removes what it does not want of those.
    assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "llmops.langfuse.connect"
    files = _found(namespace, "configmap", "langfuse-values")["data"]
    assert yaml.safe_load(files["config.yaml"]) == {"litellm_settings": {"callbacks": ["langfuse_otel"]}}
    assert yaml.safe_load(files["values.yaml"])["environmentSecrets"] == ["langfuse-keys"]
    assert not _connect(namespace)["changed"]
    assert _found(namespace, "secret", "langfuse-keys") == made

    words = (
        "patch",
        "secret",
        "langfuse-keys",
        "--type=merge",
        '--patch={"stringData":{"LANGFUSE_HOST":"x","MINE":"y"}}',
    )
    namespace.running.kubectl(f"--namespace={namespace.name}", *words)
    assert _connect(namespace, check=True)["changed"] and _connect(namespace)["changed"]
    repaired = _found(namespace, "secret", "langfuse-keys")["data"]
    assert repaired.pop("MINE") and repaired == made["data"], "a key of others in it stays"

    assert _connect(namespace, check=True, state="absent")["changed"]
    assert _found(namespace, "secret", "langfuse-keys")
    assert _connect(namespace, state="absent")["changed"]
    assert _found(namespace, "secret", "langfuse-keys") == _found(namespace, "configmap", "langfuse-values") == {}
    assert not _connect(namespace, state="absent")["changed"]


def test_an_object_of_others_is_refused_and_never_removed(namespace: Namespace) -> None:
    words = ("create", "configmap", "langfuse-values", "--from-literal=theirs=1")
    namespace.running.kubectl(f"--namespace={namespace.name}", *words)
    refused = _connect(namespace)
    assert refused["code"] == "foreign_object" and "another config_map" in refused["cure"], refused
    assert _found(namespace, "secret", "langfuse-keys") == {}, "one of two was made"
    assert not _connect(namespace, state="absent")["changed"]
    assert _found(namespace, "configmap", "langfuse-values")["data"] == {"theirs": "1"}
    # Nor is what another instance of this collection keeps there.
    assert _connect(namespace, config_map=None)["changed"]
    refused = _connect(namespace, config_map=None, instance="another")
    assert refused["code"] == "foreign_object" and "another secret" in refused["cure"], refused


def test_a_namespace_that_is_not_there_is_told_by_the_entry(namespace: Namespace) -> None:
    result = _connect(namespace, consumer_namespace="k-t-nowhere")
    assert result["code"] == "no_namespace" and "langfuse_consumers" in result["cure"], result


def test_the_proof_needs_what_the_secret_says(namespace: Namespace) -> None:
    _connect(namespace, config_map=None, secret_values={})
    result = _connect(namespace, config_map=None, prove=True)
    assert result["code"] == "names_missing" and "LANGFUSE_SECRET_KEY" in result["msg"], result
    _connect(namespace, config_map=None)
    result = _connect(namespace, config_map=None, prove=True)
    assert result["failed"] and result["code"] in ("name", "key_refused"), result
    assert "langfuse_consumers" in result["cure"] or "site" in result["cure"]
