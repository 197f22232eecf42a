"""The cluster's DNS: CoreDNS as a pod, where policies expect it."""

from __future__ import annotations

from typing import Any

from tests.bench.cluster import archive, programs
from tests.bench.cluster.layout import CLUSTER_DOMAIN, DNS_SERVICE_ADDRESS, Layout

_NAME = "kube-dns"
_NAMESPACE = "kube-system"
_LABELS = {"k8s-app": _NAME}
DEPLOYMENT = f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments/coredns"
# Nothing is forwarded: names outside of the cluster are no part of any test.
_COREFILE = f"""\
.:53 {{
    errors
    ready :8181
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
        pods insecure
        ttl 5
    }}
    cache 5
}}
"""


def image(layout: Layout) -> archive.Content:
    program = programs.executable(layout, programs.COREDNS)
    reference = f"bench.localhost/coredns:{programs.hash_sources(programs.COREDNS)}"
    return archive.Content(reference, {"/coredns": program}, ("/coredns",), {})


def objects(reference: str) -> list[dict[str, Any]]:
    """All that CoreDNS needs, in the order in which it is applied."""
    metadata = {"name": "coredns", "namespace": _NAMESPACE}
    watched = ["endpoints", "services", "pods", "namespaces"]
    rules = [
        {"apiGroups": [""], "resources": watched, "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    ports = [{"name": f"dns-{kind.lower()}", "containerPort": 53, "protocol": kind} for kind in ("UDP", "TCP")]
    container = {
        "name": "coredns",
        "image": reference,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": ports,
        "volumeMounts": [{"name": "configuration", "mountPath": "/etc/coredns", "readOnly": True}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True},
    }
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "terminationGracePeriodSeconds": 1,
        # The port that policies open: they see a packet after the Service's address was translated.
        "securityContext": {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]},
        "containers": [container],
        "volumes": [{"name": "configuration", "configMap": {"name": "coredns"}}],
    }
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "bench:coredns"},
            "rules": rules,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "bench:coredns"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "bench:coredns"},
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"Corefile": _COREFILE}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {**metadata, "labels": _LABELS},
            "spec": {
                "selector": {"matchLabels": _LABELS},
                "template": {"metadata": {"labels": _LABELS}, "spec": pod},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": _NAME, "namespace": _NAMESPACE, "labels": _LABELS},
            "spec": {
                "clusterIP": DNS_SERVICE_ADDRESS,
                "selector": _LABELS,
                "ports": [
                    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns-udp"},
                    {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": "dns-tcp"},
                ],
            },
        },
    ]
