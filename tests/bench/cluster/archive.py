"""Images of a few files, written without an engine, in the form of `docker save`."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# As images and Go name it.
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
_NONROOT = 65532
_ACCOUNTS = {
    "etc/passwd": f"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{_NONROOT}:{_NONROOT}:nonroot:/:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nnonroot:x:{_NONROOT}:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


@dataclass(frozen=True)
class Content:
    """`files`: path in the image -> program on this machine; `links`: path -> target."""

    reference: str
    files: Mapping[str, Path]
    entrypoint: Sequence[str]
    links: Mapping[str, str]
    user: str = f"{_NONROOT}:{_NONROOT}"


def _entry(name: str, size: int = 0, mode: int = 0o644, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    """Without owner and time, so that the same content is the same image."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.type = size, mode, kind
    return entry


def _write_layer(path: Path, content: Content) -> None:
    with tarfile.open(path, "w") as layer:
        layer.addfile(_entry("etc", mode=0o755, kind=tarfile.DIRTYPE))
        layer.addfile(_entry("tmp", mode=0o1777, kind=tarfile.DIRTYPE))
        for name, text in _ACCOUNTS.items():
            layer.addfile(_entry(name, len(text)), io.BytesIO(text.encode()))
        for name, source in content.files.items():
            with source.open("rb") as stream:
                layer.addfile(_entry(name.lstrip("/"), source.stat().st_size, 0o755), stream)
        for name, target in content.links.items():
            entry = _entry(name.lstrip("/"), mode=0o777, kind=tarfile.SYMTYPE)
            entry.linkname = target
            layer.addfile(entry)


def configuration(content: Content, layer: str) -> bytes:
    """The image's own document; `layer` is the SHA-256 of its one layer."""
    return json.dumps(
        {
            "architecture": ARCHITECTURE,
            "os": "linux",
            "config": {
                "Entrypoint": list(content.entrypoint),
                "Env": ["PATH=/bin:/"],
                "User": content.user,
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
            "history": [{"created_by": "bench"}],
        }
    ).encode()


def write(path: Path, content: Content) -> None:
    """An archive that `ctr images import` and `docker load` take."""
    layer = path.with_suffix(".layer")
    _write_layer(layer, content)
    with layer.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    document = configuration(content, digest)
    name = f"{hashlib.sha256(document).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [content.reference], "Layers": [f"{digest}/layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        for member, data in ((name, document), ("manifest.json", json.dumps(manifest).encode())):
            archive.addfile(_entry(member, len(data)), io.BytesIO(data))
        archive.add(layer, f"{digest}/layer.tar")
    layer.unlink()
