"""What `docs/guides/senders.md` tells people to run, so that the tests run exactly that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "senders.md"
_RUN = re.compile(r"<!-- run: (\w+) -->\n```bash\n(.*?)```", re.DOTALL)


def commands() -> dict[str, str]:
    return dict(_RUN.findall(PAGE.read_text("utf-8")))


def configuration(marker: str) -> Any:
    """The YAML block that follows a comment which begins like this."""
    found = re.search(rf"<!-- {marker}.*?-->\n```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found, f"no YAML block after {marker!r}"
    return yaml.safe_load(found.group(1))
