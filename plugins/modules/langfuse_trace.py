#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: langfuse_trace
short_description: Send a trace to Langfuse and read it back
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Sends one trace of three spans (root, generation with tokens and cost, failed span) by OTLP/HTTP in JSON, waits until
    all of them can be read through C(/api/public/v2/observations), and compares every field that was sent.
  - A trace that came back equal proves web, key, event bucket, Redis, worker and ClickHouse at once.
    Langfuse's own health checks prove none of the last four.
  - The module never waits longer than O(timeout) plus one short request. It needs nothing but Python.
options:
  public_key:
    required: true
  secret_key:
    required: true
  timeout:
    description: Seconds within which the trace must be readable. An idle installation needs 0.2 to 1.1.
    type: float
    default: 60
  trace_name:
    description: Name of the trace and of its root span.
    type: str
    default: langfuse-verify
  environment:
    description:
      - Langfuse environment of the trace, so that it can be filtered out. Lower-case letters, digits, V(-) and V(_),
        at most 40 characters.
      - It may not begin with C(langfuse). The application keeps those for itself and, in the write modes C(dual) and
        C(legacy), drops such traces.
    type: str
    default: verify
  tags:
    description: Tags of the trace.
    type: list
    elements: str
    default: [verify]
  user_id:
    description: User of the trace. Empty for none.
    type: str
    default: verify
  session_id:
    description: Session of the trace. Empty for none.
    type: str
    default: verify
  metadata:
    description: Metadata of the trace. Values are sent as strings.
    type: dict
    default: {}
  delete:
    description:
      - Whether to ask Langfuse to delete the trace afterwards. It does so later, one job per two minutes.
        The raw object in the event bucket stays until a lifecycle rule of the bucket removes it.
    type: bool
    default: false
extends_documentation_fragment:
  - llmops.langfuse.api
attributes:
  check_mode:
    description: Sends nothing and returns RV(would_send).
    support: full
  diff_mode:
    description: There is no state to compare.
    support: none
notes:
  - C(changed) is always V(false). The trace is a probe in an environment of its own and not managed state,
    as a request of M(ansible.builtin.uri) is none.
seealso:
  - module: llmops.langfuse.langfuse_health
"""

EXAMPLES = r"""
- name: Prove that a trace arrives
  llmops.langfuse.langfuse_trace:
    url: http://127.0.0.1:3030
    public_key: "{{ langfuse_init_project_public_key }}"
    secret_key: "{{ langfuse_init_project_secret_key }}"
  register: trace

- name: Say how long it took
  ansible.builtin.debug:
    msg: "readable after {{ trace.timings.readable }} ms"
"""

RETURN = r"""
trace_id:
  description: Id of the trace, 32 hexadecimal digits.
  type: str
  returned: when a trace was built
  sample: ad982a50336c2337b45860bd96bedadc
timings:
  description:
    - Milliseconds of each hop. C(accepted) is the request that sent the trace, C(readable) runs from its answer until
      all spans could be read, C(compared) is the read of all fields.
  type: dict
  returned: when the trace was accepted
  sample: {accepted: 21.4, readable: 612.0, compared: 38.2}
attempts:
  description: How often was asked whether the trace is readable.
  type: int
  returned: when the trace was accepted
differences:
  description: What came back differently, each with C(span), C(field), C(sent) and C(read). Must be empty.
  type: list
  elements: dict
  returned: when the trace was readable
deleted:
  description: Whether the deletion was accepted.
  type: bool
  returned: success
would_send:
  description: The OTLP document.
  type: dict
  returned: in check mode
code:
  description:
    - Stable name of what is wrong. One of V(bad_option), V(name), V(web_down), V(web_stuck_500), V(tls),
      V(request_hangs), V(key_refused), V(s3_upload_failed), V(read_api_closed), V(read_failed), V(not_readable),
      V(different), V(not_langfuse), V(delete_refused), V(refused).
  type: str
  returned: failure
cure:
  description: What to do.
  type: str
  returned: failure
"""

import contextlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import args, http_client, otlp, trace
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    problem = otlp.environment_problem(params["environment"])
    if problem:
        message = f"environment {params['environment']!r} cannot be used: {problem}."
        raise Failure("bad_option", message, "Use a name such as 'verify'.")
    metadata = {str(key): str(value) for key, value in params["metadata"].items()}
    names = (params["trace_name"], params["environment"], params["tags"], params["user_id"], params["session_id"])
    built = otlp.build(trace.new_spec(*names, metadata))
    if check_mode:
        return {"changed": False, "trace_id": built.trace_id, "would_send": built.payload}
    authorization = http_client.basic(params["public_key"], params["secret_key"])
    with contextlib.closing(args.client(params, params["url"])) as client:
        outcome = trace.send_and_wait(client, authorization, built, params["timeout"])
        result: dict[str, Any] = {
            "changed": False,
            "trace_id": outcome.trace_id,
            "timings": outcome.timings,
            "attempts": outcome.attempts,
            "differences": outcome.differences,
            "deleted": False,
        }
        if outcome.differences:
            fields = ", ".join(f"{item['span']}.{item['field']}" for item in outcome.differences)
            message = f"Trace {outcome.trace_id} came back different in {fields}."
            raise Failure("different", message, "Compare the versions of web and worker: both must be equal.", **result)
        if params["delete"]:
            trace.delete(client, authorization, outcome.trace_id)
            result["deleted"] = True
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **args.API_SPEC,
            "public_key": {"type": "str", "required": True},
            "secret_key": {"type": "str", "required": True, "no_log": True},
            "timeout": {"type": "float", "default": 60.0},
            "trace_name": {"type": "str", "default": "langfuse-verify"},
            "environment": {"type": "str", "default": "verify"},
            "tags": {"type": "list", "elements": "str", "default": ["verify"]},
            "user_id": {"type": "str", "default": "verify"},
            "session_id": {"type": "str", "default": "verify"},
            "metadata": {"type": "dict", "default": {}},
            "delete": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except Failure as failure:
        module.fail_json(**failure.as_result())


if __name__ == "__main__":
    main()
