#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: clickhouse_database
short_description: Database, user and grants for Langfuse in a ClickHouse
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Ensures that a ClickHouse server has the database, the user with its password, the settings and exactly the grants
    that Langfuse v4 needs, or that they are gone.
  - Refuses a server on which Langfuse cannot work, before anything is written. That is a version below 25.12, a time
    zone other than UTC, and a cluster with more than one shard.
  - Langfuse itself checks nothing of this. Without a grant it boots healthy, and a migration or an ingestion fails later.
  - What it may not change it verifies. Without O(login_user) it logs in as O(user) alone and changes nothing. An
    O(login_user) without access management may create the database, and the user is verified.
  - It always ends with a look through the eyes of O(user), and names each thing that is missing with the statement that
    mends it.
options:
  login_url:
    description: Address of ClickHouse's HTTP interface, V(http://HOST:8123) or V(https://HOST:8443).
    type: str
    required: true
  login_user:
    description:
      - Administrator with access management and the right to pass on what it grants.
      - Without it nothing is changed, and O(user) itself looks.
    type: str
  login_password:
    description: Password of O(login_user).
    type: str
  ca_path:
    description: File with the CA certificates of the server. By default those of the system.
    type: path
  validate_certs:
    description: Whether the server's certificate is verified.
    type: bool
    default: true
  database:
    description: Name of the database.
    type: str
    required: true
  user:
    description: Name of the application's user.
    type: str
    required: true
  password:
    description:
      - Password of O(user). Only a salted hash of it is sent with a statement, so that no log holds it.
      - Langfuse's migrations put it into a URL as it is, so it should be made of letters, digits, V(_) and V(-).
    type: str
  cluster:
    description:
      - Name of the cluster, for statements C(ON CLUSTER) and the grants that Langfuse needs there. Without it the server
        is a single one.
      - Only V(default) works, because the SQL of Langfuse's migrations has that name fixed.
    type: str
  settings:
    description:
      - Settings of O(user), such as limits on memory and time. They are added to those it has.
      - On ClickHouse 26.8 and newer the module adds C(input_format_read_datetime_number_as_raw_value=1). Without it
        Langfuse up to 4.16 loses every trace there while all health checks are green.
    type: dict
    default: {}
  exclusive:
    description:
      - Whether O(user) loses what Langfuse does not need, its roles included. Otherwise a note tells of it.
    type: bool
    default: false
  state:
    description: Whether database and user exist. V(absent) refuses a database with rows unless O(confirm) names it.
    type: str
    choices: [present, absent]
    default: present
  confirm:
    description: With O(state=absent), the name of the database whose rows may be deleted. They cannot be brought back.
    type: str
  wait:
    description: Seconds to wait for the server to answer at all. Wrong passwords are not waited for.
    type: int
    default: 30
notes:
  - The password is compared by logging in with it, because ClickHouse shows none.
  - In a cluster whole system tables are granted where a single server gets columns. C(clusterAllReplicas) asks for that.
attributes:
  check_mode:
    description: Looks and tells what would change.
    support: full
  diff_mode:
    description: Shows database, user, settings and grants. No password and no hash.
    support: full
"""

EXAMPLES = r"""
- name: Give Langfuse a database in a ClickHouse that others use too
  llmops.langfuse.clickhouse_database:
    login_url: https://clickhouse.example.com:8443
    login_user: admin
    login_password: "{{ clickhouse_admin_password }}"
    ca_path: /etc/ssl/certs/platform-ca.pem
    database: langfuse
    user: langfuse
    password: "{{ langfuse_clickhouse_password }}"
    settings:
      max_memory_usage: 8000000000

- name: Verify what the platform team has made, without an administrator's password
  llmops.langfuse.clickhouse_database:
    login_url: http://clickhouse:8123
    database: langfuse
    user: langfuse
    password: "{{ langfuse_clickhouse_password }}"

- name: Remove database and user with all rows
  llmops.langfuse.clickhouse_database:
    login_url: http://clickhouse:8123
    login_user: admin
    login_password: "{{ clickhouse_admin_password }}"
    database: langfuse
    user: langfuse
    state: absent
    confirm: langfuse
"""

RETURN = r"""
mode:
  description: V(manage) where the user could be changed, V(verify) where only looked at, V(own) without O(login_user).
  type: str
  returned: success
version:
  description: Version of the server.
  type: str
  returned: success
  sample: 26.4.3.12
statements:
  description: The statements that were run, or would be. Hashes of passwords are left out.
  type: list
  elements: str
  returned: success
  sample: ["GRANT ALTER SETTINGS ON langfuse.* TO langfuse"]
grants:
  description: What is C(needed), what of it was C(missing), and what the user holds C(more), as in a GRANT statement.
  type: dict
  returned: success
settings:
  description: The settings that the user has been given.
  type: dict
  returned: success
notes:
  description: What is not wrong and should be known, such as a user that holds more than it needs.
  type: list
  elements: str
  returned: success
code:
  description:
    - Stable name of what is wrong, or of the first of several. One of V(bad_option), V(clickhouse_down),
      V(clickhouse_tls), V(clickhouse_login), V(clickhouse_denied), V(clickhouse_fixed_user), V(clickhouse_foreign_user), V(clickhouse_version),
      V(clickhouse_timezone), V(clickhouse_cluster), V(clickhouse_no_database), V(clickhouse_readonly),
      V(clickhouse_setting), V(clickhouse_grants), V(clickhouse_not_empty), V(clickhouse_error).
  type: str
  returned: failure
cure:
  description: What to do, mostly a statement.
  type: str
  returned: failure
problems:
  description: All that is wrong, each with C(code), C(message) and C(cure).
  type: list
  elements: dict
  returned: when the server or the user was judged
missing:
  description: The grants that are missing, as in a GRANT statement.
  type: list
  elements: str
  returned: when grants are missing
  sample: ["SELECT(database, is_done, `table`) ON system.mutations"]
clickhouse_code:
  description: ClickHouse's own error code.
  type: int
  returned: when ClickHouse refused
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils.clickhouse_database import ensure
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "login_url": {"type": "str", "required": True},
            "login_user": {"type": "str"},
            "login_password": {"type": "str", "no_log": True},
            "ca_path": {"type": "path"},
            "validate_certs": {"type": "bool", "default": True},
            "database": {"type": "str", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "no_log": True},
            "cluster": {"type": "str"},
            "settings": {"type": "dict", "default": {}},
            "exclusive": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "confirm": {"type": "str"},
            "wait": {"type": "int", "default": 30},
        },
        required_by={"login_password": ["login_user"]},
        supports_check_mode=True,
    )
    try:
        result = ensure(module.params, module.check_mode)
    except Failure as failure:
        module.fail_json(**failure.as_result())
    for note in result["notes"]:
        module.warn(note)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
