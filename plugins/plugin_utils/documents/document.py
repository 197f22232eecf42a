# Copyright (c) the llmops.langfuse contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document: an object with the place it goes to, and how each form becomes bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from xml.etree import ElementTree

import yaml

HEADER = "Written by llmops.langfuse. Changes here are lost: change the inventory instead."


@dataclass(frozen=True)
class Document:
    """One file of a target.

    path: relative to the directory of the target. form: yaml, yaml_all (a list of objects in one file), env, xml,
    conf, pem or text. object: its content as data. mode: file mode. sensitive: holds secrets, so its content never shows in a diff or a log.
    """

    path: str
    form: str
    object: Any
    mode: str = "0644"
    sensitive: bool = False

    def as_data(self) -> dict[str, Any]:
        """The document as a filter may return it."""
        return asdict(self)

    def content(self) -> str:
        """The bytes of the file, as text. Raises KeyError for an unknown form."""
        return _WRITERS[self.form](self.object)


def secret(path: str, form: str, content: Any) -> Document:
    """A document that only its owner may read."""
    return Document(path, form, content, mode="0600", sensitive=True)


class _Dumper(yaml.SafeDumper):
    """Text with line breaks in block style; no anchors, which people then have to chase."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# Text that other readers of YAML (1.2: Go's, which Kubernetes and SOPS have) take for a number, and this writer does not quote.
_NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][-+]?\d+|[-+]?0o[0-7_]+")


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else "'" if _NUMBER.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


class _Indented(_Dumper):
    """Lists further in than what they belong to, as the linters of repositories ask for."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def dump_indented(content: Any) -> str:
    """YAML as a part of something else, such as a patch in a file of the tree."""
    return _dumped(content, _Indented)


def _dumped(content: Any, dumper: type[yaml.SafeDumper]) -> str:
    dumped: str = yaml.dump(content, Dumper=dumper, sort_keys=False, allow_unicode=True, width=10000)
    return dumped


def _dump(content: Any, dumper: type[yaml.SafeDumper] = _Dumper) -> str:
    return f"---\n{_dumped(content, dumper)}"


def to_yaml(content: Any) -> str:
    return f"# {HEADER}\n{_dump(content)}"


def to_yaml_all(content: Sequence[Any]) -> str:
    """Objects in one file, one behind the other."""
    return f"# {HEADER}\n" + "".join(_dump(one, _Indented) for one in content)


# Seen to round-trip for every value through Compose; single quotes and bare values break some.
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "$": r"\$", "\n": r"\n", "\r": r"\r"})


def to_env(content: Mapping[str, str]) -> str:
    """An env file: names sorted, every value in double quotes."""
    lines = [f'{name}="{value.translate(_ESCAPES)}"\n' for name, value in sorted(content.items())]
    return f"# {HEADER}\n" + "".join(lines)


def _element(name: str, content: Any) -> ElementTree.Element:
    element = ElementTree.Element(name)
    if not isinstance(content, Mapping):
        element.text = "" if content is None else str(content)
        return element
    for key, value in content.items():
        if key.startswith("@"):
            element.set(key[1:], str(value))
        else:
            for item in value if isinstance(value, list) else [value]:
                element.append(_element(key, item))
    return element


def to_xml(content: Mapping[str, Any]) -> str:
    """XML with one root: keys are elements, `@keys` attributes, lists repeat their element."""
    ((name, inner),) = content.items()
    root = _element(name, inner)
    ElementTree.indent(root)
    return f"<!-- {HEADER} -->\n{ElementTree.tostring(root, encoding='unicode')}\n"


def to_conf(content: Mapping[str, str]) -> str:
    """One `name value` pair a line, as Redis and Valkey read them."""
    return f"# {HEADER}\n" + "".join(f"{name} {value}\n" for name, value in content.items())


def to_pem(content: str) -> str:
    """Certificates; their readers skip what is between them."""
    return f"# {HEADER}\n{content.strip()}\n"


def to_text(content: str) -> str:
    """Text for people, such as a page in Markdown: a comment of its own, in the form that does not show."""
    return f"<!-- {HEADER} -->\n{content}"


_WRITERS = {
    "yaml": to_yaml,
    "yaml_all": to_yaml_all,
    "env": to_env,
    "xml": to_xml,
    "conf": to_conf,
    "pem": to_pem,
    "text": to_text,
}


def from_data(data: Mapping[str, Any]) -> Document:
    """The document that `as_data` described."""
    return Document(**data)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: objects merge by key, null removes, anything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
