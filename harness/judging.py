"""From a round's raw trials to the sides that grading compares, and who takes part in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.assess import assess, costs, floors, side
from harness.competitor import Entry
from harness.errors import HarnessError
from harness.instances import Answer, Instance
from harness.ordering import Order, plan_of
from harness.records import Assessed, Tier, Trial
from harness.sides import Round as Compared
from harness.sides import Side
from harness.submissions import Submission, references
from harness.trials import Outcome
from harness.verdicts import settled

# A tier between the anchors only places the score: where times decide, it takes part in so many pairs.
PLACING_PAIRS = 2


@dataclass(frozen=True)
class Done:
    round: Compared
    trials: list[Trial]
    assessed: list[Assessed]


def reference_entries(order: Order, instance: Instance, fresh: Sequence[Submission]) -> list[Entry]:
    """How the references take part: those that times are compared with in every pair, the first of
    them with a copy of itself; the others for their answers, or to place a score that is a time.
    """
    criteria = order.task.criteria
    anchor, timed = criteria.anchor(), criteria.timed_against() | set(order.against)
    paired = any(stage.paired for stage in instance.stages)
    entries = []
    for reference in sorted(fresh, key=lambda r: r.tier != anchor):
        if reference.tier in timed or not paired:
            entries.append(Entry(reference, "reference"))
        elif criteria.objective.ratio_of:
            entries.append(Entry(reference, "reference", pairs=PLACING_PAIRS))
        else:
            entries.append(Entry(reference, "reference", timed=False))
    if paired and order.profile.pairs > 1:
        entries += [Entry(r, "copy") for r in fresh if r.tier == anchor]
    return entries


def is_settled(order: Order, outcomes: Sequence[Outcome]) -> bool:
    """Whether the verdicts on times need no more pairs, from times alone."""
    trials = [outcome.trial for outcome in outcomes]
    if any(trial.outcome != "ok" for trial in trials):
        return True
    found = [
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
    return settled(order.task.criteria, compare(order, trials, found, {}))


def compare(
    order: Order, trials: Sequence[Trial], judged: Sequence[Assessed], known: Mapping[Tier, Assessed]
) -> Compared:
    """One round as grading sees it: the candidate's trial first among `trials`, the others by role."""
    readings = trials[0].pairs
    floor = floors(readings)
    sides: dict[Tier, Side] = {tier: side(None, found) for tier, found in known.items()}
    copy = None
    for trial, found in zip(trials[1:], judged[1:], strict=True):
        if trial.role == "copy":
            copy = side(trial, found, floor)
        elif trial.tier:
            sides[trial.tier] = side(trial, found, floor)
    own = side(trials[0], judged[0], floor)
    return Compared(own, _with_twin(order, own, sides), copy, readings, plan_of(order).alpha())


def judge_round(
    order: Order,
    instance: Instance,
    trials: Sequence[Trial],
    answers: Sequence[Mapping[str, Answer]],
    known: Mapping[Tier, Assessed],
) -> Done:
    """Everything that is derived from a round's raw trials and answers."""
    own = assess(order.task, instance, trials[0], answers[0])
    failed = next((t for t in trials[1:] if t.outcome != "ok"), None)
    if failed is not None:
        _blame(order, failed, failed.outcome, failed.reason)
    if trials[0].outcome != "ok" and any(stage.paired for stage in instance.stages):
        # The pairs ended with the submission: its references have not answered everything.
        return Done(Compared(side(trials[0], own), {}), list(trials), [own, *known.values()])
    judged = [own]
    for trial, given in zip(trials[1:], answers[1:], strict=True):
        found = assess(order.task, instance, trial, given)
        if found.outcome != "ok":
            _blame(order, trial, found.outcome, found.reason)
        judged.append(found)
    shown = [found for found in judged if found.role != "copy"]
    least = {r.item: r.least_seconds for r in instance.requests() if r.least_seconds}
    compared = replace(compare(order, trials, judged, known), least_seconds=least)
    return Done(compared, list(trials), [*shown, *known.values()])


def twin(order: Order) -> Tier | None:
    """The tier between the anchors whose very files were handed in: it need not be run beside itself."""
    between = references(order.task.id, order.task.folder).get("competent")
    same = between is not None and between.digest == order.submission.digest
    return "competent" if same and "competent" not in order.against else None


def _with_twin(order: Order, own: Side, sides: dict[Tier, Side]) -> dict[Tier, Side]:
    tier = twin(order)
    return {**sides, tier: own} if tier and tier not in sides and own.assessed.outcome == "ok" else sides


def _blame(order: Order, trial: Trial, outcome: str, reason: str) -> None:
    """A reference that fails is our fault, never the candidate's: no score can be given."""
    raise HarnessError(
        f"the reference {trial.tier} of {order.task.id} ended as {outcome}: {reason}; "
        f"nothing was scored\n{trial.detail}".rstrip()
    )
