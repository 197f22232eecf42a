"""The way to a cluster: kubeconfigs that do not work, and servers that do not answer. What answers is an integration test."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import Cluster

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: here, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: me, user: {token: Canary-of-the-token}}]
contexts: [{name: mine, context: {cluster: here, user: me}}]
current-context: mine
"""


def _kubeconfig(directory: Path, text: str = KUBECONFIG) -> str:
    path = directory / "kubeconfig"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "context", "why"),
    [
        ("token: [Canary-of-the-token", None, "it is not a kubeconfig"),
        ("Canary-of-the-token", None, "it is not a kubeconfig"),
        (KUBECONFIG, "theirs", "it has no context theirs"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used(tmp_path: Path, text: str, context: str | None, why: str) -> None:
    with pytest.raises(Failure) as caught:
        Cluster(_kubeconfig(tmp_path, text), context)
    told = caught.value.as_result()
    assert told["code"] == "kubeconfig" and why in told["msg"] and "langfuse_kubernetes_kubeconfig" in told["cure"]
    assert "Canary" not in str(told)


def test_a_kubeconfig_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failure, match="there is no such file"):
        Cluster(str(tmp_path / "none"))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(Failure, match="there is no such file"):
        Cluster()


def test_one_of_the_environment_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{_kubeconfig(tmp_path)}")
    with pytest.raises(Failure) as caught:
        Cluster().version()
    assert caught.value.code == "unreachable"
    assert caught.value.message.startswith("The API server https://127.0.0.1:9 does not answer: Failed to establish")
    assert "HTTPSConnection" not in caught.value.message
