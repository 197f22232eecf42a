# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CORS and expiry as an instance's variables ask for them: of the bundled store and of an existing one, on real servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import compose_stores, s3
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

from tests.integration.modules import s3_servers
from tests.integration.modules.front import Front

Result = dict[str, Any]
pytestmark = pytest.mark.engine
PAGE = "https://lf.example.com"


@pytest.fixture
def names(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Buckets of events and media that no other test has."""
    prefix = f"bs{abs(hash(request.node.name)) % 10**8}"
    return f"{prefix}-events", f"{prefix}-files"


def asked(store: Result, names: tuple[str, str], days: int = 30) -> Result:
    """What derive tells the modules for these two."""
    events, media = names
    return {
        "endpoint": store["endpoint_url"],
        "region": "us-east-1",
        "buckets": [events, media],
        "settings": [
            {"name": media, "cors_origins": [PAGE]},
            {"name": events, "lifecycle": [{"prefix": "", "expire_days": days}]},
        ],
        "media_bucket": media,
        "media_prefix": "",
    }


def of_an_existing_store(store: Result, wanted: Result) -> Result:
    return {"s3": wanted, "s3_access_key": store["access_key"], "s3_secret_key": store["secret_key"]}


def has(store: Result, bucket: str, operation: str) -> Result:
    """What the store itself says; empty when nothing is set."""
    where = s3.Where(store["endpoint_url"], "us-east-1", True, store["access_key"], store["secret_key"])
    try:
        return dict(s3.Store(where).call(operation, Bucket=bucket))
    except s3.StoreError as error:
        assert error.code.startswith("NoSuch"), error
        return {}


def test_an_existing_store(run: Any, store: Result, names: tuple[str, str]) -> None:
    given = of_an_existing_store(store, asked(store, names))
    planned = run("existing_stores", check=True, diff=True, **given)
    assert planned.get("changed"), planned.get("msg")
    made = run("existing_stores", diff=True, **given)
    assert made["diff"] == planned["diff"]
    assert has(store, names[1], "get_bucket_cors")["CORSRules"][0]["AllowedOrigins"] == [PAGE]
    assert has(store, names[0], "get_bucket_lifecycle_configuration")["Rules"][0]["Expiration"] == {"Days": 30}
    assert not run("existing_stores", **given)["changed"]
    # Somebody else changes it, and the instance's next run takes it back.
    options = {key: store[key] for key in ("endpoint_url", "access_key", "secret_key")}
    assert run("s3_bucket", buckets=[names[1]], cors_origins=["https://evil.example.com"], **options)["changed"]
    assert run("existing_stores", check=True, **given)["changed"]
    assert has(store, names[1], "get_bucket_cors")["CORSRules"][0]["AllowedOrigins"] != [PAGE], "the check wrote"
    assert run("existing_stores", **given)["changed"]
    assert has(store, names[1], "get_bucket_cors")["CORSRules"][0]["AllowedOrigins"] == [PAGE]
    # 0 days: nothing expires any more.
    never = asked(store, names)
    never["settings"][1]["lifecycle"] = []
    assert run("existing_stores", **of_an_existing_store(store, never))["changed"]
    assert not has(store, names[0], "get_bucket_lifecycle_configuration")
    # Not written: left as it is.
    unasked = {**asked(store, names), "settings": []}
    assert not run("existing_stores", **of_an_existing_store(store, unasked))["changed"]
    assert has(store, names[1], "get_bucket_cors")


def test_media_never_expire(run: Any, store: Result, names: tuple[str, str]) -> None:
    wanted = asked(store, names)
    wanted["settings"] = [{"name": names[1], "lifecycle": [{"prefix": "", "expire_days": 1}]}]
    refused = run("existing_stores", **of_an_existing_store(store, wanted))
    assert (refused["failed"], refused["code"]) == (True, "bad_option"), refused
    assert "would delete media" in refused["msg"]


@pytest.fixture(scope="module")
def versity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Result]:
    with s3_servers.versitygw(tmp_path_factory.mktemp("versitygw")) as server:
        yield server.options


def test_a_store_that_knows_no_expiry(run: Any, versity: Result, names: tuple[str, str]) -> None:
    """The message is in words of the collection, so that the variable can be found."""
    given = of_an_existing_store(versity, {**asked(versity, names), "settings": []})
    assert run("existing_stores", **given)["changed"]
    refused = run("existing_stores", **of_an_existing_store(versity, asked(versity, names)))
    assert (refused["failed"], refused["code"]) == (True, "s3_unsupported"), refused
    assert "langfuse_s3_events_expire_days" in refused["cure"]
    assert not has(versity, names[1], "get_bucket_cors"), "CORS was set before the refusal"


@pytest.fixture
def bundled(store: Result) -> Callable[..., list[tuple[str, str]]]:
    """`compose_stores` for the store: what it changed, or would change."""

    def call(wanted: Result, check: bool = False) -> list[tuple[str, str]]:
        given = {"s3": wanted, "s3_access_key": store["access_key"], "s3_secret_key": store["secret_key"]}
        made: list[tuple[str, str]] = []
        compose_stores.make_buckets(given, check, made)
        return made

    return call


def test_the_bundled_store(bundled: Any, store: Result, names: tuple[str, str]) -> None:
    events, media = names
    wanted = {**asked(store, names), "settings": [{"name": media, "cors_origins": [PAGE]}]}
    all_of_it = [(events, "create"), (media, "create"), (media, "cors")]
    assert compose_stores._buckets({"s3": wanted}) == all_of_it, "the plan of a fresh project"
    assert bundled(wanted, check=True) == all_of_it
    assert not has(store, media, "get_bucket_cors")
    assert bundled(wanted) == all_of_it
    assert bundled(wanted) == []
    wanted["settings"][0]["cors_origins"] = []
    assert bundled(wanted, check=True) == bundled(wanted) == [(media, "cors")]
    assert not has(store, media, "get_bucket_cors")


class UntilTheFirst(list[tuple[str, str]]):
    """A store of that front is away as soon as one change was told."""

    def __init__(self, front: Front, nowhere: str) -> None:
        super().__init__()
        self._front, self._nowhere = front, nowhere

    def append(self, change: tuple[str, str]) -> None:
        super().append(change)
        self._front.target = self._nowhere


def test_what_was_made_before_a_failure_is_told(store: Result, names: tuple[str, str], closed_port: str) -> None:
    """The next try finds that bucket, so that nobody else would know that this run made it."""
    address = store["endpoint_url"].removeprefix("http://")
    front = Front(address)
    wanted = {**asked({**store, "endpoint_url": front.url}, names), "settings": []}
    given = {"s3": wanted, "s3_access_key": store["access_key"], "s3_secret_key": store["secret_key"]}
    made = UntilTheFirst(front, closed_port)
    with pytest.raises(Failure):
        compose_stores.make_buckets(given, False, made)
    assert made == [(names[0], "create")]
    front.target = address
    compose_stores.make_buckets(given, False, made)
    assert made == [(name, "create") for name in names]
    front.shutdown()
