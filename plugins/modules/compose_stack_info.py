#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: compose_stack_info
short_description: What a Compose project has that Langfuse can join
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Finds the networks, the PostgreSQL, the Redis, the ClickHouse and the object store of a Compose project that runs on the host.
  - Of a project that is down it tells what the instance has used of it, where O(directory) has kept that.
  - Reads the C(.env) of that project.
options:
  project:
    description: Name of the Compose project.
    type: str
  services:
    description: Service of a store (C(postgres), C(redis), C(clickhouse), C(s3)) where its image does not tell.
    type: dict
    default: {}
  directory:
    description: Project directory of the instance.
    type: path
  dotenv:
    description: File of lines C(NAME=value). Its values are returned, so the task needs C(no_log).
    type: path
attributes:
  check_mode:
    support: full
    description: Only looks.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Look at the stack of the application
  llmops.langfuse.compose_stack_info:
    project: shop
    services:
      postgres: pgsql
"""

RETURN = r"""
stack:
  description:
    - C(project), its C(networks), the C(names) that its containers have there, and its C(stores), each with C(service),
      C(host), C(port), C(network) and C(names). C(ambiguous) has the services of a store that is there more than once.
    - C(kept) are the stores as the instance used them when it was brought up.
  type: dict
  returned: when a project was named
  sample:
    project: shop
    networks: [shop_default]
    names: [pgsql, redis, shop-pgsql-1, shop-redis-1]
    stores: {postgres: {service: pgsql, host: pgsql, port: 5432, network: shop_default, names: [pgsql, shop-pgsql-1]}}
    ambiguous: {}
    kept: {}
dotenv:
  description: Name and value of each line, as Compose reads it.
  type: dict
  returned: when a file was named and can be read
unclear:
  description: Names whose value refers to what the file does not set before it, each with the number of its line.
  type: dict
  returned: when a file was named and can be read
  sample: {DB_PASSWORD: 7}
problems:
  description: What is not there, each with C(variable), what is C(wrong), and the C(cure).
  type: list
  elements: dict
  returned: success
  sample:
    - {variable: langfuse_shared_project, wrong: 'there is no Compose project shop on this host, or it is down', cure: Start it}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import compose, dotenv, records, stack
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def run(params: dict[str, Any]) -> dict[str, Any]:
    problems: list[dict[str, str]] = []
    result: dict[str, Any] = {"changed": False, "problems": problems}
    project = params["project"]
    if project:
        found: list[compose.Container] = []
        try:
            found = compose.containers(project)
            problems += stack.missing(project, found, params["services"])
        except Failure as failure:
            problems.append(
                {
                    "variable": "langfuse_shared_project",
                    "wrong": f"cannot be looked for: {failure.message.rstrip('.')}",
                    "cure": failure.cure.rstrip("."),
                }
            )
        known = stack.kept(records.read(params["directory"] or "", records.PROJECT), project)
        here = known if problems else stack.describe(project, found, params["services"])
        result["stack"] = {"names": [], "ambiguous": {}, **here, "kept": known["stores"]}
    if params["dotenv"]:
        try:
            with open(params["dotenv"], encoding="utf-8") as file:
                result["dotenv"], result["unclear"] = dotenv.read(file.read())
        except (OSError, UnicodeDecodeError) as error:
            problems.append(
                {
                    "variable": "langfuse_dotenv",
                    "wrong": f"{params['dotenv']} cannot be read: {error}",
                    "cure": "Correct it, or bring the file back",
                }
            )
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "project": {"type": "str"},
            "services": {"type": "dict", "default": {}},
            "directory": {"type": "path"},
            "dotenv": {"type": "path"},
        },
        supports_check_mode=True,
    )
    module.exit_json(**run(module.params))


if __name__ == "__main__":
    main()
