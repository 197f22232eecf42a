"""Gets what a source names: commits with git, charts and images of charts over HTTP."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from tests.bench.cluster.sources.artifacts import Artifact, Object, SourceError, place
from tests.bench.shell import BenchError, run

# Answers without a proxy of the machine's environment: the shelf is on the node.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_SECONDS = 30
# The artifact of a source that a chart names: kind, namespace, name -> its content.
Stored = Callable[[str, str, str], bytes]


def _get(url: str, accept: str = "*/*") -> bytes:
    try:
        with _opener.open(urllib.request.Request(url, headers={"Accept": accept}), timeout=_SECONDS) as answer:
            return bytes(answer.read())
    except (OSError, ValueError) as error:
        raise SourceError("FetchFailed", f"{url}: {error}") from error


def _git(folder: Path, *words: str) -> str:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull, "no_proxy": "*"}
    try:
        return run(["git", f"--git-dir={folder}", *words], env=environment, timeout=_SECONDS).strip()
    except BenchError as error:
        raise SourceError("GitOperationFailed", str(error).splitlines()[-1]) from error


def _commit(folder: Path, reference: Object) -> str:
    """The commit, and how a revision names it: `main@sha1:…`."""
    for kind, where in (("commit", ""), ("tag", "refs/tags/"), ("branch", "refs/heads/")):
        if name := reference.get(kind) or (kind == "branch" and "master"):
            found = _git(folder, "rev-parse", "--verify", f"{where}{name}^{{commit}}")
            branch = reference.get("branch", "") if kind == "commit" else name
            return f"{branch}@sha1:{found}" if branch else f"sha1:{found}"
    raise AssertionError


def git(source: Object, work: Path) -> Artifact:
    """`work` keeps a copy of each repository."""
    url = source["spec"]["url"]
    folder = work / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"
    if not folder.exists():
        run(["git", "init", "--quiet", "--bare", folder])
    _git(
        folder, "fetch", "--quiet", "--force", "--prune", url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"
    )
    revision = _commit(folder, source["spec"].get("ref") or {})
    commit = revision.rpartition(":")[2]
    packed = folder / "archive.tar.gz"
    _git(folder, "archive", "--format=tar.gz", f"--output={packed}", commit)
    return Artifact(place(source, f"{commit}.tar.gz"), revision, packed.read_bytes())


def helm_repository(source: Object) -> Artifact:
    """Its index."""
    content = _get(f"{source['spec']['url'].rstrip('/')}/index.yaml")
    digest = hashlib.sha256(content).hexdigest()
    return Artifact(place(source, f"index-{digest}.yaml"), f"sha256:{digest}", content)


def _entry(index: bytes, chart: str, version: str) -> Object:
    entries: list[Object] = (yaml.safe_load(index).get("entries") or {}).get(chart) or []
    for each in entries:
        if each["version"] == version:
            return each
    there = ", ".join(each["version"] for each in entries) or "none"
    raise SourceError("InvalidChartReference", f"no {chart} of the version {version}; there are: {there}")


def _pack(tree: bytes, folder: str) -> tuple[str, str, bytes]:
    """Name, version and archive of a chart in a folder of a repository's artifact."""
    prefix = PurePosixPath(folder)
    packed = io.BytesIO()
    name, version = "", ""
    with tarfile.open(fileobj=io.BytesIO(tree)) as given:
        members = {PurePosixPath(each.name): each for each in given if each.isfile()}
        described = members.get(prefix / "Chart.yaml")
        if described is None:
            raise SourceError("InvalidChartReference", f"no chart in {folder}")
        description = yaml.safe_load(_content(given, described))
        name, version = str(description["name"]), str(description["version"])
        with tarfile.open(fileobj=packed, mode="w") as made:
            for path, member in members.items():
                if path.is_relative_to(prefix):
                    content = _content(given, member)
                    entry = tarfile.TarInfo(f"{name}/{path.relative_to(prefix)}")
                    entry.size = len(content)
                    made.addfile(entry, io.BytesIO(content))
    return name, version, gzip.compress(packed.getvalue(), mtime=0)


def _content(given: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = given.extractfile(member)
    return stream.read() if stream else b""


def helm_chart(source: Object, stored: Stored, repository: str) -> Artifact:
    """`repository`: the address of the HelmRepository that it names, empty for another source. Versions are exact ones."""
    spec, namespace = source["spec"], source["metadata"]["namespace"]
    wanted = spec["sourceRef"]
    found = stored(wanted["kind"], namespace, wanted["name"])
    if repository:
        entry = _entry(found, spec["chart"], spec.get("version", "*"))
        content = _get(urllib.parse.urljoin(f"{repository.rstrip('/')}/", entry["urls"][0]))
        name, version = str(entry["name"]), str(entry["version"])
    else:
        name, version, content = _pack(found, spec["chart"])
    of_source = {"observedChartName": name, "observedSourceArtifactRevision": hashlib.sha256(found).hexdigest()}
    return Artifact(place(source, f"{name}-{version}.tgz"), version, content, of_source)


def oci(source: Object) -> Artifact:
    """The first layer of an image, as a registry on the node has it; `oci://HOST/NAME`, a tag or a digest."""
    host, _slash, name = source["spec"]["url"].removeprefix("oci://").partition("/")
    reference = source["spec"].get("ref") or {}
    tag = reference.get("digest") or reference.get("tag") or "latest"
    manifest = _get(f"http://{host}/v2/{name}/manifests/{tag}", _MANIFEST)
    layers: list[dict[str, Any]] = json.loads(manifest)["layers"]
    wanted = (source["spec"].get("layerSelector") or {}).get("mediaType")
    found = [each for each in layers if wanted in (None, each["mediaType"])]
    if not found:
        raise SourceError("OCIArtifactPullFailed", f"no layer of {wanted} in {name}:{tag}")
    content = _get(f"http://{host}/v2/{name}/blobs/{found[0]['digest']}")
    digest = hashlib.sha256(manifest).hexdigest()
    revision = tag if tag.startswith("sha256:") else f"{tag}@sha256:{digest}"
    return Artifact(place(source, f"sha256:{digest}.tar.gz".replace(":", "-")), revision, content)
