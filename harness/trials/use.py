"""The processor time that a worker uses, in its turns and outside of them."""

from __future__ import annotations

from dataclasses import dataclass

from harness.machine import threads
from harness.trials import session


@dataclass(kw_only=True)
class TurnUse:
    """What a worker used: in its turns, and outside of them (`idle_cpu`), where it should use nothing.

    `idle_cpu` and `busy_cpu` are processor seconds, `turn_seconds` is the time that its `turns` took. `_mark` is
    the processor time at the end of its last turn, `threads` how many it had at most when it had just answered.
    """

    idle_cpu: float = 0.0
    busy_cpu: float = 0.0
    turn_seconds: float = 0.0
    turns: int = 0
    threads: int = 0
    _mark: float | None = None

    def begin(self, worker: session.Session) -> float | None:
        """Counts what was used since the last turn; returns the processor time at the start of this one."""
        now = worker.cpu_seconds()
        if now is not None and self._mark is not None:
            self.idle_cpu += max(0.0, now - self._mark)
        return now

    def end(self, worker: session.Session, before: float | None, seconds: float) -> None:
        """Pauses the worker; what it uses between its answer and standing still belongs to no turn."""
        answered = worker.cpu_seconds()
        self.mark(worker)
        self.turn_seconds += seconds
        self.turns += 1
        self.threads = max(self.threads, threads.count(worker.stopped or {worker.launched.pid}))
        if before is not None and answered is not None and self._mark is not None:
            self.busy_cpu += max(0.0, answered - before)
            self.idle_cpu += max(0.0, self._mark - answered)

    def mark(self, worker: session.Session) -> None:
        """Pauses the worker and notes its processor time."""
        worker.pause()
        self._mark = worker.cpu_seconds()
