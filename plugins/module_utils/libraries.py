# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Python libraries that single modules need."""

from __future__ import annotations

import shlex
import sys

from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

# What is imported → what it is installed by, where that has another name.
_PACKAGES = {"azure": "azure-storage-blob", "google": "google-auth", "passlib": "libpass", "psycopg": "psycopg[binary]"}


def missing(*names: str, needed_by: str = "") -> Failure:
    """The failure that it is to lack libraries; ``names`` are what they are installed by."""
    why = f", which {needed_by} needs" if needed_by else ""
    command = shlex.join([sys.executable, "-m", "pip", "install", *names])
    return Failure(
        "missing_library",
        f"{sys.executable}, which runs the modules, has no library {', '.join(names)}{why}.",
        f"On a host of Compose run site, which installs what is missing; elsewhere {command}, or name another Python "
        "(ansible_python_interpreter).",
        libraries=list(names),
    )


def package_of(error: ImportError) -> str:
    """What is installed for a library that could not be imported."""
    name = (error.name or "").split(".")[0]
    return _PACKAGES.get(name, name or "a library")
