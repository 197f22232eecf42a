"""A sender that keeps its pace whatever happens to the receiver, and never tries a trace twice."""

from __future__ import annotations

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

from tests.molecule.instance import Deployed
from tests.molecule.traces import Traces


@dataclass(frozen=True)
class Sent:
    """One trace. `began_at` and `accepted_at` are when it was sent and when its answer came (seconds since the epoch)."""

    trace_id: str
    status: int
    began_at: float
    accepted_at: float


class Load:
    """`with Load(instance) as load: …` sends until the block ends, at most `seconds` long."""

    def __init__(self, instance: Deployed, rate: float = 5, seconds: float = 240) -> None:
        self.name = f"load-{secrets.token_hex(4)}"
        self.sent: list[Sent] = []
        self._traces = Traces(instance)
        self._rate, self._seconds = rate, seconds
        self._stop = threading.Event()
        self._pacer = threading.Thread(target=self._pace)
        self._senders = ThreadPoolExecutor(64)

    def __enter__(self) -> Load:
        self._pacer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._pacer.join()
        self._senders.shutdown()

    def _pace(self) -> None:
        began = time.monotonic()
        count = 0
        while not self._stop.is_set() and time.monotonic() - began < self._seconds:
            self._senders.submit(self._one)
            count += 1
            self._stop.wait(max(0.0, began + count / self._rate - time.monotonic()))

    def _one(self) -> None:
        began = time.time()
        trace_id, status = self._traces.send(self.name)
        self.sent.append(Sent(trace_id, status, began, time.time()))

    @property
    def accepted(self) -> list[Sent]:
        return [one for one in self.sent if 200 <= one.status < 300]

    def lost(self, seconds: float = 60) -> set[str]:
        """Accepted traces that cannot be read, after at most that long."""
        return self._traces.missing(self.name, (one.trace_id for one in self.accepted), seconds)

    def summary(self) -> str:
        refused = len(self.sent) - len(self.accepted)
        return f"{len(self.sent)} sent, {len(self.accepted)} accepted, {refused} refused"
