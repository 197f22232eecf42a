# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance takes from a stack that is there already: addresses, networks, and the values of its `.env`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .endpoints import WEB, WORKER
from .hosts import split
from .plan import Placement
from .problems import Problem
from .sources import EXISTING, SERVICES, is_bundled

Stack = Mapping[str, Any]

# Name in a `.env` → variable, whatever the stores.
_DOTENV = {
    "LANGFUSE_NEXTAUTH_SECRET": "langfuse_nextauth_secret",
    "LANGFUSE_SALT": "langfuse_salt",
    "LANGFUSE_ENCRYPTION_KEY": "langfuse_encryption_key",
    "LANGFUSE_INIT_USER_EMAIL": "langfuse_init_user_email",
    "LANGFUSE_INIT_USER_NAME": "langfuse_init_user_name",
    "LANGFUSE_INIT_ORG_ID": "langfuse_init_org_id",
    "LANGFUSE_INIT_ORG_NAME": "langfuse_init_org_name",
    "LANGFUSE_INIT_PROJECT_ID": "langfuse_init_project_id",
    "LANGFUSE_INIT_PROJECT_NAME": "langfuse_init_project_name",
}


class _Login(NamedTuple):
    """Name and secret that only work together: each as (name in a `.env`, variable). `default` is the usual name."""

    user: tuple[str, str]
    secret: tuple[str, str]
    default: str = ""


_FIRST_USER = _Login(
    ("LANGFUSE_INIT_USER_EMAIL", "langfuse_init_user_email"),
    ("LANGFUSE_INIT_USER_PASSWORD", "langfuse_init_user_password"),
)
_PROJECT_KEYS = _Login(
    ("LANGFUSE_INIT_PROJECT_PUBLIC_KEY", "langfuse_init_project_public_key"),
    ("LANGFUSE_INIT_PROJECT_SECRET_KEY", "langfuse_init_project_secret_key"),
)
# Where the instance brings the store.
_BUNDLED: Mapping[str, _Login] = {
    "clickhouse": _Login(
        ("CLICKHOUSE_USER", "langfuse_clickhouse_user"), ("CLICKHOUSE_PASSWORD", "langfuse_clickhouse_password")
    ),
    "s3": _Login(("MINIO_ROOT_USER", "langfuse_s3_access_key"), ("MINIO_ROOT_PASSWORD", "langfuse_s3_secret_key")),
}
# Where it joins one: the administrator, with the line that says where the application has the store.
_EXISTING: Mapping[str, tuple[_Login, str]] = {
    store: (_Login((user, f"langfuse_{store}_admin_{name}"), (secret, f"langfuse_{store}_admin_{key}"), default), where)
    for store, user, name, secret, key, default, where in (
        ("postgres", "DB_USERNAME", "user", "DB_PASSWORD", "password", "", "DB_HOST"),
        ("redis", "REDIS_USERNAME", "user", "REDIS_PASSWORD", "password", "default", "REDIS_HOST"),
        ("clickhouse", "CLICKHOUSE_USER", "user", "CLICKHOUSE_PASSWORD", "password", "", "CLICKHOUSE_HOST"),
        ("s3", "MINIO_ROOT_USER", "access_key", "MINIO_ROOT_PASSWORD", "secret_key", "", "AWS_ENDPOINT"),
    )
}
# Store → the variable that says where it is.
_WHERE: Mapping[str, str] = {
    "postgres": "langfuse_postgres_host",
    "redis": "langfuse_redis_host",
    "clickhouse": "langfuse_clickhouse_host",
    "s3": "langfuse_s3_endpoint",
}
# How frameworks write that there is none.
_NOTHING = ("", "null")
# What an application outside of the containers calls the host that publishes the store's port.
_THIS_HOST = ("", "localhost", "127.0.0.1", "::1", "host.docker.internal")


def from_dotenv(placement: Placement, given: Mapping[str, Any]) -> tuple[dict[str, tuple[str, str]], list[Problem]]:
    """Variable → (value, name in the file), for what the file has and the user did not set; and what cannot be read."""
    lines = {name: value for name, value in placement.dotenv.items() if value not in _NOTHING}
    names = {name: variable for name, variable in _DOTENV.items() if variable not in given}
    defaults: dict[str, tuple[str, str]] = {}
    for login in _logins(lines, given, placement.stack):
        if login == _FIRST_USER:
            # The address alone is of use, and a password given beside it is its own.
            fits = given.get(login.user[1]) in (None, lines.get(login.user[0]))
            names |= {login.secret[0]: login.secret[1]} if fits and login.secret[1] not in given else {}
            continue
        if login.secret[0] not in {**lines, **placement.unclear} or login.secret[1] in given:
            continue
        user = lines.get(login.user[0], login.default)
        if given.get(login.user[1]) not in (None, user):
            continue
        names[login.secret[0]] = login.secret[1]
        if login.user[1] not in given:
            names[login.user[0]] = login.user[1]
            if login.default and login.user[0] not in {**lines, **placement.unclear}:
                defaults[login.user[1]] = (login.default, login.secret[0])
    problems = [
        Problem(
            "langfuse_dotenv",
            f"sets {name} in line {line} by a reference to what the file does not set before it",
            "Write the value itself, in single quotes where a dollar is part of it",
        )
        for name, line in placement.unclear.items()
        if name in names
    ]
    return defaults | {variable: (lines[name], name) for name, variable in names.items() if name in lines}, problems


def _logins(lines: Mapping[str, str], given: Mapping[str, Any], stack: Stack) -> Iterator[_Login]:
    """Those of the file that the instance can use. An administrator is one of the stack's own store and of no other."""
    yield from (_FIRST_USER, _PROJECT_KEYS)
    for store, (login, where) in _EXISTING.items():
        if given.get(f"langfuse_{store}_source") != EXISTING:
            if store in _BUNDLED:
                yield _BUNDLED[store]
        elif not _made_by_somebody_else(store, given) and _is_the_stacks(store, lines.get(where, ""), given, stack):
            yield login


def _made_by_somebody_else(store: str, given: Mapping[str, Any]) -> bool:
    """Who gives the password of a Redis user and no administrator wants no user made."""
    return (
        store == "redis" and not given.get("langfuse_redis_admin_user") and bool(given.get("langfuse_redis_password"))
    )


def _is_the_stacks(store: str, written: str, given: Mapping[str, Any], stack: Stack) -> bool:
    """Whether the store to join is the one that the file is about. `written` is where the file says it is."""
    seen = {**stack.get("kept", {}), **stack.get("stores", {})}
    found = seen.get(store) if _wanted(given, store) else None
    host = _host(given.get(_WHERE[store]))
    written = _host(written)
    if host and host == written:
        return True
    names = {found["host"], *found.get("names", ())} if found else set()
    if host and host not in names:
        return host in stack.get("names", ()) and written in _THIS_HOST
    return bool(found) and (written in _THIS_HOST or written in names)


def _host(address: Any) -> str:
    """Of an address with or without its scheme and port."""
    text = str(address or "")
    return (split(text if "//" in text else f"//{text}").hostname or "") if text else ""


# Where a store of the stack listens that nobody has seen yet.
_PORTS: Mapping[str, int] = {"postgres": 5432, "redis": 6379, "clickhouse": 8123, "s3": 9000}


class Joined(NamedTuple):
    """`values` with what the stack has, what is `used` of it, what stands in the way, and what is only worth knowing."""

    values: dict[str, Any]
    used: dict[str, Any]
    problems: list[Problem]
    warnings: list[str]


def joined(values: Mapping[str, Any], placement: Placement) -> Joined:
    stack, merged = placement.stack, dict(values)
    missing = [Problem(**one) for one in placement.missing]
    if not stack:
        return Joined(merged, {}, *((missing, []) if not placement.may_miss else ([], list(map(str, missing)))))
    problems = [] if placement.may_miss else [*missing, *_unclear(values, stack), *_name_clashes(values, stack)]
    stores: dict[str, Any] = {}
    for store, where in _WHERE.items():
        if is_bundled(values, store) or values[where] or not _wanted(values, store):
            continue
        found = stack["stores"].get(store)
        if found is None and placement.may_miss:
            found = stack.get("kept", {}).get(store)
        if found is None and (missing or placement.may_miss or store in stack["ambiguous"]):
            found = _placeholder(values, stack, store)
        if found is None:
            continue
        merged[where] = f"http://{found['host']}:{found['port']}" if store == "s3" else found["host"]
        # Its other names change when the stack is made anew.
        stores[store] = {key: value for key, value in found.items() if key != "names"}
    # Senders of the stack reach the instance, though it uses none of its stores.
    networks = [found["network"] for found in stores.values()] if stores else stack["networks"]
    merged["langfuse_compose_networks"] = list(
        dict.fromkeys([*values["langfuse_compose_networks"], *filter(None, networks)])
    )
    used = {"project": stack["project"], "networks": stack["networks"] if not stores else [], "stores": stores}
    return Joined(merged, used, problems, list(map(str, missing)) if placement.may_miss else [])


def _placeholder(values: Mapping[str, Any], stack: Stack, store: str) -> dict[str, Any]:
    """A store that nobody knows now: its problem is told, and others are not made of it."""
    name = values[f"langfuse_shared_{store}_service"] or stack["project"]
    return {"service": name, "host": name, "port": _PORTS[store], "network": None}


def _wanted(values: Mapping[str, Any], store: str) -> bool:
    """Whether the stack's own one is meant: an object store without an address is AWS, unless it is named."""
    if store == "s3":
        return bool(values.get("langfuse_shared_s3_service"))
    return store != "redis" or values.get("langfuse_redis_mode", "single") == "single"


def _unclear(values: Mapping[str, Any], stack: Stack) -> Iterator[Problem]:
    for store, services in stack["ambiguous"].items():
        if not is_bundled(values, store) and not values[_WHERE[store]] and _wanted(values, store):
            yield Problem(
                f"langfuse_shared_{store}_service",
                f"is missing, and {stack['project']} has more than one: {', '.join(services)}",
                "Name one of them",
            )


def _name_clashes(values: Mapping[str, Any], stack: Stack) -> Iterator[Problem]:
    """Two containers of one name on two networks of web: which one answers is chance."""
    own = [service for store, service in SERVICES.items() if is_bundled(values, store)]
    for name in (*own, WEB, WORKER):
        if name in stack["names"]:
            yield Problem(
                "langfuse_shared_project",
                f"names a stack that has a service {name} of its own",
                f"Rename it there, or use it: langfuse_*_source: existing{'' if name in own else ' is not for this one'}",
            )
