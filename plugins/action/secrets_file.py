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
from ..plugin_utils.settings.contract import contract, native, validate
from ..plugin_utils.sops import Cipher

# Option → the variable that it comes from, whose contract says what it may be: the message of this task is hidden.
_VARIABLES = {
    "format": "langfuse_secrets_format",
    "recipients": "langfuse_age_recipients",
    "identity_file": "langfuse_age_identity_file",
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller, whatever the host."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            argument_spec={
                "path": {"type": "path", "required": True},
                "format": {"type": "raw"},
                "recipients": {"type": "raw"},
                "identity_file": {"type": "raw"},
                "instance": {"type": "str", "required": True},
                "values": {"type": "dict", "no_log": True},
                "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            }
        )
        arguments = native(arguments)  # tagged strings cannot be written as YAML
        reads = arguments["values"] is None and arguments["state"] == "present"
        spec = {name: contract()[name] for name in _VARIABLES.values()}
        settings, problems = validate(spec, {name: arguments[option] for option, name in _VARIABLES.items()})
        if problems:
            return self._refused(result, reads, [str(problem) for problem in problems])
        form, recipients, identity_file = (settings[name] for name in _VARIABLES.values())
        context = VaultSecretsContext.current(optional=True)
        passwords = context.secrets if context else []
        store = SecretsStore(
            arguments["path"], form, VaultLib(secrets=passwords), passwords, Cipher(recipients, identity_file)
        )
        instance, dry = arguments["instance"], self._task.check_mode
        try:
            if arguments["state"] == "absent":
                result["changed"] = store.forget(instance, dry=dry)
            elif arguments["values"] is None:
                stored = store.read(instance)
                result.update(
                    changed=False, problems=store.unwritable(), stored=stored, candidates=kinds.candidates(stored)
                )
            else:
                result["changed"] = store.add(instance, arguments["values"], dry=dry)
        except Refused as refused:
            return self._refused(result, reads, [str(refused)])
        return result

    def _refused(self, result: dict[str, Any], reads: bool, problems: list[str]) -> dict[str, Any]:
        """Who only reads reports it together with all other problems."""
        if reads:
            return {
                **result,
                "changed": False,
                "problems": problems,
                "stored": {},
                "candidates": kinds.candidates({}),
            }
        return {**result, "failed": True, "msg": "\n".join(problems)}
