# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What sends to an instance, as the role connect leaves it."""

    DOCUMENTATION = r"""
options:
  consumers:
    description: What sends to the instance from this host, as the role C(connect) leaves it.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: What it is.
        type: str
        choices: [env, litellm, otel_collector]
        required: true
      state:
        description: One that is V(absent) is not looked at.
        type: str
        choices: [present, absent]
        default: present
      env_path:
        description: Its C(.env) file on a host, or O(consumers[].secret) in a cluster.
        type: path
      config_path:
        description: Its configuration file, edited by M(llmops.langfuse.sender_config).
        type: path
      namespace:
        description: Namespace of O(consumers[].secret).
        type: str
      secret:
        description: Secret that its pods read, made by M(llmops.langfuse.kubernetes_consumer).
        type: str
      config_map:
        description: ConfigMap with its configuration, made by the same module.
        type: str
      url:
        description: How it reaches Langfuse.
        type: str
        required: true
      values:
        description: Names and values that its C(.env) has to have, beside O(consumers[].secret_names).
        type: dict
        default: {}
      secret_names:
        description: Names of the secrets that it has to have, C(LANGFUSE_SECRET_KEY) and C(LANGFUSE_BASIC), the pair of keys.
        type: list
        elements: str
        default: [LANGFUSE_SECRET_KEY]
      absent_names:
        description: Names that its C(.env) must not have.
        type: list
        elements: str
        default: []
      callback:
        description: Callback of LiteLLM.
        type: str
        default: langfuse_otel
      log_messages:
        description: Whether LiteLLM sends prompts and answers.
        type: bool
      tags:
        description: Tags that LiteLLM adds.
        type: list
        elements: str
        default: []
      pipelines:
        description: Pipelines of the Collector.
        type: list
        elements: str
        default: [traces]
      project_directory:
        description: Directory of its Compose project, with O(consumers[].service).
        type: path
      service:
        description: Service whose container reads the files.
        type: str
      proof_url:
        description: A LiteLLM proxy as this host reaches it. It is asked where a trace came back, and its own trace must come too.
        type: str
      proof_model:
        description: A model of it that has a C(mock_response), with O(consumers[].proof_url).
        type: str
      proof_secret:
        description: Name of its key in O(consumer_keys).
        type: str
  consumer_keys:
    description: Keys of LiteLLM proxies by the names in O(consumers[].proof_secret).
    type: dict
    default: {}
"""
