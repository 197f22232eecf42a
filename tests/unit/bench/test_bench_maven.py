from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.bench import extras, maven
from tests.bench.catalogue import EXTRAS, wanted_images
from tests.bench.paths import Paths
from tests.bench.shell import BenchError

PINNED = maven.Artifact("org.example.deep", "dist", "1.2.3", "zip", hashlib.sha256(b"right").hexdigest())


def test_the_line_of_a_pinned_file() -> None:
    text = f"# why\n\norg.example.deep:dist:1.2.3:zip {PINNED.sha256}\n"
    assert maven.parse(text) == PINNED
    assert PINNED.path == "org/example/deep/dist/1.2.3/dist-1.2.3.zip"


@pytest.mark.parametrize("text", ["", "a:b:c abc\n", "a:b:c:zip\n", "a:b:c:zip x\na:b:d:zip x\n"])
def test_a_line_that_is_none(text: str) -> None:
    with pytest.raises(BenchError, match="one line"):
        maven.parse(text)


def test_another_content_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "dist.zip"
    file.write_bytes(b"right")
    maven.check(PINNED, file)
    file.write_bytes(b"wrong")
    with pytest.raises(BenchError, match=PINNED.sha256):
        maven.check(PINNED, file)


@pytest.mark.parametrize("tool", ["maven", "address"])
def test_a_file_of_another_content_does_not_reach_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    content = [b"wrong"]

    def fetch(artifact: maven.Artifact, folder: Path, log: Path | None = None) -> Path:
        (folder / "got").write_bytes(content[0])
        return folder / "got"

    monkeypatch.setattr(maven.shutil, "which", lambda name: name if tool == "maven" else None)
    monkeypatch.setattr(maven, "_by_maven", fetch if tool == "maven" else None)
    monkeypatch.setattr(maven, "_by_address", fetch if tool == "address" else None)
    paths = Paths(tmp_path)
    with pytest.raises(BenchError, match="pinned"):
        maven.ensure(paths, PINNED, {})
    content[0] = b"right"
    folder = maven.ensure(paths, PINNED, {})
    assert [path.name for path in folder.iterdir()] == ["dist-1.2.3.zip"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "nothing else is kept"
    content[0] = b"not fetched again"
    assert (maven.ensure(paths, PINNED, {}) / "dist-1.2.3.zip").read_bytes() == b"right"


def test_extra_images_are_not_built_every_day() -> None:
    everyday = {image.name for image in wanted_images()}
    assert not everyday & {image.name for image in EXTRAS}
    assert extras.by_name("keycloak").repository == "keycloak/keycloak"
    with pytest.raises(BenchError, match="keycloak"):
        extras.by_name("nothing")


def test_keycloak_is_tagged_with_the_version_inside() -> None:
    image = extras.by_name("keycloak")
    assert image.find_version("Keycloak 26.7.3\nJVM: 21.0.9 (Debian)\n") == "26.7.3"
    assert maven.parse(image.maven.read_text()).version.startswith("26.")
