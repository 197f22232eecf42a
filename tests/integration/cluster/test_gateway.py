"""The way from outside to an instance: a gateway's route with its grant, an Ingress, a port of the node."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.module_utils import resolver
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.manifest import Manifest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.kubernetes.objects import objects
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.derive import Derived
from botocore.config import Config

from tests.bench.cluster import gateway, runtime
from tests.bench.cluster.certificates import Authority
from tests.bench.cluster.layout import NODE_ADDRESS
from tests.integration.cluster.running import LAYOUT, Running
from tests.integration.cluster.world import Place, World, labels_of
from tests.integration.modules.conftest import call
from tests.unit.documents.kubernetes.support import derived
from tests.unit.settings.cluster_cases import CLUSTER
from tests.waiting import wait_until

pytestmark = [pytest.mark.engine]
_GROUP = "gateway.networking.k8s.io"
_OTHER = f"other.{gateway.DOMAIN}"
# Of the whole instance, what requests from outside reach; web itself is a small server.
_APPLIED = (
    *(("Service", "-web"), ("HTTPRoute", ""), ("ReferenceGrant", "-network-access"), ("Ingress", "")),
    *((kind, "-seaweedfs") for kind in ("Service", "StatefulSet")),
    ("Secret", "-s3-credentials"),
)


@dataclass(frozen=True)
class Outside:
    """An instance of a namespace of its own; `given` is what its variables say beside that."""

    running: Running
    name: str
    given: dict[str, Any]

    @property
    def host(self) -> str:
        return f"{self.name}.{gateway.DOMAIN}"

    def with_(self, **given: Any) -> Outside:
        return replace(self, given={**self.given, **given})

    def derived(self) -> Derived:
        return derived({"langfuse_public_url": f"https://{self.host}", **self.given})

    def manifests(self) -> list[Manifest]:
        found = self.derived()
        return objects(found.plan, found.secrets)

    def contents(self, *without: str) -> str:
        wanted = {(kind, f"{self.name}{suffix}") for kind, suffix in _APPLIED if kind not in without}
        return json.dumps([one.as_data() for one in self.manifests() if one.identity in wanted])

    def apply(self, *without: str, timeout: int = 120) -> dict[str, Any]:
        """Of the module, with all objects but those of these kinds."""
        return self._call("kubernetes_apply", *without, elsewhere=[gateway.NAMESPACE], timeout=timeout)

    def applied(self, *without: str) -> bool:
        """Whether something changed."""
        result = self.apply(*without)
        assert not result.get("failed"), result
        return bool(result["changed"])

    def findings(self) -> dict[str, str]:
        """Code → message, of what preflight would refuse."""
        return {one["code"]: one["what"] for one in self._call("kubernetes_preflight")["findings"]}

    def _call(self, module: str, *without: str, **options: Any) -> dict[str, Any]:
        place = {"instance": self.name, "namespace": self.name, "kubeconfig": str(LAYOUT.kubeconfig)}
        return call(module, objects=self.contents(*without), **place, **options)

    def delete(self, api: str, kind: str, name: str, namespace: str = gateway.NAMESPACE) -> None:
        metadata = {"name": name, "namespace": namespace}
        self.running.api.delete(self.running.api.path_of({"apiVersion": api, "kind": kind, "metadata": metadata}))


def _status(
    url: str, method: str = "GET", body: bytes | None = None, authority: Path | None = None, **headers: str
) -> int:
    """Of the answer, without proxies; 0 when nothing answers. The certificate is checked against its name."""
    context = ssl.create_default_context(cafile=str(authority or LAYOUT.gateway_authority))
    request = urllib.request.Request(url, body, headers, method=method)
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _store(plan: Derived, endpoint: str) -> Any:
    keys = [plan.secrets[f"langfuse_s3_{name}_key"] for name in ("access", "secret")]
    options = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    return boto3.client("s3", "us-east-1", None, True, None, endpoint, *keys, config=options)


def _served(outside: Outside) -> None:
    """The route is there, whichever test runs alone."""
    if _status(f"https://{outside.host}/") != 200:
        outside.applied()
        _becomes(200, f"https://{outside.host}/")


def _becomes(status: int, url: str, **options: Any) -> None:
    wait_until(f"{url} answers {status}", lambda: _status(url, **options) == status, 60)


@pytest.fixture(scope="module")
def outside(running: Running) -> Iterator[Outside]:
    """With web, without the rest: each test applies what it is about."""
    running.add("gateway")
    bench = yaml.safe_load(LAYOUT.paths.variables.read_text())
    with running.new_namespace() as namespace:
        name = namespace.name
        given: dict[str, Any] = {
            **CLUSTER,
            **bench,
            "langfuse_instance": name,
            "langfuse_kubernetes_namespace": name,
            "langfuse_kubernetes_create_namespace": False,
            "langfuse_gateway_name": gateway.NAME,
            "langfuse_gateway_namespace": gateway.NAMESPACE,
        }
        found = Outside(running, name, given)
        runtime.add_from_docker(LAYOUT, found.derived().plan["images"]["seaweedfs"], {})
        labels = labels_of(one.object for one in found.manifests())["web"]
        world = World(running, {"web": Place(name, labels)}, (3000,), {})
        world.start()
        with resolver.known(dict.fromkeys((found.host, _OTHER), gateway.ADDRESS)):
            yield found
        found.delete(gateway.API, "HTTPRoute", name)


def test_a_cluster_without_such_a_gateway_is_refused(outside: Outside) -> None:
    assert outside.findings() == {}
    found = outside.with_(langfuse_gateway_name="envoy-external").findings()
    assert list(found) == ["no_gateway"] and "envoy-external in network" in found["no_gateway"]
    found = outside.with_(langfuse_gateway_section="tls").findings()
    assert list(found) == ["no_listener"] and "it has http, https" in found["no_listener"]
    found = outside.with_(langfuse_public_url="https://langfuse.example.com").findings()
    assert list(found) == ["no_listener"] and f"serves *.{gateway.DOMAIN} there" in found["no_listener"]


def test_without_its_grant_a_route_is_refused(outside: Outside) -> None:
    outside.applied("ReferenceGrant", "HTTPRoute")
    result = outside.apply("ReferenceGrant", timeout=30)
    assert result["failed"] and "waits for the gateway external (" in result["msg"], result
    _becomes(500, f"https://{outside.host}/")


def test_the_route_is_served(outside: Outside) -> None:
    outside.applied()
    url = f"https://{outside.host}"
    _becomes(200, f"{url}/")
    assert not outside.applied()
    assert _status(f"{url}/api/public/health") == 200
    assert _status(f"https://{_OTHER}/") == 404
    assert _status(f"http://{outside.host}/") == 404, "the listener is https"


@pytest.mark.parametrize(
    "path", ["/api/admin", "/api/admin/bullmq", "//api/admin", "/x/../api/admin", "/api/%61dmin", "/api//admin"]
)
def test_the_admin_api_is_not_reached(outside: Outside, path: str) -> None:
    _served(outside)
    assert _status(f"https://{outside.host}{path}") in (404, 500)


def test_media_go_to_the_object_store_under_the_signed_host(outside: Outside) -> None:
    _served(outside)
    plan = outside.derived()
    bucket = plan.plan["buckets"]["media"]
    service = outside.running.api.get(f"/api/v1/namespaces/{outside.name}/services/{outside.name}-seaweedfs")
    inside = f"http://{service['spec']['clusterIP']}:8333"
    assert plan.plan["endpoints"]["s3"]["public"] == f"https://{outside.host}"
    _store(plan, inside).create_bucket(Bucket=bucket)
    signer, what = _store(plan, f"https://{outside.host}"), {"Bucket": bucket, "Key": "project/image.png"}
    put = signer.generate_presigned_url("put_object", Params=what)
    _becomes(200, put, method="PUT", body=b"an image")
    assert _status(put.replace(f"https://{outside.host}", inside), "PUT", b"an image") == 403, "the host is signed"
    assert _status(signer.generate_presigned_url("get_object", Params=what)) == 200
    assert _store(plan, inside).get_object(**what)["Body"].read() == b"an image"


def test_a_grant_that_is_taken_away_is_shown_and_given_back(outside: Outside) -> None:
    _served(outside)
    url = f"https://{outside.host}/"
    outside.delete(f"{_GROUP}/v1beta1", "ReferenceGrant", f"{outside.name}-network-access", outside.name)
    _becomes(500, url)
    assert outside.applied()
    _becomes(200, url)


def test_another_listener(outside: Outside) -> None:
    plain = outside.with_(langfuse_gateway_section="http", langfuse_public_url=f"http://{outside.host}")
    plain.applied()
    _becomes(200, f"http://{outside.host}/")
    _becomes(404, f"https://{outside.host}/")


def test_an_ingress_takes_the_place_of_the_route(outside: Outside, tmp_path: Path) -> None:
    authority = Authority("of the instance")
    (tmp_path / "ca.crt").write_bytes(authority.pair.certificate)
    secret = gateway.certificate(authority, f"{outside.name}-tls", outside.name, [outside.host])
    outside.running.api.apply([secret])
    ingress = outside.with_(
        langfuse_expose="ingress",
        langfuse_ingress_class=gateway.INGRESS_CLASS,
        langfuse_ingress_annotations={"traefik.ingress.kubernetes.io/router.tls": "true"},
    )
    ingress.applied()
    path = f"/apis/{gateway.API}/namespaces/{gateway.NAMESPACE}/httproutes/{outside.name}"
    assert outside.running.api.find(path) is None
    url = f"https://{outside.host}"
    _becomes(200, f"{url}/", authority=tmp_path / "ca.crt")
    bucket = ingress.derived().plan["buckets"]["media"]
    assert _status(f"{url}/{bucket}/nothing", authority=tmp_path / "ca.crt") == 403, "the object store answers"
    assert _status(f"https://{_OTHER}/") == 404
    ingress.with_(langfuse_ingress_class="of-another-controller").applied()
    _becomes(404, f"{url}/")


def test_a_port_of_the_node(outside: Outside) -> None:
    patch = {"kind": "Service", "name": f"{outside.name}-web", "patch": {"spec": {"type": "NodePort"}}}
    closed = outside.with_(langfuse_expose="service", langfuse_kubernetes_patches=[patch])
    closed.applied()
    service = outside.running.api.get(f"/api/v1/namespaces/{outside.name}/services/{outside.name}-web")
    (port,) = service["spec"]["ports"]
    _becomes(200, f"http://{NODE_ADDRESS}:{port['nodePort']}/")
    _becomes(404, f"https://{outside.host}/")
    assert not closed.applied(), "the port that the API server chose stays"
