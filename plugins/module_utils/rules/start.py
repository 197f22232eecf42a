# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Causes at the start of web and worker: their environment, their processes, the way to them."""

from __future__ import annotations

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client
from ansible_collections.llmops.langfuse.plugins.module_utils.rules.base import WARNING, Evidence, Found, Rule, line

DAY = 86400.0
# What must be equal on web and worker. Endpoints of object stores may differ: web presigns with the public one.
EQUAL = (
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_KEY_PREFIX",
    "CLICKHOUSE_URL",
    "CLICKHOUSE_DB",
    "CLICKHOUSE_CLUSTER_ENABLED",
    "LANGFUSE_S3_EVENT_UPLOAD_BUCKET",
    "LANGFUSE_S3_EVENT_UPLOAD_PREFIX",
    "LANGFUSE_S3_MEDIA_UPLOAD_BUCKET",
    "LANGFUSE_MIGRATION_V4_WRITE_MODE",
)
# Web: t3-env's report. Worker and the shared schema: a ZodError, of which `path` and `message` stand on lines of their own.
WEB_VARIABLE = r"Invalid environment variables:? \{?\s*'?(?P<variable>[A-Z][A-Z0-9_]+)"
ZOD_VARIABLE = r"\"(?P<variable>[A-Z][A-Z0-9]*_[A-Z0-9_]+)\""
ENTRY_POINT = r"(?P<reason>Required database environment variables are not set|(?P<variable>CLICKHOUSE_\w+) is not (?:configured|set))"
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104
TOO_SHORT = r"Password needs to be at least 8 characters long"


def stuck(e: Evidence) -> bool:
    """Web answers 500 in plain text on every path: its start failed, and it stays like this for ever."""
    web = e.of("web")
    return web.get("status") == 500 and not web.get("json")


def variable(e: Evidence, role: str) -> str:
    """The environment variable that a process complains about, "" when its log names none."""
    for pattern in (WEB_VARIABLE, ENTRY_POINT):
        found = e.log(pattern, role, age=DAY)
        if found is not None and found.groupdict().get("variable"):
            return str(found["variable"])
    if e.log(r"ZodError|Invalid environment|invalid_type|invalid_(?:value|format|enum_value)", role, age=DAY) is None:
        return ""
    found = e.log(ZOD_VARIABLE, role, age=DAY) or e.log(
        r"^\s*'?(?P<variable>[A-Z][A-Z0-9]*_[A-Z0-9_]+)'?: \[", role, age=DAY
    )
    return str(found["variable"]) if found is not None else ""


def init_failed(e: Evidence) -> Found | None:
    return line(e.log(TOO_SHORT, "web", age=DAY)) if stuck(e) else None


def web_stuck_500(e: Evidence) -> Found | None:
    if not stuck(e) or init_failed(e) is not None:
        return None
    name = variable(e, "web")
    what = f"{name} is invalid" if name else "its start failed (environment, headless init, or PostgreSQL away)"
    places = "langfuse_extra_env, langfuse_web_extra_env and langfuse_compose_overrides"
    cure = f"Take {name} out of {places}, or correct it there" if name else "Mend the first error of its log"
    found = line(e.log(r"Invalid environment variables|Error:.*", "web", age=DAY)) or {}
    return {"what": what, "mend": cure, "seen": found.get("seen", e.of("web").get("text"))}


def out_of_memory(e: Evidence) -> Found | None:
    for role in ("web", "worker"):
        if any(item["oom_killed"] for item in e.containers(role)):
            return {"role": role, "seen": "OOMKilled"}
        found = e.log(r"JavaScript heap out of memory", role)
        if found is not None and e.failed("port", "web", "worker", "trace"):
            return line(found, role=role)
    return None


def hostname_unset(e: Evidence) -> Found | None:
    """Without HOSTNAME both listen on the container's own address only; loopback inside of it is refused."""
    for item in (*e.containers("web"), *e.containers("worker")):
        if item["state"] == "running" and item["env_names"] and item["env"].get("HOSTNAME") not in ANY_ADDRESS:
            if "HOSTNAME" in item["env_names"] and not item["env"].get("HOSTNAME"):
                continue
            return {"service": item["service"], "seen": " ".join(item["health_log"][-1:])}
    return None


def web_down(e: Evidence) -> Found | None:
    if not (e.of("port").get("kind") or e.of("web").get("kind") or e.of("web").get("status") in (502, 503, 504)):
        return None
    if e.of("port").get("kind") == http_client.TLS or e.of("web").get("kind") == http_client.TLS:
        return None
    for item in e.containers("web"):
        if item["state"] != "running" or item["restarts"]:
            said = variable(e, "web") or _reason(e, "web")
            detail = f"container {item['name']} is {item['state']}, exit code {item['exit_code']}"
            seen = f"{item['restarts']} restarts; {said}" if said else f"{item['restarts']} restarts"
            return {"where": e.of("port").get("where"), "state": detail, "seen": seen}
    return {
        "where": e.of("port").get("where"),
        "state": e.of("port").get("text") or e.of("web").get("text"),
        "seen": "",
    }


def worker_invalid_env(e: Evidence) -> Found | None:
    broken = [item for item in e.containers("worker") if item["state"] != "running" or item["restarts"]]
    if not broken and not e.failed("worker", "trace"):
        return None
    name = variable(e, "worker")
    if not name or not broken:
        return None
    return {"variable": name, "seen": f"exit code {broken[0]['exit_code']}, {broken[0]['restarts']} restarts"}


def worker_down(e: Evidence) -> Found | None:
    record = e.of("worker")
    stopped = [item for item in e.containers("worker") if item["state"] != "running"]
    if record.get("kind"):
        return {"state": stopped[0]["state"] if stopped else record.get("text"), "seen": record.get("where")}
    if stopped and not any(item["state"] == "running" for item in e.containers("worker")):
        code = stopped[0]["exit_code"]
        return {"state": f"{stopped[0]['state']}, exit code {code}", "seen": stopped[0]["name"]}
    lost = e.of("trace").get("code") == "not_readable"
    if not record and lost and e.rows("containers") and not list(e.containers("worker")):
        return {"state": "there is no such container", "seen": ""}
    return None


def worker_unhealthy(e: Evidence) -> Found | None:
    """Worth a line of its own only where neither store was seen to be at fault."""
    record = e.of("worker")
    if record.get("status") != 500 or e.failed("database", "queue") or e.of("key").get("kind") == http_client.TIMEOUT:
        return None
    return {"seen": record.get("text")}


def settings_differ(e: Evidence) -> Found | None:
    """The first of the settings that must be equal and is not. Containers that run only."""
    running = [item for role in ("web", "worker") for item in e.containers(role) if item["state"] == "running"]
    for name in EQUAL:
        values = {item["service"]: item["env"].get(name, "") for item in running}
        if len(set(values.values())) > 1:
            shown = ", ".join(f"{value or 'nothing'} on {service}" for service, value in values.items())
            return {"variable": name, "values": shown, "seen": ""}
    return None


def worker_not_consuming(e: Evidence) -> Found | None:
    record, redis = e.of("worker"), e.of("redis")
    if record.get("status") == 503:
        return {"seen": record.get("text")}
    if redis.get("stuck"):
        return {"seen": f"jobs wait in {', '.join(redis['stuck'])}"}
    waiting = redis.get("waiting_after_trace")
    if waiting:
        return {"seen": f"{waiting} jobs wait in otel-ingestion-queue after the trace"}
    return None


def name_unresolved(e: Evidence) -> Found | None:
    record = e.of("name")
    return {"host": record.get("host"), "seen": record["error"]} if record.get("error") else None


def tls_failed(e: Evidence) -> Found | None:
    for subject in ("port", "web", "media"):
        if e.of(subject).get("kind") == http_client.TLS:
            return {"where": e.of(subject).get("where"), "seen": e.of(subject).get("text")}
    return None


def _reason(e: Evidence, role: str) -> str:
    found = e.log(ENTRY_POINT, role, age=DAY) or e.log(r"[Ee]rror: .*|migrations failed.*", role, age=DAY)
    return found.group(0)[:160] if found is not None else ""


RULES = (
    Rule(
        "name_unresolved",
        "name",
        name_unresolved,
        "The name {host} does not resolve where this runs.",
        "Create its DNS record, or correct langfuse_public_url.",
    ),
    Rule(
        "tls_failed",
        "web",
        tls_failed,
        "TLS with {where} fails.",
        "Name its authority in langfuse_ca_certificates, or renew the certificate.",
    ),
    Rule(
        "out_of_memory",
        "web",
        out_of_memory,
        "The {role} runs out of memory.",
        "Raise langfuse_{role}_memory (web needs at least 1536 MiB, the worker 768) and run site.",
    ),
    Rule(
        "init_failed",
        "web",
        init_failed,
        "The headless init failed: LANGFUSE_INIT_USER_PASSWORD is shorter than 8 characters. Web answers 500 on every path.",
        "Set a langfuse_init_user_password of 8 characters or more and run site.",
    ),
    Rule(
        "web_stuck_500",
        "web",
        web_stuck_500,
        "Web answers 500 on every path and will for ever: {what}.",
        "{mend}, and run site: web does not get out of this by itself.",
    ),
    Rule(
        "web_down",
        "port",
        web_down,
        "Langfuse web does not answer at {where}: {state}.",
        "Run site: it writes its environment anew and starts it. Where it ends again, mend the first error of its log.",
    ),
    Rule(
        "worker_invalid_env",
        "worker",
        worker_invalid_env,
        "The worker refuses its environment and ends: {variable} is invalid.",
        "Take {variable} out of langfuse_extra_env, langfuse_worker_extra_env and langfuse_compose_overrides, or "
        "correct it there (switches take exactly true or false), and run site.",
    ),
    Rule(
        "worker_down",
        "worker",
        worker_down,
        "The worker does not run ({state}): traces are accepted and wait in Redis.",
        "Run site, which starts it. Nothing is lost as long as Redis and the event bucket keep their data.",
        unless=("worker_invalid_env",),
    ),
    Rule(
        "worker_unhealthy",
        "worker",
        worker_unhealthy,
        "The worker cannot reach PostgreSQL or Redis.",
        "Run site: it gives the worker the same addresses and passwords as web. Where that changes nothing, the "
        "worker has no way to them: compare its networks with those of web.",
    ),
    Rule(
        "settings_differ",
        "worker",
        settings_differ,
        "Web and worker have different values of {variable}: {values}.",
        "Take {variable} out of langfuse_web_extra_env, langfuse_worker_extra_env and langfuse_compose_overrides, and "
        "run site, which gives both the same.",
        WARNING,
        ("trace", "worker", "queue"),
    ),
    Rule(
        "worker_not_consuming",
        "worker",
        worker_not_consuming,
        "The worker runs but takes no jobs.",
        "Restart it with `docker restart`. If that does not help, run site: it gives web and worker the same "
        "REDIS_HOST, REDIS_KEY_PREFIX and REDIS_CLUSTER_ENABLED.",
        unless=("worker_invalid_env", "worker_down", "settings_differ"),
    ),
    Rule(
        "hostname_unset",
        "port",
        hostname_unset,
        "HOSTNAME of {service} is not 0.0.0.0: it listens on the container's own address only, probes on 127.0.0.1 fail.",
        "Run site, which sets HOSTNAME=0.0.0.0 for web and worker; langfuse_compose_overrides must not set it "
        "otherwise.",
        WARNING,
        ("port", "web", "worker"),
    ),
)
