"""Facts about the machine and the versions that took part. Nothing that names the machine."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from importlib import metadata, resources
from pathlib import Path


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def memory_gib(meminfo: str) -> str:
    """`MemTotal` of /proc/meminfo."""
    match = re.search(r"MemTotal:\s+(\d+) kB", meminfo)
    return f"{int(match[1]) / 1024**2:.0f} GiB" if match else "unknown"


def application(variables: str) -> str:
    """Which Langfuse took part, by the variables of the bench."""
    version = re.search(r'langfuse_version: "(.+?)"', variables)
    if "bench.localhost" not in variables:
        return "the published images"
    return f"the contract stand-in ({version[1] if version else 'unknown version'}), not Langfuse itself"


def _collection(namespace: str, name: str) -> str:
    try:
        manifest = resources.files(f"ansible_collections.{namespace}.{name}") / "MANIFEST.json"
        return str(json.loads(manifest.read_text())["collection_info"]["version"])
    except (ImportError, OSError, KeyError, ValueError):
        return "unknown"


def load() -> str:
    """Load of the last minute: with more than a core's worth of others, seconds grow and ratios blur."""
    return f"{os.getloadavg()[0]:.1f}"


def facts(variables: Path) -> dict[str, str]:
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": memory_gib(Path("/proc/meminfo").read_text()),
        "Linux": platform.release().split("-")[0],
        "Python": platform.python_version(),
        "ansible-core": metadata.version("ansible-core"),
        "community.docker": _collection("community", "docker"),
        "Docker Engine": _said("docker", "version", "--format", "{{.Server.Version}}"),
        "Docker Compose": _said("docker", "compose", "version", "--short"),
        "application": application(variables.read_text()),
    }
