# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""community.docker.docker_compose_v2 with a result that people can read."""

from __future__ import annotations

import re
from typing import Any

from ansible.plugins.action import ActionBase

_MODULE = "community.docker.docker_compose_v2"
# Container lists, images and the whole error output: pages that hide the one sentence that matters.
_KEEP = ("changed", "failed", "msg", "actions", "warnings", "skipped", "exception")


def shorten(result: dict[str, Any]) -> dict[str, Any]:
    """The result without its lists of containers and images; on failure one sentence that says which container."""
    short = {name: value for name, value in result.items() if name in _KEEP}
    if result.get("failed"):
        short["msg"] = re.sub(r"^General error: ", "Docker Compose: ", str(result.get("msg", "no message")))
        short.pop("actions", None)
    return short


def told(actions: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Compose's actions as a diff: a line for each container, network or volume that something happens to."""
    lines = [f"{one.get('what', 'object')} {one.get('id', '')}: {one.get('status', '')}\n" for one in actions]
    return [{"prepared": "".join(lines)}] if lines else []


class ActionModule(ActionBase):  # type: ignore[misc]
    """Takes the options of docker_compose_v2 and passes them on."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if self._task.check_mode:
            # Nothing starts, so there is nothing to wait for; Compose would wait for what is unhealthy now.
            arguments["wait"] = False
        result.update(shorten(self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=task_vars)))
        if self._task.diff and result.get("changed"):
            result["diff"] = told(result.get("actions", []))
        return result
