# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Python libraries that single modules need."""

from __future__ import annotations

import sys

from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def missing(name: str, needed_by: str = "") -> Failure:
    """The failure that it is to lack a library; ``name`` is what it is installed by."""
    why = f", which {needed_by} needs" if needed_by else ""
    return Failure(
        "missing_library",
        f"{sys.executable}, which runs the modules, has no library {name}{why}.",
        f"Run site, which installs it; where a module is used alone, install {name} there (ansible_python_interpreter).",
    )
