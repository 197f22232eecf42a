#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubernetes_apply
short_description: Bring the objects of an instance in a cluster to what is wanted
version_added: 0.1.0
author: The llmops.langfuse contributors (@llmops)
description:
  - Applies the objects of P(llmops.langfuse.kubernetes_objects#filter) server-side, as the field manager C(llmops.langfuse), over one connection.
  - First it looks at everything. An object of somebody else by a wanted name, a field that somebody else sets, and whatever the cluster
    refuses in a dry run (rights, quotas, webhooks, unknown kinds), are told together, and nothing is applied. A namespace that is
    missing is made for the last part of that, because values and quotas are looked at only inside of it, and is removed again if something is refused.
  - Then objects are applied wave by wave. A wave is ready before the next begins, and what does not become ready is told with its reason from
    the status of pods and from events.
  - A field that a person changed with a tool, such as C(kubectl edit), is set back, and what was added beside is taken away. Labels and annotations
    of others stay.
  - A Job of a migration is made when it has not run. One that failed is made anew, one that runs is waited for and never ended.
  - Secrets of somebody else that pods read are read too, and the pods marked with a keyed fingerprint of what they read there. So a change rolls exactly
    its readers, and a migration among them is made anew.
  - Objects with the labels of the instance that are not wanted any more are removed, except what data or keys go with.
extends_documentation_fragment:
  - llmops.langfuse.kubernetes_instance
options:
  objects:
    description:
      - Objects as the filter P(llmops.langfuse.kubernetes_objects#filter) returns them, a list.
      - The action plugin of the same name hands them over as JSON, which is hidden as a whole.
    type: raw
    required: true
  elsewhere:
    description:
      - Further namespaces in which routes of the instance are looked for, to remove them when they are no longer wanted.
      - An account that may list them in the whole cluster finds them all without.
    type: list
    elements: str
    default: []
  remove:
    description:
      - Objects that are removed although data or keys go with them, when they are no longer wanted. Each is C(Kind/name), like C(Cluster/langfuse-postgresql).
      - A name that is not there is a warning.
    type: list
    elements: str
    default: []
  existing_secrets:
    description: Secrets of the namespace that somebody else keeps. They stay, also under names that the instance has for its own.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that each wave has to become ready.
    type: int
    default: 300
  migration_timeout:
    description: Seconds that are waited for a migration. It is not ended after that.
    type: int
    default: 1800
attributes:
  check_mode:
    support: full
    description: The API server says in a dry run what would change. Of a namespace that is not there only kinds, rights and fields are asked.
  diff_mode:
    support: full
    description: A line for each value that differs. Of Secrets only the names of keys.
"""

EXAMPLES = r"""
- name: Apply the instance
  llmops.langfuse.kubernetes_apply:
    instance: langfuse
    namespace: ai-system
    objects: "{{ plan | llmops.langfuse.kubernetes_objects(secrets) }}"

- name: Apply it without PostgreSQL of its own, whose data is elsewhere now
  llmops.langfuse.kubernetes_apply:
    instance: langfuse
    namespace: ai-system
    objects: "{{ plan | llmops.langfuse.kubernetes_objects(secrets) }}"
    remove: [Cluster/langfuse-postgresql, Database/langfuse-postgresql]
"""

RETURN = r"""
applied:
  description: Objects that were made or changed; after a failure those before it. The next run goes on from there.
  returned: success, and when a wave failed
  type: list
  elements: dict
  contains:
    object:
      description: Kind, name and namespace.
      type: str
    action:
      description: What happened to it.
      type: str
  sample:
    - {object: Deployment langfuse-web in ai-system, action: changed}
removed:
  description: Objects that were no longer wanted.
  returned: success
  type: list
  elements: str
  sample: [Job langfuse-migrate-0a1b2c3d4e in ai-system]
kept:
  description: Objects that are no longer wanted and stay, each with the reason.
  returned: success
  type: list
  elements: dict
  sample:
    - object: Cluster langfuse-postgresql in ai-system
      why: holds PostgreSQL with its volumes; write Cluster/langfuse-postgresql into langfuse_kubernetes_remove to have it removed
unseen:
  description: Where the account may not look for objects that are no longer wanted.
  returned: success
  type: list
  elements: str
  sample: [scaledobjects in ai-system]
code:
  description: What kind of failure it is, like C(foreign_object), C(applied_by_flux), C(forbidden), C(image) or C(not_ready).
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
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.apply import Applier, Options
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.client import Cluster
from ansible_collections.llmops.langfuse.plugins.module_utils.kubernetes.objects import Owner


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    options = Options.of(params)
    cluster = Cluster(params["kubeconfig"], params["context"])
    owner = Owner(params["instance"], params["namespace"])
    return Applier(cluster, owner, options, check_mode).run(json.loads(params["objects"])).as_result()


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "objects": {"type": "raw", "required": True, "no_log": True},
            **INSTANCE_SPEC,
            **CHANGES_SPEC,
        },
        supports_check_mode=True,
    )
    try:
        result = run(module.params, module.check_mode)
    except Failure as failure:
        module.fail_json(**failure.as_result())
    for text in result.pop("warnings"):
        module.warn(text)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
