# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request through a LiteLLM proxy, which answers it itself and sends the trace with its own client.

No model is called: the proxy takes no ``mock_response`` out of a request unless its key may give one (1.106.2), so the model
must have one in the configuration file. The lines of the log are those of LiteLLM 1.106.2 and OpenTelemetry 1.45.2.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.llmops.langfuse.plugins.module_utils import args, edited_file, http_client, trace, yaml_file
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

COMPLETIONS = "/v1/chat/completions"
CALLBACKS = "/active/callbacks"
# A proxy that was just made imports for half a minute.
STARTS_WITHIN = 120.0
# Seconds between two looks at its log.
_ASK_AFTER = 2.0
_ENTRY = "of this entry in langfuse_consumers"
# What became of a request, as causes of their own: see `rules/consumers.py`.
CALLBACK, SDK, REFUSED, ADDRESS = "gateway_callback", "gateway_sdk", "gateway_refused", "gateway_address"


class Gateway(NamedTuple):
    """``url`` as this host reaches it; ``config`` is the file that it was started with.

    ``log`` gives its last lines since a moment (seconds since 1970), as far as they can be read.
    """

    url: str
    model: str
    key: str
    config: str
    log: Callable[[float], str]


class Sign(NamedTuple):
    """What a line of the log or of an answer says: a code, and the sentence that it becomes."""

    pattern: re.Pattern[str]
    code: str
    message: str
    cure: str


_CURES = {
    SDK: f"Write callback: langfuse_otel {_ENTRY}, which needs no SDK, and run connect; or install the version that it wants.",
    REFUSED: f"Take LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY out of environment_variables in the file at path {_ENTRY}; where "
    "they are not there, restart LiteLLM, which reads its env file at its start.",
    ADDRESS: f"Take LANGFUSE_HOST and LANGFUSE_OTEL_HOST out of environment_variables in the file at path {_ENTRY}; where they are "
    "not there, correct its url, which must lead to Langfuse from where LiteLLM runs, and run connect.",
}
_SIGNS = tuple(
    Sign(re.compile(pattern), code, message, _CURES[code])
    for pattern, code, message in (
        (
            r"litellm requires (?P<wanted>langfuse\S+) .{0,40}but (?P<found>\S+) is installed",
            SDK,
            "The callback langfuse of this LiteLLM wants {wanted}, and {found} is installed",
        ),
        ("Langfuse not installed", SDK, "The callback langfuse of this LiteLLM wants its SDK, which is not installed"),
        (
            r"Langfuse rejected an export to \S+ with HTTP (?P<status>40[13])",
            REFUSED,
            "Langfuse refused the keys that LiteLLM sent ({status})",
        ),
        (
            r"Failed to export \S+ batch code: (?P<status>40[13])",
            REFUSED,
            "Langfuse refused the keys that LiteLLM sent ({status})",
        ),
        (
            r"Langfuse rejected an export to (?P<url>\S+) with HTTP (?P<status>[34]\d\d)",
            ADDRESS,
            "What answers LiteLLM at {url} is no Langfuse ({status})",
        ),
        (
            r"Failed to export \S+ batch code: (?P<status>[34]\d\d)",
            ADDRESS,
            "What LiteLLM sends its traces to is no Langfuse ({status})",
        ),
        (r"Failed to export \S+ batch code: None", ADDRESS, "LiteLLM does not reach Langfuse"),
        (r"Langfuse export to (?P<url>\S+) (?:raised|failed)", ADDRESS, "LiteLLM does not reach Langfuse at {url}"),
        (r"encountered while exporting \S+ batch", ADDRESS, "LiteLLM does not reach Langfuse"),
        (r"Failed to export \S+ batch due to timeout", ADDRESS, "LiteLLM does not reach Langfuse"),
    )
)


def answers(config: str, model: str) -> list[str]:
    """What LiteLLM says by itself for this model, one for each place that serves it. Raises Failure where a real one may."""
    text = edited_file.read(config) or ""
    _text, document, _same = yaml_file.edited(text, config, lambda _document: None)
    listed = document.get("model_list")
    rows = (
        [one for one in listed if yaml_file.mapping(one).get("model_name") == model] if isinstance(listed, list) else []
    )
    said = [yaml_file.mapping(one.get("litellm_params")).get("mock_response") for one in rows]
    if not said or not all(isinstance(one, str) and one for one in said):
        lacks = f"In {config} the model {model} has no mock_response" if rows else f"{config} has no model {model}"
        raise Failure(
            "gateway_model",
            f"{lacks}, and connect asks none that may cost something.",
            f"Give it one in its litellm_params, as the guide on senders shows, or correct proof_model {_ENTRY}.",
        )
    return [str(one) for one in said]


def cross(
    gateway: Gateway,
    options: Mapping[str, Any],
    langfuse: http_client.Client,
    authorization: str,
    timeout: float,
    starts_within: float,
) -> None:
    """Ask the gateway, and find its trace in Langfuse within ``timeout`` seconds. Raises Failure that says who lost it.

    ``options`` are those of a client, ``ca_path``, ``validate_certs`` and ``resolve``.
    """
    expected = answers(gateway.config, gateway.model)
    session = f"langfuse-connect-{secrets.token_hex(8)}"
    began = time.time()
    with contextlib.closing(args.client(dict(options), gateway.url)) as client:
        _accepted(gateway, _asked(client, gateway, session, timeout, starts_within), expected)

        def refused() -> bool:
            # An address may be reached at the next attempt; a key stays wrong.
            found = sign(gateway.log(began))
            return found is not None and found.code == REFUSED

        if not _arrived(langfuse, authorization, session, began, timeout, refused):
            raise _lost(gateway, client, began, timeout)


def sign(text: str, *codes: str) -> Failure | None:
    """The newest thing in a log that keeps traces from arriving, or one with these codes."""
    for line in reversed(text.splitlines()):
        for one in _SIGNS:
            if (not codes or one.code in codes) and (found := one.pattern.search(line)):
                return Failure(one.code, f"{one.message.format_map(found.groupdict())}.", one.cure)
    return None


def _headers(gateway: Gateway) -> dict[str, str]:
    return {"Authorization": f"Bearer {gateway.key}"} if gateway.key else {}


def _request(model: str, session: str) -> dict[str, Any]:
    """No tags: a router may choose by them. The session is found with both callbacks, the trace's own id with one."""
    metadata = {"trace_id": secrets.token_hex(16), "trace_name": "langfuse-connect", "session_id": session}
    return {
        "model": model,
        "messages": [{"role": "user", "content": f"Does this arrive in Langfuse? ({session})"}],
        "max_tokens": 16,
        "metadata": metadata,
    }


def _asked(
    client: http_client.Client, gateway: Gateway, session: str, timeout: float, starts_within: float
) -> http_client.Response:
    deadline = time.monotonic() + starts_within
    while True:
        try:
            answer = client.request("POST", COMPLETIONS, _request(gateway.model, session), _headers(gateway), timeout)
        except http_client.Unreachable as error:
            wrong = f"Nothing answers at {error.where}, where LiteLLM should: {error.detail}."
            waits = error.kind in (http_client.REFUSED, http_client.CLOSED)
        else:
            wrong, waits = f"What stands before LiteLLM at {client.where} answers {answer.status}.", True
            if answer.status not in (502, 503, 504):
                return answer
        if not waits or time.monotonic() > deadline:
            raise Failure("gateway_silent", wrong, f"Start LiteLLM, or correct proof_url {_ENTRY}.")
        time.sleep(0.5)


def _accepted(gateway: Gateway, answer: http_client.Response, expected: Sequence[str]) -> None:
    """Raises Failure unless the proxy answered what its file says."""
    where = f"LiteLLM at {gateway.url}"
    # Without a database it knows the master key only, and says of any other that it has none.
    if answer.status in (401, 403) or "no_db_connection" in answer.text(4000):
        raise Failure(
            "gateway_key",
            f"{where} refused the key ({answer.status}).",
            f"Write a key that may ask {gateway.model} into proof_key {_ENTRY}.",
        )
    if answer.status != 200:
        # The SDK is told at the first request only.
        if found := sign(f"{gateway.log(0)}\n{answer.text(4000)}", SDK):
            raise found
        raise Failure(
            "gateway_refused_request",
            f"{where} answered {answer.status} to a request for {gateway.model}.",
            f"Restart it where it was started with another file than {gateway.config}, or correct proof_url {_ENTRY}; its log says more.",
        )
    if _content(answer.json()) not in expected:
        raise Failure(
            "gateway_other_file",
            f"{where} answers otherwise than {gateway.config} says of {gateway.model}.",
            f"Restart it, which reads that file, or correct path or proof_url {_ENTRY}.",
        )


def _content(body: Any) -> str | None:
    try:
        return str(body["choices"][0]["message"]["content"])
    except (KeyError, IndexError, TypeError):
        return None


def _arrived(
    langfuse: http_client.Client,
    authorization: str,
    session: str,
    since: float,
    timeout: float,
    hopeless: Callable[[], bool],
) -> bool:
    earlier = datetime.datetime.fromtimestamp(since - 600, datetime.timezone.utc)
    query = {"sessionId": session, "fromStartTime": earlier.strftime("%Y-%m-%dT%H:%M:%SZ"), "limit": 1}
    began = asked = time.monotonic()
    while time.monotonic() < began + timeout:
        if trace.rows(langfuse, {"Authorization": authorization}, query, trace.HANG):
            return True
        if time.monotonic() - asked > _ASK_AFTER:
            if hopeless():
                return False
            asked = time.monotonic()
        time.sleep(0.1)
    return False


def _lost(gateway: Gateway, client: http_client.Client, began: float, timeout: float) -> Failure:
    """Why nothing came of a request that was answered."""
    if found := sign(gateway.log(began)) or sign(gateway.log(0), SDK):
        return found
    with contextlib.suppress(http_client.Unreachable):
        active = client.request("GET", CALLBACKS, None, _headers(gateway), 10)
        if active.status == 200 and "langfuse" not in active.text(100_000).lower():
            return Failure(
                CALLBACK,
                f"LiteLLM at {gateway.url} answers, and has no callback to Langfuse.",
                f"Restart it, which reads {gateway.config}, or correct path or proof_url {_ENTRY}.",
            )
    return Failure(
        "gateway_lost",
        f"LiteLLM answered at {gateway.url}, and within {timeout:.0f} s Langfuse did not get the trace.",
        "Read its log: from its container it must reach LANGFUSE_HOST, with the keys of its env file.",
    )
