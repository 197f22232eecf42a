"""From empty volumes to a verified trace: `site`, against the same project brought up by hand."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time

from tests.benchmarks.figures import Broken, Section, ratio_row
from tests.benchmarks.instance import ROOT, S3_PORT, WEB_PORT, Instance, environment_of_a_user
from tests.benchmarks.page import table
from tests.benchmarks.second_site import slowest

ROUNDS = 5
# What the table of hops says: when the trace was verified, and when the walk ended.
_VERIFIED = re.compile(r"read back equal (\d+) ms after the walk began")
_TOTAL = re.compile(r"\btotal +(\d+)")


def _by_hand(instance: Instance) -> tuple[float, dict[str, float]]:
    """Seconds in all, and of each step."""
    kept = instance.secrets()
    job = {
        "directory": str(instance.project),
        "stores": ["postgres", "clickhouse", "valkey", "seaweedfs"],
        "s3": f"http://127.0.0.1:{S3_PORT}",
        "buckets": ["langfuse-events", "langfuse-media", "langfuse-exports"],
        "access_key": kept["langfuse_s3_access_key"],
        "secret_key": kept["langfuse_s3_secret_key"],
        "web_port": WEB_PORT,
        "public_key": kept["langfuse_init_project_public_key"],
        "project_key": kept["langfuse_init_project_secret_key"],
    }
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.by_hand"],
        cwd=ROOT,
        env=environment_of_a_user(),
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    took = time.monotonic() - began
    if done.returncode:
        raise Broken(f"by hand it did not come up: {done.stderr[-3000:]}")
    return took, json.loads(done.stdout)


def after_the_trace(output: str) -> float:
    """Seconds of the walk that came once the trace was read back equal."""
    verified, total = _VERIFIED.search(output), _TOTAL.search(output)
    if verified is None or total is None:
        raise Broken(f"site ended without a verified trace:\n{output[-3000:]}")
    return (int(total[1]) - int(verified[1])) / 1000


def measure(instance: Instance) -> Section:
    """The instance must have run once, so that images, Python environment and secrets are there. Leaves it empty."""
    ours, floor, steps, tasks = [], [], [], []
    for _round in range(ROUNDS):
        instance.empty()
        took, parts = _by_hand(instance)
        floor.append(took)
        steps.append(parts)
        instance.empty()
        instance.forget_documents()
        profile = {"ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks"}
        run = instance.site(environment=profile)
        ours.append(run.seconds - after_the_trace(run.output))
        tasks.append(slowest(run.output))
    instance.empty()
    middle = [(name, f"{statistics.median(parts[name] for parts in steps):.2f} s") for name in steps[0]]
    return Section(
        "A first start",
        [ratio_row("empty volumes to a verified trace", ours, floor, 1.3)],
        [
            f"{ROUNDS} starts each, in turns; between them containers, volumes and network are removed, outside the measured "
            "time. Images, Python environment of the modules and secrets are there. Ours is all of `site` but what the walk does "
            "after the trace (S3 probes, media, sign-in, refusals, closed ports); unlike the floor it also writes the project, looks at the "
            "host and at every store on its own. The floor is one program on the directory that `site` wrote: "
            "`docker compose up --wait` of the stores, three buckets by boto3, `docker compose run langfuse-migrate`, "
            "`docker compose up --wait`, one span sent and read.",
            "A stand-in (see below whether one ran) migrates and starts in a fraction of the application's time, so the fixed "
            f"seconds of `site` weigh more than with the published images. Over the floor: {statistics.median(ours) - statistics.median(floor):+.1f} s.",
            "Where the time of the last `site` went:",
            table(("task", "seconds"), tasks[-1]),
            "And the time of the floor (medians):",
            table(("step", "seconds"), middle),
        ],
    )
