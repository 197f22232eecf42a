# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads and writes the secrets of an instance in a file on the controller."""

from __future__ import annotations

from typing import Any

from ansible.parsing.vault import VaultLib, VaultSecretsContext
from ansible.plugins.action import ActionBase

from ..plugin_utils.secrets_store import Refused, SecretsStore
from ..plugin_utils.settings import secrets as kinds
from ..plugin_utils.settings.contract import native


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller, whatever the host."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            argument_spec={
                "path": {"type": "path", "required": True},
                "format": {"type": "str", "choices": ["vault", "plain"], "default": "vault"},
                "instance": {"type": "str", "required": True},
                "values": {"type": "dict", "no_log": True},
                "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            }
        )
        arguments = native(arguments)  # tagged strings cannot be written as YAML
        context = VaultSecretsContext.current(optional=True)
        passwords = context.secrets if context else []
        store = SecretsStore(arguments["path"], arguments["format"], VaultLib(secrets=passwords), passwords)
        instance = arguments["instance"]
        try:
            if arguments["state"] == "absent":
                result["changed"] = store.forget(instance, dry=self._task.check_mode)
            elif arguments["values"] is None:
                stored = store.read(instance)
                result.update(
                    changed=False, problems=store.unwritable(), stored=stored, candidates=kinds.candidates(stored)
                )
            else:
                result["changed"] = store.add(instance, arguments["values"], dry=self._task.check_mode)
        except Refused as refused:
            if arguments["values"] is None and arguments["state"] == "present":
                # The caller reports it together with all other problems.
                return {
                    **result,
                    "changed": False,
                    "problems": [str(refused)],
                    "stored": {},
                    "candidates": kinds.candidates({}),
                }
            return {**result, "failed": True, "msg": str(refused)}
        return result
