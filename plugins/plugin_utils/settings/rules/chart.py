# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Langfuse's official chart: where it can be, and what it cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..chart import CHART, OCI, is_wanted
from ..cluster import by_git
from ..gitops import FLUX
from ..hosts import split
from ..plan import Settings
from ..problems import Problem

_WORKLOAD = "langfuse_kubernetes_workload"
_OWN = ("langfuse_chart_version", "langfuse_chart_repository")


def chart_applied_by(settings: Settings) -> Iterator[Problem]:
    """A HelmRelease means something to Flux alone."""
    if settings[_WORKLOAD] != CHART:
        return
    if not by_git(settings):
        yield Problem(_WORKLOAD, "is chart, which only langfuse_target=gitops has", "Remove it, or write deployments")
    elif settings["langfuse_gitops_flavour"] != FLUX:
        yield Problem(
            _WORKLOAD, "is chart, which only Flux applies", "Write deployments, or langfuse_gitops_flavour: flux"
        )


def chart_unused(settings: Settings) -> Iterator[Problem]:
    if by_git(settings) and not is_wanted(settings):
        for name in _OWN:
            if name in settings.given:
                yield Problem(name, f"is set while {_WORKLOAD} is not chart", f"Remove it, or set {_WORKLOAD}: chart")


def chart_version(settings: Settings) -> Iterator[Problem]:
    """With a range, the next major version with other values comes by itself. Those here are of 2."""
    name = "langfuse_chart_version"
    if is_wanted(settings) and not re.fullmatch(r"2\.\d+\.\d+", settings[name]):
        yield Problem(name, "is not one version of the chart's series 2", "Write all three numbers, like 2.0.0")


def chart_repository(settings: Settings) -> Iterator[Problem]:
    name = "langfuse_chart_repository"
    if not is_wanted(settings):
        return
    url = split(settings[name])
    if url.scheme not in ("http", "https", OCI.partition(":")[0]) or not url.hostname or url.query or url.fragment:
        yield Problem(
            name,
            "is no address of a chart",
            "Write it like https://charts.example.com or oci://mirror.example.com/langfuse",
        )
    elif url.username or url.password:
        yield Problem(
            name,
            "has credentials in it (not shown), which the tree would show",
            "Name a Secret by a patch, as the variable's description says",
        )
    elif settings[name].startswith(OCI) and not url.path.strip("/"):
        yield Problem(name, "names a registry and no chart in it", "Write the chart's own path behind it")


def chart_workers(settings: Settings) -> Iterator[Problem]:
    if is_wanted(settings) and settings["langfuse_ingestion_replicas"]:
        yield Problem(
            "langfuse_ingestion_replicas",
            f"is set while {_WORKLOAD} is chart, which has one sort of workers",
            "Remove it, or write deployments",
        )


def chart_labels(settings: Settings) -> Iterator[Problem]:
    """By this one the chart finds its pods."""
    if is_wanted(settings) and "app" in settings["langfuse_labels"]:
        yield Problem("langfuse_labels", "has app, by which the chart finds its pods", "Use a name of your own")


RULES = (chart_applied_by, chart_unused, chart_version, chart_repository, chart_workers, chart_labels)
