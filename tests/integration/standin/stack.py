"""Real engines and the stand-in's pair in containers of their own, hardened as the collection runs them."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from tests.waiting import wait

WEB = "bench.localhost/langfuse/langfuse:4.16.0-stand-in"
WORKER = "bench.localhost/langfuse/langfuse-worker:4.16.0-stand-in"
STORES = (
    "bench.localhost/library/postgres",
    "bench.localhost/valkey/valkey",
    "bench.localhost/clickhouse/clickhouse-server",
    "bench.localhost/chrislusf/seaweedfs",
)
PUBLIC_KEY = "pk-lf-11111111-1111-4111-8111-111111111111"
SECRET_KEY = "sk-lf-22222222-2222-4222-8222-222222222222"
RAW_DATETIME = (
    "<clickhouse><profiles><default><input_format_read_datetime_number_as_raw_value>1"
    "</input_format_read_datetime_number_as_raw_value></default></profiles></clickhouse>"
)
HARDENED = [
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--user",
    "1001:1001",
    "--tmpfs",
    "/tmp:size=16m,mode=1777",
]


def docker(*args: str, check: bool = True, stdin: str | None = None) -> str:
    done = subprocess.run(["docker", *args], capture_output=True, text=True, input=stdin, timeout=300, check=False)
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(args[:3])}: {done.stderr.strip()}")
    return done.stdout.strip()


def image(repository: str) -> str | None:
    """The newest local tag of a bench image."""
    tags = docker("images", repository, "--format", "{{.Repository}}:{{.Tag}}", check=False).splitlines()
    return tags[0] if tags else None


def missing_images() -> list[str]:
    wanted = (*STORES, WEB, WORKER)
    return [name for name in wanted if not image(name)]


@dataclass
class Stack:
    """One network with its stores, web and worker; `environment` is what both are given."""

    name: str = field(default_factory=lambda: f"standin-dev-{uuid.uuid4().hex[:6]}")
    overrides: Mapping[str, str] = field(default_factory=dict)
    raw_datetime: bool = True
    options: tuple[str, ...] = ()
    started: list[str] = field(default_factory=list)

    def container(self, role: str) -> str:
        return f"{self.name}-{role}"

    def address(self, role: str) -> str:
        template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return docker("inspect", "-f", template, self.container(role))

    def url(self, role: str) -> str:
        port = {"web": 3000, "worker": 3030, "s3": 8333, "clickhouse": 8123}[role.split("-")[0]]
        return f"http://{self.address(role)}:{port}"

    @property
    def environment(self) -> dict[str, str]:
        s3 = {
            "BUCKET": "langfuse",
            "REGION": "us-east-1",
            "ACCESS_KEY_ID": "s3key",
            "SECRET_ACCESS_KEY": "s3secret",
            "ENDPOINT": self.url("s3"),
            "FORCE_PATH_STYLE": "true",
        }
        values = {
            "DATABASE_URL": "postgresql://langfuse:pgsecret@postgres:5432/langfuse",
            "CLICKHOUSE_URL": "http://clickhouse:8123",
            "CLICKHOUSE_MIGRATION_URL": "clickhouse://clickhouse:9000",
            "CLICKHOUSE_USER": "langfuse",
            "CLICKHOUSE_PASSWORD": "chsecret",
            "CLICKHOUSE_DB": "langfuse",
            "CLICKHOUSE_CLUSTER_ENABLED": "false",
            "REDIS_HOST": "redis",
            "REDIS_AUTH": "redissecret",
            "SALT": "salt",
            "ENCRYPTION_KEY": "0" * 64,
            "NEXTAUTH_SECRET": "secret",
            "NEXTAUTH_URL": "http://127.0.0.1:3300",
            "ADMIN_API_KEY": "adminkey-1234567890",
            "TELEMETRY_ENABLED": "false",
            "HOSTNAME": "0.0.0.0",
            "STANDIN_DRAIN_SECONDS": "1",
            "LANGFUSE_INIT_ORG_ID": "org1",
            "LANGFUSE_INIT_ORG_NAME": "Org",
            "LANGFUSE_INIT_PROJECT_ID": "proj1",
            "LANGFUSE_INIT_PROJECT_NAME": "Proj",
            "LANGFUSE_INIT_PROJECT_PUBLIC_KEY": PUBLIC_KEY,
            "LANGFUSE_INIT_PROJECT_SECRET_KEY": SECRET_KEY,
            "LANGFUSE_INIT_USER_EMAIL": "admin@example.com",
            "LANGFUSE_INIT_USER_NAME": "Admin",
            "LANGFUSE_INIT_USER_PASSWORD": "adminpassword",
            "LANGFUSE_S3_EVENT_UPLOAD_PREFIX": "events/",
            "LANGFUSE_S3_MEDIA_UPLOAD_PREFIX": "media/",
        }
        for group in ("EVENT_UPLOAD", "MEDIA_UPLOAD"):
            values |= {f"LANGFUSE_S3_{group}_{k}": v for k, v in s3.items()}
        return {**values, **self.overrides}

    def run(
        self, role: str, reference: str, *args: str, env: Mapping[str, str] | None = None, options: Iterable[str] = ()
    ) -> str:
        container = self.container(role)
        flags = [f"--env={k}={v}" for k, v in (env or {}).items()]
        docker(
            "run",
            "-d",
            "--name",
            container,
            "--network",
            self.name,
            "--network-alias",
            role,
            *flags,
            *options,
            reference,
            *args,
        )
        self.started.append(container)
        return container

    def stores(self) -> None:
        docker("network", "create", self.name)
        refs = {name: image(name) or "" for name in STORES}
        self.run("postgres", refs[STORES[0]], env=_postgres())
        self.run("redis", refs[STORES[1]], "valkey-server", "--requirepass", "redissecret")
        self.clickhouse(refs[STORES[2]])
        seaweed = {"AWS_ACCESS_KEY_ID": "s3key", "AWS_SECRET_ACCESS_KEY": "s3secret", "S3_BUCKET": "langfuse"}
        self.run("s3", refs[STORES[3]], "mini", "-dir=/data", env=seaweed)
        # By TCP: the server of the initialisation answers on the socket and then ends.
        postgres = self.container("postgres")
        wait(lambda: "accepting" in docker("exec", postgres, "pg_isready", "-h", "127.0.0.1", check=False))
        wait(lambda: fetch("GET", f"{self.url('clickhouse')}/ping")[0] == 200)
        wait(lambda: fetch("GET", f"{self.url('s3')}/")[0] in (200, 403))

    def clickhouse(self, reference: str) -> None:
        env = {
            "CLICKHOUSE_USER": "langfuse",
            "CLICKHOUSE_PASSWORD": "chsecret",
            "CLICKHOUSE_DB": "langfuse",
            "CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT": "1",
        }
        container = self.container("clickhouse")
        flags = [f"--env={k}={v}" for k, v in env.items()]
        docker(
            "create", "--name", container, "--network", self.name, "--network-alias", "clickhouse", *flags, reference
        )
        self.started.append(container)
        if self.raw_datetime:
            data, text = io.BytesIO(), RAW_DATETIME.encode()
            with tarfile.open(fileobj=data, mode="w") as tar:
                info = tarfile.TarInfo("zz-raw.xml")
                info.size = len(text)
                info.mode = 0o644
                tar.addfile(info, io.BytesIO(text))
            subprocess.run(
                ["docker", "cp", "-", f"{container}:/etc/clickhouse-server/users.d/"], input=data.getvalue(), check=True
            )
        docker("start", container)

    def migrate(self, **overrides: str) -> tuple[int, str]:
        """web's entry point with the command `true`: (exit status, output)."""
        flags = [f"--env={k}={v}" for k, v in self._with(overrides).items()]
        done = subprocess.run(
            ["docker", "run", "--rm", "--network", self.name, *flags, *HARDENED, WEB, "true"],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def web(self, role: str = "web", **overrides: str) -> None:
        self.run(role, WEB, env=self._with(overrides), options=[*HARDENED, *self.options])

    def worker(self, role: str = "worker", **overrides: str) -> None:
        self.run(role, WORKER, env=self._with(overrides), options=[*HARDENED, *self.options])

    def _with(self, overrides: Mapping[str, str]) -> dict[str, str]:
        """An override of `-` takes the variable away."""
        return {k: v for k, v in {**self.environment, **overrides}.items() if v != "-"}

    def up(self) -> None:
        self.stores()
        status, output = self.migrate()
        if status:
            # The runner repeats the first line of an error only.
            raise RuntimeError(f"the migration ended with {status}: {' / '.join(output.splitlines()[-5:])}")
        self.web()
        wait(lambda: fetch("GET", f"{self.url('web')}/api/public/health")[0] == 200)
        self.worker()
        wait(lambda: fetch("GET", f"{self.url('worker')}/api/health")[0] == 200)

    def logs(self, role: str) -> str:
        done = subprocess.run(["docker", "logs", self.container(role)], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def status(self, role: str) -> tuple[str, int]:
        """(`running` or `exited`, exit code)."""
        state, code = docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", self.container(role)).split()
        return state, int(code)

    def remove(self, role: str) -> None:
        docker("rm", "-f", "-v", self.container(role), check=False)

    def sql(self, query: str) -> str:
        return docker("exec", self.container("postgres"), "psql", "-U", "langfuse", "-d", "langfuse", "-Atc", query)

    def clickhouse_sql(self, query: str) -> str:
        headers = {"X-ClickHouse-User": "langfuse", "X-ClickHouse-Key": "chsecret"}
        status, _, body = fetch("POST", f"{self.url('clickhouse')}/?database=langfuse", query.encode(), headers)
        if status != 200:
            raise RuntimeError(body.decode())
        return body.decode().strip()

    def redis(self, *args: str) -> str:
        return docker("exec", self.container("redis"), "valkey-cli", "--no-auth-warning", "-a", "redissecret", *args)

    def down(self) -> None:
        for container in self.started:
            docker("rm", "-f", "-v", container, check=False)
        docker("network", "rm", self.name, check=False)


def _postgres() -> dict[str, str]:
    return {"POSTGRES_USER": "langfuse", "POSTGRES_PASSWORD": "pgsecret", "POSTGRES_DB": "langfuse"}


def fetch(
    method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, timeout: float = 20
) -> tuple[int, dict[str, str], bytes]:
    """(status, lower-case headers, body); status 0 when there was no answer."""
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, _joined(answer.headers), answer.read()
    except urllib.error.HTTPError as exc:
        return exc.code, _joined(exc.headers), exc.read()
    except OSError:
        return 0, {}, b""


def _joined(headers: Message) -> dict[str, str]:
    """Lower-case names; repeated headers are joined as HTTP allows."""
    return {k.lower(): ", ".join(headers.get_all(k, [])) for k in headers}


def fetch_json(
    method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None, timeout: float = 20
) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    status, _, content = fetch(method, url, data, {"Content-Type": "application/json", **(headers or {})}, timeout)
    try:
        return status, json.loads(content)
    except ValueError:
        return status, content.decode()
