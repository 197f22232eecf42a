#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: redis_acl_user
short_description: The user of Langfuse in a shared Redis, Valkey or Dragonfly
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Ensures that a user exists that may use the keys of one prefix and nothing else, or that it is gone.
  - Says before it changes anything what stands in the way. A server older than Redis 7.0, one that evicts keys, a replica,
    a user of the same name that is somebody else's.
  - Compares what a user may do, not how that is written, so that a second run changes nothing on any server.
  - Logs in as that user at the end and does what Langfuse does.
options:
  login_host:
    description: Address of the server.
    type: str
    required: true
  login_port:
    description: Port of the server.
    type: int
    default: 6379
  login_user:
    description: An administrator who may use C(ACL), C(CONFIG GET) and C(INFO). By default the C(default) user.
    type: str
  login_password:
    description: Password of O(login_user).
    type: str
  tls:
    description: Whether the server is spoken to over TLS.
    type: bool
    default: false
  ca_path:
    description: File with the CA certificates of the server. By default those of the system.
    type: path
  client_cert:
    description: File with a certificate of the client, for a server that asks for one (C(tls-auth-clients)).
    type: path
  client_key:
    description: File with the key of O(client_cert).
    type: path
  validate_certs:
    description: Whether the server's certificate and its name are verified.
    type: bool
    default: true
  username:
    description: Name of the user. The C(default) user is never changed.
    type: str
    default: langfuse
  password:
    description:
      - Password of the user, its only one. Needed unless O(state=absent), or where the C(default) user that is verified has none.
      - Redis and Valkey are sent its SHA-256. Dragonfly takes it in clear only, so use O(tls) there.
    type: str
  prefix:
    description:
      - What the application's keys begin with, the same as E(REDIS_KEY_PREFIX) of web and worker. The colon belongs to it.
        Without one the caches and locks of Langfuse lie outside of the user's keys, while ingestion looks fine.
      - A changed prefix leaves all jobs of the old one behind, so it needs O(force).
    type: str
    default: "langfuse:"
  cluster:
    description:
      - Whether web and worker run with E(REDIS_CLUSTER_ENABLED), where the keys of queues begin with C({PREFIX). By default
        what the server says of itself.
    type: bool
  channels:
    description: Patterns of channels that the user may use. Langfuse uses none.
    type: list
    elements: str
    default: []
  commands:
    description:
      - What the user may run, as rules of Redis. The default was seen to be enough for Langfuse 4.16 and BullMQ, which
        need C(INFO).
    type: str
    default: +@all -@admin -@dangerous +info
  state:
    description:
      - V(present) and V(absent) need an administrator.
      - V(verified) needs none. It logs in as O(username) and runs every command that Langfuse uses, for a user that somebody
        else has made, as in hosted services. It leaves nothing behind but one refusal in C(ACL LOG). In check mode it only
        reads.
    type: str
    choices: [present, absent, verified]
    default: present
  persist:
    description:
      - What happens so that the user is still there after a restart of the server. With V(auto) the server writes its
        C(aclfile) (C(ACL SAVE)), or its configuration file where it has no C(aclfile) (C(CONFIG REWRITE)). Both also write
        down what others have changed on the running server. Where it has neither there is a warning.
      - V(required) refuses a server that has neither.
      - V(never) writes nothing, for files that are written by somebody else.
      - A change that the server cannot write down is taken back, except on Dragonfly, which does not tell what it was.
    type: str
    choices: [auto, required, never]
    default: auto
  force:
    description:
      - Whether a user that may use other keys than those of O(prefix) is changed or removed all the same. It loses all
        other rights.
    type: bool
    default: false
  allow_eviction:
    description:
      - Whether a server that evicts keys when its memory is full is taken with a warning. It may drop jobs, and with them
        traces that were accepted.
    type: bool
    default: false
  replica:
    description:
      - Whether the server may be a replica. Users are not replicated, so each server that may become the master needs its
        own.
    type: bool
    default: false
  probe:
    description:
      - With O(state=present), whether every command that Langfuse uses is run as the user, on keys that are deleted at the
        end. It does not count as a change, and is not done in check mode nor on a replica.
    type: bool
    default: false
  wait:
    description: Seconds to wait for the server to answer and to have read its data. A wrong password is not waited for.
    type: int
    default: 30
requirements:
  - redis
notes:
  - The user's password never appears in a result, nor in C(MONITOR) or the slow log of Redis and Valkey.
  - In a cluster each node keeps its own users. Run it for every node.
  - A changed password does not end connections that are open.
attributes:
  check_mode:
    description: Looks and tells what would change.
    support: full
  diff_mode:
    description: Shows state, keys, channels and commands, and that a password changes.
    support: full
"""

EXAMPLES = r"""
- name: Give Langfuse its own part of the shared Redis
  llmops.langfuse.redis_acl_user:
    login_host: redis
    login_password: "{{ redis_admin_password }}"
    password: "{{ langfuse_redis_password }}"

- name: The same on Dragonfly, over TLS with a private authority, and prove it
  llmops.langfuse.redis_acl_user:
    login_host: dragonfly.cache
    login_password: "{{ dragonfly_password }}"
    tls: true
    ca_path: /etc/ssl/private-ca.pem
    password: "{{ dragonfly_langfuse_password }}"
    probe: true

- name: Prove a user that the operator of the service has made
  llmops.langfuse.redis_acl_user:
    login_host: langfuse.abc123.cache.amazonaws.com
    tls: true
    password: "{{ langfuse_redis_password }}"
    state: verified

- name: Remove the user
  llmops.langfuse.redis_acl_user:
    login_host: redis
    login_password: "{{ redis_admin_password }}"
    state: absent
"""

RETURN = r"""
user:
  description: Name of the user.
  type: str
  returned: success
  sample: langfuse
state:
  description: The state that was asked for.
  type: str
  returned: success
  sample: present
changes:
  description: What was changed. V(user) for one that was made or removed, else of V(state), V(password), V(keys), V(channels),
    V(commands), V(selectors).
  type: list
  elements: str
  returned: success
  sample: [password]
key_patterns:
  description: Patterns of the keys that the user may use.
  type: list
  elements: str
  returned: success
  sample: ["~langfuse:*"]
server:
  description: What the server says of itself. C(saves) tells whether its data outlives a restart, null where it does not say.
  type: dict
  returned: success
  sample: {product: Valkey, version: 8.1.1, role: master, cluster: false, maxmemory_policy: noeviction, saves: true}
kept_in:
  description: Where the server keeps its users over a restart. V(acl_file), V(config_file) or V(nowhere).
  type: str
  returned: success, unless O(state=verified)
  sample: acl_file
beyond:
  description: What a user that is somebody else's may use beyond the prefix.
  type: list
  elements: str
  returned: with V(redis_foreign_user)
  sample: ["~*"]
isolated:
  description: Whether keys of others are closed to the user.
  type: bool
  returned: success, with O(state=verified)
  sample: true
probe:
  description: The steps of the proof (each C(step), C(ok), C(ms), and on failure C(message) and C(kind)).
  type: list
  elements: dict
  returned: success, and when a step failed
  sample: [{step: login, ok: true, ms: 0.3}]
code:
  description:
    - Stable name of what is wrong. One of V(missing_library), V(bad_option), V(redis_down), V(redis_tls),
      V(redis_wrong_password), V(redis_denied), V(redis_no_acl), V(redis_loading), V(redis_busy), V(redis_too_old),
      V(redis_replica), V(redis_evicting), V(redis_foreign_user), V(redis_not_kept), V(redis_rights), V(redis_full), V(redis_protected), V(redis_scripts),
      V(redis_error).
  type: str
  returned: failure
cure:
  description: What to do.
  type: str
  returned: failure
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import libraries, redis_acl, redis_user
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "login_host": {"type": "str", "required": True},
            "login_port": {"type": "int", "default": 6379},
            "login_user": {"type": "str"},
            "login_password": {"type": "str", "no_log": True},
            "tls": {"type": "bool", "default": False},
            "ca_path": {"type": "path"},
            "client_cert": {"type": "path"},
            "client_key": {"type": "path", "no_log": False},
            "validate_certs": {"type": "bool", "default": True},
            "username": {"type": "str", "default": "langfuse"},
            "password": {"type": "str", "no_log": True},
            "prefix": {"type": "str", "default": "langfuse:"},
            "cluster": {"type": "bool"},
            "channels": {"type": "list", "elements": "str", "default": []},
            "commands": {"type": "str", "default": redis_acl.COMMANDS},
            "state": {"type": "str", "choices": ["present", "absent", "verified"], "default": "present"},
            "persist": {"type": "str", "choices": ["auto", "required", "never"], "default": "auto"},
            "force": {"type": "bool", "default": False},
            "allow_eviction": {"type": "bool", "default": False},
            "replica": {"type": "bool", "default": False},
            "probe": {"type": "bool", "default": False},
            "wait": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    try:
        result = redis_user.ensure(module.params, module.check_mode)
        for warning in result.pop("warnings"):
            module.warn(warning)
        module.exit_json(**result)
    except ImportError:
        module.fail_json(**libraries.missing("redis").as_result())
    except Failure as failure:
        module.fail_json(**failure.as_result())


if __name__ == "__main__":
    main()
