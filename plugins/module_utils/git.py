# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With which environment Git is asked about a checkout."""

from __future__ import annotations

import os

# By these another repository would be asked, as that of the hook that runs this, or paths be read in another way.
_OTHERS = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "COMMON_DIR", "INDEX_FILE", "PREFIX", "NAMESPACE", "CEILING_DIRECTORIES"),
        *("OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES"),
        *("LITERAL_PATHSPECS", "GLOB_PATHSPECS", "NOGLOB_PATHSPECS", "ICASE_PATHSPECS"),
    )
)


def environment() -> dict[str, str]:
    """It asks nobody for a password, speaks English, and takes no lock, which would meet somebody who commits meanwhile."""
    inherited = {name: value for name, value in os.environ.items() if name not in _OTHERS}
    return {**inherited, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
