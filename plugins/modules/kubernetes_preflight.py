#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubernetes_preflight
short_description: Look whether a cluster can carry an instance
version_added: 0.1.0
author: The llmops.langfuse contributors (@llmops)
description:
  - Looks at versions, kinds, rights of the account, names that are taken, keys and places of stored data, storage classes, the gateway and quotas, has the
    API server say in a dry run what it would refuse, and changes nothing.
  - A Secret of somebody else that is missing, and that External Secrets is about to make, is waited for, a minute at the most.
  - It does not fail for what it finds. The caller decides by RV(errors).
extends_documentation_fragment:
  - llmops.langfuse.kubernetes_instance
options:
  objects:
    description:
      - Objects as the filter P(llmops.langfuse.kubernetes_objects#filter) returns them, a list.
      - The action plugin of the same name hands them over as JSON, which is hidden as a whole.
    type: raw
    required: true
  new_secrets:
    description: Names of keys that were drawn in this run. They are refused where data is that other keys protect.
    type: list
    elements: str
    default: []
  reaches:
    description: Namespaces of others whose Services are reached from here, such as those of stores.
    type: list
    elements: str
    default: []
  connects:
    description: Namespaces of others into which the playbook C(connect) writes, each with a list of resources, like C(secrets).
    type: dict
    default: {}
  moved_stores:
    description: Stores whose data has been moved to where the objects now have them. Another place of other stores is refused once the instance has data.
    type: list
    elements: str
    default: []
  services:
    description: Services of others that the instance's network policies open. They act on ports of pods, and one that they leave closed is told.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: Name of the Service as the settings have it.
        type: str
        required: true
      name:
        description: Name of the Service.
        type: str
        required: true
      namespace:
        description: Namespace of the Service.
        type: str
        required: true
      ports:
        description: Ports that are open towards it.
        type: list
        elements: int
        required: true
attributes:
  check_mode:
    support: full
    description: It changes nothing.
  diff_mode:
    support: none
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Look whether the cluster can carry the instance
  llmops.langfuse.kubernetes_preflight:
    instance: langfuse
    namespace: ai-system
    objects: "{{ plan | llmops.langfuse.kubernetes_objects(secrets) }}"
  register: preflight
"""

RETURN = r"""
version:
  description: Version of the API server.
  returned: success
  type: str
  sample: v1.36.3
new:
  description: Whether the cluster has no object of the instance.
  returned: success
  type: bool
findings:
  description: What was found, each with C(code), C(level), C(what) and C(cure).
  returned: success
  type: list
  elements: dict
errors:
  description: What stands in the way, as sentences.
  returned: success
  type: list
  elements: str
roles:
  description:
    - ClusterRole and Roles with the least rights that the account needs, ready to be bound to it.
    - To list routes and their grants in the whole cluster is among them, and is not demanded. It finds those in namespaces that the settings no longer
      name. The same is true of Deployments, which tell operators that do not run, and of LimitRanges, which tell pods that a quota refuses.
  returned: success
  type: list
  elements: dict
"""

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils.args import INSTANCE_SPEC
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.finding import tell
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import Cluster
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner, in_waves
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.others import settled
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.preflight import findings
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.references import followed
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.rights import helpful, needed, roles
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.survey import survey


def run(params: dict[str, Any]) -> dict[str, Any]:
    given = [one for wave in in_waves(json.loads(params["objects"])) for one in wave]
    owner = Owner(params["instance"], params["namespace"])
    cluster = Cluster(params["kubeconfig"], params["context"])
    theirs = settled(cluster, given)
    wanted = followed(given, theirs.contents)
    reaches, connects = params["reaches"], params["connects"]
    facts = survey(
        cluster,
        wanted,
        owner,
        params["new_secrets"],
        reaches,
        params["moved_stores"],
        theirs,
        connects,
        params["services"],
    )
    found = findings(wanted, owner, facts)
    return {
        "changed": False,
        "version": facts.version,
        "new": not any(map(owner.has, facts.live.values())),
        "findings": found,
        "errors": [tell(one) for one in found],
        "roles": roles([*needed(wanted, owner, reaches, connects), *helpful(wanted, owner)], owner),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "objects": {"type": "raw", "required": True, "no_log": True},
            **INSTANCE_SPEC,
            "new_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "reaches": {"type": "list", "elements": "str", "default": []},
            "connects": {"type": "dict", "default": {}},
            "services": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "host": {"type": "str", "required": True},
                    "name": {"type": "str", "required": True},
                    "namespace": {"type": "str", "required": True},
                    "ports": {"type": "list", "elements": "int", "required": True},
                },
            },
            "moved_stores": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module.params)
    except Failure as failure:
        module.fail_json(**failure.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
