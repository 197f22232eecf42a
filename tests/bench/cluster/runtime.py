"""containerd, where the node's containers and images are, and how images come to it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time

from tests.bench.cluster import archive, commands, debian, programs
from tests.bench.cluster.layout import RUNTIME_NAMESPACE, Layout
from tests.bench.shell import BenchError, run, step, succeeds

NAME = "containerd"
_START_SECONDS = 30


def _client(layout: Layout) -> list[str]:
    return ["ctr", "--address", str(layout.runtime_socket), "--namespace", RUNTIME_NAMESPACE]


def ensure(layout: Layout) -> None:
    """Start containerd where it does not run. The node and an engine that shares its images both use it."""
    processes = layout.running
    if processes.pid(NAME) is not None:
        return
    if not shutil.which("containerd") or not shutil.which("ctr"):
        raise BenchError("containerd is not installed: `python -m tests.bench up` installs it with Docker Engine")
    layout.network.mkdir(parents=True, exist_ok=True)
    (layout.network / "10-bench.conflist").write_text(json.dumps(commands.network_configuration(layout)))
    configuration = layout.root / "containerd.toml"
    configuration.write_text(commands.runtime_configuration(layout, debian.plugins(debian.folder(layout))))
    processes.start(NAME, ["containerd", f"--config={configuration}"])
    deadline = time.monotonic() + _START_SECONDS
    while not succeeds([*_client(layout), "version"]):
        processes.check(NAME)
        if time.monotonic() > deadline:
            raise BenchError(f"containerd does not answer; see {processes.log(NAME)}")
        time.sleep(0.1)


def images(layout: Layout) -> set[str]:
    """References of the images that pods can use."""
    return set(run([*_client(layout), "images", "list", "--quiet"]).split())


def add(layout: Layout, content: archive.Content, times: dict[str, float]) -> None:
    """An image made of files, if it is not there. The reference's tag changes with the files."""
    if content.reference in images(layout):
        return
    with step(f"make the image {content.reference}", times):
        path = layout.root / "image.tar"
        archive.write(path, content)
        run([*_client(layout), "images", "import", path])
        path.unlink()


def add_from_docker(layout: Layout, reference: str, times: dict[str, float]) -> None:
    """An image of Docker Engine, as it is there now."""
    wanted = run(["docker", "image", "inspect", "--format", "{{.Id}}", reference]).strip()
    marker = layout.runtime / "from-docker" / f"{reference.replace('/', '_')}"
    known = marker.read_text() if marker.exists() else ""
    if known == wanted and reference in images(layout):
        return
    with step(f"bring {reference} to the node", times):
        _pipe(["docker", "save", reference], [*_client(layout), "images", "import", "-"])
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text(wanted)


def _pipe(source: list[str], sink: list[str]) -> None:
    with subprocess.Popen(source, stdout=subprocess.PIPE) as first:
        done = subprocess.run(sink, stdin=first.stdout, capture_output=True, text=True, check=False)
    if first.returncode or done.returncode:
        raise BenchError(f"{' '.join(source)} | {' '.join(sink)}: {done.stderr.strip()}")


def remove_pods(layout: Layout) -> None:
    """All at once and without notice; containers of Docker stay. The kubelet must have ended."""
    program = programs.executable(layout, programs.KUBERNETES, "remove-pods")
    if layout.running.pid(NAME) is not None and program.exists():
        run([program, f"unix://{layout.runtime_socket}"], timeout=60)


def release(layout: Layout) -> None:
    """End it, unless the node or an engine still uses it."""
    if layout.running.pid("kubelet") is None and not layout.paths.daemon_configuration.exists():
        layout.running.stop(NAME)
