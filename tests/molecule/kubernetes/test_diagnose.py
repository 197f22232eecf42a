"""`diagnose` and `status` of an instance that somebody has broken."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.molecule import canary, playbook
from tests.molecule.kubernetes.instance import ClusterInstance, kubectl

DIAGNOSE, STATUS = "llmops.langfuse.diagnose", "llmops.langfuse.status"
_CANARY = "Warbler-of-a-hand"


@pytest.fixture
def broken(cluster: ClusterInstance) -> Iterator[ClusterInstance]:
    """No worker, a web whose image nobody has beside the old one, and a Secret that changed under the pods."""
    place, worker, web = f"--namespace={cluster.namespace}", f"{cluster.name}-worker", f"{cluster.name}-web"
    secret = {"stringData": {"extra": _CANARY}}
    kubectl(
        "patch", "secret", f"{cluster.name}-redis-credentials", place, "--type=merge", f"--patch={json.dumps(secret)}"
    )
    kubectl("scale", "deployment", worker, place, "--replicas=0")
    kubectl("set", "image", f"deployment/{web}", place, "web=bench.localhost/nothing:1")
    yield cluster
    playbook.site(cluster)
    cluster.wait_ready()


def test_causes_and_state_are_told(broken: ClusterInstance) -> None:
    said = playbook.run(broken, DIAGNOSE, *playbook.LOUD, fails=True)
    said.mentions(
        "pod_image (error)",
        "langfuse_image_pull",
        f"scaled_to_zero (error): Somebody has scaled this to no pods: Deployment {broken.name}-worker",
        f"secret_not_rolled (error): A Secret was changed after pods that read it had started: {broken.name}-redis-credentials",
        "kubectl rollout restart",
    )
    assert canary.CLUSTERS.found_in(said.output, _CANARY) == []
    assert said.changed == 0

    state = playbook.run(broken, STATUS)
    state.mentions("NOT as it should be", "worker 0/0 nothing runs", "worker: DOWN", "web: Langfuse 4.16.0")
    assert state.changed == 0


def test_a_sound_instance_is_told_as_such(cluster: ClusterInstance) -> None:
    image = cluster.pod("web")["spec"]["containers"][0]["image"]
    said = playbook.run(cluster, STATUS, "--check")
    said.mentions("as it should be", f"web 1/1 {image}", "0 waiting", "is done")
    assert "NOT" not in said.output.split("TASK")[-1]
