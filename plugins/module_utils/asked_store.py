# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked of a store that an instance does not bring itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ansible_collections.llmops.langfuse.plugins.module_utils.store_claims import Claim
from ansible_collections.llmops.langfuse.plugins.module_utils.store_proofs import Proofs

Options = Mapping[str, Any]
# Seconds for it to answer: it runs already.
WAIT = 5


class Store(NamedTuple):
    """What is asked of one store: ``ensure`` of its module, and the options of that."""

    name: str
    ensure: Callable[[Options, bool], dict[str, Any]]
    options: Options
    # User → the variable of its password.
    users: Mapping[str, str] = {}
    claim: Claim | None = None
    proofs: Proofs | None = None
