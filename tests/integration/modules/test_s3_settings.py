# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of buckets on real servers: check, run, again, change, remove; what they do; and what a store refuses."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.modules import s3_servers
from tests.integration.modules.s3_servers import Server

Result = dict[str, Any]
pytestmark = pytest.mark.engine

LIMITED = {"access_key": "limitedkey", "secret_key": "canary-limited-secret-1"}
ARN = "arn:aws:iam::000000000000:user/limited"


@pytest.fixture(scope="session")
def limited(run: Any, store: Result) -> dict[str, str]:
    """The key of a user of SeaweedFS who may nothing that matters by himself."""
    run("s3_bucket", buckets=["elsewhere"], **store)
    user = {"user_access_key": LIMITED["access_key"], "user_secret_key": LIMITED["secret_key"]}
    made = run("s3_user", name="limited", buckets=["elsewhere"], **user, **store)
    assert "failed" not in made, made
    return LIMITED


@pytest.fixture(scope="session")
def versity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with s3_servers.versitygw(tmp_path_factory.mktemp("versitygw")) as server:
        yield server


@pytest.fixture(scope="session", params=["seaweedfs", "versitygw", pytest.param("minio", marks=pytest.mark.long)])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if request.param == "seaweedfs":
        keys = request.getfixturevalue("limited")
        yield Server("seaweedfs", request.getfixturevalue("store"), ARN, users={"langfuse": keys})
    elif request.param == "versitygw":
        yield request.getfixturevalue("versity")
    else:
        with s3_servers.minio(tmp_path_factory.mktemp("minio")) as found:
            yield found


def writes(sent: list[str]) -> list[str]:
    return [request for request in sent if not request.startswith(("GET", "HEAD"))]


def stages(kind: str, server: Server, bucket: str) -> tuple[str, list[Result]]:
    """Name of a setting, and its options: first, changed, removed."""
    public = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["s3:GetObject"],
                "Resource": [f"arn:aws:s3:::{bucket}/p/*"],
            }
        ],
    }
    return {
        "cors": (
            "cors",
            [
                {"cors_origins": ["https://lf.example.com", "http://localhost:3030"]},
                {"cors": [{"origins": ["*"], "methods": ["GET"], "max_age_seconds": 0}, {"origins": ["http://a.b"]}]},
                {"cors": []},
            ],
        ),
        "lifecycle": (
            "lifecycle",
            [
                {"lifecycle": [{"expire_days": 30, "noncurrent_days": 7}]},
                {"lifecycle": [{"prefix": "otel/", "expire_days": 3}, {"prefix": "a/", "expire_days": 5}]},
                {"lifecycle": []},
            ],
        ),
        "parts": (
            "lifecycle",
            [
                {"lifecycle": [{"abort_incomplete_days": 2}]},
                {"lifecycle": [{"abort_incomplete_days": 3, "expire_days": 30}]},
                {"lifecycle": []},
            ],
        ),
        "policy": ("policy", [{"policy_principals": [server.principal]}, {"policy": public}, {"policy": {}}]),
        "tags": ("tags", [{"tags": {"team": "ai", "a": ""}}, {"tags": {"team": "ml"}}, {"tags": {}}]),
        "versioning": ("versioning", [{"versioning": True}, {"versioning": False}]),
    }[kind]


@pytest.mark.parametrize("kind", ["cors", "lifecycle", "parts", "policy", "tags", "versioning"])
def test_check_run_again_change_remove(run: Any, server: Server, sent: list[str], kind: str) -> None:
    if kind in server.unsupported:
        pytest.skip(f"{server.name} does not know it: see test_a_setting_that_a_store_refuses")
    bucket = f"setting-{kind}"
    run("s3_bucket", buckets=[bucket], **server.options)
    name, options = stages(kind, server, bucket)
    for option in options:
        wanted = {"buckets": [bucket], **server.options, **option}
        sent.clear()
        planned = run("s3_bucket", check=True, diff=True, **wanted)
        assert planned.get("changed"), planned
        assert not writes(sent)
        done = run("s3_bucket", diff=True, **wanted)
        assert done["buckets"][0]["changes"] == [name], done
        assert done["diff"] == planned["diff"]
        assert len(writes(sent)) == 1
        for check in (True, False):
            sent.clear()
            again = run("s3_bucket", check=check, **wanted)
            assert not again["changed"], again
            assert sent
            assert not writes(sent)
    run("s3_bucket", buckets=[bucket], state="absent", **server.options)


def test_many_buckets_with_settings_of_their_own_in_one_call(run: Any, server: Server, sent: list[str]) -> None:
    names = ["all-events", "all-media", "all-exports"]
    own: list[Result] = [{"name": "all-media", "versioning": True}, {"name": "all-exports", "tags": {}}]
    if "cors" not in server.unsupported:
        own[0]["cors_origins"] = ["https://lf.example.com"]
    if "lifecycle" not in server.unsupported:
        own.append({"name": "all-events", "lifecycle": [{"expire_days": 90}]})
    wanted = {"buckets": names, "tags": {"team": "ai"}, "settings": own, **server.options}
    planned = run("s3_bucket", check=True, diff=True, **wanted)
    assert [row["name"] for row in planned["buckets"] if row["changed"]] == names
    done = run("s3_bucket", diff=True, probe=True, **wanted)
    assert done["buckets"][0]["changes"][:2] == ["create", "tags"] or "lifecycle" in done["buckets"][0]["changes"]
    assert done["diff"] == planned["diff"]
    assert "tags" not in done["buckets"][2]["changes"]
    sent.clear()
    assert not run("s3_bucket", **wanted)["changed"]
    assert not writes(sent)
    gone = run("s3_bucket", buckets=names, state="absent", force=True, **server.options)
    assert [row["changes"] for row in gone["buckets"]] == [["empty", "delete"]] * 3


def test_a_setting_that_a_store_refuses(run: Any, server: Server, sent: list[str]) -> None:
    """What reading shows is refused before anything is changed; what only writing shows names what to leave out."""
    if not server.unsupported:
        pytest.skip(f"{server.name} knows all of them")
    for kind in sorted(server.unsupported):
        names = [f"refused-{kind}-1", f"refused-{kind}-2"]
        name, options = stages(kind, server, names[0])
        run("s3_bucket", buckets=names, **server.options)
        sent.clear()
        wanted = {"buckets": names, "tags": {"a": "b"}, **server.options, **options[0]}
        refused = run("s3_bucket", **wanted)
        assert refused.get("code") in ("s3_unsupported", "s3_setting_refused"), refused
        assert (refused["bucket"], refused["setting"]) == (names[0], name)
        assert server.options["endpoint_url"] in refused["msg"]
        assert refused["store_code"] in refused["msg"]
        assert refused["cure"].startswith(("Leave ", "Correct ")) and name in refused["cure"]
        if server.name == "versitygw":
            assert not writes(sent)
            assert all(bucket in refused["msg"] for bucket in names), "both buckets are told"
        new = run("s3_bucket", **{**wanted, "buckets": [f"new-{names[0]}"], "tags": None})
        assert (new["code"], new["setting"]) == (refused["code"], name), "of a new bucket, only writing shows it"
        if options[-1] == {"lifecycle": []}:
            assert not run("s3_bucket", **{**wanted, **options[-1], "tags": None})["changed"], (
                "there is nothing to remove"
            )


@pytest.mark.parametrize(
    "wrong",
    [{"lifecycle": [{"expire_days": 30}]}, {"settings": [{"name": "my-media", "lifecycle": [{"expire_days": 1}]}]}],
)
def test_media_are_not_expired(run: Any, server: Server, sent: list[str], wrong: Result) -> None:
    for check in (True, False):
        refused = run("s3_bucket", check=check, buckets=["my-media"], **server.options, **wrong)
        assert refused["code"] == "bad_option"
        assert "my-media" in refused["msg"]
        assert "no other copy" in refused["msg"]
    assert not sent


def answers(server: Server, origin: str) -> bool:
    """Whether a browser on a page of this origin may upload."""
    request = urllib.request.Request(f"{server.options['endpoint_url']}/cors-works/a", method="OPTIONS")
    for name, value in (
        ("Origin", origin),
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Headers", "content-type,x-amz-checksum-sha256"),
    ):
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.headers.get("Access-Control-Allow-Origin") == origin
    except urllib.error.HTTPError:
        return False


def test_the_short_form_lets_the_page_upload_and_no_other(run: Any, server: Server) -> None:
    if "cors" in server.unsupported:
        pytest.skip(f"{server.name} answers every origin")
    run("s3_bucket", buckets=["cors-works"], cors_origins=["https://lf.example.com"], **server.options)
    assert answers(server, "https://lf.example.com")
    assert not answers(server, "https://other.example.com")


def test_a_policy_lets_another_key_into_exactly_this_bucket(run: Any, server: Server) -> None:
    if server.name == "minio":
        pytest.skip("users of MinIO have policies of their own")
    key = {**server.options, **server.users["langfuse"]}
    run("s3_bucket", buckets=["policy-backups"], **server.options)
    run("s3_bucket", buckets=["policy-works"], policy={}, **server.options)
    before = run("s3_bucket", check=True, buckets=["policy-works"], **key)
    assert before["code"] == "s3_denied", before
    run("s3_bucket", buckets=["policy-works"], policy_principals=[server.principal], **server.options)
    proved = run("s3_bucket", buckets=["policy-works"], probe=True, forbidden=["policy-backups"], **key)
    assert not proved.get("failed"), proved
    assert [step["step"] for step in proved["forbidden"][0]["probe"]] == ["list", "read", "write", "delete"]
    assert not proved["changed"]


def test_a_key_that_reaches_too_far(run: Any, server: Server) -> None:
    run("s3_bucket", buckets=["far", "far-backups"], **server.options)
    wide = run("s3_bucket", buckets=["far"], forbidden=["far-backups"], **server.options)
    assert (wide["code"], wide["bucket"]) == ("s3_key_too_wide", "far-backups")
    assert "list and read and write and delete" in wide["msg"]
    missing = run("s3_bucket", buckets=["far"], forbidden=["far-nowhere"], **server.options)
    assert (missing["code"], missing["bucket"]) == ("s3_bucket_missing", "far-nowhere")
    assert "not proved" in missing["msg"]
    assert not run("s3_bucket", check=True, buckets=["far"], forbidden=["far-backups"], **server.options).get("failed")


def test_a_bucket_of_another_account(run: Any, versity: Server) -> None:
    run("s3_bucket", buckets=["taken"], **versity.options)
    other = {**versity.options, **versity.users["other"]}
    result = run("s3_bucket", buckets=["mine", "taken"], **other)
    assert (result["code"], result["bucket"], result["store_code"]) == (
        "s3_foreign_bucket",
        "taken",
        "BucketAlreadyExists",
    )
    assert run("s3_bucket", check=True, buckets=["mine"], **other)["changed"], "nothing else was made"
    assert run("s3_bucket", check=True, buckets=["taken"], **other)["code"] == "s3_denied"


def test_a_wrong_clock(run: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.auth

    now = botocore.auth.get_current_datetime
    late = datetime.timedelta(hours=1)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *words, **named: now(*words, **named) - late)
    result = run("s3_bucket", buckets=["clock"], **server.options)
    assert (result["code"], result["store_code"]) == ("s3_clock_skew", "RequestTimeTooSkewed"), result
    assert "NTP" in result["cure"]


@contextlib.contextmanager
def role(keys: Result) -> Iterator[str]:
    """An address that hands out keys as the agent of a container platform does."""
    body = {"AccessKeyId": keys["access_key"], "SecretAccessKey": keys["secret_key"], "Token": None}
    text = json.dumps({**body, "Expiration": "2099-01-01T00:00:00Z"}).encode()

    class Agent(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_words: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Agent) as agent:
        threading.Thread(target=agent.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{agent.server_port}/keys"
        agent.shutdown()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> pytest.MonkeyPatch:
    """An environment without keys."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def test_keys_from_a_role(run: Any, server: Server, bare: pytest.MonkeyPatch) -> None:
    endpoint = {"endpoint_url": server.options["endpoint_url"]}
    missing = run("s3_bucket", buckets=["by-role"], **endpoint)
    assert (missing["code"], missing["store_code"]) == ("s3_no_keys", "NoCredentialsError")
    with role(server.options) as address:
        bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)
        result = run("s3_bucket", buckets=["by-role"], probe=True, **endpoint)
    assert [step["ok"] for step in result["buckets"][0]["probe"]] == [True] * 7, result


def test_old_versions_are_not_deleted_by_the_way(run: Any, server: Server) -> None:
    """Objects were deleted, but the bucket keeps them."""
    bucket = {"buckets": ["only-versions"], **server.options}
    run("s3_bucket", versioning=True, probe=True, **bucket)
    refused = run("s3_bucket", state="absent", **bucket)
    assert refused["code"] == "s3_not_empty", refused
    assert run("s3_bucket", state="absent", force=True, **bucket)["changed"]
    assert not run("s3_bucket", state="absent", **bucket)["changed"]
