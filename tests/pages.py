"""Writes the pages that are tables of the code: variables from the contract, causes from the rules of diagnose.

`python -m tests.pages` after each change of either.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.llmops.langfuse.plugins.module_utils import causes

ROOT = Path(__file__).resolve().parents[1]
CONTRACT = ROOT / "roles" / "langfuse" / "meta" / "argument_specs.yml"
_CODE = re.compile(r"[CV]\(([^)]*)\)")
_FIELD = re.compile(r"\{(\w+)\}")

_VARIABLES = """# Variables

Every variable of the collection, from `roles/langfuse/meta/argument_specs.yml` (this page is made by `make pages`).
Secrets that are missing are generated once and kept in the secrets file; text must be in quotes where YAML would take
it for a number.
"""

_CAUSES = """# Causes that diagnose knows

What `llmops.langfuse.diagnose` may answer, by its code (this page is made by `make pages`). The hop is the first one
that suffers; a *warning* does not break the walk yet. Where the instance is applied from Git (`langfuse_target: gitops`), what
`site` writes is to be committed and pushed; the cures say so, and those that are another one there stand behind "From Git".

| code | hop | cause | cure |
|---|---|---|---|
"""


def variables(contract: dict[str, Any]) -> str:
    """The page for the content of the contract file."""
    parts = [_VARIABLES]
    for entry_point, spec in contract["argument_specs"].items():
        parts.append(f"\n## {spec['short_description']} (`{entry_point}`)\n\n")
        parts.append("| variable | type | default | meaning |\n|---|---|---|---|\n")
        for name, option in spec["options"].items():
            parts.append(f"| `{name}` | {_type(option)} | {_default(option)} | {_meaning(option)} |\n")
    return "".join(parts)


def _type(option: dict[str, Any]) -> str:
    if choices := option.get("choices"):
        return " \\| ".join(f"`{choice}`" for choice in choices)
    elements = f" of {option['elements']}" if "elements" in option else ""
    return str(option["type"]) + elements + (", secret" if option.get("no_log") else "")


def _default(option: dict[str, Any]) -> str:
    return f"`{json.dumps(option['default'])}`" if "default" in option else ""


def _meaning(option: dict[str, Any]) -> str:
    lines = option["description"] if isinstance(option["description"], list) else [option["description"]]
    return _CODE.sub(r"`\1`", " ".join(lines))


def known_causes() -> str:
    """The page for the rule table of diagnose."""
    rows = []
    for rule in causes.RULES:
        name = f"`{rule.code}`" + (" (warning)" if rule.severity == causes.WARNING else "")
        texts = (rule.cause, f"{rule.cure} From Git: {rule.from_git}" if rule.from_git else rule.cure)
        cause, cure = (_FIELD.sub(r"*\1*", text).replace("|", "\\|") for text in texts)
        rows.append(f"| {name} | {rule.hop} | {cause} | {cure} |\n")
    return _CAUSES + "".join(rows)


def pages() -> dict[Path, str]:
    """Path → content of every page that is made."""
    return {
        ROOT / "docs" / "variables.md": variables(yaml.safe_load(CONTRACT.read_text("utf-8"))),
        ROOT / "docs" / "runbooks" / "causes.md": known_causes(),
    }


if __name__ == "__main__":
    for path, content in pages().items():
        path.write_text(content, "utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
