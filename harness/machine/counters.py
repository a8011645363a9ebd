"""What the kernel and the GPU's driver count while workers are timed: none of it passes through a worker.

A source that this system lacks gives None, never an error: a missing counter is no reason to stop a
run, and the grade must say that it was not counted. Waiting is per thread and ends with its thread,
so what a thread did after the last reading before its end is missed: stop a meter before its workers.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from harness.machine import devices
from harness.machine.processes import lines_of
from harness.machine.threads import Threads, tree
from harness.readings import Counters

# Reading a clock may interrupt its core; a few show as much as all of a large machine's.
CLOCKS_READ = 16
IDLE = 0x1
# The bits of nvmlClocksEventReasons, by the names that are kept. IDLE is left out: nothing ran then.
REASONS = (
    (0x2, "application clocks"),
    (0x4, "power cap"),
    (0x8, "hardware slowdown"),
    (0x10, "sync boost"),
    (0x20, "software thermal slowdown"),
    (0x40, "hardware thermal slowdown"),
    (0x80, "power brake"),
    (0x100, "display clocks"),
)


@dataclass(frozen=True)
class Gpu:
    """One device as NVML knows it. `library` has pynvml's interface."""

    library: Any
    handle: Any

    def ask(self, function: str, *arguments: Any) -> Any | None:
        """What NVML answers, or None where this driver or device does not tell."""
        try:
            return getattr(self.library, function)(self.handle, *arguments)
        except self.library.NVMLError:
            return None

    def reasons(self) -> int | None:
        """The bits that say what holds the clocks down."""
        new = self.ask("nvmlDeviceGetCurrentClocksEventReasons")
        return self.ask("nvmlDeviceGetCurrentClocksThrottleReasons") if new is None else new

    def mhz(self) -> float | None:
        """The clock of the multiprocessors now."""
        return self.ask("nvmlDeviceGetClockInfo", self.library.NVML_CLOCK_SM)

    def mhz_default(self) -> float | None:
        """The clock it is meant to run at: the default for applications, else its highest."""
        default = self.ask("nvmlDeviceGetDefaultApplicationsClock", self.library.NVML_CLOCK_SM)
        return default or self.ask("nvmlDeviceGetMaxClockInfo", self.library.NVML_CLOCK_SM)

    def celsius(self) -> float | None:
        """The chip's temperature."""
        return self.ask("nvmlDeviceGetTemperature", self.library.NVML_TEMPERATURE_GPU)

    def strangers(self, ours: set[int]) -> int | None:
        """How many computing processes are not `ours`; None unless one of ours is among those named.

        In a container NVML may name processes by the host's numbers, or none at all.
        """
        running = self.ask("nvmlDeviceGetComputeRunningProcesses")
        pids = {process.pid for process in running or ()}
        return len(pids - ours) if pids & ours else None


def gpu(device: str) -> Gpu | None:
    """The device that workers see first, for a run on `device`; None on the CPU."""
    library = devices.nvml() if device == "cuda" else None
    return Gpu(library, library.nvmlDeviceGetHandleByIndex(devices.index())) if library else None


class Meter:
    """Reads the counters over a span: `start`, `sample` now and then, `stop`.

    `pids` are the reference workers', or give them when called; their children are read too. Sample
    right after an answer: clocks are then those of work, and nobody is being timed. Clocks at the
    start and the stop count only when no sample was taken, because idle cores and devices slow down.

    Where each request of a reference is wrapped in `turn`, its workers' own counters are those of
    the turns alone. That matters: a worker is runnable until it has really stopped, and waits
    for a core to do so while the next one is served (measured: 3 ms a request, next to one busy stranger),
    which delays no answer.
    """

    def __init__(
        self,
        pids: Callable[[], Iterable[int]] | Sequence[int],
        device: Gpu | None = None,
        root: Path = Path("/"),
    ) -> None:
        self.pids = pids
        self.device = device
        self.root = root
        self._threads = Threads(root=root)
        self._turns = False
        self._cores: frozenset[int] = frozenset()
        self._edges: list[_Clocks] = []
        self._samples: list[_Clocks] = []
        self._reasons = 0
        self._strangers: list[int] = []
        self._celsius: list[float] = []

    def start(self) -> Self:
        """Begins the span."""
        self._began = time.perf_counter()
        pids = self._roots()
        self._cores = frozenset(
            core for pid in pids for core in _allowed(self.root / "proc" / str(pid))
        )  # workers are pinned before they are given out
        self._before = _Machine.read(self.root, self._cores)
        self._threads.read(pids)
        self._edges.append(self._look(pids))
        return self

    def sample(self) -> None:
        """Takes a reading in between."""
        pids = self._roots()
        if not self._turns:
            self._threads.read(pids)
        self._samples.append(self._look(pids))

    @contextlib.contextmanager
    def turn(self, pid: int | None = None) -> Generator[None]:
        """Around one request that a worker is resumed for: from the first on, only turns count.

        Where several workers are metered, `pid` says whose turn it is: the others are not charged.
        """
        whose = self._roots() if pid is None else [pid]
        before = self._threads.look(whose)
        self._turns = True
        try:
            yield
        finally:
            self._threads.add_turn(before, self._threads.look(whose))

    def stop(self) -> Counters:
        """Ends the span: what was counted since `start`."""
        pids = self._roots()
        if not self._turns:
            self._threads.read(pids)
        self._edges.append(self._look(pids))
        seconds = time.perf_counter() - self._began
        after = _Machine.read(self.root, self._cores)
        spent = self._threads.turned if self._turns else self._threads.total()
        looks = self._samples or self._edges
        mhz = [value for look in looks for value in look.cores]
        device_mhz = [look.device for look in looks if look.device is not None]
        return Counters(
            seconds=seconds,
            cpu_seconds=spent.cpu / 1e9 if spent else None,
            wait_seconds=spent.wait / 1e9 if spent else None,
            preemptions=spent.switches if spent else None,
            steal_share=_share(self._before.stolen, after.stolen, _less_or_none(self._before.all, after.all)),
            pressure_cpu_share=_share(self._before.stalled_cpu, after.stalled_cpu, seconds * 1e6),
            pressure_memory_share=_share(self._before.stalled_memory, after.stalled_memory, seconds * 1e6),
            mhz_low=min(mhz, default=None),
            mhz_high=max(mhz, default=None),
            device_reasons=tuple(name for bit, name in REASONS if self._reasons & bit),
            device_mhz_low=min(device_mhz, default=None),
            device_mhz_high=max(device_mhz, default=None),
            device_mhz_default=self.device.mhz_default() if self.device else None,
            device_celsius=max(self._celsius, default=None),
            device_strangers=max(self._strangers, default=None),
        )

    def _roots(self) -> list[int]:
        return list(self.pids if isinstance(self.pids, Sequence) else self.pids())

    def _look(self, pids: list[int]) -> _Clocks:
        return _Clocks(tuple(_core_mhz(self.root, self._cores)), self._look_at_device(pids))

    def _look_at_device(self, pids: list[int]) -> float | None:
        """The device's clock while it works, None while it is idle; keeps reasons, heat and strangers."""
        if self.device is None:
            return None
        ours = {*tree(pids, self.root), *tree([os.getpid()], self.root)}
        strangers, celsius = self.device.strangers(ours), self.device.celsius()
        self._strangers += [] if strangers is None else [strangers]
        self._celsius += [] if celsius is None else [celsius]
        bits = self.device.reasons() or 0
        if bits & IDLE:
            return None
        self._reasons |= bits
        return self.device.mhz()


@dataclass(frozen=True)
class _Clocks:
    cores: tuple[float, ...]
    device: float | None


@dataclass(frozen=True)
class _Machine:
    """The machine's own counters: ticks stolen and ticks in all on some cores, microseconds stalled."""

    stolen: int | None
    all: int | None
    stalled_cpu: int | None
    stalled_memory: int | None

    @classmethod
    def read(cls, root: Path, cores: frozenset[int]) -> _Machine:
        """A reading now."""
        ticks = [ticks for core, ticks in _ticks(root) if core in cores and len(ticks) >= 8]
        return cls(
            sum(line[7] for line in ticks) if ticks else None,
            sum(sum(line[:8]) for line in ticks) if ticks else None,  # user time already includes guests
            _stalled(root, "cpu"),
            _stalled(root, "memory"),
        )


def throttled(root: Path = Path("/")) -> int | None:
    """How often heat has slowed the cores since the machine was started; None where it is not counted."""
    counts = []
    for file in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/*_throttle_count"):
        with contextlib.suppress(OSError, ValueError):
            counts.append(int(file.read_text()))
    return sum(counts) if counts else None


def _allowed(folder: Path) -> list[int]:
    """The cores that a process may use, from its status: "0,2-3"."""
    with contextlib.suppress(OSError, ValueError):
        for line in lines_of(folder / "status"):
            if line.startswith("Cpus_allowed_list:"):
                spans = [part.partition("-") for part in line.partition(":")[2].strip().split(",")]
                return [core for low, _, high in spans for core in range(int(low), int(high or low) + 1)]
    return []


def _ticks(root: Path) -> Iterator[tuple[int, list[int]]]:
    """Each core's line of /proc/stat: its number, and the ticks of each kind."""
    with contextlib.suppress(OSError, ValueError):
        for line in (root / "proc/stat").read_text().splitlines():
            name, *ticks = line.split()
            if name.startswith("cpu") and name[3:].isdigit():
                yield int(name[3:]), [int(tick) for tick in ticks]


def _stalled(root: Path, what: str) -> int | None:
    """Microseconds since boot in which at least one task waited for `what`."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (root / "proc/pressure" / what).read_text().splitlines():
            if line.startswith("some "):
                return int(line.rpartition("total=")[2])
    return None


def _core_mhz(root: Path, cores: frozenset[int]) -> Iterator[float]:
    """The clock of each of `cores` now, where the kernel shows it."""
    listed: dict[int, float] | None = None
    for core in sorted(cores)[:CLOCKS_READ]:
        file = root / f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq"
        try:
            yield int(file.read_text()) / 1000
        except (OSError, ValueError):
            listed = _listed_mhz(root) if listed is None else listed
            if core in listed:
                yield listed[core]


def _listed_mhz(root: Path) -> dict[int, float]:
    """Clocks by /proc/cpuinfo. Without `aperfmperf`, as in most guests, it prints a constant: left out."""
    clocks: dict[int, float] = {}
    with contextlib.suppress(OSError, ValueError):
        text = (root / "proc/cpuinfo").read_text(errors="replace")
        for block in text.split("\n\n") if "aperfmperf" in text else ():
            pairs = (line.partition(":") for line in block.splitlines())
            fields = {key.strip(): value.strip() for key, _, value in pairs}
            if "cpu MHz" in fields:
                clocks[int(fields["processor"])] = float(fields["cpu MHz"])
    return clocks


def _less_or_none(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _share(before: int | None, after: int | None, whole: float | None) -> float | None:
    grown = _less_or_none(before, after)
    return None if grown is None or not whole else max(0.0, grown / whole)
