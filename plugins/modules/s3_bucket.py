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
  - Ensures that buckets exist or are gone, all of them over one connection.
  - With O(probe), does to each bucket what Langfuse will do with the same key, and names the step that fails. Langfuse
    itself checks nothing at its start. With wrong keys it boots healthy and refuses traces later.
options:
  buckets:
    description: Names of the buckets.
    type: list
    elements: str
    required: true
  state:
    description: Whether the buckets exist. V(absent) refuses buckets that hold objects unless O(force) is set.
    type: str
    choices: [present, absent]
    default: present
  endpoint_url:
    description: Address of the store. Without it, AWS.
    type: str
  region:
    description: Region of the store. Stores of one's own mostly take V(us-east-1) or V(auto).
    type: str
    default: us-east-1
  path_style:
    description:
      - Whether the bucket's name stands in the path. Stores of one's own need it unless a wildcard name leads to them.
    type: bool
    default: true
  access_key:
    description: Access key.
    type: str
    required: true
  secret_key:
    description: Secret key.
    type: str
    required: true
  ca_path:
    description: File with the CA certificates of the store. By default those of botocore.
    type: path
  validate_certs:
    description: Whether the store's certificate is verified.
    type: bool
    default: true
  versioning:
    description: Whether old versions of objects are kept. Without a value it stays as it is.
    type: bool
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
  wait:
    description: Seconds to wait for the store to answer at all. Wrong keys are not waited for.
    type: int
    default: 30
requirements:
  - botocore
attributes:
  check_mode:
    description: Looks and tells what would change.
    support: full
  diff_mode:
    description: Shows existence and versioning of every bucket that changes.
    support: full
"""

EXAMPLES = r"""
- name: Create the buckets and prove that the application's key can use them
  llmops.langfuse.s3_bucket:
    endpoint_url: http://127.0.0.1:8333
    access_key: "{{ langfuse_s3_access_key }}"
    secret_key: "{{ langfuse_s3_secret_key }}"
    buckets: [langfuse-events, langfuse-media, langfuse-exports]
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
    - One entry a bucket with C(name), C(state), C(changed), C(versioning) (only when asked for) and C(probe), the list of
      its steps (each C(step), C(ok), C(ms), and on failure C(store_code) and C(message)).
  type: list
  elements: dict
  returned: success
  sample: [{name: langfuse-events, state: present, changed: true, versioning: null, probe: []}]
code:
  description:
    - Stable name of what is wrong. One of V(missing_library), V(bad_option), V(s3_down), V(s3_tls), V(s3_wrong_keys),
      V(s3_clock_skew), V(s3_foreign_bucket), V(s3_denied), V(s3_bucket_missing), V(s3_bad_request), V(s3_not_ready),
      V(s3_not_empty), V(s3_error).
  type: str
  returned: failure
cure:
  description: What to do.
  type: str
  returned: failure
bucket:
  description: The bucket that the failure is about.
  type: str
  returned: failure
step:
  description: The step of the probe that failed.
  type: str
  returned: when the probe failed
store_code:
  description: The store's own error code.
  type: str
  returned: when the store refused
"""

from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.llmops.langfuse.plugins.module_utils import s3
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

Seen = dict[str, Any]


def plan(seen: Seen, state: str, versioning: bool | None, force: bool) -> list[str]:
    """What has to be done to a bucket that was seen as ``{exists, holds_objects, versioning}``."""
    if state == "absent":
        if not seen["exists"]:
            return []
        if seen["holds_objects"] and not force:
            raise Failure(
                "s3_not_empty",
                "The bucket holds objects and is not deleted.",
                "Move the objects away, or set force: true to delete them for good.",
            )
        return ["empty", "delete"] if force else ["delete"]
    steps = [] if seen["exists"] else ["create"]
    if versioning is not None and versioning != seen["versioning"]:
        steps.append("versioning")
    return steps


def look(store: s3.Store, bucket: str, versioning: bool | None) -> Seen:
    holds = store.look(bucket)
    known = store.versioning(bucket) if holds is not None and versioning is not None else False
    return {"exists": holds is not None, "holds_objects": bool(holds), "versioning": known}


def apply(store: s3.Store, bucket: str, steps: list[str], versioning: bool | None) -> None:
    actions: dict[str, Callable[[], Any]] = {
        "create": lambda: store.create(bucket),
        "versioning": lambda: store.set_versioning(bucket, bool(versioning)),
        "empty": lambda: store.empty(bucket),
        "delete": lambda: store.call("delete_bucket", Bucket=bucket),
    }
    for step in steps:
        actions[step]()


def ensure(store: s3.Store, bucket: str, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """One bucket: look, plan, apply, probe."""
    state, versioning = params["state"], params["versioning"]
    seen = look(store, bucket, versioning)
    steps = plan(seen, state, versioning, params["force"])
    if not check_mode:
        apply(store, bucket, steps, versioning)
    row = {"name": bucket, "state": state, "changed": bool(steps), "versioning": versioning, "probe": []}
    row["diff"] = _diff(seen, state, versioning)
    if params["probe"] and state == "present" and not check_mode:
        row["probe"] = s3.probe(store, bucket)
        last = row["probe"][-1]
        if not last["ok"]:
            failure = s3.explain(s3.StoreError(last["store_code"], last["message"]), store.where.label, bucket)
            failure.message = f"The probe of bucket {bucket} failed at {last['step']}: {failure.message}"
            failure.details.update(step=last["step"], probe=row["probe"])
            raise failure
    return row


def _diff(seen: Seen, state: str, versioning: bool | None) -> dict[str, Any]:
    before: dict[str, Any] = {"exists": seen["exists"]}
    after: dict[str, Any] = {"exists": state == "present"}
    if versioning is not None and state == "present":
        before["versioning"], after["versioning"] = seen["versioning"], versioning
    return {"before": before, "after": after}


def run(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    where = s3.Where(
        params["endpoint_url"],
        params["region"],
        params["path_style"],
        params["access_key"],
        params["secret_key"],
        params["ca_path"],
        params["validate_certs"],
    )
    rows = []
    bucket = params["buckets"][0] if params["buckets"] else ""
    try:
        store = s3.Store(where)
        if bucket:
            s3.wait_until_it_answers(store, bucket, params["wait"])
        for bucket in params["buckets"]:
            rows.append(ensure(store, bucket, params, check_mode))
    except s3.StoreError as error:
        failure = s3.explain(error, where.label, bucket)
        failure.details["bucket"] = bucket
        raise failure from None
    except ValueError as error:
        raise Failure("bad_option", f"{where.label}: {error}.", "Correct endpoint_url.") from None
    except Failure as failure:
        failure.message = failure.message.replace("The bucket", f"Bucket {bucket}")
        failure.details["bucket"] = bucket
        raise
    diffs = [{"before_header": row["name"], "after_header": row["name"], **row.pop("diff")} for row in rows]
    changed = [diff for diff, row in zip(diffs, rows) if row["changed"]]
    return {"changed": bool(changed), "buckets": rows, "diff": changed}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "buckets": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "endpoint_url": {"type": "str"},
            "region": {"type": "str", "default": "us-east-1"},
            "path_style": {"type": "bool", "default": True},
            "access_key": {"type": "str", "required": True, "no_log": True},
            "secret_key": {"type": "str", "required": True, "no_log": True},
            "ca_path": {"type": "path"},
            "validate_certs": {"type": "bool", "default": True},
            "versioning": {"type": "bool"},
            "force": {"type": "bool", "default": False},
            "probe": {"type": "bool", "default": False},
            "wait": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except ImportError:
        module.fail_json(
            msg=missing_required_lib("botocore"),
            code="missing_library",
            cure="Install botocore for the Python that runs the modules (ansible_python_interpreter).",
        )
    except Failure as failure:
        module.fail_json(**failure.as_result())


if __name__ == "__main__":
    main()
