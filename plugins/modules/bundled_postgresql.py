#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bundled_postgresql
short_description: Keep the password of the bundled PostgreSQL equal to the plan
version_added: 0.1.0
author: The llmops.langfuse contributors (@llmops)
description:
  - The image of PostgreSQL sets the password only when it makes its data directory. This module changes it afterwards.
  - It tries the password, and only when that is refused sets it from inside the container, where the superuser needs none.
  - The server receives a SCRAM verifier, never the password itself.
options:
  project:
    description: Name of the Compose project. Its PostgreSQL must be up.
    type: str
    required: true
  service:
    description: Service of PostgreSQL.
    type: str
    default: postgres
  port:
    description: Port inside the project.
    type: int
    default: 5432
  user:
    description: The superuser that the image made.
    type: str
    required: true
  database:
    description: A database that exists.
    type: str
    required: true
  password:
    description: The password it should have. Printable ASCII.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Says whether the password would be set.
  diff_mode:
    support: none
    description: It never shows secrets.
"""

EXAMPLES = r"""
- name: Set the password of the bundled PostgreSQL
  llmops.langfuse.bundled_postgresql:
    project: langfuse
    user: langfuse
    database: langfuse
    password: "{{ secrets.langfuse_postgres_password }}"
"""

RETURN = r"""
code:
  description: What kind of failure it was.
  returned: failure
  type: str
cure:
  description: What to do about it.
  returned: failure
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import bundled_postgresql
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            project=dict(type="str", required=True),
            service=dict(type="str", default="postgres"),
            port=dict(type="int", default=5432),
            user=dict(type="str", required=True),
            database=dict(type="str", required=True),
            password=dict(type="str", required=True, no_log=True),
        ),
        supports_check_mode=True,
    )
    given = module.params
    server = bundled_postgresql.Server(
        given["project"], given["service"], given["port"], given["user"], given["database"]
    )
    try:
        changed = not server.accepts(given["password"])
        if changed and not module.check_mode:
            server.set_password(given["password"])
    except Failure as failure:
        module.fail_json(**failure.as_result())
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
