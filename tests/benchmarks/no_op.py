"""Modules that have nothing to do: what their servers are asked, what is written, and how long it takes against one login."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import botocore.session
import psycopg
import redis
from ansible_collections.llmops.langfuse.plugins.module_utils import http_client

from tests.bench import extras
from tests.bench.paths import find_paths
from tests.benchmarks.figures import Broken, Section, count_row, seconds
from tests.benchmarks.instance import Instance
from tests.benchmarks.page import table
from tests.integration.modules import clickhouse_server, conftest, keycloak
from tests.integration.modules.clickhouse_server import statement
from tests.integration.modules.front import Front
from tests.integration.modules.postgresql_server import READS, SUPERUSER
from tests.integration.modules.postgresql_server import Server as Postgresql
from tests.integration.modules.redis_servers import ADMIN as REDIS_ADMIN
from tests.integration.modules.redis_servers import Engine, folder
from tests.integration.modules.redis_servers import Server as Redis

ROUNDS = 5
SECRET = "canary-no-op-password-1"
Options = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A module on an engine. `counted` runs something and gives what the server was asked, and what of it was a write."""

    module: str
    engine: str
    options: Options
    counted: Callable[[Callable[[], None]], tuple[list[str], list[str]]]
    login: Callable[[], None]


Cases = Generator[Case, None, None]


def _postgresql(place: Path) -> Cases:
    server = Postgresql(17, place)
    options = {**server.where, **SUPERUSER, "database": "langfuse", "role": "langfuse", "password": SECRET}

    def counted(work: Callable[[], None]) -> tuple[list[str], list[str]]:
        mark = server.mark()
        work()
        asked = server.statements_since(mark)
        return asked, [words for words in asked if words.split()[0] not in READS]

    def login() -> None:
        with psycopg.connect(
            host="localhost", port=server.port, user="postgres", password=SUPERUSER["login_password"]
        ) as connection:
            connection.execute("SELECT 1")

    try:
        yield Case("postgresql_database", "PostgreSQL 17", options, counted, login)
    finally:
        server.remove()


def _redis(place: Path) -> Cases:
    users = folder(place / "redis", users_acl=f"user default on >{REDIS_ADMIN} ~* &* +@all\n")
    flags = ("--aclfile", "/data/users.acl", "--appendonly", "yes", "--maxmemory-policy", "noeviction")
    server = Redis(Engine("valkey"), *flags, mounts=(f"{users}:/data",))
    server.client()

    def counted(work: Callable[[], None]) -> tuple[list[str], list[str]]:
        # What looking costs itself is taken off.
        first, before = server.calls(), server.calls()
        work()
        after = server.calls()
        asked = [
            name
            for name, calls in after.items()
            for _ in range(calls - before.get(name, 0) - (before.get(name, 0) - first.get(name, 0)))
        ]
        return asked, sorted(server.writing(set(asked)))

    def login() -> None:
        with redis.Redis(server.host, password=REDIS_ADMIN) as client:
            client.ping()

    try:
        yield Case("redis_acl_user", "Valkey 8.1", server.options, counted, login)
    finally:
        server.remove()


def _clickhouse(place: Path) -> Cases:
    address = clickhouse_server.start("no-op-clickhouse", place)
    front = Front(address)
    options = {
        "login_url": front.url,
        "login_user": clickhouse_server.ADMIN,
        "login_password": clickhouse_server.ADMIN_PASSWORD,
        "database": "langfuse",
        "user": "langfuse",
        "password": SECRET,
    }

    def counted(work: Callable[[], None]) -> tuple[list[str], list[str]]:
        front.clear()
        work()
        return list(front.seen), clickhouse_server.writing(front.seen)

    try:
        yield Case(
            "clickhouse_database",
            "ClickHouse 26",
            options,
            counted,
            lambda: _nothing(statement(front.target, "SELECT 1")),
        )
    finally:
        front.shutdown()
        conftest.stop("no-op-clickhouse")


def _s3(_place: Path) -> Cases:
    keys = {"access_key": "noopkey", "secret_key": SECRET}
    given = ("-e", f"AWS_ACCESS_KEY_ID={keys['access_key']}", "-e", f"AWS_SECRET_ACCESS_KEY={keys['secret_key']}")
    command = ("mini", "-dir=/data", "-ip.bind=0.0.0.0", "-master.telemetry=false", "-s3.iam.readOnly=false")
    image = conftest.image("chrislusf/seaweedfs")
    address = conftest.start("no-op-s3", image, *command, "-s3.port=8333", port=8333, options=given)
    front = Front(address)
    where = {"endpoint_url": front.url, **keys}
    buckets = ["langfuse-events", "langfuse-media", "langfuse-exports"]
    own = [
        {"name": "langfuse-events", "lifecycle": [{"expire_days": 90}]},
        {"name": "langfuse-media", "cors_origins": ["https://langfuse.example.com"]},
    ]
    user = {"name": "langfuse", "user_access_key": "appkey", "user_secret_key": "canary-no-op-key-1"}

    def counted(work: Callable[[], None]) -> tuple[list[str], list[str]]:
        front.clear()
        work()
        # IAM is asked by POST, with the action in the body.
        asked = [
            body.partition("Action=")[2].partition("&")[0] or line
            for line, body in zip(front.asked, front.seen, strict=True)
        ]
        return asked, [line for line in asked if not line.startswith(("GET ", "HEAD ", "Get", "List"))]

    def login() -> None:
        client: Any = botocore.session.get_session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=f"http://{address}",
            aws_access_key_id=keys["access_key"],
            aws_secret_access_key=keys["secret_key"],
        )
        client.list_buckets()

    try:
        yield Case("s3_bucket", "SeaweedFS 4", {**where, "buckets": buckets, "settings": own}, counted, login)
        yield Case("s3_user", "SeaweedFS 4", {**where, "buckets": buckets, **user}, counted, login)
    finally:
        front.shutdown()
        conftest.stop("no-op-s3")


def _keycloak(_place: Path) -> Cases:
    options = (*keycloak.OPTIONS, "--publish=127.0.0.1::9000")
    image = extras.ensure(find_paths(), "keycloak")
    address = conftest.start("no-op-keycloak", image, *keycloak.COMMAND, port=8080, options=options)
    name = f"{conftest.PREFIX}-no-op-keycloak"
    management = conftest.docker("port", name, "9000").splitlines()[0]
    keycloak.wait_until_ready(
        f"http://{management}", lambda: conftest.docker("inspect", "-f", "{{.State.Status}}", name)
    )
    front = Front(address)
    server = keycloak.Server(front.url)
    server.realm("no-op")
    given = server.login(realm="no-op", public_url="https://langfuse.example.com", secret=SECRET)

    def counted(work: Callable[[], None]) -> tuple[list[str], list[str]]:
        front.clear()
        work()
        writes = [line for line in front.asked if not line.startswith("GET ") and "/openid-connect/" not in line]
        return list(front.asked), writes

    def login() -> None:
        form = {"grant_type": "password", "client_id": "admin-cli", "username": keycloak.ADMIN}
        body = urlencode({**form, "password": keycloak.ADMIN_PASSWORD}).encode()
        address = f"{front.url}/realms/master/protocol/openid-connect/token"
        with urllib.request.urlopen(urllib.request.Request(address, body), timeout=30) as answer:
            answer.read()

    try:
        yield Case("keycloak_client", "Keycloak 26", given, counted, login)
    finally:
        front.shutdown()
        conftest.stop("no-op-keycloak")


def _llm_connection(instance: Instance) -> Cases:
    front = Front(instance.url.removeprefix("http://"))
    kept = instance.secrets()
    keys = {name: kept[f"langfuse_init_project_{name}"] for name in ("public_key", "secret_key")}
    options = {"url": front.url, **keys, "provider": "no-op", "adapter": "openai", "llm_secret_key": SECRET}

    def counted(work: Callable[[], None]) -> tuple[list[str], list[str]]:
        front.clear()
        work()
        return list(front.asked), [line for line in front.asked if not line.startswith(("GET ", "HEAD "))]

    def login() -> None:
        request = urllib.request.Request(f"{front.url}/api/public/projects")
        request.add_header("Authorization", http_client.basic(keys["public_key"], keys["secret_key"]))
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()

    try:
        yield Case("langfuse_llm_connection", "web (see below)", options, counted, login)
    finally:
        front.shutdown()


def _nothing(_result: object) -> None:
    """Only the time counts."""


@dataclass(frozen=True)
class Result:
    """One line of the table; times in seconds."""

    case: Case
    asked: list[str]
    wrote: list[str]
    ours: list[float]
    floor: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.floor)


def _timed(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _measure(case: Case) -> Result:
    def again(changed: bool = False) -> None:
        result = conftest.call(case.module, **case.options)
        if result.get("failed") or result["changed"] != changed:
            raise Broken(f"{case.module}: {result}")

    again(changed=True)
    asked, wrote = case.counted(again)
    if not asked:
        raise Broken(f"{case.module}: the server saw nothing")
    ours, floor = [], []
    case.login()
    for _round in range(ROUNDS):
        floor.append(_timed(case.login))
        ours.append(_timed(again))
    return Result(case, asked, wrote, ours, floor)


def measure(instance: Instance) -> Section:
    """The instance must be up."""
    results = []
    with tempfile.TemporaryDirectory(prefix="langfuse-no-op-") as home:
        for number, make in enumerate((_postgresql, _redis, _clickhouse, _s3, _keycloak)):
            place = Path(home) / str(number)
            place.mkdir(mode=0o755)
            with contextlib.closing(make(place)) as cases:
                results += [_measure(case) for case in cases]
    with contextlib.closing(_llm_connection(instance)) as cases:
        results += [_measure(case) for case in cases]
    lines = [
        [
            f"`{one.case.module}`",
            one.case.engine,
            str(len(one.asked)),
            str(len(one.wrote)),
            seconds(one.ours),
            seconds(one.floor),
            f"{one.ratio:.1f} ×",
        ]
        for one in results
    ]
    return Section(
        "Modules with nothing to do",
        [
            count_row(
                "modules with nothing to do: writes that their servers saw", [len(one.wrote) for one in results], 0
            )
        ],
        [
            f"Each module a second time on its engine, {ROUNDS} runs, in turns with one login of the bare client library and the "
            "least that it can ask. Both are in one process, so neither pays for Python's start. What was asked is counted by "
            "the server itself (the statement log of PostgreSQL, the command statistics of Valkey) or by a proxy in front of it; "
            "logins are among it, and trials of a known-bad password.",
            table(("module", "engine", "requests", "writes", "seconds", "one login", "ratio"), lines),
        ],
    )
