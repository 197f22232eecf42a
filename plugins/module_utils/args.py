# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs and start-up steps that several modules share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

API_SPEC: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "public_key": {"type": "str"},
    "secret_key": {"type": "str", "no_log": True},
    "ca_path": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "resolve": {"type": "list", "elements": "str", "default": []},
}

SSLMODE: dict[str, Any] = {
    "type": "str",
    "choices": ["disable", "prefer", "require", "verify-full"],
    "default": "prefer",
}
# Redis as the application reaches it.
REDIS_SPEC: dict[str, Any] = {
    "mode": {"type": "str", "choices": ["single", "cluster", "sentinel"], "default": "single"},
    "host": {"type": "str"},
    "port": {"type": "int", "default": 6379},
    "nodes": {"type": "list", "elements": "str", "default": []},
    "sentinel_master": {"type": "str"},
    "sentinel_username": {"type": "str"},
    "username": {"type": "str"},
    "prefix": {"type": "str", "default": ""},
    "tls": {"type": "bool", "default": False},
}
# The instance whose objects a module handles, and the cluster that has them.
INSTANCE_SPEC: dict[str, Any] = {
    "instance": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "kubeconfig": {"type": "path"},
    "context": {"type": "str"},
}
# Of modules that change what an instance has there: `kubernetes.apply.Options` takes them.
CHANGES_SPEC: dict[str, Any] = {
    "elsewhere": {"type": "list", "elements": "str", "default": []},
    "remove": {"type": "list", "elements": "str", "default": []},
    "existing_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "timeout": {"type": "int", "default": 300},
    "migration_timeout": {"type": "int", "default": 1800},
}
# The cluster whose Services are reached; as `reached` takes it.
CLUSTER_SPEC: dict[str, Any] = {
    "type": "dict",
    "options": {
        "kubeconfig": {"type": "path"},
        "context": {"type": "str"},
        "domain": {"type": "str", "default": "cluster.local"},
        "namespace": {"type": "str"},
    },
}
# Options whose values are in Secrets there; as `from_secrets` takes it.
FROM_SECRETS_SPEC: dict[str, Any] = {"type": "dict", "default": {}, "no_log": False}
CONSUMER_SPEC: dict[str, Any] = {
    "kind": {"type": "str", "choices": ["env", "litellm", "otel_collector"], "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "env_path": {"type": "path"},
    "config_path": {"type": "path"},
    "namespace": {"type": "str"},
    "secret": {"type": "str", "no_log": False},
    "config_map": {"type": "str"},
    "url": {"type": "str", "required": True},
    "values": {"type": "dict", "default": {}},
    "secret_names": {"type": "list", "elements": "str", "default": ["LANGFUSE_SECRET_KEY"], "no_log": False},
    "absent_names": {"type": "list", "elements": "str", "default": []},
    "callback": {"type": "str", "default": "langfuse_otel"},
    "log_messages": {"type": "bool"},
    "tags": {"type": "list", "elements": "str", "default": []},
    "pipelines": {"type": "list", "elements": "str", "default": ["traces"]},
    "project_directory": {"type": "path"},
    "service": {"type": "str"},
    "proof_url": {"type": "str"},
    "proof_model": {"type": "str"},
    "proof_secret": {"type": "str", "no_log": False},
}


@contextlib.contextmanager
def reached(cluster: dict[str, Any] | None) -> Iterator[None]:
    """Within it Services of the cluster are known by their names, to this process. Raises Failure where there is no way to it."""
    if cluster is None:
        yield
        return
    # Only here: without a cluster nothing of it is loaded.
    from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes import forward

    with forward.reached(cluster["kubeconfig"], cluster["context"], cluster["domain"], cluster["namespace"]):
        yield


def from_secrets(module: Any, all_needed: bool = True) -> dict[str, str]:
    """Give the options of ``from_secrets`` the values that Secrets of the cluster have. Option → why it has none.

    Raises Failure where there is no way to the cluster, and for a value that is not to be had while all of them are
    needed. The values are hidden as those of other secret options are.
    """
    wanted, cluster = module.params.pop("from_secrets"), module.params["cluster"]
    if not wanted or cluster is None:
        return {}
    from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes import forward, kept_secrets

    connected = forward.connected(cluster["kubeconfig"], cluster["context"])
    values, unread = kept_secrets.read(connected, cluster["namespace"], wanted)
    # An empty one would be found between all letters of the output.
    module.no_log_values.update(filter(None, values.values()))
    module.params.update(values)
    if unread and all_needed:
        told = "; ".join(dict.fromkeys(unread.values()))
        raise Failure("secret_unread", f"A secret is not to be had: {told}.", kept_secrets.CURE)
    return unread


def client(params: dict[str, Any], url: str, timeout: float = 10.0, **headers: str) -> http_client.Client:
    """A client for ``url`` with the TLS and name options of the API modules."""
    try:
        return http_client.Client(
            url,
            timeout=timeout,
            ca_path=params["ca_path"],
            validate_certs=params["validate_certs"],
            headers=headers,
            resolve=http_client.parse_resolve(params["resolve"]),
        )
    except ValueError as error:
        raise Failure("bad_option", f"{error}.", "Correct url or resolve.") from None
    except OSError as error:
        raise Failure("bad_option", f"ca_path {params['ca_path']}: {error}.", "Name a readable PEM file.") from None
