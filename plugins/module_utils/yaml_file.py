# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML that somebody else wrote, edited with its comments and order kept (ruamel.yaml)."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.llmops.langfuse.plugins.module_utils import libraries
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


def mapping(value: Any) -> Mapping[str, Any]:
    """What a file of somebody else has at a place; {} where that is no mapping."""
    return value if isinstance(value, Mapping) else {}


def edited(text: str, path: str, edit: Callable[[Any], None]) -> tuple[str, Any, Any]:
    """New text, and the plain data before and after. The text is the old one where the data stays. Raises Failure."""
    if not HAS_RUAMEL:
        raise libraries.missing("ruamel.yaml")
    document = _load(text, path)
    before = plain(document)
    nodes, leaves = list(_nodes(document)), list(_leaves(document))
    edit(document)
    after = plain(document)
    if after == before:
        return text, before, after
    _rescue_comments(document, leaves)
    _lift_comments(nodes)
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


def _nodes(value: Any) -> Iterator[tuple[Any, list[Any]]]:
    """All mappings and lists, each with its keys, or as many places as it has items."""
    if isinstance(value, (CommentedMap, CommentedSeq)):
        keys = list(value) if isinstance(value, CommentedMap) else list(range(len(value)))
        yield value, keys
        for key in keys:
            yield from _nodes(value[key])


def _leaves(value: Any) -> Iterator[tuple[Any, Any, Any, int, str]]:
    """Mapping or list, key, item, size of the former, and the comment lines below; in the order of the file."""
    if not isinstance(value, (CommentedMap, CommentedSeq)):
        return
    for key in list(value) if isinstance(value, CommentedMap) else range(len(value)):
        item = value[key]
        if isinstance(item, (CommentedMap, CommentedSeq)) and item:
            yield from _leaves(item)
        else:
            yield value, key, item, len(value), _below(value, key)


def _place(node: Any, key: Any, item: Any, size: int) -> Any:
    """Where an item of before is now; None when it was taken out."""
    if isinstance(node, CommentedMap):
        return key if key in node else None
    if len(node) >= size:
        return key
    return next((index for index, one in enumerate(node) if one is item), None)


def _rescue_comments(document: Any, leaves: list[tuple[Any, Any, Any, int, str]]) -> None:
    """What stands below something that was taken out goes below what stood before it."""
    alive = {id(node) for node, _keys in _nodes(document)}
    before: tuple[Any, Any] | None = None
    for node, key, item, size, below in leaves:
        now = _place(node, key, item, size) if id(node) in alive else None
        if now is not None:
            before = (node, now)
        elif below.strip() and before is not None:
            _give(*before, below)


def _lift_comments(nodes: list[tuple[Any, list[Any]]]) -> None:
    """Comments between two keys hang at the end of what stands before them. What was added there goes above them."""
    for node, keys in nodes:
        if isinstance(node, CommentedMap):
            old, now = [key for key in keys if key in node], list(node)
        else:
            old, now = keys[: len(node)], list(range(len(node)))
        if old and old[-1] != now[-1] and (comment := _take(node, old[-1])):
            _give(node, now[-1], comment)


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
    if tokens[place] is None:
        tokens[place] = CommentToken("\n" + comment, CommentMark(0), None)
    else:
        tokens[place].value += comment


def _commented(value: Any) -> Any:
    if isinstance(value, dict):
        return CommentedMap((key, _commented(item)) for key, item in value.items())
    if isinstance(value, list):
        return CommentedSeq(_commented(item) for item in value)
    return value
