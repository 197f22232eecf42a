# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter compose_project."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.documents.compose.project import project
from ..plugin_utils.settings.contract import native


def compose_project(plan: Any, secrets: Any) -> list[dict[str, Any]]:
    """Plan and secrets → documents of the Compose project directory."""
    try:
        return [document.as_data() for document in project(native(plan), native(secrets))]
    except Exception as error:
        # The message of the cause may hold a value, so only its type is told.
        raise AnsibleFilterError(f"llmops.langfuse.compose_project has a defect: {type(error).__name__}") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"compose_project": compose_project}
