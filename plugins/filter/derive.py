# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter derive."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.settings.contract import contract, native
from ..plugin_utils.settings.derive import derive as derive_instance
from ..plugin_utils.settings.plan import Placement
from ..plugin_utils.settings.secrets import FROZEN


def derive(
    given: Any,
    names: Any,
    hosts: Any,
    stored: Any = None,
    candidates: Any = None,
    stack: Any = None,
    dotenv: Any = None,
    unclear: Any = None,
    missing: Any = None,
    may_miss: bool = False,
) -> dict[str, Any]:
    """Variables of an instance → problems, warnings, plan, secrets, generated, new_keys."""
    try:
        result = derive_instance(
            contract(),
            native(dict(given)),
            native(list(names)),
            native(stored or {}),
            native(candidates or {}),
            Placement(
                tuple(native(hosts)),
                native(stack or {}),
                native(dotenv or {}),
                tuple(native(missing or [])),
                bool(may_miss),
                native(unclear or {}),
            ),
        )
    except Exception as error:
        # The message of the cause may hold a value, so only its type is told.
        raise AnsibleFilterError(f"llmops.langfuse.derive has a defect: {type(error).__name__}") from None
    return {
        "problems": [str(problem) for problem in result.problems],
        "warnings": list(result.warnings),
        "plan": dict(result.plan),
        "secrets": dict(result.secrets),
        "generated": list(result.generated),
        "new_keys": [name for name in result.generated if name in FROZEN],
    }


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"derive": derive}
