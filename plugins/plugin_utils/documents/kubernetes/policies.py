# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network policies in the two forms that networks read: Kubernetes' own, and Cilium's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .flows import INGRESS, Peer, Policy, policies
from .manifest import APPLICATION, Manifest, Plan, Wave, resource

_NAMESPACE = "kubernetes.io/metadata.name"
_CILIUM_NAMESPACE = "k8s:io.kubernetes.pod.namespace"
# These policies know no names, so a host elsewhere is every address at its port, but not who tells a node its rights.
_ELSEWHERE = {"0.0.0.0/0": ["169.254.0.0/16"], "::/0": ["fe80::/10", "fd00:ec2::254/128"]}
_SIDES = {"ingress": "from", "egress": "to"}
_KINDS = {
    "kubernetes": ("networking.k8s.io/v1", "NetworkPolicy"),
    "cilium": ("cilium.io/v2", "CiliumNetworkPolicy"),
}


def manifests(plan: Plan) -> list[Manifest]:
    """Every policy in each form that is wanted. Before the pods that they are for."""
    wanted = plan["kubernetes"]["policies"]
    return [in_form(plan, kind, policy) for kind in wanted["kinds"] for policy in policies(plan)]


def in_form(plan: Plan, kind: str, policy: Policy, namespace: str | None = None) -> Manifest:
    """The policy in one form, in the namespace of the pods that it is for."""
    enforced = plan["kubernetes"]["policies"]["enforced"]
    spec = _kubernetes(policy) if kind == "kubernetes" else _cilium(policy, enforced)
    found = resource(plan, *_KINDS[kind], policy.name, "network", APPLICATION, namespace=namespace, spec=spec)
    return Manifest(Wave.CONFIGURATION, found)


def _kubernetes(policy: Policy) -> dict[str, Any]:
    return {
        "podSelector": {"matchLabels": dict(policy.labels)},
        "policyTypes": [way.capitalize() for way in policy.ways],
        **{way: _rules(policy, way) for way in policy.ways},
    }


def _rules(policy: Policy, way: str) -> list[dict[str, Any]]:
    """Each once: all hosts elsewhere are the same here. Who is no pod and has no address cannot be said."""
    found: list[dict[str, Any]] = []
    for peer, ports in getattr(policy, way).items():
        rule = _rule(_SIDES[way], peer, ports)
        if peer != INGRESS and rule not in found:
            found.append(rule)
    return found


def _rule(side: str, peer: Peer, ports: list[int]) -> dict[str, Any]:
    protocols = ("UDP", "TCP") if peer.service == "dns" else ("TCP",)
    rule: dict[str, Any] = {"ports": [{"protocol": protocol, "port": port} for port in ports for protocol in protocols]}
    # DNS may be a cache on the node and the API server is no pod: their ports are open to any place.
    if not peer.service:
        rule[side] = _peers(peer)
    return rule


def _peers(peer: Peer) -> list[dict[str, Any]]:
    if peer.labels or peer.namespace:
        return [
            {
                **({"namespaceSelector": {"matchLabels": {_NAMESPACE: peer.namespace}}} if peer.namespace else {}),
                **({"podSelector": {"matchLabels": dict(peer.labels)}} if peer.labels else {}),
            }
        ]
    if peer.address:
        return [{"ipBlock": {"cidr": f"{peer.address}/{128 if ':' in peer.address else 32}"}}]
    return [{"ipBlock": {"cidr": cidr, "except": without}} for cidr, without in _ELSEWHERE.items()]


def _cilium(policy: Policy, enforced: bool) -> dict[str, Any]:
    return {
        "endpointSelector": {"matchLabels": dict(policy.labels)},
        # Without a default everything else stays open, and the network only reports it.
        "enableDefaultDeny": dict.fromkeys(policy.ways, enforced),
        **{
            way: [_cilium_rule(_SIDES[way], peer, ports) for peer, ports in getattr(policy, way).items()]
            for way in policy.ways
        },
    }


def _cilium_rule(side: str, peer: Peer, ports: list[int]) -> dict[str, Any]:
    protocol = "ANY" if peer.service == "dns" else "TCP"
    opened: dict[str, Any] = {"ports": [{"port": str(port), "protocol": protocol} for port in ports]}
    if peer.service == "dns":
        # Hosts are known by the answers that pass here.
        opened["rules"] = {"dns": [{"matchPattern": "*"}]}
    return {**_cilium_peer(side, peer), "toPorts": [opened]}


def _cilium_peer(side: str, peer: Peer) -> dict[str, Any]:
    if peer.service == "dns":
        return _endpoints(side, {_CILIUM_NAMESPACE: "kube-system", "k8s-app": "kube-dns"})
    if peer.service:
        return {f"{side}Entities": ["ingress" if peer == INGRESS else "kube-apiserver"]}
    if peer.labels or peer.namespace:
        namespace = {_CILIUM_NAMESPACE: peer.namespace} if peer.namespace else {}
        return _endpoints(side, {**namespace, **dict(peer.labels)})
    if peer.address:
        return {f"{side}CIDR": [f"{peer.address}/{128 if ':' in peer.address else 32}"]}
    host = peer.host or ""
    return {"toFQDNs": [{"matchPattern" if "*" in host else "matchName": host}]}


def _endpoints(side: str, labels: Mapping[str, str]) -> dict[str, Any]:
    return {f"{side}Endpoints": [{"matchLabels": dict(labels)}]}
