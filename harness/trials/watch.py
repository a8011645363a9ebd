"""Watches one worker while it works: memory, processes and printed bytes, and kills at their limits.

A limit ends the whole process tree within a second of being passed: it is read twenty times a
second, at times that the worker cannot foretell, by the meter of `isolation.memory`. Device memory
is read eighty times a second while the worker may run, and after every answer.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Protocol

from harness.errors import Fault
from harness.isolation.base import Launched
from harness.isolation.memory import MemoryMeter, Reading
from harness.isolation.tree import kill_tree, processor_seconds
from harness.isolation.written import Allowance
from harness.machine.processes import TooMuch
from harness.readings import MemoryPoint
from harness.records import Outcome

PERIOD = 0.05
DEVICE_PERIOD = 0.0125
KEPT_LOG_BYTES = 64 * 1024
# What a look at one worker may take of the processor: some ten times what the largest honest one took, and what the
# pages of a memory full of mapped files take (32 ms for half a GiB, measured).
_LOOK_SECONDS, _LOOK_SECONDS_A_GIB = 0.25, 0.1


class DeviceReader(Protocol):
    """Reads the device memory of a process tree, in bytes; None where it cannot be read."""

    measured_by: str

    def used_bytes(self, pids: list[int]) -> int | None:
        """Bytes of device memory that `pids` hold."""
        ...


@dataclass(frozen=True)
class Limits:
    """What kills: bytes of memory, processes, seconds to start and per call of a phase, bytes printed."""

    memory_bytes: int
    processes: int
    start_seconds: float
    phase_seconds: Mapping[str, float]
    printed_bytes: int = 16 * 1024 * 1024


class Watch:
    """The threads that look after one worker; `stop` joins them."""

    def __init__(self, launched: Launched, limits: Limits, stage: str, device: DeviceReader | None) -> None:
        self.launched = launched
        self.limits = limits
        self.stage = stage
        self.device = device
        self.began = time.monotonic()
        allowed = _LOOK_SECONDS + _LOOK_SECONDS_A_GIB * limits.memory_bytes / 2**30
        self.meter = MemoryMeter(
            launched=launched, hertz=round(1 / PERIOD), allowance=Allowance(allowed, time.thread_time)
        )
        self.points: list[MemoryPoint] = []
        self.base_host: int | None = None
        self.base_file: int | None = None
        self.peak_host: int | None = None
        self.peak_device: int | None = None
        self.breach: Fault | None = None
        self.resting = False
        self.log = _Log()
        self._device_now: int | None = None
        self._device_peak: int | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        if launched.cgroup is not None:
            launched.cgroup.bound(limits.memory_bytes, limits.processes)
        self._threads = [threading.Thread(target=self._sample, daemon=True)]
        if device is not None:
            self._threads.append(threading.Thread(target=self._sample_device, daemon=True))
        for pipe in (launched.process.stdout, launched.process.stderr):
            if pipe is not None:
                self._threads.append(threading.Thread(target=self._drain, args=(pipe,), daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def known(self) -> dict[int, int | None]:
        """Every process that the worker ever had, and when it was born."""
        return self.meter.known

    @property
    def measured_by(self) -> str:
        """Who measured memory, and how exactly, for the record."""
        device = f"; {self.device.measured_by}" if self.device else ""
        return self.meter.measured_by + device

    def stop(self) -> None:
        """Ends the threads; the worker must be dead, or its pipes would keep them."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=2.0)

    def settle(self) -> None:
        """The first reading that counts: an interpreter and the harness's shim, nothing of a submission."""
        with self._lock:
            self.meter.settle()
            base = self._read()
            self.base_host, self.base_file = base.held, base.file

    def read_now(self) -> None:
        """Takes one reading at once: after an answer the peak is often still held."""
        with self._lock:
            self._look(self._read_device)
            self._look(self._read)

    def rest(self) -> None:
        """The worker was paused: its device memory is read once more, and then not until it goes on."""
        self.resting = True
        if self.device is not None:
            with self._lock:
                self._look(self._read_device)

    def cpu_seconds(self) -> float:
        """Processor seconds of the whole group; without one, of the processes alive at the last reading.

        Costs 1 microsecond, or 1 for each process.
        """
        group = self.meter.group
        if group is not None:
            try:
                if (seconds := group.cpu_seconds()) is not None:
                    return seconds
            except (OSError, ValueError):
                pass  # it is gone with its worker: so are the processes, as far as anybody can tell
        return sum(_cpu_seconds(pid) for pid in [*self.known] or [self.launched.pid])

    def _sample(self) -> None:
        # At random distances, so that no worker can hide between two readings whose time it knows.
        while not self._stopping.wait(PERIOD * random.uniform(0.5, 1.5)):
            with self._lock:
                self._look(self._read)

    def _sample_device(self) -> None:
        while not self._stopping.wait(DEVICE_PERIOD):
            if not self.resting:
                with self._lock:
                    self._look(self._read_device)

    def _look(self, read: Callable[[], object]) -> None:
        """One reading. One that falls over ends the worker: unwatched, it could hold and start what it likes."""
        try:
            read()
        except TooMuch as error:
            self._kill("crashed", f"it could not be watched: {error}")
        except Exception as error:  # noqa: BLE001  (what a hostile file in /proc brings about is anything)
            self._kill("harness_error", f"it could not be watched ({type(error).__name__}: {error})")

    def _read_device(self) -> None:
        if self.device is None:
            return
        used = self._device_now = self.device.used_bytes([*self.known] or [self.launched.pid])
        if used is not None:
            self._device_peak = max(self._device_peak or 0, used)
            self.peak_device = max(self.peak_device or 0, used)

    def _read(self) -> Reading:
        reading = self.meter.read()
        if reading.peak:
            self.points.append(
                MemoryPoint(
                    stage=self.stage,
                    seconds=time.monotonic() - self.began,
                    host_bytes=reading.peak,
                    device_bytes=self._device_peak,
                    anonymous_bytes=reading.anonymous,
                    file_bytes=reading.file,
                    shared_bytes=reading.shared,
                )
            )
            self._device_peak = self._device_now
            self.peak_host = max(self.peak_host or 0, reading.peak)
        self._enforce(reading)
        return reading

    def _enforce(self, reading: Reading) -> None:
        allowed = f"it held more memory than the limit of {self.limits.memory_bytes / 2**30:.1f} GiB"
        if reading.held > self.limits.memory_bytes or self.meter.oom_killed():
            self._kill("out_of_memory", allowed)
        elif len(reading.pids) > self.limits.processes:
            count = len(reading.pids)
            self._kill("crashed", f"it ran {count} processes; the limit is {self.limits.processes}")
        elif self.meter.unread:
            self._kill("harness_error", f"its memory can no longer be measured: {self.meter.unread}")

    def _kill(self, outcome: Outcome, reason: str) -> None:
        self.breach = self.breach or Fault(outcome, f"killed because {reason}")
        kill_tree(self.launched.pid, self.known, self.launched.group)

    def _drain(self, pipe: IO[bytes]) -> None:
        while chunk := os.read(pipe.fileno(), 1 << 16):
            self.log.add(chunk)
            if self.log.total > self.limits.printed_bytes and self.breach is None:
                allowed = self.limits.printed_bytes // 2**20
                self._kill("malformed", f"it printed more than the limit of {allowed} MiB")
        pipe.close()


def _cpu_seconds(pid: int) -> float:
    if sys.platform != "linux":
        return processor_seconds(pid)
    try:
        # The processor clock of another process, all its threads of now and before, to the nanosecond.
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0  # it is gone


class _Log:
    """What a worker printed: the first and the last 64 KiB, and how much there was."""

    def __init__(self) -> None:
        self.head = b""
        self.tail = b""
        self.total = 0
        self._lock = threading.Lock()

    def add(self, chunk: bytes) -> None:
        """Keeps what fits of `chunk`."""
        with self._lock:
            self.total += len(chunk)
            room = KEPT_LOG_BYTES - len(self.head)
            self.head += chunk[:room]
            self.tail = (self.tail + chunk[max(room, 0) :])[-KEPT_LOG_BYTES:]


def highest(points: Sequence[MemoryPoint]) -> list[MemoryPoint]:
    """The readings of one worker at which the most was held: in all, on the device, and beside mapped files.

    A stage's memory is judged by these of every worker: a submission that holds less where nothing but its memory is
    measured is judged by what it held where it was timed.
    """
    by: tuple[Callable[[MemoryPoint], int], ...] = (
        lambda point: point.host_bytes,
        lambda point: point.device_bytes or 0,
        lambda point: point.host_bytes - (point.file_bytes or 0),
    )
    kept = [max(points, key=key) for key in by if any(map(key, points))]
    return [point for point in points if any(point is one for one in kept)]
