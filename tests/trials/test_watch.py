"""The watch over one worker: each limit ends it by itself, with no control group that could have done so."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from harness.isolation.memory import Reading
from harness.machine.processes import TooMuch
from harness.readings import MemoryPoint
from harness.trials import watch
from harness.trials.watch import Limits, Watch

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads the clocks of other processes")
LIMITS = Limits(1000, 3, 1.0, {}, printed_bytes=1 << 20)


@dataclass
class FakeMeter:
    """Tells what it is told to tell, of a worker that no group holds."""

    reading: Reading = field(default_factory=lambda: Reading(pids=(1,), held=10, peak=10))
    killed: bool = False
    known: dict[int, int | None] = field(default_factory=lambda: {1: 5})
    measured_by: str = "parent: a fake meter"
    group: Any = None
    hertz: int = 0
    settled: bool = False
    unread: str = ""
    falls: bool = False

    def read(self) -> Reading:
        if self.falls:
            raise ValueError("no number")
        return self.reading

    def settle(self) -> None:
        self.settled = True

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

    def metered(launched: Any, hertz: int, allowance: Any) -> FakeMeter:
        meter.hertz = hertz
        return meter

    monkeypatch.setattr(watch, "MemoryMeter", metered)
    monkeypatch.setattr(watch, "kill_tree", lambda *arguments: kills.append(arguments))

    def make(
        device: watch.DeviceReader | None = None, output: int | None = None, cgroup: Any = None
    ) -> Watch:
        pipe = os.fdopen(output, "rb", 0) if output is not None else None
        process = SimpleNamespace(stdout=pipe, stderr=None)
        launched: Any = SimpleNamespace(pid=1, cgroup=cgroup, group=None, process=process)
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


def test_a_worker_that_makes_a_reading_long_is_ended_by_its_own_doing(watched: Watched) -> None:
    looking = watched.make()

    def long() -> None:
        raise TooMuch("looking at its files and mappings takes over 0.5 s of processor time")

    with looking._lock:
        looking._look(long)
    assert looking.breach is not None
    assert looking.breach.outcome == "crashed"
    assert "it could not be watched: looking at its files" in looking.breach.reason


@pytest.mark.parametrize("asked", [True, False])
def test_a_worker_that_cannot_be_watched_is_ended(watched: Watched, asked: bool) -> None:
    looking = watched.make()
    watched.meter.falls = True
    if asked:
        looking.read_now()
    assert comes_true(lambda: bool(watched.kills))
    assert looking.breach is not None
    assert (looking.breach.outcome, looking.breach.reason) == (
        "harness_error",
        "killed because it could not be watched (ValueError: no number)",
    )
    kills = len(watched.kills)
    assert comes_true(lambda: len(watched.kills) > kills)  # the thread that looks goes on


def test_a_group_that_can_no_longer_be_read_ends_the_worker(watched: Watched) -> None:
    watched.meter.unread = "it could not be read (no number)"
    looking = watched.make()
    looking.read_now()
    assert looking.breach is not None
    assert looking.breach.reason.endswith(
        "its memory can no longer be measured: it could not be read (no number)"
    )


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
    pipe: Any = looking.launched.process.stdout
    assert comes_true(lambda: pipe.closed)
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


class Steps:
    """Stands in for `threading`: its threads do nothing by themselves, and its events last three waits."""

    Lock = threading.Lock

    def __init__(self) -> None:
        self.targets: list[Callable[[], None]] = []
        self.waits: list[float] = []

    def Thread(self, target: Callable[..., None], daemon: bool, args: tuple[Any, ...] = ()) -> Any:
        self.targets.append(lambda: target(*args))
        return SimpleNamespace(start=lambda: None, join=lambda timeout: None)

    def Event(self) -> Any:
        def wait(seconds: float) -> bool:
            self.waits.append(seconds)
            return len(self.waits) > 3

        return SimpleNamespace(wait=wait, set=lambda: None)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """A watch whose threads are run by the test: three readings each, and at random distances the longest."""
    made = Steps()
    monkeypatch.setattr(watch, "threading", made)
    monkeypatch.setattr(watch, "random", SimpleNamespace(uniform=lambda low, high: high))
    return made


def test_memory_is_read_twenty_times_a_second_at_distances_that_vary(watched: Watched, steps: Steps) -> None:
    looking = watched.make()
    (sample,) = steps.targets
    sample()
    assert watched.meter.hertz == 20
    assert steps.waits == pytest.approx([0.075] * 4)  # at most half as long again as a twentieth
    assert len(looking.points) == 3


@pytest.mark.parametrize("resting", [False, True])
def test_a_device_is_read_eighty_times_a_second_unless_the_worker_rests(
    watched: Watched, steps: Steps, resting: bool
) -> None:
    device = PeakingReader()
    looking = watched.make(device)
    if resting:
        looking.rest()
        assert device.readings == 1  # once more, at its coming to rest
    _, sample = steps.targets
    sample()
    assert steps.waits == [0.0125] * 4
    assert device.readings == (1 if resting else 3)


def test_a_rest_without_a_device_reads_nothing(watched: Watched, steps: Steps) -> None:
    looking = watched.make()
    looking.rest()
    assert looking.resting
    looking.read_now()
    assert (looking.peak_device, looking.points[-1].device_bytes) == (None, None)


def test_a_reading_that_is_asked_for_is_of_the_device_too(watched: Watched, steps: Steps) -> None:
    device = PeakingReader()
    looking = watched.make(device)
    looking.read_now()
    assert device.readings == 1
    assert (looking.peak_device, looking.points[-1].device_bytes) == (1000, 1000)


@pytest.mark.parametrize(("known", "pids"), [({7: 5, 8: 6}, [7, 8]), ({}, [1])])
def test_a_device_is_asked_for_all_processes_known_or_for_the_worker_itself(
    watched: Watched, steps: Steps, known: dict[int, int | None], pids: list[int]
) -> None:
    asked: list[list[int]] = []
    watched.meter.known = known
    reader: Any = SimpleNamespace(measured_by="", used_bytes=lambda pids: asked.append(pids))
    looking = watched.make(reader)
    looking.read_now()
    assert asked == [pids]
    assert looking.peak_device is None  # it could not be read


def test_a_device_that_cannot_be_read_for_once_keeps_its_peak(watched: Watched, steps: Steps) -> None:
    held = iter([None, 2000, 3000, None, 1000])
    reader: Any = SimpleNamespace(measured_by="", used_bytes=lambda pids: next(held))
    looking = watched.make(reader)
    peaks = []
    for _ in range(5):
        looking.read_now()
        peaks.append(looking.peak_device)
    assert peaks == [None, 2000, 3000, 3000, 3000]


def test_a_point_says_when_it_was_read_and_what_of_each_kind(
    watched: Watched, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([100.0, 103.5, 104.0])
    monkeypatch.setattr(
        watch, "time", SimpleNamespace(monotonic=lambda: next(now), thread_time=time.thread_time)
    )
    watched.meter.reading = Reading(pids=(1,), held=10, peak=30, anonymous=3, file=4, shared=5)
    looking = watched.make()
    looking.read_now()
    watched.meter.reading = Reading(pids=(1,), held=10, peak=20)
    looking.read_now()
    watched.meter.reading = Reading(pids=(), held=0, peak=0)  # it is gone: that is no point
    looking.read_now()
    first, second = looking.points
    assert (first.stage, first.seconds, first.host_bytes, first.device_bytes) == ("main", 3.5, 30, None)
    assert (first.anonymous_bytes, first.file_bytes, first.shared_bytes) == (3, 4, 5)
    assert (second.seconds, second.host_bytes, looking.peak_host) == (4.0, 20, 30)


def test_what_is_held_before_a_submission_comes_is_the_base(watched: Watched, steps: Steps) -> None:
    watched.meter.reading = Reading(pids=(1,), held=10, peak=30, file=4)
    looking = watched.make()
    assert (looking.base_host, looking.base_file) == (None, None)
    looking.settle()
    assert watched.meter.settled
    assert (looking.base_host, looking.base_file) == (10, 4)


def test_a_control_group_is_bound_to_the_limits(watched: Watched, steps: Steps) -> None:
    bounds: list[tuple[int, int]] = []
    watched.make(cgroup=SimpleNamespace(bound=lambda *given: bounds.append(given)))
    assert bounds == [(LIMITS.memory_bytes, LIMITS.processes)]


def test_who_measured_is_told_of_memory_and_of_the_device(watched: Watched, steps: Steps) -> None:
    assert watched.make().measured_by == "parent: a fake meter"
    assert watched.make(PeakingReader()).measured_by == "parent: a fake meter; parent: a fake device"


@linux
def test_processor_time_is_of_the_group_where_it_can_be_read(watched: Watched, steps: Steps) -> None:
    def gone() -> float:
        raise OSError("its group is gone")

    looking = watched.make()
    watched.meter.known = {os.getpid(): None}
    for read in (None, lambda: None, gone):
        watched.meter.group = SimpleNamespace(cpu_seconds=read) if read is not None else None
        before = time.process_time()
        assert before <= looking.cpu_seconds() <= time.process_time()
    watched.meter.group = SimpleNamespace(cpu_seconds=lambda: 0.0)
    assert looking.cpu_seconds() == 0.0


@linux
def test_processor_time_is_of_all_processes_known_and_none_of_one_that_is_gone(
    watched: Watched, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = watched.make()
    watched.meter.known = {}
    looking.launched.process.pid = looking.launched.pid = os.getpid()  # type: ignore[misc]
    before = time.process_time()
    assert before <= looking.cpu_seconds() <= time.process_time()
    watched.meter.known = {2**22 + 1: None}  # no process has so high a number
    assert looking.cpu_seconds() == 0.0


def test_of_a_workers_readings_the_highest_of_each_kind_are_kept_in_their_order() -> None:
    def read(seconds: float, host: int, device: int | None, file: int | None) -> MemoryPoint:
        return MemoryPoint(stage="s", seconds=seconds, host_bytes=host, device_bytes=device, file_bytes=file)

    most_beside_files, most, on_device = read(1, 90, 1, 10), read(3, 100, 2, 60), read(4, 50, 9, None)
    every = [read(0, 80, None, 5), most_beside_files, read(2, 85, 3, 40), most, on_device, read(5, 20, 0, 0)]
    assert watch.highest(every) == [most_beside_files, most, on_device]
    assert watch.highest([most]) == [most]
    assert watch.highest([]) == []
