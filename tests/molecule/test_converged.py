"""A converged host: a second run changes nothing at all, and the check says so."""

from __future__ import annotations

from tests.molecule import playbook, snapshot
from tests.molecule.instance import Instance


def test_second_run_changes_nothing(life: Instance) -> None:
    before = snapshot.host(life)
    again = playbook.run(life)
    assert again.changed == 0, again.changed_tasks
    snapshot.assert_same(before, snapshot.host(life))


def test_check_says_that_nothing_would_change(life: Instance) -> None:
    before = snapshot.host(life)
    checked = playbook.check(life)
    assert checked.changed == 0, checked.changed_tasks
    snapshot.assert_same(before, snapshot.host(life))
