# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who names the tree: the `kustomization.yaml` beside it, which is the platform's own. It is only read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# As kustomize looks for them.
_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


@dataclass(frozen=True)
class Naming:
    """`file`, relative to the root of the checkout, and those of its `resources` that lead into the tree, as they are written there."""

    file: str
    entries: tuple[str, ...]


def naming(directory: Path, path: str) -> Naming | None:
    """What is to go with the tree at `path`, or nothing that this file names can be built any more; None where nobody beside it names it."""
    path = os.path.normpath(path)
    parent = os.path.dirname(path)
    for name in _NAMES:
        file = os.path.join(parent, name)
        resources = _resources(directory / file)
        if entries := tuple(one for one in resources if _leads_into(os.path.join(parent, one), path)):
            return Naming(file, entries)
    return None


def _resources(file: Path) -> list[str]:
    try:
        content: Any = yaml.safe_load(file.read_bytes())
    except (OSError, yaml.YAMLError, ValueError):
        return []
    found = content.get("resources") if isinstance(content, dict) else None
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _leads_into(entry: str, path: str) -> bool:
    return f"{os.path.normpath(entry)}/".startswith(f"{path}/")
