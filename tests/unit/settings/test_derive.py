"""The Plan: what it says, what it never says, and that it is a function of its input."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.filter.derive import derive as derive_filter
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.contract import contract
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.derive import derive
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.plan import Placement

from .cases import GOOD
from .cluster_cases import CLUSTER, EVERYTHING, SHARED
from .consumer_cases import LITELLM
from .gitops_cases import GITOPS, REPOSITORY
from .sign_in_cases import ADMINISTERED, other
from .source_cases import CLICKHOUSE, GCS, POSTGRES, REDIS, S3, SENTINEL
from .support import CANDIDATES, run


def test_same_input_gives_the_same_bytes() -> None:
    first, second = run(GOOD), run(dict(reversed(GOOD.items())))
    assert json.dumps(first.plan) == json.dumps(second.plan)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({**SHARED, "langfuse_expose": "service"}, ["network", "storage"]),
        (CLUSTER, ["network"]),
        ({**CLUSTER, "langfuse_gateway_namespace": "ai-system"}, []),
    ],
)
def test_namespaces_in_which_routes_and_grants_of_an_earlier_run_may_be(
    given: dict[str, Any], expected: list[str]
) -> None:
    assert run({**GOOD, **given}).plan["kubernetes"]["elsewhere"] == expected


def test_the_plan_holds_no_secret() -> None:
    printed = json.dumps(run(GOOD).plan)
    for name, value in CANDIDATES.items():
        if name != "langfuse_init_project_public_key":
            assert value not in printed, name


def test_a_secret_is_given_or_stored_or_drawn_in_that_order() -> None:
    given = {**GOOD, "langfuse_redis_password": "given-by-the-user"}
    stored = {"langfuse_redis_password": "stored-before-that", "langfuse_s3_secret_key": "stored-secret-key"}
    result = run(given, stored)
    assert result.secrets["langfuse_redis_password"] == "given-by-the-user"
    assert result.secrets["langfuse_s3_secret_key"] == "stored-secret-key"
    assert result.secrets["langfuse_salt"] == CANDIDATES["langfuse_salt"]
    assert "langfuse_salt" in result.generated
    assert not {"langfuse_redis_password", "langfuse_s3_secret_key"} & set(result.generated)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({}, ["langfuse_salt", "langfuse_encryption_key"]),
        ({"langfuse_salt": "stored-before-that"}, ["langfuse_encryption_key"]),
        (CANDIDATES, []),
    ],
)
def test_new_keys_are_those_without_which_stored_data_is_lost(stored: dict[str, str], expected: list[str]) -> None:
    found = derive_filter(GOOD, list(GOOD), ["localhost"], stored, CANDIDATES)
    assert (found["problems"], found["new_keys"]) == ([], expected)


@pytest.mark.parametrize("name", ["langfuse_salt", "langfuse_encryption_key"])
def test_a_changed_secret_that_orphans_data_is_refused(name: str) -> None:
    value = "fedcba9876543210" * 4
    (problem,) = run({**GOOD, name: value}, {name: CANDIDATES[name]}).problems
    assert problem.variable == name
    assert value not in str(problem) and CANDIDATES[name] not in str(problem)
    assert not run({**GOOD, name: value}, {name: value}).problems


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://localhost:3030"),
        ({"langfuse_web_port": 3040}, "http://localhost:3040"),
        (
            {"cloudflare_domain": "example.com", "langfuse_s3_public_endpoint": "https://s3.example.com"},
            "https://langfuse.example.com",
        ),
        ({"langfuse_public_url": "http://localhost:8080/"}, "http://localhost:8080"),
    ],
)
def test_public_url(given: dict[str, Any], url: str) -> None:
    plan = run({**GOOD, **given}).plan
    assert plan["url"] == url
    assert plan["env"]["web"]["NEXTAUTH_URL"] == url


@pytest.mark.parametrize("hosts", [(), ("one", "two")])
def test_an_instance_has_one_host(hosts: tuple[str, ...]) -> None:
    result = derive(contract(), GOOD, list(GOOD), {}, CANDIDATES, Placement(hosts))
    assert [problem.variable for problem in result.problems] == ["langfuse_group"]


def test_a_feature_that_is_off_says_why() -> None:
    features = run(GOOD).plan["features"]
    assert features["tracing"] == {"on": False, "reason": "tracing_enabled is off"}
    assert features["first_user"] == {"on": True, "reason": ""}
    assert all(feature["on"] or feature["reason"] for feature in features.values())


def test_images_come_from_one_registry() -> None:
    images = run({**GOOD, "langfuse_image_registry": "registry.example.com/mirror/"}).plan["images"]
    assert images["web"] == "registry.example.com/mirror/langfuse/langfuse:4.16.0"
    assert all(image.startswith("registry.example.com/mirror/") for image in images.values())


def test_with_an_archive_nothing_is_pulled() -> None:
    assert run(GOOD).plan["compose"]["pull"] == "missing"
    assert run({**GOOD, "langfuse_image_archive": "/srv/images.tar"}).plan["compose"]["pull"] == "never"


def test_data_lies_in_a_folder_of_the_instance() -> None:
    assert run(GOOD).plan["compose"]["data_folders"] == {}
    compose = run({**GOOD, "langfuse_data_directory": "/srv/data/"}).plan["compose"]
    assert compose["data_directory"] == "/srv/data/langfuse"
    assert compose["data_folders"] == {
        "postgres": "/srv/data/langfuse/postgres",
        "clickhouse": "/srv/data/langfuse/clickhouse",
        "valkey": "/srv/data/langfuse/valkey",
        "seaweedfs": "/srv/data/langfuse/seaweedfs",
    }


def test_every_variable_of_the_contract_has_an_effect() -> None:
    """Changing it changes the plan, the secrets or the problems; else it should not exist."""
    elsewhere = {
        "langfuse_group",  # chooses the hosts of the play
        "langfuse_shared_project",
        "langfuse_dotenv",  # both act in the module compose_stack_info
        "langfuse_secrets_file",
        "langfuse_secrets_format",  # both act in the action secrets_file
    }
    bases = (
        GOOD,
        {**GOOD, "cloudflare_domain": "example.com", "langfuse_s3_public_endpoint": "https://s3.example.com"},
    )
    existing = {**POSTGRES, **CLICKHOUSE, **S3}
    bases = (
        *bases,
        {**GOOD, **existing, **REDIS},
        {**GOOD, **existing, **SENTINEL},
        {**GOOD, **GCS},
        {**GOOD, **ADMINISTERED},
        {name: value for name, value in {**GOOD, **ADMINISTERED}.items() if name != "keycloak_enabled"},
    )
    bases = (*bases, {**GOOD, **other("azure_ad", tenant_id="x")}, {**GOOD, **other("workos", connection_id="x")})
    bases = (*bases, {**GOOD, **other("google")}, {**GOOD, **other("gitlab")})
    bases = (*bases, {**GOOD, **LITELLM})
    bases = (*bases, {**GOOD, **CLUSTER}, {**GOOD, **CLUSTER, "langfuse_expose": "ingress"}, {**GOOD, **GITOPS})
    for name, option in contract().items():
        if name in elsewhere:
            continue
        # A switch is turned off where it is on.
        off = ({**GOOD, **{one: value for one, value in EVERYTHING.items() if one != name}},)
        assert any(_outcome(base) != _outcome({**base, name: _other(name, option)}) for base in (*bases, *off)), name


@pytest.mark.parametrize("target", ["compose", "kubernetes", "gitops"])
def test_a_variable_of_all_targets_has_an_effect_on_each(target: str) -> None:
    """Where it has none it belongs to the other target, which is then told."""
    elsewhere = {"langfuse_target", "langfuse_group", "langfuse_secrets_file", "langfuse_secrets_format"}
    stores = ({}, {**POSTGRES, **CLICKHOUSE, **S3}, {**GCS}, {**REDIS}, {**SENTINEL}, {**ADMINISTERED})
    signs_in = (
        {name: value for name, value in ADMINISTERED.items() if name != "keycloak_enabled"},
        other("azure_ad", tenant_id="x"),
        other("workos", connection_id="x"),
        other("google"),
        other("gitlab"),
    )
    on = {"compose": {}, "kubernetes": CLUSTER, "gitops": GITOPS}[target]
    bases = [{**GOOD, **on, **one} for one in (*stores, *signs_in, LITELLM)]
    bases += [
        {**GOOD, **on, "langfuse_s3_public_endpoint": "https://s3.example.com", "cloudflare_domain": "example.com"}
    ]
    bases += [{**GOOD, **EVERYTHING, **on}] if on else []
    known = [_outcome(base) for base in bases]
    for name, option in contract().items():
        if option["entry_point"] == "settings" and name not in elsewhere:
            changed = ({**base, name: _other(name, option)} for base in bases)
            assert any(_outcome(one) != was for one, was in zip(changed, known, strict=True)), name


@pytest.mark.parametrize("text", ["http://[fd00::1", "host:port"])
def test_no_text_makes_it_break_instead_of_refuse(text: str) -> None:
    base = {**GOOD, **POSTGRES, **CLICKHOUSE, **REDIS, **S3, **ADMINISTERED}
    for name, option in contract().items():
        if option["type"] == "str" or option.get("elements") == "str":
            run({**base, name: [text] if option["type"] == "list" else text})


def _outcome(given: dict[str, Any]) -> object:
    result = run(given)
    return result.plan, result.secrets, result.problems


def _other(name: str, option: Any) -> Any:
    match option["type"]:
        case "bool":
            return not option["default"]
        case "int" | "float":
            return (option.get("default") or 1) + 1 if name != "langfuse_trace_sampling_ratio" else 0
        case "dict":
            return {"NOBODY_READS_THIS": "x"}
    others = [choice for choice in option.get("choices", []) if choice != option.get("default")]
    return others[0] if others else "another-value"


@pytest.mark.parametrize("given", [CLUSTER, SHARED, EVERYTHING])
def test_a_plan_for_git_is_the_one_of_the_cluster_and_where_it_is_written(given: dict[str, Any]) -> None:
    cluster, git = run({**GOOD, **given}), run({**GOOD, **given, **REPOSITORY})
    assert git.secrets == cluster.secrets
    of_git = dict(git.plan)
    assert of_git.pop("gitops")["directory"] == "/srv/fleet"
    assert of_git.pop("target") == "gitops"
    assert of_git == {name: value for name, value in cluster.plan.items() if name != "target"}
    assert "gitops" not in cluster.plan


@pytest.mark.parametrize(
    "host",
    [
        *("localhost:3030", "my.localhost", "127.0.0.1:3030", "[::1]:3030", "192.0.2.7", "[fd00::7]"),
        *("intranet", "Langfuse.Example.COM", "3.example.com", "xn--mnchen-3ya.example.com"),
    ],
)
def test_a_public_url_is_of_a_name_or_an_address(host: str) -> None:
    result = run(
        {**GOOD, "langfuse_public_url": f"http://{host}", "langfuse_s3_public_endpoint": "http://s3.example.com"}
    )
    assert result.problems == ()


@pytest.mark.parametrize(
    "registry", ["bench.localhost", "mirror.example.com:5000/hub/", "[fd00::7]:5000", "Mirror/a_b.c--d", "mirror"]
)
def test_a_registry_is_a_host_and_a_path(registry: str) -> None:
    assert run({**GOOD, "langfuse_image_registry": registry}).problems == ()
