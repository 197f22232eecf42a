#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sender_config
short_description: Send to Langfuse from a LiteLLM proxy or an OpenTelemetry Collector
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Merges into the configuration file of a LiteLLM proxy its callback to Langfuse, or into that of an OpenTelemetry
    Collector an exporter and its place in pipelines.
  - Everything else in the file stays, comments and order included. A file that needs no change is not written.
  - No key is written. Both read C(LANGFUSE_PUBLIC_KEY) and its like from their environment (see M(llmops.langfuse.dotenv)).
options:
  path:
    description: The configuration file. It must exist.
    type: path
    required: true
  kind:
    description: Whose file it is.
    type: str
    choices: [litellm, otel_collector]
    required: true
  state:
    description:
      - V(absent) takes the callbacks, or the exporter, out again.
      - Taking out fails where that would leave a pipeline without an exporter, with which the Collector does not start.
    type: str
    choices: [present, absent]
    default: present
  callback:
    description:
      - LiteLLM's callback. The other one is taken out, because each makes a trace of its own of every call.
      - V(langfuse_otel) needs nothing beside LiteLLM, V(langfuse) needs the package C(langfuse) below version 5.
    type: str
    choices: [langfuse_otel, langfuse]
    default: langfuse_otel
  log_messages:
    description: Whether LiteLLM sends prompts and answers (C(turn_off_message_logging)), to any logger. What is there stays where this is not given.
    type: bool
  tags:
    description:
      - Facts of each request whose values become tags (C(langfuse_default_tags)), such as V(cache_hit), V(cache_key),
        V(proxy_base_url), V(user_api_key_alias), or a key of the request's metadata. No tags of your own.
      - With O(callback=langfuse) only; the other one does not read them.
    type: list
    elements: str
    default: []
  pipelines:
    description:
      - Pipelines of the Collector that export to Langfuse. They must exist and be for traces.
      - The exporter is taken out of all others.
    type: list
    elements: str
    default: [traces]
attributes:
  check_mode:
    description: Says what would change, and whether it could be written.
    support: full
  diff_mode:
    description: Shows the sections that are edited, as data. Values that may be secrets are not shown.
    support: full
requirements:
  - ruamel.yaml (Python)
notes:
  - Where something has to be written, a list that is indented in another way than the first one of the file is indented like it.
seealso:
  - module: llmops.langfuse.dotenv
"""

EXAMPLES = r"""
- name: Trace what goes through the gateway, without prompts and answers
  llmops.langfuse.sender_config:
    path: /srv/gateway/config.yaml
    kind: litellm
    log_messages: false

- name: Export the traces of the Collector
  llmops.langfuse.sender_config:
    path: /etc/otelcol/config.yaml
    kind: otel_collector
    pipelines: [traces, traces/batch]
"""

RETURN = r"""
path:
  description: The file.
  type: str
  returned: success
code:
  description:
    - Stable name of what is wrong. One of V(bad_option), V(bad_file), V(file_missing), V(file_unreadable),
      V(directory_missing), V(file_unwritable), V(pipeline_missing), V(last_exporter),
      V(missing_library).
  type: str
  returned: failure
cure:
  description: What to do.
  type: str
  returned: failure
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import edited_file, sender_config, yaml_file
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

_SECRET = re.compile(r"key|secret|password|token|authorization|credential|headers", re.IGNORECASE)
_REFERENCE = re.compile(r"(Basic )?\$\{env:\w+\}|os\.environ/\w+")


def shown(document: Any, names: tuple[str, ...]) -> str:
    """The edited sections of a file for a diff, with possible secrets hidden."""
    part = {name: document[name] for name in names if name in document}
    return json.dumps(_hidden(part, False), indent=2, default=str) + "\n"


def _hidden(value: Any, secret: bool) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(item, secret or bool(_SECRET.search(str(key)))) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item, secret) for item in value]
    if secret and isinstance(value, str) and len(value) > 1 and not _REFERENCE.match(value):
        return "(not shown)"
    return re.sub(r"//[^/@]*@", "//(not shown)@", value) if isinstance(value, str) else value


def sections(before: Any, after: Any) -> tuple[str, ...]:
    """Top-level sections that changed."""
    return tuple(name for name in dict.fromkeys([*before, *after]) if before.get(name) != after.get(name))


def ensure(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    path = params["path"]
    if params["tags"] and params["callback"] != "langfuse":
        raise Failure("bad_option", "tags is set, and only the callback langfuse reads it.", "Remove it.")
    text = edited_file.read(path)
    if text is None:
        if params["state"] == "absent":
            return {"changed": False, "path": path}
        raise Failure(
            "file_missing", f"There is no file {path}.", "Name the configuration file that is in use; it is not made."
        )
    edit = sender_config.EDITS[params["kind"]]
    new, before, after = yaml_file.edited(text, path, lambda document: edit(document, params))
    changed = new != text
    if changed:
        edited_file.check_writable(path)
        if not check_mode:
            edited_file.write(path, new)
    names = sections(before, after)
    diff = {"before": shown(before, names), "after": shown(after, names), "before_header": path, "after_header": path}
    return {"changed": changed, "path": path, "diff": diff}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "kind": {"type": "str", "choices": list(sender_config.EDITS), "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "callback": {"type": "str", "choices": list(sender_config.CALLBACKS), "default": "langfuse_otel"},
            "log_messages": {"type": "bool"},
            "tags": {"type": "list", "elements": "str", "default": []},
            "pipelines": {"type": "list", "elements": "str", "default": ["traces"]},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**ensure(module.params, module.check_mode))
    except Failure as failure:
        module.fail_json(**failure.as_result())


if __name__ == "__main__":
    main()
