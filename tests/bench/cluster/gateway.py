"""Traefik as the cluster's gateway: a pod that serves routes and Ingresses under one address of a Service."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from tests.bench import extras
from tests.bench.cluster import manifests, runtime
from tests.bench.cluster.api import Api, is_available
from tests.bench.cluster.certificates import Authority
from tests.bench.cluster.layout import Layout
from tests.bench.shell import step

NAMESPACE = "network"
NAME = "external"
ADDRESS = "10.96.0.80"
DOMAIN = "example.org"
INGRESS_CLASS = "traefik"
_DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/traefik"
_LABELS = {"app.kubernetes.io/name": "traefik"}
API = "gateway.networking.k8s.io/v1"
_READ = ["get", "list", "watch"]
_PORTS = {"http": 80, "https": 443}
_CERTIFICATE = "gateway-certificate"
_READY_SECONDS = 60


def _access() -> list[dict[str, Any]]:
    account = {"name": "traefik", "namespace": NAMESPACE}
    rules = [
        {"apiGroups": [""], "resources": ["configmaps", "namespaces", "nodes", "secrets", "services"], "verbs": _READ},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
        {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["*"], "verbs": [*_READ, "update", "patch"]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "ingressclasses"], "verbs": _READ},
        {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses/status"], "verbs": ["update", "patch"]},
    ]
    group = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": "bench:traefik"}, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "bench:traefik"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "bench:traefik"},
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
    ]


def _deployment(reference: str) -> dict[str, Any]:
    container = {
        "name": "traefik",
        "image": reference,
        "args": [
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
            "--ping=true",
            *(f"--entrypoints.{name}.address=:{port}" for name, port in _PORTS.items()),
            "--providers.kubernetesgateway=true",
            f"--providers.kubernetesgateway.statusaddress.ip={ADDRESS}",
            "--providers.kubernetesingress=true",
            f"--providers.kubernetesingress.ingressendpoint.ip={ADDRESS}",
        ],
        "ports": [{"name": name, "containerPort": port} for name, port in _PORTS.items()],
        "readinessProbe": {"httpGet": {"path": "/ping", "port": 8080}, "periodSeconds": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    pod = {
        "serviceAccountName": "traefik",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
            # A listener's port has to be the one that Traefik itself listens on.
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
        "containers": [container],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "traefik", "namespace": NAMESPACE, "labels": _LABELS},
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": pod},
        },
    }


def _listener(name: str, **more: Any) -> dict[str, Any]:
    # Routes stand beside the gateway; the Services that they name in other namespaces need a ReferenceGrant.
    return {"name": name, "port": _PORTS[name], "allowedRoutes": {"namespaces": {"from": "Same"}}, **more}


def _gateway() -> list[dict[str, Any]]:
    tls = {"mode": "Terminate", "certificateRefs": [{"name": _CERTIFICATE}]}
    listeners = [
        _listener("http", protocol="HTTP"),
        _listener("https", protocol="HTTPS", hostname=f"*.{DOMAIN}", tls=tls),
    ]
    return [
        {
            "apiVersion": API,
            "kind": "GatewayClass",
            "metadata": {"name": "traefik"},
            "spec": {"controllerName": "traefik.io/gateway-controller"},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": INGRESS_CLASS},
            "spec": {"controller": "traefik.io/ingress-controller"},
        },
        {
            "apiVersion": API,
            "kind": "Gateway",
            "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {"gatewayClassName": "traefik", "listeners": listeners},
        },
    ]


def objects(reference: str) -> list[dict[str, Any]]:
    """All that the gateway needs beside its certificate."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        *_access(),
        _deployment(reference),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "traefik", "namespace": NAMESPACE},
            "spec": {
                "clusterIP": ADDRESS,
                "selector": _LABELS,
                "ports": [{"name": name, "port": port, "targetPort": name} for name, port in _PORTS.items()],
            },
        },
        *_gateway(),
    ]


def certificate(authority: Authority, name: str, namespace: str, hosts: Sequence[str]) -> dict[str, Any]:
    """A TLS Secret for these hosts."""
    issued = authority.issue(name, hosts=hosts)
    pair = {"tls.crt": issued.certificate, "tls.key": issued.key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: base64.b64encode(value).decode() for key, value in pair.items()},
    }


def _certify(layout: Layout, api: Api) -> None:
    """Once: who has read the authority goes on trusting the gateway."""
    if api.find(f"/api/v1/namespaces/{NAMESPACE}/secrets/{_CERTIFICATE}") and layout.gateway_authority.exists():
        return
    authority = Authority("bench-gateway")
    layout.gateway_authority.write_bytes(authority.pair.certificate)
    api.apply([certificate(authority, _CERTIFICATE, NAMESPACE, [f"*.{DOMAIN}", DOMAIN])])


def add(layout: Layout, api: Api, times: dict[str, float]) -> None:
    definitions = manifests.ensure(layout, manifests.GATEWAY_API, times)
    reference = extras.build(layout.paths, "traefik", times)
    runtime.add_from_docker(layout, reference, times)
    with step("start the gateway", times, "gateway"):
        manifests.apply(api, definitions)
        api.apply(objects(reference))
        _certify(layout, api)
        api.wait(_DEPLOYMENT, is_available, "gateway", _READY_SECONDS)
