#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubernetes_consumer
short_description: Give pods of a cluster the address and the keys of an instance
version_added: 0.1.0
author: The llmops.langfuse contributors (@llmops)
description:
  - Keeps a Secret with the names that senders read, in the namespace of the sender, and on request a ConfigMap with its configuration. They are
    applied server-side as the field manager C(llmops.langfuse.connect). An object of somebody else by that name is refused, other keys in it stay.
  - With O(prove=true) the Secret is read back, and a trace is sent with its keys to its address. That says nothing of the sender's own client.
  - Pods read the Secret with C(envFrom) when they start. None is started anew.
requirements:
  - kubernetes
options:
  instance:
    description: Name of the instance.
    type: str
    required: true
  namespace:
    description: Namespace of the instance.
    type: str
    required: true
  kind:
    description: What sends.
    type: str
    choices: [env, litellm, otel_collector]
    required: true
  state:
    description: With V(absent) the objects are removed, unless they are somebody else's.
    type: str
    choices: [present, absent]
    default: present
  consumer_namespace:
    description: Namespace of the pods that send. It must be there.
    type: str
    required: true
  secret:
    description: Name of the Secret.
    type: str
    required: true
  config_map:
    description:
      - Name of a ConfigMap for V(litellm) and V(otel_collector). Its key C(config.yaml) is what their own configuration file has to have, C(values.yaml)
        the values of their Helm charts that name the Secret and that configuration.
    type: str
  values:
    description: Names and values of the Secret that may be seen.
    type: dict
    default: {}
  secret_values:
    description: Those that may not.
    type: dict
    default: {}
  callback:
    description: Callback of LiteLLM.
    type: str
    choices: [langfuse_otel, langfuse]
    default: langfuse_otel
  log_messages:
    description: Whether LiteLLM sends prompts and answers.
    type: bool
  tags:
    description: Facts of each request whose values LiteLLM adds as tags.
    type: list
    elements: str
    default: []
  pipelines:
    description: Pipelines of the Collector that export to Langfuse.
    type: list
    elements: str
    default: [traces]
  prove:
    description: Sends a trace instead of changing anything. Not done in check mode.
    type: bool
    default: false
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
extends_documentation_fragment:
  - llmops.langfuse.cluster
attributes:
  check_mode:
    support: full
    description: The API server says in a dry run what would change.
  diff_mode:
    support: full
    description: Of the Secret only names.
seealso:
  - module: llmops.langfuse.langfuse_consumer
"""

EXAMPLES = r"""
- name: Let the gateway of another team send
  llmops.langfuse.kubernetes_consumer:
    instance: langfuse
    namespace: ai-system
    kind: litellm
    consumer_namespace: gateway
    secret: langfuse-keys
    config_map: langfuse-values
    values:
      LANGFUSE_HOST: http://langfuse-web.ai-system.svc.cluster.local:3000
      LANGFUSE_BASE_URL: http://langfuse-web.ai-system.svc.cluster.local:3000
      LANGFUSE_PUBLIC_KEY: "{{ public_key }}"
    secret_values:
      LANGFUSE_SECRET_KEY: "{{ secret_key }}"
"""

RETURN = r"""
url:
  description: Address that the Secret names.
  type: str
  returned: with O(prove)
proved:
  description: What was seen, as a sentence.
  type: str
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
  description: Stable name of what is wrong, like V(foreign_object), V(no_namespace), V(names_missing), or of M(llmops.langfuse.langfuse_trace).
  type: str
  returned: failure
cure:
  description: What to do.
  type: str
  returned: failure
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import args
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes import senders
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import Cluster


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    # Without it the kubeconfig of whoever runs this.
    place = params["cluster"] or {"kubeconfig": None, "context": None, "domain": "cluster.local"}
    cluster, params = Cluster(place["kubeconfig"], place["context"]), {**params, "cluster": place}
    if params["prove"] and not check_mode:
        return senders.prove(cluster, params)
    return senders.ensure(cluster, params, check_mode)


def main() -> None:
    names = ("kind", "state", "callback", "log_messages", "tags", "pipelines", "config_map")
    needed: dict[str, Any] = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            **{name: args.CONSUMER_SPEC[name] for name in names},
            "callback": {**args.CONSUMER_SPEC["callback"], "choices": ["langfuse_otel", "langfuse"]},
            "instance": needed,
            "namespace": needed,
            "consumer_namespace": needed,
            "secret": {**needed, "no_log": False},
            "values": {"type": "dict", "default": {}},
            "secret_values": {"type": "dict", "default": {}, "no_log": True},
            "prove": {"type": "bool", "default": False},
            "ca_path": {"type": "path"},
            "validate_certs": {"type": "bool", "default": True},
            "timeout": {"type": "float", "default": 60.0},
            "cluster": args.CLUSTER_SPEC,
        },
        supports_check_mode=True,
    )
    try:
        result = run(module.params, module.check_mode)
    except Failure as failure:
        module.fail_json(**failure.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
