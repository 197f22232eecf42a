# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all hops share: their result, the options, the evidence and the time that is left."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.llmops.langfuse.plugins.module_utils import http_client

OK, FAILED, SKIPPED, WARNING = "ok", "failed", "skipped", "warning"


class Finding(NamedTuple):
    """What a hop says about itself: its status and one line for people."""

    status: str
    detail: str


class Missing(Exception):
    """A client library is not installed."""


class Context:
    """Options, evidence and connections of one walk.

    ``params["ca_bundle"]`` is a file of the given authorities and the host's, for libraries that take one file.
    ``evidence`` maps the name of a subject to what was seen, in plain types; the rules read nothing else.
    ``states`` looks at the containers of the project; an empty list without a runtime.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        states: Callable[[], list[dict[str, Any]]] = list,
    ) -> None:
        self.params = params
        self.evidence: dict[str, Any] = {}
        self._started = time.monotonic()
        self.deadline = self._started + float(params["timeout"])
        self.resolve: dict[str, str] = http_client.parse_resolve(params["resolve"])
        self.public_url: str = (params["public_url"] or params["url"]).rstrip("/")
        self._states = states
        self._seen: dict[str, tuple[int, float]] = {}
        self._patient_until = self._started + float(params["wait"])
        self.deadline += float(params["wait"])
        self._web: http_client.Client | None = None

    @property
    def elapsed_ms(self) -> float:
        """Since the walk began."""
        return (time.monotonic() - self._started) * 1000

    @property
    def left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    @property
    def patience(self) -> float:
        """Seconds that one exchange may take now."""
        return max(0.05, min(float(self.params["hop_timeout"]), self.left))

    def states(self) -> list[dict[str, Any]]:
        """The containers of the project; `restarts` since the walk began, `unhealthy` in seconds since that was first seen."""
        found, now = self._states(), time.monotonic()
        for item in found:
            first, since = self._seen.get(item["id"], (item["restarts"], now))
            since = since if item["health"] == "unhealthy" else now
            self._seen[item["id"]] = (first, since)
            item.update(restarts=item["restarts"] - first, unhealthy=now - since)
        return found

    @property
    def patient(self) -> bool:
        """Whether something may still be starting: the option ``wait`` is not over."""
        return time.monotonic() < self._patient_until

    def nothing_starts(self) -> bool:
        """Whether no container is on its way up any more, or nothing is waited for."""
        starting = (item["health"] == "starting" or item["state"] == "restarting" for item in self.states())
        return not self.patient or not any(starting)

    def wait(self, ready: Callable[[], bool], hopeless: Callable[[], bool], pause: float = 0.1) -> None:
        """Return when ``ready``, or the option ``wait`` is over, or ``hopeless``, which is asked every two seconds."""
        asked = time.monotonic()
        while self.patient and not ready():
            if time.monotonic() - asked > 2:
                if hopeless():
                    return
                asked = time.monotonic()
            time.sleep(pause)

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": http_client.basic(self.params["public_key"], self.params["secret_key"])}

    @property
    def writes(self) -> bool:
        """False in check mode: nothing is sent that stays."""
        return not self.params["check_mode"]

    def web(self) -> http_client.Client:
        """The connection to Langfuse web that the hops share."""
        if self._web is None:
            self._web = self.new_web()
        return self._web

    def new_web(self) -> http_client.Client:
        """A connection to Langfuse web, with the Host that the application believes in."""
        headers = {}
        public, reached = urlsplit(self.public_url), urlsplit(self.params["url"])
        if public.netloc != reached.netloc:
            headers = {"Host": public.netloc, "X-Forwarded-Host": public.netloc, "X-Forwarded-Proto": public.scheme}
        return self.client(self.params["url"], headers)

    def client(self, url: str, headers: Mapping[str, str] | None = None) -> http_client.Client:
        return http_client.Client(
            url,
            timeout=self.patience,
            ca_path=self.params["ca_path"],
            validate_certs=self.params["validate_certs"],
            headers=headers,
            resolve=self.resolve,
        )

    def address(self, host: str, port: int) -> str:
        """Where ``host`` is: an entry of ``resolve``, or what the resolver makes of the name."""
        return self.resolve.get(f"{host.lower()}:{port}", host)

    def close(self) -> None:
        if self._web is not None:
            self._web.close()


def library(name: str) -> Any:
    """A third-party client, or Missing with the name of its package."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Missing(name) from None


def missing_finding(missing: Missing) -> Finding:
    return Finding(SKIPPED, f"the Python package {missing} is not installed where this runs; pip install {missing}")


def seen(error: http_client.Unreachable) -> dict[str, Any]:
    """An exchange without an answer, as evidence."""
    return {"kind": error.kind, "where": error.where, "text": error.detail}
