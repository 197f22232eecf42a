# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a row of the table of causes is made of: a name, the evidence, the hops that failed, and the causes that are named."""

from __future__ import annotations

from typing import Any

Cases = list[tuple[str, dict[str, Any], tuple[str, ...], list[str]]]

REDIS = {
    "error": None,
    "where": "valkey:6379",
    "user": "default",
    "policy": "noeviction",
    "schedules": ["x"],
    "stuck": [],
}


def container(role: str, *log: str, age: float = 5.0, **changes: Any) -> dict[str, Any]:
    return {
        "name": f"lf-{role}-1",
        "service": f"langfuse-{role}",
        "role": role,
        "oneoff": False,
        "state": "running",
        "exit_code": 0,
        "restarts": 0,
        "oom_killed": False,
        "health": "healthy",
        "health_log": [],
        "env_names": ["HOSTNAME"],
        "env": {"HOSTNAME": "0.0.0.0"},
        "log": [{"age": age, "text": text} for text in log],
        **changes,
    }
