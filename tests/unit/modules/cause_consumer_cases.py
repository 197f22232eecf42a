# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evidence of what sends and does not arrive, and the causes that it has."""

from __future__ import annotations

from .cause_cases import Cases

CASES: Cases = [
    *(
        (
            f"a consumer, {about}",
            {"consumers": [{"about": about, "what": "/srv/.env: X", "cure": "Do it."}]},
            ("consumers",),
            [f"{code}:error"],
        )
        for about, code in (
            ("keys", "consumer_keys"),
            ("config", "consumer_config"),
            ("container", "consumer_container"),
            ("down", "consumer_down"),
            ("other", "consumer_unreachable"),
            *((code, code) for code in ("gateway_callback", "gateway_sdk", "gateway_refused", "gateway_address")),
        )
    ),
    (
        "a second worker ended, and a consumer",
        {"unsound": ["lf-w-2 is exited"], "consumers": [{"about": "keys", "what": "x", "cure": ""}]},
        ("containers", "consumers"),
        ["container_unsound:error", "consumer_keys:error"],
    ),
]  # fmt: skip
