# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules: settings that have the right type and still cannot work.

Each rule is one function over `Settings` that yields problems. A unit test holds a bad input for each
and shows that it passes once the rule is taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..plan import Settings
from ..problems import Problem
from . import (
    addresses,
    age,
    buckets,
    chart,
    cluster,
    cluster_objects,
    consumers,
    credentials,
    first_start,
    gitops,
    operation,
    platform,
    sign_in,
    sources,
    stores,
)

Rule = Callable[[Settings], Iterator[Problem]]

RULES: tuple[Rule, ...] = (
    *addresses.RULES,
    *credentials.RULES,
    *age.RULES,
    *first_start.RULES,
    *stores.RULES,
    *buckets.RULES,
    *sources.RULES,
    *sign_in.RULES,
    *operation.RULES,
    *platform.RULES,
    *consumers.RULES,
    *cluster.RULES,
    *cluster_objects.RULES,
    *gitops.RULES,
    *chart.RULES,
)


def problems(settings: Settings, rules: tuple[Rule, ...] = RULES) -> list[Problem]:
    """Every problem that `rules` find, in their order."""
    return [problem for rule in rules for problem in rule(settings)]
