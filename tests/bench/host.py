"""What an engine changes on the host's network, recorded before it starts and taken back after it stops.

Only what was not there before and is plainly the engine's own is removed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.shell import BenchError, run

_TABLE_COMMANDS = ("iptables", "ip6tables")
_OWN_CHAIN = re.compile(r"^:(DOCKER[A-Z0-9-]*) ")
_OWN_RULE = re.compile(r"(?:^-A DOCKER|-j DOCKER|-g DOCKER|\s-[io] (?:docker0|br-[0-9a-f]{12})\b)")
_OWN_LINK = re.compile(r"^(?:docker0|br-[0-9a-f]{12}|veth[0-9a-f]{7})$")
_FORWARD = re.compile(r"^:FORWARD (\w+)")


@dataclass(frozen=True)
class HostNetwork:
    """Links, `iptables-save` text by command, and whether the kernel forwarded packets."""

    links: list[str]
    tables: dict[str, str]
    ip_forward: str


def take_snapshot() -> HostNetwork:
    tables = {}
    for command in _TABLE_COMMANDS:
        try:
            tables[command] = run([f"{command}-save"])
        except BenchError:
            continue
    return HostNetwork(
        sorted(link["ifname"] for link in json.loads(run(["ip", "-json", "link", "show"]))),
        tables,
        Path("/proc/sys/net/ipv4/ip_forward").read_text().strip(),
    )


def save_snapshot(path: Path, snapshot: HostNetwork) -> None:
    path.write_text(json.dumps(asdict(snapshot), indent=1))


def load_snapshot(path: Path) -> HostNetwork:
    return HostNetwork(**json.loads(path.read_text()))


def _by_table(saved: str) -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    for line in saved.splitlines():
        if line.startswith("*"):
            tables[line[1:]] = []
        elif line.startswith((":", "-A")) and tables:
            tables[list(tables)[-1]].append(line)
    return tables


def plan_table_cleanup(before: str, after: str) -> list[list[str]]:
    """Arguments for `iptables`, in order, that take the engine's rules and chains out of `after`.

    Rules go first, then the chains they pointed at; a FORWARD policy the engine changed goes back.
    """
    old = _by_table(before)
    rules: list[list[str]] = []
    chains: list[list[str]] = []
    policies: list[list[str]] = []
    for table, lines in _by_table(after).items():
        known = set(old.get(table, []))
        for line in lines:
            chain, policy = _OWN_CHAIN.match(line), _FORWARD.match(line)
            if policy:
                was = next((match[1] for item in old.get(table, []) if (match := _FORWARD.match(item))), "ACCEPT")
                if was != policy[1]:
                    policies.append(["-t", table, "-P", "FORWARD", was])
            elif chain and not any(item.startswith(f":{chain[1]} ") for item in known):
                chains += [["-t", table, "-F", chain[1]], ["-t", table, "-X", chain[1]]]
            elif line.startswith("-A") and line not in known and _OWN_RULE.search(line):
                rules.append(["-t", table, "-D", *line.split()[1:]])
    # A chain cannot go while another one still points at it: empty all of them first.
    chains.sort(key=lambda words: words[2] == "-X")
    return rules + chains + policies


def plan_link_cleanup(before: Sequence[str], after: Sequence[str]) -> list[str]:
    return [link for link in after if link not in before and _OWN_LINK.match(link)]


def plan_mount_cleanup(directory: Path, mountinfo: str) -> list[str]:
    """Mount points at and under `directory`, the newest first: what is mounted over another one hides it and all below it."""
    points = [line.split()[4] for line in mountinfo.splitlines()]
    return [point for point in reversed(points) if f"{point}/".startswith(f"{directory}/")]


def restore(before: HostNetwork, roots: Sequence[Path]) -> list[str]:
    """Undo; returns what could not be undone, one line each."""
    left = []
    after = take_snapshot()
    commands: list[list[str]] = []
    for command, saved in after.tables.items():
        planned = plan_table_cleanup(before.tables.get(command, ""), saved)
        commands += [[command, "-w", *words] for words in planned]
    commands += [["ip", "link", "delete", link] for link in plan_link_cleanup(before.links, after.links)]
    mounts = Path("/proc/self/mountinfo").read_text()
    commands += [["umount", point] for root in roots for point in plan_mount_cleanup(root, mounts)]
    for words in commands:
        try:
            run(words)
        except BenchError as error:
            left.append(str(error))
    Path("/proc/sys/net/ipv4/ip_forward").write_text(before.ip_forward)
    return left
