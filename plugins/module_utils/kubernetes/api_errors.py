# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API server answers when it takes something not: one failure with its cure. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..failure import Failure
from .objects import Identity

# Group of an API → what brings it.
_BRINGS = {
    "postgresql.cnpg.io": ("CloudNativePG", "cnpg_enabled"),
    "barmancloud.cnpg.io": ("the Barman Cloud plugin of CloudNativePG", "cnpg_barman_plugin_enabled"),
    "clickhouse.com": ("ClickHouse's operator", "clickhouse_operator_enabled"),
    "monitoring.coreos.com": ("the Prometheus operator", "monitoring_enabled"),
    "keda.sh": ("KEDA", "langfuse_autoscaling"),
    "cilium.io": ("Cilium", "langfuse_network_policy_kind"),
    "gateway.networking.k8s.io": ("the Gateway API", "langfuse_expose"),
}


def missing_kind(identity: Identity) -> Failure:
    """The cluster does not serve the kind at all, or not in the version that is written here."""
    what, switch = _BRINGS.get(identity.group, (identity.group or "Kubernetes", ""))
    cure = f"Install {what}, or upgrade it"
    return Failure(
        "missing_kind",
        f"The cluster does not know {identity.kind} ({identity.group or 'v1'}), so {identity} cannot be made.",
        f"{cure}; without it change {switch}." if switch else f"{cure}.",
        object=str(identity),
    )


def refused(identity: Identity, status: Mapping[str, Any], doing: str = "apply") -> Failure:
    """The failure for a ``Status`` of the API server. Values of a Secret are never repeated."""
    code, reason, message = status.get("code"), status.get("reason") or "", _one_line(status.get("message") or "")
    if identity.kind == "Secret" and code in (400, 422, 500):
        message = _fields(status) or "its content is not what the API takes"
    for known in (_quota, _no_namespace, _forbidden, _unauthorized, _webhook, _immutable, _unknown_field):
        if failure := known(identity, int(code or 0), reason, message, doing):
            return failure
    if code in (400, 422, 500) and (fields := _fields(status)):
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
    return Failure(
        "forbidden",
        f"{who[1]} may not {who[2]} {who[3]}{api}, so nobody can {doing} {identity}.",
        "Give the account that right; preflight prints all that are needed.",
    )


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
    what, _switch = _BRINGS.get(identity.group, ("Kubernetes", ""))
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
