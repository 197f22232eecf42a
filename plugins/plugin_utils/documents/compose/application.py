# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Web, worker and the migration as Compose services, with health checks that heal."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from ...settings.hosts import bracketed
from ...settings.module_options import CA_DOCUMENT
from ...settings.mounts import CA_FILE
from ..document import Document, secret
from .mounts import bind

Plan = Mapping[str, Any]

# Web waits 110 s after SIGTERM before it closes (facts 1.5).
WEB_GRACE = "125s"
_MIGRATE = "langfuse-migrate"


def documents(plan: Plan, secrets: Mapping[str, str]) -> list[Document]:
    """An env file for each service of the application, and the authorities that all of them trust."""
    authorities = [Document(CA_DOCUMENT, "pem", plan["ca_certificates"])] if plan["ca_certificates"] else []
    return authorities + [
        secret(
            f"env/{service}.env",
            "env",
            {
                name: value if isinstance(value, str) else secrets[value["secret"]]
                for name, value in environment.items()
            },
        )
        for service, environment in plan["env"].items()
    ]


def mounted(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Service → documents that it reads by a mount; Compose does not see their content change."""
    if not plan["ca_certificates"]:
        return {}
    return dict.fromkeys(
        (plan["endpoints"]["web"]["host"], plan["endpoints"]["worker"]["host"], _MIGRATE), (CA_DOCUMENT,)
    )


def _volumes(plan: Plan, extra: bool = True) -> dict[str, Any]:
    """What the service sees of the host. The folder of the certificates, because a file would stay the old one."""
    source, target = f"{plan['compose']['directory']}/{posixpath.dirname(CA_DOCUMENT)}", posixpath.dirname(CA_FILE)
    volumes = [bind(source, target, read_only=True)] if plan["ca_certificates"] else []
    volumes += [bind(**mount) for mount in plan["compose"]["extra_volumes"]] if extra else []
    return {"volumes": volumes} if volumes else {}


def _networks(plan: Plan) -> dict[str, Any]:
    """The project's own network, and those of others that it joins."""
    joined = plan["compose"]["networks"]
    return {"networks": ["default", *joined]} if joined else {}


def _hosts(plan: Plan) -> dict[str, Any]:
    """Names that only the user knows the addresses of."""
    hosts = plan["compose"]["extra_hosts"]
    return {"extra_hosts": dict(hosts)} if hosts else {}


def services(plan: Plan) -> dict[str, dict[str, Any]]:
    """Service name → what is particular to it.

    Nothing depends on anything: Compose recreates all dependents of a container that it recreates, and
    a changed store would cost web's drain. The role starts stores, migration and application in order.
    """
    compose, endpoints = plan["compose"], plan["endpoints"]
    web, worker = endpoints["web"], endpoints["worker"]
    return {
        web["host"]: {
            "env_file": ["env/web.env"],
            "user": "1001:1001",
            "tmpfs": ["/tmp:size=16m,mode=1777"],
            "ports": [f"{bracketed(compose['bind_address'])}:{compose['web_port']}:{web['port']}"],
            "stop_grace_period": WEB_GRACE,
            "healthcheck": _healing(
                _WEB_CHECK, f"http://127.0.0.1:{web['port']}/api/public/health", compose["stuck_seconds"]
            ),
            **_volumes(plan),
            **_networks(plan),
            **_hosts(plan),
        },
        worker["host"]: {
            "env_file": ["env/worker.env"],
            "user": "1001:1001",
            "tmpfs": ["/tmp:size=16m,mode=1777"],
            "deploy": {"replicas": compose["worker_replicas"]},
            "stop_grace_period": f"{compose['worker_stop_seconds']}s",
            "healthcheck": _healing(
                _WORKER_CHECK, f"http://127.0.0.1:{worker['port']}/api/health", compose["stuck_seconds"]
            ),
            **_volumes(plan),
            **_networks(plan),
            **_hosts(plan),
        },
        _MIGRATE: {
            "env_file": ["env/migrate.env"],
            "user": "1001:1001",
            "tmpfs": ["/tmp:size=16m,mode=1777"],
            "profiles": ["migrate"],
            # The entry point migrates, then executes its command.
            "command": ["true"],
            "restart": "no",
            **_volumes(plan, extra=False),
            **_networks(plan),
            **_hosts(plan),
        },
    }


# Neither container ends by itself when it is stuck, so its own check ends it (PID 1 included) and
# the restart policy starts it again. `/health` stays 200 during a stop, so a drain is not cut.
_WEB_CHECK = (
    "u={url}; f=/tmp/.unhealthy-since; "
    "wget -q -T 5 -O /dev/null $$u && {{ rm -f $$f; exit 0; }}; "
    "now=$$(date +%s); [ -s $$f ] || echo $$now > $$f; "
    "[ $$((now - $$(cat $$f))) -lt {seconds} ] || kill -KILL -1; exit 1"
)
# A worker that answers, with whatever status, is alive: an outage of a store must not end it.
_WORKER_CHECK = (
    "u={url}; f=/tmp/.dead-since; "
    "m=$$(wget -q -T 5 -O /dev/null $$u 2>&1) && {{ rm -f $$f; exit 0; }}; "
    'case "$$m" in *HTTP/1*) rm -f $$f; echo "$$m"; exit 1;; esac; '
    "now=$$(date +%s); [ -s $$f ] || echo $$now > $$f; "
    "[ $$((now - $$(cat $$f))) -lt {seconds} ] || kill -KILL -1; "
    'echo "$$m"; exit 1'
)


def _healing(check: str, url: str, seconds: int) -> dict[str, Any]:
    return {
        "test": ["CMD-SHELL", check.format(url=url, seconds=seconds)],
        "interval": "5s",
        "timeout": "8s",
        "retries": 3,
        "start_period": "60s",
        "start_interval": "1s",
    }
