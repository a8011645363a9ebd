"""What the doctor makes of a program timed against its copy, with workers that take a known time."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest

from harness.errors import Fault
from harness.instances import Request
from harness.trials import session, steadiness
from harness.trials.session import WorkerSpec
from harness.trials.steadiness import Busy, Steadiness
from tests.fixtures.workers import CLOCK, LOADING, Meter, Workers

CRASH = Fault("crashed", "it fell over")
Process = tuple[int, str | None, float | None, tuple[float, float] | None]


@pytest.fixture
def pairs(workers: Workers) -> Workers:
    """Workers named "first 0", "copy 0", "first 1" and so on, by pair."""
    workers.name = lambda seat: f"{('copy', 'first')[len(workers.seats) % 2]} {(len(workers.seats) - 1) // 2}"
    return workers


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, workers: Workers) -> SimpleNamespace:
    """What the machine tells: its meters, the counts of heat, its processes before and after."""
    told = SimpleNamespace(
        meters=list[Meter](), heat=[None, None], before=list[Process](), after=list[Process]()
    )
    looks = iter(["before", "after"])

    def meter(pids: Sequence[int]) -> Meter:
        told.meters.append(Meter(workers, pids))
        return told.meters[-1]

    def processes(names: list[str]) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(
                pid=pid,
                info={
                    "name": name,
                    "create_time": birth,
                    "cpu_times": SimpleNamespace(user=times[0], system=times[1]) if times else None,
                },
            )
            for pid, name, birth, times in getattr(told, next(looks))
        ]

    counters = SimpleNamespace(
        Meter=meter, throttled=lambda: told.heat.pop(0), tree=lambda pids: [*pids, 12], process_iter=processes
    )
    monkeypatch.setattr(steadiness, "counters", counters)
    monkeypatch.setattr(steadiness, "psutil", counters)
    monkeypatch.setattr(steadiness, "level", lambda name: SimpleNamespace(close=lambda: None))
    return told


def measured(
    pairs: int = 1, seconds: float = 0.001, tell: Callable[[str], None] = lambda text: None
) -> Steadiness:
    return steadiness.measure(tell, pairs, seconds)


def test_a_slower_copy_is_seen_in_each_pair_and_over_all(pairs: Workers, machine: SimpleNamespace) -> None:
    taken = {"first 0": 0.010, "copy 0": 0.011, "first 1": 0.010, "copy 1": 0.0121}
    pairs.seconds = lambda program, request: taken[program]
    told: list[str] = []
    found = measured(2, 8.42, told.append)
    assert found.ratios == pytest.approx((1.1, 1.21))
    assert found.ratio == pytest.approx(math.sqrt(1.1 * 1.21))
    assert found.spread == pytest.approx(math.log(1.1) / math.sqrt(2))
    assert found.seconds == 0.010
    # half the time for each pair: 4.21 s over 21 ms, then over 22.1 ms
    assert found.requests == 200 + 190
    assert found.condition.grade == "A"
    assert (found.throttled, found.busy) == (None, ())
    first = "a program timed against its own copy"
    assert told == [f"pair 1 of 2: {first}", f"pair 2 of 2: {first}, 10.5 ms a request"]


def test_only_one_worker_is_awake_at_a_time_in_random_order(pairs: Workers, machine: SimpleNamespace) -> None:
    measured(1, 4.0)
    calls = [event for event in pairs.events if event.what == "call"]
    assert {event.awake for event in calls} == {()}
    assert len(calls) == 2 * (8 + 200)
    leads = [event.program for event in calls[::2]]
    assert {event.program for event in calls[1::2]} == {"first 0", "copy 0"}
    assert 50 < leads.count("first 0") < 158
    assert sorted(pairs.order("close")) == ["copy 0", "first 0"]
    assert not pairs.alive


def test_only_the_first_programs_requests_are_metered(pairs: Workers, machine: SimpleNamespace) -> None:
    measured(1, 4.0)
    _, of_pair = machine.meters  # one is over the whole span
    assert of_pair.pids == [1001]
    assert len(of_pair.turns) == 200
    assert of_pair.samples == 25


def test_a_slow_program_is_asked_twelve_times_all_the_same(pairs: Workers, machine: SimpleNamespace) -> None:
    pairs.seconds = lambda program, request: 100.0
    found = measured()
    assert (found.requests, found.spread, found.ratio) == (12, 0.0, 1.0)
    assert len(pairs.did("call", "first 0")) == 8 + 12


def by_number(first: Callable[[int], float]) -> Callable[[str, Request], float]:
    """A program that takes so long at the number of its request, after the warm-up; its copy always as long."""
    calls = 0

    def seconds(program: str, request: Request) -> float:
        nonlocal calls
        if program.startswith("copy"):
            return 0.010
        calls += 1
        return first(calls - 9) if calls > 8 else 0.010

    return seconds


def test_a_program_that_becomes_slower_while_it_is_timed_has_drifted(
    pairs: Workers, machine: SimpleNamespace
) -> None:
    pairs.seconds = by_number(lambda number: 0.010 * (1 + 0.02 * number))
    condition = measured().condition
    # medians of six each: 1 + 0.02 * 8.5 over 1 + 0.02 * 2.5
    assert "the reference became 11% slower from its first half to its second" in condition.words[0]
    assert condition.grade == "B"


def test_a_slow_twentieth_is_seen(pairs: Workers, machine: SimpleNamespace) -> None:
    pairs.seconds = by_number(lambda number: 0.040 if number in (1, 7) else 0.010)
    condition = measured().condition
    assert "slowest twentieth took 4.0 times its median" in condition.words[0]
    assert condition.grade == "C"


@pytest.mark.parametrize(
    ("before", "after", "throttled"), [(3, 7, 4), (3, 3, 0), (None, 7, None), (3, None, None)]
)
def test_heat_is_counted_over_the_measurement(
    pairs: Workers, machine: SimpleNamespace, before: int | None, after: int | None, throttled: int | None
) -> None:
    machine.heat = [before, after]
    assert measured().throttled == throttled


def test_programs_that_are_not_ours_are_named_the_busiest_first(
    pairs: Workers, machine: SimpleNamespace
) -> None:
    ours = os.getpid()
    machine.before = [
        (10, "spins", 5.0, (1.0, 1.0)),
        (11, "idles", 5.0, (3.0, 0.0)),
        (15, "ended", 1.0, (90.0, 10.0)),
        (ours, "this", 5.0, (0.0, 0.0)),
        (12, "worker", 5.0, (0.0, 0.0)),
    ]
    machine.after = [
        (11, "idles", 5.0, (3.1, 0.0)),
        (13, "a\x1b[2Jb", None, (0.2, 0.04)),
        (14, "hidden", None, None),
        (16, None, 6.0, (0.5, 0.5)),
        (15, "its number", 2.0, (0.5, 0.0)),
        (10, "spins", 5.0, (2.0, 2.5)),
        (ours, "this", 5.0, (4.0, 0.0)),
        (12, "worker", 5.0, (4.0, 0.0)),
    ]
    busy = measured().busy
    assert CLOCK.seconds == 4.0
    assert [(b.pid, b.name) for b in busy] == [(10, "spins"), (16, "?"), (15, "its number"), (13, "a?[2Jb")]
    assert [b.share for b in busy] == pytest.approx([2.5 / 4, 1 / 4, 0.5 / 4, 0.24 / 4])
    assert isinstance(busy[0], Busy)


def test_whoever_a_box_runs_as_may_read_the_program(pairs: Workers, machine: SimpleNamespace) -> None:
    read: list[tuple[int, bool]] = []
    name = pairs.name

    def watched(seat: WorkerSpec) -> str:
        folder = seat.submission
        compile((folder / "solution.py").read_text(), "solution.py", "exec")
        compile(seat.contract.read_text(), "contract.py", "exec")
        read.append((stat.S_IMODE(folder.stat().st_mode), seat.contract.parent == folder))
        return name(seat)

    pairs.name = watched
    measured()
    assert read == [(0o755, True)] * 2


@pytest.mark.parametrize("program", ["first 0", "copy 0"])
def test_a_worker_that_cannot_be_loaded_leaves_none_behind(
    pairs: Workers, machine: SimpleNamespace, program: str
) -> None:
    pairs.faults[program, LOADING] = CRASH
    with pytest.raises(session.StartFault, match="it fell over"):
        measured()
    assert pairs.order("start") == (["first 0"] if program == "first 0" else ["first 0", "copy 0"])
    assert not pairs.alive


def test_a_worker_that_fails_leaves_none_behind(pairs: Workers, machine: SimpleNamespace) -> None:
    pairs.faults["copy 0", "rows"] = CRASH
    with pytest.raises(Fault, match="it fell over"):
        measured()
    assert sorted(pairs.order("close")) == ["copy 0", "first 0"]
