"""`python -m tests.bench up | down | status | images`, from the root of the repository."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.bench import builder, catalogue, engine, extras
from tests.bench.builder import Built
from tests.bench.cluster import control_plane
from tests.bench.cluster.layout import Layout
from tests.bench.lock import only_one
from tests.bench.paths import Paths, find_paths
from tests.bench.shell import BenchError, say
from tests.bench.variables import format_variables


def _report_facts(paths: Paths) -> dict[str, str]:
    try:
        facts = json.loads(paths.build_report.read_text())
    except (OSError, ValueError):
        return {}
    return {key: str(facts[key]) for key in ("source", "engine", "compose") if key in facts}


def _up(paths: Paths, recheck: bool) -> None:
    started = time.monotonic()
    times: dict[str, float] = {}
    running = engine.find_engine(paths)
    known = {} if recheck or running is None else builder.present_images(paths)
    if running is not None and known and len(known) == len(catalogue.wanted_images()):
        images = [known[image.name] for image in catalogue.wanted_images()]
        _finish(paths, running, images, {}, started)
        return
    with ThreadPoolExecutor(1) as pool:
        # The base needs no engine, so it is made while the engine is installed.
        tarball = None if running else pool.submit(builder.ensure_base_tarball, paths, times)
        running = running or engine.ensure(paths, times)
        if builder.registry_answers():
            say("  a registry answers: the real images are used, nothing is built")
            _finish(paths, running, [], times, started)
            return
        base = tarball.result() if tarball else builder.ensure_base_tarball(paths, times)
    images = builder.ensure_images(paths, base, times)
    _finish(paths, running, images, times, started)


def _finish(paths: Paths, running: engine.Engine, images: list[Built], times: dict[str, float], started: float) -> None:
    source = "bench" if images else "registry"
    paths.variables.write_text(format_variables(images))
    if times or not paths.build_report.exists():
        times["total"] = round(time.monotonic() - started, 1)
        facts: dict[str, object] = {"source": source, "engine": running.version, "compose": running.compose}
        builder.write_report(paths, images, times, facts)
    _print_images(images, source)
    for name, seconds in times.items():
        print(f"{name:<28}{seconds:>9.1f} s")
    print(f"Docker Engine {running.version}, Compose {running.compose}; images: {source}; {paths.variables}")
    say(f"up after {time.monotonic() - started:.1f} s")


def _print_images(images: Sequence[Built], source: str) -> None:
    if source == "registry":
        print("images: the real ones, from the registry")
        return
    print(f"{'image':<62}{'MB':>7}{'built in':>11}")
    for built in images:
        print(f"{built.reference:<62}{built.size / 1e6:>7.0f}{built.seconds:>9.1f} s")


def _down(paths: Paths, purge: bool) -> None:
    if purge:
        # Its folder goes as well.
        control_plane.stop(Layout(paths))
    if not engine.stop(paths):
        say("no engine of the bench is running")
    if purge:
        try:
            shutil.rmtree(paths.bench)
        except OSError as error:
            raise BenchError(f"not all of {paths.bench} could be removed: {error}") from error
        say(f"removed {paths.bench}")


def _status(paths: Paths) -> bool:
    running = engine.find_engine(paths)
    if running is None:
        print("no Docker Engine with Compose v2 answers")
        return False
    kind = "started by the bench" if running.own else "not the bench's own"
    print(f"Docker Engine {running.version}, Compose {running.compose} ({kind})")
    source = _report_facts(paths).get("source", "")
    present = builder.present_images(paths)
    _print_images(list(present.values()), source)
    missing = [image.name for image in catalogue.wanted_images() if image.name not in present]
    if missing and source != "registry":
        print(f"to be built: {', '.join(missing)}")
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start an engine, build what is missing, write vars.yml")
    up.add_argument("--recheck", action="store_true", help="ask again whether a registry answers")
    names = [image.name for image in catalogue.EXTRAS]
    up.add_argument("--with", dest="extras", action="append", choices=names, default=[], help="also build this image")
    shared = "keep images in the containerd that `python -m tests.bench.cluster` uses; for an engine that is not up yet"
    up.add_argument("--shared", action="store_true", help=shared)
    down = commands.add_parser("down", help="stop the engine that `up` started")
    down.add_argument("--purge", action="store_true", help="also remove images, volumes and everything else kept")
    commands.add_parser("status", help="what runs and what is built; exit 1 when `up` has something to do")
    commands.add_parser("images", help="the images, one reference a line")
    options = parser.parse_args(arguments)
    paths = find_paths()
    try:
        if options.command == "up":
            with only_one(paths):
                if options.shared and not engine.shares_images(paths):
                    if engine.find_engine(paths) is not None:
                        raise BenchError("an engine is up with images of its own: `down` it first, then `up --shared`")
                    engine.share_images(paths)
                _up(paths, options.recheck)
                for name in options.extras:
                    print(extras.build(paths, name, {}))
        elif options.command == "down":
            with only_one(paths):
                _down(paths, options.purge)
        elif options.command == "images":
            print("\n".join(built.reference for built in builder.read_report(paths)))
        else:
            return 0 if _status(paths) else 1
    except BenchError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
