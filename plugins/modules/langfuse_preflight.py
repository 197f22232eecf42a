#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: langfuse_preflight
short_description: Look whether a host can carry an instance
version_added: 0.1.0
author: The llmops.langfuse contributors (@llmops)
description:
  - Looks at Docker Engine and Compose, rights, memory, disk, ports, clock, processor and kernel settings, and at data that is already there.
  - Reports all findings at once and changes nothing.
options:
  project:
    description: Name of the Compose project.
    type: str
    required: true
  directory:
    description: Directory of the project.
    type: path
    required: true
  ports:
    description: Ports that the instance publishes.
    type: list
    elements: dict
    required: true
    suboptions:
      variable:
        description: Variable that chooses the port.
        type: str
        required: true
      address:
        description: Address that it is bound to.
        type: str
        required: true
      port:
        description: The port.
        type: int
        required: true
  memory_mib:
    description: Sum of the memory limits in MiB.
    type: int
    required: true
  disk_gib:
    description: Free space that there must be where the stores keep their data, in GiB.
    type: int
    required: true
  may_install_docker:
    description: Whether Docker will be installed when it is missing.
    type: bool
    required: true
  docker_repository:
    description: Whether an apt source with Docker's own packages is given, which an older Debian needs.
    type: bool
    default: false
  clickhouse_version:
    description: Version of ClickHouse.
    type: str
    required: true
  postgres_version:
    description: Version of PostgreSQL.
    type: str
    required: true
  new_secrets:
    description: Names of secrets that were just drawn and would orphan existing data.
    type: list
    elements: str
    default: []
  frozen:
    description: Secrets that may not differ from those that existing data was written with, by their environment name.
    type: dict
    required: true
  requirements:
    description: Content of the requirements file that the project's Python environment is made of.
    type: str
    required: true
  stores:
    description: Names of the stores.
    type: list
    elements: str
    default: []
  folders:
    description: Folder of each store's data by its name. Empty where named volumes hold it.
    type: dict
    default: {}
  store_places:
    description: Where each kind of store is, C(bundled) for one of the project's own.
    type: dict
    default: {}
  moved_stores:
    description: Kinds of stores whose data has been moved to where O(store_places) says.
    type: list
    elements: str
    default: []
  former_places:
    description: How an earlier version wrote the same places down.
    type: dict
    default: {}
  new:
    description: Whether the instance has no secrets from an earlier run.
    type: bool
    default: false
  sources:
    description: Paths of the host that containers mount.
    type: list
    elements: str
    default: []
  images:
    description: Images that must be on the host or in an archive, because nothing is pulled.
    type: list
    elements: str
    default: []
  networks:
    description: Docker networks of others that the instance joins.
    type: list
    elements: str
    default: []
  application:
    description: Names of the services that others find the instance by there.
    type: list
    elements: str
    default: []
  controller_time:
    description: Seconds since the epoch on the controller.
    type: float
    required: true
attributes:
  check_mode:
    support: full
    description: It only looks.
  diff_mode:
    support: none
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Look whether the host can carry the instance
  llmops.langfuse.langfuse_preflight:
    project: langfuse
    directory: /opt/langfuse/langfuse
    ports:
      - {variable: langfuse_web_port, address: 127.0.0.1, port: 3030}
    memory_mib: 9216
    disk_gib: 10
    may_install_docker: false
    clickhouse_version: "25.12"
    postgres_version: "17.11"
    frozen: {}
    requirements: "{{ lookup('ansible.builtin.file', 'requirements.txt') }}"
    controller_time: "{{ now().timestamp() }}"
"""

RETURN = r"""
findings:
  description: What was found, each with C(code), C(level) (error or warning), C(what) and C(cure).
  returned: always
  type: list
  elements: dict
healthy:
  description: Services of the project that have a healthy container.
  returned: always
  type: list
  elements: str
python:
  description: The interpreter that ran this module.
  returned: always
  type: str
python_ready:
  description: Whether the project's Python environment is complete.
  returned: always
  type: bool
errors:
  description: Findings that stand in the way, as sentences.
  returned: always
  type: list
  elements: str
hints:
  description: Findings that will hurt later, as sentences.
  returned: always
  type: list
  elements: str
docker:
  description: Whether Docker Engine answers.
  returned: always
  type: bool
packages:
  description: Debian packages that an installation will add. Empty unless O(may_install_docker).
  returned: always
  type: list
  elements: str
data:
  description: Where data of the instance is. Named volumes, and folders that hold something.
  returned: always
  type: list
  elements: str
unclear:
  description: Stores of others with another address, each with the one of the last run. Only they can tell whether they are the same.
  returned: always
  type: dict
  sample: {postgres: 'db:5432/langfuse'}
unclaimed:
  description: Stores of others that the instance has not used yet.
  returned: always
  type: list
  elements: str
missing_images:
  description: Which of O(images) are not on the host.
  returned: always
  type: list
  elements: str
"""

import sys

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.finding import tell
from ansible_collections.llmops.langfuse.plugins.module_utils.host import observe
from ansible_collections.llmops.langfuse.plugins.module_utils.networks import Joined
from ansible_collections.llmops.langfuse.plugins.module_utils.places import Places, unclaimed, unclear
from ansible_collections.llmops.langfuse.plugins.module_utils.preflight import Wanted, findings, packages


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            project=dict(type="str", required=True),
            directory=dict(type="path", required=True),
            ports=dict(
                type="list",
                elements="dict",
                required=True,
                options=dict(
                    variable=dict(type="str", required=True),
                    address=dict(type="str", required=True),
                    port=dict(type="int", required=True),
                ),
            ),
            memory_mib=dict(type="int", required=True),
            disk_gib=dict(type="int", required=True),
            may_install_docker=dict(type="bool", required=True),
            docker_repository=dict(type="bool", default=False),
            clickhouse_version=dict(type="str", required=True),
            postgres_version=dict(type="str", required=True),
            new_secrets=dict(type="list", elements="str", default=[], no_log=False),
            frozen=dict(type="dict", required=True, no_log=True),
            requirements=dict(type="str", required=True),
            stores=dict(type="list", elements="str", default=[]),
            folders=dict(type="dict", default={}),
            store_places=dict(type="dict", default={}),
            moved_stores=dict(type="list", elements="str", default=[]),
            former_places=dict(type="dict", default={}),
            new=dict(type="bool", default=False),
            sources=dict(type="list", elements="str", default=[]),
            images=dict(type="list", elements="str", default=[]),
            networks=dict(type="list", elements="str", default=[]),
            application=dict(type="list", elements="str", default=[]),
            controller_time=dict(type="float", required=True),
        ),
        supports_check_mode=True,
    )
    given = module.params
    places = Places(
        *(
            given[name]
            for name in ("stores", "folders", "sources", "images", "store_places", "moved_stores", "former_places")
        )
    )
    joined = Joined(given["networks"], given["application"], given["stores"])
    try:
        host = observe(
            given["project"],
            given["directory"],
            {p["variable"]: (p["address"], p["port"]) for p in given["ports"]},
            given["controller_time"],
            given["frozen"],
            given["requirements"],
            places,
            joined,
        )
    except Failure as failure:
        module.fail_json(**failure.as_result())
    wanted = Wanted(
        project=given["project"],
        memory_mib=given["memory_mib"],
        disk_gib=given["disk_gib"],
        may_install_docker=given["may_install_docker"],
        docker_repository=given["docker_repository"],
        clickhouse_version=given["clickhouse_version"],
        postgres_version=given["postgres_version"],
        new_secrets=given["new_secrets"],
        places=places,
        joined=joined,
    )
    found = findings(host, wanted)
    module.exit_json(
        changed=False,
        findings=found,
        errors=[tell(one) for one in found if one["level"] == "error"],
        hints=[tell(one) for one in found if one["level"] == "warning"],
        docker=host.docker and not host.docker_error,
        packages=packages(host, wanted),
        data=list(host.data),
        missing_images=list(host.missing_images),
        unclear=unclear(places, host.places),
        unclaimed=unclaimed(places, host.places, given["new"]),
        healthy=list(host.healthy),
        python=sys.executable,
        python_ready=host.python_ready,
    )


if __name__ == "__main__":
    main()
