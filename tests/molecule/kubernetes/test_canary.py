"""From nothing to a verified trace, with a recognisable value in every secret: none shows anywhere."""

from __future__ import annotations

import pytest

from tests.molecule import canary, playbook
from tests.molecule.kubernetes import hidden
from tests.molecule.kubernetes.instance import ClusterInstance, kubectl
from tests.molecule.traces import Traces


def test_first_run_shows_no_secret_and_works(cluster: ClusterInstance) -> None:
    with canary.CLUSTERS.watched_processes() as processes:
        done = playbook.run(cluster, "llmops.langfuse.site", *playbook.LOUD)
    assert len(done.output) > 50_000, "not loud enough to mean anything"
    done.mentions("read back equal")
    hidden.assert_hidden(cluster, done.output, processes)
    web = cluster.pod("web")["metadata"]["name"]
    inside = kubectl("exec", f"--namespace={cluster.namespace}", web, "--", "printenv", "SALT")
    assert inside == f"{canary.CLUSTERS.values['langfuse_salt']}\n", "a value was changed on its way"
    Traces(cluster).arrives("canary")


def test_broken_run_shows_no_secret(cluster: ClusterInstance) -> None:
    broken = {"langfuse_valkey_version": "8.1.99"}
    with canary.CLUSTERS.watched_processes() as processes:
        done = playbook.site(cluster, *playbook.LOUD, variables=broken, fails=True)
    done.mentions("valkey:8.1.99", "cannot be had")
    hidden.assert_hidden(cluster, done.output, processes)


def test_the_next_run_repairs_it(cluster: ClusterInstance) -> None:
    done = playbook.run(cluster, "llmops.langfuse.site", *playbook.LOUD)
    hidden.assert_hidden(cluster, done.output, set())
    Traces(cluster).arrives("canary-repaired")


@pytest.mark.parametrize("word", ["Warbler00", canary.CLUSTERS.values["langfuse_clickhouse_password"]])
def test_the_search_sees_a_secret_in_an_object(cluster: ClusterInstance, word: str) -> None:
    place = f"--namespace={cluster.namespace}"
    kubectl("annotate", place, "serviceaccount", "default", f"seen={word}")
    try:
        assert any("seen" in line for line in hidden.in_objects(cluster))
    finally:
        kubectl("annotate", place, "serviceaccount", "default", "seen-")
