# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stores behind TLS at names of `extra_hosts`: authorities of one's own count beside those of the host.

The host's authorities are a file of the test (`SSL_CERT_FILE`), so that a server can have a "public" certificate.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.integration import certificates
from tests.integration.modules import conftest
from tests.integration.modules.postgresql_server import SUPERUSER, Server

Result = dict[str, Any]
pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore:Unverified HTTPS")]
KEYS = {"s3_access_key": "modulesdev", "s3_secret_key": "canary-s3-secret-1"}
BUCKET = "walk"
# Names that no resolver knows; the certificates are for them.
POSTGRES, FILES, CLICKHOUSE = "postgres.test", "files.test", "clickhouse.test"
HOSTS = {POSTGRES: "127.0.0.1", FILES: "127.0.0.1", CLICKHOUSE: "127.0.0.1"}


class Stores(NamedTuple):
    postgres: Server
    files: str
    authorities: Path
    strange: Path


@pytest.fixture(scope="module")
def stores(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """Each with an authority of its own; `authorities` has both, `strange` is a third one."""
    folder, strange = tmp_path_factory.mktemp("files"), tmp_path_factory.mktemp("strange")
    certificates.write(folder, FILES)
    certificates.write(strange, "strange.test")
    environment = ("-e", f"AWS_ACCESS_KEY_ID={KEYS['s3_access_key']}")
    environment += ("-e", f"AWS_SECRET_ACCESS_KEY={KEYS['s3_secret_key']}", "-v", f"{folder}:/tls:ro")
    command = ("mini", "-dir=/data", "-ip.bind=0.0.0.0", "-master.telemetry=false", "-s3.port=8333")
    command = (*command, "-s3.cert.file=/tls/server.pem", "-s3.key.file=/tls/server.key")
    image = conftest.image("chrislusf/seaweedfs")
    address = conftest.start("s3-tls", image, *command, port=8333, options=environment)
    postgres = Server(17, tmp_path_factory.mktemp("postgres"))
    authorities = strange / "both.pem"
    authorities.write_text(Path(postgres.ca).read_text() + (folder / "ca.pem").read_text())
    keys = {name[3:]: value for name, value in KEYS.items()}
    made = run("s3_bucket", endpoint_url=f"https://{address}", validate_certs=False, buckets=[BUCKET], **keys)
    assert made.get("changed"), made
    yield Stores(postgres, f"https://{FILES}:{address.rpartition(':')[2]}", authorities, strange / "ca.pem")
    postgres.remove()
    conftest.stop("s3-tls")


def _postgres(stores: Stores) -> Result:
    return {
        "postgres": {
            "host": POSTGRES,
            "port": stores.postgres.port,
            "sslmode": "verify-full",
            "database": "postgres",
            "user": SUPERUSER["login_user"],
        },
        "postgres_password": SUPERUSER["login_password"],
    }


@pytest.mark.parametrize(
    ("public", "given", "database", "files"),
    [
        ("authorities", "strange", "ok", "ok"),
        ("strange", "authorities", "ok", "ok"),
        ("strange", "strange", "failed", "failed"),
        # botocore brings public authorities of its own.
        ("authorities", None, "ok", "failed"),
    ],
)
def test_the_walk(
    run: Any,
    stores: Stores,
    monkeypatch: pytest.MonkeyPatch,
    public: str,
    given: str | None,
    database: str,
    files: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(getattr(stores, public)))
    result = run(
        "langfuse_health",
        url="http://127.0.0.1:1",
        public_key="pk-lf-x",
        secret_key="sk-lf-x",
        **_postgres(stores),
        s3={"endpoint": stores.files, "buckets": {"events": BUCKET}},
        **KEYS,
        ca_path=str(getattr(stores, given)) if given else None,
        extra_hosts=HOSTS,
        fail=False,
        hop_timeout=30,
    )
    hops = {hop["name"]: hop for hop in result["hops"]}
    assert (hops["database"]["status"], hops["s3_write"]["status"]) == (database, files), result["table"]
    assert database == "ok" or "certificate verify failed" in hops["database"]["detail"]
    assert files == "ok" or hops["s3_write"]["detail"].endswith("tls"), hops["s3_write"]


@pytest.mark.parametrize(("public", "given"), [("authorities", "strange"), ("strange", "authorities")])
def test_stores_that_are_joined(
    run: Any, stores: Stores, monkeypatch: pytest.MonkeyPatch, public: str, given: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(getattr(stores, public)))
    postgres = _postgres(stores)
    result = run(
        "existing_stores",
        check=True,
        postgres={
            **postgres["postgres"],
            "database": "joined",
            "user": "joined",
            "admin_user": SUPERUSER["login_user"],
        },
        postgres_password="canary-joined-1",
        postgres_admin_password=postgres["postgres_password"],
        s3={"endpoint": stores.files, "buckets": [BUCKET]},
        **KEYS,
        ca_certificates=getattr(stores, given).read_text(),
        extra_hosts=HOSTS,
    )
    assert set(result.get("stores", ())) == {"postgres", "s3"}, result


@pytest.mark.parametrize(
    ("public", "given", "code"),
    [
        ("authorities", "strange", "clickhouse_down"),
        ("strange", "authorities", "clickhouse_down"),
        ("strange", "strange", "database_unreachable"),
    ],
)
def test_the_schema(
    run: Any, stores: Stores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, public: str, given: str, code: str
) -> None:
    """PostgreSQL is read first, and where that was possible ClickHouse is missed."""
    monkeypatch.setenv("SSL_CERT_FILE", str(getattr(stores, public)))
    postgres = _postgres(stores)
    here = {"source": "existing", "host": CLICKHOUSE, "port": 1, "user": "x", "database": "x"}
    options = {
        "project": "nobody",
        "directory": str(tmp_path),
        "services": [],
        "image": "none",
        "timeout": 0,
        "postgres": {**postgres["postgres"], "source": "existing"},
        "postgres_password": postgres["postgres_password"],
        "clickhouse": {**here, "tls": True},
        "clickhouse_password": "canary-none-1",
        "ca_path": str(getattr(stores, given)),
        "extra_hosts": HOSTS,
    }
    result = run("compose_stores", **options)
    assert result["code"] == code, result
    assert code == "clickhouse_down" or "certificate verify failed" in result["msg"]
    # A check goes on, and says what it could not look at.
    checked = run("compose_stores", check=True, **options)
    told = [warning["event"]["msg"] for warning in checked["warnings"]]
    assert told == [f"Not looked at: {text}" for text in checked["unchecked"]] != []
