"""The places of a cluster in which no secret may show."""

from __future__ import annotations

import json
from typing import Any

from tests.molecule import canary
from tests.molecule.kubernetes.instance import ClusterInstance, everything, kubectl, title

# SeaweedFS tells the name of its user when it starts, not what that one proves it with.
USER = f"accessKey={canary.CLUSTERS.values['langfuse_s3_access_key']}"


def assert_hidden(cluster: ClusterInstance, output: str, processes: set[str]) -> None:
    """No secret in what a playbook said, in command lines seen on the node, in objects, events or logs of pods."""
    canary.assert_empty(
        {
            "output": canary.CLUSTERS.found_in(output),
            "process list": sorted(processes),
            "objects": in_objects(cluster),
            "logs": in_logs(cluster),
        }
    )


def in_objects(cluster: ClusterInstance) -> list[str]:
    """Everything of the namespace and what the instance has elsewhere, events too; of Secrets all but their data."""
    found: list[str] = []
    elsewhere = [each for each in cluster.objects() if each["metadata"]["namespace"] != cluster.namespace]
    for each in (*everything(namespace=cluster.namespace), *elsewhere):
        shown: dict[str, Any] = {
            name: value for name, value in each.items() if name != "data" or each["kind"] != "Secret"
        }
        text = json.dumps(shown, indent=0)
        found += [f"{title(each)}: {line}" for line in canary.CLUSTERS.found_in(text)]
    return found


def in_logs(cluster: ClusterInstance) -> list[str]:
    """What containers said, those before a restart included."""
    found: list[str] = []
    for pod in cluster.all_pods():
        name, statuses = pod["metadata"]["name"], pod["status"].get("containerStatuses") or ()
        for each in statuses:
            # One that never started said nothing.
            runs = ["--previous=false"] if "running" in each["state"] or "terminated" in each["state"] else []
            runs += ["--previous=true"] if each["restartCount"] else []
            for run in runs:
                text = kubectl("logs", f"--namespace={cluster.namespace}", name, f"--container={each['name']}", run)
                found += [f"{name}: {line}" for line in canary.CLUSTERS.found_in(text) if USER not in line]
    return found
