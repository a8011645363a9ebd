"""The engine on this machine: slots in parallel for what needs only to be right, the machine alone for times.

A slot is a process of its own, so that what ends it costs one unit at most. Each parallel slot has cores
that no other slot has. Slots stand in a process group of their own: Ctrl-C reaches this process, which
ends them; and they end by themselves when it does.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

import psutil

from harness.assessment.executors.base import Event, Unit, UnitDone, lost
from harness.assessment.executors.slot import GRACE_SECONDS
from harness.machine import devices, lease

_COMMAND = [sys.executable, "-I", "-m", "harness.assessment.executors.slot"]
TRIES = 2
# Room that is left to the system and to this process when slots are counted.
_SPARE_BYTES = 2**30


class Heard(NamedTuple):
    """The lines that a slot has written since the last reading, and whether it still runs."""

    lines: list[dict[str, str]]
    alive: bool


@dataclass(kw_only=True)
class Slot:
    """One process that does units, and the unit that it is doing."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    cores: list[int]
    unit: Unit | None = None
    began: float = 0.0
    rest: bytes = b""

    @classmethod
    def start(cls, cores: list[int]) -> Slot:
        """A new process on these cores; [] leaves it where this one is."""
        log = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the slot)
        process = subprocess.Popen(
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, process_group=0
        )
        if cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, cores)
        return cls(process=process, log=log, cores=cores)

    def ask(self, unit: Unit, home: Path) -> None:
        """Sends it a unit; if the process has ended, the next reading shows it."""
        self.unit, self.began = unit, time.monotonic()
        line = json.dumps({"payload": unit.payload, "home": str(home)}).encode() + b"\n"
        with contextlib.suppress(BrokenPipeError):
            assert self.process.stdin is not None
            self.process.stdin.write(line)
            self.process.stdin.flush()

    def read(self) -> Heard:
        """Reads what it has written since the last reading; waits where there is nothing yet."""
        assert self.process.stdout is not None
        content = os.read(self.process.stdout.fileno(), 1 << 20)
        *lines, self.rest = (self.rest + content).split(b"\n")
        return Heard([json.loads(line) for line in lines], bool(content))

    def last_words(self) -> str:
        """The last line of its log."""
        self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, self.log.tell() - 4096))
        lines = self.log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    def why(self) -> str:
        """A sentence on how the process ended."""
        code = self.process.wait()
        how = f"signal {-code}" if code < 0 else f"status {code}"
        words = self.last_words()
        return f"the process that ran it ended by {how}{f': {words}' if words else ''}"

    def end(self) -> None:
        """Asks it to end: it tidies up after the unit it is doing."""
        with contextlib.suppress(OSError):
            assert self.process.stdin is not None
            self.process.stdin.close()
        if self.process.poll() is None and self.unit is not None:
            self.process.send_signal(signal.SIGINT)

    def gone(self, by: float) -> None:
        """Waits for the process to end until `by` on the monotonic clock, then kills it."""
        try:
            self.process.wait(max(0.0, by - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()


@dataclass
class Local:
    """Runs units in the order given, those that no clock decides first and in parallel.

    `jobs` is the most slots that work at once; None: as many as cores and memory allow.
    """

    home: Path
    jobs: int | None = None
    note: Callable[[str], object] = lambda text: None
    name: str = field(default="local", init=False)

    def run(
        self, units: Sequence[Unit], kept: Callable[[UnitDone], None], seen: Callable[[Unit, Event], None]
    ) -> None:
        """As Executor.run says. Raises DeviceError where a unit needs a GPU and there is none."""
        if any(unit.device == "cuda" for unit in units):
            devices.resolve("cuda")
        together = [unit for unit in units if not unit.timed and unit.device == "cpu"]
        alone = [unit for unit in units if unit.timed or unit.device != "cpu"]
        for unit in units:
            seen(unit, "waits")
        if together:
            with lease.machine(False, self.note):
                _Pool(self.home, self._places(together), kept, seen).run(together)
        if alone:
            self._one_by_one(alone, kept, seen)

    def _one_by_one(
        self, units: Sequence[Unit], kept: Callable[[UnitDone], None], seen: Callable[[Unit, Event], None]
    ) -> None:
        """Each unit has the machine to itself, and lets another harness process have its turn after it."""
        pool = _Pool(self.home, [[]], kept, seen)
        try:
            for unit in units:
                with ExitStack() as stack:
                    what = f"{unit.candidate} on {unit.task}"
                    stack.enter_context(lease.machine(True, self.note, what))
                    if unit.device == "cuda":
                        stack.enter_context(lease.gpu(devices.index(), self.note, what))
                    pool.work([unit])
        finally:
            pool.end()

    def _places(self, units: Sequence[Unit]) -> list[list[int]]:
        """The cores of each slot: disjoint, as many slots as cores, memory and the number of units allow."""
        threads = max(unit.threads for unit in units)
        memory = max(unit.memory_bytes for unit in units)
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        count = max(1, (len(cores) or os.cpu_count() or 1) // threads)
        if memory:
            count = min(count, max(1, (psutil.virtual_memory().available - _SPARE_BYTES) // memory))
        count = min(count, self.jobs or count, len(units))
        return [cores[number * threads : (number + 1) * threads] for number in range(count)]


class _Pool:
    """Some slots, and the units that wait for one."""

    def __init__(
        self,
        home: Path,
        places: list[list[int]],
        kept: Callable[[UnitDone], None],
        seen: Callable[[Unit, Event], None],
    ) -> None:
        self.home, self.kept, self.seen = home, kept, seen
        self.free = places
        self.slots: list[Slot] = []
        self.chosen = selectors.DefaultSelector()
        self.tries: dict[Unit, int] = {}

    def run(self, units: Sequence[Unit]) -> None:
        """Does all units and ends the slots."""
        try:
            self.work(units)
        finally:
            self.end()

    def work(self, units: Sequence[Unit]) -> None:
        """Does all units; the slots stay for the next ones."""
        waiting = deque(units)
        while waiting or any(slot.unit for slot in self.slots):
            while (unit := self._next(waiting)) and (slot := self._idle()):
                waiting.remove(unit)
                self.tries[unit] = self.tries.get(unit, 0) + 1
                slot.ask(unit, self.home)
                self.seen(unit, "runs")
            for key, _ in self.chosen.select(0.5):
                again = self._hear(key.data)
                if again is not None:
                    waiting.appendleft(again)

    def end(self) -> None:
        """Ends every slot within two seconds, and what each was doing with it."""
        for slot in self.slots:
            slot.end()
        by = time.monotonic() + GRACE_SECONDS
        for slot in self.slots:
            slot.gone(by)
        self.slots = []
        self.chosen.close()

    def _next(self, waiting: Iterable[Unit]) -> Unit | None:
        """The first unit that may begin now: none on the instances of one that runs."""
        running = [slot.unit for slot in self.slots if slot.unit]
        return next((unit for unit in waiting if unit.may_run_beside(running)), None)

    def _idle(self) -> Slot | None:
        slot = next((slot for slot in self.slots if slot.unit is None), None)
        if slot is None and self.free:
            slot = Slot.start(self.free.pop())
            self.slots.append(slot)
            assert slot.process.stdout is not None
            self.chosen.register(slot.process.stdout, selectors.EVENT_READ, slot)
        return slot

    def _hear(self, slot: Slot) -> Unit | None:
        """Handles what a slot wrote; returns the unit that must be tried again, if any."""
        heard = slot.read()
        for line in heard.lines:
            if "cell" in line and slot.unit is not None:
                unit, slot.unit = slot.unit, None
                self.kept(UnitDone(unit, line["cell"], time.monotonic() - slot.began))
        if heard.alive:
            return None
        unit, why = slot.unit, slot.why()
        assert slot.process.stdout is not None
        self.chosen.unregister(slot.process.stdout)
        slot.end()
        slot.gone(time.monotonic())
        self.slots.remove(slot)
        self.free.append(slot.cores)
        if unit is None:
            return None
        if self.tries[unit] < TRIES:
            self.seen(unit, "again")
            return unit
        self.kept(UnitDone(unit, lost(unit, why), time.monotonic() - slot.began))
        return None
