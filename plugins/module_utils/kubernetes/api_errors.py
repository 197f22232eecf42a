# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API server answers when it takes something not: one failure with its cure. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..failure import Failure
from .objects import Identity

_KUBERNETES, _UPGRADE = "Kubernetes", "Upgrade {what}"
# Group of an API → what brings it, and the variable that does without it.
_BRINGS = {
    **dict.fromkeys(("", "apps", "batch", "networking.k8s.io", "policy"), (_KUBERNETES, "")),
    "autoscaling": (_KUBERNETES, "langfuse_autoscaling"),
    "postgresql.cnpg.io": ("CloudNativePG", "cnpg_enabled"),
    "barmancloud.cnpg.io": ("the Barman Cloud plugin of CloudNativePG", "cnpg_barman_plugin_enabled"),
    "clickhouse.com": ("ClickHouse's operator", "clickhouse_operator_enabled"),
    "monitoring.coreos.com": ("the Prometheus operator", "monitoring_enabled"),
    "keda.sh": ("KEDA", "langfuse_autoscaling"),
    "cilium.io": ("Cilium", "langfuse_network_policy_kind"),
    "gateway.networking.k8s.io": ("the Gateway API", "langfuse_expose"),
}
# Groups that no operator has to bring.
EVERYWHERE = frozenset(group for group, (what, _switch) in _BRINGS.items() if what == _KUBERNETES)


def brings(group: str) -> str:
    """What the objects of a group are made by, as the first words of a sentence."""
    what = _BRINGS[group][0]
    return what[0].upper() + what[1:]


def missing_kind(identity: Identity) -> Failure:
    """The cluster does not serve the kind at all, or not in the version that is written here."""
    return Failure(
        "missing_kind",
        f"The cluster does not know {identity.kind} ({identity.group or 'v1'}), so {identity} cannot be made.",
        _upgrade(identity.group, "Install {what}, or upgrade it"),
        object=str(identity),
    )


def old_kind(identity: Identity, api: str, served: Sequence[str]) -> Failure:
    """The cluster serves the kind, but not as this ``apiVersion``."""
    return Failure(
        "old_kind",
        f"The cluster serves {identity.kind} as {', '.join(served)}, and {identity} is {api}.",
        _upgrade(identity.group, _UPGRADE),
        object=str(identity),
    )


def _upgrade(group: str, cure: str) -> str:
    what, switch = _BRINGS.get(group, (group, ""))
    told = (_UPGRADE if group in EVERYWHERE else cure).format(what=what)
    return f"{told}; without it change {switch}." if switch else f"{told}."


def refused(identity: Identity, status: Mapping[str, Any], doing: str = "apply") -> Failure:
    """The failure for a ``Status`` of the API server. Values of a Secret are never repeated."""
    code, reason, message = status.get("code"), status.get("reason") or "", _one_line(status.get("message") or "")
    fields = _fields(status) if code in (400, 422, 500) else ""
    # Of a webhook only its name is told.
    if identity.kind == "Secret" and code in (400, 422, 500) and "failed calling webhook" not in message:
        message = fields = fields or "something in it is not what the API takes"
    for known in (_quota, _no_namespace, _forbidden, _unauthorized, _webhook, _immutable, _unknown_field):
        if failure := known(identity, int(code or 0), reason, message, doing):
            return failure
    if fields:
        return Failure(
            "refused", f"The cluster does not take {identity}: {fields}.", "Look at langfuse_kubernetes_patches."
        )
    return Failure("refused", f"The cluster did not {doing} {identity}: {message or reason or code}.", _ASK)


_ASK = "Look at the log of the API server."


def _quota(identity: Identity, code: int, _reason: str, message: str, _doing: str) -> Failure | None:
    if code != 403 or "exceeded quota" not in message:
        return None
    said = message[message.index("exceeded quota") :]
    return Failure(
        "quota",
        f"{identity} is over a quota: {said}.",
        "Have it raised, or write less (langfuse_size, sizes of volumes).",
    )


def _forbidden(identity: Identity, code: int, _reason: str, message: str, doing: str) -> Failure | None:
    if code != 403:
        return None
    if 'User "system:anonymous"' in message:
        return _unauthorized(identity, 401, "", message, doing)
    who = re.search(r'User "([^"]+)" cannot (\w+) resource "([^"]+)"(?: in API group "([^"]*)")?', message)
    if not who:
        return Failure("admission", f"A rule of the cluster forbids {identity}: {message}.", "Ask who keeps that rule.")
    api = f" of {who[4]}" if who[4] else ""
    where = f" in {identity.namespace}" if identity.namespace else ""
    right = f"Give the account the right to {who[2]} {who[3]}{api}{where}"
    # Those to remove data are printed nowhere: without them nobody does it by mistake.
    cure = f"{right}." if doing == "remove" else f"{right}; preflight prints all that the instance needs."
    return Failure("forbidden", f"{who[1]} may not {who[2]} {who[3]}{api}, so nobody can {doing} {identity}.", cure)


def _unauthorized(_identity: Identity, code: int, _reason: str, _message: str, _doing: str) -> Failure | None:
    if code != 401:
        return None
    return Failure(
        "unauthorized",
        "The cluster does not know who is asking.",
        "Log in again, or write another langfuse_kubernetes_kubeconfig or langfuse_kubernetes_context.",
    )


def _webhook(identity: Identity, _code: int, _reason: str, message: str, _doing: str) -> Failure | None:
    called = re.search(r'failed calling webhook "([^"]+)"', message)
    if not called:
        return None
    return Failure(
        "operator_down",
        f"The operator behind {called[1]} does not answer, so the cluster does not take {identity}.",
        "Look at the pods of the operator.",
    )


def _no_namespace(identity: Identity, code: int, _reason: str, message: str, _doing: str) -> Failure | None:
    gone = re.search(r'namespaces "([^"]+)" not found', message)
    if code == 404 and gone:
        return Failure(
            "no_namespace",
            f"There is no namespace {gone[1]}, where {identity} belongs.",
            "Write langfuse_kubernetes_create_namespace: true, or another namespace.",
        )
    if "being terminated" in message:
        return Failure(
            "no_namespace", f"The namespace of {identity} is being removed.", "Wait until it is gone, and run again."
        )
    return None


def _immutable(identity: Identity, code: int, _reason: str, message: str, _doing: str) -> Failure | None:
    if code != 422 or not re.search(r"field is immutable|updates to statefulset spec|can not be less than", message):
        return None
    return Failure(
        "immutable",
        f"{identity} cannot be changed that way: {message}.",
        "Set that value back; data has to be moved to an object of another name first.",
    )


def _unknown_field(identity: Identity, _code: int, _reason: str, message: str, _doing: str) -> Failure | None:
    field = re.search(r"(\.\S+): field not declared in schema", message)
    if not field:
        return None
    what, _switch = _BRINGS.get(identity.group, (_KUBERNETES, ""))
    return Failure(
        "unknown_field",
        f"The cluster does not know {field[1].lstrip('.')} of {identity}: its {what} is older than this, or a patch has a mistake.",
        f"Upgrade {what}, or look at langfuse_kubernetes_patches.",
    )


def _fields(status: Mapping[str, Any]) -> str:
    """Names of the fields at fault, without what was written there."""
    causes = (status.get("details") or {}).get("causes") or ()
    return ", ".join(dict.fromkeys(str(cause["field"]) for cause in causes if cause.get("field")))


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
