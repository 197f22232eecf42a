#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubernetes_remove
short_description: Take an instance out of a cluster
version_added: 0.1.0
author: The llmops.langfuse contributors (@llmops)
description:
  - Removes the objects that M(llmops.langfuse.kubernetes_apply) made for an instance, by their labels. Routes and autoscalers go first, then web,
    workers and ended migrations, then stores, and at last what all these read. Each time it waits until the pods have ended in their own time.
  - Volumes, databases of CloudNativePG and Secrets with keys stay, unless O(data=true) or O(remove) names them. What runs only to serve them goes
    in any case, because the next M(llmops.langfuse.kubernetes_apply) makes it again.
  - A migration that runs is waited for. The namespace is never removed, nor is anything without the labels of the instance.
extends_documentation_fragment:
  - llmops.langfuse.kubernetes_instance
options:
  objects:
    description:
      - Objects that stay, in the form in which they have no pods, as the filter P(llmops.langfuse.kubernetes_objects#filter) returns them for an
        instance that is switched off. Those that are not there are not made.
    type: raw
    required: true
  elsewhere:
    description: Further namespaces in which routes of the instance are looked for, where the account may not list them in the whole cluster.
    type: list
    elements: str
    default: []
  data:
    description: Whether volumes, databases and keys go too. Nothing brings them back.
    type: bool
    default: false
  remove:
    description: Single ones of them that go, each C(Kind/name), like C(PersistentVolumeClaim/data-langfuse-valkey-0).
    type: list
    elements: str
    default: []
  existing_secrets:
    description: Secrets of the namespace that somebody else keeps. They stay, also under names that the instance has for its own.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that an object which stays has to stop its pods.
    type: int
    default: 300
  migration_timeout:
    description: Seconds that are waited for a migration. It is not ended after that.
    type: int
    default: 1800
attributes:
  check_mode:
    support: full
    description: Says what would go.
  diff_mode:
    support: full
    description: Each object that goes.
"""

EXAMPLES = r"""
- name: Take the instance away, and keep its data
  llmops.langfuse.kubernetes_remove:
    instance: langfuse
    namespace: ai-system
    objects: []
"""

RETURN = r"""
removed:
  description: Objects that went.
  returned: success
  type: list
  elements: str
  sample: [Deployment langfuse-web in ai-system]
stopped:
  description: Objects that stay and were put to sleep.
  returned: success
  type: list
  elements: str
  sample: [Cluster langfuse-postgresql in ai-system]
kept:
  description: Objects that stay, each with the reason.
  returned: success
  type: list
  elements: dict
  sample:
    - object: PersistentVolumeClaim data-langfuse-clickhouse-0 in ai-system
      why: holds the volume and its data
unseen:
  description: Where the account may not look for objects of operators, and for routes.
  returned: success
  type: list
  elements: str
  sample: [scaledobjects in ai-system]
code:
  description: What kind of failure it is, like C(forbidden) or C(not_removed).
  returned: failure
  type: str
cure:
  description: What to do.
  returned: failure
  type: str
"""

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils.args import CHANGES_SPEC, INSTANCE_SPEC
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.apply import Options
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import Cluster
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.removal import Remover


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    options = Options.of(params)
    cluster = Cluster(params["kubeconfig"], params["context"])
    owner = Owner(params["instance"], params["namespace"])
    remover = Remover(cluster, owner, options, check_mode, params["data"])
    return remover.remove(json.loads(params["objects"])).as_result()


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "objects": {"type": "raw", "required": True, "no_log": True},
            **INSTANCE_SPEC,
            "data": {"type": "bool", "default": False},
            **CHANGES_SPEC,
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
