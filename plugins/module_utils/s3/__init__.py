# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Object storage. Who only opens a store, looks, creates and probes needs no more than what is named here.

``settings`` (what a bucket should be like, pure), ``buckets`` and ``users`` (what the modules do) are imported by name, so
that the first start of a project does not wait for them.
"""

from __future__ import annotations

from ansible_collections.llmops.langfuse.plugins.module_utils.s3.client import Store, Where, wait_until_it_answers
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.errors import StoreError, explain, passing
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.probe import probe, run_steps, xml_code

__all__ = (
    "Store",
    "StoreError",
    "Where",
    "explain",
    "passing",
    "probe",
    "run_steps",
    "wait_until_it_answers",
    "xml_code",
)
