# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What sends to the instance: its files, its container, and its way here. ``connect`` mends most of it."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import (
    collector,
    compose,
    consumer,
    dotenv,
    edited_file,
    gateway,
    http_client,
    sender_config,
    yaml_file,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.base import FAILED, OK, SKIPPED, Context, Finding
from ansible_collections.llmops.langfuse.plugins.module_utils.hops.web import HEALTH

Consumer = Mapping[str, Any]
# What a row of the evidence is about; the rules have a cause for each.
KEYS, CONFIG, CONTAINER, DOWN, OTHER = "keys", "config", "container", "down", "other"
# And of what LiteLLM itself says.
GATEWAY = (gateway.CALLBACK, gateway.SDK, gateway.REFUSED, gateway.ADDRESS)
# LiteLLM sends after 1 s with one callback and after 5 s with the other one.
_ARRIVES_WITHIN, _STARTS_WITHIN = 20.0, 2.0


def consumers(ctx: Context) -> Finding:
    """Every consumer that shall send. The evidence has a row ``{about, what, cure}`` for each thing that is wrong."""
    wanted = [one for one in ctx.params["consumers"] if one["state"] == "present"]
    if not wanted:
        return Finding(SKIPPED, "no consumers given")
    rows: list[dict[str, str]] = []
    for one in wanted:
        try:
            found = _look(ctx, one)
        except Failure as failure:
            found = [_row(OTHER, failure.message, failure.cure)]
        # Two consumers may share a file, or a container.
        rows += [row for row in found if row not in rows]
    ctx.evidence["consumers"] = rows
    if rows:
        return Finding(FAILED, "; ".join(row["what"].rstrip(".") for row in rows))
    asked = len(ctx.evidence.get("gateways", []))
    own = f"; a trace of its own from {asked} LiteLLM" if asked else ""
    return Finding(OK, f"{len(wanted)} with keys and address of this instance{own}")


def _row(about: str, what: str, cure: str = "") -> dict[str, str]:
    return {"about": about, "what": what, "cure": cure}


def _look(ctx: Context, one: Consumer) -> list[dict[str, str]]:
    if one["secret"]:
        return _look_in_cluster(ctx, one)
    rows = []
    says = dotenv.parse(edited_file.read(one["env_path"]) or "")
    wanted = expected(one, ctx.params["secret_key"] or "")
    wrong = [name for name, value in wanted.items() if says.get(name) != value]
    if wrong := [*wrong, *(name for name in one["absent_names"] if name in says)]:
        rows.append(_row(KEYS, f"{', '.join(wrong)} in {one['env_path']}"))
    rows += _configuration(one)
    on: dict[str, str] = {}
    details = None
    if one["service"]:
        details = consumer.container(one["project_directory"], one["service"])
        if details is None or not details["State"]["Running"]:
            state = (
                f"{details['State']['Status']}, exit code {details['State']['ExitCode']}" if details else "no container"
            )
            return [*rows, _row(DOWN, f"{one['service']} in {one['project_directory']} ({state})")]
        on = compose.names_on(consumer.joinable(details))
        if failure := consumer.unreachable(one["url"], one["service"], details, on):
            return [*rows, _row(OTHER, failure.message, failure.cure)]
        old = consumer.differing({name: says[name] for name in consumer.NAMES if name in says}, details)
        if one["config_path"] and consumer.older(details, _modified(one["config_path"])):
            old.append(os.path.basename(one["config_path"]))
        if old and not rows:
            rows.append(_row(CONTAINER, f"{', '.join(old)} of {one['service']} in {one['project_directory']}"))
    if said := _unanswered(ctx, one["url"], on):
        rows.append(_row(OTHER, said, "Correct url of this entry in langfuse_consumers, and run connect."))
    return rows or _crossed(ctx, one, says, details)


def _look_in_cluster(ctx: Context, one: Consumer) -> list[dict[str, str]]:
    # Only here: without a cluster nothing of it is loaded.
    from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import Cluster
    from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.sender_state import state

    place, home = ctx.params["cluster"], ctx.params["runtime"]["namespace"]
    cluster = Cluster(place["kubeconfig"], place["context"])
    wanted = expected(one, ctx.params["secret_key"] or "")
    rows = [_row(*said) for said in state(cluster, one, wanted, home)]
    if said := _unanswered(ctx, one["url"], {}):
        rows.append(_row(OTHER, said, "Correct url of this entry in langfuse_consumers, and run connect."))
    return rows


def _crossed(
    ctx: Context, one: Consumer, says: Mapping[str, str], details: Mapping[str, Any] | None
) -> list[dict[str, str]]:
    """What is wrong where LiteLLM itself sends, asked where a trace of the walk came back: then it is not Langfuse."""
    if not (one["proof_url"] and ctx.writes and ctx.evidence.get("trace", {}).get("timings")):
        return []
    key = (ctx.params["consumer_keys"] or {}).get(one["proof_secret"], "")
    options = {**ctx.params, "timeout": min(_ARRIVES_WITHIN, ctx.left)}
    try:
        with contextlib.closing(ctx.new_web()) as client:
            authorization = ctx.authorization["Authorization"]
            consumer.through_gateway(one, key, details, says, options, client, authorization, _STARTS_WITHIN)
    except collector.NotSent:
        return []
    except Failure as failure:
        return [_row(failure.code if failure.code in GATEWAY else OTHER, failure.message, failure.cure)]
    ctx.evidence.setdefault("gateways", []).append(one["proof_url"])
    return []


def _configuration(one: Consumer) -> list[dict[str, str]]:
    if not one["config_path"]:
        return []
    try:
        return [] if configured(one) else [_row(CONFIG, one["config_path"])]
    except Failure as failure:
        return [_row(OTHER, failure.message, failure.cure)]


def expected(one: Consumer, secret_key: str) -> dict[str, str]:
    """Name → value that the env file of the consumer has to have."""
    wanted = {name: str(value) for name, value in one["values"].items()}
    pair = f"{wanted.get('LANGFUSE_PUBLIC_KEY', '')}:{secret_key}"
    secrets = {"LANGFUSE_SECRET_KEY": secret_key, "LANGFUSE_BASIC": base64.b64encode(pair.encode()).decode()}
    return wanted | {name: secrets[name] for name in one["secret_names"]}


def configured(one: Consumer) -> bool:
    """Whether its configuration file is as ``connect`` would leave it. Raises Failure where it cannot be read."""
    path = one["config_path"]
    text = edited_file.read(path)
    if text is None:
        raise Failure("file_missing", f"There is no file {path}.", "Correct path of this entry in langfuse_consumers.")
    edit = sender_config.EDITS[one["kind"]]
    new, _before, _after = yaml_file.edited(text, path, lambda document: edit(document, one))
    return new == text


def _modified(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _unanswered(ctx: Context, url: str, names: Mapping[str, str]) -> str:
    """Why nothing answers at the consumer's own URL, "" where something does. Asked where web itself answers only."""
    if ctx.evidence.get("web", {}).get("status") != 200:
        return ""
    for entry in consumer.resolve(url, names):
        host, port, address = entry.split(":", 2)
        ctx.resolve.setdefault(f"{host}:{port}", address)
    client = ctx.client(url)
    try:
        answer = client.request("GET", HEALTH, timeout=ctx.patience)
    except http_client.Unreachable as error:
        return f"Nothing answers at {url}, which the consumer is told to use: {error.detail}."
    finally:
        client.close()
    if answer.status != 200:
        return f"{url}, which the consumer is told to use, answers {answer.status} and not as Langfuse does."
    return ""
