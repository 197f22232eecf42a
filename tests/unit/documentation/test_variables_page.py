"""The page of variables says what the contract says."""

from __future__ import annotations

from tests import variables_page


def test_the_page_is_up_to_date() -> None:
    assert variables_page.PAGE.read_text("utf-8") == variables_page.current(), "run `make variables`"


def test_a_changed_contract_changes_the_page() -> None:
    option = {"type": "str", "description": "One.", "no_log": True, "default": "x"}
    page = variables_page.render(
        {"argument_specs": {"settings": {"short_description": "S", "options": {"name": option}}}}
    )
    assert '| `name` | str, secret | `"x"` | One. |' in page
