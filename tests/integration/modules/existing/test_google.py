# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""existing_stores at an emulator of Cloud Storage: by a service account's key, and by the machine's own identity."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import existing_objects
from ansible_collections.llmops.langfuse.plugins.module_utils.blobs import google as blobs

from tests.integration import certificates
from tests.integration.modules import google, s3_servers

Result = dict[str, Any]


@pytest.fixture(scope="module", params=["cached", pytest.param("built", marks=pytest.mark.long)])
def emulator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    if request.param == "cached" and not s3_servers.place(google.MODULE).exists():
        pytest.skip("fake-gcs-server is not in the cache; the long tests build it")
    with google.emulator(tmp_path_factory.mktemp("gcs")) as port:
        for bucket in ("events", "media"):
            google.create(port, bucket)
        yield port


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    certificates.write(folder, google.NAME)
    return folder


@pytest.fixture
def front(emulator: int, authority: Path) -> Iterator[google.Front]:
    server = google.Front(emulator, authority)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def given(front: google.Front, authority: Path) -> Result:
    key, front.public = google.make_key(f"{front.url}/token")
    return {
        "s3": {"service": "gcs", "endpoint": front.url, "buckets": ["events", "media"]},
        "gcs_credentials": key,
        "extra_hosts": {google.NAME: "127.0.0.1"},
        "ca_certificates": (authority / "ca.pem").read_text(),
    }


@pytest.fixture
def as_machine(given: Result, front: google.Front, monkeypatch: pytest.MonkeyPatch) -> Iterator[Result]:
    """Without a key, where a metadata server answers."""
    server = google.Front(front.emulator, None)
    monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{server.server_port}")
    monkeypatch.setattr(blobs, "SIGNER", front.url)
    yield {name: value for name, value in given.items() if name != "gcs_credentials"}
    server.shutdown()
    server.server_close()


def test_a_check_reads_a_run_writes_and_the_next_one_does_not(
    run: Any, given: Result, front: google.Front, tmp_path: Path
) -> None:
    kept = {**given, "directory": str(tmp_path)}
    for check, writes in ((True, []), (False, ["POST", "DELETE"] * 2), (False, [])):
        front.seen.clear()
        result = run("existing_stores", check=check, **kept)
        assert (result.get("changed"), result["notices"]) == (False, []), result.get("msg")
        assert [method for method in front.seen if method != "GET"] == writes
        assert front.seen.count("GET") >= 4
    assert "PRIVATE" not in (tmp_path / ".proofs.json").read_text()
    assert run("existing_stores", check=True, unclaimed=["s3"], **given).get("changed") is False


def test_by_the_identity_of_the_machine(
    run: Any, as_machine: Result, front: google.Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    for front.signs in (True, False):
        taken = run("existing_stores", **as_machine)
        assert taken.get("changed") is False, taken.get("msg")
        told = f"{google.EMAIL} may not sign addresses (Permission 'iam.serviceAccounts.signBlob' denied"
        assert (told in " ".join(taken["notices"])) is not front.signs
    assert "POST" in front.seen
    monkeypatch.setattr(blobs, "SIGNER", "http://127.0.0.1:1")
    assert "was not seen" in " ".join(run("existing_stores", **as_machine)["notices"])
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    refused = run("existing_stores", **as_machine)
    assert (refused.get("code"), "write langfuse_gcs_credentials" in refused["msg"]) == ("s3_no_keys", True), refused


def another_key(given: Result) -> str:
    """Of the same account, and drawn elsewhere."""
    return google.make_key(json.loads(given["gcs_credentials"])["token_uri"])[0]


def without(given: Result, **changes: Any) -> str:
    return json.dumps({**json.loads(given["gcs_credentials"]), **changes})


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        (lambda given: {"gcs_credentials": another_key(given)}, "s3_wrong_keys", "Invalid JWT Signature"),
        (lambda given: {"gcs_credentials": without(given, private_key="Canary")}, "s3_wrong_keys", "no key that can"),
        (lambda given: {"gcs_credentials": without(given, token_uri="nowhere")}, "s3_wrong_keys", "langfuse_gcs_cred"),
        (lambda given: {"extra_hosts": {google.NAME: "127.0.0.2"}}, "s3_down", "oauth2.googleapis.com"),
        (lambda given: {"ca_certificates": None}, "s3_tls", "langfuse_ca_certificates"),
        (lambda given: {"s3": {**given["s3"], "buckets": ["none", "nor"]}}, "s3_bucket_missing", "create gs://nor"),
    ],
)
def test_what_is_wrong_is_said_with_its_variable(
    run: Any, given: Result, monkeypatch: pytest.MonkeyPatch, wrong: Any, code: str, said: str
) -> None:
    monkeypatch.setattr(existing_objects, "WAIT", 0)
    asked = {**given, **wrong(given)}
    for check in (True, False):
        refused = run("existing_stores", check=check, **asked)
        assert (refused.get("code"), said in refused["msg"]) == (code, True), refused
        assert "PRIVATE" not in str(refused) and "canary-token" not in str(refused)


@pytest.mark.parametrize(
    ("method", "check", "where"),
    [("GET", True, "bucket media"), ("POST", False, "at write"), ("DELETE", False, "at del")],
)
def test_a_missing_right_is_named(
    run: Any, given: Result, front: google.Front, method: str, check: bool, where: str
) -> None:
    front.refuses.add(method)
    refused = run("existing_stores", check=check, **given)
    assert (refused.get("code"), "roles/storage.objectAdmin" in refused["msg"]) == ("s3_denied", True), refused
    assert where in refused["msg"] and google.EMAIL in refused["msg"]


def test_a_wrong_clock(run: Any, given: Result, as_machine: Result, front: google.Front) -> None:
    """Google refuses what a wrong clock signs. Where nothing is signed, as on a machine of its own, the answers tell."""
    for asked, front.ahead, said in ((given, -600.0, "seconds ahead of"), (as_machine, 7200.0, "seconds behind")):
        refused = run("existing_stores", **asked)
        assert (refused.get("code"), said in refused["msg"]) == ("s3_clock_skew", True), refused


def test_data_of_another_instance_is_seen(run: Any, given: Result, emulator: int) -> None:
    google.create(emulator, "used")
    given["s3"]["buckets"] = ["used"]
    google.forwarded(emulator, "POST", "/upload/storage/v1/b/used/o?uploadType=media&name=one", b"1")
    refused = run("existing_stores", check=True, unclaimed=["s3"], **given)
    assert (refused.get("code"), "has objects in used" in refused["msg"]) == ("store_in_use", True), refused
