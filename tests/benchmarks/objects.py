"""The objects of 50 instances in a cluster, against PyYAML's text of the same objects."""

from __future__ import annotations

import time
from typing import Any

import yaml
from ansible_collections.llmops.langfuse.plugins.filter.derive import derive
from ansible_collections.llmops.langfuse.plugins.filter.kubernetes_objects import kubernetes_objects
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.secrets import candidates

from tests.benchmarks.figures import Broken, Section, ratio_row

INSTANCES = 50
# Writing that text takes 5 s a round.
ROUNDS = 2
KINDS = 15


def variables(number: int) -> dict[str, Any]:
    """One of many instances with everything around it that the platform may have."""
    return {
        "langfuse_target": "kubernetes",
        "langfuse_instance": f"team-{number}",
        "langfuse_public_url": f"https://langfuse-{number}.example.com",
        "langfuse_init_user_email": f"team-{number}@example.com",
        "langfuse_web_replicas": 2,
        "langfuse_autoscaling": "keda",
        "cnpg_enabled": True,
        "network_policies_enabled": True,
        "langfuse_network_policy_kind": "both",
        "monitoring_enabled": True,
        "langfuse_monitoring_enabled": True,
    }


def measure() -> Section:
    drawn = candidates({})
    derived = [derive(given, list(given), ["localhost"], {}, drawn) for given in map(variables, range(INSTANCES))]
    if broken := [one["problems"] for one in derived if one["problems"]]:
        raise Broken(f"derive refused its input: {broken[0]}")
    ours, floor = [], []
    for _round in range(ROUNDS):
        began = time.process_time()
        built = [kubernetes_objects(one["plan"], one["secrets"]) for one in derived]
        ours.append(time.process_time() - began)
        objects = [[manifest["object"] for manifest in manifests] for manifests in built]
        if len({one["kind"] for one in objects[0]}) < KINDS:
            raise Broken(f"only {len({one['kind'] for one in objects[0]})} kinds of objects were built")
        began = time.process_time()
        for one in objects:
            yaml.safe_dump_all(one)
        floor.append(time.process_time() - began)
    return Section(
        "Objects of Kubernetes",
        [ratio_row(f"objects of {INSTANCES} instances", ours, floor, 3)],
        [
            f"{ROUNDS} rounds, the seconds are those of the processor. Ours is the filter `llmops.langfuse.kubernetes_objects`, "
            f"{len(objects[0])} objects of {len({one['kind'] for one in objects[0]})} kinds an instance; the floor is "
            "`yaml.safe_dump_all` of the same objects."
        ],
    )
