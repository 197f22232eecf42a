"""Writes docs/variables.md from the contract. `python -m tests.variables_page` after each change of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
CONTRACT = ROOT / "roles" / "langfuse" / "meta" / "argument_specs.yml"
PAGE = ROOT / "docs" / "variables.md"
_CODE = re.compile(r"[CV]\(([^)]*)\)")

_HEAD = """# Variables

Every variable of the collection, from `roles/langfuse/meta/argument_specs.yml` (this page is made by `make variables`).
Secrets that are missing are generated once and kept in the secrets file; text must be in quotes where YAML would take
it for a number.
"""


def render(contract: dict[str, Any]) -> str:
    """The page for the content of the contract file."""
    parts = [_HEAD]
    for entry_point, spec in contract["argument_specs"].items():
        parts.append(
            f"\n## {spec['short_description']} (`{entry_point}`)\n\n| variable | type | default | meaning |\n|---|---|---|---|\n"
        )
        for name, option in spec["options"].items():
            parts.append(f"| `{name}` | {_type(option)} | {_default(option)} | {_meaning(option)} |\n")
    return "".join(parts)


def _type(option: dict[str, Any]) -> str:
    if choices := option.get("choices"):
        return " \\| ".join(f"`{choice}`" for choice in choices)
    return str(option["type"]) + (", secret" if option.get("no_log") else "")


def _default(option: dict[str, Any]) -> str:
    return f"`{json.dumps(option['default'])}`" if "default" in option else ""


def _meaning(option: dict[str, Any]) -> str:
    lines = option["description"] if isinstance(option["description"], list) else [option["description"]]
    return _CODE.sub(r"`\1`", " ".join(lines))


def current() -> str:
    return render(yaml.safe_load(CONTRACT.read_text("utf-8")))


if __name__ == "__main__":
    PAGE.write_text(current(), "utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
