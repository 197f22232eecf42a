#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: langfuse_migration
short_description: Migrate the schema of a Langfuse instance on Docker Compose
version_added: 0.1.0
author: The llmops.langfuse contributors (@llmops)
description:
  - Runs the migration service of a Compose project once, when the image or the stores changed since the last success or the bookkeeping tables say so.
  - A schema that was left half migrated is named, with table, version and cure, and never retried.
  - A migration that takes longer than O(timeout) is reported and left alone, because ending it would leave the schema half migrated.
options:
  project:
    description: Name of the Compose project. Its stores must be up.
    type: str
    required: true
  directory:
    description: Directory of the project.
    type: path
    required: true
  image:
    description: Image of the migration.
    type: str
    required: true
  timeout:
    description: Seconds to wait for the end of the migration.
    type: int
    default: 1800
  postgres:
    description: The database as the project sees it.
    type: dict
    required: true
    suboptions: &store
      host:
        description: Service of the project.
        type: str
        required: true
      port:
        description: Port inside the project.
        type: int
        required: true
      user:
        description: User.
        type: str
        required: true
      database:
        description: Database.
        type: str
        required: true
      native_port:
        description: Port of ClickHouse's own protocol, which the migration uses.
        type: int
  postgres_password:
    description: Password of the user of PostgreSQL.
    type: str
    required: true
  clickhouse:
    description: ClickHouse as the project sees it, with its HTTP port.
    type: dict
    required: true
    suboptions: *store
  clickhouse_password:
    description: Password of the user of ClickHouse.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Says whether a migration would run.
  diff_mode:
    support: none
    description: The image decides what changes.
"""

EXAMPLES = r"""
- name: Migrate the schema
  llmops.langfuse.langfuse_migration:
    project: langfuse
    directory: /opt/langfuse/langfuse
    image: docker.io/langfuse/langfuse:4.16.0
    postgres: {host: postgres, port: 5432, user: langfuse, database: langfuse}
    postgres_password: "{{ secrets.langfuse_postgres_password }}"
    clickhouse: {host: clickhouse, port: 8123, user: langfuse, database: langfuse}
    clickhouse_password: "{{ secrets.langfuse_clickhouse_password }}"
"""

RETURN = r"""
reason:
  description: Why a migration ran, or why not.
  returned: success
  type: str
before:
  description: State of the schema before, with C(postgres) (finished migrations) and C(clickhouse) (version).
  returned: success
  type: dict
after:
  description: State of the schema afterwards.
  returned: success
  type: dict
seconds:
  description: How long the migration took.
  returned: success
  type: float
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
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.migration import Migration

STORE = dict(
    host=dict(type="str", required=True),
    port=dict(type="int", required=True),
    user=dict(type="str", required=True),
    database=dict(type="str", required=True),
    native_port=dict(type="int"),
)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            project=dict(type="str", required=True),
            directory=dict(type="path", required=True),
            image=dict(type="str", required=True),
            timeout=dict(type="int", default=1800),
            postgres=dict(type="dict", required=True, options=STORE),
            postgres_password=dict(type="str", required=True, no_log=True),
            clickhouse=dict(type="dict", required=True, options=STORE),
            clickhouse_password=dict(type="str", required=True, no_log=True),
        ),
        supports_check_mode=True,
    )
    given = module.params
    migration = Migration(
        given["project"],
        given["directory"],
        given["image"],
        dict(given["postgres"], password=given["postgres_password"]),
        dict(given["clickhouse"], password=given["clickhouse_password"]),
    )
    try:
        result = migration.preview() if module.check_mode else migration.run(given["timeout"])
    except Failure as failure:
        module.fail_json(**failure.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
