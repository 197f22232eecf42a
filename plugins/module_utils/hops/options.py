# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the walk that belong together; their pages are the documentation fragments of the same subjects."""

from __future__ import annotations

from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import args

TEXT: dict[str, Any] = {"type": "str"}
NEEDED: dict[str, Any] = {"type": "str", "required": True}
SECRET: dict[str, Any] = {"type": "str", "no_log": True}


def group(**options: Any) -> dict[str, Any]:
    """A dictionary of options."""
    return {"type": "dict", "options": options}


def _port(default: int) -> dict[str, Any]:
    return {"type": "int", "default": default}


STORES: dict[str, Any] = {
    "postgres": group(host=NEEDED, port=_port(5432), database=NEEDED, user=NEEDED, sslmode=args.SSLMODE),
    "postgres_password": SECRET,
    "clickhouse": group(
        url=NEEDED, user=NEEDED, database={"type": "str", "default": "default"}, migration_port={"type": "int"}
    ),
    "clickhouse_password": SECRET,
    "redis": {"type": "dict", "options": args.REDIS_SPEC},
    "redis_sentinel_password": SECRET,
    "redis_password": SECRET,
    "s3": group(
        endpoint=TEXT,
        region={"type": "str", "default": "us-east-1"},
        path_style={"type": "bool", "default": True},
        buckets={"type": "dict", "default": {}},
    ),
    "s3_access_key": {"type": "str", "no_log": True},
    "s3_secret_key": SECRET,
}
RUNTIME: dict[str, Any] = {
    "runtime": group(
        kind={"type": "str", "choices": ["compose", "kubernetes"], "default": "compose"},
        project=NEEDED,
        namespace=TEXT,
        joined=group(project=NEEDED, services={"type": "list", "elements": "str", "default": []}),
        docker={"type": "str", "default": "docker"},
        log_lines={"type": "int", "default": 400},
    ),
    "gitops": group(
        directory=TEXT,
        path=NEEDED,
        namespace={"type": "str", "default": "flux-system"},
        kustomizations={"type": "list", "elements": "str", "default": []},
        source={"type": "dict"},
        decryption_secret={"type": "str", "default": "sops-age", "no_log": False},
    ),
}
