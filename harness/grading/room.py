"""Pure: how far noise that is not a submission's own may lift its points, and how far they differ between runs.

A submission can make its own interval as wide as it likes, by being slower now and then or by answers that are all
right or all wrong, and who cannot be told apart from the best would share their place. What it cannot make is the
interval that the same formula gives for what ran beside it: the references, and the copy of one of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from harness.grading.anchors import of_round
from harness.grading.comparison import Comparison, Side, by_pair
from harness.grading.criteria import Objective
from harness.grading.verdicts import objective_value
from harness.measures import names
from harness.measures.stats import t_interval

# Half as wide again as the widest of the references: a width is itself known roughly, and the difference of two that
# err independently of each other is 1.4 times as wide as either.
WIDER = 1.5
# From so many instances on a submission's interval is over them.
OVER_INSTANCES = 3


def room(objective: Objective, rounds: Sequence[Comparison]) -> float | None:
    """The most points above a submission's that its interval may count for; None where nothing tells it.

    WIDER times the widest half-width that the run gives to one of its references for the objective: within the
    instances, by the calls or items of each, in quadrature; and, where the interval is over instances, from one to
    the next, of what is no anchor.
    """
    within = [max(_halves(objective, r), default=None) for r in rounds]
    known = [half for half in within if half is not None]
    if not known or len(known) < len(rounds):
        return None
    half = math.hypot(*known) / len(known)
    if len(rounds) >= OVER_INSTANCES:
        between = max(_between(objective, rounds), default=None)
        if between is None:
            return None
        half = max(half, between)
    return WIDER * half


def repeat(objective: Objective, rounds: Sequence[Comparison]) -> float | None:
    """Half the width of a submission's points by process pairs alone; None where the objective is no time.

    Its own, and the expert's, who is an anchor and measured anew in each run. The instances are the same in every run
    on one seed, and so what differs between them is no noise between runs.
    """
    halves = []
    for r in rounds if objective.ratio_of else ():
        expert = r.references.get("expert")
        both = [_sides(objective, r, side) for side in (r.candidate, expert) if side]
        halves += [max(sides) for sides in both if sides is not None]
    return math.hypot(*halves) / len(rounds) if len(halves) == 2 * len(rounds) and halves else None


def _halves(objective: Objective, r: Comparison) -> Iterator[float]:
    """Half-widths in points of the references on one instance, of each the narrower side.

    The other has no end where a rate near 1 is counted by its log odds.
    """
    for side in _beside(objective, r):
        if (sides := _sides(objective, r, side)) is not None:
            yield min(sides)


def _sides(objective: Objective, r: Comparison, side: Side) -> tuple[float, float] | None:
    """How far somebody's interval on one instance reaches to either side, in points; None where they have none."""
    estimate = objective_value(objective, side, r.references, r.alpha)
    if estimate is None:
        return None
    low, at, high = (of_round(objective, r, v) for v in (estimate.low, estimate.value, estimate.high))
    if low is None or at is None or high is None:
        return None
    return abs(at - low), abs(high - at)


def _beside(objective: Objective, r: Comparison) -> Iterator[Side]:
    """Who was measured as the submission was: for a time in as many pairs, against another than itself."""
    everybody = [side for tier, side in r.references.items() if tier != objective.reference]
    everybody += [r.copy] if r.copy else []
    yield from (side for side in everybody if not objective.ratio_of or _as_often(objective, r, side))


def _as_often(objective: Objective, r: Comparison, side: Side) -> bool:
    reference = r.reference(objective.reference)
    groups = {names.split(measure).group for measure in objective.ratio_of}
    return reference is not None and all(
        len(by_pair(group, reference, side)) >= max(1, len(by_pair(group, reference, r.candidate)))
        for group in groups
    )


def _between(objective: Objective, rounds: Sequence[Comparison]) -> Iterator[float]:
    """Half-widths over instances of what no points are anchored to: the tier between the anchors, and the copy."""
    for sides in ([r.references.get("competent") for r in rounds], [r.copy for r in rounds]):
        each = []
        for r, side in zip(rounds, sides, strict=True):
            estimate = objective_value(objective, side, r.references, r.alpha) if side else None
            each += [of_round(objective, r, estimate.value)] if estimate else []
        points = [p for p in each if p is not None]
        if len(points) == len(rounds):
            low, high = t_interval(np.array(points))
            yield (high - low) / 2
