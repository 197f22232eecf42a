"""Engines for modules that have nothing to do: each with the module's options, a bare login, and who saw what it was asked."""

from __future__ import annotations

import contextlib
import re
import urllib.request
import uuid
from collections.abc import Callable, Generator, Iterator
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
from tests.benchmarks.instance import Instance
from tests.integration.modules import clickhouse_server, conftest, keycloak
from tests.integration.modules.front import Front
from tests.integration.modules.postgresql_server import READS, SUPERUSER
from tests.integration.modules.postgresql_server import Server as Postgresql
from tests.integration.modules.redis_servers import ADMIN as REDIS_ADMIN
from tests.integration.modules.redis_servers import Engine, folder
from tests.integration.modules.redis_servers import Server as Redis
from tests.waiting import wait

SECRET = "canary-no-op-password-1"
PROXY = "a proxy"
Options = dict[str, Any]
# The module again, with these options in the place of its own.
Again = Callable[..., None]
# What the server was asked, and what of it was a write.
Seen = tuple[list[str], list[str]]


@dataclass(frozen=True)
class Case:
    """A module on an engine. `seen` runs it again and says what `witness` saw; times are taken without a proxy."""

    module: str
    engine: str
    options: Options
    witness: str
    seen: Callable[[Again], Seen]
    login: Callable[[], None]


Cases = Generator[Case, None, None]


def postgresql(place: Path) -> Cases:
    server = Postgresql(17, place)
    options = {**server.where, **SUPERUSER, "database": "langfuse", "role": "langfuse", "password": SECRET}

    def seen(again: Again) -> Seen:
        mark = server.mark()
        again()
        asked = server.statements_since(mark)
        return asked, [words for words in asked if words.split()[0] not in READS]

    def login() -> None:
        with psycopg.connect(
            host="localhost", port=server.port, user="postgres", password=SUPERUSER["login_password"]
        ) as connection:
            connection.execute("SELECT 1")

    try:
        yield Case("postgresql_database", "PostgreSQL 17", options, "its statement log", seen, login)
    finally:
        server.remove()


def valkey(place: Path) -> Cases:
    users = folder(place / "redis", users_acl=f"user default on >{REDIS_ADMIN} ~* &* +@all\n")
    flags = ("--aclfile", "/data/users.acl", "--appendonly", "yes", "--maxmemory-policy", "noeviction")
    server = Redis(Engine("valkey"), *flags, mounts=(f"{users}:/data",))

    def seen(again: Again) -> Seen:
        # What looking costs itself is taken off.
        first, before = server.calls(), server.calls()
        again()
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
        server.client()
        yield Case("redis_acl_user", "Valkey 8.1", server.options, "its command statistics", seen, login)
    finally:
        server.remove()


@contextlib.contextmanager
def _front(address: str) -> Iterator[Front]:
    front = Front(address)
    try:
        yield front
    finally:
        front.shutdown()
        front.server_close()


def _passed(front: Front, again: Again, option: str) -> list[tuple[str, str]]:
    """What passed the proxy when the module had it for its server: method and path, and body."""
    front.clear()
    again(**{option: front.url})
    return list(zip(front.asked, front.seen, strict=True))


def clickhouse(place: Path) -> Cases:
    try:
        address = clickhouse_server.start("no-op-clickhouse", place)
        with _front(address) as front:

            def seen(again: Again) -> Seen:
                asked = [body or line for line, body in _passed(front, again, "login_url")]
                return asked, clickhouse_server.writing(asked)

            def login() -> None:
                clickhouse_server.statement(address, "SELECT 1")

            options = {
                "login_url": f"http://{address}",
                "login_user": clickhouse_server.ADMIN,
                "login_password": clickhouse_server.ADMIN_PASSWORD,
                "database": "langfuse",
                "user": "langfuse",
                "password": SECRET,
            }
            yield Case("clickhouse_database", "ClickHouse 26", options, PROXY, seen, login)
    finally:
        conftest.stop("no-op-clickhouse")


def seaweedfs(_place: Path) -> Cases:
    keys = {"access_key": "noopkey", "secret_key": SECRET}
    given = ("-e", f"AWS_ACCESS_KEY_ID={keys['access_key']}", "-e", f"AWS_SECRET_ACCESS_KEY={keys['secret_key']}")
    command = ("mini", "-dir=/data", "-ip.bind=0.0.0.0", "-master.telemetry=false", "-s3.iam.readOnly=false")
    image = conftest.image("chrislusf/seaweedfs")
    buckets = ["langfuse-events", "langfuse-media", "langfuse-exports"]
    own = [
        {"name": "langfuse-events", "lifecycle": [{"expire_days": 90}]},
        {"name": "langfuse-media", "cors_origins": ["https://langfuse.example.com"]},
    ]
    user = {"name": "langfuse", "user_access_key": "appkey", "user_secret_key": "canary-no-op-key-1"}
    try:
        address = conftest.start("no-op-s3", image, *command, "-s3.port=8333", port=8333, options=given)
        where = {"endpoint_url": f"http://{address}", **keys, "buckets": buckets}
        with _front(address) as front:

            def seen(again: Again) -> Seen:
                # IAM is asked by POST, with the action in the body.
                asked = [
                    body.partition("Action=")[2].partition("&")[0] or line
                    for line, body in _passed(front, again, "endpoint_url")
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

            yield Case("s3_bucket", "SeaweedFS 4", {**where, "settings": own}, PROXY, seen, login)
            yield Case("s3_user", "SeaweedFS 4", {**where, **user}, PROXY, seen, login)
    finally:
        conftest.stop("no-op-s3")


# Method, then path and query, as the access log has a request's first line.
_REQUEST = re.compile(r'"([A-Z]+ \S+) HTTP/')
_LOGIN = "/realms/master/protocol/openid-connect/token"


def requests_between(log: str, begin: str, end: str) -> list[str]:
    """Those of an access log after the request that has the word `begin` in it, and before that with `end`. Pure."""
    # Of the lines of the two only parts are left, which are no requests.
    return _REQUEST.findall(log.partition(begin)[2].partition(end)[0])


def keycloak_server(_place: Path) -> Cases:
    options = (*keycloak.OPTIONS, "--publish=127.0.0.1::9000")
    image = extras.ensure(find_paths(), "keycloak")
    name = f"{conftest.PREFIX}-no-op-keycloak"
    try:
        address = conftest.start(
            "no-op-keycloak", image, *keycloak.COMMAND, "--http-access-log-enabled=true", port=8080, options=options
        )
        management = conftest.docker("port", name, "9000").splitlines()[0]
        keycloak.wait_until_ready(
            f"http://{management}", lambda: conftest.docker("inspect", "-f", "{{.State.Status}}", name)
        )
        server = keycloak.Server(f"http://{address}")
        server.realm("no-op")

        def mark() -> str:
            """A place in the log: a request with a word of its own, and all before it."""
            word = uuid.uuid4().hex
            with urllib.request.urlopen(f"{server.url}/realms/master?{word}", timeout=30) as answer:
                answer.read()
            wait(lambda: word in conftest.docker("logs", name), 20)
            return word

        def seen(again: Again) -> Seen:
            begin = mark()
            again()
            end = mark()
            asked = requests_between(conftest.docker("logs", name), begin, end)
            return asked, [line for line in asked if not line.startswith("GET ") and line != f"POST {_LOGIN}"]

        def login() -> None:
            form = {"grant_type": "password", "client_id": "admin-cli", "username": keycloak.ADMIN}
            body = urlencode({**form, "password": keycloak.ADMIN_PASSWORD}).encode()
            with urllib.request.urlopen(urllib.request.Request(server.url + _LOGIN, body), timeout=30) as answer:
                answer.read()

        given = server.login(realm="no-op", public_url="https://langfuse.example.com", secret=SECRET)
        yield Case("keycloak_client", "Keycloak 26", given, "its access log", seen, login)
    finally:
        conftest.stop("no-op-keycloak")


def web(instance: Instance) -> Cases:
    """Langfuse's own API; the instance must be up."""
    kept = instance.secrets()
    keys = {name: kept[f"langfuse_init_project_{name}"] for name in ("public_key", "secret_key")}
    options = {"url": instance.url, **keys, "provider": "no-op", "adapter": "openai", "llm_secret_key": SECRET}
    with _front(instance.url.removeprefix("http://")) as front:

        def seen(again: Again) -> Seen:
            asked = [line for line, _body in _passed(front, again, "url")]
            return asked, [line for line in asked if not line.startswith(("GET ", "HEAD "))]

        def login() -> None:
            request = urllib.request.Request(f"{instance.url}/api/public/projects")
            request.add_header("Authorization", http_client.basic(keys["public_key"], keys["secret_key"]))
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()

        yield Case("langfuse_llm_connection", "web (see below)", options, PROXY, seen, login)


ENGINES = (postgresql, valkey, clickhouse, seaweedfs, keycloak_server)
