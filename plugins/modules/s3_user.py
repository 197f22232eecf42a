#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: s3_user
short_description: The application's user of a store with an IAM service
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Ensures that a user of the store exists, has the given key, and may use exactly the given buckets.
  - The user belongs to this module. Other policies of it are removed, managed ones detached, and groups left, because each of
    them could let the key reach another bucket, as the one of backups.
  - For SeaweedFS, whose IAM service answers at the address of the store. It must be started with C(-s3.iam.readOnly=false).
    Stores without such a service, as MinIO and VersityGW are, give the failure V(s3_no_iam), with the policy that the user
    needs. AWS and others that draw the keys of users themselves give V(s3_no_own_keys). In AWS use a role.
  - A secret cannot be read back. It is compared by using it.
options:
  name:
    description: Name of the user, and of its policy.
    type: str
    required: true
  state:
    description: Whether the user exists. V(absent) removes its keys and policies with it.
    type: str
    choices: [present, absent]
    default: present
  user_access_key:
    description: Access key that the user should have. Required with O(state=present).
    type: str
  user_secret_key:
    description:
      - Secret of that key. Required with O(state=present).
      - When the user has the key with another secret, the key is removed and made again, and is refused for that moment.
        To change a secret without it, give another access key too, and purge the old one later.
    type: str
  buckets:
    description:
      - The buckets that the user may use, each by its name. The policy is what Langfuse needs on them, and nothing else.
    type: list
    elements: str
  policy:
    description: Another policy than that, as a document. The first of O(buckets) is then only used to try the key.
    type: dict
  purge_keys:
    description: Whether other keys of the user are removed.
    type: bool
    default: false
  endpoint_url:
    description: Address of the store.
    type: str
    required: true
  region:
    description: Region of the store.
    type: str
    default: us-east-1
  access_key:
    description: Access key of an administrator of the store.
    type: str
    required: true
  secret_key:
    description: Secret key of the administrator.
    type: str
    required: true
  ca_path:
    description: File with the CA certificates of the store. By default those of botocore.
    type: path
  validate_certs:
    description: Whether the store's certificate is verified.
    type: bool
    default: true
  wait:
    description: Seconds to wait for the store to answer at all. Wrong keys are not waited for.
    type: int
    default: 30
requirements:
  - botocore
attributes:
  check_mode:
    description: Looks and tells what would change. That a store takes no key of ours is only seen when one is made.
    support: full
  diff_mode:
    description: Shows policies, groups, the number of keys, and whether the key is the right one. Never a secret.
    support: full
seealso:
  - module: llmops.langfuse.s3_bucket
"""

EXAMPLES = r"""
- name: Give Langfuse a key for its three buckets and no other
  llmops.langfuse.s3_user:
    name: langfuse
    endpoint_url: http://127.0.0.1:8333
    access_key: "{{ s3_admin_access_key }}"
    secret_key: "{{ s3_admin_secret_key }}"
    user_access_key: "{{ langfuse_s3_access_key }}"
    user_secret_key: "{{ langfuse_s3_secret_key }}"
    buckets: [langfuse-events, langfuse-media, langfuse-exports]

- name: Prove it
  llmops.langfuse.s3_bucket:
    endpoint_url: http://127.0.0.1:8333
    access_key: "{{ langfuse_s3_access_key }}"
    secret_key: "{{ langfuse_s3_secret_key }}"
    buckets: [langfuse-events, langfuse-media, langfuse-exports]
    forbidden: [langfuse-postgres-backups]
    probe: true
"""

RETURN = r"""
name:
  description: Name of the user.
  type: str
  returned: success
state:
  description: Whether it exists.
  type: str
  returned: success
changes:
  description:
    - What was done, of V(create_user), V(put_policy), V(drop_policy), V(detach_policy), V(leave_group), V(drop_key),
      V(create_key), V(drop_user).
  type: list
  elements: str
  returned: success
  sample: [create_user, put_policy, create_key]
policy:
  description: The document that the user has, or should be given by other means.
  type: dict
  returned: success, and when the store has no IAM service
code:
  description:
    - Stable name of what is wrong. One of those of M(llmops.langfuse.s3_bucket), or V(s3_no_iam), V(s3_no_own_keys),
      V(s3_key_taken), V(s3_key_not_accepted).
  type: str
  returned: failure
cure:
  description: What to do.
  type: str
  returned: failure
store_code:
  description: The store's own error code.
  type: str
  returned: when the store refused
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import libraries
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.s3 import users


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "user_access_key": {"type": "str", "no_log": True},
            "user_secret_key": {"type": "str", "no_log": True},
            "buckets": {"type": "list", "elements": "str"},
            "policy": {"type": "dict"},
            "purge_keys": {"type": "bool", "default": False, "no_log": False},
            "endpoint_url": {"type": "str", "required": True},
            "region": {"type": "str", "default": "us-east-1"},
            "access_key": {"type": "str", "required": True, "no_log": True},
            "secret_key": {"type": "str", "required": True, "no_log": True},
            "ca_path": {"type": "path"},
            "validate_certs": {"type": "bool", "default": True},
            "wait": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**users.ensure(module.params, module.check_mode))
    except ImportError:
        module.fail_json(**libraries.missing("botocore").as_result())
    except Failure as failure:
        module.fail_json(**failure.as_result())


if __name__ == "__main__":
    main()
