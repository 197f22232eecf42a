"""The instance of the scenario, and what the API server says about its objects and pods.

`MOLECULE_KUBERNETES_NAMESPACE` takes it to another namespace, beside one that is there already; `MOLECULE_EPHEMERAL_DIRECTORY`
then has to be another one too.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import requests
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner

from tests.bench.cluster import programs
from tests.bench.cluster.api import Api, Object, has_condition
from tests.bench.cluster.layout import Layout
from tests.bench.paths import find_paths
from tests.molecule.instance import Deployed
from tests.waiting import wait_until

LAYOUT = Layout(find_paths())
DEFAULT = "ai-system"
STORES = ("clickhouse", "valkey", "seaweedfs", "database")
COMPONENTS = (*STORES, "web", "worker")


@cache
def api() -> Api:
    """The administrator's way to the API server."""
    return Api(LAYOUT.kubeconfig)


def kubectl(*words: str, stdin: str = "", timeout: float = 120) -> str:
    """Standard output of a command that the API alone does not have, like `exec`."""
    command = [*programs.kubectl(LAYOUT), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, input=stdin)
    if done.returncode:
        raise RuntimeError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


@dataclass(frozen=True)
class ClusterInstance(Deployed):
    """One instance in a namespace. This machine is the node, so that it reaches the addresses of Services."""

    namespace: str

    @property
    def url(self) -> str:
        return self._address("web", 3000)

    @property
    def s3_url(self) -> str:
        return self._address("seaweedfs", 8333)

    def _address(self, component: str, port: int) -> str:
        return f"http://{self.service(component)['spec']['clusterIP']}:{port}"

    def path(self, resource: str, name: str = "", group: str = "") -> str:
        """Of a kind's objects in the namespace, or of one; `group` like `apps/v1`."""
        root = f"/apis/{group}" if group else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{resource}{f'/{name}' if name else ''}"

    def service(self, component: str) -> Object:
        found: Object = api().get(self.path("services", f"{self.name}-{component}"))
        return found

    def deployment(self, component: str) -> Object:
        found: Object = api().get(self.path("deployments", f"{self.name}-{component}", "apps/v1"))
        return found

    def pods(self, component: str = "") -> list[Object]:
        """Pods of the namespace that are not about to go, those of one component where it is named."""
        return [pod for pod in self.all_pods() if component in ("", component_of(pod)) and is_alive(pod)]

    def all_pods(self) -> list[Object]:
        """Those that have ended too."""
        found: list[Object] = api().get(self.path("pods"))["items"]
        return found

    def pod(self, component: str) -> Object:
        """The only one."""
        (found,) = self.pods(component)
        return found

    def uids(self) -> dict[str, set[str]]:
        """Component → pods, each with its containers: a new pod or a restarted container changes it."""
        found: dict[str, set[str]] = {}
        for pod in self.pods():
            containers = " ".join(sorted(containers_of(pod)))
            found.setdefault(component_of(pod), set()).add(f"{pod['metadata']['uid']} {containers}")
        return found

    def change_given(self, name: str, value: str) -> None:
        """For all runs from now on. Its secrets are given, so that they can be recognised."""
        self.given_file.write_text(json.dumps({**self.given(), name: value}))

    def objects(self) -> list[Object]:
        """All objects of the cluster with the instance's labels, each with kind and version."""
        return list(everything(Owner(self.name, self.namespace).selector))

    def versions(self) -> dict[str, str]:
        """`Kind namespace/name` → `resourceVersion` of all that the playbooks apply."""
        return {title(found): found["metadata"]["resourceVersion"] for found in self.objects() if is_applied(found)}

    def settled(self) -> dict[str, str]:
        """The versions once they stay: pods that end still change the status of what made them."""
        seen = [self.versions()]

        def stays() -> bool:
            seen.append(self.versions())
            return seen[-1] == seen[-2] and not [
                one for one in self.all_pods() if one["metadata"].get("deletionTimestamp")
            ]

        wait_until("nothing moves any more", stays, 180, 2)
        return seen[-1]

    def claims(self) -> dict[str, str]:
        """Name → uid of the volumes' claims."""
        found = api().get(self.path("persistentvolumeclaims"))["items"]
        return {one["metadata"]["name"]: one["metadata"]["uid"] for one in found}

    def kept(self) -> dict[str, str]:
        """The same, and `Secret name` → uid of the Secrets."""
        found = api().get(self.path("secrets"))["items"]
        return {**self.claims(), **{f"Secret {one['metadata']['name']}": one["metadata"]["uid"] for one in found}}

    def works(self) -> bool:
        """Whether the worker says that PostgreSQL and Valkey answer it: traces alone need no PostgreSQL, as keys are remembered."""
        try:
            return requests.get(f"{self._address('worker', 3030)}/api/health", timeout=15).status_code == 200
        except requests.RequestException:
            return False

    def wait_ready(
        self, components: Iterable[str] = COMPONENTS, seconds: float = 120, not_uids: Iterable[str] = ()
    ) -> None:
        """Until each component has a ready pod with none of these uids."""
        wanted, old = set(components), set(not_uids)

        def ready() -> bool:
            good = [pod for pod in self.pods() if has_condition(pod, "Ready") and pod["metadata"]["uid"] not in old]
            return wanted <= {component_of(pod) for pod in good}

        wait_until(f"pods of {', '.join(sorted(wanted))} ready", ready, seconds)


def containers_of(pod: Mapping[str, Any]) -> list[str]:
    """Ids of its containers, as the node's runtime knows them."""
    statuses = pod["status"].get("containerStatuses") or ()
    return [each["containerID"].rpartition("/")[2] for each in statuses if each.get("containerID")]


def is_alive(pod: Mapping[str, Any]) -> bool:
    return pod["status"]["phase"] in ("Pending", "Running") and not pod["metadata"].get("deletionTimestamp")


def component_of(pod: Mapping[str, Any]) -> str:
    labels = pod["metadata"].get("labels") or {}
    return str(labels.get("app.kubernetes.io/component", ""))


def is_applied(found: Mapping[str, Any]) -> bool:
    """Not what a controller made for another object, like a ReplicaSet or a pod."""
    return not found["metadata"].get("ownerReferences") and found["kind"] not in ("Endpoints", "EndpointSlice", "Event")


def title(found: Mapping[str, Any]) -> str:
    metadata = found["metadata"]
    return f"{found['kind']} {metadata.get('namespace', '')}/{metadata['name']}"


def _kinds() -> Iterable[tuple[str, str, str]]:
    """(path of the group, plural, kind) of everything that is kept in namespaces; the preferred versions."""
    versions = ["v1"] + [each["preferredVersion"]["groupVersion"] for each in api().get("/apis")["groups"]]
    for version in versions:
        # What a pod measures and serves is kept nowhere, and the pod may be away.
        if version.partition("/")[0].endswith("metrics.k8s.io"):
            continue
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        for each in api().get(root)["resources"]:
            if each["namespaced"] and "list" in each["verbs"]:
                yield root, each["name"], each["kind"]


def everything(selector: str = "", namespace: str = "") -> Iterable[Object]:
    """All objects of a namespace, or of all namespaces with labels."""
    for root, plural, kind in _kinds():
        if kind == "Event" and root != "/api/v1":
            continue  # the same ones twice
        place = f"/namespaces/{namespace}" if namespace else ""
        query = f"?labelSelector={selector}" if selector else ""
        for found in api().get(f"{root}{place}/{plural}{query}")["items"]:
            yield {**found, "kind": kind, "apiVersion": root.removeprefix("/apis/").removeprefix("/api/")}


NAMESPACE = os.environ.get("MOLECULE_KUBERNETES_NAMESPACE") or DEFAULT
NAME = "langfuse" if NAMESPACE == DEFAULT else NAMESPACE
CLUSTER = ClusterInstance("molecule-cluster", "langfuse_cluster", NAME, NAMESPACE, scenario="kubernetes")
