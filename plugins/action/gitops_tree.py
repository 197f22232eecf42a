# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the tree of an instance into a Git checkout on the controller."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils.documents.document import Document, from_data
from ..plugin_utils.documents.kubernetes.secrets import unguessable
from ..plugin_utils.gitops.git import Checkout, GitFailed
from ..plugin_utils.gitops.parent import naming
from ..plugin_utils.gitops.tree import Tree
from ..plugin_utils.settings.contract import native
from ..plugin_utils.settings.secrets import fingerprint_key
from ..plugin_utils.sops import Cipher, SopsFailed


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller, whatever the host."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(  # type: ignore[no-untyped-call]
            argument_spec={
                "documents": {"type": "raw", "no_log": True},
                "directory": {"type": "path", "required": True},
                "path": {"type": "str", "required": True},
                "instance": {"type": "str", "required": True},
                "secrets": {"type": "dict", "required": True, "no_log": True},
                "recipients": {"type": "list", "elements": "str", "default": []},
                "identity_file": {"type": "path"},
                "new_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
                "moved_stores": {"type": "list", "elements": "str", "default": []},
                "existing_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
                "overwrite": {"type": "list", "elements": "str", "default": []},
                "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            },
            required_if=[("state", "present", ["documents"])],
        )
        arguments = native(arguments)
        checkout = Checkout(arguments["directory"])
        tree = Tree(
            checkout,
            arguments["path"],
            arguments["instance"],
            Cipher(arguments["recipients"], arguments["identity_file"]),
            fingerprint_key(unguessable(arguments["secrets"])),
            arguments["overwrite"],
        )
        documents = _documents(arguments) if arguments["state"] == "present" else []
        try:
            said = [arguments[name] for name in ("new_secrets", "moved_stores", "existing_secrets")]
            result.update(self._applied(tree, documents, *said))
            if not result.get("failed"):
                # What others keep there is no part of the tree, so it does not hold up what follows its removal.
                asked = checkout.uncommitted if arguments["state"] == "present" else checkout.uncommitted_removals
                result["uncommitted"] = sorted(asked(arguments["path"]))
                result["holders"] = checkout.holders(arguments["path"])
                named = naming(checkout.directory, arguments["path"])
                result["named"] = asdict(named) if named else {}
        except OSError as error:
            msg = f"langfuse_gitops_path: {error.filename} cannot be used: {error.strerror}. Mend its rights"
        except GitFailed as failed:
            msg = f"langfuse_gitops_directory: Git does not answer in {checkout.directory}: {failed}. Mend the checkout"
        except SopsFailed as failed:
            msg = f"sops: ended with code {failed.code} where it encrypts. Nothing was written. Try it by hand"
        else:
            return result
        return {**result, "failed": True, "errors": [msg], "msg": msg}

    def _applied(self, tree: Tree, documents: list[Document], *said: list[str]) -> dict[str, Any]:
        dry = bool(self._task.check_mode)
        with nullcontext() if dry else tree.alone():
            compared = tree.compare(documents, *said)
            if compared.problems:
                errors = [str(problem) for problem in compared.problems]
                msg = "\n- ".join(["Nothing was changed. Please mend:", *errors])
                return {"failed": True, "errors": errors, "msg": msg}
            # Before the files change that it is about.
            difference = tree.diff(compared) if self._task.diff else []
            if not dry:
                tree.write(compared)
        return {
            "changed": compared.changed,
            "written": compared.written,
            "removed": compared.removed,
            **({"diff": difference} if difference else {}),
        }


def _documents(arguments: dict[str, Any]) -> list[Document]:
    try:
        return [from_data(data) for data in arguments["documents"]]
    except Exception as error:
        # The message of the cause may hold a secret, so only its type is told.
        raise AnsibleActionFail(
            f"documents are not of the form that the filters return: {type(error).__name__}"
        ) from None
