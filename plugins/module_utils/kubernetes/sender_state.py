# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what sends from the cluster has what ``connect`` gave it: its Secret, its pods, and the way to web."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .api_errors import refused
from .client import ApiError, Cluster
from .objects import Identity, Kind, Object
from .pods import unrolled
from .senders import decoded

_SECRET, _POD = Kind("v1", "Secret", "secrets"), Kind("v1", "Pod", "pods")
_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
_NAMESPACE = "kubernetes.io/metadata.name"


def state(cluster: Cluster, one: Mapping[str, Any], wanted: Mapping[str, str], home: str) -> list[tuple[str, str, str]]:
    """``(about, what, cure)`` for each thing that is wrong, in the words of the hop. home: the instance's namespace. Raises Failure."""
    namespace, name = one["namespace"], one["secret"]
    try:
        secret = cluster.get(_SECRET, namespace, name)
    except ApiError as error:
        raise refused(Identity("", "Secret", namespace, name), error.status, "look at") from None
    says = decoded(secret or {})
    wrong = [variable for variable, value in wanted.items() if says.get(variable) != value]
    if secret is None or wrong:
        return [("keys", f"{', '.join(wrong)} in the Secret {name} of {namespace}", "")]
    found = []
    if old := unrolled(_some(cluster, _POD, namespace), [secret]):
        pods = ", ".join(dict.fromkeys(row["pod"] for row in old))
        cure = "Start them anew with `kubectl rollout restart`: pods read a Secret when they start."
        found.append(("other", f"Pods of {namespace} have an older {name}: {pods}.", cure))
    if not lets_in(_some(cluster, _POLICY, home), one["url"], namespace, home):
        found.append(
            ("other", f"Network policies do not let pods of {namespace} reach web.", "Run site, which lets them in.")
        )
    return found


def _some(cluster: Cluster, kind: Kind, namespace: str) -> list[Object]:
    """What the account may not read is not known."""
    try:
        return cluster.list(kind, namespace) or []
    except ApiError:
        return []


def lets_in(policies: Iterable[Object], url: str, namespace: str, home: str) -> bool:
    """Whether the policies for web, where there are any, know the namespace. Pure.

    Only for the Service itself: another address leads through a gateway. Rules by labels of pods are taken to fit.
    """
    if f".{home}.svc" not in url:
        return True
    own = [one["spec"] for one in policies if _is_web(one["spec"].get("podSelector") or {})]
    peers = [peer for spec in own for rule in spec.get("ingress") or () for peer in rule.get("from") or [{}]]
    return not own or any(_fits(peer, namespace, home) for peer in peers)


def _is_web(selector: Mapping[str, Any]) -> bool:
    return bool((selector.get("matchLabels") or {}).get("app.kubernetes.io/component") == "web")


def _fits(peer: Mapping[str, Any], namespace: str, home: str) -> bool:
    if "namespaceSelector" in peer:
        labels = peer["namespaceSelector"].get("matchLabels") or {}
        return _NAMESPACE not in labels or bool(labels[_NAMESPACE] == namespace)
    return not peer or (namespace == home and "podSelector" in peer)
