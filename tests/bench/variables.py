"""The variables that point a playbook run at the bench's images."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.builder import Built
from tests.bench.catalogue import REGISTRY


def format_variables(images: Sequence[Built]) -> str:
    """YAML for `-e @vars.yml`; without images of its own the bench redirects nothing."""
    if not images:
        return "---\n# The registry answers: the real images are used.\n{}\n"
    lines = ["---", "# Images of the bench; Langfuse's own two are a stand-in.", f"langfuse_image_registry: {REGISTRY}"]
    lines.append("langfuse_image_pull: never")
    versions = {built.variable: built.tag for built in images}
    lines += [f'{name}: "{versions[name]}"' for name in sorted(versions)]
    return "\n".join(lines) + "\n"
