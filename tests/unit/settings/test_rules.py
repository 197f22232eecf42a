"""Every rule finds its bad input, says what to write, and is the only one that does."""

from __future__ import annotations

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings import rules

from . import (
    bucket_cases,
    chart_cases,
    cluster_cases,
    consumer_cases,
    gitops_cases,
    sign_in_cases,
    source_cases,
)
from .cases import CASES as OWN_CASES
from .cases import GOOD, Bad
from .support import run, settings

CASES = (
    *OWN_CASES,
    *source_cases.CASES,
    *bucket_cases.CASES,
    *sign_in_cases.CASES,
    *consumer_cases.CASES,
    *cluster_cases.CASES,
    *gitops_cases.CASES,
    *chart_cases.CASES,
)
RULES = {rule.__name__: rule for rule in rules.RULES}


def _given(case: Bad) -> dict[str, object]:
    return {name: value for name, value in {**GOOD, **case.given}.items() if name not in case.without}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{'-'.join(case.given) or 'nothing'}")
def test_bad_input_is_refused_with_variable_and_cure(case: Bad) -> None:
    result = run(_given(case))
    assert [problem.variable for problem in result.problems] == [case.variable]
    assert result.problems[0].wrong and result.problems[0].cure
    assert not result.plan and not result.secrets


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{'-'.join(case.given) or 'nothing'}")
def test_bad_input_passes_without_its_rule(case: Bad) -> None:
    others = tuple(rule for name, rule in RULES.items() if name != case.rule)
    assert rules.problems(settings(_given(case)), others) == []


def test_every_rule_has_a_case() -> None:
    assert {case.rule for case in CASES} == set(RULES)


def test_good_input_has_no_problem() -> None:
    assert run(GOOD).problems == ()


def test_no_message_holds_a_secret() -> None:
    for case in CASES:
        text = " ".join(map(str, run(_given(case)).problems))
        assert "canary-proof" not in text
        for name, value in case.given.items():
            if value and rules_secret(name) and isinstance(value, str):
                assert value not in text, name


def rules_secret(name: str) -> bool:
    from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.contract import contract

    return bool(contract()[name].get("no_log"))
