"""An instance in a stack that is there already: addresses, networks, and the values of its `.env`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.module_utils import stack
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents.compose.project import project
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.contract import contract
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.derive import Derived, derive
from ansible_collections.llmops.langfuse.plugins.plugin_utils.settings.plan import Placement
from jinja2.nativetypes import NativeEnvironment

from .cases import GOOD
from .cluster_cases import CLUSTER
from .source_cases import REDIS
from .support import CANDIDATES, run

ROOT = Path(__file__).resolve().parents[3]

NETWORK = "shop_default"
STACK: dict[str, Any] = {
    "project": "shop",
    "networks": [NETWORK],
    "names": ["app", "pgsql", "redis", "shop-pgsql-1"],
    "stores": {
        "postgres": {
            "service": "pgsql",
            "host": "pgsql",
            "port": 5432,
            "network": NETWORK,
            "names": ["pgsql", "shop-pgsql-1"],
        },
        "redis": {"service": "redis", "host": "redis", "port": 6379, "network": NETWORK},
        "s3": {"service": "minio", "host": "minio", "port": 9000, "network": "shop_storage"},
    },
    "ambiguous": {},
}
JOINED = {
    **GOOD,
    "langfuse_shared_project": "shop",
    "langfuse_postgres_source": "existing",
    "langfuse_postgres_admin_user": "root",
    "langfuse_redis_source": "existing",
    "langfuse_redis_admin_user": "default",
}
S3 = {
    "langfuse_shared_s3_service": "minio",
    "langfuse_s3_source": "existing",
    "langfuse_s3_access_key": "canary-key",
    "langfuse_s3_secret_key": "canary-secret",
    "langfuse_s3_public_endpoint": "http://localhost:9000",
}


def test_a_cluster_takes_nothing_of_a_stack() -> None:
    """Its variables are of Compose, which a warning says; what was found of it all the same is left."""
    given = {**GOOD, **CLUSTER, **REDIS, "langfuse_shared_project": "shop", "langfuse_dotenv": "/srv/shop/.env"}
    dotenv = {"LANGFUSE_SALT": "canary-salt-of-the-stack"}
    missing = ({"variable": "langfuse_shared_project", "wrong": "is not there", "cure": "Start it"},)
    placement = Placement(("localhost",), STACK, dotenv, missing)
    result = derive(contract(), given, list(given), {}, CANDIDATES, placement)
    assert not result.problems
    assert [one.split(" ")[0] for one in result.warnings] == ["langfuse_dotenv", "langfuse_shared_project"]
    assert result.secrets["langfuse_salt"] == CANDIDATES["langfuse_salt"]
    assert result.plan["health"]["joined"] is None


def _run(
    given: dict[str, Any],
    found: dict[str, Any] | None = None,
    dotenv: dict[str, str] | None = None,
    missing: tuple[dict[str, str], ...] = (),
    may_miss: bool = False,
    unclear: dict[str, int] | None = None,
) -> Derived:
    placement = Placement(("localhost",), found or {}, dotenv or {}, missing, may_miss, unclear or {})
    return derive(contract(), given, list(given), {}, CANDIDATES, placement)


def test_stores_and_network_come_from_the_stack() -> None:
    plan = _run(JOINED, STACK).plan
    assert plan["endpoints"]["postgres"]["host"] == "pgsql"
    assert plan["endpoints"]["redis"]["host"] == "redis"
    assert plan["compose"]["networks"] == [NETWORK]
    assert set(plan["compose"]["stores"]) == {"clickhouse", "seaweedfs"}


def test_an_object_store_of_the_stack_adds_its_network() -> None:
    plan = _run({**JOINED, **S3}, STACK).plan
    assert plan["endpoints"]["s3"]["endpoint"] == "http://minio:9000"
    assert plan["compose"]["networks"] == [NETWORK, "shop_storage"]


def test_a_clickhouse_of_the_stack_is_joined() -> None:
    given = {**JOINED, "langfuse_clickhouse_source": "existing", "langfuse_clickhouse_password": "canary-clickhouse"}
    found = {"service": "ch", "host": "ch", "port": 8123, "network": "shop_analytics"}
    plan = _run(given, {**STACK, "stores": {**STACK["stores"], "clickhouse": found}}).plan
    assert plan["env"]["web"]["CLICKHOUSE_URL"] == "http://ch:8123"
    assert plan["compose"]["networks"] == [NETWORK, "shop_analytics"]
    assert set(plan["compose"]["stores"]) == {"seaweedfs"}
    problem = _run(given, {**STACK, "ambiguous": {"clickhouse": ["ch", "ch2"]}}).problems[0]
    assert problem.variable == "langfuse_shared_clickhouse_service" and "ch, ch2" in str(problem)


def test_what_the_user_wrote_wins() -> None:
    given = {**JOINED, "langfuse_postgres_host": "db.example.com", "langfuse_compose_networks": ["other"]}
    plan = _run(given, STACK).plan
    assert plan["endpoints"]["postgres"]["host"] == "db.example.com"
    assert plan["compose"]["networks"] == ["other", NETWORK]


def test_a_stack_whose_stores_are_not_used_is_joined_for_its_senders() -> None:
    plan = _run({**GOOD, "langfuse_shared_project": "shop"}, {**STACK, "names": ["app", "db"]}).plan
    assert plan["compose"]["networks"] == [NETWORK]
    assert plan["endpoints"]["postgres"]["host"] == "postgres"


@pytest.mark.parametrize(
    ("changes", "variable", "said"),
    [
        ({"stores": {}, "ambiguous": {"postgres": ["a", "b"]}}, "langfuse_shared_postgres_service", "a, b"),
        ({"stores": {}}, "langfuse_postgres_host", "is missing"),
        ({"names": ["clickhouse"]}, "langfuse_shared_project", "clickhouse"),
        ({"names": ["langfuse-web"]}, "langfuse_shared_project", "langfuse-web"),
    ],
)
def test_a_stack_that_cannot_be_joined(changes: dict[str, Any], variable: str, said: str) -> None:
    problem = _run(JOINED, {**STACK, **changes}).problems[0]
    assert problem.variable == variable
    assert said in str(problem)


DOWN = stack.missing("shop", [], {})


def _away(compose_file: str = "") -> dict[str, Any]:
    """What `compose_stack_info` tells of a stack that is down."""
    known = stack.kept(compose_file, "shop")
    return {"names": [], "ambiguous": {}, **known, "kept": known["stores"]}


def test_a_stack_that_is_down_is_a_problem_among_others() -> None:
    given = {**JOINED, "langfuse_redis_port": 0}
    problems = _run(given, _away(), missing=tuple(DOWN)).problems
    assert [problem.variable for problem in problems] == ["langfuse_shared_project", "langfuse_redis_port"]


def test_what_an_instance_used_of_a_stack_that_is_down_is_known_from_its_own_project() -> None:
    up = _run({**JOINED, **S3}, STACK)
    (file, *_others) = project(up.plan, up.secrets)
    known = _away(file.content())
    down = _run({**JOINED, **S3}, known, missing=tuple(DOWN), may_miss=True)
    assert not down.problems
    assert "shop" in down.warnings[0]
    assert down.plan == up.plan
    assert up.plan["health"]["joined"] == {"project": "shop", "services": ["minio", "pgsql", "redis"]}
    assert stack.kept(file.content(), "other")["stores"] == {}
    # Some of its services are gone.
    half = {**_away(file.content()), "stores": {"redis": STACK["stores"]["redis"]}}
    assert _run({**JOINED, **S3}, half, may_miss=True).plan["endpoints"] == up.plan["endpoints"]


def test_a_stack_that_was_never_there_does_not_stop_who_can_do_without() -> None:
    down = _run(JOINED, _away(), missing=tuple(DOWN), may_miss=True)
    assert not down.problems
    assert down.plan["compose"]["store_places"]["postgres"] == "shop:5432/langfuse"
    assert down.plan["compose"]["networks"] == []


def test_who_can_do_without_a_stack_does_not_mind_its_changes() -> None:
    changed = {**STACK, "names": ["clickhouse"], "ambiguous": {"redis": ["redis", "cache"]}}
    assert not _run(JOINED, changed, may_miss=True).problems


def test_a_service_that_is_not_there() -> None:
    wrong = ({"variable": "langfuse_shared_postgres_service", "wrong": "has none", "cure": "Correct it"},)
    (problem,) = _run(JOINED, _away(), missing=wrong).problems
    assert problem.variable == "langfuse_shared_postgres_service"


def test_a_dotenv_that_is_gone() -> None:
    gone = ({"variable": "langfuse_dotenv", "wrong": "cannot be read", "cure": "Bring it back"},)
    assert [one.variable for one in _run(GOOD, missing=gone).problems] == ["langfuse_dotenv"]
    assert not _run(GOOD, missing=gone, may_miss=True).problems


@pytest.mark.parametrize("given", [{}, {"langfuse_instance": "team-a"}, {"langfuse_project_directory": "/srv/lf"}])
def test_the_role_and_the_plan_agree_on_the_project_directory(given: dict[str, str]) -> None:
    variables = yaml.safe_load((ROOT / "roles" / "langfuse" / "vars" / "main.yml").read_text())
    template = NativeEnvironment().from_string(variables["_langfuse_project_directory"])
    assert template.render(**given) == run({**GOOD, **given}).plan["compose"]["directory"]


def test_a_name_that_the_stack_has_is_no_clash_where_it_is_used() -> None:
    assert not _run(JOINED, {**STACK, "names": ["postgres", "valkey"]}).problems


DOTENV = {
    "LANGFUSE_NEXTAUTH_SECRET": "canary-nextauth-of-the-guide-32-chars",
    "LANGFUSE_SALT": "canary-salt-of-the-guide",
    "LANGFUSE_ENCRYPTION_KEY": "0123456789abcdef" * 4,
    "CLICKHOUSE_USER": "clickhouse",
    "CLICKHOUSE_PASSWORD": "canary-clickhouse",
    "MINIO_ROOT_USER": "minio",
    "MINIO_ROOT_PASSWORD": "canary-minio-password",
    "LANGFUSE_INIT_USER_EMAIL": "boss@example.com",
    "LANGFUSE_INIT_PROJECT_NAME": "Samsara Alerts",
    "DB_USERNAME": "sail",
    "DB_PASSWORD": "canary-db",
    "REDIS_PASSWORD": "null",
    "APP_KEY": "canary-of-the-application",
}


def test_the_env_of_the_guide_is_read() -> None:
    result = _run({"langfuse_dotenv": "/srv/shop/.env"}, dotenv=DOTENV)
    assert not result.problems
    assert result.secrets["langfuse_salt"] == DOTENV["LANGFUSE_SALT"]
    assert result.secrets["langfuse_clickhouse_password"] == "canary-clickhouse"
    assert result.secrets["langfuse_s3_access_key"] == "minio"
    assert result.plan["init"]["user_email"] == "boss@example.com"
    assert result.plan["env"]["web"]["LANGFUSE_INIT_PROJECT_NAME"] == "Samsara Alerts"
    assert "canary-of-the-application" not in str(result)


def test_in_a_shared_stack_its_users_are_administrators() -> None:
    given = {name: value for name, value in JOINED.items() if "admin" not in name}
    result = _run({**given, "langfuse_redis_admin_user": "default"}, STACK, DOTENV)
    assert not result.problems, result.problems
    assert result.plan["provision"]["postgres"]["admin_user"] == "sail"
    assert result.secrets["langfuse_postgres_admin_password"] == "canary-db"
    assert "langfuse_redis_admin_password" not in result.secrets


def test_a_variable_wins_over_the_file() -> None:
    result = _run({**GOOD, "langfuse_salt": "given-by-the-user-1"}, dotenv=DOTENV)
    assert result.secrets["langfuse_salt"] == "given-by-the-user-1"
    assert result.plan["init"]["user_email"] == GOOD["langfuse_init_user_email"]


def test_a_problem_names_the_line_of_the_file() -> None:
    (problem,) = _run(GOOD, dotenv={"LANGFUSE_ENCRYPTION_KEY": "canary-short"}).problems
    assert problem.variable == "langfuse_encryption_key"
    assert "LANGFUSE_ENCRYPTION_KEY in langfuse_dotenv" in str(problem)
    assert "canary-short" not in str(problem)


def test_an_object_store_without_an_address_is_aws_unless_the_stack_s_is_named() -> None:
    aws = {**JOINED, "langfuse_s3_source": "existing", "langfuse_s3_use_role": True}
    assert _run(aws, STACK).plan["endpoints"]["s3"]["endpoint"] is None


_BARE = {name: value for name, value in JOINED.items() if "admin" not in name}
_SAIL = ("sail", "canary-db")
_REDIS_LINE = {"REDIS_PASSWORD": "canary-redis"}


@pytest.mark.parametrize(
    ("given", "lines", "postgres", "redis"),
    [
        pytest.param({}, {}, _SAIL, (None, None), id="the stack's own"),
        pytest.param({}, {"DB_HOST": "pgsql"}, _SAIL, (None, None), id="by its service"),
        pytest.param({}, {"DB_HOST": "shop-pgsql-1"}, _SAIL, (None, None), id="by its container"),
        pytest.param({}, {"DB_HOST": "127.0.0.1"}, _SAIL, (None, None), id="by its published port"),
        pytest.param(
            {}, {"DB_HOST": "db.example.com"}, (None, None), (None, None), id="the application's is elsewhere"
        ),
        pytest.param({"langfuse_postgres_host": "pgsql"}, {}, _SAIL, (None, None), id="the stack's, written down"),
        pytest.param(
            {"langfuse_postgres_host": "db2"}, {"DB_HOST": "pgsql"}, (None, None), (None, None), id="another one"
        ),
        pytest.param(
            {"langfuse_postgres_host": "db2"}, {"DB_HOST": "db2"}, _SAIL, (None, None), id="outside, both the same"
        ),
        pytest.param({"langfuse_postgres_admin_user": "sail"}, {}, _SAIL, (None, None), id="the very user"),
        pytest.param({"langfuse_postgres_admin_user": "root"}, {}, ("root", None), (None, None), id="another user"),
        pytest.param(
            {"langfuse_postgres_admin_user": "root", "langfuse_postgres_admin_password": "canary-own"},
            *({}, ("root", "canary-own"), (None, None)),
            id="a login of its own",
        ),
        pytest.param({}, _REDIS_LINE, _SAIL, ("default", "canary-redis"), id="the default user of Redis"),
        pytest.param(
            {}, {**_REDIS_LINE, "REDIS_USERNAME": "app"}, _SAIL, ("app", "canary-redis"), id="a user of Redis"
        ),
        pytest.param(
            {"langfuse_redis_admin_user": "root"}, _REDIS_LINE, _SAIL, ("root", None), id="another user of Redis"
        ),
        pytest.param(
            {"langfuse_redis_host": "redis.example.com"}, _REDIS_LINE, _SAIL, (None, None), id="a Redis elsewhere"
        ),
        pytest.param(
            {"langfuse_redis_password": "canary-made"},
            _REDIS_LINE,
            _SAIL,
            (None, None),
            id="a Redis user that is there",
        ),
    ],
)
def test_a_login_of_the_file_is_for_the_stack_s_own_store(
    given: dict[str, Any], lines: dict[str, str], postgres: tuple[Any, Any], redis: tuple[Any, Any]
) -> None:
    """And user and password are taken together or not at all."""
    made = {"langfuse_postgres_password": "canary-of-the-role"}
    result = _run({**_BARE, **made, **given}, STACK, {"DB_USERNAME": "sail", "DB_PASSWORD": "canary-db", **lines})
    assert not result.problems, result.problems
    for store, (user, password) in {"postgres": postgres, "redis": redis}.items():
        assert result.plan["provision"][store]["admin_user"] == user
        assert result.secrets.get(f"langfuse_{store}_admin_password") == password


def test_keys_and_passwords_of_the_file_belong_to_its_own_names() -> None:
    lines = {
        "LANGFUSE_INIT_USER_EMAIL": "boss@example.com",
        "LANGFUSE_INIT_USER_PASSWORD": "canary-of-the-boss",
        "CLICKHOUSE_USER": "other",
        "CLICKHOUSE_PASSWORD": "canary-other",
    }
    assert _run({}, dotenv=lines).secrets["langfuse_init_user_password"] == "canary-of-the-boss"
    result = _run({**GOOD, "langfuse_clickhouse_user": "langfuse"}, dotenv=lines)
    assert "canary-of-the-boss" not in str(result.secrets) and "canary-other" not in str(result.secrets)
    given = {"langfuse_init_user_password": "canary-given-1"}
    assert _run(given, dotenv=lines).plan["init"]["user_email"] == "boss@example.com"


def test_a_line_that_cannot_be_read_is_named_where_it_is_needed() -> None:
    result = _run(_BARE, STACK, {"DB_USERNAME": "sail"}, unclear={"DB_PASSWORD": 7, "APP_KEY": 3})
    (problem,) = (one for one in result.problems if one.variable == "langfuse_dotenv")
    assert "DB_PASSWORD in line 7" in str(problem)
    assert not list(_run(GOOD, dotenv={}, unclear={"DB_PASSWORD": 7}).problems)
