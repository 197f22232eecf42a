# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""LLM connections of a project: what is wanted, what the API shows of it, and the calls that bring them together.

The API is ``/api/public/llm-connections`` of Langfuse 4.16.0. A PUT replaces the whole connection of a provider and
needs the secret every time; a GET shows the last four characters of the secret and only the names of extra headers.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from ansible_collections.llmops.langfuse.plugins.module_utils import args, http_client, trace
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

PATH = "/api/public/llm-connections"
PAGE = 100
ADAPTERS = ("anthropic", "openai", "azure", "bedrock", "google-vertex-ai", "google-ai-studio")
# Which keys `config` may have for an adapter, and their types. Other adapters take none.
CONFIG: dict[str, dict[str, type]] = {
    "bedrock": {"region": str},
    "openai": {"useResponsesApi": bool},
    "google-vertex-ai": {"location": str},
}
# Secrets that stand for the credentials of the environment, and what the API shows for them.
SENTINELS = {
    "bedrock": ("__BEDROCK_DEFAULT_CREDENTIALS__", "Default AWS credentials"),
    "google-vertex-ai": ("__VERTEXAI_DEFAULT_CREDENTIALS__", "Default GCP credentials (ADC)"),
}
ALLOW = "LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST"
_PRIVATE_SUFFIXES = (".internal", ".intranet", ".local", ".localhost")

Row = dict[str, Any]


def secret_text(adapter: str, secret: Any) -> str:
    """The secret as it is sent. Raises ValueError with what is wrong with it, never with its value.

    JSON secrets are written in one line with the part last that changes when the key is replaced: the API shows the
    last four characters before the end, and that is all that can be compared.
    """
    sentinel = SENTINELS.get(adapter)
    if sentinel is None:
        if not isinstance(secret, str) or not secret:
            raise ValueError("must be text")
        return secret
    if secret == sentinel[0]:
        return sentinel[0]
    if isinstance(secret, str):
        try:
            secret = json.loads(secret)
        except ValueError:
            secret = None
    if not isinstance(secret, Mapping):
        raise ValueError(f"must be a mapping, its JSON or {sentinel[0]}")
    if adapter == "bedrock":
        names = ["apiKey"] if "apiKey" in secret else ["accessKeyId", "secretAccessKey"]
        if sorted(secret) != sorted(names):
            raise ValueError("must have accessKeyId and secretAccessKey, or apiKey, and nothing else")
        last = names[-1]
    else:
        names = ["private_key_id", "private_key", "client_email", "project_id"]
        if secret.get("type") != "service_account":
            raise ValueError("must be the key of a service account (type: service_account)")
        last = "private_key_id"
    if not all(isinstance(secret.get(name), str) and secret[name] for name in names):
        raise ValueError(f"must have text in {', '.join(names)}")
    ordered = {**{name: value for name, value in secret.items() if name != last}, last: secret[last]}
    return json.dumps(ordered, separators=(",", ":"))


def shown(secret: str) -> str:
    """What the API shows of a secret (``displaySecretKey``)."""
    for sentinel, text in SENTINELS.values():
        if secret == sentinel:
            return text
    return f"...{secret[-6:-2]}" if secret.endswith('"}') else f"...{secret[-4:]}"


def problems(params: Mapping[str, Any]) -> list[str]:
    """Everything that the application would refuse or ignore, each as a sentence with its cure."""
    found = []
    if not params["provider"].strip():
        found.append("provider is empty: give the connection a name.")
    if params["state"] == "absent":
        return found
    adapter = params["adapter"]
    try:
        secret_text(adapter, params["llm_secret_key"])
    except ValueError as error:
        found.append(f"llm_secret_key {error} for the adapter {adapter}.")
    found += _url_problems(params["base_url"] or "")
    found += _config_problems(adapter, params["config"] or {})
    if not all(isinstance(name, str) and name for name in params["custom_models"]):
        found.append("custom_models has an empty name: take it out.")
    for name, value in (params["extra_headers"] or {}).items():
        if not isinstance(value, str):
            found.append(f"extra_headers.{name} is not text: quote it.")
    return found


def _url_problems(url: str) -> list[str]:
    if not url:
        return []
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        return [f"base_url is not an address ({error}): write for example https://gateway.example.com/v1."]
    if parts.scheme not in ("http", "https") or not host:
        return ["base_url is not an http:// or https:// address: write for example https://gateway.example.com/v1."]
    if parts.username or parts.password:
        return ["base_url holds a user or password, which Langfuse refuses: send it with extra_headers."]
    return []


def _config_problems(adapter: str, config: Mapping[str, Any]) -> list[str]:
    known = CONFIG.get(adapter, {})
    found = []
    if config and not known:
        return [f"config is set, and the adapter {adapter} takes none: remove it."]
    for name, value in config.items():
        if name not in known:
            found.append(f"config.{name} is unknown to the adapter {adapter}: it takes {', '.join(known)}.")
        elif not isinstance(value, known[name]) or value == "":
            kind = "true or false" if known[name] is bool else "text"
            found.append(f"config.{name} must be {kind}.")
    if adapter == "bedrock" and "region" not in config:
        found.append("config.region is missing, which the adapter bedrock needs: set the AWS region.")
    return found


def wanted(params: Mapping[str, Any]) -> Row:
    """The connection as the API will show it."""
    return {
        "provider": params["provider"],
        "adapter": params["adapter"],
        "display_secret_key": shown(secret_text(params["adapter"], params["llm_secret_key"])),
        "base_url": params["base_url"] or None,
        "custom_models": list(params["custom_models"]),
        "with_default_models": params["with_default_models"],
        "extra_header_keys": sorted(params["extra_headers"] or {}),
        "config": dict(params["config"]) if params["config"] else None,
    }


def seen(answer: Mapping[str, Any]) -> Row:
    """The same from an entry of the API, without what the server adds."""
    return {
        "provider": answer.get("provider"),
        "adapter": answer.get("adapter"),
        "display_secret_key": answer.get("displaySecretKey"),
        "base_url": answer.get("baseURL") or None,
        "custom_models": list(answer.get("customModels") or []),
        "with_default_models": answer.get("withDefaultModels"),
        "extra_header_keys": sorted(answer.get("extraHeaderKeys") or []),
        "config": answer.get("config") or None,
    }


def body(params: Mapping[str, Any]) -> dict[str, Any]:
    """The PUT. It names everything, because what it leaves out is cleared."""
    found = {
        "provider": params["provider"],
        "adapter": params["adapter"],
        "secretKey": secret_text(params["adapter"], params["llm_secret_key"]),
        "baseURL": params["base_url"] or None,
        "customModels": list(params["custom_models"]),
        "withDefaultModels": params["with_default_models"],
    }
    if params["extra_headers"]:
        found["extraHeaders"] = dict(params["extra_headers"])
    if params["config"]:
        found["config"] = dict(params["config"])
    return found


def plan(before: Row | None, after: Row | None, force: bool) -> str:
    """``put``, ``delete`` or ``""``."""
    if after is None:
        return "delete" if before is not None else ""
    return "put" if force or before != after else ""


def looks_private(url: str) -> bool:
    """Whether Langfuse refuses this address unless it is allowed. Names that only its own DNS knows cannot be judged."""
    host = (urlsplit(url).hostname or "").lower()
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith(_PRIVATE_SUFFIXES) or "." not in host


def allow_hint(url: str) -> str:
    """What lets Langfuse use a private address."""
    host = urlsplit(url).hostname
    return (
        f"Name {host} in langfuse_llm_allowed_hosts (what langfuse_litellm_url names is allowed already) and run site first: it "
        f"gives web and the worker {ALLOW}."
    )


class Connections:
    """The calls, each raising Failure only."""

    def __init__(self, client: http_client.Client, authorization: str) -> None:
        self._client = client
        self._headers = {"Authorization": authorization}

    def find(self, provider: str) -> dict[str, Any] | None:
        page = 1
        while True:
            answer = self._request("GET", f"{PATH}?page={page}&limit={PAGE}")
            found = answer.json()
            if answer.status != 200 or not isinstance(found, dict) or not isinstance(found.get("data"), list):
                raise trace.refusal(answer, PATH)
            for row in found["data"]:
                if row.get("provider") == provider:
                    return dict(row)
            if page >= int((found.get("meta") or {}).get("totalPages") or 0):
                return None
            page += 1

    def put(self, document: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._request("PUT", PATH, document)
        found = answer.json()
        if answer.status in (200, 201) and isinstance(found, dict):
            return found
        raise refusal(answer, document.get("baseURL") or "")

    def delete(self, identity: str) -> None:
        answer = self._request("DELETE", f"{PATH}/{quote(identity, safe='')}")
        if answer.status not in (200, 404):
            raise trace.refusal(answer, PATH)

    def _request(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> http_client.Response:
        try:
            return self._client.request(method, path, document, self._headers, trace.HANG)
        except http_client.Unreachable as error:
            raise trace.unreachable(error, trace.HANG) from None


def refusal(answer: http_client.Response, url: str) -> Failure:
    """Why a PUT was refused. Texts are those of Langfuse 4.16.0."""
    found = answer.json()
    said = str(found.get("message")) if isinstance(found, dict) else ""
    if answer.status == 400 and "Blocked" in said:
        return Failure("llm_address_private", f"Langfuse does not call {url}: {said}.", allow_hint(url))
    if answer.status == 400 and "DNS lookup failed" in said:
        cure = (
            "Correct base_url (langfuse_litellm_url), or make the name known to web (langfuse_compose_networks, DNS, "
            f"langfuse_extra_hosts). {allow_hint(url) if looks_private(url) else ''}"
        )
        return Failure("llm_name_unknown", f"Langfuse does not call {url}: {said}.", cure.rstrip())
    if answer.status == 400 and "baseURL" in said:
        return Failure("bad_option", f"Langfuse refuses base_url: {said}.", "Correct base_url (langfuse_litellm_url).")
    if answer.status == 400:
        return Failure(
            "bad_option", f"Langfuse refuses the connection: {answer.text()}.", "Correct the option it names."
        )
    if answer.status == 500 and "ENCRYPTION_KEY" in answer.text():
        cure = "Run site: it gives web and the worker the same ENCRYPTION_KEY (langfuse_encryption_key, 64 hexadecimal digits)."
        return Failure("encryption_key_missing", f"Langfuse cannot encrypt the secret: {answer.text()}.", cure)
    return trace.refusal(answer, PATH)


def ensure(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """``params`` are the module's. Gives ``{changed, id, connection, diff, warnings}``, or raises Failure."""
    wrong = problems(params)
    if wrong:
        raise Failure("bad_option", " ".join(wrong), "Nothing was sent.", problems=wrong)
    after = None if params["state"] == "absent" else wanted(params)
    authorization = http_client.basic(params["public_key"], params["secret_key"])
    with contextlib.closing(args.client(dict(params), params["url"])) as client:
        connections = Connections(client, authorization)
        found = connections.find(params["provider"])
        before = None if found is None else seen(found)
        step = plan(before, after, params["force_update"])
        identity = None if found is None else found.get("id")
        if step == "put" and not check_mode:
            stored = connections.put(body(params))
            identity, after = stored.get("id"), seen(stored)
        if step == "delete" and not check_mode:
            connections.delete(str(identity))
    return {
        "changed": bool(step),
        "id": identity if after is not None else None,
        "connection": after,
        "diff": _diff(before, after, step),
        "warnings": _warnings(before, after) if step == "put" and check_mode else [],
    }


def _diff(before: Row | None, after: Row | None, step: str) -> dict[str, Any]:
    if not step:
        return {"before": {}, "after": {}}
    if step == "put" and before == after:
        return {"before": {}, "after": {"secret": "sent again (force_update)"}}
    old, new = before or {}, after or {}
    names = [name for name in [*new, *(n for n in old if n not in new)] if old.get(name) != new.get(name)]
    return {
        "before": {name: old[name] for name in names if name in old},
        "after": {name: new[name] for name in names if name in new},
    }


def _warnings(before: Row | None, after: Row | None) -> list[str]:
    """What only the application can judge when it is asked in earnest."""
    url = (after or {}).get("base_url")
    if not url or url == (before or {}).get("base_url") or not looks_private(url):
        return []
    return [f"Langfuse will refuse {url} unless it is allowed. {allow_hint(url)}"]
