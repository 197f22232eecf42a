"""The server's XML configuration: a main file and the files beside it in `config.d` or `users.d`.

The merge follows ClickHouse: equal paths are merged, `replace` and `remove` do what they say, `from_env` takes the
text from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

# These belong to the process that listens, or would make the library write logs of its own.
_NOT_FOR_ENGINE = frozenset({"logger", "users_config", "user_directories", "openSSL", "listen_host", "listen_try"})


class ConfigurationError(Exception):
    """A file that ClickHouse would refuse to start with."""


def parse(text: str, origin: str) -> ET.Element:
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        raise ConfigurationError(f"{origin}: {error}") from error
    if root.tag not in ("clickhouse", "yandex"):
        raise ConfigurationError(f"{origin}: the root element is <{root.tag}>, not <clickhouse>")
    return root


def _key(element: ET.Element) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Elements are the same when tag and attributes are, not counting those that direct the merge."""
    attributes = {name: value for name, value in element.attrib.items() if name not in ("replace", "remove")}
    return element.tag, tuple(sorted(attributes.items()))


def merge(base: ET.Element, extra: ET.Element) -> None:
    """Lay `extra` over `base`, in place."""
    for child in extra:
        same = [candidate for candidate in base if _key(candidate) == _key(child)]
        if "remove" in child.attrib:
            for candidate in same:
                base.remove(candidate)
        elif not same:
            base.append(child)
        elif "replace" in child.attrib or not (len(child) or len(same[0])):
            for candidate in same[1:]:
                base.remove(candidate)
            base[list(base).index(same[0])] = child
        else:
            merge(same[0], child)


def fill_from_environment(root: ET.Element, environ: Mapping[str, str]) -> None:
    for element in root.iter():
        name = element.attrib.pop("from_env", None)
        if name is None:
            continue
        if name not in environ:
            raise ConfigurationError(f"<{element.tag} from_env>: the variable {name} is not set")
        element.text = environ[name]


def load(main: Path, extra: Iterable[Path], environ: Mapping[str, str] | None = None) -> ET.Element:
    root = parse(main.read_text(), str(main))
    for path in extra:
        merge(root, parse(path.read_text(), str(path)))
    fill_from_environment(root, os.environ if environ is None else environ)
    return root


def files_in(*directories: Path) -> list[Path]:
    """The XML files, in the order of their names whichever directory they are in."""
    found = [path for directory in directories if directory.is_dir() for path in directory.glob("*.xml")]
    return sorted(found, key=lambda path: path.name)


def text_of(root: ET.Element, path: str, default: str = "") -> str:
    return (root.findtext(path) or "").strip() or default


def engine_configuration(root: ET.Element, users_file: Path) -> str:
    """What the engine gets: all but the listeners' own, and the users file that the server writes.

    Of the ports it gets the native one, by which it knows itself among the nodes of a cluster.
    """
    engine = ET.Element("clickhouse")
    for child in root:
        if child.tag not in _NOT_FOR_ENGINE and (child.tag == "tcp_port" or not child.tag.endswith("_port")):
            engine.append(child)
    ET.SubElement(engine, "users_config").text = str(users_file)
    return ET.tostring(engine, encoding="unicode")
