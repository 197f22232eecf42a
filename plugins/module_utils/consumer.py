# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Something that sends to Langfuse: what its env file says, whether its container has that, and whether it arrives."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.llmops.langfuse.plugins.module_utils import (
    args,
    collector,
    compose,
    dotenv,
    edited_file,
    gateway,
    http_client,
    otlp,
    trace,
    yaml_file,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.containers import DIRECTORY, PROJECT
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

NAMES = ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGFUSE_HOST", "LANGFUSE_BASE_URL")
_OTHERS = ("LANGFUSE_BASIC", "LANGFUSE_SAMPLE_RATE", "LANGFUSE_OTEL_HOST")
# What to do where a trace with the file's values fails, by its code.
_ADDRESS = "Correct url of this entry in langfuse_consumers, or start what stands in front of Langfuse; then run connect again."
_CURES = {
    "key_refused": "Run site, which gives the instance these keys, and connect again.",
    "tls": "Name the authority of the certificate in langfuse_ca_certificates, or correct the certificate.",
    **dict.fromkeys(("name", "web_down", "not_langfuse", "bad_option"), _ADDRESS),
}
_LOCAL = ("localhost", "127.0.0.1", "::1")


def read(path: str) -> dict[str, str]:
    """The names of a consumer in its file. Raises Failure where one is missing."""
    values = dotenv.parse(edited_file.read(path) or "")
    missing = [name for name in NAMES if not values.get(name)]
    if missing:
        raise Failure("names_missing", f"{path} lacks {', '.join(missing)}.", "Run connect again.")
    return {name: values[name] for name in (*NAMES, *_OTHERS) if name in values}


def environment(details: Mapping[str, Any]) -> dict[str, str]:
    """The environment that a container was made with."""
    pairs = (line.partition("=") for line in details["Config"].get("Env") or [])
    return {name: value for name, _sign, value in pairs}


def differing(values: Mapping[str, str], details: Mapping[str, Any]) -> list[str]:
    """Names that the container has otherwise, or not at all."""
    has = environment(details)
    return [name for name, value in values.items() if has.get(name) != value]


def kept(details: Mapping[str, Any]) -> list[str]:
    """Names of ours that the container has although they are out of its file; an empty one says nothing."""
    has = environment(details)
    return [name for name in (*NAMES, *_OTHERS) if has.get(name)]


def older(details: Mapping[str, Any], modified: float) -> bool:
    """Whether the container was made before the file was written."""
    # Docker says nanoseconds, which Python 3.9 does not read.
    created = datetime.datetime.strptime(str(details["Created"])[:19], "%Y-%m-%dT%H:%M:%S")
    return created.replace(tzinfo=datetime.timezone.utc).timestamp() + 1 < modified


def networks(details: Mapping[str, Any]) -> list[str]:
    return list(details["NetworkSettings"]["Networks"] or {})


def joinable(details: Mapping[str, Any]) -> list[str]:
    """Those on which containers have names."""
    return [name for name in networks(details) if name not in ("host", "none")]


def unreachable(url: str, service: str, details: Mapping[str, Any], names: Mapping[str, str]) -> Failure | None:
    """Why the container cannot mean the instance by this URL; ``names`` are those on its networks."""
    host = urlsplit(url).hostname or ""
    if "host" in networks(details):
        return None
    if host in _LOCAL:
        return Failure(
            "url_is_itself",
            f"{url} means the container of {service} itself, when it is used there.",
            "Give this entry of langfuse_consumers a url that leads from there to Langfuse, like http://langfuse-web:3000 on a "
            "common network.",
        )
    if "." not in host and host not in names:
        on = ", ".join(networks(details)) or "no network"
        return Failure(
            "not_on_network",
            f"The container of {service} is on {on}, where nobody is called {host}.",
            "Let the instance join that network (langfuse_shared_project or langfuse_compose_networks), or give this "
            "entry of langfuse_consumers another url.",
        )
    return None


def container(directory: str, service: str) -> dict[str, Any] | None:
    """`docker inspect` of a container of the service, or None. Raises Failure for a service that is not there."""
    words = ("--project-directory", directory)
    status, output, errors = compose.docker("compose", *words, "config", "--services")
    if status:
        said = (errors.strip().splitlines() or ["no message"])[-1]
        raise Failure(
            "project_refused",
            f"Compose does not take {directory}: {said}.",
            "Correct project_directory of this entry in langfuse_consumers.",
        )
    if service not in output.split():
        raise Failure(
            "service_missing",
            f"{directory} has no service {service}; it has {', '.join(sorted(output.split()))}.",
            "Name one of them in service of this entry in langfuse_consumers.",
        )
    _status, output, _errors = compose.docker("compose", *words, "ps", "--all", "--quiet", service)
    identifiers = output.split()
    if not identifiers:
        return None
    _status, output, _errors = compose.docker("inspect", *identifiers)
    return own(json.loads(output or "[]"), directory, service)


def own(found: Sequence[dict[str, Any]], directory: str, service: str) -> dict[str, Any] | None:
    """The container that was made from this directory. Raises Failure where another project has the same name.

    Compose finds containers by the project's name, which is that of its directory where nothing else is said.
    """
    elsewhere = ""
    for details in found:
        labels = details["Config"].get("Labels") or {}
        made_in = labels.get(DIRECTORY) or directory
        if os.path.realpath(made_in) == os.path.realpath(directory):
            return details
        elsewhere = f"The Compose project {labels.get(PROJECT)} of {directory} has its {service} from {made_in}"
    if elsewhere:
        raise Failure(
            "project_elsewhere",
            f"{elsewhere}, and Compose takes both for one.",
            "Correct project_directory of this entry in langfuse_consumers; where both are meant, give one of them a name of "
            "its own (name in its compose.yaml). Where it was moved, `docker compose up -d` in its directory makes it anew.",
        )
    return None


def _ended(details: Mapping[str, Any] | None) -> str:
    state = details["State"] if details else {}
    return f"it ended with exit code {state['ExitCode']}" if state else "none was made"


def look(params: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the service has what its files say now. Raises Failure for what cannot become right."""
    result: dict[str, Any] = {"changed": False, "running": False, "stale": []}
    if params["proof_url"] and params["state"] == "present":
        gateway.answers(params["config_path"], params["proof_model"])
    if not params["service"]:
        return result
    details = container(params["project_directory"], params["service"])
    if details is None:
        result["stale"] = ["no container"]
        return result
    result["running"] = bool(details["State"]["Running"])
    if params["state"] == "present":
        names = compose.names_on(joinable(details))
        if failure := unreachable(params["url"], params["service"], details, names):
            raise failure
        values = dotenv.parse(edited_file.read(params["env_path"]) or "")
        known = {name: values[name] for name in (*NAMES, *_OTHERS) if name in values}
        result["stale"] = differing(known, details) + ([] if result["running"] else ["not running"])
    else:
        result["stale"] = kept(details)
    config = params["config_path"]
    if config and os.path.exists(config) and older(details, os.stat(config).st_mtime):
        result["stale"].append(os.path.basename(config))
    return result


def prove_absent(params: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the container has none of the names any more; one that does not run is made anew when it starts. Raises Failure."""
    details = container(params["project_directory"], params["service"]) if params["service"] else None
    if details is not None and details["State"]["Running"] and (names := kept(details)):
        raise Failure(
            "environment_kept",
            f"The container of {params['service']} still has {', '.join(names)}, which {params['env_path']} does not say.",
            "Take them out of environment of that service; where they are its own, remove it from langfuse_consumers.",
        )
    return {"changed": False, "proved": "its names are gone"}


def prove(params: Mapping[str, Any]) -> dict[str, Any]:
    """Use what the file says as the consumer would. Raises Failure."""
    if params["state"] == "absent":
        return prove_absent(params)
    values = read(params["env_path"])
    url = values["LANGFUSE_BASE_URL"]
    table = dict(compose.names_on(params["networks"]))
    result: dict[str, Any] = {"changed": False, "url": url, "container": None, "unsaid": []}
    details = container(params["project_directory"], params["service"]) if params["service"] else None
    if params["service"]:
        if details is None or not details["State"]["Running"]:
            raise Failure(
                "not_running",
                f"The service {params['service']} has no running container; {_ended(details)}.",
                "Mend what it logs, and run connect again.",
            )
        on = compose.names_on(joinable(details))
        if failure := unreachable(url, params["service"], details, on):
            raise failure
        table = {**table, **on}
        if wrong := differing(values, details):
            raise Failure(
                "environment_old",
                f"The container of {params['service']} does not have {', '.join(wrong)} as {params['env_path']} says.",
                "Name the file in env_file of that service, and let nothing in environment repeat these names.",
            )
        result["container"] = str(details["Name"]).lstrip("/")
        result["unsaid"] = [name for name in kept(details) if name not in values]
    authorization = http_client.basic(values["LANGFUSE_PUBLIC_KEY"], values["LANGFUSE_SECRET_KEY"])
    options = {**params, "resolve": resolve(url, table)}
    with contextlib.closing(args.client(options, url)) as client:
        outcome = send(client, authorization, params["timeout"])
        client_said = _client(params, details, values, client, authorization)
    if outcome.differences:
        raise different(outcome)
    result.update(trace_id=outcome.trace_id, timings=outcome.timings)
    return {**result, "proved": proved(result, bool(resolve(url, table)), client_said)}


def send(client: http_client.Client, authorization: str, timeout: float) -> trace.Outcome:
    """Raises Failure with a cure for a consumer: its keys are the instance's own, its address a variable."""
    try:
        return trace.send_and_wait(client, authorization, _trace(), timeout)
    except Failure as failure:
        cure = _CURES.get(
            failure.code, "Run diagnose: the keys and the address are right, Langfuse itself is not well."
        )
        raise Failure(failure.code, failure.message, cure, **failure.details) from None


def different(outcome: trace.Outcome) -> Failure:
    fields = ", ".join(f"{item['span']}.{item['field']}" for item in outcome.differences)
    return Failure("different", f"The trace came back different in {fields}.", "Run diagnose.")


def proved(result: Mapping[str, Any], by_name: bool, client_said: str) -> str:
    """What was seen, and no more than that. ``by_name``: the host of the URL is a name of containers only."""
    said = f"a trace came back through {result['url']} after {result['timings']['readable']} ms"
    if result["container"]:
        said += f", and {result['container']} has these keys"
        if result["unsaid"]:
            said += f" (and {', '.join(result['unsaid'])}, which its file does not say)"
    elif by_name:
        said += ", a name that only containers know"
    return f"{said}; {client_said}"


def _client(
    params: Mapping[str, Any],
    details: Mapping[str, Any] | None,
    values: Mapping[str, str],
    client: http_client.Client,
    authorization: str,
) -> str:
    """Whether a trace also went through the consumer itself, as a Collector and a LiteLLM proxy let it. Raises Failure."""
    direct = "sent with its keys to its address, not by its own client"
    if not params["config_path"]:
        return direct
    try:
        if params["pipelines"]:
            return f"another one went through the Collector at {_through_collector(params, details, client, authorization)}"
        patience = gateway.STARTS_WITHIN if details else collector.STARTS_WITHIN
        through_gateway(params, params["proof_key"] or "", details, values, params, client, authorization, patience)
    except collector.NotSent as reason:
        return f"{direct}: {reason}"
    return f"another one went through LiteLLM at {params['proof_url']}, by its own client"


def _through_collector(
    params: Mapping[str, Any], details: Mapping[str, Any] | None, client: http_client.Client, authorization: str
) -> str:
    """The address that took it. Raises NotSent, Failure."""
    if details is None:
        raise collector.NotSent("without a service it is not known where the Collector listens")
    _text, document, _same = yaml_file.edited(
        edited_file.read(params["config_path"]) or "", params["config_path"], lambda _document: None
    )
    inside = "host" in networks(details)
    port = collector.port(document, params["pipelines"], inside)
    url = f"http://{'127.0.0.1' if inside else _address(details)}:{port}"
    collector.cross(url, client, authorization, _trace(), params["timeout"])
    return url


def through_gateway(
    one: Mapping[str, Any],
    key: str,
    details: Mapping[str, Any] | None,
    values: Mapping[str, str],
    options: Mapping[str, Any],
    client: http_client.Client,
    authorization: str,
    starts_within: float,
) -> None:
    """Let LiteLLM send a trace. ``options``: ``timeout`` and those of a client. Raises NotSent, Failure."""
    if not one["proof_url"]:
        raise collector.NotSent("its entry has no proof_url and proof_model")
    has = {**values, **environment(details)} if details is not None else values
    if has.get("LANGFUSE_SAMPLE_RATE", "1") not in ("1", "1.0"):
        raise collector.NotSent("its sample_rate may leave it out")
    names = compose.names_on(joinable(details)) if details is not None else {}
    through = gateway.Gateway(one["proof_url"], one["proof_model"], key, one["config_path"], _log(details))
    reach = {name: options[name] for name in ("ca_path", "validate_certs")}
    reach["resolve"] = resolve(one["proof_url"], names)
    gateway.cross(through, reach, client, authorization, options["timeout"], starts_within)


def _log(details: Mapping[str, Any] | None) -> Callable[[float], str]:
    """Reads its last lines since a moment; without a container nobody can."""

    def read_log(since: float) -> str:
        if details is None:
            return ""
        words = ("logs", "--tail", "2000", "--since", f"{since:.3f}", str(details["Id"]))
        _status, output, errors = compose.docker(*words)
        return output + errors

    return read_log


def _address(details: Mapping[str, Any]) -> str:
    found = [one["IPAddress"] for one in details["NetworkSettings"]["Networks"].values() if one.get("IPAddress")]
    if not found:
        raise collector.NotSent("its container has no address")
    return str(found[0])


def _trace() -> otlp.Trace:
    return otlp.build(trace.new_spec("langfuse-connect", "verify", ["connect"], "connect", "", {}))


def resolve(url: str, table: Mapping[str, str]) -> Sequence[str]:
    """The name of the URL at its address, where it is one of the containers' names."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host not in table:
        return []
    return [f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}:{table[host]}"]
