"""A second `kubernetes_apply` on an instance in a cluster that has nothing to do, against `kubectl apply` of the same objects."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.llmops.langfuse.plugins.filter.derive import derive
from ansible_collections.llmops.langfuse.plugins.filter.kubernetes_objects import kubernetes_objects
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import FIELD_MANAGER
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.secrets import candidates

from tests.bench import extras
from tests.bench.cluster import control_plane, postgresql, programs, runtime, volumes
from tests.bench.cluster.api import Api
from tests.bench.cluster.layout import Layout
from tests.bench.paths import find_paths
from tests.benchmarks.figures import Broken, Section, ratio_row, seconds
from tests.benchmarks.instance import ROOT, Instance, environment_of_a_user

ROUNDS = 5
NAMESPACE = "langfuse-benchmark"
_MODULE = "ansible_collections.llmops.langfuse.plugins.modules.kubernetes_apply"
_LAYOUT = Layout(find_paths())
_GONE_SECONDS = 180


# What they ask for would keep them off a node of two cores that has other pods.
_LITTLE = {"requests": {"cpu": "10m", "memory": "64Mi"}}
# PostgreSQL's operator takes no less memory than the shared buffers.
_SMALL = dict.fromkeys(("web", "worker", "clickhouse", "valkey", "seaweedfs"), _LITTLE) | {
    "postgres": {"requests": {"cpu": "10m"}}
}


def variables(bench: Mapping[str, Any]) -> dict[str, Any]:
    """An instance with all its stores and two of web. bench: the images that are there."""
    return {
        **bench,
        "langfuse_target": "kubernetes",
        "langfuse_kubernetes_namespace": NAMESPACE,
        "langfuse_public_url": "https://langfuse.example.com",
        "langfuse_expose": "service",
        "langfuse_init_user_email": "admin@example.com",
        "langfuse_web_replicas": 2,
        "langfuse_storage_class": volumes.storage_class()["metadata"]["name"],
        "langfuse_kubernetes_resources": _SMALL,
        "cnpg_enabled": True,
        "langfuse_postgres_image": extras.ensure(_LAYOUT.paths, postgresql.INSTANCES),
    }


def _objects(bench: Path) -> tuple[str, list[dict[str, Any]]]:
    """Name of the instance, and what the role gives to the module; the images of it are on the node then."""
    given = variables(yaml.safe_load(bench.read_text()))
    derived = derive(given, list(given), ["localhost"], {}, candidates({}))
    if derived["problems"]:
        raise Broken(f"derive refused its input: {derived['problems']}")
    for reference in sorted(set(derived["plan"]["images"].values())):
        runtime.add_from_docker(_LAYOUT, reference, {})
    return derived["plan"]["instance"], kubernetes_objects(derived["plan"], derived["secrets"])


def _run(what: str, command: Sequence[str]) -> tuple[float, str]:
    """Seconds and standard output of a process that must end well."""
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environment_of_a_user(), capture_output=True, text=True, timeout=900, check=False
    )
    took = time.monotonic() - began
    if done.returncode:
        raise Broken(f"{what} ended with status {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return took, done.stdout


def _versions(api: Api, objects: Sequence[dict[str, Any]]) -> dict[str, tuple[int | None, str]]:
    """Path → generation, and when we last wrote it: nobody else's writes count."""
    found = {}
    for one in objects:
        path = api.path_of(one)
        metadata = api.get(path)["metadata"]
        ours = [each["time"] for each in metadata["managedFields"] if each["manager"] == FIELD_MANAGER]
        found[path] = (metadata.get("generation"), max(ours))
    return found


def _play(home: Path, task: Mapping[str, Any]) -> str:
    path = home / "apply.yml"
    steps = [{"name": "Apply", **task}]
    path.write_text(yaml.safe_dump([{"hosts": "langfuse", "gather_facts": False, "tasks": steps}]))
    return str(path)


def measure(instance: Instance) -> Section:
    """The cluster must be up, with CloudNativePG. Its namespace is the measurement's own, and gone after it."""
    if not control_plane.is_up(_LAYOUT):
        raise Broken("the cluster is not up: python -m tests.bench.cluster up --with cnpg")
    api = Api(_LAYOUT.kubeconfig)
    try:
        return _measure(instance, api)
    finally:
        _leave(api)


def _leave(api: Api) -> None:
    databases, place = (
        f"/apis/postgresql.cnpg.io/v1/namespaces/{NAMESPACE}/databases",
        f"/api/v1/namespaces/{NAMESPACE}",
    )
    deadline = time.monotonic() + _GONE_SECONDS
    # The operator lets go of them only while their server is there.
    api.delete(databases)
    while (api.find(databases) or {}).get("items") and time.monotonic() < deadline:
        time.sleep(1)
    api.delete(place)
    while api.find(place) and time.monotonic() < deadline:
        time.sleep(1)


def _measure(instance: Instance, api: Api) -> Section:
    name, manifests = _objects(find_paths().variables)
    objects = [one["object"] for one in manifests]
    options = {"instance": name, "namespace": NAMESPACE, "kubeconfig": str(_LAYOUT.kubeconfig), "timeout": 600}
    arguments, documents = instance.home / "arguments.json", instance.home / "objects.yml"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {**options, "objects": json.dumps(manifests)}}))
    documents.write_text(yaml.safe_dump_all(objects))
    module = [sys.executable, "-m", _MODULE, str(arguments)]
    kubectl = [
        *programs.kubectl(_LAYOUT),
        *("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", f"--filename={documents}"),
    ]
    _run("the first kubernetes_apply", module)
    _run("kubectl", kubectl)
    before = _versions(api, objects)
    ours, floor = [], []
    for _round in range(ROUNDS):
        floor.append(_run("kubectl", kubectl)[0])
        took, said = _run("a second kubernetes_apply", module)
        if json.loads(said)["changed"]:
            raise Broken(f"a second kubernetes_apply changed something:\n{said[-3000:]}")
        ours.append(took)
    contents = instance.home / "objects.json"
    contents.write_text(json.dumps(manifests))
    given = f"{{{{ lookup('ansible.builtin.file', '{contents}') | from_json }}}}"
    task = _play(instance.home, {"llmops.langfuse.kubernetes_apply": {**options, "objects": given}})
    whole = [instance.playbook(task).seconds for _round in range(3)]
    nothing = _play(instance.home, {"ansible.builtin.meta": "noop"})
    started = [instance.playbook(nothing).seconds for _round in range(3)]
    if before != _versions(api, objects):
        raise Broken("applying what is there already moved something")
    kinds = len({one["kind"] for one in objects})
    return Section(
        "A second `kubernetes_apply`",
        [ratio_row(f"second `kubernetes_apply`, {len(objects)} objects of a cluster", ours, floor, 3)],
        [
            f"{ROUNDS} runs each, in turns, on a healthy instance with all its stores in a cluster of one real node: {len(objects)} "
            f"objects of {kinds} kinds. Ours is the process of the module, with Python's start; it looks for objects that are no "
            "longer wanted, asks the API server in a dry run, and looks whether all is ready. The floor is `kubectl apply "
            "--server-side` of the same objects by the same field manager. Neither moved an object.",
            f"As the one task of a play it takes {seconds(whole)}. Ansible's own start and end are "
            f"{statistics.median(started):.2f} s of it, seen on a play that does nothing.",
        ],
    )
