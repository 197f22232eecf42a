# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Langfuse's official chart, where it makes web and worker."""

from __future__ import annotations

from typing import Any

from .cluster import by_git
from .plan import Settings

DEPLOYMENTS, CHART = "deployments", "chart"
OCI = "oci://"


def is_wanted(settings: Settings) -> bool:
    return by_git(settings) and bool(settings["langfuse_kubernetes_workload"] == CHART)


def chart(settings: Settings) -> dict[str, Any] | None:
    """Which chart, and from where; None where the collection's own Deployments are."""
    if not is_wanted(settings):
        return None
    return {"version": settings["langfuse_chart_version"], "repository": settings["langfuse_chart_repository"]}
