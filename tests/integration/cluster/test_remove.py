"""`kubernetes_remove` on a real cluster: what goes, in which order, and what nobody loses by it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner

from tests.integration.cluster import objects
from tests.integration.cluster.objects import document, instance
from tests.integration.cluster.running import LAYOUT, Running
from tests.integration.modules.conftest import call

pytestmark = [pytest.mark.engine]
Result = dict[str, Any]
# What the instance of the tests leaves behind, and what goes only by name.
KEPT = {"PersistentVolumeClaim data-lf-store-0", "Secret lf-credentials"}


@dataclass(frozen=True)
class Place:
    running: Running
    owner: Owner

    def call(self, module: str, **options: Any) -> Result:
        given = {
            "instance": self.owner.instance,
            "namespace": self.owner.namespace,
            "kubeconfig": str(LAYOUT.kubeconfig),
        }
        result = call(module, diff=True, **{**given, **options})
        assert objects.CANARY not in json.dumps(result) and "Q2FuYXJ5" not in json.dumps(result)
        return result

    def apply(self, *more: objects.Document) -> None:
        wanted = [*instance(self.owner, self.running.image), store(self.owner, self.running.image), *more]
        result = self.call("kubernetes_apply", objects=json.dumps(wanted))
        assert not result.get("failed"), result

    def remove(self, check: bool = False, **options: Any) -> Result:
        result = self.call("kubernetes_remove", check=check, objects="[]", **options)
        assert not result.get("failed"), result
        return result

    def there(self, kinds: str = "deploy,sts,job,secret,cm,pvc,pod,svc") -> set[str]:
        """Kind and name of everything but what each namespace has."""
        done = self.running.kubectl(f"--namespace={self.owner.namespace}", "get", kinds, "--output=json")
        found = {f"{one['kind']} {one['metadata']['name']}" for one in json.loads(done.stdout)["items"]}
        return found - {"ConfigMap kube-root-ca.crt"}


def store(owner: Owner, image: str) -> objects.Document:
    """As a bundled one: its pod ends a second after everything else was told to."""
    labels = {"app": "lf-store"}
    script = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), exit(0))); time.sleep(999)"
    mount = {"name": "data", "mountPath": "/data"}
    container = {"name": "main", "image": image, "command": ["python3", "-c", script], "volumeMounts": [mount]}
    claim = {
        "metadata": {"name": "data", "labels": owner.labels},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    spec = {
        "serviceName": "lf-store",
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        "volumeClaimTemplates": [claim],
    }
    return document(2, owner, "apps/v1", "StatefulSet", "lf-store", spec=spec)


@pytest.fixture
def place(running: Running) -> Iterator[Place]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    yield Place(running, Owner("lf", name))
    running.api.delete(f"/api/v1/namespaces/{name}")


def _short(told: Any) -> set[str]:
    return {str(one).split(" in ")[0] for one in told}


def test_an_instance_goes_and_its_data_stays_until_it_is_confirmed(place: Place) -> None:
    place.apply()
    theirs = {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "theirs", "namespace": place.owner.namespace},
    }
    place.running.api.apply([theirs])
    before = place.there()
    predicted = place.remove(check=True)
    assert place.there() == before, "a check took something away"
    gone = place.remove()
    # Pods have ended, and are not merely told to.
    assert place.there() == KEPT | {"ConfigMap theirs"}
    assert gone["removed"] == predicted["removed"] and gone["diff"] == predicted["diff"]
    assert _short(gone["removed"]) == {"Deployment lf-web", "Job lf-migrate-1", "StatefulSet lf-store", "ConfigMap lf-settings"}  # fmt: skip
    assert _short(one["object"] for one in gone["kept"]) == KEPT
    assert not place.remove()["changed"]

    place.apply()
    assert place.there("pvc") == {"PersistentVolumeClaim data-lf-store-0"}, "the store has its volume again"
    confirmed = place.remove(data=True)
    assert _short(confirmed["removed"]) >= KEPT and confirmed["kept"] == []
    assert place.there() == {"ConfigMap theirs"}
    assert place.running.api.find(f"/api/v1/namespaces/{place.owner.namespace}")["status"]["phase"] == "Active"


def test_a_single_volume_goes_by_its_name_and_another_instance_stays(place: Place) -> None:
    place.apply()
    other = Place(place.running, Owner("lg", place.owner.namespace))
    assert not other.remove(data=True)["changed"]
    gone = place.remove(remove=["PersistentVolumeClaim/data-lf-store-0"])
    assert "PersistentVolumeClaim data-lf-store-0" in _short(gone["removed"])
    assert place.there() == {"Secret lf-credentials"}


def test_a_migration_that_runs_is_waited_for(place: Place) -> None:
    wanted = [objects.namespace(place.owner), objects.migration(place.owner, place.running.image, "sleep 20")]
    place.running.api.apply([one["object"] for one in wanted])
    name = f"/apis/batch/v1/namespaces/{place.owner.namespace}/jobs/lf-migrate-1"
    place.running.api.wait(name, lambda job: job.get("status", {}).get("ready") == 1, "the migration runs")
    assert _short(one["object"] for one in place.remove(check=True)["kept"]) == {"Job lf-migrate-1"}
    assert _short(place.remove()["removed"]) == {"Job lf-migrate-1"}
    reasons = place.running.kubectl(f"--namespace={place.owner.namespace}", "get", "events", "--output=json").stdout
    assert '"Completed"' in reasons, "it was cut off"


def test_a_namespace_that_is_not_there_is_nothing_to_do(place: Place) -> None:
    assert not place.remove(data=True)["changed"]


def test_an_account_that_may_not_look_is_told_so(place: Place, tmp_path: Path) -> None:
    place.running.api.apply([objects.namespace(place.owner)["object"]])
    token = place.running.kubectl(f"--namespace={place.owner.namespace}", "create", "token", "default").stdout.strip()
    content = yaml.safe_load(LAYOUT.kubeconfig.read_text())
    content["users"][0].update(user={"token": token})
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    result = place.call("kubernetes_remove", objects="[]", kubeconfig=str(path))
    assert result["code"] == "forbidden" and "may not list deployments" in result["msg"], result
