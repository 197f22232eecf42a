"""Derive as the role calls it, with secrets that are the same in every run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.contract import contract
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.derive import Derived, derive
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.plan import Placement, Settings
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.secrets import GENERATED
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.sources import drawn, used

CANDIDATES = {
    **{name: f"canary{number:02d}" + "x" * 26 for number, name in enumerate(GENERATED)},
    "langfuse_encryption_key": "0123456789abcdef" * 4,
    "langfuse_init_project_public_key": "pk-lf-11111111",
    "langfuse_init_project_secret_key": "sk-lf-22222222",
}


def run(given: Mapping[str, Any], stored: Mapping[str, str] | None = None, names: tuple[str, ...] = ()) -> Derived:
    return derive(contract(), given, [*given, *names], stored or {}, CANDIDATES, Placement(("localhost",)))


def settings(given: Mapping[str, Any]) -> Settings:
    """The settings that the rules see."""
    from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.cluster import on_platform
    from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.contract import validate

    values, problems = validate(contract(), given)
    assert not problems, problems
    values = on_platform(values, given)
    kept = {
        name: values.get(name) or CANDIDATES[name]
        for name in GENERATED
        if used(values, name) and (values.get(name) or drawn(values, name))
    }
    more = {name: values[name] for name, option in contract().items() if option.get("no_log") and values.get(name)}
    return Settings(values, frozenset(given), {**kept, **more})
