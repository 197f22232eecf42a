# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract (`roles/langfuse/meta/argument_specs.yml`) and what a user gave, held against it."""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .problems import Problem

Spec = Mapping[str, Mapping[str, Any]]

CONTRACT_FILE = Path(__file__).resolve().parents[3] / "roles" / "langfuse" / "meta" / "argument_specs.yml"

# Entry points of the contract that have an effect on each target.
ACTS_ON: Mapping[str, frozenset[str]] = {
    "compose": frozenset({"settings", "compose"}),
    "kubernetes": frozenset({"settings", "kubernetes"}),
    # Its objects are those of a cluster, and what looks at them afterwards reaches it.
    "gitops": frozenset({"settings", "kubernetes", "gitops"}),
}

# Names of the contract that do not carry the collection's own prefix.
_PREFIX = "langfuse_"
# How alike, from 0 to 1, a name without the prefix must be to one of the contract to be taken for it.
_NEAR = 0.88
# So much shorter the one may be than the other.
_SHORTER = _NEAR / (2 - _NEAR)
_WORD = re.compile(r"[a-z][a-z0-9_]+")


@functools.cache
def contract() -> Spec:
    """Every option of the contract, with `entry_point` added: name → option."""
    # libyaml's loader takes a tenth of the time.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    entry_points = yaml.load(CONTRACT_FILE.read_text("utf-8"), Loader=loader)["argument_specs"]  # noqa: S506
    return {
        name: {**option, "entry_point": entry_point}
        for entry_point, spec in entry_points.items()
        for name, option in spec["options"].items()
    }


def native(value: Any) -> Any:
    """Plain Python data of what Ansible hands to a filter (tagged strings, lazy templates)."""
    return json.loads(json.dumps(value))


def _wrong_types(spec: Spec, given: Mapping[str, Any]) -> list[Problem]:
    """Numbers and booleans where text is due: YAML has already changed them (012 is 10, 1.10 is 1.1)."""
    return [
        Problem(
            name, f"is a {'boolean' if isinstance(value, bool) else 'number'} where text is due", "Put it in quotes"
        )
        for name, value in given.items()
        if name in spec and spec[name]["type"] in ("str", "path") and isinstance(value, bool | int | float)
    ]


def validate(spec: Spec, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Hold `given` (native data) against the contract.

    Returns the values with defaults filled in and types coerced, and the problems. Values of
    variables with a problem are missing or unreliable.
    """
    problems = _wrong_types(spec, given)
    refused = {problem.variable for problem in problems}
    known = {name: value for name, value in given.items() if name in spec and name not in refused and value is not None}
    # What else the options hold (description, entry point), it does not look at.
    whole = ArgumentSpecValidator(spec).validate(known)
    if whole.error_messages:
        # Only now one option at a time: it costs twice as much, and names the variable.
        for name, value in known.items():
            option = spec[name]
            result = ArgumentSpecValidator({name: option}).validate({name: value})
            if result.error_messages:
                problems.append(Problem(name, _reason(option, result.error_messages), _form(option)))
        bad = {problem.variable for problem in problems}
        whole = ArgumentSpecValidator(spec).validate({n: v for n, v in known.items() if n not in bad})
    return dict(whole.validated_parameters), problems


def _reason(option: Mapping[str, Any], messages: Iterable[str]) -> str:
    if option.get("no_log"):
        return "is not of the right type (value not shown)"
    return "is not accepted: " + "; ".join(messages)


def _form(option: Mapping[str, Any]) -> str:
    if choices := option.get("choices"):
        return f"Write one of: {', '.join(map(str, choices))}"
    return f"Write a value of type {option['type']}"


def unknown(spec: Spec, names: Iterable[str]) -> list[Problem]:
    """Variables with the collection's prefix that the contract does not have."""
    found = []
    for name in sorted(set(names)):
        if name.startswith(_PREFIX) and name not in spec:
            near = difflib.get_close_matches(name, spec, n=1, cutoff=0.6)
            found.append(
                Problem(
                    name, "is not a variable of this collection", f"Did you mean {near[0]}?" if near else "Remove it"
                )
            )
    return found


def near_misses(spec: Spec, names: Iterable[str]) -> list[str]:
    """Warnings for names without the prefix that nearly are one of the contract (`keycloack_enabled`)."""
    bare = [name for name in spec if not name.startswith(_PREFIX)]
    warnings = []
    for name in sorted(set(names) - set(spec)):
        if name.startswith((_PREFIX, "_", "ansible_")) or not _WORD.fullmatch(name):
            continue
        # Most names are too long or too short to be near, and comparing is what takes time here.
        low, high = len(name) * _SHORTER, len(name) / _SHORTER
        possible = [word for word in bare if low <= len(word) <= high]
        if possible and (near := difflib.get_close_matches(name, possible, n=1, cutoff=_NEAR)):
            warnings.append(f"{name} has no effect. Did you mean {near[0]}?")
    return warnings


def without_effect(spec: Spec, given: Iterable[str], target: str) -> list[str]:
    """Warnings for variables that are set but do nothing on this target."""
    acting = ACTS_ON[target]
    return [
        f"{name} has no effect with langfuse_target={target}"
        for name in sorted(given)
        if name in spec and spec[name]["entry_point"] not in acting
    ]
