"""The watch over one worker: each limit ends it by itself, with no control group that could have done so."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from harness.isolation.memory import Reading
from harness.trials import watch
from harness.trials.watch import Limits, Watch

LIMITS = Limits(1000, 3, 1.0, {}, printed_bytes=1 << 20)


@dataclass
class FakeMeter:
    """Tells what it is told to tell, of a worker that no group holds."""

    reading: Reading = field(default_factory=lambda: Reading(pids=(1,), held=10, peak=10))
    killed: bool = False
    known: dict[int, int | None] = field(default_factory=lambda: {1: 5})
    measured_by: str = "parent: a fake meter"
    group: None = None

    def read(self) -> Reading:
        return self.reading

    def settle(self) -> None:
        pass

    def oom_killed(self) -> bool:
        return self.killed


@dataclass
class PeakingReader:
    """A device on which its processes hold 1,000 bytes, and once 5,000: at the third reading."""

    measured_by: str = "parent: a fake device"
    readings: int = 0

    def used_bytes(self, pids: list[int]) -> int | None:
        self.readings += 1
        return 5000 if self.readings == 3 else 1000


@dataclass
class Watched:
    """A watch, its meter, and the calls by which it killed."""

    meter: FakeMeter
    make: Callable[..., Watch]
    kills: list[tuple[Any, ...]]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Generator[Watched]:
    """A worker without a group: a number that is nobody's, and what the meter tells of it."""
    meter, kills, started = FakeMeter(), list[tuple[Any, ...]](), list[Watch]()
    monkeypatch.setattr(watch, "MemoryMeter", lambda launched, hertz: meter)
    monkeypatch.setattr(watch, "kill_tree", lambda *arguments: kills.append(arguments))

    def make(device: watch.DeviceReader | None = None, output: int | None = None) -> Watch:
        pipe = os.fdopen(output, "rb", 0) if output is not None else None
        process = SimpleNamespace(stdout=pipe, stderr=None)
        launched: Any = SimpleNamespace(pid=1, cgroup=None, group=None, process=process)
        started.append(Watch(launched, LIMITS, "main", device))
        return started[-1]

    yield Watched(meter, make, kills)
    for one in started:
        one.stop()


def comes_true(condition: Callable[[], bool]) -> bool:
    """Whether it is so soon: what a thread does is waited for, and never timed."""
    patience = time.monotonic() + 30
    while not condition() and time.monotonic() < patience:
        time.sleep(0.005)
    return condition()


def test_what_holds_no_more_than_its_limits_is_let_alone(watched: Watched) -> None:
    watched.meter.reading = Reading(pids=(1, 2, 3), held=LIMITS.memory_bytes, peak=10 * LIMITS.memory_bytes)
    looking = watched.make()
    looking.read_now()
    assert looking.breach is None
    assert not watched.kills
    assert looking.peak_host == 10 * LIMITS.memory_bytes


def test_more_memory_than_the_limit_ends_it_without_a_group(watched: Watched) -> None:
    watched.meter.reading = Reading(pids=(1,), held=LIMITS.memory_bytes + 1, peak=0)
    looking = watched.make()
    looking.read_now()
    assert looking.breach is not None
    assert looking.breach.outcome == "out_of_memory"
    assert "more memory than the limit" in looking.breach.reason
    assert watched.kills[0] == (1, {1: 5}, None)


def test_memory_is_looked_at_between_answers_too(watched: Watched) -> None:
    looking = watched.make()
    watched.meter.reading = Reading(pids=(1,), held=LIMITS.memory_bytes + 1, peak=0)
    assert comes_true(lambda: bool(watched.kills))  # nobody has asked for a reading
    assert looking.breach is not None


def test_what_the_kernel_killed_for_memory_is_said_to_be(watched: Watched) -> None:
    watched.meter.killed = True
    looking = watched.make()
    looking.read_now()
    assert looking.breach is not None
    assert looking.breach.outcome == "out_of_memory"


def test_more_processes_than_the_limit_end_it(watched: Watched) -> None:
    watched.meter.reading = Reading(pids=(1, 2, 3, 4), held=10, peak=10)
    looking = watched.make()
    looking.read_now()
    assert looking.breach is not None
    assert looking.breach.outcome == "crashed"
    assert looking.breach.reason == "killed because it ran 4 processes; the limit is 3"
    assert watched.kills[0] == (1, {1: 5}, None)


def test_the_first_breach_is_the_one_that_is_told(watched: Watched) -> None:
    watched.meter.reading = Reading(pids=(1, 2, 3, 4), held=10, peak=10)
    looking = watched.make()
    looking.read_now()
    watched.meter.reading = Reading(pids=(1,), held=LIMITS.memory_bytes + 1, peak=0)
    looking.read_now()
    assert looking.breach is not None
    assert looking.breach.outcome == "crashed"


def test_a_peak_of_the_device_between_two_answers_is_kept(watched: Watched) -> None:
    device = PeakingReader()
    looking = watched.make(device)
    assert comes_true(lambda: device.readings > 3)  # nobody has asked for a reading
    assert looking.peak_device == 5000
    assert comes_true(lambda: any(point.device_bytes == 5000 for point in list(looking.points)))


def test_a_point_has_the_devices_peak_since_the_point_before(watched: Watched) -> None:
    held = iter([1000, 5000, 2000])
    looking = watched.make()
    looking.stop()  # from here on it reads when it is told to
    device: Any = SimpleNamespace(measured_by="", used_bytes=lambda pids: next(held, None))
    looking.device = device
    for _ in range(3):
        looking._read_device()
    looking._read()
    assert looking.points[-1].device_bytes == 5000
    looking._read()
    assert looking.points[-1].device_bytes == 2000  # what it still held when that one was taken
    assert looking.peak_device == 5000


@pytest.mark.parametrize(
    ("count", "ended"), [((1 << 20) - 1, False), (1 << 20, False), ((1 << 20) + 1, True)]
)
def test_more_printed_than_the_limit_ends_it(watched: Watched, count: int, ended: bool) -> None:
    reading, writing = os.pipe()
    looking = watched.make(output=reading)
    with contextlib.closing(os.fdopen(writing, "wb", 0)) as pipe:
        rest = memoryview(b"x" * count)
        while rest:
            rest = rest[pipe.write(rest) :]
    assert comes_true(lambda: looking.log.total == count)
    looking.stop()
    assert (looking.breach is not None) == ended == bool(watched.kills)
    if looking.breach is not None:
        assert looking.breach.outcome == "malformed"
        assert looking.breach.reason == "killed because it printed more than the limit of 1 MiB"


@pytest.mark.parametrize("piece", [997, 4096, 70_000])
def test_of_what_was_printed_the_beginning_the_end_and_the_size_are_kept(piece: int) -> None:
    kept = watch.KEPT_LOG_BYTES
    for size in (0, 5, kept - 1, kept, kept + 1, 2 * kept, 3 * kept + 11):
        said = bytes(i % 251 for i in range(size))
        log = watch._Log()
        for start in range(0, size, piece):
            log.add(said[start : start + piece])
        assert log.total == size
        assert log.head == said[:kept]
        assert log.tail == said[kept:][-kept:]
