# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML that somebody else wrote, edited with its comments and order kept (ruamel.yaml)."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils.failure import Failure

try:
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.error import CommentMark, YAMLError
    from ruamel.yaml.tokens import CommentToken

    HAS_RUAMEL = True
except ImportError:
    HAS_RUAMEL = False

# Where a mapping and a list keep what is written after an item, up to the next one.
_AFTER_VALUE, _AFTER_ITEM = 2, 0


def edited(text: str, path: str, edit: Callable[[Any], None]) -> tuple[str, Any, Any]:
    """New text, and the plain data before and after. The text is the old one where the data stays. Raises Failure."""
    if not HAS_RUAMEL:
        raise Failure(
            "library_missing",
            "The Python library ruamel.yaml is not in the environment of the modules.",
            "Run site once more: it installs what the modules need.",
        )
    document = _load(text, path)
    before = plain(document)
    shape, leaves = _shape(document), list(_leaves(document))
    edit(document)
    after = plain(document)
    if after == before:
        return text, before, after
    _lift_comments(shape)
    _rescue_comments(document, leaves)
    return _dump(document, text), before, after


def plain(value: Any) -> Any:
    """Plain data: dicts, lists, scalars."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def _yaml(text: str) -> Any:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1_000_000
    # Lists are written as the file's first one is: `- x` below its key, or indented.
    found = re.search(r"^( *)[^\s#-][^#\n]*:[^\S\n]*\n\1( *)- ", text, re.MULTILINE)
    offset = len(found[2]) if found else 2
    step = re.search(r"^\S[^#\n]*:[^\S\n]*\n( +)[^\s#-]", text, re.MULTILINE)
    yaml.indent(mapping=len(step[1]) if step else 2, sequence=offset + 2, offset=offset)
    yaml.explicit_start = bool(re.match(r"(?:#[^\n]*\n|\s*\n)*---", text))
    return yaml


def _load(text: str, path: str) -> Any:
    try:
        document = _yaml(text).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        # The library's own message quotes the file, which may hold secrets.
        raise Failure(
            "bad_file", f"{path} is not one YAML document{where}.", "Correct the file; nothing was changed."
        ) from None
    if document is None:
        document = CommentedMap()
    if not isinstance(document, CommentedMap):
        raise Failure("bad_file", f"{path} is not a mapping.", "Name the configuration file itself.")
    return document


def _dump(document: Any, text: str) -> str:
    out = io.StringIO()
    _yaml(text).dump(document, out)
    written = out.getvalue()
    return written.replace("\n", "\r\n") if "\r\n" in text else written


def _shape(value: Any) -> dict[int, tuple[Any, Any]]:
    """Node -> (the node, its last key), of all mappings and lists."""
    found: dict[int, tuple[Any, Any]] = {}
    if isinstance(value, CommentedMap) and value:
        found[id(value)] = (value, next(reversed(list(value))))
        for item in value.values():
            found.update(_shape(item))
    elif isinstance(value, CommentedSeq) and value:
        found[id(value)] = (value, len(value) - 1)
        for item in value:
            found.update(_shape(item))
    return found


def _leaves(value: Any) -> Iterator[tuple[Any, Any, Any, str]]:
    """Mapping or list, key, item, and the comment lines below it; in the order of the file."""
    if not isinstance(value, (CommentedMap, CommentedSeq)):
        return
    for key in list(value) if isinstance(value, CommentedMap) else range(len(value)):
        item = value[key]
        if isinstance(item, (CommentedMap, CommentedSeq)) and item:
            yield from _leaves(item)
        else:
            yield value, key, item, _below(value, key)


def _rescue_comments(document: Any, leaves: list[tuple[Any, Any, Any, str]]) -> None:
    """What stands below something that was taken out goes below what stood before it."""
    nodes = {id(node) for node, _key, _item, _below_it in _leaves(document)}
    before: tuple[Any, Any] | None = None
    for node, key, item, below in leaves:
        now = None
        if id(node) in nodes:
            if isinstance(node, CommentedMap):
                now = key if key in node else None
            else:
                now = next((index for index, one in enumerate(node) if one is item), None)
        if now is not None:
            before = (node, now)
        elif below.strip() and before is not None:
            _give(*before, below)


def _lift_comments(shape: dict[int, tuple[Any, Any]]) -> None:
    """Comments between two keys hang at the end of what stands before them. What was added there goes above them."""
    for node, last in shape.values():
        now = next(reversed(list(node)), None) if isinstance(node, CommentedMap) else len(node) - 1
        if now is None or now == last or (last not in node if isinstance(node, CommentedMap) else last > now):
            continue
        if comment := _take(node, last):
            _give(node, now, comment)


def _take(node: Any, key: Any) -> str:
    """What follows the end of the line of an item, taken away from it."""
    child = node[key]
    if isinstance(child, (CommentedMap, CommentedSeq)) and child:
        inner = next(reversed(list(child))) if isinstance(child, CommentedMap) else len(child) - 1
        return _take(child, inner)
    rest = _below(node, key)
    if not rest:
        return ""
    place = _AFTER_VALUE if isinstance(node, CommentedMap) else _AFTER_ITEM
    tokens = node.ca.items[key]
    own = tokens[place].value.partition("\n")[0]
    if own.strip():
        tokens[place].value = own + "\n"
    else:
        tokens[place] = None
        if not any(tokens):
            del node.ca.items[key]
    return rest


def _below(node: Any, key: Any) -> str:
    """The comment and empty lines below the line of a leaf."""
    place = _AFTER_VALUE if isinstance(node, CommentedMap) else _AFTER_ITEM
    tokens = node.ca.items.get(key)
    token = tokens[place] if tokens and len(tokens) > place else None
    return "" if token is None or isinstance(token, list) else str(token.value.partition("\n")[2])


def _give(node: Any, key: Any, comment: str) -> None:
    child = node[key]
    if isinstance(child, (dict, list)) and child:
        if not isinstance(child, (CommentedMap, CommentedSeq)):
            child = _commented(child)
            node[key] = child
        inner = next(reversed(list(child))) if isinstance(child, CommentedMap) else len(child) - 1
        _give(child, inner, comment)
        return
    place = _AFTER_VALUE if isinstance(node, CommentedMap) else _AFTER_ITEM
    tokens = node.ca.items.setdefault(key, [None] * (place + 2))
    there = tokens[place].value if tokens[place] is not None and not isinstance(tokens[place], list) else "\n"
    tokens[place] = CommentToken(there + comment, CommentMark(0), None)


def _commented(value: Any) -> Any:
    if isinstance(value, dict):
        return CommentedMap((key, _commented(item)) for key, item in value.items())
    if isinstance(value, list):
        return CommentedSeq(_commented(item) for item in value)
    return value
