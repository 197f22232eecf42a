# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of existing_stores that several files use."""

from __future__ import annotations

from typing import Any

import redis

from tests.integration.modules.redis_servers import ADMIN as REDIS_ADMIN
from tests.integration.modules.redis_servers import Server

Result = dict[str, Any]
OWN = "canary-of-the-instance-1"


def options_of_redis(server: Server, **changes: Any) -> Result:
    return {
        "redis": {
            "host": server.host,
            "username": "langfuse",
            "prefix": "langfuse:",
            "admin_user": "default",
            **changes,
        },
        "redis_password": OWN,
        "redis_admin_password": REDIS_ADMIN,
    }


def without_administrator(only: Result) -> Result:
    """PostgreSQL as the instance's own role looks at it."""
    return {"postgres": {**only["postgres"], "admin_user": None}, "postgres_password": OWN}


def users_of(given: Result) -> list[str]:
    client = redis.Redis(given["redis"]["host"], username="default", password=REDIS_ADMIN, decode_responses=True)
    return list(client.acl_users())
