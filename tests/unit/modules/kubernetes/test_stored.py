"""A store that has data does not shrink, and its version does not jump."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Wanted, identity_of
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.preflight import findings
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.stored import moved, stored

from .support import OWNER, made, recorded
from .test_preflight import GOOD, SHARED

DEFAULT = {"metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
FIXED = {"metadata": {"name": "fixed"}, "allowVolumeExpansion": False}
GROWS = {"metadata": {"name": "grows"}, "allowVolumeExpansion": True}


def _cluster(size: str, image: str = "x/postgresql:17.11", storage_class: str = "", **status: Any) -> dict[str, Any]:
    storage = {"size": size, **({"storageClass": storage_class} if storage_class else {})}
    return made("Cluster", "langfuse-postgresql", spec={"storage": storage, "imageName": image}, status=status)


def _set(size: str, storage_class: str = "", store: str = "clickhouse") -> dict[str, Any]:
    named = {"storageClassName": storage_class} if storage_class else {}
    claim = {"spec": {**named, "resources": {"requests": {"storage": size}}}}
    found = made("StatefulSet", f"langfuse-{store}", spec={"volumeClaimTemplates": [claim]})
    found["metadata"]["labels"]["app.kubernetes.io/component"] = store
    return found


def _told(live: dict[str, Any], after: dict[str, Any], classes: list[dict[str, Any]] | None) -> list[str]:
    return [" | ".join((one["code"], one["what"], one["cure"])) for one in stored(
        [Wanted(after, 2)], {identity_of(live): live}, classes
    )]  # fmt: skip


@pytest.mark.parametrize(
    ("live", "after", "classes", "words"),
    [
        (_cluster("10Gi"), _cluster("10Gi"), [DEFAULT], None),
        (_cluster("10Gi"), _cluster("10240Mi"), [DEFAULT], None),
        (_cluster("10Gi"), _cluster("12Gi"), [DEFAULT], ("fixed_volume", "cannot grow to 12Gi", "that is the default")),
        (_cluster("10Gi"), _cluster("12Gi"), [FIXED, {**DEFAULT, **GROWS, "metadata": DEFAULT["metadata"]}], None),
        (_cluster("10Gi", storage_class="fixed"), _cluster("12Gi"), [FIXED, GROWS], ("fixed_volume", "class fixed")),
        (_cluster("10Gi", storage_class="grows"), _cluster("12Gi"), [FIXED, GROWS], None),
        # Who may not read classes hears of it from the cluster.
        (_cluster("10Gi"), _cluster("12Gi"), None, None),
        (_cluster("10Gi"), _cluster("10Mi"), None, ("smaller_volume", "cannot shrink to 10Mi", "storage: 10Gi again")),
        (_set("20Gi"), _set("20Gi"), [GROWS], None),
        (_set("20Gi"), _set("30Gi"), [GROWS], ("fixed_volume", "StatefulSet", "langfuse_clickhouse_storage: 20Gi")),
        (_set("20Gi"), _set("10Gi"), [GROWS], ("smaller_volume", "langfuse_clickhouse_storage: 20Gi again")),
        (_set("20Gi", "grows"), _set("20Gi", "grows"), [GROWS], None),
        (
            _set("20Gi", "grows"),
            _set("20Gi", "fixed"),
            [FIXED, GROWS],
            (
                "fixed_volume",
                "of the storage class grows",
                "class fixed",
                "langfuse_clickhouse_storage_class: grows again",
            ),
        ),
        (
            _set("2Gi", "grows", "valkey"),
            _set("2Gi", "", "valkey"),
            None,
            ("fixed_volume", "ask for the default storage class", "Write langfuse_storage_class: grows again"),
        ),
        # The default by its name is another one for Kubernetes.
        (_set("2Gi"), _set("2Gi", "standard"), [DEFAULT], ("fixed_volume", "of the default", "out again")),
        # Whether that can change is for CloudNativePG to say.
        (_cluster("10Gi"), _cluster("10Gi", storage_class="grows"), [DEFAULT, GROWS], None),
    ],
)
def test_sizes(
    live: dict[str, Any], after: dict[str, Any], classes: list[dict[str, Any]] | None, words: tuple[str, ...] | None
) -> None:
    told = _told(live, after, classes)
    assert len(told) == (1 if words else 0), told
    assert all(word in told[0] for word in words or ())


@pytest.mark.parametrize(
    ("live", "image", "words"),
    [
        (_cluster("1Gi"), "x/postgresql:17.12", None),
        (_cluster("1Gi"), "x/postgresql:18.1", ("data of PostgreSQL 17, and the image is of 18", "take a backup")),
        (_cluster("1Gi"), "host:5000/postgresql:16.1@sha256:0", ("data of PostgreSQL 17, and the image is of 16",)),
        (_cluster("1Gi"), "x/postgresql:stable", None),
        (_cluster("1Gi", "x/postgresql", pgDataImageInfo={"majorVersion": 17}), "y:18", ("17, and the image is of 18",)),
        # Somebody has upgraded it, and the image as it was written is older than the data.
        (_cluster("1Gi", "y:17", pgDataImageInfo={"majorVersion": 18}), "y:18", None),
    ],
)  # fmt: skip
def test_versions(live: dict[str, Any], image: str, words: tuple[str, ...] | None) -> None:
    told = _told(live, _cluster("1Gi", image), [DEFAULT])
    assert len(told) == (1 if words else 0), told
    assert all(word in told[0] for word in words or ())


HERE = {
    "postgres": "cnpg/langfuse",
    "clickhouse": "bundled/langfuse",
    "redis": "a:6379,b:6379 langfuse:",
    "s3": "s3 http://one events,media",
}


@pytest.mark.parametrize(
    ("after", "said", "told"),
    [
        ({}, (), []),
        ({"postgres": "db:5432/langfuse"}, (), ["postgres is at cnpg/langfuse, and langfuse_postgres_source"]),
        ({"postgres": "db:5432/langfuse"}, ("postgres",), []),
        ({"postgres": "db:5432/langfuse"}, ("clickhouse",), ["postgres"]),
        ({"clickhouse": "operator/default"}, (), ["clickhouse is at bundled/langfuse"]),
        # Other nodes of the same cluster.
        ({"redis": "c:6379,b:6379 langfuse:"}, (), []),
        (
            {"redis": "b:6379 other:", "s3": "s3 http://one events,files"},
            (),
            ["redis is at a:6379", "s3 is at s3 http://one"],
        ),
    ],
)
def test_data_that_is_elsewhere(after: dict[str, str], said: tuple[str, ...], told: list[str]) -> None:
    live = recorded(**HERE)
    found = list(moved([Wanted(recorded(**{**HERE, **after}), 5)], {identity_of(live): live}, said))
    assert [one["code"] for one in found] == ["store_moved"] * len(told)
    assert all(words in one["what"] for words, one in zip(told, found, strict=True))
    assert all("langfuse_moved_stores: [" in one["cure"] for one in found)


def test_an_instance_without_data_may_go_anywhere() -> None:
    after = recorded(**{**HERE, "postgres": "db:5432/langfuse"})
    assert not list(moved([Wanted(after, 5)], {}, ()))
    other = {**after, "metadata": {**after["metadata"], "labels": {}}}
    assert not list(moved([Wanted(other, 5)], {identity_of(other): recorded(**HERE)}, ()))


def test_preflight_tells_of_data_that_is_elsewhere() -> None:
    identity = next(one.identity for one in SHARED if one.identity.name == "langfuse-store-places")
    facts = GOOD._replace(live={identity: recorded(**{**HERE, "s3": "s3 http://one events,media"})})
    codes = [one["code"] for one in findings(SHARED, OWNER, facts)]
    assert codes and set(codes) == {"store_moved"}
    assert findings(SHARED, OWNER, facts._replace(moved=["postgres", "clickhouse", "redis", "s3"])) == []
    foreign = findings(SHARED, OWNER, facts._replace(foreign={identity: "somebody"}))
    assert [one["code"] for one in foreign] == ["foreign_object"]


def test_preflight_tells_both_of_what_is_there() -> None:
    """And says nothing of a new one, nor of somebody else's."""
    identity = next(one.identity for one in SHARED if one.identity.kind == "Cluster")
    live = _cluster("1Ti", "x/postgresql:16.9")
    facts = GOOD._replace(live={identity: live})
    assert [one["code"] for one in findings(SHARED, OWNER, facts)] == ["smaller_volume", "other_major_version"]
    others = findings(SHARED, OWNER, facts._replace(foreign={identity: "somebody"}))
    assert [one["code"] for one in others] == ["foreign_object"]
