# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authorities of one's own, read from the file that site writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import authorities
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


@pytest.mark.parametrize(("content", "why"), [(None, "No such file or directory"), (b"\xff\xfe", "it is no text")])
def test_a_file_that_cannot_be_read_names_variable_and_playbook(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "authorities.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Failure) as caught:
        authorities.read(str(path))
    assert caught.value.message == f"The authorities in {path} cannot be read: {why}."
    assert "langfuse_ca_certificates" in caught.value.cure and "site" in caught.value.cure


def test_given_ones_stand_beside_those_of_the_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "host.pem").write_text("of the host\n\n")
    monkeypatch.setattr(authorities, "of_host", lambda: str(tmp_path / "host.pem"))
    with authorities.beside_those_of_host("of mine\n") as path:
        assert path is not None and Path(path).read_text() == "of the host\nof mine\n"
    assert not Path(path).exists()
    with authorities.beside_those_of_host(None) as path:
        assert path is None
