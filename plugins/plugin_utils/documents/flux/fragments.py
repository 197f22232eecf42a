# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ready pieces for other applications of the cluster: their owners take them over, nothing applies them from here."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....module_utils import keycloak_representation as keycloak
from ....module_utils.redis_acl import COMMANDS
from ....module_utils.s3.settings import access_policy
from ....module_utils.sender_config import litellm
from ..document import Document
from ..kubernetes.manifest import APPLICATION, Plan, name_of
from .neighbours import policies

Secrets = Mapping[str, str]
FOLDER = "docs"
_KEYS = "store-admin"


@dataclass(frozen=True)
class Fragment:
    """A file below `docs`, and the sentence that says what its reader does with it."""

    document: Document
    use: str


def fragments(plan: Plan, secrets: Secrets) -> list[Fragment]:
    """Those that the instance needs."""
    wanted = plan["gitops"]["fragments"]
    found: list[Fragment] = []
    if wanted["dragonfly"]:
        found += _dragonfly(plan, secrets, wanted["dragonfly"])
    if wanted["buckets"]:
        found.append(_buckets(plan, wanted["buckets"]))
    if wanted["keycloak"]:
        found.append(_keycloak(wanted["keycloak"]))
    if wanted["litellm"]:
        found += _litellm(plan, secrets, wanted["litellm"])
    if neighbours := _policies(plan):
        use = (
            "Network policies that let in the instance, and the gateway to its files, and let LiteLLM out to it, for pods that have policies of "
            "their own for that way already: where there was none, that way is closed to all others by them."
        )
        found.append(_file("networkpolicy.yaml", neighbours, use))
    return found


def _file(name: str, objects: Sequence[Any], use: str) -> Fragment:
    return Fragment(Document(f"{FOLDER}/{name}", "yaml_all", list(objects), sensitive=name.endswith(".sops.yaml")), use)


def _object(plan: Plan, api: str, kind: str, name: str, namespace: str, **content: Any) -> dict[str, Any]:
    """Somebody else's: without the labels by which the instance's own are found and removed."""
    labels = {**plan["labels"], "app.kubernetes.io/part-of": APPLICATION}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **content}


def _secret(plan: Plan, name: str, namespace: str, data: Mapping[str, str]) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in sorted(data.items())}
    return _object(plan, "v1", "Secret", name, namespace, type="Opaque", data=encoded)


def _policies(plan: Plan) -> list[dict[str, Any]]:
    found = (one.object for one in policies(plan))
    return [
        _object(
            plan,
            one["apiVersion"],
            one["kind"],
            one["metadata"]["name"],
            one["metadata"]["namespace"],
            spec=one["spec"],
        )
        for one in found
    ]


def _dragonfly(plan: Plan, secrets: Secrets, wanted: Mapping[str, Any]) -> Iterator[Fragment]:
    """Its own keys only, and no command that an operator must fear. Dragonfly takes passwords in clear only."""
    user, password = wanted["username"], secrets[wanted["secret"]]
    line = f"user {user} on >{password} ~{wanted['prefix']}* resetchannels {COMMANDS}\n"
    content = _secret(plan, name_of(plan, "dragonfly-acl"), wanted["namespace"], {"acl.conf": line})
    use = (
        f"The line of the user {user} for the ACL file of the shared Dragonfly, as the key acl.conf of a Secret: "
        "add it to the lines that are there."
    )
    yield _file("dragonfly-acl.sops.yaml", [content], use)


def _buckets(plan: Plan, wanted: Mapping[str, Any]) -> Fragment:
    """A Job for whom the store's administrator runs it, and the policies of the keys, which such a store takes by hand."""
    name, namespace = name_of(plan, "buckets"), wanted["namespace"]
    about = {
        f"{name_of(plan, key)}.json": json.dumps(access_policy(buckets), indent=2) + "\n"
        for key, buckets in wanted["keys"].items()
    }
    config = _object(plan, "v1", "ConfigMap", name, namespace, data=about)
    scheme, _separator, host = wanted["endpoint"].partition("://")
    places = " ".join(f"store/{bucket}" for bucket in wanted["buckets"])
    container = {
        "name": "buckets",
        "image": wanted["image"],
        "command": ["sh", "-c", f"mc mb --ignore-existing {places}"],
        "env": [
            *(
                {"name": key.upper().replace("-", "_"), "valueFrom": {"secretKeyRef": {"name": _KEYS, "key": key}}}
                for key in ("access-key", "secret-key")
            ),
            # Not on a command line.
            {"name": "MC_HOST_store", "value": f"{scheme}://$(ACCESS_KEY):$(SECRET_KEY)@{host}"},
            {"name": "MC_CONFIG_DIR", "value": "/tmp/mc"},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    pod = {
        "restartPolicy": "OnFailure",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    spec = {"backoffLimit": 10, "ttlSecondsAfterFinished": 600, "template": {"spec": pod}}
    job = _object(plan, "batch/v1", "Job", name, namespace, spec=spec)
    use = (
        f"A Job that makes the buckets, with an administrator's keys from a Secret {_KEYS} (keys access-key and secret-key, "
        "to be called as yours is), and a ConfigMap with the policies of the keys that the instance is given. "
        "The playbook `provision` does the same from outside."
    )
    return _file("buckets.yaml", [config, job], use)


def _keycloak(wanted: Mapping[str, Any]) -> Fragment:
    """The client as an import of the realm has it; its secret is filled in by the import."""
    client = {
        "clientId": wanted["client_id"],
        **keycloak.KIND,
        "enabled": True,
        "secret": "$(env:LANGFUSE_CLIENT_SECRET)",
        "rootUrl": wanted["root_url"],
        "standardFlowEnabled": True,
        "directAccessGrantsEnabled": False,
        "implicitFlowEnabled": False,
        "serviceAccountsEnabled": False,
        "redirectUris": wanted["redirect_uris"],
        "webOrigins": wanted["web_origins"],
        "attributes": {
            **({keycloak.PKCE: wanted["pkce"]} if wanted["pkce"] != "none" else {}),
            keycloak.POST_LOGOUT: "##".join(wanted["post_logout_redirect_uris"]),
        },
        "defaultClientScopes": wanted["default_scopes"],
    }
    content = {"realm": wanted["realm"], "clients": [client]}
    use = (
        "The client for the realm's configuration (keycloak-config-cli). LANGFUSE_CLIENT_SECRET is langfuse_keycloak_client_secret, "
        "in the environment of what imports it. The playbook `provision` makes the client too, where it is given an administrator."
    )
    return Fragment(Document(f"{FOLDER}/keycloak-client.yaml", "yaml_all", [content]), use)


def _litellm(plan: Plan, secrets: Secrets, wanted: Mapping[str, Any]) -> Iterator[Fragment]:
    """Values of its usual chart, and the Secret with address and keys that they name."""
    name = f"{wanted['name']}-{plan['instance']}"
    if key := secrets.get(wanted["secret"]):
        data = {
            "LANGFUSE_PUBLIC_KEY": wanted["public_key"],
            "LANGFUSE_SECRET_KEY": key,
            # Older clients and LiteLLM read the first of these, newer ones the second.
            "LANGFUSE_HOST": wanted["url"],
            "LANGFUSE_BASE_URL": wanted["url"],
        }
        content = _secret(plan, name, wanted["namespace"], data)
        yield _file("litellm.sops.yaml", [content], f"The Secret {name}, which LiteLLM reads its keys from.")
    configuration: dict[str, Any] = {}
    litellm(configuration, {"state": "present", "callback": "langfuse_otel", "log_messages": None, "tags": []})
    values = {"environmentSecrets": [name], "proxy_config": configuration}
    use = f"Values of LiteLLM's chart: the callback, and its environment from the Secret {name}."
    yield Fragment(Document(f"{FOLDER}/litellm-values.yaml", "yaml_all", [values]), use)
