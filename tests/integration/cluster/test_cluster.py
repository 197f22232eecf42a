"""The cluster of the bench does what clusters do: everything else that is tested on it rests on this."""

from __future__ import annotations

import base64
import ssl
import urllib.error
import urllib.request
from functools import partial
from typing import Any

import pytest

from tests.bench.cluster import control_plane, postgresql
from tests.bench.cluster.api import ApiError, has_condition
from tests.bench.cluster.volumes import STORAGE_CLASS
from tests.bench.extras import by_name, find
from tests.bench.lock import only_one
from tests.integration.cluster.host import take_traces
from tests.integration.cluster.running import LAYOUT, Namespace, Running
from tests.waiting import wait_until

pytestmark = [pytest.mark.engine]


def _status(url: str, host: str = "", context: ssl.SSLContext | None = None) -> int:
    """Of the answer; 0 when nothing answers."""
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_a_service_is_reached_by_address_and_by_name(namespace: Namespace) -> None:
    namespace.web("web", replicas=2)
    namespace.client("client")
    service = namespace.api.get(f"/api/v1/namespaces/{namespace.name}/services/web")
    # Pods that are ready, and rules and names that lead to them, are two things.
    wait_until("its address leads to a pod", lambda: _status(f"http://{service['spec']['clusterIP']}/") == 200)
    for name in ("web", f"web.{namespace.name}", f"web.{namespace.name}.svc.cluster.local"):
        wait_until(f"{name} leads to a pod", partial(namespace.reaches, "client", name))
    assert namespace.run("client", "getent", "hosts", "nothing.invalid").returncode != 0


def test_logs_and_forwarded_ports(namespace: Namespace) -> None:
    namespace.web("web")
    found = namespace.running.kubectl("logs", f"--namespace={namespace.name}", "deployment/web")
    assert found.returncode == 0, found.stderr
    assert "GET / HTTP" in found.stderr + found.stdout


def test_a_volume_belongs_to_its_pod_and_outlives_it(namespace: Namespace) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    container = {
        "name": "main",
        "image": namespace.running.image,
        "command": ["sh", "-c", "echo x >> /data/file && exec sleep 1000"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    pod = {
        "containers": [container],
        "securityContext": {"runAsUser": 1001, "runAsNonRoot": True, "fsGroup": 2002},
        "terminationGracePeriodSeconds": 0,
    }
    labels = {"app": "store"}
    namespace.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "store"},
            "spec": {
                "serviceName": "store",
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
                "volumeClaimTemplates": [claim],
            },
        }
    )
    path = f"/api/v1/namespaces/{namespace.name}/pods/store-0"
    first = namespace.api.wait(path, lambda pod: has_condition(pod, "Ready"), "pod that wrote")
    namespace.api.delete(path, 0)
    namespace.api.wait(
        path,
        lambda pod: pod["metadata"]["uid"] != first["metadata"]["uid"] and has_condition(pod, "Ready"),
        "second pod",
    )
    assert namespace.run("store-0", "sh", "-c", "wc -l < /data/file; stat -c %g /data").stdout.split() == ["2", "2002"]
    volume = namespace.api.get(f"/api/v1/namespaces/{namespace.name}/persistentvolumeclaims/data-store-0")
    folder = LAYOUT.volumes / volume["spec"]["volumeName"]
    assert volume["spec"]["storageClassName"] == STORAGE_CLASS
    assert folder.exists()
    namespace.api.delete(f"/apis/apps/v1/namespaces/{namespace.name}/statefulsets/store")
    namespace.api.delete(f"/api/v1/namespaces/{namespace.name}/persistentvolumeclaims/data-store-0")
    wait_until("the folder is gone with its claim", lambda: not folder.exists())


def _policy(name: str, app: str, **rules: Any) -> dict[str, Any]:
    selector = {"podSelector": {"matchLabels": {"app": app}}}
    spec = {**selector, "policyTypes": [kind.title() for kind in rules], **rules}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec}


def _from(app: str) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": {"app": app}}}


def test_policies_are_enforced_in_both_directions(namespace: Namespace) -> None:
    namespace.web("web")
    namespace.web("other")
    for name in ("good", "bad"):
        namespace.client(name)
        wait_until("before any policy all is open", partial(namespace.reaches, name, "web"))
    service = namespace.api.get(f"/api/v1/namespaces/{namespace.name}/services/web")
    dns = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    namespace.apply(
        _policy("web", "web", ingress=[{"from": [_from("good")], "ports": [{"port": "http"}]}]),
        _policy("good", "good", egress=[{"to": [_from("web")]}, {"to": [dns], "ports": [{"port": 53, "protocol": "UDP"}]}]),
    )  # fmt: skip
    wait_until("who is not named is kept out", lambda: not namespace.reaches("bad", "web"))
    wait_until("who is named gets in", lambda: namespace.reaches("good", "web"))
    assert not namespace.reaches("good", "other"), "and may not leave for what is not named"
    wait_until("who has no policy goes where there is none", lambda: namespace.reaches("bad", "other"))
    assert _status(f"http://{service['spec']['clusterIP']}/") == 200, "the node itself passes"
    namespace.api.delete(f"/apis/networking.k8s.io/v1/namespaces/{namespace.name}/networkpolicies/web")
    wait_until("without the policy it is open again", lambda: namespace.reaches("bad", "web"))


def test_pods_come_back_after_a_reboot(namespace: Namespace) -> None:
    namespace.web("web")
    path = f"/api/v1/namespaces/{namespace.name}/pods"
    (before,) = namespace.api.get(path)["items"]
    service = namespace.api.get(f"/api/v1/namespaces/{namespace.name}/services/web")
    with only_one(LAYOUT.paths):
        control_plane.reboot(LAYOUT)

    def is_back() -> bool:
        (now,) = namespace.api.get(path)["items"]
        restarts = now["status"]["containerStatuses"][0]["restartCount"]
        same = now["metadata"]["uid"] == before["metadata"]["uid"]
        return bool(same and restarts and has_condition(now, "Ready"))

    wait_until("the same pod runs again", is_back, 180)
    wait_until("its Service leads to it", lambda: _status(f"http://{service['spec']['clusterIP']}/") == 200)


def test_postgresql_is_made_by_its_operator(namespace: Namespace) -> None:
    namespace.running.add("cnpg")
    image = find(by_name(postgresql.INSTANCES))
    wanted = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {"name": "database"},
        "spec": {
            "instances": 1,
            "imageName": image,
            "storage": {"size": "1Gi"},
            "bootstrap": {"initdb": {"database": "app", "owner": "app"}},
        },
    }
    with pytest.raises(ApiError, match="instances"):
        namespace.apply({**wanted, "spec": {**wanted["spec"], "instances": 0}})  # type: ignore[dict-item]
    namespace.apply(wanted)
    namespace.api.wait(namespace.api.path_of(wanted), lambda each: has_condition(each, "Ready"), "database", 240)
    namespace.client("client", image)
    secret = namespace.api.get(f"/api/v1/namespaces/{namespace.name}/secrets/database-app")
    assert secret["type"] == "kubernetes.io/basic-auth"
    uri = base64.b64decode(secret["data"]["uri"]).decode()
    found = namespace.run("client", "psql", uri, "-Atc", "select current_user, current_database()")
    assert found.stdout.strip() == "app|app", found.stderr


def test_what_down_leaves_behind(running: Running) -> None:
    """The last one: it ends the cluster."""
    if running.before is None:
        pytest.skip("the cluster was up before the tests")
    with only_one(LAYOUT.paths):
        assert control_plane.stop(LAYOUT)
    assert take_traces() == running.before
