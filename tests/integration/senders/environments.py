"""Environments of the real clients, made once from their registries and kept in the cache by what they are made of."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("LANGFUSE_CACHE") or Path.home() / ".cache" / "llmops-langfuse") / "senders"
OLDEST_NODE = 20
LITELLM = HERE / "requirements" / "litellm.txt"
# Without these LiteLLM asks the internet for prices and reports its use.
LITELLM_QUIET = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "DISABLE_ADMIN_UI": "True"}


def python(requirements: Path) -> Path:
    """The Python of an environment with these locked requirements."""

    def make(place: Path) -> None:
        uv = [sys.executable, "-m", "uv", "--quiet"]
        _run(*uv, "venv", "--clear", "--python", sys.executable, str(place))
        _run(*uv, "pip", "install", "--python", str(place / "bin" / "python"), "--requirement", str(requirements))

    text = requirements.read_text() + sys.version
    return _once(f"{requirements.parent.name}-{requirements.stem}", text, make) / "bin" / "python"


def javascript(source: Path) -> Path:
    """A folder with the packages of `source`; a script must be copied into it to find them."""

    def make(place: Path) -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, place)
        _run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", folder=place)

    return _once(source.name, (source / "package-lock.json").read_text(), make)


def node() -> str | None:
    """Node, if this machine has one that the client takes."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        return None
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    return found if int(version.lstrip("v").split(".")[0]) >= OLDEST_NODE else None


def collector() -> Path:
    """An OpenTelemetry Collector with only the guide's parts, compiled from its own modules."""
    source = HERE / "collector"

    def make(place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        command = ("go", "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", str(place / "collector"), ".")
        _run(*command, folder=source, CGO_ENABLED="0", GOTOOLCHAIN="local")

    content = "".join((source / name).read_text() for name in ("main.go", "go.sum"))
    return _once("collector", content, make) / "collector"


def go() -> str | None:
    """Why the collector cannot be compiled here, or None."""
    if shutil.which("go") is None:
        return "no go on this machine"
    wanted = re.search(r"^go (\d+)\.(\d+)", (HERE / "collector" / "go.mod").read_text(), re.MULTILINE)
    text = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"go(\d+)\.(\d+)", text)
    assert wanted is not None
    if found is None or tuple(map(int, found.groups())) < tuple(map(int, wanted.groups())):
        return f"{text.strip()} is older than the collector wants"
    return None


def _once(name: str, content: str, make: Callable[[Path], None]) -> Path:
    place = CACHE / f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        complete = place / ".complete"
        if not complete.exists():
            make(place)
            complete.touch()
    return place


def _run(*command: str, folder: Path | None = None, **environment: str) -> None:
    values = {**os.environ, **environment}
    done = subprocess.run(command, cwd=folder, env=values, capture_output=True, text=True, timeout=1200, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
