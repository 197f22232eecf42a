# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verifiers, held against the example of the RFC and against PostgreSQL's own client library."""

from __future__ import annotations

import base64
import sys
from typing import Any

import pytest
from ansible_collections.llmops.langfuse.plugins.module_utils import scram
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
PENCIL = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
    ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)


def test_the_verifier_is_the_one_of_the_rfc() -> None:
    """RFC 7677's example: password `pencil`, its salt and iteration count."""
    assert scram.verifier("pencil", SALT) == PENCIL


@pytest.mark.parametrize(
    ("stored", "same"),
    [
        (PENCIL, True),
        (scram.verifier("pencil", b"another salt", 50), True),
        (scram.verifier("pen", SALT), False),
        (PENCIL[:-2] + "A=", False),
        ("SCRAM-SHA-256$4096:not base64$x:y", False),
        ("SCRAM-SHA-256$many:c2FsdA==$x:y", False),
        ("SCRAM-SHA-256$", False),
        ("md5" + "0" * 32, False),
        ("pencil", False),
        ("", False),
        (None, False),
    ],
)
def test_a_stored_verifier_is_compared(stored: str | None, same: bool) -> None:
    assert scram.matches(stored, "pencil") == same


@pytest.mark.parametrize(
    ("password", "prepared"),
    [
        ("plain ~ASCII\x7f\t", "plain ~ASCII\x7f\t"),
        ("no\u00a0break", "no break"),
        ("soft\u00adhyphen", "softhyphen"),
        ("ﬁ\u212b①", "fiÅ1"),
        ("e\u0301", "é"),
        ("emoji😀", "emoji😀"),
        ("control\u0080", "control\u0080"),
        ("\u00ad", "\u00ad"),
        ("\u0627a", "\u0627a"),
        ("\u0627\u0628", "\u0627\u0628"),
    ],
)
def test_passwords_are_prepared_as_postgresql_does(password: str, prepared: str) -> None:
    assert scram.prepared(password) == prepared.encode()
    psycopg = pytest.importorskip("psycopg")
    # The library makes verifiers without a server, but wants a connection, which may be a failed one.
    own = psycopg.pq.PGconn.connect(b"host=127.0.0.1 port=1").encrypt_password(
        password.encode(), b"x", b"scram-sha-256"
    )
    assert scram.matches(own.decode(), password)


def test_only_other_passwords_need_libpass(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "passlib.utils", None)
    assert scram.prepared("pencil") == b"pencil"
    with pytest.raises(Failure, match="libpass") as caught:
        scram.prepared("büro")
    assert caught.value.code == "missing_library"
    assert "büro" not in str(caught.value.as_result())
