# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""A user of a store with an IAM service of its own: its key, and a policy for exactly some buckets."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure
from ansible_collections.llmops.langfuse.plugins.module_utils.s3 import settings
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.client import (
    Client,
    Store,
    Where,
    wait_until_it_answers,
)
from ansible_collections.llmops.langfuse.plugins.module_utils.s3.errors import DENIED, StoreError, explain

# Answers of stores that have no IAM service at that address, or none that may be written.
_NO_IAM = (
    "MissingParameter",
    "InvalidAction",
    "MethodNotAllowed",
    "NotImplemented",
    "UnsupportedOperation",
    "404",
    "405",
)
# States of the key that the user should have.
MISSING, OTHER_SECRET, TAKEN, RIGHT = "missing", "another secret", "another user's", "as given"
_SECONDS = 10.0


class Seen(NamedTuple):
    """The user as the store shows it. ``policies`` are its own, ``attached`` and ``groups`` give it further rights."""

    exists: bool = False
    key: str = MISSING
    keys: tuple[str, ...] = ()
    policies: dict[str, Any] = {}  # noqa: RUF012
    attached: dict[str, str] = {}  # noqa: RUF012
    groups: tuple[str, ...] = ()


def plan(seen: Seen, state: str, name: str, access_key: str, policy: Any, purge_keys: bool) -> list[tuple[str, str]]:
    """Steps as ``(what, of which)``, the rights before the key, so that the key never has more. Pure."""
    steps: list[tuple[str, str]] = []
    unwanted = [other for other in seen.policies if state == "absent" or other != name]
    wider = [
        *(("drop_policy", other) for other in unwanted),
        *(("detach_policy", arn) for arn in seen.attached.values()),
        *(("leave_group", group) for group in seen.groups),
    ]
    if state == "absent":
        if not seen.exists:
            return []
        return [*wider, *(("drop_key", key) for key in seen.keys), ("drop_user", name)]
    if not seen.exists:
        steps.append(("create_user", name))
    if seen.policies.get(name) != policy:
        steps.append(("put_policy", name))
    steps += wider
    if seen.key == OTHER_SECRET:
        steps.append(("drop_key", access_key))
    if seen.key in (MISSING, OTHER_SECRET):
        steps.append(("create_key", access_key))
    if purge_keys:
        steps += [("drop_key", key) for key in seen.keys if key != access_key]
    return steps


def problems(params: Mapping[str, Any]) -> list[str]:
    """What is wrong with the options. Pure."""
    found = []
    if params.get("state", "present") == "present":
        for option in ("user_access_key", "user_secret_key"):
            if not params.get(option):
                found.append(f"{option} is missing.")
        if not (params.get("buckets") or params.get("policy")):
            found.append("buckets are missing: name those that the user may use.")
        found += [
            f"{name} in buckets has a wildcard; name each bucket."
            for name in params.get("buckets") or []
            if "*" in name
        ]
    if params.get("user_access_key") and params.get("user_access_key") == params.get("access_key"):
        found.append("user_access_key is the key of the administrator; give the user one of its own.")
    return found


def ensure(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The result of the module for these options. Raises Failure."""
    wrong = problems(params)
    if wrong:
        raise Failure("bad_option", " ".join(f"{text[:1].upper()}{text[1:]}" for text in wrong), "Correct the options.")
    state, name = params.get("state", "present"), params["name"]
    document = params.get("policy") or settings.access_policy(params.get("buckets") or [])
    policy = settings.policy_form(document) if state == "present" else {}
    users = _Users(params, document)
    seen = users.look()
    if state == "present" and seen.key == TAKEN:
        raise Failure(
            "s3_key_taken",
            f"{users.label} has the access key of {name} already, and it belongs to another user.",
            "Give the user another access key, or remove the key from the other user.",
        )
    steps = plan(seen, state, name, params.get("user_access_key") or "", policy, bool(params.get("purge_keys")))
    if not check_mode:
        for what, which in steps:
            users.apply(what, which)
        if state == "present" and steps:
            users.wait_until_accepted()
    before: dict[str, Any] = {"exists": seen.exists}
    after: dict[str, Any] = {"exists": state == "present"}
    if state == "present":
        before.update(_told(seen.key, seen.policies, seen.attached, seen.groups, len(seen.keys)))
        dropped, added = (sum(what == kind for what, _which in steps) for kind in ("drop_key", "create_key"))
        after.update(_told(RIGHT, {name: policy}, {}, (), len(seen.keys) - dropped + added))
    return {
        "changed": bool(steps),
        "name": name,
        "state": state,
        "changes": list(dict.fromkeys(what for what, _which in steps)),
        "policy": document if state == "present" else {},
        "diff": {"before": before, "after": after},
    }


def _told(key: str, policies: Any, attached: Mapping[str, str], groups: Any, keys: int) -> dict[str, Any]:
    return {"key": key, "keys": keys, "policies": policies, "attached": sorted(attached), "groups": list(groups)}


class _Users:
    """The IAM service of the store, as its administrator, and the store, as the user."""

    def __init__(self, params: Mapping[str, Any], document: Mapping[str, Any]) -> None:
        self._name = params["name"]
        self._access_key = params.get("user_access_key") or ""
        self._secret_key = params.get("user_secret_key") or ""
        self._bucket = (params.get("buckets") or ["langfuse"])[0]
        self._document = document
        self._wait = params.get("wait", 30)
        self._where = Where(
            params["endpoint_url"],
            params.get("region") or "us-east-1",
            True,
            params["access_key"],
            params["secret_key"],
            params.get("ca_path"),
            params.get("validate_certs", True),
        )
        self.label = self._where.label

    def look(self) -> Seen:
        try:
            wait_until_it_answers(Store(self._where), self._bucket, self._wait)
            self._iam = _Iam(self._where)
            exists = self._found("get_user") is not None
            keys = self._rows("list_access_keys", "AccessKeyMetadata", "AccessKeyId") if exists else ()
            return Seen(
                exists,
                self._key(keys),
                keys,
                self._policies() if exists else {},
                self._attached() if exists else {},
                self._optional("list_groups_for_user", "Groups", "GroupName") if exists else (),
            )
        except StoreError as error:
            raise self._failure(error) from None
        except ValueError as error:
            raise Failure("bad_option", f"{self.label}: {error}.", "Correct endpoint_url.") from None

    def apply(self, what: str, which: str) -> None:
        user = {"UserName": self._name}
        actions: dict[str, Callable[[], Any]] = {
            "create_user": lambda: self._iam.call("create_user", **user),
            "put_policy": lambda: self._iam.call(
                "put_user_policy", PolicyName=which, PolicyDocument=json.dumps(self._document), **user
            ),
            "drop_policy": lambda: self._iam.call("delete_user_policy", PolicyName=which, **user),
            "detach_policy": lambda: self._iam.call("detach_user_policy", PolicyArn=which, **user),
            "leave_group": lambda: self._iam.call("remove_user_from_group", GroupName=which, **user),
            "create_key": self._create_key,
            "drop_key": lambda: self._iam.call("delete_access_key", AccessKeyId=which, **user),
            "drop_user": lambda: self._iam.call("delete_user", **user),
        }
        try:
            actions[what]()
        except StoreError as error:
            raise self._failure(error) from None

    def wait_until_accepted(self) -> None:
        """Stores pass changes of users on to where requests are answered, which can take a moment."""
        deadline = time.monotonic() + _SECONDS
        while self._key((self._access_key,)) != RIGHT:
            if time.monotonic() > deadline:
                raise Failure(
                    "s3_key_not_accepted",
                    f"{self.label} took the key of {self._name} and does not accept it after {_SECONDS:.0f} seconds.",
                    "Look at the store's log; when it has several servers, at whether they share their users.",
                )
            time.sleep(0.1)

    def _create_key(self) -> None:
        """The store must take our key. AWS and stores that draw one themselves are recognised by their answer."""
        answer = self._iam.create_key(self._name, self._access_key, self._secret_key)
        drawn = str(answer.get("AccessKey", {}).get("AccessKeyId", ""))
        if drawn != self._access_key:
            self._iam.call("delete_access_key", UserName=self._name, AccessKeyId=drawn)
            raise Failure(
                "s3_no_own_keys",
                f"{self.label} draws the keys of its users itself and takes none. The user {self._name} was made, without a key.",
                "Make a key for the user by the store's own means, and give that to Langfuse.",
            )

    def _key(self, keys: tuple[str, ...]) -> str:
        """State of the key, seen by using it. A secret cannot be read back."""
        if not self._access_key:
            return MISSING
        own = Store(self._where._replace(access_key=self._access_key, secret_key=self._secret_key))
        accepted = True
        try:
            own.call("list_objects_v2", Bucket=self._bucket, MaxKeys=1)
        except StoreError as error:
            if error.code == "SignatureDoesNotMatch":
                accepted = False
            elif error.code not in (*DENIED, "NoSuchBucket"):
                return MISSING
        if self._access_key not in keys:
            return TAKEN
        return RIGHT if accepted else OTHER_SECRET

    def _found(self, operation: str, **arguments: Any) -> Any:
        try:
            return self._iam.call(operation, UserName=self._name, **arguments)
        except StoreError as error:
            if error.code == "NoSuchEntity":
                return None
            raise

    def _rows(self, operation: str, rows: str, column: str) -> tuple[str, ...]:
        return tuple(row[column] if column else row for row in (self._found(operation) or {}).get(rows, []))

    def _optional(self, operation: str, rows: str, column: str) -> tuple[str, ...]:
        """What a small IAM service does not know, it has none of."""
        try:
            return self._rows(operation, rows, column)
        except StoreError as error:
            if error.code in _NO_IAM:
                return ()
            raise

    def _policies(self) -> dict[str, Any]:
        found = {}
        for policy in self._rows("list_user_policies", "PolicyNames", ""):
            document = (self._found("get_user_policy", PolicyName=policy) or {}).get("PolicyDocument") or {}
            found[policy] = settings.policy_form(json.loads(document) if isinstance(document, str) else document)
        return found

    def _attached(self) -> dict[str, str]:
        rows = ("list_attached_user_policies", "AttachedPolicies")
        return dict(zip(self._optional(*rows, "PolicyName"), self._optional(*rows, "PolicyArn")))

    def _failure(self, error: StoreError) -> Failure:
        said = f"{self.label} said {error.code} ({error.message.strip().rstrip('.')})"
        if error.code in _NO_IAM:
            return Failure(
                "s3_no_iam",
                f"{said}: it has no IAM service to make the user {self._name} with.",
                "Make the user by the store's own means, and give it the document in policy; of MinIO, by mc admin user add.",
                store_code=error.code,
                policy=self._document,
            )
        if error.code in DENIED:
            return Failure(
                "s3_denied",
                f"{said} for the user {self._name}.",
                "Use the key of an administrator; start SeaweedFS with -s3.iam.readOnly=false.",
                store_code=error.code,
            )
        return explain(error, self.label, self._bucket, "the user")


class _Iam(Client):
    def __init__(self, where: Where) -> None:
        super().__init__(where, "iam")

    def create_key(self, user: str, access_key: str, secret_key: str) -> Any:
        """With the key in the request, which botocore's model of AWS does not have."""

        def add(params: dict[str, Any], **_others: Any) -> None:
            params["body"].update(AccessKeyId=access_key, SecretAccessKey=secret_key)

        events = self._client.meta.events
        events.register("before-call.iam.CreateAccessKey", add)
        try:
            return self.call("create_access_key", UserName=user)
        finally:
            events.unregister("before-call.iam.CreateAccessKey", add)
