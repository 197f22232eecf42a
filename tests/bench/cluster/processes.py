"""Processes that outlive the command that started them, found again by name, ended by pid."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.shell import BenchError

_END_SECONDS = 20


@dataclass(frozen=True)
class Processes:
    """`records` holds a file per process that was started, `logs` what each one said."""

    records: Path
    logs: Path

    def start(self, name: str, words: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        self.records.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("wb") as log:
            process = subprocess.Popen(
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        record = {"pid": process.pid, "started": started_at(process.pid)}
        self._record(name).write_text(json.dumps(record))

    def pid(self, name: str) -> int | None:
        """None when it was never started or has ended; a pid that went to another process is not taken for it."""
        try:
            record = json.loads(self._record(name).read_text())
        except (OSError, ValueError):
            return None
        pid = int(record["pid"])
        return pid if record["started"] and started_at(pid) == record["started"] else None

    def known(self) -> list[str]:
        """Every name with a record, whether its process runs or not."""
        return sorted(path.stem for path in self.records.glob("*.json"))

    def stop(self, *names: str, sent: signal.Signals = signal.SIGTERM) -> None:
        """End them side by side; what does not end in time is killed."""
        pids = {name: pid for name in names if (pid := self.pid(name)) is not None}
        for signal_now in (sent, signal.SIGKILL):
            for pid in pids.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal_now)
            deadline = time.monotonic() + _END_SECONDS
            while pids and time.monotonic() < deadline:
                pids = {name: pid for name, pid in pids.items() if self.pid(name) is not None}
                time.sleep(0.02)
        if pids:
            raise BenchError(f"these do not end: {', '.join(f'{name} (pid {pid})' for name, pid in pids.items())}")
        for name in names:
            self._record(name).unlink(missing_ok=True)

    def check(self, name: str) -> None:
        """Raise with the end of its log when it has ended."""
        if self.pid(name) is None:
            tail = "\n".join(self.log(name).read_text(errors="replace").splitlines()[-15:])
            raise BenchError(f"{name} has ended; the end of {self.log(name)}:\n{tail}")

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _record(self, name: str) -> Path:
        return self.records / f"{name}.json"


def started_at(pid: int) -> str:
    """Clock ticks since boot at which a process began; empty when it has ended. A zombie has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
