"""What a pair does and in which order, with workers that are no processes: every figure is known beforehand."""

from __future__ import annotations

import itertools
from collections import Counter as Counted
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import Fault
from harness.inputs.tasks import Task
from harness.instances import ArraySpec, Request, Stage
from harness.readings import PairReading
from harness.records import Role
from harness.trials import pair as pairs
from harness.trials.pair import Counter, Pair
from harness.trials.participant import Entry, Participant, Place, Setting
from harness.trials.schedule import Plan
from tests.fixtures import workers as fakes
from tests.fixtures.workers import CLOCK, FLOOR, LOADING, Meter, Workers, submission

Made = Callable[..., Participant]
CRASH = Fault("crashed", "it fell over")


def asked(item: str, **how: Any) -> Request:
    return Request(item, "answer", {}, ArraySpec("int64", (1,)), **how)


def timed(count: int, **how: Any) -> tuple[Request, ...]:
    return tuple(asked(f"q-{i}", timed=True, **how) for i in range(count))


def warmups(count: int) -> tuple[Request, ...]:
    return tuple(asked(f"warm-{i}", timed=True, warmup=True) for i in range(count))


class Told:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str, int, int]] = []

    def step(self, trial: int, stage: str, label: str, phase: str, done: int, total: int) -> None:
        self.steps.append((label, phase, done, total))

    def note(self, text: str) -> None: ...


@pytest.fixture
def meters(monkeypatch: pytest.MonkeyPatch, workers: Workers) -> list[Meter]:
    """Every meter that a pair makes."""
    made: list[Meter] = []

    def new(pids: Sequence[int], device: Any) -> Meter:
        made.append(Meter(workers, pids))
        return made[-1]

    monkeypatch.setattr(pairs, "Meter", new)
    return made


@pytest.fixture
def made(tmp_path: Path, meters: list[Meter]) -> Made:
    """Makes a participant by its program: "candidate", or a tier's name."""

    def make(program: str, role: Role = "reference") -> Participant:
        entry = Entry(submission(tmp_path, program), role)
        return Participant(entry=entry, copy=entry.submission.folder)

    return make


@pytest.fixture
def ran(toy: Task) -> Callable[..., PairReading]:
    """Runs a pair of these participants and returns what was read of it."""
    setting = Setting(task=toy, level=None, device="cpu", threads=1)  # type: ignore[arg-type]

    def run(*among: Participant, number: int = 0, told: Told | None = None, **how: Any) -> PairReading:
        block = how.pop("block", timed(40))
        plan = how.pop("plan", Plan(pairs=2))
        Pair(
            plan=plan,
            order=np.random.default_rng(1),
            place=Place(setting=setting, models={}, seed=1, stage="serve", pair=number),
            stage=Stage("serve", block, paired=True, **how),
            number=number,
            block=block,
            participants=among,
            counter=Counter(told or Told(), 0, 99),
        ).run()
        (reading,) = among[0].readings.pairs
        return reading

    return run


PROBED = [f"q-{3 * i}" for i in range(12)]  # twelve of forty, spread over them


@pytest.mark.parametrize("number", [0, 2])
def test_an_even_pair_asks_the_baseline_alone_before_any_candidate_exists(
    workers: Workers, made: Made, ran: Callable[..., PairReading], number: int
) -> None:
    reading = ran(made("candidate", "candidate"), made("baseline"), number=number)
    assert reading.started == ("baseline", "candidate")
    begins = next(i for i, e in enumerate(workers.events) if (e.what, e.program) == ("start", "candidate"))
    before = [e for e in workers.events[:begins] if e.what == "call"]
    assert [(e.program, e.item) for e in before] == [("baseline", item) for item in PROBED]
    assert list(reading.alone_by["baseline"]) == PROBED


@pytest.mark.parametrize("number", [1, 3])
def test_an_odd_pair_asks_the_baseline_alone_when_every_candidate_is_gone(
    workers: Workers, made: Made, ran: Callable[..., PairReading], number: int
) -> None:
    reading = ran(made("candidate", "candidate"), made("baseline"), number=number)
    assert reading.started == ("candidate", "baseline")
    gone = next(i for i, e in enumerate(workers.events) if (e.what, e.program) == ("close", "candidate"))
    after = [e for e in workers.events[gone:] if e.what == "call"]
    assert [(e.program, e.item) for e in after] == [("baseline", item) for item in PROBED]
    assert list(reading.alone_by["baseline"]) == PROBED


@pytest.mark.parametrize("number", [0, 1])
def test_a_pair_times_everything_asks_some_again_and_ends_all(
    workers: Workers, made: Made, ran: Callable[..., PairReading], number: int
) -> None:
    workers.seconds = lambda program, request: {"candidate": 0.03, "baseline": 0.01}.get(program, 0.02)
    own, base, copy = made("candidate", "candidate"), made("baseline"), made("baseline copy")
    reading = ran(own, base, copy, number=number)
    for participant, seconds in ((own, 0.03), (base, 0.01), (copy, 0.02)):
        samples = participant.readings.samples
        assert [s.item for s in samples] == [f"q-{i}" for i in range(40)]
        assert {(s.seconds, s.pair, s.count) for s in samples} == {(seconds, number, 1)}
    assert reading.alone_by == {
        "baseline": dict.fromkeys(PROBED, 0.01),
        "baseline copy": dict.fromkeys(PROBED, 0.02),
    }
    assert reading.cores == 1
    assert reading.repeats == {
        "candidate": dict.fromkeys(PROBED, 0.03),
        "baseline": dict.fromkeys(PROBED, 0.01),
    }
    assert sorted(workers.order("close")) == ["baseline", "baseline copy", "candidate"]
    assert not workers.alive
    assert {e.awake for e in workers.events if e.what == "call"} == {()}  # all others are paused


@pytest.mark.parametrize("block", [1, 4])
def test_a_pair_notes_what_a_reference_was_asked_right_after_the_candidate(
    workers: Workers, made: Made, ran: Callable[..., PairReading], block: int
) -> None:
    own, base, copy = made("candidate", "candidate"), made("baseline"), made("baseline copy")
    reading = ran(own, base, copy, plan=Plan(pairs=2, block=block))
    begun = max(i for i, e in enumerate(workers.events) if e.what == "start")
    asked_ = [e for e in workers.events[begun:] if e.what in ("call", "ping")][: 3 * 40 + len(reading.floor)]
    due: dict[str, list[str]] = {}
    for before, event in itertools.pairwise(asked_):
        if event.what == "call" and before.program == "candidate" != event.program:
            due.setdefault(event.program, []).append(event.item)
    assert {name: list(items) for name, items in reading.after.items()} == due
    assert set(due) <= {"baseline", "baseline copy"}
    assert sum(map(len, due.values())) > 3
    # its forty turns, and those in which it was asked again
    assert reading.turns["candidate"] == 40 + 12
    assert reading.turns["baseline copy"] == 40 + 12  # alone
    assert reading.turns["baseline"] == 40 + 24 + len(reading.floor)


def test_a_request_less_than_twelve_of_them_is_asked_again_each(
    made: Made, ran: Callable[..., PairReading]
) -> None:
    block = (
        *warmups(3),
        *timed(5, group="few"),
        asked("late"),
        *(asked(f"b-{i}", timed=True) for i in (0, 1)),
    )
    reading = ran(made("candidate", "candidate"), made("baseline"), block=block)
    assert list(reading.repeats["candidate"]) == [f"q-{i}" for i in range(5)]  # of the largest group


@pytest.mark.parametrize(
    ("programs", "plan"),
    [
        (("candidate", "baseline"), Plan(pairs=1)),
        (("candidate",), Plan(pairs=2)),
        (("baseline",), Plan(pairs=2)),
    ],
)
@pytest.mark.parametrize("number", [0, 1])
def test_nothing_is_asked_again_in_a_single_pair_or_where_a_side_is_missing(
    workers: Workers,
    made: Made,
    ran: Callable[..., PairReading],
    programs: tuple[str, ...],
    plan: Plan,
    number: int,
) -> None:
    among = [made(program, "candidate" if program == "candidate" else "reference") for program in programs]
    reading = ran(*among, plan=plan, number=number)
    assert (reading.alone_by, reading.repeats) == ({}, {})
    assert all(len(workers.did("call", program)) == 40 for program in programs)


def test_the_first_call_of_a_block_counts_nowhere(made: Made, ran: Callable[..., PairReading]) -> None:
    own, base = made("candidate", "candidate"), made("baseline")
    reading = ran(own, base, plan=Plan(pairs=2, block=4))
    counted = [f"q-{i}" for i in range(40) if i % 4]
    assert [s.item for s in own.readings.samples] == [s.item for s in base.readings.samples] == counted
    again = [item for i, item in enumerate(PROBED) if i % 4]
    assert list(reading.alone_by["baseline"]) == list(reading.repeats["candidate"]) == again


@pytest.mark.parametrize("memory_pass", [False, True])
@pytest.mark.parametrize("number", [0, 1])
def test_the_curve_of_memory_is_of_the_pairs_where_no_worker_is_measured_alone(
    made: Made, ran: Callable[..., PairReading], memory_pass: bool, number: int
) -> None:
    own, base = made("candidate", "candidate"), made("baseline")
    ran(own, base, number=number, plan=Plan(pairs=2, memory_pass=memory_pass))
    for participant in (own, base):
        assert len(participant.readings.memory) == (1 if memory_pass else 2)
        assert participant.readings.peaks_host == [70]


def test_what_has_failed_before_is_not_started(
    workers: Workers, made: Made, ran: Callable[..., PairReading]
) -> None:
    own, base, lost = made("candidate", "candidate"), made("baseline"), made("competent")
    lost.fault = CRASH
    reading = ran(own, base, lost)
    assert reading.started == ("baseline", "candidate")
    assert workers.order("start") == ["baseline", "candidate"]
    assert len(reading.alone_by["baseline"]) == 12


def test_warm_up_ends_when_every_worker_is_steady_and_its_first_call_is_kept(
    made: Made, ran: Callable[..., PairReading]
) -> None:
    own, base = made("candidate", "candidate"), made("baseline")
    reading = ran(own, base, block=(*warmups(40), *timed(4)))
    assert (reading.warmups, reading.steady) == (16, {"candidate": True, "baseline": True})
    for participant in (own, base):
        firsts = [p for p in participant.readings.phases if p.group == "first_answer"]
        assert [(p.item, p.seconds) for p in firsts] == [("warm-0", 0.01)]
        assert len(participant.readings.samples) == 4
        assert not any(item.startswith("warm") for item in participant.readings.answers)


def test_warm_up_goes_on_while_one_worker_becomes_faster(
    workers: Workers, made: Made, ran: Callable[..., PairReading]
) -> None:
    def falling(program: str, request: Request) -> float:
        number = int(request.item.rpartition("-")[2])
        return 0.1 * 0.98**number if program == "candidate" and request.warmup else 0.01

    workers.seconds = falling
    reading = ran(made("candidate", "candidate"), made("baseline"), block=(*warmups(20), *timed(4)))
    # the baseline is steady after 16 of them, and is asked no more; 2 % a call make 15 % over eight
    assert (reading.warmups, reading.steady) == (20, {"candidate": False, "baseline": True})
    assert len([i for i in workers.did("call", "baseline") if i.startswith("warm")]) == 16


def test_too_few_warm_ups_say_nothing_of_steadiness(made: Made, ran: Callable[..., PairReading]) -> None:
    reading = ran(made("candidate", "candidate"), made("baseline"), block=(*warmups(15), *timed(4)))
    assert (reading.warmups, reading.steady) == (15, {})


@pytest.mark.parametrize("calls", [1, 2])
def test_a_fault_in_the_warm_up_is_the_candidates_and_ends_nothing_else(
    workers: Workers, made: Made, ran: Callable[..., PairReading], calls: int
) -> None:
    workers.faults["candidate", f"warm-{calls - 1}"] = CRASH
    own, base = made("candidate", "candidate"), made("baseline")
    reading = ran(own, base, block=(*warmups(3), *timed(4)))
    assert own.fault is CRASH
    assert base.fault is None
    assert len(base.readings.samples) == 4
    assert workers.did("call", "candidate") == ["warm-0", "warm-1"][:calls]
    assert len([p for p in own.readings.phases if p.group == "first_answer"]) == calls - 1
    assert reading.repeats.keys() == {"baseline"}


def test_the_references_turns_are_metered_now_and_then_and_empty_requests_are_the_floor(
    workers: Workers, meters: list[Meter], made: Made, ran: Callable[..., PairReading]
) -> None:
    reading = ran(made("candidate", "candidate"), made("baseline"), block=timed(40))
    (meter,) = meters
    assert reading.counters == CLOCK
    pid = 1001  # the baseline's worker is the first that was started
    assert (meter.pids, set(meter.turns)) == ([pid], {pid})
    assert workers.turned == [f"q-{i}" for i in range(0, 40, 3)]
    # 80 turns in all: an empty request after each eighth, a look at the clocks after each 32nd
    assert reading.floor == (FLOOR,) * 10
    assert workers.order("ping") == ["baseline"] * 10
    assert meter.samples == 3


def test_without_a_reference_nothing_is_metered(
    meters: list[Meter], made: Made, ran: Callable[..., PairReading]
) -> None:
    own = made("candidate", "candidate")
    reading = ran(own)
    assert (reading.counters, reading.floor, meters) == (None, (), [])
    assert len(own.readings.samples) == 40


def test_a_reference_that_cannot_be_loaded_is_not_metered(
    workers: Workers, made: Made, ran: Callable[..., PairReading]
) -> None:
    workers.faults["baseline", LOADING] = CRASH
    own, base = made("candidate", "candidate"), made("baseline")
    reading = ran(own, base)
    assert base.fault is CRASH
    assert (reading.floor, workers.turned, reading.alone_by) == ((), [], {})
    assert len(own.readings.samples) == 40


def test_a_reference_that_fails_at_an_empty_request_leaves_no_floor(
    workers: Workers, made: Made, ran: Callable[..., PairReading]
) -> None:
    workers.faults["baseline", "ping"] = CRASH
    own, base = made("candidate", "candidate"), made("baseline")
    reading = ran(own, base)
    assert base.fault is CRASH
    assert reading.floor == ()
    assert len(own.readings.samples) == 40


def test_an_observer_hears_of_the_start_and_of_each_sixteenth_turn(
    made: Made, ran: Callable[..., PairReading]
) -> None:
    told = Told()
    ran(made("candidate", "candidate"), made("baseline"), told=told, each=(asked("loaded"),))
    assert [(label, done) for label, phase, done, _ in told.steps if phase == "start"] == [
        ("baseline", 0),
        ("candidate", 0),
    ]
    later = [done for _, phase, done, _ in told.steps if phase == "answer"]
    assert later == [0, 0, 0, 16, 32, 48, 64]  # each worker's `loaded`, then the timed ones
    assert {total for *_, total in told.steps} == {99}


def test_each_worker_says_what_it_used_in_its_turns(made: Made, ran: Callable[..., PairReading]) -> None:
    reading = ran(made("candidate", "candidate"), made("baseline"), plan=Plan(pairs=1))
    assert reading.busy_cpu == pytest.approx({"candidate": 0.4, "baseline": 0.4})
    assert reading.idle_cpu == pytest.approx({"candidate": 0.0, "baseline": 0.0}, abs=1e-9)
    assert reading.turn_seconds == pytest.approx({"candidate": 0.4, "baseline": 0.4 + 10 * FLOOR})


@pytest.mark.parametrize("honest", [True, False])
def test_what_warmed_a_candidate_up_is_asked_again_after_the_timed_requests(
    workers: Workers,
    made: Made,
    ran: Callable[..., PairReading],
    monkeypatch: pytest.MonkeyPatch,
    honest: bool,
) -> None:
    counts: Counted[str] = Counted()

    def answer(program: str, request: Request) -> np.ndarray:
        counts[f"{program} {request.item}"] += 1
        made_up = request.warmup and program == "candidate" and not honest
        return np.array([counts[f"{program} {request.item}"] if made_up else 5])

    monkeypatch.setattr(fakes, "_answer", answer)
    candidate, baseline = made("candidate", "candidate"), made("baseline")
    ran(candidate, baseline, block=(*warmups(6), *timed(12)))
    asked_of = [e.item for e in workers.events if (e.what, e.program) == ("call", "candidate")]
    assert len(set(asked_of[-4:])) == 4
    assert set(asked_of[-4:]) < {f"warm-{i}" for i in range(6)}
    assert asked_of[-4:] != [f"warm-{i}" for i in range(4)]  # drawn, not the first
    assert not {item for item in asked_of[6:-4] if item.startswith("warm")}
    assert [i for i in (e.item for e in workers.events if e.program == "baseline") if i == "warm-0"] == [
        "warm-0"
    ]
    last = [e for e in workers.events if e.what == "call"][-4:]
    assert all("candidate" not in e.awake and "baseline" not in e.awake for e in last), (
        "the others stand still"
    )
    assert candidate.use.turns == len(asked_of)  # and so does it, after its turn
    assert (candidate.fault is None) is honest
    if candidate.fault is not None:
        assert candidate.fault.outcome == "wrong"
        assert candidate.fault.reason.startswith("4 of 4 inputs that only warm up")
