"""NetworkPolicies as rules of nftables, for the pods of one node. Pure: objects of the API in, text for `nft -f` out.

Judged are forwarded packets, after the translation of Services: a rule has to allow the pod behind a Service, not its
address. Packets from the node itself always pass, as probes do. Connections that stand survive a change of policies. Not
covered: IPv6, SCTP, and pods on the host's network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Object = Mapping[str, Any]
TABLE = "bench-policies"
Direction = Literal["ingress", "egress"]
_PROTOCOLS = ("TCP", "UDP")


@dataclass(frozen=True)
class Cluster:
    """What policies speak of: pods, policies, and the labels of namespaces by name."""

    pods: Sequence[Object]
    policies: Sequence[Object]
    namespaces: Mapping[str, Mapping[str, str]]


def _labels(wanted: Object) -> Mapping[str, str]:
    return wanted["metadata"].get("labels") or {}


def _address(pod: Object) -> str:
    return str(pod["status"]["podIP"])


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes these labels; an empty one takes all."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for each in selector.get("matchExpressions") or []:
        key, values = each["key"], each.get("values") or []
        holds = {
            "In": key in labels and labels[key] in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not holds[each["operator"]]:
            return False
    return True


def has_network(pod: Object) -> bool:
    """Whether the pod has an address of its own that is in use."""
    status = pod.get("status", {})
    over = status.get("phase") in ("Succeeded", "Failed")
    return bool(status.get("podIP")) and not over and not pod["spec"].get("hostNetwork")


def _directions(policy: Object) -> list[str]:
    spec = policy["spec"]
    implied = ["Ingress", "Egress"] if "egress" in spec else ["Ingress"]
    return [each.lower() for each in spec.get("policyTypes") or implied]


def _of(policy: Object, pod: Object, direction: Direction) -> bool:
    return (
        policy["metadata"]["namespace"] == pod["metadata"]["namespace"]
        and direction in _directions(policy)
        and selects(policy["spec"].get("podSelector") or {}, _labels(pod))
    )


def _is_peer(peer: Object, policy: Object, pod: Object, cluster: Cluster) -> bool:
    namespace = pod["metadata"]["namespace"]
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"] or {}, cluster.namespaces.get(namespace, {})):
            return False
    elif namespace != policy["metadata"]["namespace"]:
        return False
    return selects(peer.get("podSelector") or {}, _labels(pod))


def _named_port(pod: Object, name: str, protocol: str) -> int | None:
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or []:
            if port.get("name") == name and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return None


def _port_match(port: Object, target: Object | None) -> str | None:
    """The words that match a port; None when nothing can. `target` is the pod in which a name is looked up."""
    protocol = port.get("protocol", "TCP")
    if protocol not in _PROTOCOLS:
        return None
    wanted = port.get("port")
    if wanted is None:
        return f"meta l4proto {protocol.lower()}"
    if isinstance(wanted, str):
        wanted = _named_port(target, wanted, protocol) if target else None
        if wanted is None:
            return None
    last = f"-{port['endPort']}" if port.get("endPort") else ""
    return f"{protocol.lower()} dport {wanted}{last}"


def _addresses(addresses: Iterable[str]) -> str:
    return f"{{ {', '.join(sorted(addresses))} }}"


def _block_match(block: Object, side: str) -> str:
    # One by one: a set of ranges that overlap would be refused, and all policies with it.
    without = "".join(f" ip {side} != {each}" for each in block.get("except") or [])
    return f"ip {side} {block['cidr']}{without}"


def _rule_matches(rule: Object, policy: Object, pod: Object, direction: Direction, cluster: Cluster) -> Iterator[str]:
    """One line for each way in which a packet can be what this rule allows."""
    inwards = direction == "ingress"
    side, ports = ("saddr" if inwards else "daddr"), rule.get("ports") or [None]
    peers = rule.get("from" if inwards else "to")
    selectors = [peer for peer in peers or [] if "ipBlock" not in peer]
    found = [each for each in cluster.pods if any(_is_peer(peer, policy, each, cluster) for peer in selectors)]
    for port in ports:
        named = port is not None and isinstance(port.get("port"), str)
        own = "" if port is None else _port_match(port, pod if inwards else None)
        if named and not inwards:
            # A name is looked up in the pod that is called, so each one may have a port of its own.
            for each in found if peers else cluster.pods:
                if (match := _port_match(port, each)) is not None:
                    yield f"ip daddr {_address(each)} {match}"
            continue
        if own is None:
            continue
        if not peers:
            yield own
        if found:
            yield f"ip {side} {_addresses(map(_address, found))} {own}".rstrip()
        for peer in peers or []:
            # Pods have no addresses of version 6, and a rule with one would be refused, and all policies with it.
            if ":" not in peer.get("ipBlock", {}).get("cidr", ":"):
                yield f"{_block_match(peer['ipBlock'], side)} {own}".rstrip()


def _chain(pod: Object, direction: Direction, cluster: Cluster) -> list[str] | None:
    """The lines that let packets pass; None when no policy speaks of this direction, so that all pass."""
    applying = [policy for policy in cluster.policies if _of(policy, pod, direction)]
    if not applying:
        return None
    lines = []
    for policy in applying:
        for rule in policy["spec"].get(direction) or []:
            lines += [f"{match} return".strip() for match in _rule_matches(rule, policy, pod, direction, cluster)]
    return list(dict.fromkeys(lines))


def ruleset(pods: Iterable[Object], policies: Iterable[Object], namespaces: Iterable[Object], node: str) -> str:
    """Replaces the whole table in one transaction."""
    cluster = Cluster(
        [pod for pod in pods if has_network(pod)],
        list(policies),
        {each["metadata"]["name"]: _labels(each) for each in namespaces},
    )
    chains: list[str] = []
    jumps: dict[Direction, list[str]] = {"egress": [], "ingress": []}
    for pod in sorted(cluster.pods, key=_address):
        if pod["spec"].get("nodeName") != node:
            continue
        for direction, side in (("egress", "saddr"), ("ingress", "daddr")):
            lines = _chain(pod, direction, cluster)  # type: ignore[arg-type]
            if lines is None:
                continue
            name = f"{direction}_{_address(pod).replace('.', '_')}"
            comment = f"# {pod['metadata']['namespace']}/{pod['metadata']['name']}"
            chains.append(_block(f"chain {name}", [comment, *lines, "counter drop"]))
            jumps[direction].append(f"ip {side} {_address(pod)} jump {name}")  # type: ignore[index]
    return (
        f"table ip {TABLE}\ndelete table ip {TABLE}\ntable ip {TABLE} {{\n"
        + "\n".join(chains)
        + _hook("forward", [*jumps["egress"], *jumps["ingress"]])
        # Towards the node itself, where the API server is.
        + _hook("input", jumps["egress"])
        + "}\n"
    )


def _block(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"  {title} {{", *(f"    {line}" for line in lines), "  }"])


def _hook(name: str, jumps: Sequence[str]) -> str:
    first = [f"type filter hook {name} priority -5; policy accept;", "ct state established,related accept"]
    return "\n" + _block(f"chain {name}", [*first, *jumps]) + "\n"
