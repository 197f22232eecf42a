# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""existing_stores at Azure's emulator: what is wrong is told before anything is changed, and nothing is written twice."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import existing_objects, existing_stores

from tests.integration.modules import azure

Result = dict[str, Any]
OTHER_KEY = base64.b64encode(b"canary-azure-key-2").decode()


@pytest.fixture(scope="module", params=["cached", pytest.param("installed", marks=pytest.mark.long)])
def account(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[azure.Azurite]:
    if request.param == "cached" and not azure.cached():
        pytest.skip("Azurite is not in the cache; the long tests install it")
    server = azure.Azurite(azure.install(), tmp_path_factory.mktemp("azurite"))
    server.create("events")
    yield server
    server.stop()


@pytest.fixture
def given(account: azure.Azurite) -> Result:
    return {
        "s3": {"service": "azure", "endpoint": account.url, "buckets": ["events", "media"]},
        "s3_access_key": azure.ACCOUNT,
        "s3_secret_key": azure.KEY,
    }


@pytest.fixture
def methods(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The method of every request that Azure's library sends."""
    import requests.adapters

    sent: list[str] = []
    send = requests.adapters.HTTPAdapter.send

    def record(adapter: Any, request: Any, **options: Any) -> Any:
        sent.append(request.method)
        return send(adapter, request, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", record)
    return sent


def test_a_check_reads_a_run_writes_and_the_next_one_does_not(
    run: Any, given: Result, methods: list[str], tmp_path: Path
) -> None:
    kept = {**given, "directory": str(tmp_path)}
    for check, writes in ((True, []), (False, ["PUT", "DELETE"] * 2), (False, [])):
        methods.clear()
        result = run("existing_stores", check=check, **kept)
        assert result.get("changed") is False, result.get("msg")
        assert [method for method in methods if method != "GET"] == writes
        assert methods.count("GET") >= 4
    proof = tmp_path / ".proofs.json"
    assert proof.stat().st_mode & 0o777 == 0o600 and azure.KEY not in proof.read_text()
    methods.clear()
    other = {**kept, "s3": {**given["s3"], "endpoint": given["s3"]["endpoint"].replace("127.0.0.1", "localhost")}}
    assert run("existing_stores", **other).get("changed") is False
    assert "PUT" in methods, "another address was not tried"
    # Nothing is left behind, so that the containers count as empty.
    assert run("existing_stores", check=True, unclaimed=["s3"], **given).get("changed") is False


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        ({"s3_secret_key": OTHER_KEY}, "s3_denied", "emulator says so of a wrong langfuse_s3_secret_key"),
        ({"s3_secret_key": "canary/no=base64"}, "s3_wrong_keys", "the key of the account is not Base64"),
        ({"buckets": ["events", "none", "nor"]}, "s3_bucket_missing", "az storage container create --name none"),
        ({"buckets": ["Not_A_Name"]}, "s3_bad_request", "3 to 63 of a-z"),
        ({"endpoint": "http://127.0.0.1:1/x"}, "s3_down", "Connection refused. Correct langfuse_s3_endpoint"),
        ({"endpoint": "https://nowhere.invalid"}, "s3_down", "Failed to resolve 'nowhere.invalid'"),
    ],
)
def test_what_is_wrong_is_said_with_its_variable(
    run: Any, given: Result, monkeypatch: pytest.MonkeyPatch, wrong: Result, code: str, said: str
) -> None:
    monkeypatch.setattr(existing_objects, "WAIT", 0)
    store = {name: value for name, value in wrong.items() if not name.startswith("s3_")}
    asked = {**given, **{name: wrong[name] for name in wrong if name not in store}, "s3": {**given["s3"], **store}}
    for check in (True, False):
        refused = run("existing_stores", check=check, **asked)
        assert (refused.get("code"), said in refused["msg"]) == (code, True), refused
        assert "\n" not in refused["msg"] and ("no container nor" in refused["msg"]) == ("none" in said)


def test_a_container_that_the_application_makes_may_be_missing(run: Any, given: Result) -> None:
    given["s3"].update(buckets=["events", "later"], creates=True)
    taken = run("existing_stores", **given)
    assert taken.get("changed") is False, taken.get("msg")
    assert "no container later; Langfuse makes it" in " ".join(taken["notices"])


def test_a_wrong_clock(run: Any, given: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator takes any date, Azure does not; both tell theirs."""
    from ansible_collections.llmops.langfuse.plugins.module_utils.blobs import common

    monkeypatch.setattr(common, "time", SimpleNamespace(time=lambda: time.time() - 3600))
    refused = run("existing_stores", **given)
    assert refused.get("code") == "s3_clock_skew", refused
    assert "seconds behind that of Azure Blob" in refused["msg"]


def test_data_of_another_instance_is_seen(run: Any, given: Result, account: azure.Azurite) -> None:
    account.create("used")
    given["s3"]["buckets"] = ["used"]
    assert run("existing_stores", check=True, unclaimed=["s3"], **given).get("changed") is False
    account.put("used", "one")
    refused = run("existing_stores", check=True, unclaimed=["s3"], **given)
    assert (refused.get("code"), "has objects in used" in refused["msg"]) == ("store_in_use", True), refused


def test_it_is_told_together_with_the_other_stores(
    run: Any, given: Result, closed_port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (existing_objects, existing_stores):
        monkeypatch.setattr(module, "WAIT", 0)
    host, port = closed_port.split(":")
    closed = {"host": host, "port": int(port), "prefix": "langfuse:"}
    given["s3"]["buckets"] = ["none"]
    refused = run("existing_stores", redis=closed, redis_password="canary-redis-1", **given)
    for part in (f"Redis at {closed_port} does not answer", "has no container none", "langfuse_redis_host"):
        assert part in refused["msg"]
