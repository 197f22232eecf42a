"""Rules of nftables from NetworkPolicies: who may speak with whom, read from the lines of a pod's chain."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.cluster.policies import has_network, ruleset, selects

NODE = "node"
NAMESPACES = [
    {"metadata": {"name": "app", "labels": {"kubernetes.io/metadata.name": "app"}}},
    {"metadata": {"name": "edge", "labels": {"kubernetes.io/metadata.name": "edge", "role": "gateway"}}},
]


def pod(name: str, address: str, namespace: str = "app", **more: Any) -> dict[str, Any]:
    port = {"name": "http", "containerPort": 8080}
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"nodeName": NODE, "containers": [{"ports": [port]}], **more},
        "status": {"podIP": address, "phase": "Running"},
    }


WEB, DB, EDGE = pod("web", "10.244.0.2"), pod("db", "10.244.0.3"), pod("edge", "10.244.0.4", "edge")
PODS = [WEB, DB, EDGE]


def policy(**spec: Any) -> dict[str, Any]:
    chosen = {"podSelector": {"matchLabels": {"app": "web"}}, **spec}
    return {"metadata": {"name": "one", "namespace": "app"}, "spec": chosen}


def chain(name: str, *policies: dict[str, Any], pods: list[dict[str, Any]] = PODS) -> list[str] | None:
    """The lines of a chain that let pass, without the last one that drops; None when there is no such chain."""
    text = ruleset(pods, policies, NAMESPACES, NODE)
    if f"chain {name} {{" not in text:
        return None
    lines = [line.strip() for line in text.partition(f"chain {name} {{\n")[2].partition("}\n  chain")[0].splitlines()]
    body = lines[1 : lines.index("counter drop") + 1]
    assert body.pop() == "counter drop"
    return body


WEB_IN, WEB_OUT = "ingress_10_244_0_2", "egress_10_244_0_2"


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        ({}, ["return"]),
        ({"from": []}, ["return"]),
        ({"ports": [{"port": 3000}]}, ["tcp dport 3000 return"]),
        ({"ports": [{"port": 1, "endPort": 9, "protocol": "UDP"}]}, ["udp dport 1-9 return"]),
        ({"ports": [{"protocol": "UDP"}]}, ["meta l4proto udp return"]),
        ({"ports": [{"port": 1, "protocol": "SCTP"}]}, []),
        ({"from": [{"ipBlock": {"cidr": "::/0", "except": ["fe80::/10"]}}]}, []),
        ({"ports": [{"port": "http"}]}, ["tcp dport 8080 return"]),
        ({"ports": [{"port": "other"}]}, []),
        ({"from": [{"podSelector": {"matchLabels": {"app": "db"}}}]}, ["ip saddr { 10.244.0.3 } return"]),
        ({"from": [{"podSelector": {}}]}, ["ip saddr { 10.244.0.2, 10.244.0.3 } return"]),
        ({"from": [{"podSelector": {"matchLabels": {"app": "edge"}}}]}, []),
        ({"from": [{"namespaceSelector": {"matchLabels": {"role": "gateway"}}}]}, ["ip saddr { 10.244.0.4 } return"]),
        ({"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "db"}}}]}, ["ip saddr { 10.244.0.3 } return"]),
        (
            {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "10.1.2.0/24"]}}], "ports": [{"port": 80}]},
            ["ip saddr 10.0.0.0/8 ip saddr != 10.1.0.0/16 ip saddr != 10.1.2.0/24 tcp dport 80 return"],
        ),
    ],
)  # fmt: skip
def test_what_an_ingress_rule_lets_pass(rule: dict[str, Any], lines: list[str]) -> None:
    assert chain(WEB_IN, policy(ingress=[rule])) == lines


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        ({"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]}, ["ip daddr { 10.244.0.3 } return"]),
        (
            {"to": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"port": "http"}]},
            ["ip daddr 10.244.0.3 tcp dport 8080 return"],
        ),
        ({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443}]}, ["ip daddr 0.0.0.0/0 tcp dport 443 return"]),
    ],
)  # fmt: skip
def test_what_an_egress_rule_lets_pass(rule: dict[str, Any], lines: list[str]) -> None:
    assert chain(WEB_OUT, policy(egress=[rule], policyTypes=["Egress"])) == lines


@pytest.mark.parametrize(
    ("spec", "closed"),
    [
        ({}, {WEB_IN}),
        ({"egress": []}, {WEB_IN, WEB_OUT}),
        ({"policyTypes": ["Egress"]}, {WEB_OUT}),
        ({"policyTypes": ["Ingress"], "egress": []}, {WEB_IN}),
        ({"podSelector": {"matchLabels": {"app": "none"}}}, set()),
    ],
)
def test_a_policy_without_rules_closes_its_directions(spec: dict[str, Any], closed: set[str]) -> None:
    assert {name for name in (WEB_IN, WEB_OUT) if chain(name, policy(**spec)) == []} == closed


def test_policies_add_up() -> None:
    both = (policy(ingress=[{"ports": [{"port": 1}]}]), policy(ingress=[{"ports": [{"port": 2}]}]))
    assert chain(WEB_IN, *both) == ["tcp dport 1 return", "tcp dport 2 return"]


def test_a_policy_of_another_namespace_says_nothing() -> None:
    other = policy()
    other["metadata"]["namespace"] = "edge"
    assert chain(WEB_IN, other) is None


def test_egress_is_judged_towards_the_node_too_and_ingress_is_not() -> None:
    text = ruleset(PODS, [policy(egress=[])], NAMESPACES, NODE)
    towards_node = text.partition("chain input {")[2]
    assert f"ip saddr 10.244.0.2 jump {WEB_OUT}" in towards_node
    assert "ingress" not in towards_node


def test_only_pods_of_this_node_have_chains() -> None:
    assert (
        chain(WEB_IN, policy(), pods=[pod("web", "10.244.0.2") | {"spec": {"nodeName": "x", "containers": []}}]) is None
    )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"status": {}}, False),
        ({"status": {"podIP": "10.244.0.2", "phase": "Succeeded"}}, False),
        ({"spec": {"hostNetwork": True}}, False),
    ],
)
def test_pods_with_an_address_of_their_own(changed: dict[str, Any], expected: bool) -> None:
    assert has_network({**WEB, **changed}) is expected


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ["web"], True),
        ("In", ["db"], False),
        ("NotIn", ["web"], False),
        ("NotIn", ["db"], True),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
    ],
)
def test_expressions(operator: str, values: list[str], expected: bool) -> None:
    expression = {"key": "app", "operator": operator, "values": values}
    assert selects({"matchExpressions": [expression]}, {"app": "web"}) is expected
