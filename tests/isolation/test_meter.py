"""What is counted as a worker's memory, from processes and a control group that only say numbers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.isolation import memory
from harness.isolation.base import Inherited, Launched
from harness.isolation.cgroups import Usage
from harness.isolation.memory import MemoryMeter, Reading, prewarm
from harness.isolation.tree import Memory
from tests.isolation.doubles import FakeProcess

MIB = 1 << 20
MAIN, CHILD, GONE = 7, 8, 9


@dataclass
class FakeGroup:
    """A control group with these processes; `below` are in groups that were made in it."""

    inside: list[int] = field(default_factory=lambda: [MAIN])
    below: list[int] = field(default_factory=list)
    kills: int = 0
    fault: Exception | None = None
    dialect: Any = field(default_factory=lambda: SimpleNamespace(version=2))

    def pids(self) -> list[int]:
        return self.inside

    def holds(self, pid: int) -> bool:
        return pid in self.below

    def usage(self) -> Usage:
        if self.fault:
            raise self.fault
        return Usage(held=1000, peak=1500, anonymous=600, shared=50)

    def oom_kills(self) -> int:
        if self.fault:
            raise self.fault
        return self.kills


@dataclass
class World:
    """The worker's processes, by number; None for one that has ended."""

    processes: dict[int, Memory | None]
    meter: Callable[..., MemoryMeter]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    processes: dict[int, Memory | None] = {MAIN: Memory(100, 100, 70, 20, 10)}
    monkeypatch.setattr(memory, "members", lambda pid, known, group: set(processes))
    monkeypatch.setattr(memory, "memory_of", processes.get)
    monkeypatch.setattr(memory, "born", lambda pid: 1000 + pid)
    with socket.socket() as sock:

        def meter(group: Any = None, **more: Any) -> MemoryMeter:
            launched = Launched(process=FakeProcess(pid=MAIN), sock=sock, cgroup=group, **more)
            return MemoryMeter(launched=launched, hertz=20)

        yield World(processes, meter)


def test_without_a_group_the_memory_of_all_living_processes_is_summed_by_kind(world: World) -> None:
    world.processes.update({GONE: None, CHILD: Memory(30, 40, 5, 15, 10)})
    meter = world.meter()
    assert meter.read() == Reading(pids=(MAIN, CHILD), held=130, peak=130, anonymous=75, file=35, shared=20)
    assert meter.known == {MAIN: 1007, CHILD: 1008, GONE: 1009}
    assert meter.measured_by == "parent: process tree sampled at 20 Hz and VmHWM (advisory)"


def test_kinds_that_the_system_does_not_distinguish_are_not_summed(world: World) -> None:
    world.processes[CHILD] = Memory(30, 30)
    reading = world.meter().read()
    assert (reading.held, reading.anonymous, reading.file, reading.shared) == (130, None, None, None)


def test_when_all_have_ended_nothing_is_held(world: World) -> None:
    world.processes[MAIN] = None
    assert world.meter().read() == Reading(pids=(), held=0, peak=0)


def test_a_peak_of_the_main_process_counts_in_the_reading_after_it_and_in_no_other(world: World) -> None:
    meter = world.meter()
    peaks = []
    for high_water in (500, 500, 600):
        world.processes[MAIN] = Memory(100, high_water, 70, 20, 10)
        peaks.append(meter.read().peak)
    assert peaks == [500, 100, 600]


@pytest.mark.parametrize(("fallen", "noted"), [(8, False), (9, True), (15, True)])
def test_a_mark_that_falls_by_more_than_the_kernels_own_error_was_reset(
    world: World, fallen: int, noted: bool
) -> None:
    meter = world.meter()
    for high_water in (100 * MIB, (100 - fallen) * MIB):
        world.processes[MAIN] = Memory(100, high_water, 70, 20, 10)
        meter.read()
    assert meter.measured_by.endswith("; a high-water mark was reset (clear_refs)") is noted


def test_of_a_group_its_own_count_is_taken_and_mapped_files_are_added(world: World) -> None:
    world.processes[CHILD] = Memory(30, 30, 5, 15, 10)
    meter = world.meter(FakeGroup([MAIN, CHILD]))
    assert meter.read() == Reading(
        pids=(MAIN, CHILD), held=1035, peak=1535, anonymous=600, file=35, shared=50
    )
    assert meter.measured_by == "parent: cgroup v2 peak, mapped files sampled at 20 Hz"


def test_what_a_forked_worker_was_born_with_is_counted_as_if_it_had_read_it_itself(world: World) -> None:
    born_with = Inherited(anonymous=200, file=80, stack="pid 3")
    reading = world.meter(FakeGroup(), inherited=born_with).read()
    assert (reading.held, reading.peak) == (1280, 1780)
    assert (reading.anonymous, reading.file) == (800, 80)
    assert world.meter(FakeGroup(), inherited=Inherited(200, 8, "pid 3")).read().file == 20


@pytest.mark.parametrize(
    ("child", "below", "stray"),
    [
        (Memory(90, 90, 60, 20, 10), [], 70),
        (Memory(90, 90, 60, None, 10), [], 90),
        (Memory(90, 90, 60, 20, 10), [CHILD], 0),  # in a group that the worker made below its own
        (Memory(20, 20, 0, 20, 0), [], 0),  # it has just been started and has touched nothing yet
    ],
)
def test_who_left_the_group_is_counted_besides_and_noted(
    world: World, child: Memory, below: list[int], stray: int
) -> None:
    world.processes[CHILD] = child
    meter = world.meter(FakeGroup([MAIN], below))
    reading = meter.read()
    file = 0 if child.file is None else 20 + child.file
    assert (reading.held, reading.peak) == (1000 + file + stray, 1500 + file + stray)
    sign = " (advisory); a process left its control group" if stray else ""
    assert meter.measured_by == f"parent: cgroup v2 peak, mapped files sampled at 20 Hz{sign}"


def test_a_reset_mark_beside_a_group_makes_the_count_no_worse_but_is_noted(world: World) -> None:
    meter = world.meter(FakeGroup())
    for high_water in (100 * MIB, 10 * MIB):
        world.processes[MAIN] = Memory(100, high_water, 70, 20, 10)
        meter.read()
    words = "parent: cgroup v2 peak, mapped files sampled at 20 Hz"
    assert meter.measured_by == f"{words}; a high-water mark was reset (clear_refs)"
    meter.signs.add("a process left its control group")
    assert meter.measured_by.startswith(f"{words} (advisory); a high-water mark")


def test_a_worker_that_was_seen_in_its_group_is_counted_there_also_when_it_leaves(world: World) -> None:
    group = FakeGroup([])
    meter = world.meter(group)
    assert meter.read().held == 100
    assert meter.group is None
    group.inside = [MAIN]
    meter.settle()
    assert meter.group is group
    group.inside = []
    meter.settle()
    assert meter.read().held == 1000 + 20 + 80
    assert meter.measured_by.endswith("(advisory); a process left its control group")


def test_a_worker_that_never_joins_its_group_is_counted_without_it(world: World) -> None:
    group = FakeGroup([])
    meter = world.meter(group)
    meter.settle()
    group.inside = [MAIN]
    assert meter.read().held == 100
    assert meter.measured_by.endswith("(advisory); no control group: the worker could not be moved into it")
    assert not meter.unread
    assert meter.oom_killed() is False


def test_where_there_is_no_group_the_reason_is_in_the_record(world: World) -> None:
    meter = world.meter(None, no_cgroup="none today")
    meter.settle()
    assert meter.measured_by.endswith("(advisory); no control group: none today")
    assert not meter.unread


@pytest.mark.parametrize(
    ("fault", "why"),
    [(OSError(5, "Input/output error"), "Input/output error"), (ValueError("no number"), "no number")],
)
def test_a_group_that_cannot_be_read_is_given_up_for_good(world: World, fault: Exception, why: str) -> None:
    group = FakeGroup(fault=fault)
    meter = world.meter(group)
    assert meter.read().held == 100
    group.fault = None
    assert meter.read().held == 100
    assert meter.group is None
    assert meter.measured_by.endswith(f"no control group: it could not be read ({why})")
    assert meter.unread == meter.lost


def test_whether_the_kernel_killed_for_memory_is_read_from_the_group(world: World) -> None:
    group = FakeGroup()
    meter = world.meter(group)
    assert meter.oom_killed() is False
    meter.settle()
    assert meter.oom_killed() is False
    group.kills = 1
    assert meter.oom_killed() is True
    group.fault = OSError(19, "No such device")
    assert meter.oom_killed() is False
    assert world.meter().oom_killed() is False


def test_files_are_read_ahead_only_where_they_fill_no_more_than_half_of_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models" / "deep").mkdir(parents=True)
    for name, size in (("models/a", 2 * MIB + 3), ("models/deep/b", 5), ("c", 7)):
        (tmp_path / name).write_bytes(b"x" * size)
    whole = 2 * MIB + 15
    paths = [tmp_path / "models", tmp_path / "c", tmp_path / "missing"]
    read = []
    for free in (2 * whole, 2 * whole - 1, whole):
        memory_now = SimpleNamespace(available=free)
        monkeypatch.setattr("psutil.virtual_memory", lambda now=memory_now: now)
        read.append(prewarm(paths))
    assert read == [whole, 0, 0]


def test_what_was_mapped_between_two_readings_shows_in_the_high_water_mark_and_counts_as_mapped(
    world: World,
) -> None:
    meter = world.meter(FakeGroup())
    world.processes[MAIN] = Memory(100, 100, 70, 20, 10)
    before = meter.read()
    world.processes[MAIN] = Memory(100, before.peak + 300 * MIB, 70, 20, 10)
    seen = meter.read()
    assert (seen.peak, seen.held) == (before.peak + 300 * MIB, before.held)
    assert (seen.file, seen.anonymous) == ((before.file or 0) + 300 * MIB, before.anonymous)
    assert meter.read().peak == before.peak, "a mark that did not rise says nothing of now"
    world.processes[MAIN] = Memory(100, before.peak + 301 * MIB, 70, 20, 10)
    world.processes[CHILD] = Memory(30, before.peak + 8 * MIB, 5, 15, 10)
    assert meter.read().peak == before.peak + 301 * MIB


def test_a_mark_within_the_kernels_own_error_adds_nothing(world: World) -> None:
    meter = world.meter(FakeGroup())
    plain = meter.read()
    world.processes[MAIN] = Memory(100, plain.peak + 8 * MIB, 70, 20, 10)
    assert meter.read() == plain


def test_processes_that_are_gone_are_not_looked_for_again(world: World) -> None:
    world.processes[CHILD] = Memory(30, 30, 5, 15, 10)
    meter = world.meter()
    meter.read()
    del world.processes[CHILD]
    meter.read()
    assert set(meter.known) == {MAIN}
