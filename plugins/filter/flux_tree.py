# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter flux_tree."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.documents.flux.tree import tree
from ..plugin_utils.documents.kubernetes.objects import NoSuchObject
from ..plugin_utils.settings.contract import native


def flux_tree(plan: Any, secrets: Any) -> list[dict[str, Any]]:
    """Plan and secrets → files of the instance in a Git repository."""
    try:
        return [document.as_data() for document in tree(native(plan), native(secrets))]
    except NoSuchObject as error:
        raise AnsibleFilterError(str(error)) from None
    except Exception as error:
        # The message of the cause may hold a value, so only its type is told.
        raise AnsibleFilterError(f"llmops.langfuse.flux_tree has a defect: {type(error).__name__}") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"flux_tree": flux_tree}
