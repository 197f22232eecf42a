# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the repository importable as the collection it is."""

from __future__ import annotations

import atexit
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


def _importable() -> bool:
    try:
        found = importlib.util.find_spec("ansible_collections.llmops.langfuse.plugins.modules.s3_bucket")
    except ImportError:
        return False
    return found is not None and found.origin is not None and Path(found.origin).resolve().is_relative_to(REPOSITORY)


if not _importable():
    path = Path(tempfile.mkdtemp(prefix="collections-"))
    atexit.register(shutil.rmtree, path)
    link = path / "ansible_collections" / "llmops" / "langfuse"
    link.parent.mkdir(parents=True)
    link.symlink_to(REPOSITORY)
    sys.path.insert(0, str(path))


def _spec() -> Any:
    from ansible_collections.llmops.langfuse.plugins.module_utils import otlp

    return otlp.TraceSpec(
        trace_id="ad982a50336c2337b45860bd96bedadc",
        span_ids=("82b16ca3f9d158a7", "987afdfa4397cefd", "e24b862fbe41ded2"),
        now_ns=1795294765373992222,
        name="probe",
        environment="verify",
        tags=("panic", "probe"),
        user_id="driver-7",
        session_id="shift-1",
        metadata={"vehicle_id": "v-42", "count": "7"},
    )


def _rows() -> list[dict[str, Any]]:
    """The three observations as Langfuse 4.16.0 returns them: other order, fields of its own, strings parsed."""
    common = {
        "traceId": "ad982a50336c2337b45860bd96bedadc",
        "projectId": "proj1",
        "environment": "verify",
        "version": "",
        "userId": "",
        "sessionId": "",
        "tags": [],
        "traceName": None,
        "input": None,
        "output": None,
        "totalCost": 0,
        "usageDetails": {},
        "costDetails": {},
        "model": "",
        "statusMessage": "",
        "level": "DEFAULT",
    }
    failed = {
        **common,
        "id": "e24b862fbe41ded2",
        "parentObservationId": "82b16ca3f9d158a7",
        "type": "SPAN",
        "name": "fail",
        "level": "ERROR",
        "statusMessage": "deliberate error of the verification trace",
        "startTime": "2026-11-21T20:59:25.223Z",
        "endTime": "2026-11-21T20:59:25.273Z",
        "metadata": {"scope.version": 1, "attributes.langfuse.observation.level": "ERROR"},
    }
    generation = {
        **common,
        "id": "987afdfa4397cefd",
        "parentObservationId": "82b16ca3f9d158a7",
        "type": "GENERATION",
        "name": "generate",
        "model": "verify-model",
        "usageDetails": {"input": 12, "output": 5, "total": 17},
        "costDetails": {"total": 0.0123},
        "totalCost": 0.0123,
        "input": [{"role": "user", "content": "does the trace arrive?"}],
        "output": "yes",
        "startTime": "2026-11-21T20:59:24.573Z",
        "endTime": "2026-11-21T20:59:25.173Z",
        "metadata": {"scope.version": 1},
    }
    root = {
        **common,
        "id": "82b16ca3f9d158a7",
        "parentObservationId": None,
        "type": "SPAN",
        "name": "probe",
        "userId": "driver-7",
        "sessionId": "shift-1",
        "tags": ["probe", "panic"],
        "traceName": "probe",
        "input": '{"question":"does the trace arrive?"}',
        "output": {"answer": "yes"},
        "startTime": "2026-11-21T20:59:24.473Z",
        "endTime": "2026-11-21T20:59:25.373Z",
        "metadata": {"vehicle_id": "v-42", "count": 7, "scope.version": 1},
    }
    return [failed, generation, root]


@pytest.fixture
def spec() -> Any:
    return _spec()


@pytest.fixture
def read_back() -> list[dict[str, Any]]:
    """What Langfuse returns for `spec`, free to be spoilt."""
    return _rows()
