"""From a round's raw trials to the sides that grading compares, and who takes part in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.errors import Fault, HarnessError, TaskError
from harness.grading.comparison import Comparison, Side, floors, side
from harness.grading.plausibility import where_to_look
from harness.grading.verdicts import settled
from harness.inputs.proofs import kept_proofs
from harness.inputs.tasks import Task
from harness.instances import Answer, Evaluation, Instance, ItemAnswers
from harness.measures.cost import costs
from harness.records import Assessed, Measurement, RunHead, Score, Tier, Trial
from harness.runs.order import Order
from harness.runs.prepare import plan_of
from harness.runs.references import twin
from harness.trials.round import RawTrial

# Standard deviations by which answers given again may be worth less: one honest program in 4,000 that draws its answers
# at random is beyond it, and none that does not.
FALLEN = 3.5
ROUNDED = 1e-9


@dataclass(frozen=True)
class JudgedRound:
    """One instance of a run, judged: its trials, what was derived from them, and the round as grading sees it."""

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
    kept: Callable[[Assessed], RawTrial | None] = lambda remembered: None,
) -> JudgedRound:
    """Everything that is derived from a round's raw trials and answers.

    `kept` gives the trial and the answers of a reference that is remembered, where they are still there.
    """
    own = assess(order.task, instance, trials[0], answers[0])
    if fell_over(trials[0], own) and any(
        assess(order.task, instance, one.trial, one.answers).outcome == "ok"
        for one in _of_references(trials, answers, known, kept)
    ):
        own = handed_back(own)
    failed = next((t for t in trials[1:] if t.outcome != "ok"), None)
    if failed is not None:
        _blame(order.task, failed, failed.outcome, failed.reason)
    if trials[0].outcome != "ok" and any(stage.paired for stage in instance.stages):
        # The pairs ended with the submission: its references have not answered everything.
        return JudgedRound(
            Comparison(candidate=side(trials[0], own), references={}), list(trials), [own, *known.values()]
        )
    judged = [own]
    for trial, given in zip(trials[1:], answers[1:], strict=True):
        judged.append(assess_reference(order.task, instance, trial, given))
    shown = [assessed for assessed in judged if assessed.role != "copy"]
    least = {r.item: r.least_seconds for r in instance.requests() if r.least_seconds}
    again = {r.item: r.again for r in instance.requests() if r.again}
    compared = replace(compare(order, trials, judged, known), least_seconds=least, again=again)
    return JudgedRound(compared, list(trials), [*shown, *known.values()])


def told(score: Score, head: RunHead) -> Score:
    """The score with what its run and the task's kept proof say of it: where to look, and which budgets are guards.

    A constraint is called a guard where the kept proof on the run's profile shows that it leaves the expert much room,
    at the threshold that it has now; nothing is said of a task without such a proof.
    """
    own = [proof for proof in kept_proofs(head.task, head.profile.name) if not proof.brought]
    guards = {(s.name, s.threshold) for proof in own for s in proof.slack if not s.binds}
    constraints = tuple(
        c.model_copy(update={"guard": (c.name, c.threshold) in guards}) for c in score.constraints
    )
    return where_to_look(score.model_copy(update={"constraints": constraints}), head.contents)


def _of_references(
    trials: Sequence[Trial],
    answers: Sequence[Mapping[str, Answer]],
    known: Mapping[Tier, Assessed],
    kept: Callable[[Assessed], RawTrial | None],
) -> Iterator[RawTrial]:
    """What references handed over: those of this round first, then those that are remembered."""
    yield from (RawTrial(*both) for both in zip(trials[1:], answers[1:], strict=True))
    yield from (found for remembered in known.values() if (found := kept(remembered)) is not None)


def fell_over(trial: Trial, assessed: Assessed) -> bool:
    """Whether the task's own evaluation fell over on the answers of a trial that had ended well."""
    return trial.outcome == "ok" and assessed.outcome == "harness_error"


def handed_back(assessed: Assessed) -> Assessed:
    """The same with the fault where it belongs: the evaluation took what a reference had answered."""
    reason = f"{assessed.reason}, and not on those of a reference"
    return assessed.model_copy(update={"outcome": "malformed", "reason": reason})


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
    """The trial's measurements; a Fault that `evaluate` raises becomes its outcome.

    Whatever else the task raises is our fault, until it is seen to take what a reference answered: `judge_round`.
    """
    outcome, reason = trial.outcome, trial.reason
    evaluation, concluded, paid = Evaluation(()), Evaluation(()), costs(trial)
    if outcome == "ok":
        try:
            evaluation = task.evaluate(instance, _scored(instance, answers, base=True))
            _require_the_reserve(task, instance, answers, evaluation)
            _require_the_same_again(task, instance, answers, evaluation)
            concluded = task.conclude(instance, {m.name: m for m in (*evaluation.measurements, *paid)})
        except Fault as fault:
            outcome, reason = fault.outcome, fault.reason
        except HarnessError:
            raise  # the task says itself that the fault is its own
        except Exception as error:  # noqa: BLE001  (what a task raises on answers it does not expect is anything)
            evaluation, concluded = Evaluation(()), Evaluation(())
            outcome, reason = (
                "harness_error",
                f"the task's own evaluation ended on these answers ({_said(error)})",
            )
    return Assessed(
        number=trial.number,
        role=trial.role,
        label=trial.label,
        tier=trial.tier,
        outcome=outcome,
        reason=reason,
        measurements=(*evaluation.measurements, *paid, *concluded.measurements),
        series=(*evaluation.series, *concluded.series),
        stage_seconds=trial.stage_seconds,
    )


def _said(error: Exception) -> str:
    """An exception in one line: its kind, and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def items_of(task: Task, instance: Instance, answers: Mapping[str, Answer]) -> ItemAnswers:
    """The answers item by item, by the task's own items.py; raises TaskError where that falls over."""
    try:
        return task.items(instance, _scored(instance, answers, base=True))
    except Exception as error:  # what a task raises on answers it does not expect is anything
        raise TaskError(f"the items.py of {task.id} ended on these answers ({_said(error)})") from error


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
    if not any(r.scored and r.timed and not r.again and r.item in answers for r in reserve):
        return
    again = task.evaluate(instance, _scored(instance, answers, base=False))
    for first in evaluation.measurements:
        later = next((m for m in again.measurements if m.name == first.name), None)
        if later is None:
            continue
        if (
            later.value is not None
            and (broken := _beyond_a_limit(task, later))
            and not _beyond_a_limit(task, first)
        ):
            raise Fault("wrong", f"{broken} is {later.value:.3g} in the pairs that were added")
        if not first.draws or later.high is None or first.low is None:
            continue
        if first.direction == "higher" and later.high < first.low:
            raise Fault(
                "wrong",
                f"{first.name} fell from {first.value:.3g} to {later.value:.3g} in the pairs that were added",
            )


def _beyond_a_limit(task: Task, measurement: Measurement) -> str:
    """The name of a constraint whose plain limit the measurement lies beyond; "" where there is none."""
    value = measurement.value
    for limit in task.criteria.constraints:
        if limit.measure != measurement.name or limit.compare != "absolute" or value is None:
            continue
        if (limit.at_most is not None and value > limit.at_most) or (
            limit.at_least is not None and value < limit.at_least
        ):
            return limit.name
    return ""


def _require_the_same_again(
    task: Task, instance: Instance, answers: Mapping[str, Answer], evaluation: Evaluation
) -> None:
    """What further pairs answer to the base's questions must be worth as much, put in the place of those answers.

    The questions are the same, so what they are worth differs only by what a program draws at random: a fall beyond
    FALLEN times its standard deviation over the same resampled items is none of that.
    """
    base = _scored(instance, answers, base=True)
    for later in _given_again(instance, answers):
        again = {m.name: m for m in task.evaluate(instance, {**base, **later}).measurements}
        for first in evaluation.measurements:
            second = again.get(first.name)
            if second is None or first.value is None or second.value is None or first.direction == "neither":
                continue
            if len(first.draws) != len(second.draws) or not first.draws:
                continue
            sign = 1.0 if first.direction == "higher" else -1.0
            spread = float(np.std(np.subtract(first.draws, second.draws)))
            if sign * (first.value - second.value) > max(FALLEN * spread, ROUNDED):
                raise Fault(
                    "wrong",
                    f"{first.name} fell from {first.value:.3g} to {second.value:.3g} with the answers to the same "
                    "questions in the pairs that were added",
                )


def _given_again(instance: Instance, answers: Mapping[str, Answer]) -> list[dict[str, Answer]]:
    """The answers to what was asked again, by the item of the base: the first to each, the second to each, and on."""
    rounds: list[dict[str, Answer]] = []
    for request in (r for stage in instance.stages for r in stage.reserve):
        if not request.again or request.item not in answers:
            continue
        free = next((one for one in rounds if request.again not in one), None)
        if free is None:
            rounds.append(free := {})
        free[request.again] = answers[request.item]
    return rounds
