# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Monitors for the Prometheus operator, of series that exist: Langfuse itself has none for Prometheus."""

from __future__ import annotations

from typing import Any

from . import postgresql
from .manifest import Manifest, Plan, Wave, name_of, resource, selector
from .stores import METRICS_PORT as _CLICKHOUSE_PORT

_API = "monitoring.coreos.com/v1"
_PERIOD = {"interval": "30s", "scrapeTimeout": "10s"}
# Where Prometheus looks: component → port of its pods.
PORTS = {"postgres": postgresql.METRICS_PORT, "clickhouse": _CLICKHOUSE_PORT}


def manifests(plan: Plan) -> list[Manifest]:
    if not plan["features"]["monitoring"]["on"] or not plan["enabled"]:
        return []
    builders = {"postgres": _postgres, "clickhouse": _clickhouse}
    return [build(plan) for store, build in builders.items() if store in plan["kubernetes"]["stores"]]


def _postgres(plan: Plan) -> Manifest:
    """CloudNativePG's own monitor is going away, so this is one of the instance's."""
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {**postgresql.selector(plan), "cnpg.io/podRole": "instance"}},
        "podMetricsEndpoints": [{"port": "metrics", **_PERIOD}],
    }
    return Manifest(
        Wave.AROUND,
        resource(
            plan,
            _API,
            "PodMonitor",
            postgresql.cluster_name(plan),
            postgresql.COMPONENT,
            postgresql.APPLICATION,
            spec=spec,
        ),
    )


def _clickhouse(plan: Plan) -> Manifest:
    spec: dict[str, Any] = {
        "selector": {"matchLabels": selector(plan, "clickhouse", "clickhouse")},
        "endpoints": [{"port": "metrics", "path": "/metrics", **_PERIOD}],
    }
    name = name_of(plan, "clickhouse")
    return Manifest(Wave.AROUND, resource(plan, _API, "ServiceMonitor", name, "clickhouse", "clickhouse", spec=spec))
