"""Runs the parts of the test suite, says what each one took, and counts.

`python -m tests.run` runs all that fits the everyday limit, `--all` the long ones too, and names
run only those parts. They run one after the other, but for the two lanes at the end.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests import sanity as ansible_sanity
from tests.bench.cluster import cluster as whole_cluster
from tests.bench.cluster.layout import Layout
from tests.bench.paths import find_paths

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("LANGFUSE_CACHE") or Path.home() / ".cache" / "llmops-langfuse")
# Files side by side: these tests wait for engines most of their time.
TOGETHER = ("--numprocesses=3", "--dist=loadfile")
PYTHON_FILES = ("plugins", "tests")
# It cuts the power of the engine, on which all else runs.
ALONE = "default"
# The scenarios, and the tests, that need a Kubernetes cluster; the node's own tests begin and end it.
KUBERNETES = "kubernetes"
GITOPS = "gitops"
CLUSTER_TESTS = "tests/integration/cluster"
FLUX_TESTS = tuple(f"{CLUSTER_TESTS}/{name}.py" for name in ("test_flux", "test_flux_trees"))
# They run with the others once SOPS, or Helm's engine, is compiled, which takes minutes too.
SOPS_TESTS = "tests/integration/gitops"
CHART_TESTS = "tests/unit/documents/flux/test_chart_rendered.py"
NODE_TESTS = f"{CLUSTER_TESTS}/test_cluster.py"
CLUSTER = [sys.executable, "-m", "tests.bench.cluster"]
# Which lane a thread runs, as it stands before each line.
_lane = threading.local()
_COUNT = re.compile(r"(\d+) (passed|failed|error|errors|skipped)\b")
# What a runner within says of what failed: pytest's summary, and Ansible's own word for a task.
_FAILURE = re.compile(r"^[\s\"'-]*(?:FAILED (?=tests/)|ERROR (?=tests/)|\[ERROR\]: |fatal: ).*", re.MULTILINE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Count:
    """Tests that ran in a part. A part without a counting runner is one test."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    # A line for each failure, told again at the very end: the output above is long.
    failures: list[str] = field(default_factory=list)

    def add(self, other: Count) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures


def tell(text: str) -> None:
    sys.stdout.write(f"{getattr(_lane, 'name', '')}{text}\n")
    sys.stdout.flush()


def call(*command: str, environment: dict[str, str] | None = None, folder: Path = ROOT) -> tuple[int, str]:
    """Run a command, show its output as it comes, and return its status and output."""
    tell(f"  $ {' '.join(command)}")
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        tell("    " + line.removesuffix("\n"))
    return process.wait(), "".join(lines)


def failures(command: Sequence[str], output: str) -> list[str]:
    """What a command that failed says of it: its own summary, or its last lines."""
    text = _COLOUR.sub("", output)
    said = [line.strip() for line in _FAILURE.findall(text)] or text.strip().splitlines()[-3:]
    return [f"{Path(command[0]).name} {' '.join(command[1:4])}: {line[:300]}" for line in said]


def each(*commands: Sequence[str]) -> Count:
    """Each command is a test that passes with status 0."""
    count = Count()
    for command in commands:
        status, output = call(*command)
        count.passed += status == 0
        count.failed += status != 0
        if status:
            count.failures += failures(command, output)
    return count


def pytest(*arguments: str) -> Count:
    status, output = call(sys.executable, "-m", "pytest", *arguments)
    found = {word: int(number) for number, word in _COUNT.findall(output.rstrip().rsplit("\n", 1)[-1])}
    count = Count(
        found.get("passed", 0),
        found.get("failed", 0) + found.get("error", 0) + found.get("errors", 0),
        found.get("skipped", 0),
    )
    if status and not count.failed:
        count.failed = 1
    if status:
        count.failures = failures(["pytest", *arguments], output)
    return count


def lint() -> Count:
    return each(
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "--diff", *PYTHON_FILES],
        ["yamllint", "--strict", "."],
        ["ansible-lint", "--offline", "--strict", "--profile", "production"],
    )


def types() -> Count:
    return each(["mypy", "plugins", "tests/bench", "tests/standin", "tests/run.py"])


def docs() -> Count:
    return each(["antsibull-docs", "lint-collection-docs", "--plugin-docs", "--skip-rstcheck", "."])


def sanity() -> Count:
    command, folder, environment = ansible_sanity.main(CACHE)
    status, output = call(*command, environment=environment, folder=folder)
    return Count(int(status == 0), int(status != 0), failures=failures(command, output) if status else [])


def bench() -> Count:
    return each([sys.executable, "-m", "tests.bench", "up"])


def scenarios(*names: str) -> Count:
    # Its frame around every line would hide what the tests say.
    os.environ["MOLECULE_COMMAND_BORDERS"] = "false"
    return each(*(["molecule", "test", "--scenario-name", name] for name in names))


def molecule() -> Count:
    found = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
    return scenarios(*(name for name in found if name not in (ALONE, KUBERNETES, GITOPS)))


def no_cluster() -> Count | None:
    """What a part that needs a cluster counts where none can be had."""
    if missing := whole_cluster.lacking(Layout(find_paths())):
        tell(f"  skipped: {missing}")
        return Count(skipped=1)
    return None


def node() -> Count:
    """The node by itself: it must leave the host as it was, so nobody else may change it meanwhile."""
    return no_cluster() or pytest(NODE_TESTS, "-m", "not long")


def on_cluster(additions: Sequence[str], *work: Callable[[], Count]) -> Count:
    """What is done on a cluster with these, which ends afterwards unless it was up before."""
    if (skipped := no_cluster()) is not None:
        return skipped
    was_up = subprocess.run([*CLUSTER, "status"], capture_output=True, check=False).returncode == 0
    total = each([*CLUSTER, "up", *(word for name in additions for word in ("--with", name))])
    try:
        for one in work:
            total.add(one())
    finally:
        if not was_up:
            total.add(each([*CLUSTER, "down"]))
    return total


def cluster() -> Count:
    """Modules on the node, then whole playbooks."""
    return on_cluster(
        ("gateway", "cnpg"),
        lambda: pytest(CLUSTER_TESTS, f"--ignore={NODE_TESTS}", *TOGETHER, "--durations=10", "-m", "not long"),
        lambda: scenarios(KUBERNETES),
    )


def gitops() -> Count:
    """Flux, which takes minutes to compile: itself, then whole playbooks whose tree it applies."""
    return on_cluster(
        ("gateway", "cnpg", "flux"),
        lambda: pytest(*FLUX_TESTS, SOPS_TESTS, CHART_TESTS, "--durations=10"),
        lambda: scenarios(GITOPS),
    )


def compile_beside() -> subprocess.Popen[bytes]:
    """The first time the cluster's programs take minutes, in which other parts mostly wait for engines."""
    command = ["nice", "-n", "19", *CLUSTER, "compile"]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True)


def bench_down() -> Count:
    return each([sys.executable, "-m", "tests.bench", "down"])


PARTS: dict[str, Callable[[], Count]] = {
    "lint": lint,
    "types": types,
    "docs": docs,
    "sanity": sanity,
    "unit": lambda: pytest("tests/unit"),
    "bench": bench,
    "default": lambda: scenarios(ALONE),
    "node": node,
    "integration": lambda: pytest(
        "tests/integration", f"--ignore={CLUSTER_TESTS}", *TOGETHER, "--durations=10", "-m", "not long"
    ),
    "molecule": molecule,
    "cluster": cluster,
}
# What mostly waits, side by side: hosts, and a cluster.
LANES = (("integration", "molecule"), ("cluster",))
LONG: dict[str, Callable[[], Count]] = {
    "long": lambda: pytest("tests/integration", *[f"--ignore={path}" for path in FLUX_TESTS], "-m", "long"),
    "gitops": gitops,
}


def steps(names: Sequence[str]) -> list[list[list[str]]]:
    """What is done one after the other; each is the lanes that run at once, each lane the parts one after the other."""
    lanes = [lane for lane in ([name for name in lane if name in names] for lane in LANES) if lane]
    together = {name for lane in lanes for name in lane}
    found: list[list[list[str]]] = []
    for name in names:
        if name not in together:
            found.append([[name]])
        elif lanes not in found:
            found.append(lanes)
    return found


def main(arguments: Sequence[str]) -> int:
    wanted = [name for name in arguments if not name.startswith("-")]
    known = {**PARTS, **LONG}
    if unknown := set(wanted) - set(known):
        print(f"unknown parts {sorted(unknown)}; there are {', '.join(known)}")
        return 2
    names = wanted or list(known if "--all" in arguments else PARTS)
    rows: list[tuple[str, Count, float]] = []
    beside = compile_beside() if "cluster" in names else None
    engine_was_up = subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0

    def run(lane: Sequence[str], told: str = "") -> bool:
        _lane.name = told
        for name in lane:
            tell(f"== {name}")
            started = time.monotonic()
            count = known[name]()
            rows.append((name, count, time.monotonic() - started))
            if name == "bench" and count.failed:
                tell("The engines did not start, so nothing that needs them can run.")
                return False
        return True

    try:
        for lanes in steps(names):
            told = [f"{lane[-1]:<9}| " if len(lanes) > 1 else "" for lane in lanes]
            with ThreadPoolExecutor(len(lanes)) as threads:
                if not all(list(threads.map(run, lanes, told))):
                    break
    finally:
        if beside is not None and beside.poll() is None:
            os.killpg(beside.pid, signal.SIGTERM)
            beside.wait()
        if "bench" in names and not engine_was_up:
            bench_down()
    total = Count()
    print(f"\n{'part':<14}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for name, count, seconds in rows:
        total.add(count)
        print(f"{name:<14}{count.passed:>8}{count.failed:>8}{count.skipped:>9}{seconds:>9.1f}")
    if "bench" in names:
        print(f"Langfuse itself: {application()}")
    if total.failures:
        print("Failed:", *total.failures, sep="\n  ")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


def application() -> str:
    """Which Langfuse took part: the stand-in of the bench, or the real images."""
    variables = CACHE / "bench" / "vars.yml"
    text = variables.read_text() if variables.exists() else ""
    return "stand-in (no registry in reach)" if "bench.localhost" in text else "the published images"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
