# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Causes at what sends to the instance."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.llmops.langfuse.plugins.module_utils.rules.base import Evidence, Found, Rule


def about(subject: str) -> Callable[[Evidence], Found | None]:
    """The condition of a rule on all rows of the hop about one thing, told together."""

    def when(e: Evidence) -> Found | None:
        rows = [row for row in e.rows("consumers") if row["about"] == subject]
        if not rows:
            return None
        cures = " ".join(dict.fromkeys(row["cure"] for row in rows if row["cure"]))
        return {"what": "; ".join(row["what"].rstrip(".") for row in rows), "cure": cures, "seen": ""}

    return when


RULES = (
    Rule(
        "consumer_keys",
        "consumers",
        about("keys"),
        "A consumer does not have the keys or the address of this instance: {what}.",
        "Run connect: it writes address and keys, and makes the container anew.",
    ),
    Rule(
        "consumer_config",
        "consumers",
        about("config"),
        "A consumer is not configured to send as langfuse_consumers says: {what}.",
        "Run connect: it writes the callback or the exporter, and makes the container anew.",
    ),
    Rule(
        "consumer_container",
        "consumers",
        about("container"),
        "A consumer's container does not have what its files say now: {what}. A restart does not reload them.",
        "Run connect: it makes the container anew. Where it then still refuses, `environment` of that service sets these "
        "names itself: take them out there.",
    ),
    Rule(
        "consumer_down",
        "consumers",
        about("down"),
        "A consumer does not run: {what}.",
        "Run connect: it makes its container anew. Where that ends again, what it logs says why.",
    ),
    Rule(
        "gateway_callback",
        "consumers",
        about("gateway_callback"),
        "LiteLLM runs without its callback: {what}.",
        "{cure}",
    ),
    Rule(
        "gateway_sdk",
        "consumers",
        about("gateway_sdk"),
        "LiteLLM's callback and the Langfuse SDK beside it do not fit: {what}.",
        "{cure}",
    ),
    Rule(
        "gateway_refused",
        "consumers",
        about("gateway_refused"),
        "Langfuse does not take what LiteLLM sends: {what}.",
        "{cure}",
    ),
    Rule(
        "gateway_address",
        "consumers",
        about("gateway_address"),
        "LiteLLM sends its traces to nowhere: {what}.",
        "{cure}",
    ),
    Rule(
        "consumer_unreachable",
        "consumers",
        about("other"),
        "A consumer cannot send: {what}.",
        "{cure}",
    ),
)
