# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Compose project of an instance: Plan and Secrets in, documents out. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...settings.secrets import fingerprint, fingerprint_key
from ...settings.sources import BUNDLED
from ..document import Document, merge_patch
from . import application, stores
from .mounts import literal

FILE = "compose.yaml"
# Where the data is, for the run that is told another place.
DATA_KEY, STORES_KEY = "x-langfuse-data", "x-langfuse-stores"
# What is used of another project, for runs while that one is down. Read by a pattern, so it is one line.
STACK_KEY = "x-langfuse-stack"
FILES_LABEL = "llmops.langfuse.files"

# Service of the project → its entry in the Plan's images and memory.
_KIND = {"langfuse-web": "web", "langfuse-worker": "worker", "langfuse-migrate": "web", stores.EXPIRY: "seaweedfs"}


def project(plan: Mapping[str, Any], secrets: Mapping[str, str]) -> list[Document]:
    """All files of the project directory, `compose.yaml` first."""
    files = [*stores.documents(plan, secrets), *application.documents(plan, secrets)]
    key = fingerprint_key(secrets["langfuse_encryption_key"])
    content = {document.path: document.content().encode() for document in files}
    mounted = {**stores.mounted(plan), **application.mounted(plan)}
    labels = {
        # Compose recreates a container when a label changes, and never looks into mounted files.
        name: {FILES_LABEL: fingerprint(key, *(content[path] for path in paths))}
        for name, paths in mounted.items()
    }
    services = {
        name: _service(plan, name, particular, labels.get(name, {}))
        for name, particular in {**stores.services(plan), **stores.expiry(plan), **application.services(plan)}.items()
    }
    data = plan["compose"]["data_directory"]
    elsewhere = {store: place for store, place in plan["compose"]["store_places"].items() if place != BUNDLED}
    volumes: dict[str, Any] = {} if data else {name: {} for name in stores.services(plan)}
    compose = {
        "name": plan["instance"],
        **({DATA_KEY: data} if data else {}),
        **({STORES_KEY: elsewhere} if elsewhere else {}),
        **({STACK_KEY: json.dumps(plan["compose"]["stack"], sort_keys=True)} if plan["compose"]["stack"] else {}),
        "services": services,
        **({"volumes": volumes} if volumes else {}),
        "networks": {"default": {}, **{name: {"name": name, "external": True} for name in plan["compose"]["networks"]}},
    }
    return [Document(FILE, "yaml", merge_patch(compose, plan["compose"]["overrides"])), *files]


def _service(
    plan: Mapping[str, Any], name: str, particular: Mapping[str, Any], labels: Mapping[str, str]
) -> dict[str, Any]:
    """What all services have in common, and what this one adds."""
    kind = _KIND.get(name, name)
    service: dict[str, Any] = {
        "image": plan["images"][kind],
        "restart": "unless-stopped",
        "init": False,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{plan['compose']['memory'][kind]}m",
        "logging": {"driver": "json-file", "options": dict(plan["compose"]["log"])},
    }
    labels = {**{name: literal(value) for name, value in plan["labels"].items()}, **labels}
    if labels:
        service["labels"] = labels
    return {**service, **particular}
