"""What a stage may take in all: by hand, and of a round whose workers are no processes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from harness.errors import Fault
from harness.inputs.tasks import Task
from harness.instances import BlobSpec, Instance, Request, Stage
from harness.trials import pair as pairs
from harness.trials.budget import LEAST_SECONDS, Share, StageBudget
from harness.trials.participant import Entry, Setting
from harness.trials.round import RawTrial, Round
from harness.trials.schedule import Plan
from tests.fixtures.workers import Meter, Workers, submission


def test_a_candidate_may_take_some_times_what_the_slowest_reference_took_so_far() -> None:
    budget = StageBudget(factor=20, floor=60, known={"serve": 4.0})
    candidate = budget.share("train", "candidate", "candidate")
    assert candidate.left() == math.inf  # nothing is known yet
    for name, role, seconds in (
        ("expert", "reference", 5.0),
        ("baseline", "reference", 2.0),
        ("copy", "copy", 9.0),
    ):
        share = budget.share("train", name, role)  # type: ignore[arg-type]
        share.spend(seconds)
        assert share.left() == math.inf
    assert candidate.left() == 100.0
    candidate.spend(70)
    candidate.spend(20)
    assert candidate.left() == 10.0
    candidate.spend(20)
    assert candidate.left() == LEAST_SECONDS
    assert budget.share("serve", "candidate", "candidate").left() == 80.0
    assert budget.share("load", "candidate", "candidate").left() == math.inf
    assert budget.by_stage("candidate") == {"train": 110.0}
    assert StageBudget(factor=20, floor=60, known={"a": 1.0}).most("a", "candidate") == 60.0


def test_where_a_pair_begins_with_the_candidate_it_is_not_held_against_one_pair_less() -> None:
    budget = StageBudget(factor=2, floor=1)
    budget.share("serve", "expert", "reference").spend(10.0)
    assert budget.share("serve", "candidate", "candidate").left() == 20.0
    second = budget.share("serve", "candidate", "candidate")
    assert second.left() == 40.0
    budget.share("serve", "expert", "reference")
    assert second.left() == 20.0


def test_a_call_that_the_budget_ended_says_so_and_no_other_does() -> None:
    budget = StageBudget(factor=3, floor=1, known={"train": 2.0})
    share = budget.share("train", "candidate", "candidate")
    share.spend(1.0)
    late = Fault("timeout", "train took longer than its limit of 9 s")
    assert share.judged(late, 4.0) is late
    assert share.judged(Fault("crashed", "it fell"), 9.0).reason == "it fell"
    assert Share().judged(late, 4.0) is late
    found = share.judged(late, 9.0)
    assert found.outcome == "timeout"
    assert found.reason == (
        "the stage train took more than 6 s in all: 3 times what the slowest reference took in this run, or 1 s "
        "where that is more"
    )
    assert Share().left() == math.inf


@pytest.mark.parametrize("paired", [True, False])
def test_within_the_limit_of_each_call_no_candidate_holds_the_machine(
    tmp_path: Path, workers: Workers, toy: Task, monkeypatch: pytest.MonkeyPatch, paired: bool
) -> None:
    monkeypatch.setattr(pairs, "Meter", lambda pids, device: Meter(workers, pids))
    limits = toy.definition.limits.model_copy(update={"stage_factor": 5.0, "stage_floor": 1.0})
    phases = {"answer": toy.definition.phases["answer"].model_copy(update={"wall_seconds": 1000.0})}
    task = Task(toy.definition.model_copy(update={"limits": limits, "phases": phases}), toy.folder)
    requests = tuple(Request(f"q-{i}", "answer", {}, BlobSpec(50), timed=paired) for i in range(40))

    def ran(candidate: float, known: float | None = None, factor: float = 1.0) -> RawTrial:
        workers.seconds = lambda program, request: candidate if program == "candidate" else 0.5
        entries = [Entry(submission(tmp_path, "candidate"))]
        if known is None:
            entries.append(Entry(submission(tmp_path, "baseline", "baseline", "baseline"), "reference"))
        return Round(
            setting=Setting(task=task, level=None, device="cpu", threads=1, limit_factor=factor),  # type: ignore[arg-type]
            instance=Instance((Stage("serve", requests, paired=paired),), {}),
            instance_id="the-instance",
            number=0,
            worker_seed=8,
            order=np.random.default_rng(0),
            plan=Plan(pairs=2, most=2),
            known_seconds={} if known is None else {"serve": known},
        ).run(entries)[0]

    assert ran(2.3).trial.outcome == "ok"
    slow = ran(4.5)
    assert slow.trial.outcome == "timeout"
    assert slow.trial.reason.startswith("the stage serve took more than ")
    assert ran(2.9, known=60.0).trial.outcome == "ok"
    held = ran(2.9, known=10.0).trial
    assert held.outcome == "timeout"
    assert held.stage_seconds["serve"] <= 5 * 10.0
    assert ran(0.01, known=0.01).trial.outcome == "ok"  # the floor
    assert ran(0.03, known=0.01).trial.outcome == "timeout"
    assert ran(0.03, known=0.01, factor=2.0).trial.outcome == "ok"


def test_a_start_has_what_its_own_stage_leaves_and_no_other(
    tmp_path: Path, workers: Workers, toy: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "Meter", lambda pids, device: Meter(workers, pids))
    workers.seconds = lambda program, request: (
        50.0 if program == "candidate" and request.item == "long" else 0.1
    )
    stages = (
        Stage("first", (Request("long", "answer", {}, BlobSpec(50)),)),
        Stage("second", (Request("short", "answer", {}, BlobSpec(50)),)),
    )
    phases = {"answer": toy.definition.phases["answer"].model_copy(update={"wall_seconds": 1000.0})}
    Round(
        setting=Setting(
            task=Task(toy.definition.model_copy(update={"phases": phases}), toy.folder),
            level=None,  # type: ignore[arg-type]
            device="cpu",
            threads=1,
        ),
        instance=Instance(stages, {}),
        instance_id="the-instance",
        number=0,
        worker_seed=8,
        order=np.random.default_rng(0),
        known_seconds={"first": 2.0, "second": 1.0},
    ).run([Entry(submission(tmp_path, "candidate"))])
    limit = toy.definition.limits.start_seconds
    # the harness's own part of a start keeps its limit: where that were short, the fault would be ours
    assert [(seat.limits.start_seconds, seat.start_most) for seat in workers.seats] == [(limit, 60.0)] * 2
