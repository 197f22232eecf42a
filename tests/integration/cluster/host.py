"""What a node could leave behind on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.bench.cluster import debian, host_state
from tests.bench.cluster.layout import POD_RANGE, Layout
from tests.bench.host import plan_link_cleanup, take_snapshot
from tests.bench.paths import find_paths
from tests.bench.shell import run


@dataclass(frozen=True)
class Traces:
    """Lines of each kind, without Docker's own; two that are equal mean that nothing is left."""

    links: list[str]
    mounts: list[str]
    settings: dict[str, str]
    folders: list[str]
    forwarding: list[str]
    tables: list[str]
    groups: list[str]
    processes: list[str]


def _processes(root: Path) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if str(root) in words and "python" not in words.split()[0]:
            found.append(words)
    return sorted(found)


def take_traces() -> Traces:
    layout = Layout(find_paths())
    layout.root.mkdir(parents=True, exist_ok=True)
    network, state = take_snapshot(), host_state.take()
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    rules = network.tables.get("iptables", "").splitlines()
    tables = run(["nft", "list", "tables"], env=debian.environment(debian.ensure(layout, {})))
    return Traces(
        sorted(set(network.links) - set(plan_link_cleanup([], network.links))),
        sorted(point for point in mounts if str(layout.root) in point),
        state.settings,
        state.folders,
        sorted(line for line in rules if POD_RANGE in line),
        sorted(tables.splitlines()),
        sorted(str(path) for path in Path("/sys/fs/cgroup").glob("*/kubepods")),
        _processes(layout.root),
    )
