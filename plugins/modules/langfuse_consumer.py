#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: langfuse_consumer
short_description: Whether a sender has its keys, and whether they work
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Reads the C(.env) file of something that sends to Langfuse, and compares it with the container that uses it.
  - With O(prove=true) the keys and the address of the file send a trace and read it back, and the container must have them.
    That proves keys and address, not the client that the consumer sends with.
  - With O(proof_url) too, a LiteLLM proxy is asked, and its own client sends another trace that is read in Langfuse.
  - With O(pipelines) too, another trace is sent to the OTLP receiver of the Collector in the container, and read in Langfuse. Where
    that cannot be done (TLS, a login, a sampler, a receiver on localhost) RV(proved) says so.
  - It changes nothing.
options:
  env_path:
    description: The C(.env) file.
    type: path
    required: true
  config_path:
    description: A configuration file that the container reads at its start.
    type: path
  url:
    description: How the consumer reaches Langfuse. Without O(prove), which takes it from the file.
    type: str
    default: ""
  state:
    description: With V(absent) the container must not have the names, or have them empty.
    type: str
    choices: [present, absent]
    default: present
  project_directory:
    description: Directory of the Compose project of the consumer, with O(service).
    type: path
  service:
    description: Service whose container reads the files.
    type: str
  pipelines:
    description: Pipelines of an OpenTelemetry Collector, whose configuration is O(config_path), that export to Langfuse.
    type: list
    elements: str
    default: []
  proof_url:
    description:
      - A LiteLLM proxy as this host reaches it, whose configuration is O(config_path). Names of containers on networks of O(service) are known.
      - It is asked once for O(proof_model), and the trace that its own client sends is read in Langfuse.
    type: str
  proof_model:
    description:
      - A model of the proxy that has a C(mock_response) in its C(litellm_params), so that LiteLLM answers itself and no model is called.
      - One that has none is refused before anything is asked.
    type: str
  proof_key:
    description: Key of the proxy that may ask for O(proof_model). Not needed where the proxy wants none.
    type: str
  prove:
    description: Sends a trace. Not done in check mode.
    type: bool
    default: false
  networks:
    description: Docker networks on which the instance has names. The host asks their addresses of Docker.
    type: list
    elements: str
    default: []
  ca_path:
    description: PEM file of private authorities.
    type: path
  validate_certs:
    description: Whether certificates are checked.
    type: bool
    default: true
  timeout:
    description: Seconds within which the trace must be readable.
    type: float
    default: 60
attributes:
  check_mode:
    description: Only looks.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
seealso:
  - module: llmops.langfuse.dotenv
  - module: llmops.langfuse.langfuse_trace
"""

EXAMPLES = r"""
- name: Prove that the service sends with what its file says
  llmops.langfuse.langfuse_consumer:
    env_path: /srv/shop/ai-service/.env
    project_directory: /srv/shop
    service: ai-service
    networks: [shop_default]
    prove: true

- name: Prove that the gateway sends, by its own client
  llmops.langfuse.langfuse_consumer:
    env_path: /srv/gateway/.env
    config_path: /srv/gateway/config.yaml
    proof_url: http://127.0.0.1:4000
    proof_model: langfuse-proof
    proof_key: "{{ gateway_key }}"
    prove: true
"""

RETURN = r"""
stale:
  description: Names and files that the container does not have as they are now. It has to be recreated.
  type: list
  elements: str
  returned: without O(prove)
running:
  description: Whether the container runs.
  type: bool
  returned: without O(prove)
url:
  description: Address that the file names.
  type: str
  returned: with O(prove)
proved:
  description: What was seen, as a sentence.
  type: str
  returned: with O(prove)
container:
  description: Container whose environment was compared, or null without O(service).
  type: str
  returned: with O(prove)
unsaid:
  description: Names of Langfuse that the container has and the file does not say, such as a sample rate of its C(environment).
  type: list
  elements: str
  returned: with O(prove)
trace_id:
  description: The trace that was sent and read back.
  type: str
  returned: with O(prove)
timings:
  description: Milliseconds of each hop, as in M(llmops.langfuse.langfuse_trace).
  type: dict
  returned: with O(prove)
code:
  description:
    - Stable name of what is wrong. One of V(names_missing), V(project_refused), V(service_missing), V(project_elsewhere), V(url_is_itself),
      V(not_on_network), V(not_running), V(environment_old), V(environment_kept), V(collector_lost),
      V(gateway_model), V(gateway_silent), V(gateway_key), V(gateway_refused_request),
      V(gateway_other_file), V(gateway_callback), V(gateway_sdk), V(gateway_refused), V(gateway_address), V(gateway_lost),
      V(file_unreadable), V(docker_missing), V(network_missing), and
      those of M(llmops.langfuse.langfuse_trace).
  type: str
  returned: failure
cure:
  description: What to do.
  type: str
  returned: failure
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import consumer
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "env_path": {"type": "path", "required": True},
            "config_path": {"type": "path"},
            "url": {"type": "str", "default": ""},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "project_directory": {"type": "path"},
            "service": {"type": "str"},
            "pipelines": {"type": "list", "elements": "str", "default": []},
            "proof_url": {"type": "str"},
            "proof_model": {"type": "str"},
            "proof_key": {"type": "str", "no_log": True},
            "prove": {"type": "bool", "default": False},
            "networks": {"type": "list", "elements": "str", "default": []},
            "ca_path": {"type": "path"},
            "validate_certs": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 60.0},
        },
        required_together=[("project_directory", "service"), ("proof_url", "proof_model")],
        required_by={"proof_url": ("config_path",)},
        supports_check_mode=True,
    )
    proving = module.params["prove"] and not module.check_mode
    try:
        module.exit_json(**(consumer.prove if proving else consumer.look)(module.params))
    except Failure as failure:
        module.fail_json(**failure.as_result())


if __name__ == "__main__":
    main()
