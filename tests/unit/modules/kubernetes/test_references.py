"""Secrets of somebody else: a change rolls exactly their readers, and one that is on its way is waited for."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes import others
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import ApiError
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Wanted
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.references import (
    CHECKSUM,
    Contents,
    followed,
    of_others,
)

from ...documents.kubernetes.support import BIG, CONFIGURATIONS, manifests

NAMESPACE = "llm"


def _encoded(**values: str) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


APPLICATION = _encoded(NEXTAUTH_SECRET="canary-n" * 4, SALT="canary-s" * 4, ENCRYPTION_KEY="ca" * 32)
CLICKHOUSE = _encoded(password="canary-of-clickhouse")


def wanted(given: dict[str, Any] | None = None, **secrets: str) -> list[Wanted]:
    """Of a small instance whose Secrets of these groups are somebody else's."""
    existing = {group.replace("_", "-"): name for group, name in secrets.items()}
    more = {"langfuse_kubernetes_existing_secrets": existing, **(given or {})}
    return [Wanted(one.object, int(one.wave), one.sensitive) for one in manifests({**CONFIGURATIONS["quiet"], **more})]


def marks(objects: list[Wanted]) -> dict[str, str]:
    """Name of a workload → what rolls it."""
    found = {}
    for one in objects:
        if one.identity.kind == "Job":
            found["migration"] = one.identity.name
        elif one.identity.kind in ("Deployment", "StatefulSet"):
            annotations = one.object["spec"]["template"]["metadata"]["annotations"]
            found[one.identity.name.removeprefix("team-a-")] = annotations.get(CHECKSUM, "")
    return found


def changed(before: list[Wanted], first: Contents, second: Contents) -> set[str]:
    one, two = marks(followed(before, first)), marks(followed(before, second))
    return {name for name in one if one[name] != two[name]}


def test_a_change_rolls_exactly_its_readers() -> None:
    objects = wanted(credentials="keys", clickhouse_credentials="theirs")
    keys, theirs = (NAMESPACE, "keys"), (NAMESPACE, "theirs")
    before: dict[tuple[str, str], Any] = {keys: APPLICATION, theirs: CLICKHOUSE}
    assert changed(objects, before, dict(before)) == set()
    other = {**before, theirs: _encoded(password="another")}
    assert changed(objects, before, other) == {"web", "worker", "clickhouse", "migration"}
    other = {**before, keys: {**APPLICATION, **_encoded(NEXTAUTH_SECRET="another")}}
    assert changed(objects, before, other) == {"web"}
    # What nobody reads.
    assert changed(objects, before, {**before, keys: {**APPLICATION, "MORE": "eA=="}}) == set()
    one, two = ({**before, theirs: {**CLICKHOUSE, "ENCRYPTION_KEY": value}} for value in ("MQ==", "Mg=="))
    assert changed(objects, one, two) == set()
    assert marks(followed(objects, before))["valkey"] == marks(followed(objects, before))["seaweedfs"] == ""


def test_without_secrets_of_others_nothing_is_marked() -> None:
    objects = wanted()
    assert of_others(objects) == [] and followed(objects, {}) == objects


def test_the_fingerprint_is_keyed_and_tells_nothing() -> None:
    """With the key of the instance, whoever keeps that; without one there is none."""
    theirs = {(NAMESPACE, "theirs"): CLICKHOUSE}
    objects = wanted(clickhouse_credentials="theirs")
    (own,) = [one.object for one in objects if one.identity.name == "team-a-credentials"]
    found = marks(followed(objects, theirs))
    other = [
        one._replace(object={**own, "data": {**own["data"], "ENCRYPTION_KEY": "b3RoZXI="}})
        if one.object is own
        else one
        for one in objects
    ]
    again = marks(followed(other, theirs))
    assert len(found["web"]) == 32 and found["web"] != again["web"] and found["migration"] != again["migration"]
    said = json.dumps([one.object for one in followed(objects, theirs) if one.identity.kind != "Secret"])
    assert not [value for value in CLICKHOUSE.values() if value in said]
    missing = wanted(credentials="keys", clickhouse_credentials="theirs")
    assert followed(missing, {**theirs, (NAMESPACE, "keys"): None}) == missing
    off = wanted({"langfuse_enabled": False}, credentials="keys", clickhouse_credentials="theirs")
    assert followed(off, {**theirs, (NAMESPACE, "keys"): APPLICATION}) == off


def test_a_migration_is_called_after_what_it_reads() -> None:
    objects = wanted(clickhouse_credentials="theirs")
    name = marks(objects)["migration"]
    found = marks(followed(objects, {(NAMESPACE, "theirs"): CLICKHOUSE}))["migration"]
    assert found != name and found.startswith("team-a-migrate-") and len(found) == len(name)
    newer = wanted({"langfuse_version": "4.15.0"}, clickhouse_credentials="theirs")
    assert marks(followed(newer, {(NAMESPACE, "theirs"): CLICKHOUSE}))["migration"] != found


def test_a_volume_is_read_whole() -> None:
    volume = {"name": "a", "mountPath": "/a", "secret": {"secretName": "files"}}
    objects = wanted({"langfuse_kubernetes_volumes": [volume]})
    place = (NAMESPACE, "files")
    assert changed(objects, {place: {"a": "eA=="}}, {place: {"a": "eA==", "b": "eA=="}}) == {"web", "worker"}


def test_servers_of_an_operator_are_rolled_by_their_environment() -> None:
    given = {**BIG, "langfuse_kubernetes_existing_secrets": {"clickhouse-credentials": "theirs"}}
    objects = [Wanted(one.object, int(one.wave), one.sensitive) for one in manifests(given)]

    def rolls(password: str) -> list[str]:
        found = followed(objects, {("ai-system", "theirs"): _encoded(password=password)})
        (cluster,) = [one.object for one in found if one.identity.kind == "ClickHouseCluster"]
        environment = cluster["spec"]["containerTemplate"]["env"]
        return [one["value"] for one in environment if one["name"] == "LANGFUSE_CHECKSUM"]

    assert len(rolls("one")) == 1 and rolls("one") == rolls("one") != rolls("two")


def test_operators_read_secrets_of_others_too() -> None:
    given = CONFIGURATIONS["everything"]
    given = {
        name: value
        for name, value in given.items()
        if not name.startswith("langfuse_backup_") or name.endswith("enabled")
    }
    existing = {"postgresql-credentials": "database", "backup-credentials": "keys"}
    given = {**given, "langfuse_kubernetes_existing_secrets": existing}
    found = {(one.secret, one.key): one.reader.kind for one in of_others(
        Wanted(one.object, 1, False) for one in manifests(given)
    )}  # fmt: skip
    assert found["keys", "ACCESS_KEY_ID"] == found["keys", "SECRET_ACCESS_KEY"] == "ObjectStore"
    assert found["database", None] == "Cluster" and ("database", "DATABASE_URL") in found
    assert found["database", "username"] == found["database", "password"] == "Cluster"


class Cluster:
    """Secrets and what makes them. After each ``later`` seconds the next of its Secrets is there."""

    def __init__(self, secrets: dict[str, Any], *makers: dict[str, Any], later: dict[int, str] | None = None) -> None:
        self.secrets, self.makers, self.later, self.seconds = secrets, makers, later or {}, 0

    def sleep(self, seconds: float) -> None:
        self.seconds += int(seconds)
        if name := self.later.get(self.seconds):
            self.secrets[name] = {"data": dict(CLICKHOUSE)}

    def get(self, _kind: Any, namespace: str, name: str) -> Any:
        assert namespace == NAMESPACE
        if name == "closed":
            raise ApiError({"code": 403, "reason": "Forbidden", "message": "no"})
        return self.secrets.get(name)

    def list(self, kind: Any, _namespace: str) -> Any:
        if not self.makers:
            raise ApiError({"code": 403, "reason": "Forbidden", "message": "no"})
        # An older operator.
        return list(self.makers) if kind.api.endswith("/v1beta1") else None


def maker(name: str, target: str = "", **ready: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", **ready}] if ready else []
    spec = {"target": {"name": target}} if target else {}
    return {"metadata": {"name": name}, "spec": spec, "status": {"conditions": conditions}}


PLACE = (NAMESPACE, "theirs")


def settled(cluster: Cluster, seconds: float = 0.05) -> others.Others:
    return others.settled(cluster, wanted(clickhouse_credentials="theirs"), seconds, cluster.sleep)  # type: ignore[arg-type]


@pytest.mark.parametrize("one", [maker("theirs"), maker("a", "theirs"), maker("theirs", status="Unknown")])
def test_a_secret_that_external_secrets_is_about_to_make_is_waited_for(one: dict[str, Any]) -> None:
    cluster = Cluster({}, one, later={3: "theirs"})
    assert settled(cluster, 60) == ({PLACE: CLICKHOUSE}, {})
    assert cluster.seconds == 3


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (
            maker("a", "theirs", status="False", message="no such path in the vault."),
            "ExternalSecret a says: no such path in the vault",
        ),
        (maker("a", "theirs", status="False", reason="SecretSyncedError"), "ExternalSecret a says: SecretSyncedError"),
    ],
)
def test_one_that_cannot_be_made_is_not_waited_for(one: dict[str, Any], why: str) -> None:
    cluster = Cluster({}, one)
    assert settled(cluster, 60) == ({PLACE: None}, {PLACE: why})
    assert cluster.seconds == 0


def test_nobody_waits_for_ever_or_for_what_nobody_makes() -> None:
    assert settled(Cluster({}, maker("theirs"))) == (
        {PLACE: None},
        {PLACE: "ExternalSecret theirs has not made it yet"},
    )
    for cluster in (Cluster({}), Cluster({}, maker("theirs", "other")), Cluster({}, maker("other"))):
        assert settled(cluster, 60) == ({PLACE: None}, {})
        assert cluster.seconds == 0
    cluster = Cluster({"theirs": {"data": CLICKHOUSE}})
    assert settled(cluster, 60) == ({PLACE: CLICKHOUSE}, {})


def test_one_that_may_not_be_read_is_left_to_the_findings_and_stops_who_applies() -> None:
    cluster: Any = Cluster({})
    objects = wanted(clickhouse_credentials="closed")
    assert others.settled(cluster, objects, 0) == ({}, {})
    with pytest.raises(Failure, match="Secret closed in llm"):
        others.contents(cluster, objects)
    assert others.contents(cluster, wanted(clickhouse_credentials="theirs")) == {PLACE: None}
