# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance takes from a stack that is there already: addresses, networks, and the values of its `.env`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .endpoints import WEB, WORKER
from .plan import Placement
from .problems import Problem
from .sources import SERVICES, is_bundled

Stack = Mapping[str, Any]

# Name in a `.env` → variable, whatever the stores.
_DOTENV = {
    "LANGFUSE_NEXTAUTH_SECRET": "langfuse_nextauth_secret",
    "LANGFUSE_SALT": "langfuse_salt",
    "LANGFUSE_ENCRYPTION_KEY": "langfuse_encryption_key",
    "LANGFUSE_INIT_USER_EMAIL": "langfuse_init_user_email",
    "LANGFUSE_INIT_USER_PASSWORD": "langfuse_init_user_password",
    "LANGFUSE_INIT_USER_NAME": "langfuse_init_user_name",
    "LANGFUSE_INIT_ORG_ID": "langfuse_init_org_id",
    "LANGFUSE_INIT_ORG_NAME": "langfuse_init_org_name",
    "LANGFUSE_INIT_PROJECT_ID": "langfuse_init_project_id",
    "LANGFUSE_INIT_PROJECT_NAME": "langfuse_init_project_name",
    "LANGFUSE_INIT_PROJECT_PUBLIC_KEY": "langfuse_init_project_public_key",
    "LANGFUSE_INIT_PROJECT_SECRET_KEY": "langfuse_init_project_secret_key",
}
# Store → name in a `.env` → variable where the instance brings the store, and where it joins one.
_DOTENV_STORES: Mapping[str, Mapping[str, tuple[str | None, str | None]]] = {
    "postgres": {
        "DB_USERNAME": (None, "langfuse_postgres_admin_user"),
        "DB_PASSWORD": (None, "langfuse_postgres_admin_password"),
    },
    "redis": {"REDIS_PASSWORD": (None, "langfuse_redis_admin_password")},
    "clickhouse": {
        "CLICKHOUSE_USER": ("langfuse_clickhouse_user", "langfuse_clickhouse_admin_user"),
        "CLICKHOUSE_PASSWORD": ("langfuse_clickhouse_password", "langfuse_clickhouse_admin_password"),
    },
    "s3": {
        "MINIO_ROOT_USER": ("langfuse_s3_access_key", "langfuse_s3_admin_access_key"),
        "MINIO_ROOT_PASSWORD": ("langfuse_s3_secret_key", "langfuse_s3_admin_secret_key"),
    },
}
# Store → the variable that says where it is.
_WHERE: Mapping[str, str] = {
    "postgres": "langfuse_postgres_host",
    "redis": "langfuse_redis_host",
    "s3": "langfuse_s3_endpoint",
}
# How frameworks write that there is none.
_NOTHING = ("", "null")


def from_dotenv(dotenv: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Variable → (value, name in the file), for what the file has and the user did not set."""
    names = dict(_DOTENV)
    for store, variables in _DOTENV_STORES.items():
        existing = given.get(f"langfuse_{store}_source") == "existing"
        names |= {name: variable for name, pair in variables.items() if (variable := pair[existing])}
    return {
        variable: (dotenv[name], name)
        for name, variable in names.items()
        if variable not in given and dotenv.get(name, "") not in _NOTHING
    }


# Where a store of the stack listens that nobody has seen yet.
_PORTS: Mapping[str, int] = {"postgres": 5432, "redis": 6379, "s3": 9000}


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
        stores[store] = found
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
        return bool(values["langfuse_shared_s3_service"])
    return store != "redis" or values["langfuse_redis_mode"] == "single"


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
