"""A second run changes nothing, a check tells the truth, and the stack's own services reach the instance."""

from __future__ import annotations

import json

from tests.molecule import playbook
from tests.molecule.instance import Instance
from tests.molecule.shared import shop
from tests.molecule.traces import Traces


def test_only_what_the_stack_lacks_was_started(shared: Instance) -> None:
    assert {one.service for one in shared.containers()} == {
        "clickhouse",
        "seaweedfs",
        "langfuse-web",
        "langfuse-worker",
    }
    assert "langfuse" in shop.sql("SELECT datname FROM pg_database")
    assert "user shopfuse on" in shop.redis("acl", "list")


def test_a_second_run_changes_nothing(shared: Instance) -> None:
    before = shared.ids()
    assert playbook.site(shared).changed == 0
    assert playbook.check(shared).changed == 0
    assert shared.ids() == before


def test_provision_alone_changes_nothing_either(shared: Instance) -> None:
    assert playbook.run(shared, "llmops.langfuse.provision").changed == 0


def test_verify_walks_through_the_stack(shared: Instance) -> None:
    playbook.run(shared, "llmops.langfuse.verify").mentions("trace ok", "database ok", "queue ok")


def test_the_service_beside_it_reaches_it_by_its_name(shared: Instance) -> None:
    script = (
        "import urllib.request as r; print(r.urlopen('http://langfuse-web:3000/api/public/health').read().decode())"
    )
    assert json.loads(shop.execute("ai-service", "python3", "-c", script))["status"] == "OK"


def test_values_of_the_env_file_are_used(shared: Instance) -> None:
    web = shared.container("langfuse-web").details["Config"]["Env"]
    assert "SALT=canary-salt-of-the-guide" in web
    assert "LANGFUSE_INIT_PROJECT_NAME=Samsara Alerts" in web
    assert not [line for line in web if "canary-of-the-application" in line or shop.DATABASE_PASSWORD in line]


def test_drift_in_the_stores_is_told_and_mended(shared: Instance) -> None:
    shop.sql("ALTER ROLE langfuse PASSWORD 'somethingElse1'")
    shop.redis("acl", "setuser", "shopfuse", "+flushall")
    predicted = playbook.check(shared)
    assert predicted.changed == 1
    predicted.mentions("flushall")
    assert playbook.site(shared).changed == 1
    assert playbook.site(shared).changed == 0
    Traces(shared).arrives("after-drift")
