"""What tests put before the stand-in: repositories of git, charts in a Helm repository, charts in a registry. All of it is files."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import yaml

from tests.bench.shell import run

_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_CONFIG = "application/vnd.cncf.helm.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BRANCH = "main"


def repository(shelf: Path, name: str) -> Path:
    """A new bare repository, which clients reach as `<address>/git/NAME.git`: files are enough for git's older protocol."""
    folder = shelf / "git" / f"{name}.git"
    run(["git", "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", folder])
    hook = folder / "hooks" / "post-update"
    hook.write_text("#!/bin/sh\nexec git update-server-info\n")
    hook.chmod(0o755)
    run(["git", f"--git-dir={folder}", "update-server-info"])
    return folder


def pack(chart: Path) -> tuple[str, str, bytes]:
    """Name, version and archive of a chart; the same files are the same bytes."""
    description = yaml.safe_load((chart / "Chart.yaml").read_text())
    name, version = str(description["name"]), str(description["version"])
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in sorted(path for path in chart.rglob("*") if path.is_file()):
            content = path.read_bytes()
            entry = tarfile.TarInfo(f"{name}/{path.relative_to(chart)}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return name, version, gzip.compress(packed.getvalue(), mtime=0)


def helm_repository(shelf: Path, chart: Path) -> None:
    """The chart in `<address>/charts`, and no other."""
    name, version, content = pack(chart)
    folder = shelf / "charts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}-{version}.tgz").write_bytes(content)
    described = yaml.safe_load((chart / "Chart.yaml").read_text())
    entry = {**described, "urls": [f"{name}-{version}.tgz"], "digest": hashlib.sha256(content).hexdigest()}
    (folder / "index.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": {name: [entry]}}))


def registry(shelf: Path, repository: str, chart: Path) -> None:
    """The chart as `oci://<address>/REPOSITORY`, its version as the tag."""
    _name, version, content = pack(chart)
    root = shelf / "v2" / repository
    (root / "manifests").mkdir(parents=True, exist_ok=True)
    (root / "blobs").mkdir(exist_ok=True)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    described = {"mediaType": _LAYER, "digest": digest, "size": len(content)}
    (root / "blobs" / digest).write_bytes(content)
    empty = {"mediaType": _CONFIG, "digest": f"sha256:{hashlib.sha256(b'{}').hexdigest()}", "size": 2}
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": empty, "layers": [described]}
    (root / "manifests" / version).write_text(json.dumps(manifest))
