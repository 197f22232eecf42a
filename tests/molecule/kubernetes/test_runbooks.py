"""What runbook and guide say of a cluster: something is broken, the page's commands show it, mend it and prove it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator

import pytest
import requests

from tests.bench.cluster import programs
from tests.bench.cluster.api import has_condition
from tests.molecule import playbook, runbook
from tests.molecule.kubernetes.instance import LAYOUT, ClusterInstance, api, kubectl
from tests.molecule.traces import Bucket, Traces
from tests.waiting import wait_until

PAGE, GUIDE = "cluster", "../guides/kubernetes"
FIND, SERVICES = "Find the cause", "What is where"
# What changes something, does not end, or is about a container that is not there any more.
_OTHERS = ("rollout", "port-forward", "--previous")


def words_for(instance: ClusterInstance, words: list[str]) -> list[str]:
    """A command of the page, which is about `langfuse` in `ai-system`, for this instance."""
    named = [re.sub(r"\blangfuse(?=-(web|worker|clickhouse|postgresql)\b)", instance.name, word) for word in words]
    return [word.replace("ai-system", instance.namespace) for word in named]


def shown(instance: ClusterInstance, page: str, heading: str, wanted: Callable[[list[str]], bool] | None = None) -> str:
    """What the page's `kubectl` commands below a heading say; of all that only show something, unless `wanted`."""
    chosen = wanted or (lambda words: not set(words) & set(_OTHERS))
    found = [words for words in runbook.lines(page, heading) if words[0] == "kubectl" and chosen(words)]
    assert found, heading
    # Some of them wait themselves, two minutes at most.
    return "\n".join(kubectl(*words_for(instance, words)[1:], timeout=180) for words in found)


def mended(instance: ClusterInstance, heading: str) -> playbook.Run:
    """The playbook that a section ends with, from its last line."""
    (*_others, words) = runbook.commands(PAGE, heading)
    return playbook.run(instance, *words[3:])


def named(instance: ClusterInstance, *said: str) -> None:
    """What the page tells to run first names all of this, in a time that one waits for at night."""
    words = runbook.commands("cluster", "Find the cause")[0]
    done = playbook.run(instance, *words[3:], fails=True)
    done.mentions(*said)
    assert done.seconds < 180


SECTIONS = [
    ("cluster", "Find the cause"),
    ("cluster", "Web or worker start again and again"),
    ("cluster", "A pod has no place"),
    ("cluster", "An image does not come"),
    ("cluster", "The migration failed"),
    ("cluster", "The worker does not process"),
    ("cluster", "ClickHouse times out"),
    ("cluster", "The object store"),
    ("cluster", "A sender cannot reach it"),
    ("cluster", "The way from outside"),
    ("cluster", "CloudNativePG"),
    (GUIDE, "What is where"),
]


@pytest.mark.parametrize(("page", "heading"), SECTIONS)
def test_what_only_shows_works_on_an_instance_that_is_well(cluster: ClusterInstance, page: str, heading: str) -> None:
    shown(cluster, page, heading)


def test_every_section_that_has_a_symptom_ends_in_a_command() -> None:
    table = (runbook.RUNBOOKS / f"{PAGE}.md").read_text("utf-8")
    sections = {
        re.sub(r"[^a-z -]", "", name.lower()).replace(" ", "-"): lines for name, lines in runbook.sections(PAGE).items()
    }
    targets = set(re.findall(r"\(#([a-z-]+)\)", table))
    assert targets == {name for name, lines in sections.items() if lines} - {"find-the-cause"}


def test_the_port_forward_of_the_guide(cluster: ClusterInstance) -> None:
    (words,) = [words for words in runbook.lines(GUIDE, SERVICES) if "port-forward" in words]
    command = [*words_for(cluster, words)[1:-1], "13000:3000"]
    with subprocess.Popen([*programs.kubectl(LAYOUT), *command]) as process:
        try:
            for path in ("health", "ready"):
                address = f"http://localhost:13000/api/public/{path}"
                wait_until(address, lambda address=address: _answers(address), 60)
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def test_stores_and_worker_that_are_gone(cluster: ClusterInstance) -> None:
    """What was accepted before is there afterwards."""
    where, names = f"--namespace={cluster.namespace}", [f"{cluster.name}-{one}" for one in ("worker", "clickhouse")]
    kubectl("scale", where, "--replicas=0", f"deployment/{names[0]}")
    wait_until("the worker is gone", lambda: not cluster.pods("worker"), 120)
    traces = Traces(cluster)
    waiting, status = traces.send("while-the-worker-was-away")
    assert status == 200
    kubectl("scale", where, "--replicas=0", f"statefulset/{names[1]}")
    Bucket(cluster).delete("langfuse-exports")
    named(
        cluster, "scaled_to_zero (error)", names[0], "clickhouse_down (error)", "s3_bucket_missing (error)", "Run site"
    )
    assert "0/0" in shown(cluster, PAGE, "The worker does not process", lambda words: "deployments" in words)
    mended(cluster, "The worker does not process").mentions("trace ok")
    assert "langfuse-exports" in Bucket(cluster).names()
    assert traces.missing("while-the-worker-was-away", [waiting], 60) == set()


def test_pods_without_image_or_place(cluster: ClusterInstance) -> None:
    """The pods of before serve meanwhile."""
    web, worker = (f"{cluster.name}-{one}" for one in ("web", "worker"))
    where = f"--namespace={cluster.namespace}"
    kubectl("set", "image", where, f"deployment/{web}", "web=bench.localhost/langfuse/langfuse:0.0.0")
    patch = '{"spec": {"template": {"spec": {"nodeSelector": {"disk": "none-has-it"}}}}}'
    kubectl("patch", where, f"deployment/{worker}", "--patch", patch)
    wait_until("both tell", lambda: _waits(cluster), 120)
    image = shown(cluster, PAGE, "An image does not come")
    assert "langfuse:0.0.0" in image and "is not present with pull policy of Never" in image
    place = shown(cluster, PAGE, "A pod has no place")
    assert "didn't match Pod's node affinity/selector" in place
    assert "ErrImageNeverPull" in shown(cluster, PAGE, FIND)
    named(cluster, "pod_image (error)", "langfuse:0.0.0", "pod_unschedulable (error)", "langfuse_node_selector")
    mended(cluster, "An image does not come").mentions("trace ok")


def _waits(cluster: ClusterInstance) -> bool:
    reasons = {
        status.get("state", {}).get("waiting", {}).get("reason")
        for pod in cluster.pods()
        for status in pod["status"].get("containerStatuses", [])
    }
    scheduled = [has_condition(pod, "PodScheduled") for pod in cluster.pods("worker")]
    return "ErrImageNeverPull" in reasons and not all(scheduled)


def test_a_web_that_ended(cluster: ClusterInstance) -> None:
    pod = cluster.pod("web")["metadata"]["name"]
    kubectl("exec", f"--namespace={cluster.namespace}", pod, "--", "sh", "-c", "kill -KILL -1 || true")
    wait_until("web was started again", lambda: _restarts(cluster) > 0, 120)
    heading = "Web or worker start again and again"
    assert shown(cluster, PAGE, heading, lambda words: "--previous" in words)
    assert "Last State" in shown(cluster, PAGE, heading, lambda words: "describe" in words)
    cluster.wait_ready(["web"])


def _restarts(cluster: ClusterInstance) -> int:
    return sum(each["restartCount"] for each in cluster.pod("web")["status"]["containerStatuses"])


@pytest.fixture
def closed(cluster: ClusterInstance) -> Iterator[str]:
    """A policy of somebody else, beside those of the instance, that lets nobody in at web."""
    name, path = "theirs-for-audit", cluster.path("networkpolicies", "theirs-for-audit", "networking.k8s.io/v1")
    labels = {"matchLabels": {"app.kubernetes.io/component": "web"}}
    metadata = {"name": name, "namespace": cluster.namespace}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata}
    api().apply([{**policy, "spec": {"podSelector": labels, "policyTypes": ["Ingress"]}}])
    yield name
    api().delete(path)


def test_a_policy_of_somebody_else_is_shown(cluster: ClusterInstance, closed: str) -> None:
    heading = "A sender cannot reach it"
    theirs = shown(cluster, PAGE, heading, lambda words: any("!=" in word for word in words))
    assert closed in theirs and f"{cluster.name} " not in theirs
    assert closed in shown(cluster, PAGE, heading)


def test_a_restart_by_hand_is_no_drift(cluster: ClusterInstance) -> None:
    """For Secrets of somebody else, whose change nobody tells."""
    before = cluster.uids()
    shown(cluster, "cluster", "Pods have the old secret", lambda words: "rollout" in words)
    cluster.wait_ready(["web", "worker"])
    after = cluster.uids()
    assert not before["web"] & after["web"] and not before["worker"] & after["worker"]
    assert playbook.site(cluster).changed == 0
