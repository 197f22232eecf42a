# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that an instance shares with others, and the network policies that let it in there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...settings.cluster import Service, service_of
from ...settings.flows import LITELLM_NAME
from ...settings.sources import SERVICES as STORES
from ..kubernetes.flows import LITELLM, Peer, Policy, components, doors, pods
from ..kubernetes.manifest import Manifest, Plan, name_of
from ..kubernetes.policies import in_form

# Service of the platform → labels of its pods. Of others the Service's name is taken.
_PODS: Mapping[str, Mapping[str, str]] = {
    "dragonfly": {"app": "dragonfly"},
    "keycloak-service": {"app": "keycloak"},
    "rustfs-svc": {"app.kubernetes.io/name": "rustfs"},
    LITELLM_NAME: LITELLM,
}


def policies(plan: Plan) -> list[Manifest]:
    """One for each Service that pods of the instance reach, or browsers for its files, and that is not the instance's own, and one for
    LiteLLM's way to web; in each form that is wanted."""
    kubernetes = plan["kubernetes"]
    own, media = kubernetes["namespace"], kubernetes["expose"]["media"]
    inside = components(plan)
    found: dict[Service, Policy] = {}
    for sender, flow in _flows(plan):
        service = service_of(kubernetes["cluster_domain"], own, flow["host"])
        if service is None or STORES.get(flow["store"] or "", flow["store"]) in inside:
            continue
        labels = _PODS.get(service.name, {"app.kubernetes.io/name": service.name})
        policy = found.setdefault(service, Policy(name_of(plan, f"to-{service.name}"), labels, ways=("ingress",)))
        namespace = None if service.namespace == own else own
        policy.allow("ingress", Peer(tuple(sorted(inside[sender].items())), namespace), flow["port"])
        if media and service == Service(media["name"], media["namespace"]):
            for door in doors(plan):
                policy.allow("ingress", door, flow["port"])
    wanted = [(policy, service.namespace) for service, policy in found.items()]
    if kubernetes["policies"]["litellm"]:
        # Apart from who comes in there, which may have policies while this way has none.
        way_out = Policy(name_of(plan, "from-litellm"), LITELLM, ways=("egress",))
        way_out.allow("egress", pods(inside["web"]), plan["endpoints"]["web"]["port"])
        wanted.append((way_out, own))
    return [
        in_form(plan, kind, policy, namespace)
        for kind in kubernetes["policies"]["kinds"]
        for policy, namespace in wanted
    ]


def _flows(plan: Plan) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Sender and flow, backups among them, which the servers of PostgreSQL send."""
    for flow in plan["kubernetes"]["policies"]["flows"]:
        for sender in flow["senders"]:
            yield sender, flow
    for flow in (plan["kubernetes"]["backup"] or {}).get("flows", ()):
        yield "postgres", flow
