# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes that derive works with: what a user gave, and the Plan that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Secretly:
    """An environment value that is a secret: the name of an entry of the Secrets map."""

    secret: str


EnvValue = str | Secretly
Environment = Mapping[str, EnvValue]


@dataclass(frozen=True)
class Settings:
    """Validated variables of one instance.

    `values` has every variable of the contract with its default; `given` holds the names that the
    user set; `secrets` every secret's value, whether given, stored or drawn; `generated` names the drawn ones.
    """

    values: Mapping[str, Any]
    given: frozenset[str]
    secrets: Mapping[str, str]
    generated: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def instance(self) -> str:
        return str(self.values["langfuse_instance"])


@dataclass(frozen=True)
class Placement:
    """Where the instance runs: the hosts of its group, in inventory order, and what is there already.

    `stack` is what `compose_stack_info` found of the project to join, `dotenv` the lines of its `.env`, `missing` what it
    did not find ({variable, wrong, cure}). Who `may_miss` that goes on with what is known, or with names in its place.
    `unclear` are the names in the `.env` that cannot be read, each with the number of its line.
    """

    hosts: tuple[str, ...]
    stack: Mapping[str, Any] = field(default_factory=dict)
    dotenv: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[Mapping[str, str], ...] = ()
    may_miss: bool = False
    unclear: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Feature:
    """An effective switch: whether it is on, and why not when it is off."""

    on: bool
    reason: str = ""
