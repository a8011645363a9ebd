"""Process pairs with real workers: fresh processes, turns, probes, more pairs, and what a slow one measures.

The toy answers after a fixed span, so ratios are known beforehand. Where a figure is asserted on, the clock says
what that span is, and a little more or less: which core a worker got, and when, decides nothing. That the real
clock shows the truth, `scripts/bench` measures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.inputs import tasks
from harness.inputs.submissions import references
from harness.instances import ArraySpec, Request, Stage
from harness.observer import Silent
from harness.records import Certificate, ConstraintResult, Run, Trial
from harness.runs import prepare, rescore, runner
from harness.runs.options import Options, order
from harness.runs.order import Order
from harness.store.results import Store
from harness.trials import session
from harness.trials.pair import Pair
from harness.trials.participant import Entry, Readings
from harness.trials.round import RawTrial
from harness.trials.schedule import Plan, base_blocks
from harness.trials.use import TurnUse
from tests.conftest import TOYS

EXPERT = (TOYS / "toy-pairs" / "reference_solutions" / "expert" / "solution.py").read_text()
REMEMBERS = """
from base import Solution as Slow


class Solution(Slow):
    def __init__(self, context):
        super().__init__(context)
        self.known = {}
        self.note = context.scratch / "remembered"

    def learn(self, numbers):
        return super().learn(numbers)

    def load(self, notes):
        super().load(notes)

    def answer(self, numbers):
        key = numbers.tobytes()
        if key in self.known:
            with self.note.open("ab") as note:
                note.write(b".")
        else:
            self.known[key] = super().answer(numbers)
        return self.known[key]
"""
SPINS = (
    REMEMBERS.replace("        self.known = {}", "        self.known = {}\n        start()")
    + """

def start():
    import os
    import threading

    threading.Thread(target=spin, daemon=True).start()
    if os.fork() == 0:
        os.setsid()
        spin()


def spin():
    while True:
        pass
"""
)


def slower(by: float) -> str:
    """The expert, whose answers take `by` times as long."""
    return EXPERT.replace("SECONDS = 0.012", f"SECONDS = {0.012 * by}")


def ordered(folder: Path, text: str, pairs: int, most: int = 0, memory_pass: bool = False) -> Order:
    """An order for a submission of this text, in so many pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "solution.py").write_text(text)
    (folder / "base.py").write_text(EXPERT)
    asked = order(Options(task="toy-pairs", folder=folder, tasks_root=TOYS, profile="ci-smoke", seed=5))
    update = {"pairs": pairs, "max_pairs": max(most, pairs), "memory_pass": memory_pass, "max_trials": 1}
    return replace(asked, profile=asked.profile.model_copy(update=update))


def ran(folder: Path, text: str, pairs: int, **how: Any) -> tuple[Run, Store]:
    """A run of it, and the store that holds it."""
    store = Store.open(folder / "home")
    done = runner.run(ordered(folder / "candidate", text, pairs, **how), store)
    return done, store


def steady(patch: pytest.MonkeyPatch) -> None:
    """Every answer takes as long as its solution says, give or take a hundredth by its number.

    One that is remembered takes a hundredth of it, as far as the solution notes that it remembers; asking for
    nothing takes a fifth of a millisecond.
    """
    call = session.Session.call

    def clocked(self: session.Session, request: Request, arguments: Any, most: float) -> Any:
        note = self.home / "scratch" / "remembered"
        before = note.stat().st_size if note.exists() else 0
        answer, seconds = call(self, request, arguments, most)
        if request.phase == "answer":
            code = "".join(file.read_text() for file in sorted(self.seat.submission.glob("*.py")))
            seconds = max(map(float, re.findall(r"^SECONDS = (.*)$", code, re.M)))
            seconds *= 1 + 0.01 * (self.items * 7 % 11 - 5) / 5
            seconds *= 0.01 if note.exists() and note.stat().st_size > before else 1
        return session.Answered(answer, seconds)

    patch.setattr(session.Session, "call", clocked)
    patch.setattr(session.Session, "ping", lambda self, *given: 0.0002)


@dataclass
class Slow:
    """A run of a candidate that takes half as long again, with the pids of all its workers."""

    run: Run
    store: Store
    pids: list[tuple[str, int]]

    def trial(self, role: str, tier: str | None = None) -> Trial:
        return next(t for t in self.run.trials if t.role == role and (tier is None or t.tier == tier))


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Slow:
    pids: list[tuple[str, int]] = []
    start = session.start

    def watched(level: Any, seat: Any, stage: str) -> session.Session:
        started = start(level, seat, stage)
        pids.append((stage, started.launched.pid))
        return started

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "start", watched)
        steady(patch)
        run, store = ran(tmp_path_factory.mktemp("slow"), slower(1.5), 5, memory_pass=True)
    return Slow(run, store, pids)


@pytest.mark.slow
@pytest.mark.timed
def test_every_pair_has_fresh_processes(slow: Slow) -> None:
    assert len({pid for _, pid in slow.pids}) == len(slow.pids)
    served = [pid for stage, pid in slow.pids if stage == "serve"]
    # three in each of five pairs, two tiers for their answers alone, and two alone for their memory
    assert len(served) == 3 * 5 + 2 + 2


@pytest.mark.slow
@pytest.mark.timed
def test_the_copy_takes_part_in_every_pair_and_the_order_of_starting_alternates(slow: Slow) -> None:
    pairs = slow.trial("candidate").pairs
    assert [p.pair for p in pairs] == [0, 1, 2, 3, 4]
    for p in pairs:
        assert set(p.started) == {"candidate", "baseline", "baseline copy"}
        assert p.started.index("candidate") == (2 if p.pair % 2 == 0 else 0)
    copy = slow.trial("copy")
    assert (copy.tier, copy.outcome) == ("baseline", "ok")
    assert {s.item for s in copy.samples} == {s.item for s in slow.trial("candidate").samples}


@pytest.mark.slow
@pytest.mark.timed
def test_every_request_is_answered_once_by_each_timed_worker_in_one_pair(slow: Slow) -> None:
    own, base = slow.trial("candidate"), slow.trial("reference", "baseline")
    assert sorted(s.item for s in own.samples) == sorted(f"q-{i}" for i in range(50))
    assert {s.item: s.pair for s in own.samples} == {s.item: s.pair for s in base.samples}
    assert {s.pair for s in own.samples} == set(range(5))
    assert len([p for p in own.phases if p.group == "ready"]) == 5
    assert len([p for p in own.phases if p.group == "first_answer"]) == 5
    expert = slow.trial("reference", "expert")
    assert (expert.timed, len(expert.pairs)) == (False, 0)


@pytest.mark.slow
@pytest.mark.timed
def test_there_is_a_floor_and_a_stopped_worker_stands_still(slow: Slow) -> None:
    pairs = slow.trial("candidate").pairs
    assert len(pairs) == 5
    for p in pairs:
        assert p.floor
        calls = [sample.seconds for sample in slow.trial("candidate").samples if sample.pair == p.pair]
        assert 0 < float(np.min(p.floor)) < float(np.median(calls))
        assert p.counters is not None
        assert p.busy_cpu["baseline"] > 0.02
        assert p.idle_cpu["candidate"] < 0.1 * p.busy_cpu["candidate"]
        assert {name: len(items) for name, items in p.alone_by.items()} == {
            "baseline": 10,
            "baseline copy": 10,
        }
        assert min(p.turns.values()) >= 20
        assert set(p.repeats) == {"candidate", "baseline"}
    assert any(p.after for p in pairs)


def holds(found: Certificate | ConstraintResult, truth: float) -> bool:
    """Whether the interval, a little widened, holds the truth: narrow when quiet, wide when not."""
    assert found.low is not None
    assert found.high is not None
    return found.low / 1.03 <= truth <= found.high * 1.03


@pytest.mark.slow
@pytest.mark.timed
def test_half_as_long_again_is_measured_and_does_not_pass(slow: Slow) -> None:
    score = slow.run.score
    assert score is not None
    latency = next(c for c in score.constraints if c.name == "answer latency")
    assert latency.value == pytest.approx(1.5, rel=0.02)
    assert latency.low is not None
    assert latency.low > 1.05
    assert (latency.verdict, latency.pairs) != ("pass", 5)
    assert score.timing is not None
    assert score.timing.certificate is not None
    assert holds(score.timing.certificate, 1.0)
    assert {p.name for p in score.timing.probes} >= {
        "repeated input",
        "reference alone",
        "stopped means still",
    }


@pytest.mark.slow
@pytest.mark.timed
def test_memory_is_of_every_worker_and_of_one_alone(slow: Slow) -> None:
    for trial in (slow.trial("candidate"), slow.trial("reference", "baseline")):
        pairs = {(point.stage, point.pair) for point in trial.memory}
        assert pairs == {("learn", 0), *(("serve", pair) for pair in range(6))}, "0 is the memory pass"


@pytest.mark.slow
@pytest.mark.timed
def test_scoring_again_gives_the_same_score(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "start", None)  # launches nothing
    before, after = rescore.rescore(slow.run.head.run_id, slow.store, lambda _, folder: tasks.read(folder))
    assert before == slow.run
    assert after.score == before.score
    assert after.assessed == before.assessed


@pytest.mark.slow
@pytest.mark.timed
def test_five_percent_more_is_within_the_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steady(monkeypatch)
    run, _ = ran(tmp_path, slower(1.05), 5)
    assert run.score is not None
    latency = next(c for c in run.score.constraints if c.name == "answer latency")
    assert latency.value == pytest.approx(1.05, rel=0.02)
    assert holds(latency, 1.05)


@pytest.mark.slow
@pytest.mark.timed
def test_remembered_answers_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steady(monkeypatch)
    run, _ = ran(tmp_path, REMEMBERS, 3)
    assert run.score is not None
    assert run.score.timing is not None
    probe = next(p for p in run.score.timing.probes if p.name == "repeated input")
    assert (probe.verdict, run.score.tier) == ("note", "expert")
    assert probe.value is not None
    assert probe.value < 0.2


@pytest.mark.slow
@pytest.mark.timed
def test_a_thread_and_a_child_that_spin_stand_still_while_others_are_timed(tmp_path: Path) -> None:
    run, _ = ran(tmp_path, SPINS, 2)
    assert run.score is not None
    assert run.score.timing is not None
    pairs = run.trials[0].pairs
    idle, busy = (sum(getattr(p, name)["candidate"] for p in pairs) for name in ("idle_cpu", "busy_cpu"))
    assert idle < 0.1 * busy
    assert busy > 0


def rounds(
    folder: Path, pairs: int, most: int, settled: Callable[[Sequence[RawTrial]], bool], seconds: float = 600.0
) -> list[RawTrial]:
    """Candidate and baseline side by side, until `settled` says so."""
    asked = ordered(folder, EXPERT, pairs, most)
    prepared = prepare.prepare(asked, 0, Silent())
    plan = Plan(pairs=pairs, most=most, seconds=seconds)
    baseline = references("toy-pairs", asked.task.folder)["baseline"]
    with prepare.setting_of(asked) as setting:
        around = prepare.round_of(asked, setting, prepared, Silent(), plan, settled)
        return around.run([Entry(asked.submission), Entry(baseline, "reference")])


@pytest.mark.slow
@pytest.mark.timed
def test_an_open_verdict_brings_more_pairs_from_the_reserve_until_it_is_decided(tmp_path: Path) -> None:
    asked_after: list[int] = []

    def settled(outcomes: Sequence[RawTrial]) -> bool:
        asked_after.append(len(outcomes[0].trial.pairs))
        return asked_after[-1] >= 5

    own, base = rounds(tmp_path, 2, 6, settled)
    assert asked_after == [2, 5]  # the looks; the third would have been the end
    assert [p.pair for p in own.trial.pairs] == [0, 1, 2, 3, 4]
    later = {s.item for s in own.trial.samples if s.pair >= 2}
    assert len(later) == 30
    assert all(item.startswith("more-") for item in later)
    assert own.answers.keys() == base.answers.keys()


@pytest.mark.slow
@pytest.mark.timed
def test_no_pair_is_begun_when_the_time_is_up(tmp_path: Path) -> None:
    own, _ = rounds(tmp_path, 1, 3, lambda _: False, seconds=0.0)
    assert len(own.trial.pairs) == 1


@pytest.mark.slow
@pytest.mark.timed
def test_a_verdict_that_is_open_at_first_is_decided_with_more_pairs(tmp_path: Path) -> None:
    # each process is slower than the next by luck of its own; two pairs cannot say, more can
    text = "import os\n" + slower(1.0).replace(
        "SECONDS = 0.005", "SECONDS = 0.005 + 0.001 * (os.getpid() % 3)"
    )
    run, store = ran(tmp_path, text, 2, most=6)
    assert run.score is not None
    latency = next(c for c in run.score.constraints if c.name == "answer latency")
    assert latency.pairs == len(run.trials[0].pairs)
    assert latency.pairs in (2, 5, 6)
    # answers of added pairs count as right or wrong as well, and nothing is scored twice
    _, after = rescore.rescore(run.head.run_id, store, lambda _, folder: tasks.read(folder))
    assert after.score == run.score


@pytest.mark.slow
@pytest.mark.timed
def test_a_fault_in_a_pair_ends_the_round_and_is_the_candidates_own(tmp_path: Path) -> None:
    asked = ordered(tmp_path / "probe", EXPERT, 3)
    serve = prepare.prepare(asked, 0, Silent()).instance.stages[1]
    last = base_blocks(serve, 3)[1][-1]
    bad = np.asarray(last.arguments["numbers"]).tolist()
    text = EXPERT.replace(
        "        time.sleep(", f"        assert numbers.tolist() != {bad}, 'not this'\n        time.sleep("
    )
    run, _ = ran(tmp_path, text, 3)
    assert run.score is not None
    assert (run.score.outcome, run.score.points) == ("crashed", 0.0)
    assert "not this" in run.score.reasons[0]
    assert [p.pair for p in run.trials[0].pairs] == [0, 1]
    assert {t.outcome for t in run.trials[1:]} == {"ok"}


def test_what_comes_right_after_loading_is_asked_before_any_warm_up() -> None:
    """Work that was put off to the first answer would else be done in a call that nobody counts."""

    def ask(item: str, **how: bool) -> Request:
        return Request(item, "answer", {"numbers": np.arange(3)}, ArraySpec("int64", (3,)), **how)

    served: list[str] = []

    class Recorder:
        name, fault, worker = "candidate", None, None
        entry = Entry(references("toy-pairs", TOYS / "toy-pairs")["baseline"])
        use, readings = TurnUse(), Readings()

        def start(self, place: Any) -> None:
            served.append("start")

        def ask(self, request: Request) -> float:
            served.append(request.item)
            return 0.01

        def keep(self, *anything: Any) -> None: ...

        def keep_first(self, *anything: Any) -> None: ...

        def close(self, timeline: bool = True) -> None: ...

    block = (
        ask("first"),
        ask("second"),
        ask("warm", timed=True, warmup=True),
        ask("late"),
        ask("timed", timed=True),
    )
    stage = Stage("serve", block, each=(ask("loaded"),), paired=True)
    counter = SimpleNamespace(show=lambda *_: None, done=0)
    Pair(
        plan=Plan(),
        order=np.random.default_rng(0),
        place=SimpleNamespace(setting=SimpleNamespace(threads=1)),  # type: ignore[arg-type]
        stage=stage,
        number=0,
        block=block,
        participants=[Recorder()],  # type: ignore[list-item]
        counter=counter,  # type: ignore[arg-type]
    ).run()
    assert served == ["start", "loaded", "first", "second", "warm", "late", "timed"]
