"""Clusters that cannot carry an instance: whole playbooks say what is wrong and what to write, and leave nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.bench.cluster import gateway, manifests, volumes
from tests.bench.cluster.api import Api, Object
from tests.bench.cluster.layout import Layout
from tests.integration.cluster.objects import autoscaler, namespace, settings
from tests.integration.cluster.own_server import api_server, served_only_as
from tests.integration.cluster.place import Place, Site
from tests.integration.cluster.running import LAYOUT

pytestmark = [pytest.mark.engine]
Change = Callable[[dict[str, Any]], Any]


def broken(**spec: Any) -> dict[str, Any]:
    return {"kind": "Deployment", "name": "langfuse-web", "patch": {"spec": spec}}


def test_everything_in_the_way_is_told_at_once(site: Site) -> None:
    place = site.place
    place.make_namespace()
    place.kubectl("create", "quota", "small", "--hard=requests.storage=1Gi")
    metadata = {"name": "langfuse", "namespace": place.owner.namespace, "labels": {"a": "theirs"}}
    place.running.api.apply([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}])
    place.kubectl("create", "service", "clusterip", "langfuse-worker", "--tcp=3030")
    place.kubectl("annotate", "service", "langfuse-worker", "meta.helm.sh/release-name=theirs")
    before = place.names()
    run = site.play(
        "site",
        fails=True,
        langfuse_storage_class="fast",
        langfuse_kubernetes_patches=[broken(replicaas=1)],
        clickhouse_operator_enabled=True,
    )
    run.mentions(
        f"Service langfuse-worker in {place.owner.namespace} is there already and belongs to the Helm release theirs.",
        f"ServiceAccount langfuse in {place.owner.namespace} is there already and belongs to bench.",
        "no storage class fast for Cluster langfuse-postgresql",
        "Write another langfuse_storage_class",
        "The quota small of",
        "requests.storage: 0 of 1Gi is taken",
        "does not know spec.replicaas of Deployment langfuse-web",
        "The cluster does not know KeeperCluster (clickhouse.com)",
        "without it change clickhouse_operator_enabled",
    )
    assert place.names() == before
    assert not site.secrets_file.exists()


def test_what_is_refused_leaves_not_even_the_namespace(site: Site) -> None:
    run = site.play("preflight", fails=True, langfuse_kubernetes_patches=[broken(replicaas=1)])
    run.mentions("does not know spec.replicaas of Deployment langfuse-web", "look at langfuse_kubernetes_patches")
    assert not site.place.is_there() and not site.secrets_file.exists()
    # Only inside of the namespace the API server looks at values.
    run = site.play("site", fails=True, langfuse_kubernetes_patches=[broken(replicas=-1)])
    run.mentions("does not take Deployment langfuse-web", "spec.replicas", "langfuse_kubernetes_patches")
    assert not site.place.is_there()
    # What was drawn is kept for the next run, which uses it.
    assert site.secrets_file.exists()


def test_a_namespace_that_nobody_is_to_make(site: Site) -> None:
    run = site.play("site", fails=True, langfuse_kubernetes_create_namespace=False)
    run.mentions(f"There is no namespace {site.place.owner.namespace}", "langfuse_kubernetes_create_namespace: true")
    # Ansible prints a message twice.
    assert run.output.count("There is no namespace") == 2
    assert not site.secrets_file.exists()


def test_an_account_passes_with_the_roles_that_it_is_told(site: Site) -> None:
    place = site.place
    place.make_namespace()
    token = place.kubectl("create", "token", "default").strip()
    path = place.account(lambda content: content["users"][0].update(user={"token": token}))
    run = site.play("site", fails=True, langfuse_kubernetes_kubeconfig=path)
    run.mentions(
        "The account may not", f"patch secrets in {place.owner.namespace}", "Give it the roles that are printed"
    )
    assert "Secret/langfuse-credentials" not in place.names() and not site.secrets_file.exists()
    for role in roles_in(run.output):
        place.bind(role)
    site.play("preflight", langfuse_kubernetes_kubeconfig=path)


def roles_in(output: str) -> list[dict[str, Any]]:
    """As the task prints them."""
    task = output.split("Show the roles that the account needs]", 1)[1]
    found: list[dict[str, Any]] = json.loads(task[task.index("{") : task.index("\n}") + 2])["msg"]
    return found


_OLD_GATEWAY = "gateway.networking.k8s.io/v1beta1"


@pytest.fixture(scope="module")
def old() -> Iterator[tuple[Layout, Api]]:
    """An API server with kinds as they were years ago: autoscalers and routes of an older version, and no disruption budgets."""
    with api_server("--runtime-config=autoscaling/v2=false,policy/v1=false") as (layout, api):
        routes = manifests.ensure(LAYOUT, manifests.GATEWAY_API, {})
        known = [
            *(served_only_as(one, "v1beta1") for one in _definitions(routes, "Gateway", "HTTPRoute")),
            *_definitions(routes, "ReferenceGrant"),
            *_definitions(manifests.ensure(LAYOUT, manifests.CNPG, {}), "Cluster", "Database"),
        ]
        manifests.apply(api, [*known, volumes.storage_class()])
        yield layout, api


def _definitions(found: list[Object], *kinds: str) -> list[Object]:
    named = [one for one in found if one["kind"] == "CustomResourceDefinition"]
    return [one for one in named if one["spec"]["names"]["kind"] in kinds]


def test_a_cluster_that_serves_only_older_versions(old: tuple[Layout, Api], site: Site) -> None:
    layout, api = old
    place = site.place.owner.namespace
    listener = {"name": "https", "port": 443, "protocol": "HTTP"}
    spec = {"gatewayClassName": "old", "listeners": [listener]}
    metadata = {"name": gateway.NAME, "namespace": gateway.NAMESPACE}
    api.apply(
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": gateway.NAMESPACE}},
            {"apiVersion": _OLD_GATEWAY, "kind": "Gateway", "metadata": metadata, "spec": spec},
        ]
    )
    run = site.play(
        "site",
        fails=True,
        langfuse_kubernetes_kubeconfig=str(layout.kubeconfig),
        langfuse_autoscaling="hpa",
        langfuse_web_replicas=2,
        langfuse_expose="httproute",
        langfuse_gateway_name=gateway.NAME,
        langfuse_gateway_namespace=gateway.NAMESPACE,
        langfuse_public_url=f"https://langfuse.{gateway.DOMAIN}",
    )
    run.mentions(
        f"The cluster serves HorizontalPodAutoscaler as autoscaling/v1, and HorizontalPodAutoscaler langfuse-web in {place} "
        "is autoscaling/v2. Upgrade Kubernetes; without it change langfuse_autoscaling.",
        f"The cluster serves HTTPRoute as {_OLD_GATEWAY}, and HTTPRoute langfuse in {gateway.NAMESPACE} "
        "is gateway.networking.k8s.io/v1. Upgrade the Gateway API; without it change langfuse_expose.",
        "The cluster does not know PodDisruptionBudget (policy), so PodDisruptionBudget langfuse-web",
        "cannot be made. Upgrade Kubernetes.",
    )
    assert "no Gateway" not in run.output, "it is there, in the older version"
    assert api.find(f"/api/v1/namespaces/{place}") is None and not site.secrets_file.exists()
    assert api.get(f"/apis/{_OLD_GATEWAY}/httproutes")["items"] == []


def test_nothing_is_applied_where_one_kind_is_too_old(old: tuple[Layout, Api], place: Place) -> None:
    layout, api = old
    documents = [namespace(place.owner), settings(place.owner), autoscaler(place.owner, 1)]
    for check in (True, False):
        result = place.apply(*documents, check=check, kubeconfig=str(layout.kubeconfig))
        assert result["failed"] and result["code"] == "missing_kind", result
        assert "does not know HorizontalPodAutoscaler (autoscaling)" in result["msg"]
        assert "Upgrade Kubernetes" in result["cure"]
    assert api.find(f"/api/v1/namespaces/{place.owner.namespace}") is None


def cluster_is(**changes: Any) -> Change:
    return lambda content: content["clusters"][0]["cluster"].update(changes)


def user_is(**login: Any) -> Change:
    return lambda content: content["users"][0].update(user=login)


def expired(content: dict[str, Any]) -> None:
    """A certificate of the cluster's own authority, of yesterday."""
    folder = LAYOUT.certificates
    authority = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    signer = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "late")]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - timedelta(days=1))
        .sign(signer, hashes.SHA256())  # type: ignore[arg-type]
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pair = {"client-certificate-data": certificate.public_bytes(serialization.Encoding.PEM), "client-key-data": private}
    user_is(**{name: base64.b64encode(value).decode() for name, value in pair.items()})(content)


NOT_A_CERTIFICATE = base64.b64encode(b"Warbler").decode()


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda content: content["clusters"][0]["cluster"].pop("certificate-authority-data"), "untrusted", "is not signed"),
        (cluster_is(**{"certificate-authority-data": NOT_A_CERTIFICATE}), "kubeconfig", "cannot be read"),
        (user_is(token="Warbler"), "unauthorized", "does not know who is asking"),
        (user_is(), "unauthorized", "does not know who is asking"),
        (expired, "unauthorized", "does not know who is asking"),
        (cluster_is(server="https://127.0.0.1:9"), "unreachable", "refused"),
        (cluster_is(server=LAYOUT.addresses.server.replace("https", "http")), "unreachable", "not as a Kubernetes API server"),
        (lambda content: content.update({"current-context": "another"}), "kubeconfig", "it has no context another"),
        (lambda content: content["contexts"][0]["context"].update(user="gone"), "unauthorized", "does not know who is asking"),
        (lambda content: content.update(contexts=7), "kubeconfig", "it is not a kubeconfig"),
    ],
)  # fmt: skip
def test_a_kubeconfig_that_leads_nowhere(place: Place, change: Change, code: str, said: str) -> None:
    path = place.account(change)
    for module in ("kubernetes_preflight", "kubernetes_apply"):
        result = place.call(module, settings(place.owner), kubeconfig=path)
        assert result["failed"] and result["code"] == code and said in result["msg"], result
        assert "langfuse_kubernetes_kubeconfig" in result["msg"] and "Warbler" not in result["msg"]


def test_a_kubeconfig_that_is_not_there(site: Site) -> None:
    missing = {"langfuse_kubernetes_kubeconfig": str(site.home / "none")}
    site.play("site", fails=True, **missing).mentions(
        f"The kubeconfig {site.home}/none cannot be used: there is no such file"
    )
    assert site.place.call("kubernetes_preflight", context="another")["msg"].count("it has no context another") == 1
    assert not site.secrets_file.exists()
