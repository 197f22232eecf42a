"""`python -m tests.bench.cluster up | compile | down | reboot | status | image`, from the root of the repository."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tests.bench.cluster import cluster, control_plane, runtime
from tests.bench.cluster.layout import Layout
from tests.bench.cluster.programs import KUBERNETES_VERSION
from tests.bench.lock import only_one
from tests.bench.paths import find_paths
from tests.bench.shell import BenchError, say


def _up(layout: Layout, additions: Sequence[str]) -> None:
    started, times = time.monotonic(), dict[str, float]()
    api = cluster.up(layout, times)
    for name in additions:
        cluster.ADDITIONS[name](layout, api, times)
    for name, seconds in times.items():
        print(f"{name:<40}{seconds:>9.1f} s")
    print(f"Kubernetes {KUBERNETES_VERSION}; KUBECONFIG={layout.kubeconfig}")
    say(f"up after {time.monotonic() - started:.1f} s")


def _status(layout: Layout) -> bool:
    running = layout.running
    for name in running.known():
        print(f"{name:<28}{'runs' if running.pid(name) else 'has ended; see ' + str(running.log(name))}")
    is_up = control_plane.is_up(layout)
    print(f"Kubernetes {KUBERNETES_VERSION}: {'up' if is_up else 'not up'}; KUBECONFIG={layout.kubeconfig}")
    return is_up


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="compile what is missing and start a cluster of one node")
    names = sorted(cluster.ADDITIONS)
    up.add_argument("--with", dest="additions", action="append", choices=names, default=[], help="also add this")
    commands.add_parser("compile", help="compile what `up` would, and start nothing")
    commands.add_parser("down", help="end it and undo what it did to this machine")
    commands.add_parser("reboot", help="kill the node with its pods, and start it again")
    commands.add_parser("status", help="what runs; exit 1 when the cluster is not up")
    image = commands.add_parser("image", help="bring images of Docker Engine to the node")
    image.add_argument("references", nargs="+", metavar="REFERENCE")
    options = parser.parse_args(arguments)
    layout = Layout(find_paths())
    try:
        if options.command == "status":
            return 0 if _status(layout) else 1
        if options.command == "compile":
            cluster.compile_all(layout, {})
            return 0
        with only_one(layout.paths):
            if options.command == "up":
                _up(layout, options.additions)
            elif options.command == "reboot":
                control_plane.reboot(layout)
            elif options.command == "image":
                for reference in options.references:
                    runtime.add_from_docker(layout, reference, {})
            elif not control_plane.stop(layout):
                say("no cluster of the bench is running")
    except BenchError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
