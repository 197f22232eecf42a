# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of Secrets that somebody else keeps in the cluster, for modules that need them to reach a store."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from .api_errors import refused
from .client import ApiError, Cluster
from .objects import Identity, Kind, Object

_SECRET = Kind("v1", "Secret", "secrets")
CURE = "Let the account read that Secret, have whoever keeps it put the key in, or correct langfuse_kubernetes_existing_secrets."


def read(
    cluster: Cluster, namespace: str, wanted: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, str], dict[str, str]]:
    """Option → value, and option → why it has none, for options with ``name`` and ``key`` of a Secret."""
    looked: dict[str, Object | str] = {}
    values, unread = {}, {}
    for option, place in wanted.items():
        name = place["name"]
        if name not in looked:
            looked[name] = _look(cluster, namespace, name)
        value, why = _value(looked[name], namespace, place)
        if value is None:
            unread[option] = why
        else:
            values[option] = value
    return values, unread


def _look(cluster: Cluster, namespace: str, name: str) -> Object | str:
    """The Secret, or why there is none to read."""
    try:
        found = cluster.get(_SECRET, namespace, name)
    except ApiError as error:
        return refused(Identity("", "Secret", namespace, name), error.status, "read").message.rstrip(".")
    return found if found is not None else f"there is no Secret {name} in {namespace}"


def _value(found: Object | str, namespace: str, place: Mapping[str, str]) -> tuple[str | None, str]:
    if isinstance(found, str):
        return None, found
    name, key = place["name"], place["key"]
    try:
        return base64.b64decode((found.get("data") or {})[key], validate=True).decode(), ""
    except KeyError:
        return None, f"Secret {name} in {namespace} has no key {key}"
    except (binascii.Error, UnicodeDecodeError):
        return None, f"what Secret {name} in {namespace} has as {key} is no text"
