"""The contract itself, and what a user gave held against it."""

from __future__ import annotations

import re

import pytest
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.contract import CONTRACT_FILE, contract, native

from .cases import GOOD
from .cluster_cases import CLUSTER
from .gitops_cases import GITOPS
from .support import run


@pytest.mark.parametrize(
    ("given", "variable", "cure"),
    [
        ({"langfuse_version": 4.16}, "langfuse_version", "Put it in quotes"),
        ({"langfuse_salt": True}, "langfuse_salt", "Put it in quotes"),
        ({"langfuse_size": "huge"}, "langfuse_size", "Write one of: small, medium, large"),
        ({"langfuse_enabled": "maybe"}, "langfuse_enabled", "Write a value of type bool"),
        ({"langfuse_web_port": "http"}, "langfuse_web_port", "Write a value of type int"),
        ({"langfuse_extra_env": "text"}, "langfuse_extra_env", "Write a value of type dict"),
    ],
)
def test_wrong_type(given: dict[str, object], variable: str, cure: str) -> None:
    problems = run({**GOOD, **given}).problems
    assert [problem.variable for problem in problems] == [variable]
    assert cure in problems[0].cure


def test_all_problems_come_at_once() -> None:
    problems = run({**GOOD, "langfuse_size": "huge", "langfuse_version": 4.16, "langfuse_webport": 1}).problems
    assert {problem.variable for problem in problems} == {"langfuse_size", "langfuse_version", "langfuse_webport"}


def test_text_forms_of_booleans_and_numbers_are_taken() -> None:
    plan = run({**GOOD, "langfuse_enabled": "no", "langfuse_web_port": "3031"}).plan
    assert plan["enabled"] is False
    assert plan["compose"]["web_port"] == 3031


def test_unknown_name_is_refused_with_the_nearest() -> None:
    (problem,) = run({**GOOD, "langfuse_postgres_pasword": "x"}).problems
    assert problem.variable == "langfuse_postgres_pasword"
    assert "langfuse_postgres_password" in problem.cure


def test_near_miss_without_the_prefix_is_a_warning() -> None:
    result = run(GOOD, names=("tracing_enabeld", "something_else"))
    assert result.warnings == ("tracing_enabeld has no effect. Did you mean tracing_enabled?",)
    assert not result.problems


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (CLUSTER, "langfuse_gitops_interval"),
        (GITOPS, "langfuse_web_port"),
        (GITOPS, None),
        ({**GITOPS, "langfuse_kubernetes_context": "fleet"}, None),
    ],
)
def test_what_does_nothing_on_a_target_is_told(given: dict[str, object], name: str | None) -> None:
    """Objects for Git are those of a cluster, so all variables of a cluster act there too."""
    more = {name: contract()[name]["default"]} if name else {}
    expected = [f"{name} has no effect with langfuse_target={given['langfuse_target']}"] if name else []
    assert [told for told in run({**GOOD, **given, **more}).warnings if "no effect" in told] == expected


def test_none_counts_as_unset() -> None:
    assert run({**GOOD, "langfuse_size": None}).problems == ()


def test_options_have_what_the_documentation_needs() -> None:
    for name, option in contract().items():
        assert option.get("description"), name
        assert set(option) <= {"type", "default", "choices", "description", "no_log", "elements", "entry_point"}, name
        assert ("elements" in option) == (option["type"] == "list"), name
        if option.get("no_log"):
            assert option["type"] == "str", name


def test_native_turns_templates_into_plain_data() -> None:
    class Tagged(str):
        pass

    assert type(native(Tagged("x"))) is str


def test_the_role_hands_over_every_variable_of_the_contract() -> None:
    """Those without the collection's prefix are named in the role, and a forgotten one would have no effect."""
    tasks = (CONTRACT_FILE.parents[1] / "tasks" / "main.yml").read_text()
    expression = re.search(r"_langfuse_names: >-\n +\{\{ q\('ansible.builtin.varnames',(.+?)\) \}\}", tasks, re.DOTALL)
    assert expression
    pattern = "".join(re.findall(r"'([^']*)'", expression[1]))
    assert [name for name in contract() if not re.match(pattern, name)] == []
