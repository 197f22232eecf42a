"""The real LiteLLM as a pod of a sender: this machine's own files, and nothing but the Secret that `connect` wrote."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from tests.integration.senders import environments
from tests.molecule.kubernetes.instance import ClusterInstance, api, kubectl
from tests.waiting import wait_until

_SCRIPT = environments.HERE / "clients" / "litellm_library.py"
# LiteLLM alone is loaded in 5 s, beside other suites in a minute.
_SECONDS = 180


def call(cluster: ClusterInstance, namespace: str, secret: str, config_map: str, tag: str) -> list[str]:
    """Calls of a model that is not there, with the callbacks of the configuration; returns these.

    The node is this machine, so that the pod can have its Python and LiteLLM.
    """
    written = api().get(f"/api/v1/namespaces/{namespace}/configmaps/{config_map}")["data"]["config.yaml"]
    callbacks: list[str] = yaml.safe_load(written)["litellm_settings"]["callbacks"]
    python = environments.python(environments.LITELLM)
    folders = (Path("/usr"), Path(sys.base_prefix), python.parent.parent, _SCRIPT.parent)
    values = {**environments.LITELLM_QUIET, "TAG": tag, "CALLBACKS": " ".join(callbacks), "HOME": "/tmp"}
    container = {
        "name": "litellm",
        "image": cluster.pod("web")["spec"]["containers"][0]["image"],
        "command": [str(python), str(_SCRIPT)],
        "envFrom": [{"secretRef": {"name": secret}}],
        "env": [{"name": name, "value": value} for name, value in values.items()],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [
            {"name": f"v{number}", "mountPath": str(path), "readOnly": True} for number, path in enumerate(folders)
        ],
    }
    volumes = [{"name": f"v{number}", "hostPath": {"path": str(path)}} for number, path in enumerate(folders)]
    spec = {
        "containers": [container],
        "volumes": volumes,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
    }
    metadata = {"name": "litellm", "namespace": namespace}
    api().apply([{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}])
    phase = wait_until("the calls are done", lambda: _ended(namespace), _SECONDS)
    said = kubectl("logs", f"--namespace={namespace}", "litellm")
    assert phase == "Succeeded", said
    return callbacks


def _ended(namespace: str) -> str:
    phase: str = api().get(f"/api/v1/namespaces/{namespace}/pods/litellm").get("status", {}).get("phase", "")
    return phase if phase in ("Succeeded", "Failed") else ""
