# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serialises objects of a cluster on the controller and hands them to the module of the same name."""

from __future__ import annotations

import json
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.settings.contract import native


class ActionModule(ActionBase):  # type: ignore[misc]
    """One task, one connection, however many objects."""

    MODULE = "llmops.langfuse.kubernetes_apply"
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        # One text, so that the module hides it as a whole and no name that is also in a Secret.
        arguments["objects"] = json.dumps(_objects(arguments.get("objects")))
        result.update(self._execute_module(module_name=self.MODULE, module_args=arguments, task_vars=task_vars))
        result.pop("invocation", None)
        return result


def _objects(given: Any) -> list[dict[str, Any]]:
    """What the filter returned. The message of a cause may hold a secret, so none is repeated."""
    try:
        found: list[dict[str, Any]] = native(given)
        if all(one["object"]["metadata"]["name"] and isinstance(one["wave"], int) for one in found):
            return found
    except Exception:  # noqa: S110
        pass
    raise AnsibleActionFail("objects are not of the form that llmops.langfuse.kubernetes_objects returns") from None
