# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A trace through an OpenTelemetry Collector, sent to it as its own senders do."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import args, http_client, otlp, trace, yaml_file
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

TRACES = "/v1/traces"
# What the receiver listens on when the file says nothing.
_DEFAULT = "localhost:4318"
_LOCAL = ("localhost", "127.0.0.1", "[::1]")
# A trace that one of these drops is no fault.
_DROPS = re.compile(r"sampl|filter|groupbytrace")
# One that was just made takes a moment to listen.
STARTS_WITHIN = 10.0
_PLAIN: dict[str, Any] = {"ca_path": None, "validate_certs": True, "resolve": []}


class NotSent(Exception):
    """Why no trace can be sent through it, as a part of a sentence."""


def port(document: Mapping[str, Any], pipelines: Sequence[str], inside: bool = False) -> int:
    """Where a trace without TLS or login gets into one of these pipelines, and must come out of it.

    ``inside``: whether this process shares the network of the Collector, so that its localhost is ours.
    Raises NotSent with the first reason.
    """
    reasons: list[str] = []
    for name in pipelines:
        pipeline = yaml_file.mapping(yaml_file.mapping(document.get("service")).get("pipelines")).get(name)
        droppers = [one for one in _names(pipeline, "processors") if _DROPS.search(one)]
        if droppers:
            reasons.append(f"{droppers[0]} of its pipeline {name} may drop it")
            continue
        for receiver, http in _receivers(document, _names(pipeline, "receivers")):
            host, _colon, number = str(http.get("endpoint") or _DEFAULT).rpartition(":")
            if http.get("tls") or http.get("auth"):
                reasons.append(f"its receiver {receiver} wants TLS or a login")
            elif host in _LOCAL and not inside:
                reasons.append(f"its receiver {receiver} listens on localhost of its container only")
            elif not number.isdigit():
                reasons.append(f"the port of its receiver {receiver} is not written in the file")
            else:
                return int(number)
    raise NotSent(reasons[0] if reasons else "no receiver of its pipelines takes OTLP over HTTP")


def cross(url: str, langfuse: http_client.Client, authorization: str, built: otlp.Trace, timeout: float) -> None:
    """Send to the Collector at ``url``, and read in Langfuse. Raises NotSent where it takes none, Failure where it loses it."""

    def deliver(limit: float) -> http_client.Response:
        with contextlib.closing(args.client(_PLAIN, url)) as client:
            answer = _posted(client, built.payload, limit)
        if answer.status != 200:
            raise NotSent(f"it answered {answer.status} at {url}")
        return answer

    try:
        trace.send_and_wait(langfuse, authorization, built, timeout, deliver=deliver)
    except Failure as failure:
        if failure.code != "not_readable":
            raise
        raise Failure(
            "collector_lost",
            f"The Collector took a trace at {url}, and within {timeout:.0f} s Langfuse did not get it.",
            "Read its log: from its container it must reach LANGFUSE_BASE_URL, and its file must name otlphttp/langfuse.",
        ) from None


def _posted(client: http_client.Client, payload: Any, limit: float) -> http_client.Response:
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            return client.request("POST", TRACES, payload, {}, limit)
        except http_client.Unreachable as error:
            if time.monotonic() > deadline:
                raise NotSent(f"nothing answers at {error.where}") from None
        time.sleep(0.2)


def _receivers(document: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Receivers of OTLP over HTTP, each with its settings."""
    for name in names:
        protocols = yaml_file.mapping(
            yaml_file.mapping(yaml_file.mapping(document.get("receivers")).get(name)).get("protocols")
        )
        if name.split("/")[0] == "otlp" and "http" in protocols:
            yield name, yaml_file.mapping(protocols["http"])


def _names(pipeline: Any, kind: str) -> list[str]:
    listed = yaml_file.mapping(pipeline).get(kind)
    return [str(item) for item in listed] if isinstance(listed, list) else []
