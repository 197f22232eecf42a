# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The application's user of a Redis: look, refuse, change, keep, prove."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import redis_acl, redis_client, redis_probe, redis_server
from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure, joined
from ansible_collections.llmops.langfuse.plugins.module_utils.redis_client import ServerError

_PREFIX = re.compile(r"[A-Za-z0-9_./-][A-Za-z0-9_./:-]*:")
_SETTINGS = ("aclfile", "save", "snapshot_cron")


def ensure(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """The result of the module. Raises Failure, and ImportError without the library.

    Everything that stands in the way is looked for before the first write, and told in one message.
    """
    problems = bad_options(params)
    if problems:
        raise joined(problems)
    if params["state"] == "verified":
        return _verify(params, check_mode)
    where = _where(params, params["login_user"], params["login_password"])
    try:
        client = redis_client.connect(where, params["wait"])
        try:
            return _Administrator(client, params, check_mode).run()
        finally:
            client.close()
    except ServerError as error:
        raise redis_client.explain(error, where) from None


def bad_options(params: Mapping[str, Any]) -> list[Failure]:
    """What can be said without a server. Pure."""
    found = []

    def bad(message: str, cure: str) -> None:
        found.append(Failure("bad_option", message, cure))

    name, state = params["username"], params["state"]
    if not name or re.search(r"\s", name):
        bad(f"username {name!r} is no name of a user.", "Take one without blanks, such as langfuse.")
    if name == "default" and state != "verified":
        bad("The default user is everybody's and is never changed.", "Name a user of Langfuse's own, such as langfuse.")
    if state != "verified" and name == (params["login_user"] or "default") != "default":
        bad(f"User {name} cannot change itself.", "Log in with an administrator (login_user).")
    if not params["password"] and (state == "present" or (state == "verified" and name != "default")):
        bad(f"User {name} needs a password.", "Give it in password.")
    if not _PREFIX.fullmatch(params["prefix"]):
        bad(
            f"prefix {params['prefix']!r} is not a word that ends with a colon: without the colon the caches and locks of "
            "Langfuse lie outside of the user's keys, while ingestion looks fine.",
            "Take one such as langfuse: and let REDIS_KEY_PREFIX of web and worker be the very same.",
        )
    if not params["commands"].split():
        bad("commands is empty.", f"Leave it out, or take {redis_acl.COMMANDS}.")
    if not params["tls"] and (params["ca_path"] or params["client_cert"] or params["client_key"]):
        bad("ca_path, client_cert and client_key do nothing without TLS.", "Set tls: true, or leave them out.")
    return found


def _where(params: Mapping[str, Any], user: str | None, password: str | None) -> redis_client.Where:
    names = ("tls", "ca_path", "client_cert", "client_key", "validate_certs")
    tls = {name: params[name] for name in names}
    return redis_client.Where(params["login_host"], params["login_port"], user, password or None, **tls)


class _Administrator:
    """What is done with the login of an administrator: states present and absent."""

    def __init__(self, client: redis_client.Client, params: Mapping[str, Any], check_mode: bool) -> None:
        self._client, self._params, self._check_mode = client, params, check_mode
        self._label = client.where.label
        self._server = redis_server.server(client.info(), client.settings(_SETTINGS))
        cluster = self._server.cluster if params["cluster"] is None else params["cluster"]
        self._want = redis_acl.Wanted(
            params["username"],
            params["password"] or "",
            params["prefix"],
            cluster,
            tuple(params["channels"]),
            params["commands"],
        )
        self._warnings: list[str] = []

    def run(self) -> dict[str, Any]:
        absent = self._params["state"] == "absent"
        allow_eviction = absent or self._params["allow_eviction"]
        refusals = redis_server.refusals(self._server, self._label, allow_eviction, self._params["replica"])
        if self._server.too_old:
            raise joined(refusals)
        user = self._user(self._want.name)
        # The catalogue is most of what can be asked, so only where something has to be compared with it.
        known = None if absent or (user and redis_acl.same_text(user, self._want)) else self._catalogue()
        failures = refusals + self._foreign(user) + (self._unknown(known) if known else [])
        failures += [] if absent else [*self._unkept(), *self._scripts()]
        if failures:
            raise joined(failures)
        if absent:
            return self._remove(user)
        self._warnings += redis_server.warnings(self._server, self._label, self._params["replica"])
        self._warnings += redis_server.open_default(self._user("default"), self._label)
        return self._set(user, known)

    def _user(self, name: str) -> redis_acl.User | None:
        return redis_acl.parse(self._client.call("ACL", "GETUSER", name))

    def _catalogue(self) -> redis_acl.Catalogue:
        categories = [str(one) for one in self._client.call("ACL", "CAT")]
        members = self._client.each([("ACL", "CAT", one) for one in categories])
        for one in members:
            if isinstance(one, ServerError):
                raise one
        found = dict(zip(categories, members))
        if self._server.product == "Dragonfly":
            # It has no COMMAND LIST. A command in no category would be allowed alike on both sides of a comparison.
            return redis_acl.catalogue([one for some in members for one in some], found)
        return redis_acl.catalogue(self._client.call("COMMAND", "LIST"), found)

    def _foreign(self, user: redis_acl.User | None) -> list[Failure]:
        beyond = redis_acl.foreign(user, self._want) if user else []
        if not beyond or self._params["force"]:
            return []
        return [
            Failure(
                "redis_foreign_user",
                f"User {self._want.name} of {self._label} may use keys beyond {self._want.prefix}* ({', '.join(beyond)}): it "
                "is somebody else's, or Langfuse had another prefix.",
                "Take another username; or set force: true. A changed prefix leaves all jobs of the old one behind: let the "
                "queues run empty first.",
                beyond=beyond,
            )
        ]

    def _unknown(self, known: redis_acl.Catalogue) -> list[Failure]:
        names = redis_acl.unknown(self._want.commands, known)
        if not names:
            return []
        told = f"{self._server.product} {self._server.version} at {self._label} does not know {', '.join(names)}."
        return [
            Failure("bad_option", told, "Correct commands: rules such as +@all, -@admin, +info, each with its sign.")
        ]

    def _unkept(self) -> list[Failure]:
        if self._params["persist"] != "required" or self._server.kept_in != redis_server.NOWHERE:
            return []
        told = f"{self._label} has no place to keep users: neither an aclfile nor a configuration file."
        return [Failure("redis_not_kept", told, "Start it with one that it may write, or set persist: auto.")]

    def _scripts(self) -> list[Failure]:
        """Dragonfly's flag for scripts, found out before anything is made: it does not show its flags to clients."""
        if self._server.product != "Dragonfly":
            return []
        steps = redis_probe.script(self._client, self._want.prefix)
        found = _failures(steps, self._client.where, self._server.product)
        return [one for one in found if one.code == "redis_scripts"]

    def _set(self, user: redis_acl.User | None, known: redis_acl.Catalogue | None) -> dict[str, Any]:
        dialect = self._server.dialect
        changes = redis_acl.differences(user, self._want, known, dialect)
        kept_in = self._server.kept_in
        # Dragonfly does not say whether it has a file for its users before it is asked to write it.
        known_place = self._server.product != "Dragonfly"
        if changes and not self._check_mode:
            self._client.call("ACL", "SETUSER", self._want.name, *redis_acl.rules(self._want, dialect))
            kept_in, known_place = self._keep(redis_acl.restoring(user, dialect)), True
        if known_place and kept_in == redis_server.NOWHERE and self._params["persist"] != "never":
            self._warnings.append(redis_server.not_kept(self._server, self._label))
        proof = self._prove() if not (changes and self._check_mode) else []
        result = self._result(bool(changes), kept_in)
        diff = redis_acl.difference(user, self._want, changes, known) if changes else {}
        return {**result, "changes": changes, "probe": proof, "diff": diff}

    def _remove(self, user: redis_acl.User | None) -> dict[str, Any]:
        kept_in = self._server.kept_in
        if user and not self._check_mode:
            self._client.call("ACL", "DELUSER", self._want.name)
            kept_in = self._keep(redis_acl.restoring(user, self._server.dialect))
        diff = {"before": {"user": self._want.name}, "after": {"user": None}} if user else {}
        return {**self._result(bool(user), kept_in), "changes": ["user"] if user else [], "probe": [], "diff": diff}

    def _keep(self, restoring: list[str] | None) -> str:
        """Let the server write its users down. Where it cannot, what was changed is taken back, so that it is tried again."""
        if self._params["persist"] == "never":
            return redis_server.NOWHERE
        place = self._server.kept_in
        try:
            # Dragonfly does not say whether it has a file: it is asked to write it.
            if place == redis_server.ACL_FILE or self._server.product == "Dragonfly":
                self._client.call("ACL", "SAVE")
                return redis_server.ACL_FILE
            if place == redis_server.CONFIG_FILE:
                self._client.call("CONFIG", "REWRITE")
                return place
        except ServerError as error:
            if "not configured" not in error.message:
                raise self._taken_back(error, restoring) from None
        return redis_server.NOWHERE

    def _taken_back(self, error: ServerError, restoring: list[str] | None) -> Failure:
        name, told = self._want.name, "The change was taken back."
        if restoring is None:
            told = "The change stays until the next restart."
        elif restoring:
            self._client.call("ACL", "SETUSER", name, *restoring)
        else:
            self._client.call("ACL", "DELUSER", name)
        return Failure(
            "redis_not_kept",
            f"{self._label} cannot write down its users: {error.message.rstrip('.')}. {told}",
            "Let the server write that file and its folder; or set persist: never and put the user into the file yourself.",
        )

    def _prove(self) -> list[dict[str, Any]]:
        """The new login, used as the application does. Reads only, unless the probe was asked for."""
        where = _where(self._params, self._want.name, self._want.password)
        try:
            client = redis_client.connect(where, 0)
        except ServerError as error:
            raise redis_client.explain(error, where) from None
        with_writes = self._params["probe"] and not self._check_mode and not self._server.replica_of
        try:
            steps = _steps(client, self._want, with_writes)
        finally:
            client.close()
        failures = _failures(steps, where, self._server.product)
        if failures:
            raise _with_steps(failures, steps)
        return steps

    def _result(self, changed: bool, kept_in: str) -> dict[str, Any]:
        return {
            "changed": changed,
            "user": self._want.name,
            "state": self._params["state"],
            "key_patterns": list(self._want.keys),
            "server": self._server.public(),
            "kept_in": redis_server.NOWHERE if self._params["persist"] == "never" else kept_in,
            "warnings": self._warnings,
        }


def _steps(client: redis_client.Client, want: redis_acl.Wanted, with_writes: bool) -> list[dict[str, Any]]:
    steps = redis_probe.reads(client, want.prefix, want.cluster)
    if not want.cluster:
        steps += redis_probe.script(client, want.prefix)
    if with_writes and all(step["ok"] for step in steps):
        steps += redis_probe.writes(client, want.prefix, want.cluster)
    return steps


def _failures(steps: list[dict[str, Any]], where: redis_client.Where, product: str) -> list[Failure]:
    """One for each step that failed. Pure."""
    found = []
    for step in steps:
        if step["ok"]:
            continue
        if "undeclared key" in step["message"]:
            found.append(
                Failure(
                    "redis_scripts",
                    f"{product} at {where.label} forbids scripts to use keys that they do not declare, as BullMQ's do.",
                    "Start it with --default_lua_flags=allow-undeclared-keys.",
                )
            )
        elif step["kind"] == redis_client.DENIED:
            found.append(
                Failure(
                    "redis_rights",
                    f"User {where.user} of {where.label} lacks a right (step {step['step']}): {step['message'].rstrip('.')}.",
                    f"Let an administrator give it the keys of the prefix and {redis_acl.COMMANDS}.",
                )
            )
        else:
            found.append(redis_client.explain(ServerError(step["kind"], step["message"]), where))
    return found


def _with_steps(failures: list[Failure], steps: list[dict[str, Any]]) -> Failure:
    failure = joined(failures)
    failure.details["probe"] = steps
    return failure


def _verify(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """State verified: the user was made by somebody else, and nobody here may look it up."""
    where = _where(params, params["username"], params["password"])
    try:
        client = redis_client.connect(where, params["wait"])
        try:
            server = redis_server.server(_info(client), dict.fromkeys(_SETTINGS))
            cluster = server.cluster if params["cluster"] is None else params["cluster"]
            want = redis_acl.Wanted(params["username"], "", params["prefix"], cluster)
            steps = _steps(client, want, not check_mode)
            failures = redis_server.refusals(server, where.label, params["allow_eviction"], params["replica"])
            failures += _failures(steps, where, server.product)
            if failures:
                raise _with_steps(failures, steps)
            isolated = redis_probe.outside(client)
        finally:
            client.close()
    except ServerError as error:
        raise redis_client.explain(error, where) from None
    told = redis_server.warnings(server, where.label, params["replica"])
    if not isolated:
        told.append(
            f"User {where.user} of {where.label} may also use keys of others. Limit it to {', '.join(want.keys)}, "
            "unless nobody else uses the server."
        )
    return {
        "changed": False,
        "user": params["username"],
        "state": "verified",
        "key_patterns": list(want.keys),
        "server": server.public(),
        "isolated": isolated,
        "probe": steps,
        "warnings": told,
        "changes": [],
        "diff": {},
    }


def _info(client: redis_client.Client) -> dict[str, str]:
    """INFO, or as if it were any Redis 7 where the user may not ask: that is then one of the failed steps."""
    try:
        return client.info()
    except ServerError as error:
        if error.kind != redis_client.DENIED:
            raise
        return {"redis_version": ".".join(map(str, redis_server.MINIMUM))}
