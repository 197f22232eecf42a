# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sends to the instance: complete entries, that do not contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..cluster import in_cluster
from ..cluster_secrets import EXTRA, GROUPS
from ..consumers import CALLBACKS, ENV, KINDS, LITELLM, STATES, env_path, keys, url_of
from ..plan import Settings
from ..problems import Problem
from .urls import is_web

NAME = "langfuse_consumers"
_DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def consumer_entries(settings: Settings) -> Iterator[Problem]:
    for number, one in enumerate(settings[NAME], 1):
        for wrong, cure in _entry(one, settings):
            yield Problem(NAME, f"entry {number} {wrong}", cure)


def _entry(one: Mapping[str, Any], settings: Settings) -> Iterator[tuple[str, str]]:
    kind = one.get("kind")
    if kind not in KINDS:
        yield f"has {'no kind' if kind is None else 'a kind that is not known'}", f"Write one of: {', '.join(KINDS)}"
        return
    cluster, target = in_cluster(settings), settings["langfuse_target"]
    known, elsewhere = keys(cluster)[kind], keys(not cluster)[kind]
    for key, value in one.items():
        if key not in known and key in elsewhere:
            yield f"has {key}, which langfuse_target={target} does not have", f"There it takes {', '.join(known)}"
        elif key not in known:
            yield f"has {key}, which {kind} does not take", f"It takes {', '.join(known)}"
        elif not isinstance(value, known[key]) or (isinstance(value, bool) and known[key] is not bool):
            yield f"has a {key} of another type than due", "Write text in quotes, a list, a number or true"
    yield from _objects(one) if cluster else _files(one)
    for key, choices in (("state", STATES), ("callback", CALLBACKS)):
        if isinstance(value := one.get(key), str) and value not in choices:
            yield f"has a {key} that is not known", f"Write one of: {', '.join(choices)}"
    if isinstance(url := one.get("url"), str) and not is_web(url):
        yield "has a url that is not an address", "Write it like http://langfuse-web:3000"
    if kind == LITELLM:
        yield from _proof(one)
    if isinstance(rate := one.get("sample_rate"), (int, float)) and not 0 <= rate <= 1:
        yield "has a sample_rate that is not from 0 to 1", "Write 0.1 for a tenth of the traces"
    if kind == LITELLM and one.get("callback", CALLBACKS[0]) != "langfuse":
        for key in ("sample_rate", "tags"):
            if one.get(key) not in (None, []):
                yield (
                    f"has {key}, which the callback langfuse_otel does not read",
                    "Remove it, or write callback: langfuse",
                )
    for key in ("tags", "pipelines"):
        if isinstance(items := one.get(key), list) and not all(isinstance(item, str) for item in items):
            yield f"has {key} that are not text", "Quote them"


def _files(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("path",) if one["kind"] == ENV else ("path", "env_path"):
        if not one.get(key):
            yield f"lacks {key}", "Name the file on the host, as an absolute path"
    for key in ("path", "env_path", "project_directory"):
        if isinstance(value := one.get(key), str) and value and not value.startswith("/"):
            yield f"has a {key} that is not absolute", "Write it from / on"
    if bool(one.get("service")) != bool(one.get("project_directory")):
        yield "has one of service and project_directory", "Write both, or none to recreate nothing"


def _objects(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("namespace", "secret"):
        if not one.get(key):
            yield f"lacks {key}", "Name the Secret that its pods read, and its namespace"
    for key in ("namespace", "secret", "config_map"):
        if isinstance(value := one.get(key), str) and value and not _DNS_NAME.fullmatch(value):
            yield f"has a {key} that Kubernetes does not take", "Use lower-case letters, digits, - and ."


def _proof(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What `connect` needs to ask a gateway."""
    if bool(one.get("proof_url")) != bool(one.get("proof_model")):
        yield "has one of proof_url and proof_model", "Write both, or none to send no trace through it"
    elif one.get("proof_key") and not one.get("proof_url"):
        yield "has a proof_key without proof_url", "Write where LiteLLM is, as this host reaches it, or remove the key"
    if isinstance(url := one.get("proof_url"), str) and url and not is_web(url):
        yield "has a proof_url that is not an address", "Write it like http://localhost:4000"
    if isinstance(key := one.get("proof_key"), str) and not re.fullmatch(r"[!-~]*", key):
        yield "has a proof_key with spaces or signs that no header takes", "Copy the key of LiteLLM as it is"


def consumer_files(settings: Settings) -> Iterator[Problem]:
    """Two entries that write one name of one file differently would change it in every run."""
    if in_cluster(settings):
        return
    said: dict[str, tuple[Any, ...]] = {}
    configs: set[str] = set()
    for one in settings[NAME]:
        if list(_entry(one, settings)):
            continue
        path = env_path(one)
        says = (
            one.get("state", "present"),
            url_of(settings, one),
            one.get("sample_rate"),
        )
        if said.setdefault(path, says) != says:
            yield Problem(
                NAME, f"says different things about {path}", "Give entries of one file the same url and state"
            )
        if one["kind"] != ENV:
            if one["path"] in configs:
                yield Problem(NAME, f"has {one['path']} more than once", "Write one entry for it")
            configs.add(one["path"])


def consumer_objects(settings: Settings) -> Iterator[Problem]:
    """An object has one entry: two would set each other's fields in every run."""
    seen: set[tuple[str, str, str]] = set()
    own = {settings.instance, *(f"{settings.instance}-{group}" for group in (*GROUPS, EXTRA))}
    for one in settings[NAME] if in_cluster(settings) else ():
        if list(_entry(one, settings)):
            continue
        for key in ("secret", "config_map"):
            name = (key, one["namespace"], one.get(key) or "")
            if name[2] and name in seen:
                yield Problem(NAME, f"has the {key} {name[2]} in {name[1]} more than once", "Write one entry for it")
            seen.add(name)
        if one["namespace"] == settings["langfuse_kubernetes_namespace"] and one["secret"] in own:
            yield Problem(NAME, f"has {one['secret']}, a Secret of the instance itself", "Write another name")


def litellm_connection(settings: Settings) -> Iterator[Problem]:
    url, key, models = (settings[f"langfuse_litellm_{name}"] for name in ("url", "key", "models"))
    if not url:
        for name, value in (("key", key), ("models", models)):
            if value:
                yield Problem(
                    f"langfuse_litellm_{name}",
                    "is set without langfuse_litellm_url",
                    "Write where LiteLLM is, or remove it",
                )
        return
    if not is_web(url):
        yield Problem(
            "langfuse_litellm_url",
            "is not an http or https URL",
            "Write it like http://litellm:4000/v1, as web reaches it",
        )
    if not key:
        yield Problem("langfuse_litellm_key", "is missing, and the connection needs it", "Write a key of LiteLLM")
    if not models:
        yield Problem("langfuse_litellm_models", "is empty, and nothing could be chosen", "Name models as LiteLLM does")


RULES = (consumer_entries, consumer_files, consumer_objects, litellm_connection)
