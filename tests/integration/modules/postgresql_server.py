# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PostgreSQL servers of several versions in containers, each with TLS, rules for odd users, and a log of every statement.

17 is the bench's image. Older ones are made from the same sources on an older Debian's own package, once.
"""

from __future__ import annotations

import re
import subprocess
import uuid
from pathlib import Path
from typing import Any

import psycopg

from tests.integration import certificates
from tests.integration.modules import older
from tests.integration.modules.conftest import docker, image, wait_for_port
from tests.waiting import wait

DEBIANS = {13: "bullseye", 15: "bookworm"}
SUPERUSER = {"login_user": "postgres", "login_password": "canary-superuser-1"}
ADMIN = {"login_user": "admin", "login_password": "canary-admin-1"}
READS = ("SELECT", "BEGIN", "COMMIT", "ROLLBACK", "SET")
# `trusted` needs no password, `barred` has no rule that lets it in, `encrypted` must use TLS.
SETUP = """
cp /docker-entrypoint-initdb.d/server.pem /docker-entrypoint-initdb.d/server.key "$PGDATA"
chmod 600 "$PGDATA/server.key"
cat > "$PGDATA/pg_hba.conf" <<EOF
local     all all       trust
host      all trusted   all trust
host      all barred    all reject
hostssl   all encrypted all scram-sha-256
hostnossl all encrypted all reject
host      all all       all scram-sha-256
EOF
cat >> "$PGDATA/postgresql.conf" <<EOF
ssl = on
ssl_cert_file = 'server.pem'
log_statement = all
log_line_prefix = ''
fsync = off
EOF
"""
FEW_CONNECTIONS = """echo 'max_connections = 40' >> "$PGDATA/postgresql.conf"\n"""
# A standby may not have less of anything than its primary, which here is what it was itself.
STANDBY = """touch "$PGDATA/standby.signal"\n"""


def _reference(major: int) -> str:
    """The image of a version."""
    return older.postgres(major, DEBIANS[major]) if major in DEBIANS else image("library/postgres")


class Server:
    """A container with a name of its own, so that two runs on one engine do not meet.

    `directory` takes its certificate, which is of `localhost` and `postgres.test`.
    """

    def __init__(self, major: int, directory: Path, standby: bool = False) -> None:
        self.major = major
        self.name = f"it-pg-{major}-{uuid.uuid4().hex[:8]}"
        self.ca = str(directory / "ca.pem")
        certificates.write(directory, "localhost", "postgres.test")
        setup = SETUP + (STANDBY if standby else FEW_CONNECTIONS)
        # Before 14 passwords were stored as MD5; the rule md5 takes both.
        (directory / "setup.sh").write_text(setup.replace("scram-sha-256", "md5") if major < 14 else setup)
        reference = _reference(major)
        docker(
            "run",
            "-d",
            "--name",
            self.name,
            "-p",
            "127.0.0.1::5432",
            "-e",
            f"POSTGRES_PASSWORD={SUPERUSER['login_password']}",
            "-e",
            "POSTGRES_INITDB_ARGS=--no-sync --encoding=UTF8",
            "--tmpfs=/var/lib/postgresql/data",
            "-v",
            f"{directory}:/docker-entrypoint-initdb.d:ro",
            reference,
        )
        try:
            self._prepare(standby)
        except BaseException:
            self.remove()
            raise

    def _prepare(self, standby: bool) -> None:
        address = docker("port", self.name, "5432").splitlines()[0]
        self.port = int(address.rsplit(":", 1)[1])
        wait_for_port(address)
        wait(lambda: self.answers("postgres", SUPERUSER["login_password"]))
        if not standby:
            self.sql(f"CREATE ROLE admin LOGIN CREATEROLE CREATEDB PASSWORD '{ADMIN['login_password']}'")

    @property
    def where(self) -> dict[str, Any]:
        return {"login_host": "localhost", "login_port": self.port, "wait": 0}

    def connect(self, user: str, password: str, database: str = "postgres") -> Any:
        return psycopg.connect(
            host="localhost", port=self.port, user=user, password=password, dbname=database, autocommit=True
        )

    def answers(self, user: str, password: str, database: str = "postgres") -> bool:
        try:
            self.connect(user, password, database).close()
        except psycopg.OperationalError:
            return False
        return True

    def sql(self, *statements: str, database: str = "postgres", **login: str) -> list[Any]:
        """Rows of the last statement, as the superuser or as `user` with `password`."""
        user, password = login.get("user", "postgres"), login.get("password", SUPERUSER["login_password"])
        with self.connect(user, password, database) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def log(self) -> str:
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    def mark(self) -> str:
        """A place in the log: all that was logged before it has arrived."""
        mark = f"mark {uuid.uuid4()}"
        self.sql(f"SELECT '{mark}'")
        wait(lambda: mark in self.log())
        return mark

    def writes_since(self, mark: str) -> list[str]:
        """First words of all statements after this place that are not reads. As the server saw them."""
        found = self.statements_since(mark)
        assert found, "the server logged nothing"
        return [words for words in found if words.split()[0] not in READS]

    def statements_since(self, mark: str) -> list[str]:
        """First words of all statements after this place."""
        return re.findall(r"LOG:  (?:statement|execute [^:]*):\s*(\w+(?: \w+)?)", self.log_since(mark))

    def log_since(self, mark: str) -> str:
        end = self.mark()
        # The last line is the mark's own.
        return self.log().partition(mark)[2].partition(end)[0].rpartition("\n")[0]

    def remove(self) -> None:
        docker("rm", "-f", "-v", self.name, check=False)
