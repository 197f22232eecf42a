"""No secret of the stack, or of stores that might be joined, shows while an instance joins them."""

from __future__ import annotations

import os
from typing import Any

import pytest
import yaml

from tests.molecule import canary, playbook
from tests.molecule.instance import ROOT, Instance
from tests.molecule.shared import shop

GROUP = ROOT / "molecule" / "compose-shared" / "inventory" / "group_vars" / "langfuse_shared.yml"
OTHER = canary.OF_OTHER_STORES
CLICKHOUSE = {
    "langfuse_clickhouse_source": "existing",
    "langfuse_clickhouse_host": "ch.invalid",
    "langfuse_clickhouse_admin_user": "admin",
    "langfuse_clickhouse_password": "Canary25clickhouse",
}
BUCKETS = {
    "langfuse_s3_source": "existing",
    "langfuse_moved_stores": ["clickhouse", "redis", "s3"],
    # The inventory's, for the bundled one.
    "langfuse_s3_port": None,
}
SENTINEL = {
    "langfuse_redis_mode": "sentinel",
    "langfuse_redis_sentinel_master": "mymaster",
    "langfuse_redis_nodes": ["sentinel.invalid:26379"],
    "langfuse_redis_sentinel_password": OTHER["langfuse_redis_sentinel_password"],
}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "s3": (
        {
            **CLICKHOUSE,
            **BUCKETS,
            **SENTINEL,
            "langfuse_clickhouse_admin_password": OTHER["langfuse_clickhouse_admin_password"],
            "langfuse_s3_endpoint": "http://s3.invalid:9000",
            "langfuse_s3_admin_access_key": OTHER["langfuse_s3_admin_access_key"],
            "langfuse_s3_admin_secret_key": OTHER["langfuse_s3_admin_secret_key"],
            "langfuse_s3_access_key": "Canary26access",
            "langfuse_s3_secret_key": "Canary27secret",
        },
        "ch.invalid",
    ),
    "gcs": (
        {
            "langfuse_s3_source": "existing",
            "langfuse_s3_port": None,
            "langfuse_s3_service": "gcs",
            "langfuse_gcs_credentials": OTHER["langfuse_gcs_credentials"],
        },
        "langfuse_moved_stores: [s3]",
    ),
}


def test_a_check_and_a_run_show_none(shared: Instance) -> None:
    assert canary.OF_THE_STACK["langfuse_litellm_key"] == yaml.safe_load(GROUP.read_text())["langfuse_litellm_key"]
    shop.sql("ALTER ROLE langfuse PASSWORD 'somethingElse1'")
    shop.redis("acl", "setuser", shared.name, "+flushall")
    with canary.HOSTS.watched_processes() as processes:
        predicted = playbook.site(shared, "--check", *playbook.LOUD)
        done = playbook.run(shared, "llmops.langfuse.site", *playbook.LOUD)
    assert (predicted.changed, done.changed) == (1, 1), "nothing of the stores was written, so nothing could show"
    canary.assert_hidden(shared, predicted.output + done.output, processes)


@pytest.mark.parametrize(("variables", "said"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_shows_none(shared: Instance, variables: dict[str, Any], said: str) -> None:
    with canary.HOSTS.watched_processes() as processes:
        done = playbook.site(shared, *playbook.LOUD, variables=variables, fails=True)
    done.mentions(said)
    canary.assert_hidden(shared, done.output, processes)


def test_the_refusals_were_given_all_of_them() -> None:
    given = {name for variables, _said in REFUSED.values() for name in variables}
    assert set(OTHER) <= given


def test_connecting_a_service_shows_none(shared: Instance) -> None:
    path = shop.HOME / "ai-service" / "canary.env"
    consumers = [{"kind": "env", "path": str(path)}]
    variables = {"langfuse_consumers": consumers, "langfuse_litellm_key": "sk-Canary28litellm"}
    with canary.HOSTS.watched_processes() as processes:
        done = playbook.run(shared, "llmops.langfuse.connect", *playbook.LOUD, variables=variables)
    assert done.changed, "no connection was written, so nothing could show"
    canary.assert_hidden(shared, done.output, processes)
    secret = shared.secrets()["langfuse_init_project_secret_key"]
    assert secret in path.read_text() and secret not in done.output
    os.unlink(path)
    playbook.run(shared, "llmops.langfuse.connect", variables={"langfuse_consumers": []})


def test_asking_a_gateway_shows_none(shared: Instance) -> None:
    """Its key stands in an entry of a list, and goes to a module."""
    env, config = (shop.HOME / "ai-service" / name for name in ("gateway.env", "gateway.yaml"))
    answers = {"model": "openai/proof", "mock_response": "yes"}
    config.write_text(yaml.safe_dump({"model_list": [{"model_name": "proof", "litellm_params": answers}]}))
    proof = {"proof_url": "http://nobody.invalid:4000", "proof_model": "proof", "proof_key": "sk-Canary30gateway"}
    entry = {"kind": "litellm", "path": str(config), "env_path": str(env), **proof}
    variables = {"langfuse_consumers": [entry]}
    with canary.HOSTS.watched_processes() as processes:
        failed = playbook.run(shared, "llmops.langfuse.connect", *playbook.LOUD, variables=variables, fails=True)
        looked = playbook.run(shared, "llmops.langfuse.diagnose", *playbook.LOUD, variables=variables, fails=True)
    for done in (failed, looked):
        done.mentions("Nothing answers at nobody.invalid:4000", "proof_url of this entry")
    canary.assert_hidden(shared, failed.output + looked.output, processes)
    os.unlink(env)
    os.unlink(config)
