"""Secrets that somebody else keeps: their readers roll when they change, and one that is on its way is waited for.

External Secrets does not run; its definition is there, and the test writes what it would write.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.references import CHECKSUM

from tests.integration.cluster import objects
from tests.integration.cluster.objects import Document
from tests.integration.cluster.place import Place
from tests.integration.cluster.running import Running

pytestmark = [pytest.mark.engine]
KEYS = {"ENCRYPTION_KEY": objects.CANARY, "PASSWORD": f"{objects.CANARY}-1"}


def keep(place: Place, name: str, **values: str) -> None:
    """As whoever keeps the Secret does."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": name, "namespace": place.owner.namespace}
    place.running.api.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}])


def reader(place: Place, name: str, secret: str, *keys: str) -> Document:
    environment = [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}} for key in ("ENCRYPTION_KEY", *keys)
    ]
    return objects.web(place.owner, place.image, name=name, env=environment)


def generations(place: Place) -> dict[str, Any]:
    found = json.loads(place.kubectl("get", "deployments", "--output=json"))["items"]
    return {one["metadata"]["name"]: one["metadata"]["generation"] for one in found}


def test_a_change_rolls_exactly_its_readers(place: Place) -> None:
    place.make_namespace()
    keep(place, "theirs", **KEYS)
    documents = [
        objects.migration(place.owner, place.image),
        reader(place, "lf-web", "theirs", "PASSWORD"),
        reader(place, "lf-worker", "theirs"),
        objects.web(place.owner, place.image, name="lf-apart"),
    ]
    assert place.apply(*documents)["changed"]
    template = place.find("deployment", "lf-web")["spec"]["template"]
    assert len(template["metadata"]["annotations"][CHECKSUM]) == 32
    before = generations(place)
    assert not place.apply(*documents)["changed"]

    keep(place, "theirs", **{**KEYS, "PASSWORD": f"{objects.CANARY}-2"})
    told = [{"object": f"Deployment lf-web in {place.owner.namespace}", "action": "changed"}]
    predicted = place.apply(*documents, check=True)
    assert predicted["applied"] == told
    assert CHECKSUM in json.dumps(predicted["diff"]) and generations(place) == before
    assert place.apply(*documents)["applied"] == told
    after = generations(place)
    assert after["lf-web"] == before["lf-web"] + 1
    assert {**after, "lf-web": 0} == {**before, "lf-web": 0}
    assert not place.apply(*documents, check=True)["changed"]


def test_a_migration_runs_again_with_what_it_reads(place: Place) -> None:
    place.make_namespace()
    keep(place, "theirs", **KEYS)
    web = reader(place, "lf-web", "theirs")
    job = objects.migration(place.owner, place.image)
    job["object"]["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "theirs", "key": "PASSWORD"}}}
    ]
    documents = [job, web]

    def names() -> set[str]:
        return {name.partition("/")[2] for name in place.kubectl("get", "jobs", "--output=name").split()}

    assert place.apply(*documents)["changed"]
    (first,) = names()
    assert first.startswith("lf-migrate-") and not place.apply(*documents)["changed"]
    keep(place, "theirs", **{**KEYS, "PASSWORD": "another"})
    done = place.apply(*documents)
    assert done["removed"] == [f"Job {first} in {place.owner.namespace}"]
    assert len(names() - {first}) == 1 and not place.apply(*documents)["changed"]


def test_the_printed_roles_let_them_be_read(place: Place) -> None:
    """Also where the instance has no Secret of its own."""
    place.make_namespace()
    keep(place, "theirs", **KEYS)
    documents = [reader(place, "lf-web", "theirs")]
    token = place.kubectl("create", "token", "default").strip()
    path = place.account(lambda content: content["users"][0].update(user={"token": token}))
    before = place.call("kubernetes_preflight", *documents, kubeconfig=path)
    assert f"get secrets in {place.owner.namespace}" in before["errors"][0]
    for role in before["roles"]:
        place.bind(role)
    assert place.call("kubernetes_preflight", *documents, kubeconfig=path)["errors"] == []
    assert place.apply(*documents, kubeconfig=path, check=True)["changed"]


def _external(place: Place, name: str, target: str) -> dict[str, Any]:
    store = {"name": "vault", "kind": "SecretStore"}
    metadata = {"name": name, "namespace": place.owner.namespace}
    spec = {"secretStoreRef": store, "target": {"name": target}, "refreshInterval": "1h"}
    spec["data"] = [{"secretKey": "ENCRYPTION_KEY", "remoteRef": {"key": "langfuse"}}]
    return {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": metadata, "spec": spec}


def test_a_secret_that_is_on_its_way_is_waited_for(place: Place, definitions: Running) -> None:
    place.make_namespace()
    definitions.api.apply([_external(place, "langfuse", "late")])
    operator = threading.Timer(3, keep, (place, "late"), KEYS)
    began = time.monotonic()
    operator.start()
    try:
        result = place.call("kubernetes_preflight", reader(place, "lf-web", "late"))
    finally:
        operator.join()
    assert result["errors"] == [] and time.monotonic() - began >= 3


def test_why_it_cannot_be_made_is_told(place: Place, definitions: Running) -> None:
    place.make_namespace()
    definitions.api.apply([_external(place, "langfuse", "never")])
    failed = {"type": "Ready", "status": "False", "reason": "SecretSyncedError", "message": "no such path in the vault"}
    failed["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    status = json.dumps({"status": {"conditions": [failed]}})
    place.kubectl("patch", "externalsecret", "langfuse", "--subresource=status", "--type=merge", f"--patch={status}")
    began = time.monotonic()
    (found,) = place.call("kubernetes_preflight", reader(place, "lf-web", "never"))["findings"]
    assert found["code"] == "no_secret" and time.monotonic() - began < 55
    assert found["what"].endswith("reads it; ExternalSecret langfuse says: no such path in the vault")
    assert "never" not in place.kubectl("get", "secrets", "--output=name")
