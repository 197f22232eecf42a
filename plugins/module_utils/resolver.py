# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that the containers of an instance know and the host may not."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol


class Names(Protocol):
    """Name → address; None for a name that is not known."""

    def get(self, name: str, /) -> str | None: ...


def _no_more() -> Names:
    return {}


@contextlib.contextmanager
def known(
    first: Mapping[str, str],
    otherwise: Callable[[], Names] = _no_more,
    claimed: Callable[[str], bool] = lambda _name: False,
) -> Iterator[None]:
    """Names of ``first`` are at these addresses for the whole process, as with the ``extra_hosts`` of a container.

    ``otherwise`` is asked for a name that nobody else knows, and before everybody else for one that is ``claimed``. All
    clients here (HTTP, botocore, redis, and psycopg, which hands libpq the address beside the name) resolve by Python's own
    function, and go on checking certificates against the name.
    """
    real = socket.getaddrinfo
    table = {name.lower(): address for name, address in first.items()}

    def find(host: Any, *arguments: Any, **options: Any) -> Any:
        name = str(host.decode() if isinstance(host, bytes) else host or "").lower()
        if name in table:
            return real(table[name], *arguments, **options)
        if claimed(name) and (address := otherwise().get(name)) is not None:
            return real(address, *arguments, **options)
        try:
            return real(host, *arguments, **options)
        except socket.gaierror:
            address = otherwise().get(name)
            if address is None:
                raise
        return real(address, *arguments, **options)

    socket.getaddrinfo = find
    try:
        yield
    finally:
        socket.getaddrinfo = real
