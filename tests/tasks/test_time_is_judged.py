"""Every second that a submission has is in a figure that a verdict or the points go by: by arithmetic, for every task.

Each task's requests are served by workers that are no processes, through the real round. The candidate then takes
a minute longer at one place after the other: in a start, in the first or the third call of each kind that a
worker gets. What judges that minute is looked up in the same way as for a score.
`python -m tests.tasks.test_time_is_judged` prints the table.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from harness.grading.comparison import Comparison, floors, side
from harness.grading.verdicts import all_constraints, judge, objective_value
from harness.inputs.tasks import Task
from harness.instances import FromAnswers, Instance, Request, Stage
from harness.measures.cost import costs
from harness.observer import Silent
from harness.records import TIERS, Assessed
from harness.runs.prepare import prepare
from harness.trials import pair as pairs
from harness.trials import session
from harness.trials.participant import Entry, Setting
from harness.trials.round import Round
from harness.trials.schedule import Plan
from tests.fixtures.instance_ids import catalogue, order_of
from tests.fixtures.workers import Meter, Workers, submission

TASKS = catalogue(Path(__file__).parent.parent.parent)
MORE_SECONDS = 60.0
PAIRS = 2
USUAL_SECONDS = 0.01
# The tasks in which no time is judged; their statements say what is judged instead.
WITHOUT_A_CLOCK = {"optimizers", "toy-dialogue", "toy-free"}
# A budget in plain seconds that leaves room for the minute: it is in the figure, which does not fail yet.
ROOMY = {("latency-budget", "optimise"): "preparation time"}


@dataclass(frozen=True)
class Spot:
    """Where the candidate takes longer: in the start of a stage's workers, or in each one's n-th call of a kind."""

    stage: str
    kind: str
    number: int = 0


def kind_of(request: Request) -> str:
    """How a call is treated, and the group that it belongs to."""
    way = "warm-up" if request.warmup else "timed" if request.timed else "untimed"
    return f"{way} {request.label}"


def spots(instance: Instance) -> Iterator[Spot]:
    """The start of every stage that serves the submission, and its workers' first and third call of each kind."""
    for stage in instance.stages:
        if stage.judge:
            continue
        yield Spot(stage.name, "start")
        counts = Counter(kind_of(request) for request in (*stage.each, *stage.requests))
        for kind, count in counts.items():
            yield Spot(stage.name, kind, 1)
            if count >= 3 * PAIRS:
                yield Spot(stage.name, kind, 3)


def undisturbed(stage: Stage) -> Stage:
    """The stage with nothing to compute from answers, which here are zeros."""

    def plain(request: Request) -> Request:
        kept = {n: v for n, v in request.arguments.items() if not isinstance(v, FromAnswers)}
        return replace(request, arguments=kept)

    def plainly(requests: tuple[Request, ...]) -> tuple[Request, ...]:
        return tuple(plain(request) for request in requests)

    return replace(
        stage,
        requests=plainly(stage.requests),
        each=plainly(stage.each),
        reserve=plainly(stage.reserve),
        judge="",
    )


@cache
def prepared(name: str) -> Instance:
    """The task's first instance at the size `check`, in PAIRS pairs."""
    asked = order_of(name, TASKS[name][0])
    asked = replace(asked, profile=asked.profile.model_copy(update={"pairs": PAIRS, "max_pairs": PAIRS}))
    return prepare(asked, 0, Silent()).instance


def compared(
    task: Task, instance: Instance, folder: Path, spot: Spot | None, factor: float = 1.0
) -> Comparison:
    """What grading gets of a round in which the candidate takes MORE_SECONDS longer at `spot`.

    Each of its calls takes `factor` times the usual besides.
    """

    served: Counter[str] = Counter()
    serving = [""]

    def seconds(program: str, request: Request) -> float:
        if program != "candidate" or spot is None or serving[0] != spot.stage:
            return USUAL_SECONDS * (factor if program == "candidate" else 1.0)
        served[kind_of(request)] += 1
        slow = kind_of(request) == spot.kind and served[spot.kind] == spot.number
        return USUAL_SECONDS + (MORE_SECONDS if slow else 0.0)

    workers = Workers(seconds=seconds)
    started = workers.start

    def start(level: Any, seat: session.WorkerSpec, stage: str) -> Any:
        worker = started(level, seat, stage)
        if worker.program == "candidate":
            served.clear()
            serving[0] = stage
            if spot and (stage, "start") == (spot.stage, spot.kind):
                worker.start_seconds += MORE_SECONDS
        return worker

    stages = tuple(undisturbed(stage) for stage in instance.stages if not stage.judge)
    phases = {
        name: limit.model_copy(update={"wall_seconds": 1e6}) for name, limit in task.definition.phases.items()
    }
    limits = task.definition.limits.model_copy(update={"stage_floor": 1e6, "start_seconds": 1e6})
    unlimited = Task(task.definition.model_copy(update={"phases": phases, "limits": limits}), task.folder)
    entries = [Entry(submission(folder, "candidate"))]
    entries += [Entry(submission(folder, tier, tier, tier), "reference") for tier in TIERS]
    with (
        mock.patch.object(session, "start", start),
        mock.patch.object(pairs, "Meter", lambda pids, device: Meter(workers, pids)),
    ):
        outcomes = Round(
            setting=Setting(task=unlimited, level=None, device="cpu", threads=1),  # type: ignore[arg-type]
            instance=replace(instance, stages=stages, models={}),
            instance_id="the-instance",
            number=0,
            worker_seed=1,
            order=np.random.default_rng(0),
            plan=Plan(pairs=PAIRS, most=PAIRS),
        ).run(entries)
    trials = [outcome.trial for outcome in outcomes]
    assert [t.reason for t in trials] == [""] * len(trials)
    assessed = [
        Assessed(
            number=0, role=t.role, label=t.label, tier=t.tier, outcome="ok", measurements=tuple(costs(t))
        )
        for t in trials
    ]
    floor = floors(trials[0].pairs)
    sides = [side(t, a, floor) for t, a in zip(trials, assessed, strict=True)]
    references = dict(zip(TIERS, sides[1:], strict=True))
    return Comparison(candidate=sides[0], references=references, pairs=trials[0].pairs)


def judged_by(task: Task, now: Comparison, usual: Comparison) -> list[str]:
    """What the minute shows in: constraints that fail and did not, and the objective where it is worse."""
    failed = [
        c.name
        for c in all_constraints(task.criteria, [now])
        if judge(c, [now]).verdict == "fail" and judge(c, [usual]).verdict != "fail"
    ]
    if task.criteria.objective.ratio_of:
        values = [objective_value(task.criteria.objective, r.candidate, r.references) for r in (now, usual)]
        if values[0] and values[1] and values[0].value < values[1].value / 2:
            failed.append("the objective")
    return failed


def table(name: str, folder: Path) -> dict[Spot, list[str]]:
    """For each spot of a task, what judges a minute there."""
    task, instance = TASKS[name][1], prepared(name)
    usual = compared(task, instance, folder, None)
    return {spot: judged_by(task, compared(task, instance, folder, spot), usual) for spot in spots(instance)}


@pytest.mark.parametrize("name", sorted(set(TASKS) - WITHOUT_A_CLOCK))
def test_a_minute_anywhere_fails_a_constraint(name: str, tmp_path: Path) -> None:
    found = table(name, tmp_path)
    assert found
    unseen = {spot for spot, by in found.items() if not by}
    assert {(name, spot.stage) for spot in unseen} <= set(ROOMY), unseen


@pytest.mark.parametrize("name", sorted(set(TASKS) - WITHOUT_A_CLOCK))
def test_who_takes_a_tenth_longer_than_the_references_fails_nothing(name: str, tmp_path: Path) -> None:
    task = TASKS[name][1]
    found = compared(task, prepared(name), tmp_path, None, 1.1)
    judged = {c.name: judge(c, [found]) for c in all_constraints(task.criteria, [found])}
    times = {name: v for name, v in judged.items() if v.value is not None}
    assert times
    assert {name: v.verdict for name, v in times.items() if v.verdict != "pass"} == {}


@pytest.mark.parametrize("key", sorted(ROOMY))
def test_a_roomy_budget_holds_the_minute(key: tuple[str, str], tmp_path: Path) -> None:
    name, stage = key
    task, instance = TASKS[name][1], prepared(name)
    (constraint,) = [c for c in task.criteria.constraints if c.name == ROOMY[key]]
    assert constraint.compare == "absolute"
    for spot in spots(instance):
        if spot.stage == stage and spot.number:
            value = judge(constraint, [compared(task, instance, tmp_path, spot)]).value
            assert value is not None
            assert MORE_SECONDS < value < MORE_SECONDS + 1


@pytest.mark.parametrize("name", sorted(WITHOUT_A_CLOCK))
def test_where_no_time_is_judged_nothing_is_implied(name: str) -> None:
    criteria = TASKS[name][1].criteria
    assert criteria.clock() is None
    assert criteria.implied(["start", "train"]) == ()


def main() -> None:
    """Prints the table of all tasks."""
    with tempfile.TemporaryDirectory() as folder:
        for name in TASKS:
            for spot, by in table(name, Path(folder)).items():
                where = f"{spot.kind} {spot.number or ''}".rstrip()
                print(f"| {name} | {spot.stage} | {where} | {', '.join(by) or 'nothing'} |")


if __name__ == "__main__":
    main()
