# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Causes in PostgreSQL and Redis, and full disks anywhere."""

from __future__ import annotations

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.rules.base import WARNING, Evidence, Found, Rule, line

# Hops that break when a store does. Old log lines about a store mean something only then.
PROOFS = ("port", "web", "database", "key", "worker", "trace", "media")
STORE_FULL = ("XMinioStorageFull", "507", "InsufficientStorage")


def stack_down(e: Evidence) -> Found | None:
    record = e.of("stack")
    down = record.get("down")
    if not down or not e.failed(*PROOFS, "queue", "s3_write"):
        return None
    return {"project": record.get("project"), "down": ", ".join(down), "seen": "docker ps"}


def disk_full(e: Evidence) -> Found | None:
    for subject in ("postgres", "redis"):
        if e.of(subject).get("error") == "disk":
            return {"where": subject, "seen": e.of(subject).get("text")}
    if e.of("clickhouse").get("code") == 243:
        return {"where": "ClickHouse", "seen": e.of("clickhouse").get("text")}
    for disk in e.of("clickhouse").get("disks") or []:
        if disk["free"] < 0.02 * disk["total"]:
            return {
                "where": f"ClickHouse's disk {disk['name']}",
                "seen": f"{disk['free']} of {disk['total']} bytes free",
            }
    for row in e.rows("s3"):
        told = str(row.get("text"))
        if row.get("store_code") in STORE_FULL or any(text in told for text in ("No space left", "no free volumes")):
            return {"where": "the object store", "seen": told}
    if e.failed(*PROOFS, "s3_write", "clickhouse", "queue"):
        pattern = r"No space left on device|ENOSPC|NOT_ENOUGH_SPACE|Disk quota exceeded"
        return line(e.log(pattern, age=180.0), where="a container's volume")
    return None


def database_unreachable(e: Evidence) -> Found | None:
    record = e.of("postgres")
    if record.get("error") in ("unreachable", "full"):
        return {"where": record.get("where"), "seen": record.get("text")}
    if record.get("version"):
        return None
    if e.of("web_database").get("status") == 503:
        return {"where": "DATABASE_URL of web", "seen": e.of("web_database").get("text")}
    if e.failed("port", "web", "database", "worker"):
        return line(e.log(r"P1001|Can't reach database server", "web", "worker"), where="DATABASE_URL")
    return None


def database_password(e: Evidence) -> Found | None:
    record = e.of("postgres")
    if record.get("error") == "password":
        return {"user": record.get("user"), "seen": record.get("text")}
    if e.failed("port", "web", "database", "worker"):
        pattern = r"P1000|password authentication failed for user \"(?P<user>[^\"]+)\""
        return line(e.log(pattern, "web", "worker"))
    return None


def database_missing(e: Evidence) -> Found | None:
    record = e.of("postgres")
    if record.get("error") == "missing":
        return {"database": record.get("database"), "seen": record.get("text")}
    if e.failed("port", "web", "database", "worker"):
        return line(e.log(r"P1003|database \"(?P<database>[^\"]+)\" does not exist", "web", "worker"))
    return None


def dirty_schema_postgres(e: Evidence) -> Found | None:
    unfinished = e.of("postgres").get("unfinished") or []
    if unfinished:
        return {"migration": unfinished[0], "seen": f"_prisma_migrations: {', '.join(unfinished)}"}
    if e.failed("port", "web"):
        return line(e.log(r"P3009.*|The `(?P<migration>\w+)` migration started at", age=86400.0))
    return None


def background_failed(e: Evidence) -> Found | None:
    failed = e.of("postgres").get("background_failed") or []
    return {"migration": failed[0], "seen": ", ".join(failed)} if failed else None


def redis_down(e: Evidence) -> Found | None:
    record = e.of("redis")
    if record.get("error") in ("unreachable", "loading"):
        return {"where": record.get("where"), "seen": record.get("text")}
    if record.get("where"):
        return None
    for subject in ("key", "trace", "media"):
        fact = e.of(subject)
        if fact.get("kind") == http_client.TIMEOUT or fact.get("code") == "request_hangs":
            return {"where": "REDIS_HOST of web", "seen": "an authenticated request hung while health answered"}
    return None


def redis_password(e: Evidence) -> Found | None:
    record = e.of("redis")
    if record.get("error") == "password":
        return {"user": record.get("user"), "seen": record.get("text")}
    return line(e.log(r"WRONGPASS|NOAUTH", "web", "worker")) if e.failed(*PROOFS) else None


def redis_acl(e: Evidence) -> Found | None:
    record = e.of("redis")
    if record.get("error") == "acl":
        return {"user": record.get("user"), "seen": record.get("text")}
    return line(e.log(r"NOPERM", "web", "worker"), user="of the application")


def redis_emptied(e: Evidence) -> Found | None:
    if e.of("redis").get("schedules") == [] and e.ok("worker"):
        return {"seen": "no repeat key of any scheduled queue"}
    return None


def redis_evicting(e: Evidence) -> Found | None:
    record = e.of("redis")
    policy = record.get("policy")
    if policy and policy != "noeviction":
        return {"policy": policy, "seen": f"evicted_keys is {record.get('evicted')}"}
    return None if policy else line(e.log(r"Eviction policy is (?P<policy>[\w-]+)", "web", "worker"))


RULES = (
    Rule(
        "stack_down",
        "database",
        stack_down,
        "The Compose project {project} is down, and this instance uses its stores: not running are {down}.",
        "Start it from its own folder, as it was started before. The instance finds it again by itself.",
    ),
    Rule(
        "disk_full",
        "trace",
        disk_full,
        "The disk of {where} is full.",
        "Free space or grow the volume. Check ClickHouse's system.*_log tables (trace_log, text_log, metric_log have "
        "no TTL) and the lifecycle rule of the event bucket.",
    ),
    Rule(
        "database_password",
        "database",
        database_password,
        "PostgreSQL refuses the password of user {user}.",
        "Run site: it sets the password of a bundled PostgreSQL, and that of a role for which "
        "langfuse_postgres_admin_user is given. Otherwise correct langfuse_postgres_password, or the password in "
        "PostgreSQL.",
    ),
    Rule(
        "database_missing",
        "database",
        database_missing,
        "PostgreSQL has no database {database}.",
        "Give it its name back where it was renamed, or was restored under another one. Otherwise correct "
        "langfuse_postgres_database, or run site, which makes an empty one where langfuse_postgres_admin_user is "
        "given.",
    ),
    Rule(
        "database_unreachable",
        "database",
        database_unreachable,
        "PostgreSQL does not answer at {where} (database connection failed).",
        "Start it (site starts a bundled one), or correct langfuse_postgres_host and langfuse_postgres_port and run "
        "site. A web that did not come up meanwhile is started again within langfuse_stuck_seconds.",
    ),
    Rule(
        "dirty_schema_postgres",
        "database",
        dirty_schema_postgres,
        "Migration {migration} failed half-way; table _prisma_migrations holds it unfinished and every start refuses.",
        "Look what it did, then run in the web image: prisma migrate resolve --rolled-back {migration} "
        "--schema=./packages/shared/prisma/schema.prisma, and run site, which migrates again.",
    ),
    Rule(
        "background_migration_failed",
        "database",
        background_failed,
        "Background migration {migration} failed and is not tried again.",
        "Read failed_reason in table background_migrations, mend it, set failed_at to NULL and restart the worker.",
        WARNING,
    ),
    Rule(
        "redis_password",
        "queue",
        redis_password,
        "Redis refuses the password of user {user}.",
        "Run site: it sets the password of a user for which langfuse_redis_admin_user is given. Otherwise correct "
        "langfuse_redis_password and langfuse_redis_username. A bundled one has the right password after its next "
        "start.",
    ),
    Rule(
        "redis_down",
        "queue",
        redis_down,
        "Redis does not answer at {where}. While it is away every authenticated request hangs, though web's health is 200.",
        "Start it (site starts a bundled one), or correct langfuse_redis_host and langfuse_redis_port and run site. "
        "Web and worker recover some 14 s after it is back.",
    ),
    Rule(
        "redis_acl",
        "queue",
        redis_acl,
        "Redis user {user} may not use the application's keys or commands (NOPERM).",
        "Run site: it gives the user what it needs where langfuse_redis_admin_user is given. Otherwise give it the "
        "keys ~PREFIX* (langfuse_redis_key_prefix, which ends with a colon) and '+@all -@admin -@dangerous +info'.",
        WARNING,
        ("queue", "trace", "worker"),
    ),
    Rule(
        "redis_emptied",
        "queue",
        redis_emptied,
        "Redis was emptied: the schedules are gone, and they are registered only when web and worker start.",
        "Restart web and the worker with `docker restart`: site leaves what runs alone. A shared Redis needs a volume "
        "and appendonly yes.",
        WARNING,
    ),
    Rule(
        "redis_evicting",
        "queue",
        redis_evicting,
        "Redis may evict jobs: maxmemory-policy is {policy}.",
        "Set maxmemory-policy noeviction in the configuration of Redis (the bundled one has it), and enough maxmemory.",
        WARNING,
    ),
)
