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
  - Reads the C(.env) of that project.
options:
  project:
    description: Name of the Compose project.
    type: str
  services:
    description: Service of a store (C(postgres), C(redis), C(clickhouse), C(s3)) where its image does not tell.
    type: dict
    default: {}
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
      C(host), C(port) and C(network). C(ambiguous) has the services of a store that is there more than once.
  type: dict
  returned: when a project was named
  sample:
    project: shop
    networks: [shop_default]
    names: [pgsql, redis, shop-pgsql-1, shop-redis-1]
    stores: {postgres: {service: pgsql, host: pgsql, port: 5432, network: shop_default}}
    ambiguous: {}
dotenv:
  description: Name and value of each line.
  type: dict
  returned: when a file was named
code:
  description: Stable name of what is wrong.
  type: str
  returned: failure
cure:
  description: What to do.
  type: str
  returned: failure
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import compose, dotenv, stack
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def run(params: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {"changed": False}
    if params["project"]:
        result["stack"] = stack.describe(params["project"], compose.containers(params["project"]), params["services"])
    if params["dotenv"]:
        try:
            with open(params["dotenv"], encoding="utf-8") as file:
                result["dotenv"] = dotenv.parse(file.read())
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(
                "dotenv_unreadable", f"{params['dotenv']} cannot be read: {error}.", "Correct langfuse_dotenv."
            ) from None
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "project": {"type": "str"},
            "services": {"type": "dict", "default": {}},
            "dotenv": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params))
    except Failure as failure:
        module.fail_json(**failure.as_result())


if __name__ == "__main__":
    main()
