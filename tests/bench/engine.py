"""Docker Engine: the one that answers, or one installed from packages and started by hand."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import host
from tests.bench.apt import PrivateApt, codename, machine_mirror
from tests.bench.cluster import runtime
from tests.bench.cluster.layout import RUNTIME_NAMESPACE, Layout
from tests.bench.paths import Paths
from tests.bench.shell import BenchError, run, say, step, succeeds

# Debian 12 has no Compose v2; these of Debian 13 need nothing newer than its libc.
_PACKAGES = ("docker.io", "docker-cli", "docker-compose", "docker-buildx")
_START_SECONDS = 60
_STOP_SECONDS = 60


@dataclass(frozen=True)
class Engine:
    """`own`: started by the bench, so `down` may stop it."""

    version: str
    compose: str
    own: bool


def _query_version() -> str:
    return run(["docker", "version", "--format", "{{.Server.Version}}"], timeout=20).strip()


def find_engine(paths: Paths) -> Engine | None:
    """The engine that answers, with a Compose v2 beside it."""
    try:
        version = _query_version()
        compose = run(["docker", "compose", "version", "--short"], timeout=20).strip()
    except BenchError:
        return None
    return Engine(version, compose, own=own_pid(paths) is not None)


def own_pid(paths: Paths) -> int | None:
    """Pid of the running dockerd that this cache's pidfile names; None when it is gone or someone else's."""
    try:
        pid = int(paths.pidfile.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (OSError, ValueError):
        return None
    is_own = Path(command[0]).name == "dockerd" and f"--pidfile={paths.pidfile}" in command
    return pid if is_own else None


def fetch_packages(paths: Paths) -> list[Path]:
    """Download the engine's packages into the cache (Debian 12 only)."""
    kept = [sorted((paths.packages / "docker").glob(f"{name}_*.deb")) for name in _PACKAGES]
    if all(kept):
        return [found[-1] for found in kept]
    apt = PrivateApt(paths.apt, machine_mirror(), "trixie")
    return apt.download(_PACKAGES, paths.packages / "docker")


def install(paths: Paths) -> None:
    """Install Docker Engine, Compose and Buildx from Debian's packages."""
    release = codename(Path("/etc/os-release").read_text())
    if release not in ("bookworm", "trixie"):
        raise BenchError(
            f"no Docker Engine with Compose v2 answers, and the bench can install one on Debian 12 and 13 only "
            f"(this is {platform.platform()}): install it and run `up` again"
        )
    if os.geteuid() != 0:
        raise BenchError("no Docker Engine answers; installing one needs root")
    wanted: list[str] = [str(path) for path in fetch_packages(paths)] if release == "bookworm" else list(_PACKAGES)
    install_words = ["apt-get", "-qy", "--no-install-recommends", "--allow-downgrades", "install", *wanted, "iptables"]
    # The packages' own scripts must not start a second engine beside the one started by hand.
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    try:
        run(install_words, env=env, log=paths.build_log)
    except BenchError:
        run(["apt-get", "-q", "update"], env=env, log=paths.build_log)
        run(install_words, env=env, log=paths.build_log)


def link_mtu() -> int:
    """MTU of the way out: a bridge with a larger one loses big packets without a word."""
    routes = json.loads(run(["ip", "-json", "route", "show", "default"]) or "[]")
    if not routes:
        return 1500
    links = json.loads(run(["ip", "-json", "link", "show", "dev", routes[0]["dev"]]))
    return int(links[0]["mtu"])


def share_images(paths: Paths) -> None:
    """From its next start on, the engine builds into the containerd that the cluster's node uses."""
    paths.daemon_configuration.write_text(json.dumps({"features": {"containerd-snapshotter": True}}))


def shares_images(paths: Paths) -> bool:
    return paths.daemon_configuration.exists()


def command(paths: Paths, mtu: int) -> list[str]:
    """dockerd with every directory of its own."""
    words = [
        "dockerd",
        f"--data-root={paths.data_root}",
        f"--exec-root={paths.exec_root}",
        f"--pidfile={paths.pidfile}",
        f"--mtu={mtu}",
        f"--default-network-opt=bridge=com.docker.network.driver.mtu={mtu}",
        "--log-opt=max-size=20m",
        "--log-opt=max-file=2",
    ]
    if shares_images(paths):
        words += [
            f"--config-file={paths.daemon_configuration}",
            f"--containerd={Layout(paths).runtime_socket}",
            f"--containerd-namespace={RUNTIME_NAMESPACE}",
            # Not beside the containers of pods.
            "--containerd-plugins-namespace=plugins.bench",
        ]
    return words


def start(paths: Paths) -> None:
    """Start dockerd, and containerd where it shares one, and wait until it answers."""
    if shutil.which("dockerd") is None:
        raise BenchError("dockerd is not installed")
    if paths.pidfile.exists() and own_pid(paths) is None:
        paths.pidfile.unlink()
    # Left over from an engine that was killed: the older one is the state to go back to.
    if not paths.host_before.exists():
        host.save_snapshot(paths.host_before, host.take_snapshot())
    if shares_images(paths):
        runtime.ensure(Layout(paths))
    words = command(paths, link_mtu())
    with paths.engine_log.open("ab") as log:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if succeeds(["docker", "version", "--format", "{{.Server.Version}}"]):
            return
        time.sleep(0.2)
    tail = "\n".join(paths.engine_log.read_text(errors="replace").splitlines()[-15:])
    raise BenchError(f"dockerd did not come up; the end of {paths.engine_log}:\n{tail}")


def ensure(paths: Paths, times: dict[str, float]) -> Engine:
    """The engine that answers; else one installed and started here."""
    engine = find_engine(paths)
    if engine is not None:
        return engine
    if shutil.which("dockerd") is None or not succeeds(["docker", "compose", "version"]):
        with step("install Docker Engine and Compose from Debian's packages", times, "engine packages"):
            install(paths)
    if not succeeds(["docker", "version"]):
        with step("start dockerd", times, "engine start"):
            start(paths)
    engine = find_engine(paths)
    if engine is None:
        raise BenchError("an engine answers, but `docker compose version` does not: install the Compose v2 plugin")
    return engine


def stop(paths: Paths) -> bool:
    """Stop the engine this bench started, with its containers, and undo its traces. False: none was running."""
    pid = own_pid(paths)
    if pid is not None:
        with step("stop the containers and dockerd"):
            running = run(["docker", "ps", "-q"], timeout=30).split()
            if running:
                run(["docker", "stop", "-t", "5", *running], timeout=120)
            _terminate(pid)
    paths.pidfile.unlink(missing_ok=True)
    # An engine that answers now is someone else's, and so are the bridge and the chains.
    if paths.host_before.exists() and not succeeds(["docker", "version"]):
        for line in host.restore(host.load_snapshot(paths.host_before), [paths.data_root, paths.exec_root]):
            say(f"  left behind: {line}")
    paths.host_before.unlink(missing_ok=True)
    if shares_images(paths):
        paths.daemon_configuration.unlink()
        runtime.release(Layout(paths))
    return pid is not None


def crash(paths: Paths) -> None:
    """End the engine and every container on it at once, as a power cut does. `start` is then what the boot does."""
    pid = own_pid(paths)
    if pid is None:
        raise BenchError("no engine of this bench runs")
    running = run(["docker", "ps", "-q", "--no-trunc"], timeout=30).split()
    inits = run(["docker", "inspect", "--format", "{{.State.Pid}}", *running]).split() if running else []
    helpers = [found for found, command in _commands() if str(paths.exec_root) in command and found != pid]
    for one in (pid, *helpers, *map(int, inits)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    deadline = time.monotonic() + _STOP_SECONDS
    while any(_alive(one) for one in (pid, *helpers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    paths.pidfile.unlink(missing_ok=True)


def _commands() -> Iterator[tuple[int, str]]:
    """Pid and command line of every process."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield int(entry.parent.name), entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")


def _terminate(pid: int) -> None:
    for sent in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, sent)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            if not _alive(pid):
                return
            time.sleep(0.2)
    raise BenchError(f"dockerd (pid {pid}) does not end")


def _alive(pid: int) -> bool:
    """A child that has ended but was not waited for is a zombie, not alive."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
