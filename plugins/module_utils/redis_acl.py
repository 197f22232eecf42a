# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The language of Redis' access control lists: what a user may do, what it should, and the rules between the two. Pure.

Rules are compared as what they allow, as different texts may allow the same commands: Redis 7.0 writes rules of its own from
what is allowed, newer ones keep them as written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# Commands that Langfuse and BullMQ were seen to need lie in here, INFO (the check of the version) among them.
COMMANDS = "+@all -@admin -@dangerous +info"


class Dialect(NamedTuple):
    """How a server differs. Dragonfly knows no ``reset``, takes passwords in clear only, and shows hashes cut short."""

    resets: bool = True
    hashes: bool = True


REDIS = Dialect()
DRAGONFLY = Dialect(resets=False, hashes=False)


class Catalogue(NamedTuple):
    """The commands of a server, without containers such as ``config``, and those of each category. All in lower case."""

    commands: frozenset[str]
    categories: Mapping[str, frozenset[str]]

    def members(self, name: str) -> frozenset[str] | None:
        """The commands that a name in a rule means, None for a name that the server does not know."""
        if name in ("@all", "all"):
            return self.commands
        if name.startswith("@"):
            return self.categories.get(name[1:])
        if name in self.commands:
            return frozenset([name])
        inside = frozenset(one for one in self.commands if one.startswith(f"{name}|"))
        if inside:
            return inside
        # "select|0": a command with its first argument. Servers have commands with dashes, never with two bars.
        return frozenset([name]) if name.partition("|")[0] in self.commands else None


class User(NamedTuple):
    """A user as a server describes it. ``keys`` with their "~" or "%R~", ``channels`` with their "&"."""

    flags: frozenset[str]
    passwords: frozenset[str]
    commands: str
    keys: frozenset[str]
    channels: frozenset[str]
    selectors: tuple[tuple[str, ...], ...] = ()


class Wanted(NamedTuple):
    """A user as it should be. ``channels`` are patterns without "&"."""

    name: str
    password: str
    prefix: str
    cluster: bool = False
    channels: tuple[str, ...] = ()
    commands: str = COMMANDS

    @property
    def keys(self) -> tuple[str, ...]:
        """The patterns of the application's keys. In cluster mode BullMQ's keys begin with ``{prefix:queue}``."""
        return (f"~{self.prefix}*", *([f"~{{{self.prefix}*"] if self.cluster else []))

    @property
    def channel_patterns(self) -> frozenset[str]:
        return frozenset(f"&{one}" for one in self.channels)

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.password.encode()).hexdigest()


def catalogue(commands: Sequence[str], categories: Mapping[str, Sequence[str]]) -> Catalogue:
    """From COMMAND LIST and ACL CAT. A container is what others have their name from: ``config|get``."""
    names = {name.lower() for name in commands}
    containers = {name.partition("|")[0] for name in names if "|" in name}
    leaves = frozenset(names - containers)
    found = {name.lower(): frozenset(one.lower() for one in members) & leaves for name, members in categories.items()}
    return Catalogue(leaves, found)


def split(rules: str) -> list[str]:
    """Rules of commands, one an item. Dragonfly's names may have a blank inside: ``+acl list``."""
    found: list[str] = []
    for word in rules.lower().split():
        if word in ("allcommands", "nocommands"):
            found.append("+@all" if word == "allcommands" else "-@all")
        elif word[0] in "+-" or not found:
            found.append(word)
        else:
            found[-1] += f" {word}"
    return found


def unknown(rules: str, known: Catalogue) -> list[str]:
    """The rules that this server would refuse."""
    return [one for one in split(rules) if one[0] not in "+-" or known.members(one[1:]) is None]


def allowed(rules: str, known: Catalogue) -> frozenset[str]:
    """The commands that rules allow, read from left to right as the server does. A rule it does not know allows none.

    A first argument (``select|0``) counts only where the command itself is not allowed.
    """
    granted: set[str] = set()
    for rule in split(rules):
        members = known.members(rule[1:]) or frozenset()
        if rule[0] == "+":
            granted |= members
        else:
            granted -= members
            granted -= {one for one in granted if one not in known.commands and one.partition("|")[0] in members}
    return frozenset(one for one in granted if one in known.commands or one.partition("|")[0] not in granted)


def parse(answer: Any) -> User | None:
    """What ACL GETUSER answers, None for a user that does not exist."""
    if not answer:
        return None
    fields = dict(zip(answer[::2], answer[1::2]))
    return User(
        flags=frozenset(fields.get("flags", [])),
        passwords=frozenset(one.lstrip("#") for one in _words(fields.get("passwords", []))),
        commands=" ".join(_words(fields.get("commands", ""))),
        keys=frozenset(_keys(fields.get("keys", []))),
        channels=_patterns(fields.get("channels", [])),
        selectors=tuple(_selector(one) for one in fields.get("selectors", [])),
    )


def _words(value: Any) -> list[str]:
    """Redis 7 and Dragonfly say lists as one text."""
    return value.split() if isinstance(value, str) else [str(one) for one in value]


def _keys(value: Any) -> list[str]:
    return [word if word[0] in "~%" else f"~{word}" for word in _words(value)]


def _patterns(value: Any) -> frozenset[str]:
    """Channels; ``resetchannels``, or nothing, is none of them."""
    words = [word for word in _words(value) if word != "resetchannels"]
    return frozenset(word if word.startswith("&") else f"&{word}" for word in words)


def _selector(answer: Any) -> tuple[str, ...]:
    fields = dict(zip(answer[::2], answer[1::2])) if isinstance(answer, list) else {"commands": str(answer)}
    channels = sorted(_patterns(fields.get("channels", []))) or ["resetchannels"]
    return (*_keys(fields.get("keys", [])), *channels, *_words(fields.get("commands", "")))


def foreign(user: User, want: Wanted) -> list[str]:
    """What the user may reach beyond the prefix: then it belongs to somebody else, or to another instance."""
    stems = (want.prefix, f"{{{want.prefix}")
    beyond = sorted(key for key in user.keys if not key.partition("~")[2].startswith(stems))
    return beyond + [f"({' '.join(one)})" for one in user.selectors]


def same_text(user: User, want: Wanted) -> bool:
    """Whether the server keeps the very rules that are wanted. Then they allow the same, whatever it knows of commands."""
    return split(user.commands) == split(want.commands)


def differences(user: User | None, want: Wanted, known: Catalogue | None, dialect: Dialect) -> list[str]:
    """What has to be changed, in the order it is told: user, state, password, keys, channels, commands, selectors.

    Without ``known`` the rules of the commands are the same text.
    """
    if user is None:
        return ["user"]
    found = []
    if "on" not in user.flags or "skip-sanitize-payload" in user.flags:
        found.append("state")
    if not has_password(user, want, dialect):
        found.append("password")
    if user.keys != frozenset(want.keys):
        found.append("keys")
    if user.channels != want.channel_patterns:
        found.append("channels")
    if known and allowed(user.commands, known) != allowed(want.commands, known):
        found.append("commands")
    if user.selectors:
        found.append("selectors")
    return found


def has_password(user: User, want: Wanted, dialect: Dialect) -> bool:
    """Whether the one password is the user's only one. Of Dragonfly's hashes only the begin is known."""
    if "nopass" in user.flags or len(user.passwords) != 1:
        return False
    (seen,) = user.passwords
    return seen == want.hash if dialect.hashes else bool(seen) and want.hash.startswith(seen)


def rules(want: Wanted, dialect: Dialect) -> list[str]:
    """The rules that make the user what it should be, whatever it was.

    Without a reset, passwords, keys and channels would be added to those it has; and ``reset`` itself gives all channels
    back on a server with ``acl-pubsub-default allchannels``.
    """
    channels = ["allchannels" if one == "*" else f"&{one}" for one in want.channels]
    rights = [*want.keys, "resetchannels", *channels]
    if dialect.resets:
        return ["reset", "on", f"#{want.hash}", *rights, *split(want.commands)]
    return ["resetpass", f">{want.password}", "resetkeys", *rights, "-@all", *split(want.commands), "on"]


def restoring(user: User | None, dialect: Dialect) -> list[str] | None:
    """The rules that give a user back what it had, [] for none (it did not exist), None where that cannot be done."""
    if user is None:
        return []
    if not dialect.hashes:
        return None
    flags = sorted(user.flags & {"on", "off", "nopass", "skip-sanitize-payload"})
    hashes = [f"#{one}" for one in sorted(user.passwords)]
    selectors = [f"({' '.join(one)})" for one in user.selectors]
    rights = [*sorted(user.keys), "resetchannels", *sorted(user.channels), *split(user.commands), *selectors]
    return ["reset", *flags, *hashes, *rights]


def difference(user: User | None, want: Wanted, changes: Sequence[str], known: Catalogue | None) -> dict[str, Any]:
    """What a diff shows: nothing of any password but whether it changes."""
    after: dict[str, Any] = {
        "on": True,
        "password": "as given",
        "keys": sorted(want.keys),
        "channels": sorted(want.channel_patterns),
        "commands": want.commands,
    }
    if user is None:
        return {"before": {"user": None}, "after": {"user": want.name, **after}}
    before: dict[str, Any] = {
        "on": "on" in user.flags,
        "password": "another" if "password" in changes else "as given",
        "keys": sorted(user.keys),
        "channels": sorted(user.channels),
        "commands": user.commands if "commands" in changes else want.commands,
    }
    if known and "commands" in changes:
        had, has = allowed(user.commands, known), allowed(want.commands, known)
        before["only"], after["only"] = sorted(had - has), sorted(has - had)
    if user.selectors:
        before["selectors"], after["selectors"] = [" ".join(one) for one in user.selectors], []
    return {"before": {"user": want.name, **before}, "after": {"user": want.name, **after}}
