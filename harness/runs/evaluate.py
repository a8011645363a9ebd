"""From a round's raw trials to the sides that grading compares, and who takes part in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import Fault, HarnessError
from harness.grading.comparison import Comparison, Side, floors, side
from harness.grading.verdicts import settled
from harness.inputs.tasks import Task
from harness.instances import Answer, Evaluation, Instance
from harness.measures.cost import costs
from harness.records import Assessed, Tier, Trial
from harness.runs.order import Order
from harness.runs.prepare import plan_of
from harness.runs.references import twin
from harness.trials.round import RawTrial


@dataclass(frozen=True)
class Judged:
    round: Comparison
    trials: list[Trial]
    assessed: list[Assessed]


def is_settled(order: Order, outcomes: Sequence[RawTrial]) -> bool:
    """Whether the verdicts on times need no more pairs, from times alone."""
    trials = [outcome.trial for outcome in outcomes]
    if any(trial.outcome != "ok" for trial in trials):
        return True
    assessed = [
        Assessed(
            number=t.number,
            role=t.role,
            label=t.label,
            tier=t.tier,
            outcome="ok",
            measurements=tuple(costs(t)),
        )
        for t in trials
    ]
    return settled(order.task.criteria, compare(order, trials, assessed, {}))


def compare(
    order: Order, trials: Sequence[Trial], judged: Sequence[Assessed], known: Mapping[Tier, Assessed]
) -> Comparison:
    """One round as grading sees it: the candidate's trial first among `trials`, the others by role."""
    readings = trials[0].pairs
    floor = floors(readings)
    sides: dict[Tier, Side] = {tier: side(None, assessed) for tier, assessed in known.items()}
    copy = None
    for trial, assessed in zip(trials[1:], judged[1:], strict=True):
        if trial.role == "copy":
            copy = side(trial, assessed, floor)
        elif trial.tier:
            sides[trial.tier] = side(trial, assessed, floor)
    own = side(trials[0], judged[0], floor)
    return Comparison(
        candidate=own,
        references=_with_twin(order, own, sides),
        copy=copy,
        pairs=readings,
        alpha=plan_of(order).alpha(),
    )


def judge_round(
    order: Order,
    instance: Instance,
    trials: Sequence[Trial],
    answers: Sequence[Mapping[str, Answer]],
    known: Mapping[Tier, Assessed],
) -> Judged:
    """Everything that is derived from a round's raw trials and answers."""
    own = assess(order.task, instance, trials[0], answers[0])
    failed = next((t for t in trials[1:] if t.outcome != "ok"), None)
    if failed is not None:
        _blame(order.task, failed, failed.outcome, failed.reason)
    if trials[0].outcome != "ok" and any(stage.paired for stage in instance.stages):
        # The pairs ended with the submission: its references have not answered everything.
        return Judged(
            Comparison(candidate=side(trials[0], own), references={}), list(trials), [own, *known.values()]
        )
    judged = [own]
    for trial, given in zip(trials[1:], answers[1:], strict=True):
        judged.append(assess_reference(order.task, instance, trial, given))
    shown = [assessed for assessed in judged if assessed.role != "copy"]
    least = {r.item: r.least_seconds for r in instance.requests() if r.least_seconds}
    compared = replace(compare(order, trials, judged, known), least_seconds=least)
    return Judged(compared, list(trials), [*shown, *known.values()])


def _with_twin(order: Order, own: Side, sides: dict[Tier, Side]) -> dict[Tier, Side]:
    tier = twin(order)
    return {**sides, tier: own} if tier and tier not in sides and own.assessed.outcome == "ok" else sides


def assess_reference(task: Task, instance: Instance, trial: Trial, answers: Mapping[str, Answer]) -> Assessed:
    """The measurements of a reference's trial; raises HarnessError where it failed.

    That is our fault, never the candidate's: no score can be given.
    """
    assessed = assess(task, instance, trial, answers)
    if assessed.outcome != "ok":
        _blame(task, trial, assessed.outcome, assessed.reason)
    return assessed


def _blame(task: Task, trial: Trial, outcome: str, reason: str) -> None:
    raise HarnessError(
        f"the reference {trial.tier} of {task.id} ended as {outcome}: {reason}; "
        f"nothing was scored\n{trial.detail}".rstrip()
    )


def assess(task: Task, instance: Instance, trial: Trial, answers: Mapping[str, Answer]) -> Assessed:
    """The trial's measurements; a Fault that `evaluate` raises becomes its outcome."""
    outcome, reason = trial.outcome, trial.reason
    evaluation, concluded, paid = Evaluation(()), Evaluation(()), costs(trial)
    if outcome == "ok":
        try:
            evaluation = task.evaluate(instance, _scored(instance, answers, base=True))
            _require_the_reserve(task, instance, answers, evaluation)
            concluded = task.conclude(instance, {m.name: m for m in (*evaluation.measurements, *paid)})
        except Fault as fault:
            outcome, reason = fault.outcome, fault.reason
    return Assessed(
        number=trial.number,
        role=trial.role,
        label=trial.label,
        tier=trial.tier,
        outcome=outcome,
        reason=reason,
        measurements=(*evaluation.measurements, *paid, *concluded.measurements),
        series=(*evaluation.series, *concluded.series),
    )


def _scored(instance: Instance, answers: Mapping[str, Answer], base: bool) -> dict[str, Answer]:
    """The answers that `evaluate` sees: all but the reserve's, or all but the base's timed ones."""
    other = {
        request.item
        for stage in instance.stages
        for request in (stage.reserve if base else (r for r in stage.requests if stage.paired))
    }
    return {item: answer for item, answer in answers.items() if item not in other}


def _require_the_reserve(
    task: Task, instance: Instance, answers: Mapping[str, Answer], evaluation: Evaluation
) -> None:
    """Answers of further pairs must be as good as those of the first: they are timed as well."""
    reserve = (r for stage in instance.stages for r in stage.reserve)
    if not any(r.scored and r.timed and r.item in answers for r in reserve):
        return
    again = task.evaluate(instance, _scored(instance, answers, base=False))
    for first in evaluation.measurements:
        later = next((m for m in again.measurements if m.name == first.name), None)
        if later is None or not first.draws or later.high is None or first.low is None:
            continue
        if first.direction == "higher" and later.high < first.low:
            raise Fault(
                "wrong",
                f"{first.name} fell from {first.value:.3g} to {later.value:.3g} in the pairs that were added",
            )
