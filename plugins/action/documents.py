# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serialises documents on the controller and hands them to the module of the same name."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.documents.document import from_data
from ..plugin_utils.settings.contract import native


class ActionModule(ActionBase):  # type: ignore[misc]
    """One task, one connection, however many documents."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        try:
            documents = [from_data(data) for data in native(arguments.pop("documents"))]
            contents = {document.path: document.content() for document in documents}
        except Exception as error:
            # The message of the cause may hold a secret, so only its type is told.
            raise AnsibleActionFail(
                f"documents are not of the form that the filters return: {type(error).__name__}"
            ) from None
        arguments["files"] = [
            {"path": document.path, "mode": document.mode, "sensitive": document.sensitive, "form": document.form}
            for document in documents
        ]
        arguments["contents"] = contents
        result.update(
            self._execute_module(module_name="llmops.langfuse.documents", module_args=arguments, task_vars=task_vars)
        )
        result.pop("invocation", None)
        return result
