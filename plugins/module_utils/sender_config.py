# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a LiteLLM proxy and an OpenTelemetry Collector need in their configuration to send to Langfuse.

Both take address and keys from their environment, so no secret is written here. The edits work on any mappings and
lists; ``module_utils/yaml_file.py`` keeps comments and order around them.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

CALLBACKS = ("langfuse_otel", "langfuse")
_LISTS = ("callbacks", "success_callback", "failure_callback")
# LiteLLM starts `langfuse_otel` from `callbacks`; `langfuse` is called for what succeeds and for what fails.
_WANTED = {"langfuse_otel": ("callbacks",), "langfuse": ("success_callback", "failure_callback")}
EXPORTER = "otlphttp/langfuse"
_ENDPOINT = "${env:LANGFUSE_BASE_URL}/api/public/otel"
_HEADERS = {"Authorization": "Basic ${env:LANGFUSE_BASIC}", "x-langfuse-ingestion-version": "4"}

Document = MutableMapping[str, Any]


def litellm(document: Document, options: Mapping[str, Any]) -> None:
    """One callback in `litellm_settings`: two would make two traces of each call. Raises Failure."""
    if options["state"] == "absent" and document.get("litellm_settings") is None:
        return
    settings = _made(document, "litellm_settings")
    wanted = _WANTED[options["callback"]] if options["state"] == "present" else ()
    for name in _LISTS:
        listed = settings.get(name)
        if listed is not None and not isinstance(listed, list):
            raise _odd(f"litellm_settings.{name}", "a list")
        _only(settings, name, options["callback"] if name in wanted else None)
    if options["state"] == "absent":
        return
    if options["log_messages"] is not None:
        _put(settings, "turn_off_message_logging", not options["log_messages"])
    if options["tags"]:
        _put(settings, "langfuse_default_tags", list(options["tags"]))


def otel_collector(document: Document, options: Mapping[str, Any]) -> None:
    """An exporter, and its name in the given pipelines only. Settings that it has beside ours stay. Raises Failure."""
    service = document.get("service")
    pipelines = service.get("pipelines") if isinstance(service, Mapping) else None
    if not isinstance(pipelines, Mapping) or not all(isinstance(one, MutableMapping) for one in pipelines.values()):
        raise _odd("service.pipelines", "a mapping of pipelines")
    if options["state"] == "absent":
        _take_out(pipelines, ())
        exporters = document.get("exporters")
        if isinstance(exporters, MutableMapping):
            exporters.pop(EXPORTER, None)
        return
    for name in options["pipelines"]:
        if name not in pipelines:
            raise Failure(
                "pipeline_missing",
                f"The Collector has no pipeline {name}; it has {', '.join(map(str, pipelines)) or 'none'}.",
                "Name one of them in pipelines, or write the pipeline with its receivers first.",
            )
        if name.split("/")[0] != "traces":
            raise Failure("bad_option", f"The pipeline {name} is not for traces.", "Langfuse stores traces only.")
    exporter = _made(_made(document, "exporters"), EXPORTER, "exporters.")
    _put(exporter, "endpoint", _ENDPOINT)
    headers = _made(exporter, "headers", f"exporters.{EXPORTER}.")
    for header, value in _HEADERS.items():
        _put(headers, header, value)
    for name in options["pipelines"]:
        _only(pipelines[name], "exporters", EXPORTER)
    _take_out(pipelines, options["pipelines"])


def _take_out(pipelines: Mapping[str, Any], kept: Sequence[str]) -> None:
    """Take the exporter out of all other pipelines than these. Raises Failure where one would be left without any."""
    for name, pipeline in pipelines.items():
        listed = pipeline.get("exporters")
        if name in kept or not isinstance(listed, list) or EXPORTER not in listed:
            continue
        if all(item == EXPORTER for item in listed):
            raise Failure(
                "last_exporter",
                f"The pipeline {name} exports to Langfuse only, and without an exporter the Collector does not start.",
                f"Give {name} another exporter, or remove the pipeline, and run it again.",
            )
        while EXPORTER in listed:
            listed.remove(EXPORTER)


EDITS = {"litellm": litellm, "otel_collector": otel_collector}


def _made(parent: Document, name: str, where: str = "") -> Document:
    """The mapping at a name, made where it is missing or empty."""
    if parent.get(name) is None:
        parent[name] = {}
    found = parent[name]
    if not isinstance(found, MutableMapping):
        raise _odd(f"{where}{name}", "a mapping")
    return found


def _only(parent: Document, name: str, wanted: str | None) -> None:
    """The list at a name with `wanted` in it, once, and without any other callback to Langfuse."""
    listed = parent.get(name)
    if listed is not None and not isinstance(listed, list):
        raise _odd(name, "a list")
    if listed is not None:
        others = [index for index, item in enumerate(listed) if item in CALLBACKS and item != wanted]
        if others and wanted is not None and wanted not in listed:
            # In its place, so that comments stay where they belong.
            listed[others.pop(0)] = wanted
        others += [index for index, item in enumerate(listed) if item == wanted][1:]
        for index in sorted(others, reverse=True):
            del listed[index]
        if wanted is None and others and not listed:
            del parent[name]
    if wanted is not None and wanted not in (listed or []):
        if listed is None:
            parent[name] = [wanted]
        else:
            listed.append(wanted)


def _put(parent: Document, name: str, value: Any) -> None:
    """Set only what differs: the same value may be written in another way."""
    if name not in parent or parent[name] != value:
        parent[name] = value


def _odd(where: str, form: str) -> Failure:
    return Failure("bad_file", f"{where} is not {form} in this file.", "Correct the file; nothing was changed.")
