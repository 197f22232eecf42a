"""Each form of a document as bytes."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
import yaml
from ansible_collections.llmops.langfuse.plugins.plugin_utils.documents import document

HOSTILE = [
    "",
    "plain",
    'quo"te',
    "dollar $HOME ${X}",
    "back\\slash",
    "#hash",
    "line\nbreak",
    "é {{ x }}",
    "a=b",
    " spaces ",
    "'single'",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_env_file_reads_back(value: str) -> None:
    line = document.to_env({"NAME": value}).splitlines()[1:]
    assert len(line) == 1
    match = re.fullmatch(r'NAME="(.*)"', line[0])
    assert match
    restored = re.sub(r"\\(.)", lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), match[1])
    assert restored == value


@pytest.mark.parametrize("value", HOSTILE)
def test_yaml_and_xml_read_back(value: str) -> None:
    assert yaml.safe_load(document.to_yaml({"a": [value]})) == {"a": [value]}
    assert (ElementTree.fromstring(document.to_xml({"r": {"e": value}})).find("e").text or "") == value  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["1e5", "12E+7", "1.5e3", ".5e1", "1_0e2", "0o17"])
def test_what_another_reader_of_yaml_takes_for_a_number_stays_text(text: str) -> None:
    """Go's, by YAML 1.2: in a label or an environment the API server would refuse the number."""
    assert f"- '{text}'\n" in document.to_yaml([text])
    assert yaml.safe_load(document.to_yaml([text])) == [text]


@pytest.mark.parametrize("value", HOSTILE)
def test_several_objects_of_a_file_read_back(value: str) -> None:
    content = [{"a": [value, {"b": value}]}, {"c": value}]
    assert list(yaml.safe_load_all(document.Document("x", "yaml_all", content).content())) == content


def test_objects_of_a_file_are_set_apart_and_their_lists_indented() -> None:
    text = document.Document("x", "yaml_all", [{"a": [1]}, {"b": 2}]).content()
    assert text == f"# {document.HEADER}\n---\na:\n  - 1\n---\nb: 2\n"


def test_a_page_says_who_wrote_it_without_showing_it() -> None:
    assert document.Document("x", "text", "# Title\n").content() == f"<!-- {document.HEADER} -->\n# Title\n"


def test_env_names_are_sorted() -> None:
    assert [line.split("=")[0] for line in document.to_env({"B": "1", "A": "2"}).splitlines()[1:]] == ["A", "B"]


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        ({"a": 1}, {"a": None}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
        ({"a": 1}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
    ],
)
def test_merge_patch(target: object, patch: object, merged: object) -> None:
    assert document.merge_patch(target, patch) == merged
