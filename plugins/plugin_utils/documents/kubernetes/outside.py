# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from outside: an HTTPRoute of a Gateway, or an Ingress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from .manifest import Manifest, Plan, Wave, name_of, resource

_GATEWAY = "gateway.networking.k8s.io"
# Queues, replays and caches for who has the key of the admin API: never from outside.
_CLOSED = "/api/admin"


def manifests(plan: Plan) -> list[Manifest]:
    kind = plan["kubernetes"]["expose"]["kind"]
    if not plan["enabled"] or kind == "service":
        return []
    return [_ingress(plan)] if kind == "ingress" else [_route(plan), *_grants(plan)]


def _media_paths(plan: Plan) -> list[str]:
    """Buckets that browsers reach under the instance's own origin, which its content-security policy asks for."""
    if not plan["kubernetes"]["expose"]["media"]:
        return []
    return [f"/{plan['buckets'][kind]}" for kind in ("media", "exports") if kind in plan["buckets"]]


def _media_port(plan: Plan) -> int:
    address = urlsplit(plan["endpoints"]["s3"]["endpoint"])
    return address.port or (443 if address.scheme == "https" else 80)


def _route(plan: Plan) -> Manifest:
    gateway, media = plan["kubernetes"]["expose"]["gateway"], plan["kubernetes"]["expose"]["media"]
    rules = [_rule([_CLOSED])]
    if paths := _media_paths(plan):
        rules.append(_rule(paths, media["name"], media["namespace"], _media_port(plan)))
    web = plan["endpoints"]["web"]["port"]
    rules.append(_rule(["/"], name_of(plan, "web"), plan["kubernetes"]["namespace"], web))
    spec = {
        "parentRefs": [
            {
                "group": _GATEWAY,
                "kind": "Gateway",
                "name": gateway["name"],
                "namespace": gateway["namespace"],
                "sectionName": gateway["section"],
            }
        ],
        "hostnames": [plan["hostname"]],
        "rules": rules,
    }
    route = resource(
        plan, f"{_GATEWAY}/v1", "HTTPRoute", name_of(plan), "route", namespace=gateway["namespace"], spec=spec
    )
    return Manifest(Wave.AROUND, route)


def _rule(paths: Sequence[str], service: str = "", namespace: str = "", port: int = 0) -> dict[str, Any]:
    """Paths to a Service; without one the gateway answers an error itself."""
    matches = [{"path": {"type": "PathPrefix", "value": path}} for path in paths]
    backend = {"group": "", "kind": "Service", "name": service, "namespace": namespace, "port": port, "weight": 1}
    return {"matches": matches, **({"backendRefs": [backend]} if service else {})}


def _grants(plan: Plan) -> list[Manifest]:
    """Where the route may go to, in each namespace that it goes to."""
    expose = plan["kubernetes"]["expose"]
    wanted = {plan["kubernetes"]["namespace"]: [name_of(plan, "web")]}
    if expose["media"]:
        wanted.setdefault(expose["media"]["namespace"], []).append(expose["media"]["name"])
    return [
        _grant(plan, namespace, services)
        for namespace, services in sorted(wanted.items())
        if namespace != expose["gateway"]["namespace"]
    ]


def _grant(plan: Plan, namespace: str, services: Sequence[str]) -> Manifest:
    spec = {
        "from": [
            {
                "group": _GATEWAY,
                "kind": "HTTPRoute",
                "namespace": plan["kubernetes"]["expose"]["gateway"]["namespace"],
            }
        ],
        "to": [{"group": "", "kind": "Service", "name": service} for service in services],
    }
    name = name_of(plan, "network-access")
    grant = resource(plan, f"{_GATEWAY}/v1beta1", "ReferenceGrant", name, "route", namespace=namespace, spec=spec)
    return Manifest(Wave.CONFIGURATION, grant)


def _ingress(plan: Plan) -> Manifest:
    ingress, media = plan["kubernetes"]["expose"]["ingress"], plan["kubernetes"]["expose"]["media"]
    annotations = dict(ingress["annotations"])
    if ingress["issuer"]:
        annotations["cert-manager.io/cluster-issuer"] = ingress["issuer"]
    paths = [_path(path, media["name"], _media_port(plan)) for path in _media_paths(plan)]
    paths.append(_path("/", name_of(plan, "web"), plan["endpoints"]["web"]["port"]))
    encrypted = plan["url"].startswith("https:")
    spec = {
        **({"ingressClassName": ingress["class"]} if ingress["class"] else {}),
        **({"tls": [{"hosts": [plan["hostname"]], "secretName": ingress["tls_secret"]}]} if encrypted else {}),
        "rules": [{"host": plan["hostname"], "http": {"paths": paths}}],
    }
    return Manifest(
        Wave.AROUND,
        resource(plan, "networking.k8s.io/v1", "Ingress", name_of(plan), "route", annotations=annotations, spec=spec),
    )


def _path(path: str, service: str, port: int) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": port}}}
    return {"path": path, "pathType": "Prefix", "backend": backend}
