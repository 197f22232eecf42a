"""A small instance in a namespace of its own, and whole playbooks against the cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner

from tests.integration.cluster import objects
from tests.integration.cluster.objects import Document
from tests.integration.cluster.running import LAYOUT, Running
from tests.integration.host.machine import hosts, play
from tests.integration.modules.conftest import call
from tests.molecule.playbook import CACHE, Run

Result = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """An instance `lf` in a namespace of its own, which is not there yet."""

    running: Running
    owner: Owner

    @property
    def image(self) -> str:
        return self.running.image

    def call(self, module: str, *documents: Document, check: bool = False, **options: Any) -> Result:
        given = {"instance": self.owner.instance, "namespace": self.owner.namespace}
        contents = json.dumps(list(documents))
        merged = {**given, "kubeconfig": str(LAYOUT.kubeconfig), "objects": contents, **options}
        result = call(module, check=check, diff=True, **merged)
        assert objects.CANARY not in json.dumps(result) and "Q2FuYXJ5" not in json.dumps(result)
        return result

    def apply(self, *documents: Document, check: bool = False, **options: Any) -> Result:
        return self.call("kubernetes_apply", *documents, check=check, **{"timeout": 120, **options})

    def kubectl(self, *words: str) -> str:
        done = self.running.kubectl(f"--namespace={self.owner.namespace}", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def versions(self) -> dict[str, str]:
        found = json.loads(self.kubectl("get", "secret,configmap,job,deployment", "--output=json"))["items"]
        return {f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in found}

    def deployment(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "deployment", "lf-web", "--output=json"))
        return found

    def find(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "--output=json", "--show-managed-fields"))
        return found

    def make_namespace(self, **labels: str) -> None:
        metadata = {"name": self.owner.namespace, "labels": labels}
        self.running.api.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
        where = f"/api/v1/namespaces/{self.owner.namespace}/serviceaccounts/default"
        self.running.api.wait(where, bool, "service account of a new namespace")

    def names(self) -> list[str]:
        """All that an instance might leave, and what others have."""
        kinds = "all,secret,configmap,serviceaccount,pvc,networkpolicy,poddisruptionbudget,cluster.postgresql.cnpg.io"
        return self.kubectl("get", kinds, "--output=name").split()

    def bind(self, role: dict[str, Any]) -> None:
        """Gives a role to the namespace's own account."""
        kind, metadata = role["kind"], role["metadata"]
        group = "rbac.authorization.k8s.io"
        subject = {"kind": "ServiceAccount", "name": "default", "namespace": self.owner.namespace}
        reference = {"apiGroup": group, "kind": kind, "name": metadata["name"]}
        binding = {"apiVersion": f"{group}/v1", "kind": f"{kind}Binding", "metadata": metadata}
        self.running.api.apply([role, {**binding, "roleRef": reference, "subjects": [subject]}])

    def is_there(self) -> bool:
        return self.running.api.find(f"/api/v1/namespaces/{self.owner.namespace}") is not None

    def account(self, change: Callable[[dict[str, Any]], None]) -> str:
        """A kubeconfig like the administrator's, changed."""
        content = yaml.safe_load(LAYOUT.kubeconfig.read_text())
        change(content)
        path = LAYOUT.state / f"{self.owner.namespace}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(content))
        return str(path)


@dataclass(frozen=True)
class Site:
    """Playbooks for an instance whose PostgreSQL is an operator's; nothing of it is there yet."""

    place: Place
    home: Path

    @property
    def secrets_file(self) -> Path:
        return self.home / "secrets.yml"

    def play(self, playbook: str, *words: str, fails: bool = False, **variables: Any) -> Run:
        """The variables are the inventory's, so that no process shows them."""
        inventory = self.home / "inventory.json"
        instance = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "langfuse_target": "kubernetes",
            "langfuse_kubernetes_kubeconfig": str(LAYOUT.kubeconfig),
            "langfuse_kubernetes_namespace": self.place.owner.namespace,
            "langfuse_expose": "service",
            "langfuse_public_url": "http://langfuse.example.com",
            "cnpg_enabled": True,
            **variables,
        }
        inventory.touch(mode=0o600)
        inventory.write_text(json.dumps(hosts("cluster", self.secrets_file, **instance)))
        return play(
            inventory,
            f"llmops.langfuse.{playbook}",
            f"-e@{CACHE}/bench/vars.yml",
            *words,
            fails=fails,
        )
