#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: postgresql_database
short_description: Database and role for Langfuse on any PostgreSQL server
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Ensures that a role and a database of its own exist as Langfuse needs them, or are gone. Encoding UTF8, time zone UTC, rights to
    migrate, and a login that works. The last step signs in as the role, so that a success means that Langfuse can too.
  - The password never leaves the machine that the module runs on. The server receives a SCRAM verifier, also in its log.
  - A superuser is not needed. O(login_user) may be a role with C(CREATEROLE) and C(CREATEDB), as managed services give. It then
    becomes a member of O(role), because only a member may give it a database.
  - Langfuse needs no extensions. Connect to the server itself and not to a pooler.
  - All that stands in the way is told at once, and before anything is written.
options:
  login_host:
    description: Host of the server, or the directory of its socket.
    type: str
    required: true
  login_port:
    description: Port of the server.
    type: int
    default: 5432
  login_user:
    description: Role that makes the others. A superuser, or one with C(CREATEROLE) and C(CREATEDB).
    type: str
    default: postgres
  login_password:
    description: Password of O(login_user).
    type: str
  login_database:
    description: Database to sign in to. It is not changed.
    type: str
    default: postgres
  sslmode:
    description:
      - How the connection is encrypted. Only V(verify-ca) and V(verify-full) verify the server.
    type: str
    choices: [disable, allow, prefer, require, verify-ca, verify-full]
    default: prefer
  ca_path:
    description: File with the CA certificates of the server. By default those that the host trusts.
    type: path
  database:
    description: Name of the database.
    type: str
    default: langfuse
  role:
    description: Name of the role that Langfuse signs in with. It owns the database.
    type: str
    default: langfuse
  password:
    description:
      - Password of the role. Needed when the role does not exist. Without it, an existing password stays and is not checked.
      - It is compared with the stored one where O(login_user) may read that (a superuser), and by signing in otherwise. Then
        a password known to be wrong is tried as well. Where the server accepts that too (C(trust)), nothing can be compared, the stored
        password is left as it is, and a warning says so.
    type: str
  connection_limit:
    description: Most sessions of the role at once, V(-1) for no limit. Without a value it stays as it is.
    type: int
  needed_connections:
    description:
      - Connections that Langfuse will open. Fewer than these on the server, for the role or for the database are a failure.
        Fewer that are free now are a warning.
    type: int
    default: 0
  private:
    description: Whether roles other than the owner and superusers lose the right to connect, unless it was granted to them by name.
    type: bool
    default: true
  force:
    description:
      - With O(state=present), take over a database that belongs to another role, and the objects in its schema C(public).
      - Also give a role another password that owns things in other databases.
      - With O(state=absent), drop a database that belongs to another role, or that has open sessions, which are ended.
    type: bool
    default: false
  confirm:
    description: With O(state=absent), the name of the database once more. Without it a database that holds rows is not dropped.
    type: str
  state:
    description:
      - Whether database and role exist. With V(absent), a role that owns things in other databases is kept, with a warning.
    type: str
    choices: [present, absent]
    default: present
  wait:
    description: Seconds to wait for a server that does not answer yet. A wrong password is not waited for.
    type: int
    default: 30
requirements:
  - psycopg
  - libpass (only for a password that is not ASCII)
attributes:
  check_mode:
    description: Looks, in read-only transactions, and tells what would change.
    support: full
  diff_mode:
    description: Shows role and database before and after, without passwords.
    support: full
notes:
  - Where O(login_user) is no superuser, every run tries one login with a wrong password, which the server's log shows.
"""

EXAMPLES = r"""
- name: Create role and database, and prove that Langfuse can sign in
  llmops.langfuse.postgresql_database:
    login_host: db.example.com
    login_user: admin
    login_password: "{{ database_admin_password }}"
    sslmode: verify-full
    database: langfuse
    role: langfuse
    password: "{{ langfuse_postgres_password }}"
    needed_connections: 60

- name: Drop both for good
  llmops.langfuse.postgresql_database:
    login_host: db.example.com
    login_password: "{{ database_admin_password }}"
    database: langfuse
    role: langfuse
    state: absent
    confirm: langfuse
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, in order.
  type: list
  elements: str
  returned: success
  sample: [create_role, create_database, timezone, private]
server:
  description:
    - The server's C(version), its C(max_connections), how many of these are C(reserved), C(in_use) and C(free).
  type: dict
  returned: success
  sample: {version: '17.6', max_connections: 100, reserved: 3, in_use: 5, free: 92}
catalog:
  description: Whether stored passwords could be read, V(open) or V(closed).
  type: str
  returned: success
password:
  description: V(set), V(as given), V(unknown) where it could not be compared, or V(not given).
  type: str
  returned: success
login:
  description: V(ok) when the role signed in and may use the database; V(unchecked) where a check, or a rule of the server, kept it from trying.
  type: str
  returned: success
notices:
  description: What Langfuse runs with, but somebody should know. Each is a warning of the task as well.
  type: list
  elements: str
  returned: success
code:
  description:
    - Stable name of what is wrong. One of V(missing_library), V(bad_option), V(database_unreachable), V(database_full),
      V(database_password), V(database_denied), V(database_tls), V(database_missing), V(database_version), V(database_standby),
      V(database_read_only), V(database_rights), V(database_foreign_owner), V(database_foreign_role), V(database_foreign_objects), V(database_encoding),
      V(database_closed), V(database_invalid), V(database_connections), V(database_not_empty), V(database_in_use), V(database_disk), V(database_refused),
      V(database_login), V(database_unusable). Where several are wrong, it is that of the first.
  type: str
  returned: failure
cure:
  description: What to do.
  type: str
  returned: failure
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import postgresql_database
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

ARGUMENTS = {
    "login_host": {"type": "str", "required": True},
    "login_port": {"type": "int", "default": 5432},
    "login_user": {"type": "str", "default": "postgres"},
    "login_password": {"type": "str", "no_log": True},
    "login_database": {"type": "str", "default": "postgres"},
    "sslmode": {
        "type": "str",
        "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
        "default": "prefer",
    },
    "ca_path": {"type": "path"},
    "database": {"type": "str", "default": "langfuse"},
    "role": {"type": "str", "default": "langfuse"},
    "password": {"type": "str", "no_log": True},
    "connection_limit": {"type": "int"},
    "needed_connections": {"type": "int", "default": 0},
    "private": {"type": "bool", "default": True},
    "force": {"type": "bool", "default": False},
    "confirm": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "wait": {"type": "int", "default": 30},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = postgresql_database.ensure(module.params, module.check_mode)
    except Failure as failure:
        module.fail_json(**failure.as_result())
    for notice in result["notices"]:
        module.warn(notice)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
