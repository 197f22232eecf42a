#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: langfuse_llm_connection
short_description: LLM connections of a Langfuse project
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Ensures that a project has a connection to a model provider, for the playground and for evaluators, or that it is gone.
  - The name of the connection (O(provider)) is its key. Langfuse replaces the whole connection at each change, so that
    what is not given is cleared.
  - All options are held against the rules of their adapter before anything is sent, and all that is wrong comes in one
    message.
options:
  public_key:
    required: true
  secret_key:
    required: true
  provider:
    description: Name of the connection, unique in the project.
    type: str
    required: true
  state:
    description:
      - Whether the connection exists.
      - V(absent) is not refused while evaluators use the connection. Langfuse then blocks these evaluators until they
        get another one.
    type: str
    choices: [present, absent]
    default: present
  adapter:
    description: The API that is spoken. An OpenAI compatible gateway (LiteLLM, vLLM, Ollama) is V(openai).
    type: str
    choices: [anthropic, openai, azure, bedrock, google-vertex-ai, google-ai-studio]
  llm_secret_key:
    description:
      - The provider's key, as text. Required with O(state=present), because Langfuse wants it at each change.
      - With V(bedrock) a mapping (or its JSON) with C(accessKeyId) and C(secretAccessKey), or with C(apiKey). With
        V(google-vertex-ai) the key of a service account. C(__BEDROCK_DEFAULT_CREDENTIALS__) and
        C(__VERTEXAI_DEFAULT_CREDENTIALS__) take the credentials of the containers' environment.
      - Langfuse never shows the key again but for its last four characters, and these are what is compared. A new key
        that ends in the same four is not noticed. Use O(force_update) then.
      - Of a service account key, the end of C(private_key_id) is what is compared.
    type: raw
  base_url:
    description:
      - Address of the API, where it is not the adapter's own.
      - Langfuse refuses private, loopback and link-local addresses, names that its container does not resolve, and
        names such as C(localhost) or C(*.internal). An address of one's own must be in
        C(LANGFUSE_LLM_CONNECTION_WHITELISTED_HOST) (names without port), C(LANGFUSE_LLM_CONNECTION_WHITELISTED_IPS) or
        C(LANGFUSE_LLM_CONNECTION_WHITELISTED_IP_SEGMENTS) of both web and worker. Web checks when the address changes,
        the worker when it calls.
    type: str
  custom_models:
    description: Models beside, or instead of, the adapter's own.
    type: list
    elements: str
    default: []
  with_default_models:
    description: Whether the adapter's own models are offered.
    type: bool
    default: true
  extra_headers:
    description:
      - Headers sent with each call. Values are text and secret.
      - Langfuse shows their names only, so that a changed value is not noticed. Use O(force_update) then.
      - As with all secrets, Ansible replaces these values wherever else they stand in the result.
    type: dict
    default: {}
  config:
    description:
      - C(region) for V(bedrock) (required), C(useResponsesApi) for V(openai), C(location) for V(google-vertex-ai).
        Other adapters take none.
    type: dict
    default: {}
  force_update:
    description:
      - Send the connection even if nothing that can be compared differs. Each run then counts as changed.
      - Use it for one run after a key that ends in the same four characters, or after a changed value of a header.
    type: bool
    default: false
extends_documentation_fragment:
  - llmops.langfuse.api
  - llmops.langfuse.cluster
attributes:
  check_mode:
    description:
      - Reads and compares. Whether Langfuse will accept a new O(base_url) only Langfuse can tell. An address that looks
        private gives a warning.
    support: full
  diff_mode:
    description: Shows what differs. Of secrets the last four characters, of headers the names.
    support: full
seealso:
  - module: llmops.langfuse.langfuse_trace
"""

EXAMPLES = r"""
- name: Let evaluators use the models behind LiteLLM
  llmops.langfuse.langfuse_llm_connection:
    url: http://127.0.0.1:3030
    public_key: "{{ langfuse_init_project_public_key }}"
    secret_key: "{{ langfuse_init_project_secret_key }}"
    provider: litellm
    adapter: openai
    llm_secret_key: "{{ litellm_master_key }}"
    base_url: http://litellm:4000/v1
    custom_models: [gpt-4o-mini]
    with_default_models: false

- name: Connect to Bedrock with the credentials of the containers
  llmops.langfuse.langfuse_llm_connection:
    url: https://langfuse.example.com
    public_key: "{{ langfuse_init_project_public_key }}"
    secret_key: "{{ langfuse_init_project_secret_key }}"
    provider: bedrock
    adapter: bedrock
    llm_secret_key: __BEDROCK_DEFAULT_CREDENTIALS__
    config:
      region: eu-central-1

- name: Remove a connection
  llmops.langfuse.langfuse_llm_connection:
    url: https://langfuse.example.com
    public_key: "{{ langfuse_init_project_public_key }}"
    secret_key: "{{ langfuse_init_project_secret_key }}"
    provider: litellm
    state: absent
"""

RETURN = r"""
id:
  description: Id of the connection. Empty where there is none, and where check mode would create it.
  type: str
  returned: success
connection:
  description:
    - The connection with C(provider), C(adapter), C(display_secret_key) (what Langfuse shows of the secret), C(base_url),
      C(custom_models), C(with_default_models), C(extra_header_keys) and C(config). Empty with O(state=absent).
  type: dict
  returned: success
  sample:
    provider: litellm
    adapter: openai
    display_secret_key: "...1234"
    base_url: http://litellm:4000/v1
    custom_models: [gpt-4o-mini]
    with_default_models: false
    extra_header_keys: []
    config: null
code:
  description:
    - Stable name of what is wrong. One of V(bad_option), V(llm_address_private), V(llm_name_unknown),
      V(encryption_key_missing), V(key_refused), V(web_down), V(web_stuck_500), V(name), V(tls), V(request_hangs), V(not_langfuse), V(refused).
  type: str
  returned: failure
cure:
  description: What to do.
  type: str
  returned: failure
problems:
  description: Everything that is wrong with the options.
  type: list
  elements: str
  returned: when options are wrong
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import args, llm_connection
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **args.API_SPEC,
            "cluster": args.CLUSTER_SPEC,
            "public_key": {"type": "str", "required": True},
            "secret_key": {"type": "str", "required": True, "no_log": True},
            "provider": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "adapter": {"type": "str", "choices": list(llm_connection.ADAPTERS)},
            "llm_secret_key": {"type": "raw", "no_log": True},
            "base_url": {"type": "str"},
            "custom_models": {"type": "list", "elements": "str", "default": []},
            "with_default_models": {"type": "bool", "default": True},
            "extra_headers": {"type": "dict", "default": {}, "no_log": True},
            "config": {"type": "dict", "default": {}},
            "force_update": {"type": "bool", "default": False},
        },
        required_if=[("state", "present", ["adapter", "llm_secret_key"])],
        supports_check_mode=True,
    )
    try:
        with args.reached(module.params["cluster"]):
            result = llm_connection.ensure(module.params, module.check_mode)
    except Failure as failure:
        module.fail_json(**failure.as_result())
    for text in result.pop("warnings"):
        module.warn(text)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
