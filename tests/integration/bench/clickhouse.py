"""A client for the tests: one call, one request."""

from __future__ import annotations

from dataclasses import dataclass, field

import requests

from tests.integration.bench.containers import Bench, Container, wait_for

USER = "clickhouse"
PASSWORD = "p&<\"'w"
OPTIONS = ("--user=101:101",)
ENVIRONMENT = (
    *("-e", f"CLICKHOUSE_USER={USER}", "-e", f"CLICKHOUSE_PASSWORD={PASSWORD}", "-e", "CLICKHOUSE_DB=langfuse"),
    *("-e", "CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT=1"),
)


class Refused(Exception):
    """An answer with an exception code."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__(answer.text)
        self.status = answer.status_code
        self.code = int(answer.headers.get("X-ClickHouse-Exception-Code", 0))


@dataclass
class Client:
    container: Container
    user: str = USER
    password: str = PASSWORD
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://{self.container.ip}:8123/"

    def send(self, sql: str, data: bytes | None = None, **parameters: str) -> requests.Response:
        query = {**self.parameters, **parameters}
        if data is not None:
            query["query"] = sql
        headers = {"X-ClickHouse-User": self.user, "X-ClickHouse-Key": self.password}
        body = sql.encode() if data is None else data
        answer = requests.post(self.address, params=query, data=body, headers=headers, timeout=30)
        if answer.status_code != 200:
            raise Refused(answer)
        return answer

    def __call__(self, sql: str, data: bytes | None = None, **parameters: str) -> str:
        return self.send(sql, data, **parameters).text.strip()


def start(bench: Bench, *options: str, environment: tuple[str, ...] = ENVIRONMENT) -> Client:
    container = bench.run("clickhouse", *OPTIONS, *environment, *options)
    ready(container)
    return Client(container)


def ready(container: Container) -> None:
    wait_for(lambda: requests.get(f"http://{container.ip}:8123/ping", timeout=5).raise_for_status())
