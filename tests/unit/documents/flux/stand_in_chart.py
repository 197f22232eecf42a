"""Values and schema of the stand-in for the official chart, from the table of that chart's values.

`python -m tests.unit.documents.flux.stand_in_chart` writes both anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from .chart_model import TABLE

FOLDER = Path(__file__).resolve().parents[3] / "bench" / "cluster" / "chart"
_TYPES: dict[str, Any] = {
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    # A number that is an environment variable in the end may be text.
    "int": {"type": ["integer", "string"]},
    "map": {"type": ["object", "null"]},
    "list": {"type": ["array", "null"]},
    "NoneType": {},
}
_SAYS = "Stand-in for Langfuse's official chart: its values with their defaults. Written by tests.unit.documents.flux.stand_in_chart."


def values() -> str:
    """`values.yaml`: the defaults of the official chart."""
    found: dict[str, Any] = {}
    for one in TABLE:
        *parents, last = one["key"].split(".")
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = one["default"]
    return f"# {_SAYS}\n---\n{yaml.safe_dump(found, sort_keys=False)}"


def schema() -> str:
    """`values.schema.json`, which the official chart lacks: a value that it would ignore is refused."""
    found: dict[str, Any] = {"title": _SAYS, "type": "object", "additionalProperties": False, "properties": {}}
    for one in TABLE:
        *parents, last = one["key"].split(".")
        place = found
        for parent in parents:
            empty = {"type": "object", "additionalProperties": False, "properties": {}}
            place = place["properties"].setdefault(parent, empty)
        place["properties"][last] = _TYPES[one["type"]]
    return json.dumps(found, indent=1) + "\n"


FILES = {"values.yaml": values, "values.schema.json": schema}

if __name__ == "__main__":
    for name, write in FILES.items():
        (FOLDER / name).write_text(write(), "utf-8")
