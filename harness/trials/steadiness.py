"""How steady this machine is now: one small program timed against its own copy, as a run does it.

Both copies are workers like any other, paused but for their turn, asked in random order, request by
request, in fresh pairs. Equal programs have a true ratio of 1: what is read instead is the clock's own.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from harness.instances import ArraySpec, Request
from harness.isolation.levels import level
from harness.machine import counters
from harness.measures import conditions
from harness.readings import Condition, Counters
from harness.strangers import is_plain
from harness.trials import session
from harness.trials.watch import Limits

PAIRS, SECONDS = 3, 18.0
WARMUPS, LEAST_REQUESTS = 8, 12
SAMPLED_EVERY = 8
# A program that uses this share of one core is worth naming.
BUSY = 0.05
ROWS, WIDTH = 128, 512
CONTRACT = "class Contract:\n    def work(self, rows): ...\n"
# About 5 to 10 ms of one core's arithmetic: as long as a request of the tasks that time single ones.
SOLUTION = f"""
import numpy as np


class Solution:
    def __init__(self, context):
        self.weights = np.full(({WIDTH}, {WIDTH}), 1 / {WIDTH}, dtype=np.float32)

    def work(self, rows):
        for _ in range(8):
            rows = rows @ self.weights
        return rows[0]
"""


@dataclass(frozen=True)
class Busy:
    """A program that is not ours, and the share of one core that it used."""

    pid: int
    name: str
    share: float


@dataclass(frozen=True, kw_only=True)
class Steadiness:
    """What was found: the median ratio of the copies in each pair, and the machine's grade meanwhile.

    `seconds` is the median of one request, `spread` the standard deviation of the pairs' log ratios,
    `throttled` how often heat slowed the cores (None: not counted here), `busy` who else computed.
    """

    ratios: tuple[float, ...]
    spread: float
    seconds: float
    requests: int
    condition: Condition
    throttled: int | None
    busy: tuple[Busy, ...]

    @property
    def ratio(self) -> float:
        """The copies' ratio over all pairs; 1 is right."""
        return float(np.exp(np.mean(np.log(self.ratios))))


@dataclass
class _Pair:
    """One pair of fresh workers, and what was read of it: seconds of the first and of the copy."""

    workers: list[session.Session]
    order: np.random.Generator
    seconds: list[tuple[float, float]] = field(default_factory=list)

    def serve(self, total: float) -> Counters:
        """Warms up, then asks for about `total` seconds."""
        for _ in range(WARMUPS):
            self._both(nullcontext)
        slow = float(np.median(np.sum(self.seconds[WARMUPS // 2 :], axis=1)))
        self.seconds.clear()
        meter = counters.Meter([self.workers[0].launched.pid]).start()
        for number in range(max(LEAST_REQUESTS, int(total / slow))):
            self._both(meter.turn)
            if number % SAMPLED_EVERY == 0:
                meter.sample()
        return meter.stop()

    def _both(self, turn: Callable[[], AbstractContextManager[None]]) -> None:
        """One request to each, in random order; the first program's is a `turn`."""
        rows = self.order.random((ROWS, WIDTH), dtype=np.float32)
        took = [0.0, 0.0]
        for side in self.order.permutation(2):
            with nullcontext() if side else turn():
                took[side] = self._ask(self.workers[side], rows)
            self.workers[side].pause()
        self.seconds.append((took[0], took[1]))

    @staticmethod
    def _ask(worker: session.Session, rows: np.ndarray) -> float:
        request = Request("rows", "work", {"rows": rows}, ArraySpec("float32", (WIDTH,)))
        worker.resume()
        return worker.call(request, request.arguments).seconds


def measure(tell: Callable[[str], None], pairs: int, seconds: float) -> Steadiness:
    """Times a program against its copy for about `seconds`, in `pairs` fresh pairs of workers.

    `tell` hears what goes on. Raises session.StartFault or Fault when a worker cannot go on.
    """
    order = np.random.default_rng()
    read: list[tuple[Counters, np.ndarray]] = []
    heat = counters.throttled()
    others = _Others()
    with _submission() as folder:
        for number in range(pairs):
            so_far = f", {np.median(read[-1][1]) * 1e3:.1f} ms a request" if read else ""
            tell(f"pair {number + 1} of {pairs}: a program timed against its own copy{so_far}")
            with ExitStack() as stack:
                pair = _Pair([stack.enter_context(_worker(folder)) for _ in range(2)], order)
                counted = pair.serve(seconds / pairs)
                read.append((counted, np.array(pair.seconds)))
    return _judged(read, heat, others.busy())


def _judged(read: list[tuple[Counters, np.ndarray]], heat: int | None, busy: tuple[Busy, ...]) -> Steadiness:
    logs = np.array([np.median(np.log(times[:, 1] / times[:, 0])) for _, times in read])
    firsts = [times[:, 0] for _, times in read]
    halves = [np.median(f[len(f) // 2 :]) / np.median(f[: len(f) // 2]) for f in firsts]
    even = np.concatenate([first / np.median(first) for first in firsts])
    now = counters.throttled()
    return Steadiness(
        ratios=tuple(float(ratio) for ratio in np.exp(logs)),
        spread=float(np.std(logs, ddof=1)) if len(logs) > 1 else 0.0,
        seconds=float(np.median(np.concatenate(firsts))),
        requests=sum(map(len, firsts)),
        condition=conditions.grade_machine(
            [counted for counted, _ in read],
            drift=float(np.exp(np.mean(np.log(halves)))) - 1,
            tail=float(np.quantile(even, 0.95)),
        ),
        throttled=None if heat is None or now is None else now - heat,
        busy=busy,
    )


@contextmanager
def _submission() -> Generator[Path]:
    with tempfile.TemporaryDirectory(prefix="harness-doctor-") as name:
        Path(name).chmod(0o755)  # who a box runs as may read it
        (Path(name) / "solution.py").write_text(SOLUTION)
        (Path(name) / "contract.py").write_text(CONTRACT)
        yield Path(name)


@contextmanager
def _worker(folder: Path) -> Generator[session.Session]:
    limits = Limits(2**30, 16, 60.0, {"work": 60.0})
    seat = session.WorkerSpec(
        submission=folder,
        contract=folder / "contract.py",
        models={},
        device="cpu",
        threads=1,
        seed=0,
        limits=limits,
    )
    # The machine is graded here, not a sandbox: the level that starts everywhere.
    with closing(level("process")) as plain:
        try:
            worker = session.start(plain, seat, "doctor")
        except session.StartFault as failed:
            failed.session.close()
            raise
        try:
            worker.pause()
            yield worker
        finally:
            worker.close()


class _Others:
    """The processor time that programs other than ours use, from its making until `busy`."""

    def __init__(self) -> None:
        self._span = counters.Meter([]).start()
        self._before = {key: spent for key, (_, spent) in _spent().items()}

    def busy(self) -> tuple[Busy, ...]:
        """Those that used a share worth naming, the busiest first; what has ended is not seen."""
        seconds = self._span.stop().seconds
        ours = set(counters.tree([os.getpid()])) | {os.getpid()}
        busy = [
            Busy(key[0], name, (spent - self._before.get(key, 0.0)) / seconds)
            for key, (name, spent) in _spent().items()
            if key[0] not in ours
        ]
        return tuple(sorted((b for b in busy if b.share >= BUSY), key=lambda b: -b.share))


def _spent() -> dict[tuple[int, float | None], tuple[str, float]]:
    """Processor seconds by process: its number and birth (None where we may not look), and its name."""
    spent = {}
    for process in psutil.process_iter(["name", "create_time", "cpu_times"]):
        name, birth, times = (process.info[key] for key in ("name", "create_time", "cpu_times"))
        if times is not None:  # None where we may not look
            shown = "".join(c if is_plain(c) else "?" for c in name or "?")
            spent[process.pid, birth] = (shown, times.user + times.system)
    return spent
