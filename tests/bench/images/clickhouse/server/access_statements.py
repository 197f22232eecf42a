"""The statements about users, roles and grants, taken apart as far as the bench has to act on them.

Whether a statement is well formed and allowed is for the engine to say; see `access.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

from .statements import Token, quote_name, tokens
from .users import ANY_NETWORK, sha256


@dataclass(frozen=True)
class EntityChange:
    """CREATE, ALTER or DROP of users or roles. None: the statement does not mention it.

    `settings` are pairs of name and value as written; `how` they meet those that are there: '' replaces them all,
    else ADD, MODIFY or DROP.
    """

    action: str
    kind: str
    names: tuple[str, ...]
    option: str = ""
    digest: tuple[str, str] | None = None
    networks: tuple[str, ...] | None = None
    profile: str | None = None
    salt: str = ""
    settings: tuple[tuple[str, str], ...] | None = None
    how: str = ""


@dataclass(frozen=True)
class GrantChange:
    """GRANT or REVOKE: the statements, without receivers, to add to each receiver's list."""

    statements: tuple[str, ...]
    names: tuple[str, ...]
    replaces: bool


@dataclass(frozen=True)
class ShowGrants:
    """SHOW GRANTS without FOR: those of the caller. `options`: WITH IMPLICIT, FINAL."""

    options: str = ""


@dataclass(frozen=True)
class ShowCreateUser:
    """SHOW CREATE USER of one user."""

    name: str


@dataclass(frozen=True)
class SetRole:
    """SET ROLE; `names` is empty for ALL, DEFAULT and NONE."""

    names: tuple[str, ...]


AccessStatement = EntityChange | GrantChange | ShowGrants | ShowCreateUser | SetRole


def parse(text: str) -> AccessStatement | None:
    """None: not about access, or only reads."""
    words = [token for token in tokens(text) if token.text != ";"]
    start = [token.word for token in words[:2]]
    if start[:1] in (["GRANT"], ["REVOKE"]):
        return _parse_grant(text, words)
    if start == ["SHOW", "GRANTS"] and not any(token.word == "FOR" for token in words):
        return ShowGrants(" ".join(token.word for token in words[2:] if token.word in ("WITH", "IMPLICIT", "FINAL")))
    if [token.word for token in words[:3]] == ["SHOW", "CREATE", "USER"] and len(words) > 3:
        return ShowCreateUser(_unquote(words[3]))
    if start == ["SET", "ROLE"]:
        names = _names(words[2:])
        return SetRole(tuple(name for name in names if name.upper() not in ("ALL", "DEFAULT", "NONE")))
    if len(start) == 2 and start[0] in ("CREATE", "ALTER", "DROP") and start[1] in ("USER", "ROLE"):
        return _parse_entity(text, start[0], start[1], words[2:])
    return None


def _unquote(token: Token) -> str:
    if token.kind in ("string", "quoted"):
        body = token.text[1:-1]
        for mark in ("\\", token.text[0]):
            body = body.replace("\\" + mark, mark)
        return body
    return token.text


def _names(words: list[Token]) -> tuple[str, ...]:
    """The comma-separated names at the start of `words`, each perhaps with an @host."""
    found = []
    position = 0
    while position < len(words) and words[position].kind != "other":
        found.append(_unquote(words[position]))
        position += 1
        if position < len(words) and words[position].text == "@":
            position += 2
        if position >= len(words) or words[position].text != ",":
            break
        position += 1
    return tuple(found)


def _take_option(words: list[Token]) -> tuple[str, list[Token]]:
    """IF EXISTS, IF NOT EXISTS, OR REPLACE in front of the names, and what is behind it."""
    for option in ("IF NOT EXISTS", "IF EXISTS", "OR REPLACE"):
        size = option.count(" ") + 1
        if " ".join(token.word for token in words[:size]) == option:
            return option, words[size:]
    return "", words


def _parse_entity(text: str, action: str, kind: str, words: list[Token]) -> EntityChange:
    option, words = _take_option(words)
    names = _names(words)
    digest = networks = profile = settings = None
    salt = how = ""
    for position, token in enumerate(words):
        following = words[position + 1 :]
        if token.word == "IDENTIFIED":
            previous = words[position - 1].word if position else ""
            digest = ("none", "") if previous == "NOT" else _digest(following)
        elif token.word == "SALT" and following:
            salt = _unquote(following[0])
        elif token.word == "HOST":
            networks = _networks(following)
        elif token.word == "PROFILE" and following:
            profile = _unquote(following[0])
        elif token.word == "SETTINGS":
            settings = _settings(text, following)
            before = words[position - 1].word if position else ""
            how = before if before in ("ADD", "MODIFY", "DROP") else ""
    return EntityChange(action, kind, names, option, digest, networks, profile, salt, settings, how)


def _settings(text: str, words: list[Token]) -> tuple[tuple[str, str], ...]:
    """The `name = value` of a list, profiles aside; the value is empty where only the name stands."""
    groups: list[list[Token]] = [[]]
    for token in words:
        if token.kind == "other" and token.text == ",":
            groups.append([])
        else:
            groups[-1].append(token)
    found = []
    for group in groups:
        if not group or group[0].word in ("PROFILE", "NONE"):
            continue
        value = text[group[0].end : group[-1].end].strip().removeprefix("=").strip()
        found.append((group[0].text, value))
    return tuple(found)


def _digest(words: list[Token]) -> tuple[str, str]:
    method = words[1].word.lower() if words and words[0].word == "WITH" and len(words) > 1 else ""
    secret = next((_unquote(token) for token in words if token.kind == "string"), "")
    if method == "no_password":
        return "none", ""
    if method == "sha256_hash":
        return "sha256", secret.lower()
    if method == "double_sha1_hash":
        return "double_sha1", secret.lower()
    return "sha256", sha256(secret)


def _networks(words: list[Token]) -> tuple[str, ...]:
    first = words[0].word if words else ""
    if first == "NONE":
        return ()
    if first == "LOCAL":
        return ("::1", "127.0.0.1")
    if first == "IP":
        listed = takewhile(lambda token: token.kind == "string" or token.text == ",", words[1:])
        return tuple(_unquote(token) for token in listed if token.kind == "string")
    return ANY_NETWORK


def _parse_grant(text: str, words: list[Token]) -> GrantChange:
    action = words[0].word
    joint = "TO" if action == "GRANT" else "FROM"
    at = max((position for position, token in enumerate(words) if token.word == joint), default=len(words) - 1)
    receivers = words[at + 1 :]
    names = _names(receivers)
    tail = [token.word for token in receivers]
    suffix = ""
    for option in ("GRANT", "ADMIN"):
        if ["WITH", option, "OPTION"] == tail[-3:] or f"WITH {option} OPTION" in " ".join(tail):
            suffix = f" WITH {option} OPTION"
    body = text[words[0].end : words[at].start].strip()
    if any(token.word == "ON" for token in words[:at]):
        statements: tuple[str, ...] = (f"{action} {body}{suffix}",)
    else:
        # One a role, so that dropping a role can take its own out again.
        statements = tuple(f"{action} {quote_name(name)}{suffix}" for name in _names(words[1:at]))
    return GrantChange(statements, names, "WITH REPLACE OPTION" in " ".join(tail))
