# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hop `media` against Azure's emulator: what it sends is taken, and a wrong signature is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules import azure

pytestmark = pytest.mark.long


@pytest.fixture
def routes(tmp_path: Path) -> Iterator[azure.MediaRoutes]:
    store = azure.Azurite(azure.install(), tmp_path)
    server = azure.MediaRoutes(store)
    yield server
    server.shutdown()
    server.server_close()
    store.stop()


def test_a_file_goes_there_and_comes_back(collections: None, routes: azure.MediaRoutes) -> None:
    from ansible_collections.llmops.langfuse.plugins.module_utils.hops import storage
    from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import Context

    params: dict[str, Any] = {"url": routes.url, "public_url": "", "public_key": "pk-lf-x", "secret_key": "sk-lf-x"}
    params |= {"timeout": 30, "hop_timeout": 10, "wait": 0, "resolve": [], "check_mode": False}
    context = Context({**params, "ca_path": None, "validate_certs": True})
    finding = storage.media(context)
    # Pages of an instance on another origin may not upload there, and the emulator allows no other origin.
    assert finding.status == "warning", finding
    assert context.evidence["media"]["step"] is None
    assert routes.confirmed["uploadHttpStatus"] == 201
