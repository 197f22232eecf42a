"""The stand-in for source-controller: when it looks, what it fetches, what it says."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.bench.cluster.sources import artifacts, fetch, shelf
from tests.bench.cluster.sources.artifacts import Artifact, SourceError
from tests.bench.shell import run

NOW = "2026-01-02T03:04:05Z"
GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]


def source(kind: str = "GitRepository", /, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "it", "namespace": "ns", "generation": 1, "uid": "u"}
    return {"kind": kind, "metadata": metadata, "spec": {"interval": "1m", **spec}}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of the shelf in `tmp_path`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "source" / "mine"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: mine\nversion: 1.2.3\n")
    (folder / "templates" / "a.yaml").write_text("a: 1\n")
    return folder


@pytest.mark.parametrize(
    ("text", "seconds"), [("1h", 3600.0), ("1m30s", 90.0), ("500ms", 0.5), ("1.5h", 5400.0), ("30s", 30.0)]
)
def test_durations_are_read_as_go_writes_them(text: str, seconds: float) -> None:
    assert artifacts.seconds(text) == seconds


@pytest.mark.parametrize("text", ["10", "1 h", "h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        artifacts.seconds(text)


def test_a_source_is_looked_at_when_it_is_new_changed_asked_for_or_old() -> None:
    seen = {"status": {"observedGeneration": 1}}
    known = {**source(), **seen}
    asked = {**known, "metadata": {**known["metadata"], "annotations": {artifacts.REQUESTED: "now"}}}
    answered = {**asked, "status": {**seen["status"], "lastHandledReconcileAt": "now"}}
    assert artifacts.is_due(source(), 100, 100)
    assert not artifacts.is_due(known, 100, 50)
    assert artifacts.is_due(known, 110, 50)
    assert artifacts.is_due({**known, "metadata": {**known["metadata"], "generation": 2}}, 100, 100)
    assert artifacts.is_due(asked, 100, 100)
    assert not artifacts.is_due(answered, 100, 100)
    assert not artifacts.is_due(source(suspend=True), 1000, 0)


def test_what_the_stand_in_does_not_read_is_refused() -> None:
    artifacts.refuse_unknown(source(url="http://x", ref={"branch": "main"}, provider="generic"))
    with pytest.raises(SourceError, match="does not read provider"):
        artifacts.refuse_unknown(source(url="http://x", provider="github"))
    with pytest.raises(SourceError, match=r"stand-in .* does not read ignore, secretRef"):
        artifacts.refuse_unknown(source(url="http://x", secretRef={"name": "a"}, ignore="b"))


def test_the_status_has_what_controllers_read() -> None:
    found = source()
    artifact = Artifact(artifacts.place(found, "1.tar.gz"), "main@sha1:1", b"abc")
    status = artifacts.stored(found, artifact, "http://host", NOW)
    assert status["artifact"] == {
        "path": "gitrepository/ns/it/1.tar.gz",
        "url": "http://host/gitrepository/ns/it/1.tar.gz",
        "revision": "main@sha1:1",
        "digest": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "size": 3,
        "lastUpdateTime": NOW,
    }
    assert {(each["type"], each["status"]) for each in status["conditions"]} == {
        ("Ready", "True"),
        ("ArtifactInStorage", "True"),
    }
    assert all("stand-in" in each["message"] for each in status["conditions"])


def test_an_artifact_that_is_there_keeps_its_time_and_a_failure_keeps_it() -> None:
    found = source()
    artifact = Artifact(artifacts.place(found, "1.tar.gz"), "main@sha1:1", b"abc")
    before = {**found, "status": artifacts.stored(found, artifact, "http://host", NOW)}
    assert artifacts.stored(before, artifact, "http://host", "later") == before["status"]
    newer = artifacts.stored(before, Artifact(artifact.path, "main@sha1:2", b"abc"), "http://host", "later")
    assert newer["artifact"]["lastUpdateTime"] == "later"
    failed = artifacts.failed(before, SourceError("Gone", "is not there"), "later")
    assert "artifact" not in failed
    (condition,) = failed["conditions"]
    assert (condition["status"], condition["reason"], condition["lastTransitionTime"]) == ("False", "Gone", "later")


def _commit(folder: Path, bare: Path, text: str) -> str:
    if not folder.exists():
        run([*GIT, "clone", "--quiet", bare, folder])
    (folder / "a.txt").write_text(text)
    run([*GIT, "-C", folder, "add", "--all"])
    run([*GIT, "-C", folder, "commit", "--quiet", "--message=it"])
    run([*GIT, "-C", folder, "push", "--quiet", "origin", "HEAD:main"])
    return run(["git", "-C", folder, "rev-parse", "HEAD"]).strip()


def test_a_commit_is_fetched_over_http_and_packed_the_same_each_time(tmp_path: Path, address: str) -> None:
    bare, checkout, work = shelf.repository(tmp_path, "mine"), tmp_path / "checkout", tmp_path / "work"
    wanted = source(url=f"http://{address}/git/mine.git", ref={"branch": "main"})
    with pytest.raises(SourceError):
        fetch.git(wanted, work)
    first = _commit(checkout, bare, "one")
    found = fetch.git(wanted, work)
    assert found.revision == f"main@sha1:{first}"
    assert str(found.path) == f"gitrepository/ns/it/{first}.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(found.content)) as archive:
        assert archive.extractfile("a.txt").read() == b"one"  # type: ignore[union-attr]
    assert fetch.git(wanted, work).digest == found.digest
    second = _commit(checkout, bare, "two")
    assert fetch.git(wanted, work).revision == f"main@sha1:{second}"
    assert fetch.git(source(url=wanted["spec"]["url"], ref={"commit": first}), work).revision == f"sha1:{first}"
    with pytest.raises(SourceError):
        fetch.git(source(url=wanted["spec"]["url"], ref={"branch": "other"}), work)


def test_a_chart_comes_from_a_helm_repository_by_its_exact_version(tmp_path: Path, address: str, chart: Path) -> None:
    shelf.helm_repository(tmp_path, chart)
    url = f"http://{address}/charts"
    index = fetch.helm_repository(source("HelmRepository", url=url))
    wanted = source("HelmChart", chart="mine", version="1.2.3", sourceRef={"kind": "HelmRepository", "name": "it"})
    found = fetch.helm_chart(wanted, lambda *_names: index.content, url)
    assert (found.revision, str(found.path)) == ("1.2.3", "helmchart/ns/it/mine-1.2.3.tgz")
    assert found.content == shelf.pack(chart)[2]
    assert found.more["observedChartName"] == "mine"
    wanted["spec"]["version"] = "1.2.4"
    with pytest.raises(SourceError, match=r"no mine of the version 1\.2\.4; there are: 1\.2\.3"):
        fetch.helm_chart(wanted, lambda *_names: index.content, url)


def test_a_chart_is_packed_from_a_folder_of_a_repository(tmp_path: Path, address: str, chart: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(chart, "charts/mine")
        archive.add(chart / "Chart.yaml", "charts/mine-too/Chart.yaml")
    wanted = source("HelmChart", chart="./charts/mine", sourceRef={"kind": "GitRepository", "name": "it"})
    found = fetch.helm_chart(wanted, lambda *_names: packed.getvalue(), "")
    assert found.revision == "1.2.3"
    with tarfile.open(fileobj=io.BytesIO(found.content)) as archive:
        assert sorted(archive.getnames()) == ["mine/Chart.yaml", "mine/templates/a.yaml"]
    wanted["spec"]["chart"] = "./other"
    with pytest.raises(SourceError, match="no chart in"):
        fetch.helm_chart(wanted, lambda *_names: packed.getvalue(), "")


def test_a_chart_comes_from_a_registry(tmp_path: Path, address: str, chart: Path) -> None:
    shelf.registry(tmp_path, "charts/mine", chart)
    wanted = source("OCIRepository", url=f"oci://{address}/charts/mine", ref={"tag": "1.2.3"})
    found = fetch.oci(wanted)
    assert found.content == shelf.pack(chart)[2]
    assert found.revision.startswith("1.2.3@sha256:")
    wanted["spec"]["layerSelector"] = {"mediaType": "other", "operation": "copy"}
    with pytest.raises(SourceError, match="no layer of other"):
        fetch.oci(wanted)
    with pytest.raises(SourceError, match="404"):
        fetch.oci(source("OCIRepository", url=f"oci://{address}/charts/none"))
