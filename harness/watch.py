"""Watches one worker while it works: memory, processes and printed bytes, and kills at their limits.

A limit ends the whole process tree within a second of being passed: the tree is read twenty times
a second. Memory is the sum of resident bytes over the tree, and at least the main process's own
high-water mark as the kernel tells it; what hides between two readings in a child, or in memory
that is shared or not resident, is missed, so the figure is stamped advisory.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Protocol

from harness.errors import Fault
from harness.isolation.base import Launched
from harness.isolation.tree import born, descendants, high_water_bytes, kill_tree, resident_bytes
from harness.readings import MemoryPoint
from harness.records import Outcome

PERIOD = 0.05
KEPT_LOG_BYTES = 64 * 1024
MEASURED_BY = "parent: process tree sampled at 20 Hz and VmHWM (advisory)"


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
        self.points: list[MemoryPoint] = []
        self.known: dict[int, int | None] = {}
        self.peak_host: int | None = None
        self.peak_device: int | None = None
        self.breach: Fault | None = None
        self.log = _Log()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._sample, daemon=True)]
        for pipe in (launched.process.stdout, launched.process.stderr):
            if pipe is not None:
                self._threads.append(threading.Thread(target=self._drain, args=(pipe,), daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends the threads; the worker must be dead, or its pipes would keep them."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=2.0)

    def read_now(self) -> None:
        """Takes one reading at once: after an answer the peak is often still held."""
        with self._lock:
            self._read()

    def _sample(self) -> None:
        while not self._stopping.wait(PERIOD):
            self.read_now()

    def _read(self) -> None:
        pids = descendants(self.launched.pid)
        for pid in pids:
            if pid not in self.known:
                self.known[pid] = born(pid)
        host = resident_bytes(pids)
        if not host:
            return
        device = self.device.used_bytes(pids) if self.device else None
        seconds = time.monotonic() - self.began
        self.points.append(
            MemoryPoint(stage=self.stage, seconds=seconds, host_bytes=host, device_bytes=device)
        )
        self.peak_host = max(self.peak_host or 0, host, high_water_bytes(self.launched.pid) or 0)
        if device is not None:
            self.peak_device = max(self.peak_device or 0, device)
        self._enforce(host, len(pids))

    def _enforce(self, host: int, processes: int) -> None:
        if host > self.limits.memory_bytes:
            allowed = self.limits.memory_bytes / 2**30
            self._kill("out_of_memory", f"it held more memory than the limit of {allowed:.1f} GiB")
        elif processes > self.limits.processes:
            self._kill("crashed", f"it ran {processes} processes; the limit is {self.limits.processes}")

    def _kill(self, outcome: Outcome, reason: str) -> None:
        self.breach = self.breach or Fault(outcome, f"killed because {reason}")
        kill_tree(self.launched.pid, self.known)

    def _drain(self, pipe: IO[bytes]) -> None:
        while chunk := os.read(pipe.fileno(), 1 << 16):
            self.log.add(chunk)
            if self.log.total > self.limits.printed_bytes and self.breach is None:
                allowed = self.limits.printed_bytes // 2**20
                self._kill("malformed", f"it printed more than the limit of {allowed} MiB")
        pipe.close()


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
