"""Pages that are made from the code say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import pages


@pytest.mark.parametrize("path", list(pages.pages()), ids=lambda path: path.name)
def test_the_page_is_up_to_date(path: Path) -> None:
    assert path.read_text("utf-8") == pages.pages()[path], "run `make pages`"


def test_a_changed_contract_changes_the_page() -> None:
    option = {"type": "str", "description": "One.", "no_log": True, "default": "x"}
    page = pages.variables({"argument_specs": {"settings": {"short_description": "S", "options": {"name": option}}}})
    assert '| `name` | str, secret | `"x"` | One. |' in page


def test_links_of_the_documentation_lead_somewhere() -> None:
    import re

    for page in (pages.ROOT / "README.md", *(pages.ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
