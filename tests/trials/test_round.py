"""How a round goes over its stages and pairs, with workers that are no processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.errors import Fault
from harness.inputs import tasks
from harness.inputs.tasks import Task
from harness.instances import BlobSpec, FromItem, Instance, Request, Stage
from harness.measures.cost import costs
from harness.observer import Silent
from harness.readings import MemoryPoint
from harness.trials import pair as pairs
from harness.trials import round as round_
from harness.trials import session
from harness.trials.participant import Entry, Participant, Setting
from harness.trials.round import RawTrial, Round
from harness.trials.schedule import Plan
from tests.conftest import TOYS
from tests.fixtures.workers import LOADING, Meter, Workers, submission

CRASH = Fault("crashed", "it fell over")


def asked(item: str, phase: str = "answer", **how: Any) -> Request:
    return Request(item, phase, {}, BlobSpec(50), **how)


LEARN = Stage("learn", (asked("notes", "learn"), asked("more notes", "learn")))
SERVE = Stage(
    "serve",
    tuple(asked(f"q-{i}", timed=True) for i in range(6)),
    each=(Request("load", "load", {"notes": FromItem("notes")}, None),),
    reserve=tuple(asked(f"more-{i}", timed=True) for i in range(12)),
    paired=True,
)


class Told(Silent):
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str, str, int, int]] = []
        self.notes: list[str] = []

    def step(self, trial: int, stage: str, label: str, phase: str, done: int, total: int) -> None:
        self.steps.append((stage, label, phase, done, total))

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def entry(tmp_path: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Entry]:
    """Makes an entry by its program: a candidate, a tier's reference, or a copy of one."""
    monkeypatch.setattr(pairs, "Meter", lambda pids, device: Meter(workers, pids))

    def make(program: str, **how: Any) -> Entry:
        tier: Any = program.removesuffix(" copy")
        if program.startswith("candidate"):
            return Entry(submission(tmp_path, program), **how)
        role = "copy" if program.endswith(" copy") else "reference"
        return Entry(submission(tmp_path, program, tier, tier), role, **how)

    return make


@pytest.fixture
def rounds(toy: Task) -> Callable[..., list[RawTrial]]:
    """Runs a round of these entries over some stages."""

    def run(
        *entries: Entry, stages: Sequence[Stage] = (LEARN, SERVE), task: Task = toy, **how: Any
    ) -> list[RawTrial]:
        return Round(
            setting=Setting(task=task, level=None, device="cpu", threads=1),  # type: ignore[arg-type]
            instance=Instance(tuple(stages), {}),
            instance_id="the-instance",
            number=3,
            worker_seed=8,
            order=np.random.default_rng(0),
            **how,
        ).run(entries)

    return run


Rounds = Callable[..., list[RawTrial]]
Made = Callable[..., Entry]


def served(outcome: RawTrial) -> list[int]:
    """The numbers of the pairs that the timed requests of one were served in, once each."""
    return sorted({sample.pair for sample in outcome.trial.samples})


def test_a_round_gives_one_trial_for_each_entry_in_the_order_given(entry: Made, rounds: Rounds) -> None:
    found = rounds(entry("candidate"), entry("baseline"), entry("baseline copy"), plan=Plan(pairs=2, most=2))
    assert [f.trial.role for f in found] == ["candidate", "reference", "copy"]
    assert {(f.trial.number, f.trial.instance_id, f.trial.outcome) for f in found} == {
        (3, "the-instance", "ok")
    }
    for outcome in found:
        assert sorted(s.item for s in outcome.trial.samples) == [f"q-{i}" for i in range(6)]
        assert served(outcome) == [0, 1]
    assert [reading.pair for reading in found[0].trial.pairs] == [0, 1]
    phases = [(p.item, p.pair) for p in found[0].trial.phases if p.group == "start"]
    assert phases == [("start learn", 0), ("start serve", 0), ("start serve", 1)]


def test_a_copy_is_handed_what_its_original_has_built_and_learns_nothing_itself(
    workers: Workers, entry: Made, rounds: Rounds
) -> None:
    found = rounds(entry("expert"), entry("baseline"), entry("baseline copy"), entry("candidate"))
    learnt = [e.program for e in workers.events if e.what == "start" and e.item == "learn"]
    assert sorted(learnt) == ["baseline", "candidate", "expert"]
    assert found[2].answers["notes"] == b"notes of baseline"
    assert found[0].answers["notes"] == b"notes of expert"
    assert found[2].answers["q-0"] == b"q-0 of baseline copy"


def test_a_copy_shares_the_fate_of_its_original(workers: Workers, entry: Made, rounds: Rounds) -> None:
    workers.faults["baseline", "notes"] = CRASH
    found = rounds(entry("candidate"), entry("baseline"), entry("baseline copy"))
    assert [f.trial.outcome for f in found] == ["ok", "crashed", "crashed"]


def test_what_has_failed_in_one_stage_is_not_started_in_the_next(
    workers: Workers, entry: Made, rounds: Rounds
) -> None:
    workers.faults["candidate", "notes"] = CRASH
    again = Stage("again", (asked("third"),))
    found = rounds(entry("candidate"), entry("baseline"), stages=(LEARN, again))
    assert [f.trial.outcome for f in found] == ["crashed", "ok"]
    assert workers.did("start", "candidate") == ["learn"]
    assert workers.did("start", "baseline") == ["learn", "again"]
    assert workers.did("call", "candidate") == ["notes"]
    assert not workers.alive


def test_one_that_cannot_be_loaded_is_ended_all_the_same(
    workers: Workers, entry: Made, rounds: Rounds
) -> None:
    workers.faults["candidate", LOADING] = CRASH
    found = rounds(entry("candidate"), entry("baseline"), stages=(LEARN,))
    assert [f.trial.outcome for f in found] == ["crashed", "ok"]
    assert sorted(workers.order("close")) == ["baseline", "candidate"]


def test_a_stages_judge_serves_in_the_submissions_place(
    workers: Workers, entry: Made, rounds: Rounds
) -> None:
    task = tasks.read(TOYS / "toy-dialogue")
    judge = (task.folder / "judge" / "solution.py").read_text()
    reading = Stage("reading", (asked("read", "read"),), judge="judge")
    rounds(entry("candidate"), stages=(LEARN, reading), task=task)
    assert [(e.program, e.item) for e in workers.events if e.what == "start"] == [
        ("candidate", "learn"),
        (judge, "reading"),
    ]


@pytest.mark.parametrize(
    ("falls_over", "tiers", "outcomes"),
    [
        (("candidate",), ("baseline",), ["malformed", "ok"]),
        (("candidate", "baseline"), ("baseline",), ["harness_error", "harness_error"]),
        (("candidate", "baseline"), ("baseline", "expert"), ["malformed", "harness_error", "ok"]),
        (("candidate",), (), ["harness_error"]),
        ((), ("baseline",), ["ok", "ok"]),
    ],
)
def test_a_judge_that_takes_a_references_hand_over_and_not_the_candidates_is_the_candidates_fault(
    workers: Workers,
    entry: Made,
    rounds: Rounds,
    falls_over: tuple[str, ...],
    tiers: tuple[str, ...],
    outcomes: list[str],
) -> None:
    task = tasks.read(TOYS / "toy-dialogue")
    judge = (task.folder / "judge" / "solution.py").read_text()
    whose: list[str] = []

    def judged(participant: Participant, request: Request, ask: Callable[..., Any] = Participant.ask) -> Any:
        if participant.judged and participant.name in falls_over:
            workers.faults[judge, "read"] = CRASH
        try:
            return ask(participant, request)
        finally:
            workers.faults.clear()
            whose.append(participant.name)

    reading = Stage("reading", (asked("read", "read"),), judge="judge")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Participant, "ask", judged)
        found = rounds(entry("candidate"), *map(entry, tiers), stages=(LEARN, reading), task=task)
    assert [f.trial.outcome for f in found] == outcomes
    assert set(whose) == {"candidate", *tiers}


def test_an_observer_is_told_how_many_requests_there_are_and_how_many_are_done(
    entry: Made, rounds: Rounds
) -> None:
    told = Told()
    rounds(entry("candidate"), entry("baseline"), observer=told)
    assert {total for *_, total in told.steps} == {2 * (2 + 6)}
    single = [(label, phase, done) for stage, label, phase, done, _ in told.steps if stage == "learn"]
    # the reference is served to its end before the candidate's worker is there
    assert [(phase, done) for _, phase, done in single] == [
        ("start", 0), ("learn", 0), ("learn", 1), ("start", 2), ("learn", 2), ("learn", 3)
    ]  # fmt: skip
    assert [label for label, *_ in single] == [single[0][0]] * 3 + [single[-1][0]] * 3
    assert [done for stage, _, phase, done, _ in told.steps if (stage, phase) == ("serve", "answer")] == [4]


def test_a_verdict_that_is_settled_needs_no_further_pairs(entry: Made, rounds: Rounds) -> None:
    told = Told()
    plan = Plan(pairs=2, most=6)
    assert served(rounds(entry("candidate"), entry("baseline"), plan=plan, observer=told)[0]) == [0, 1]
    assert told.notes == []


def test_an_open_verdict_brings_pairs_until_the_next_look_and_at_last_the_most(
    entry: Made, rounds: Rounds
) -> None:
    looks: list[int] = []

    def settled(outcomes: Sequence[RawTrial]) -> bool:
        looks.append(len(outcomes[0].trial.pairs))
        return False

    told = Told()
    both = (entry("candidate"), entry("baseline"))
    found = rounds(*both, plan=Plan(pairs=2, most=6), settled=settled, observer=told)
    assert served(found[0]) == list(range(6))
    assert looks == [2, 5]
    assert told.notes == [f"a verdict is open after {n} pairs: more pairs" for n in (2, 5)]


def test_time_that_is_up_ends_further_pairs_and_never_the_first(entry: Made, rounds: Rounds) -> None:
    plan = Plan(pairs=3, most=6, seconds=-1.0)
    found = rounds(entry("candidate"), entry("baseline"), plan=plan, settled=lambda _: False)
    assert served(found[0]) == [0, 1, 2]


@pytest.mark.parametrize(("slow", "pairs_due"), [("candidate", 6), ("baseline", 3)])
def test_a_slow_candidate_does_not_use_up_the_time_for_further_pairs(
    workers: Workers, entry: Made, rounds: Rounds, monkeypatch: pytest.MonkeyPatch, slow: str, pairs_due: int
) -> None:
    now = [0.0]

    def seconds(program: str, request: Request) -> float:
        taken = 15.0 if program == slow else 1.0
        now[0] += taken
        return taken

    workers.seconds = seconds
    monkeypatch.setattr(round_, "time", SimpleNamespace(monotonic=lambda: now[0]))
    plan = Plan(pairs=3, most=6, seconds=80.0)
    found = rounds(entry("candidate"), entry("baseline"), plan=plan, settled=lambda _: False)
    assert served(found[0]) == list(range(pairs_due))


def test_one_may_take_part_in_the_first_pairs_only(entry: Made, rounds: Rounds) -> None:
    found = rounds(
        entry("candidate"), entry("baseline"), entry("expert", pairs=2), plan=Plan(pairs=3, most=3)
    )
    assert [served(f) for f in found] == [[0, 1, 2], [0, 1, 2], [0, 1]]


def test_one_that_is_not_timed_serves_alone_after_the_pairs(
    workers: Workers, entry: Made, rounds: Rounds
) -> None:
    found = rounds(
        entry("candidate"), entry("baseline"), entry("expert", timed=False), plan=Plan(pairs=2, most=2)
    )
    starts = [(e.program, e.item) for e in workers.events if e.what == "start" and e.item == "serve"]
    assert starts[-1] == ("expert", "serve")
    assert sorted(starts[:-1]) == [("baseline", "serve")] * 2 + [("candidate", "serve")] * 2
    alone = found[2]
    assert [s.item for s in alone.trial.samples] == [f"q-{i}" for i in range(6)]
    assert (served(alone), alone.trial.pairs, alone.trial.timed) == ([0], (), False)
    assert workers.did("call", "expert")[2:4] == ["load", "q-0"]
    assert not workers.alive


def test_one_that_is_not_timed_and_has_failed_serves_nothing(
    workers: Workers, entry: Made, rounds: Rounds
) -> None:
    workers.faults["expert", "notes"] = CRASH
    rounds(entry("candidate"), entry("baseline"), entry("expert", timed=False))
    assert workers.did("start", "expert") == ["learn"]


@pytest.mark.parametrize("wanted", [True, False])
def test_memory_is_measured_of_each_alone_after_the_pairs(
    workers: Workers, entry: Made, rounds: Rounds, wanted: bool
) -> None:
    told = Told()
    among = (entry("candidate"), entry("baseline"), entry("baseline copy"), entry("expert", timed=False))
    plan = Plan(pairs=2, most=2, memory_pass=wanted)
    found = rounds(*among, plan=plan, observer=told)
    passes = ["candidate", "baseline"] if wanted else []
    assert [label for _, label, phase, *_ in told.steps if phase == "memory"] == passes
    last = [e for e in workers.events if e.what in ("start", "call", "look", "close")][-11 * len(passes) :]
    if wanted:
        block = ["load", "q-0", "q-1", "q-2"]
        assert [(e.program, e.item) for e in last if e.what == "call"] == [
            (program, item) for program in passes for item in block
        ]
        # the untimed one is looked at by itself as well
        assert [e.program for e in last if e.what == "look"] == ["candidate"] * 5 + ["baseline"] * 5
        assert {e.awake for e in last} == {()}
    starts = [p for p in found[0].trial.phases if p.group == "start"]
    assert len(starts) == 3  # of the two pairs and the stage before: the memory pass's are thrown away
    assert len(found[0].trial.samples) == 6
    kept = Counter((point.stage, point.pair) for point in found[0].trial.memory)
    of_pairs = {("learn", 0): 2, ("serve", 0): 1 if wanted else 2, ("serve", 1): 1 if wanted else 2}
    assert kept == of_pairs | ({("serve", 2): 2} if wanted else {})


def test_who_holds_less_where_memory_alone_is_measured_is_judged_by_the_other_workers(
    workers: Workers, entry: Made, rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = workers.start

    def start(level: Any, seat: session.WorkerSpec, stage: str) -> Any:
        worker = started(level, seat, stage)
        held = 900 if stage == "serve" and len(workers.seats) < 4 else 50
        worker.watch.points = [MemoryPoint(stage=stage, seconds=1.0, host_bytes=held)] * 4
        return worker

    monkeypatch.setattr(session, "start", start)
    (found,) = rounds(entry("candidate"), plan=Plan(pairs=2, most=2, memory_pass=True))
    assert {m.name: m.value for m in costs(found.trial)}["peak_memory_serve"] == 900


def test_memory_is_not_measured_of_one_that_has_failed(workers: Workers, entry: Made, rounds: Rounds) -> None:
    workers.faults["candidate-a", "q-0"] = CRASH
    told = Told()
    among = (entry("candidate-a"), entry("candidate-b"), entry("baseline"))
    rounds(*among, plan=Plan(memory_pass=True), observer=told)
    assert [label for _, label, phase, *_ in told.steps if phase == "memory"] == ["candidate-b", "baseline"]


def test_a_fault_in_the_memory_pass_ends_it(workers: Workers, entry: Made, rounds: Rounds) -> None:
    looked = Stage("serve", (asked("q-0", timed=True), asked("q-1", timed=True)), paired=True)
    calls: list[str] = []

    def second_time(program: str, request: Request) -> float:
        calls.append(request.item)
        if calls.count("q-0") == 2:
            raise CRASH
        return 0.01

    workers.seconds = second_time
    (found,) = rounds(entry("candidate"), stages=(looked,), plan=Plan(memory_pass=True))
    assert calls == ["q-0", "q-1", "q-0"]
    assert workers.order("look") == []
    assert found.trial.outcome == "crashed"
    assert not workers.alive


@pytest.mark.parametrize(
    ("programs", "failing", "pairs_of_the_last"),
    [
        (("candidate", "baseline"), ("candidate",), 1),
        (("candidate", "baseline"), ("baseline",), 1),
        (("candidate-a", "candidate-b", "baseline"), ("candidate-a",), 3),
        (("candidate-a", "candidate-b", "baseline"), ("candidate-a", "candidate-b"), 1),
        (("baseline", "expert"), (), 3),
        (("baseline", "expert"), ("baseline",), 1),
        (("candidate",), (), 3),
    ],
)
def test_pairs_go_on_until_a_reference_or_every_candidate_has_failed(
    workers: Workers,
    entry: Made,
    rounds: Rounds,
    programs: tuple[str, ...],
    failing: tuple[str, ...],
    pairs_of_the_last: int,
) -> None:
    for program in failing:
        workers.faults[program, "q-1"] = CRASH
    found = rounds(*map(entry, programs), plan=Plan(pairs=3, most=3, memory_pass=True))
    begun = [f for f in workers.did("start", programs[-1]) if f == "serve"]
    over = pairs_of_the_last == 1
    assert len(begun) == (1 if over else 4)  # when it is over, no memory is measured either
    assert [f.trial.outcome for f in found] == ["crashed" if p in failing else "ok" for p in programs]
