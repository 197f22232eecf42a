#!/usr/bin/python
# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: s3_bucket
short_description: Buckets for Langfuse in any S3 compatible store
version_added: 1.0.0
author:
  - The llmops.langfuse contributors (@llmops)
description:
  - Ensures that buckets exist or are gone, and what is set on them, all of them over one connection.
  - Everything is looked at before the first change. What is seen to be wrong with any bucket is told in one message.
  - With O(probe), does to each bucket what Langfuse will do with the same key, and names the step that fails. Langfuse
    itself checks nothing at its start. With wrong keys it boots healthy and refuses traces later.
  - A setting without a value is left as it is. An empty one is removed. A setting that is given is the whole of it, so
    that rules, statements and tags of others go.
options:
  buckets:
    description: Names of the buckets.
    type: list
    elements: str
    required: true
  state:
    description:
      - Whether the buckets exist. V(absent) refuses buckets that hold objects, or old versions of them, unless O(force)
        is set.
    type: str
    choices: [present, absent]
    default: present
  settings:
    description: What differs between the buckets. A setting of a bucket takes the place of the one for all.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the bucket, one of O(buckets).
        type: str
        required: true
      versioning: &versioning
        description:
          - Whether old versions of objects are kept. V(false) stops keeping them, and leaves those that there are.
        type: bool
      cors_origins: &cors_origins
        description:
          - Origins of the web page that uploads media, in short for one rule of CORS with the methods and headers that the
            presigned uploads of Langfuse need.
          - Only needed where browsers reach the store by another origin than Langfuse's.
        type: list
        elements: str
      cors: &cors
        description: Rules of CORS. The first one that fits a request counts. Not together with the short form.
        type: list
        elements: dict
        suboptions:
          origins:
            description: Origins, each scheme and host without a path, or V(*).
            type: list
            elements: str
            required: true
          methods:
            description: Methods. By default GET, HEAD and PUT.
            type: list
            elements: str
            choices: [GET, HEAD, PUT, POST, DELETE]
          headers:
            description: Headers that requests may have. By default C(content-type) and C(x-amz-checksum-sha256).
            type: list
            elements: str
          expose_headers:
            description: Headers of answers that the page may read. By default none.
            type: list
            elements: str
          max_age_seconds:
            description: How long browsers keep the answer. By default an hour.
            type: int
      lifecycle: &lifecycle
        description:
          - Rules that delete after some days. Each needs at least one of its numbers of days.
          - Langfuse's own retention leaves the raw objects of OpenTelemetry in the bucket of events, so only such a rule
            removes them. Events that are gone cannot be replayed, and updates of a trace that is older start anew.
        type: list
        elements: dict
        suboptions:
          prefix:
            description: Beginning of the keys that the rule is for. By default all.
            type: str
            default: ""
          expire_days:
            description:
              - Delete objects that are this old. In a bucket with versions it hides them, so add C(noncurrent_days).
              - Refused where it would delete media.
            type: int
          noncurrent_days:
            description: Delete versions that were replaced or deleted this many days ago.
            type: int
          abort_incomplete_days:
            description: Delete the parts of uploads that were begun this many days ago and never ended.
            type: int
      policy_principals: &policy_principals
        description:
          - Who else than the owner may use the bucket, in short for a policy with what Langfuse needs on exactly this bucket.
          - How a principal is written is the store's matter. AWS and SeaweedFS want the ARN of a user, VersityGW the access
            key. MinIO takes any and heeds none, its users have policies of their own.
          - V(*) is refused, it would open the bucket to everybody.
        type: list
        elements: str
      policy: &policy
        description: The whole policy of the bucket. Not together with the short form.
        type: dict
      tags: &tags
        description: All tags of the bucket. Tags of AWS itself (C(aws:)) stay.
        type: dict
  versioning: *versioning
  cors_origins: *cors_origins
  cors: *cors
  lifecycle: *lifecycle
  policy_principals: *policy_principals
  policy: *policy
  tags: *tags
  media_bucket:
    description:
      - The bucket that holds media. They have no other copy, so rules that would expire them are refused.
      - Without it, every bucket with C(media) as a word of its name is taken for one.
    type: str
  media_prefix:
    description: Where in the bucket media are, if it holds other things too (C(LANGFUSE_S3_MEDIA_UPLOAD_PREFIX)).
    type: str
    default: ""
  endpoint_url:
    description: Address of the store. Without it, AWS.
    type: str
  region:
    description: Region of the store. Stores of one's own mostly take V(us-east-1) or V(auto).
    type: str
    default: us-east-1
  path_style:
    description:
      - Whether the bucket's name stands in the path. Stores of one's own need it unless a wildcard name leads to them. For
        AWS set V(false).
    type: bool
    default: true
  access_key:
    description:
      - Access key. Without keys botocore looks for them as it always does, in the environment, in a profile, and last in
        the role of the machine or the container.
    type: str
  secret_key:
    description: Secret key.
    type: str
  ca_path:
    description: File with the CA certificates of the store. By default those of botocore.
    type: path
  validate_certs:
    description: Whether the store's certificate is verified.
    type: bool
    default: true
  force:
    description: With O(state=absent), delete all objects and versions in the buckets first. They cannot be brought back.
    type: bool
    default: false
  probe:
    description:
      - Whether to list, write, read, upload and download by presigned URL, and delete one object in each bucket.
      - It leaves nothing behind and does not count as a change. It is not done in check mode.
    type: bool
    default: false
  forbidden:
    description:
      - Buckets that the key must not reach, as the one of backups. That it is refused to list, read, write and delete in each
        is tried, and a key that may is a failure. They must exist, or nothing would be proved. Not done in check mode.
    type: list
    elements: str
  wait:
    description: Seconds to wait for the store to answer at all. Wrong keys are not waited for.
    type: int
    default: 30
notes:
  - VersityGW knows no lifecycle rules. MinIO has no CORS of its own for a bucket (it answers every origin) and no
    O(lifecycle[].abort_incomplete_days).
extends_documentation_fragment:
  - llmops.langfuse.cluster
  - llmops.langfuse.cluster.secrets
requirements:
  - botocore
attributes:
  check_mode:
    description:
      - Looks and tells what would change. What a store refuses only when it is written (as MinIO does CORS) is not foreseen.
    support: full
  diff_mode:
    description: Shows existence and the given settings of every bucket that changes.
    support: full
seealso:
  - module: llmops.langfuse.s3_user
"""

EXAMPLES = r"""
- name: Create the buckets and prove that the application's key can use them
  llmops.langfuse.s3_bucket:
    endpoint_url: http://127.0.0.1:8333
    access_key: "{{ langfuse_s3_access_key }}"
    secret_key: "{{ langfuse_s3_secret_key }}"
    buckets: [langfuse-events, langfuse-media, langfuse-exports]
    probe: true

- name: Let events and exports go after a while, keep media, and let the page upload
  llmops.langfuse.s3_bucket:
    endpoint_url: https://s3.example.com
    access_key: "{{ s3_admin_access_key }}"
    secret_key: "{{ s3_admin_secret_key }}"
    buckets: [langfuse-events, langfuse-media, langfuse-exports]
    tags: {team: ai}
    settings:
      - name: langfuse-events
        lifecycle: [{expire_days: 90}]
      - name: langfuse-media
        cors_origins: [https://langfuse.example.com]
        versioning: true
        lifecycle: [{noncurrent_days: 30}]
      - name: langfuse-exports
        lifecycle: [{expire_days: 7, abort_incomplete_days: 1}]

- name: Prove that the application's key reaches its three buckets and not the backups
  llmops.langfuse.s3_bucket:
    endpoint_url: https://s3.example.com
    access_key: "{{ langfuse_s3_access_key }}"
    secret_key: "{{ langfuse_s3_secret_key }}"
    buckets: [langfuse-events, langfuse-media, langfuse-exports]
    forbidden: [langfuse-postgres-backups]
    probe: true

- name: Buckets in AWS with the role of the machine
  llmops.langfuse.s3_bucket:
    region: eu-central-1
    path_style: false
    buckets: [acme-langfuse-events, acme-langfuse-media]
    probe: true

- name: Remove a bucket and all that is in it
  llmops.langfuse.s3_bucket:
    endpoint_url: http://127.0.0.1:8333
    access_key: "{{ langfuse_s3_access_key }}"
    secret_key: "{{ langfuse_s3_secret_key }}"
    buckets: [langfuse-exports]
    state: absent
    force: true
"""

RETURN = r"""
buckets:
  description:
    - One entry a bucket with C(name), C(state), C(changed), C(changes) (of V(create), V(empty), V(delete) and the names of
      settings), C(versioning) (only when asked for) and C(probe), the list of its steps (each C(step), C(ok), C(ms), and on
      failure C(store_code) and C(message)).
  type: list
  elements: dict
  returned: success
  sample:
    - {name: langfuse-events, state: present, changed: true, changes: [create, lifecycle], versioning: null, probe: []}
forbidden:
  description: One entry a bucket of O(forbidden), with C(name) and the steps of C(probe) that were refused.
  type: list
  elements: dict
  returned: success
code:
  description:
    - Stable name of what is wrong. One of V(missing_library), V(bad_option), V(s3_down), V(s3_tls), V(s3_no_keys),
      V(s3_wrong_keys), V(s3_clock_skew), V(s3_foreign_bucket), V(s3_denied), V(s3_bucket_missing), V(s3_bad_request),
      V(s3_not_ready), V(s3_not_empty), V(s3_unsupported), V(s3_setting_refused), V(s3_key_too_wide), V(s3_error).
  type: str
  returned: failure
cure:
  description: What to do.
  type: str
  returned: failure
bucket:
  description: The bucket that the failure is about, the first of several.
  type: str
  returned: failure
setting:
  description: The setting that the store refused.
  type: str
  returned: when a setting was read or written
step:
  description: The step of the probe that failed.
  type: str
  returned: when the probe failed
store_code:
  description: The store's own error code.
  type: str
  returned: when the store refused
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.llmops.langfuse.plugins.module_utils import args, libraries
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.s3 import buckets

_TEXTS = {"type": "list", "elements": "str"}
_CORS = {
    "origins": {**_TEXTS, "required": True},
    "methods": {**_TEXTS, "choices": ["GET", "HEAD", "PUT", "POST", "DELETE"]},
    "headers": _TEXTS,
    "expose_headers": _TEXTS,
    "max_age_seconds": {"type": "int"},
}
_LIFECYCLE = {
    "prefix": {"type": "str", "default": ""},
    "expire_days": {"type": "int"},
    "noncurrent_days": {"type": "int"},
    "abort_incomplete_days": {"type": "int"},
}
_SETTINGS: dict[str, Any] = {
    "versioning": {"type": "bool"},
    "cors_origins": _TEXTS,
    "cors": {"type": "list", "elements": "dict", "options": _CORS},
    "lifecycle": {"type": "list", "elements": "dict", "options": _LIFECYCLE},
    "policy_principals": _TEXTS,
    "policy": {"type": "dict"},
    "tags": {"type": "dict"},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "buckets": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "settings": {
                "type": "list",
                "elements": "dict",
                "options": {"name": {"type": "str", "required": True}, **_SETTINGS},
            },
            **_SETTINGS,
            "media_bucket": {"type": "str"},
            "media_prefix": {"type": "str", "default": ""},
            "endpoint_url": {"type": "str"},
            "region": {"type": "str", "default": "us-east-1"},
            "path_style": {"type": "bool", "default": True},
            "access_key": {"type": "str", "no_log": True},
            "secret_key": {"type": "str", "no_log": True},
            "ca_path": {"type": "path"},
            "validate_certs": {"type": "bool", "default": True},
            "force": {"type": "bool", "default": False},
            "probe": {"type": "bool", "default": False},
            "forbidden": {"type": "list", "elements": "str"},
            "wait": {"type": "int", "default": 30},
            "cluster": args.CLUSTER_SPEC,
            "from_secrets": args.FROM_SECRETS_SPEC,
        },
        required_together=[("access_key", "secret_key")],
        supports_check_mode=True,
    )
    try:
        args.from_secrets(module)
        with args.reached(module.params.pop("cluster")):
            result = buckets.ensure(module.params, module.check_mode)
        module.exit_json(**result)
    except ImportError:
        module.fail_json(**libraries.missing("botocore").as_result())
    except Failure as failure:
        module.fail_json(**failure.as_result())


if __name__ == "__main__":
    main()
