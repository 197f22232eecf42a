"""What the node changes on this machine, recorded before it starts and taken back after it has ended.

Links and mounts are the node's own by their names and folders; settings of the kernel go back to what was recorded.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.cluster.layout import LINK, NODE_ADDRESS, POD_RANGE, Layout
from tests.bench.host import plan_mount_cleanup
from tests.bench.shell import BenchError, run, succeeds

_FORWARDING = "net/ipv4/ip_forward"
# kubelet writes the first five, CNI's plugin the last.
SETTINGS = (
    "vm/overcommit_memory",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    _FORWARDING,
)
_PROC = Path("/proc/sys")
_GROUPS = Path("/sys/fs/cgroup")
# kubelet makes these wherever its own folders are.
_FOLDERS = (Path("/var/log/containers"), Path("/var/lib/kubelet"), Path("/var/lib/cni"), Path("/var/log/pods"))
_TABLES = ("ip kube-proxy", "ip6 kube-proxy", "ip bench-policies")
# Docker's firewall drops what is forwarded and not for one of its own networks.
_FORWARD_RULES = (["-s", POD_RANGE, "-j", "ACCEPT"], ["-d", POD_RANGE, "-j", "ACCEPT"])


@dataclass(frozen=True)
class HostState:
    """Settings of the kernel by name, and which of the folders were there."""

    settings: dict[str, str]
    folders: list[str]


def take() -> HostState:
    settings = {}
    for name in SETTINGS:
        with contextlib.suppress(OSError):
            settings[name] = (_PROC / name).read_text().strip()
    return HostState(settings, [str(folder) for folder in _FOLDERS if folder.exists()])


def save(path: Path, state: HostState) -> None:
    path.write_text(json.dumps(asdict(state), indent=1))


def load(path: Path) -> HostState:
    return HostState(**json.loads(path.read_text()))


def prepare() -> None:
    """The node's own address, reached from pods and from this machine, and the way through Docker's firewall."""
    if not succeeds(["ip", "link", "show", "dev", LINK]):
        run(["ip", "link", "add", LINK, "type", "bridge"])
        run(["ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", LINK])
        run(["ip", "link", "set", LINK, "up"])
    for rule in _FORWARD_RULES:
        if not succeeds(["iptables", "-w", "-C", "FORWARD", *rule]):
            run(["iptables", "-w", "-I", "FORWARD", *rule])


def changed_settings(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Name -> the value to go back to."""
    return {name: value for name, value in before.items() if now.get(name) != value}


def plan_folders(before: Sequence[str], now: Sequence[str]) -> list[str]:
    return [folder for folder in now if folder not in before]


def restore(layout: Layout, before: HostState, environment: Mapping[str, str]) -> list[str]:
    """Undo; returns what could not be undone, one line each. `environment` finds `nft`."""
    left: list[str] = []

    def attempt(*words: str) -> None:
        try:
            run(words, env=environment)
        except BenchError as error:
            left.append(str(error))

    tables = run(["nft", "list", "tables"], env=environment)
    for table in _TABLES:
        if f"table {table}\n" in tables:
            attempt("nft", "delete", "table", *table.split())
    for rule in _FORWARD_RULES:
        while succeeds(["iptables", "-w", "-C", "FORWARD", *rule]):
            attempt("iptables", "-w", "-D", "FORWARD", *rule)
    if succeeds(["ip", "link", "show", "dev", LINK]):
        attempt("ip", "link", "delete", LINK)
    # An engine may have containers in the same runtime: only what is of pods.
    for folder in (layout.state, layout.runtime_state / "io.containerd.grpc.v1.cri"):
        for point in plan_mount_cleanup(folder, Path("/proc/self/mountinfo").read_text()):
            attempt("umount", point)
    left += _remove_groups(_GROUPS)
    now = take()
    # An engine that came later needs it as much.
    kept = {_FORWARDING} if succeeds(["docker", "version"]) else set()
    for name, value in changed_settings(before.settings, now.settings).items():
        if name not in kept:
            (_PROC / name).write_text(value)
    for added in plan_folders(before.folders, now.folders):
        shutil.rmtree(added, onexc=lambda _function, path, error: left.append(f"{path}: {error}"))
    return left


def pod_processes(root: Path = _GROUPS) -> set[int]:
    """Pids of all that runs in pods, read from their control groups."""
    pids: set[int] = set()
    for top in _tops(root):
        for path in top.rglob("cgroup.procs"):
            pids.update(int(line) for line in path.read_text().split())
    return pids


def _tops(root: Path) -> list[Path]:
    """The kubelet's outermost group: one for each controller in the first version of control groups."""
    return [path for path in (*root.glob("*/kubepods"), root / "kubepods") if path.is_dir()]


def _remove_groups(root: Path) -> list[str]:
    """kubelet's control groups, the innermost first."""
    left = []
    for top in _tops(root):
        inner = sorted((path for path in top.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
        for group in (*inner, top):
            try:
                group.rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                left.append(f"{group}: {error}")
    return left
