"""Pure: an objective's value as points between the anchors of its instance, the baseline and the expert.

points = 100 * (f(v) - f(baseline)) / (f(expert) - f(baseline)).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.grading.comparison import Comparison
from harness.grading.criteria import Objective
from harness.grading.verdicts import objective_value
from harness.measures.estimates import EDGE


def scale(name: str) -> Callable[[float], float]:
    """The f of the points' formula: identity, log (times and sizes), logit (rates near 1)."""
    if name == "log":
        return lambda v: math.log(max(v, EDGE))
    if name == "logit":
        return _logit
    return lambda v: v


def _logit(rate: float) -> float:
    within = min(max(rate, EDGE), 1 - EDGE)
    return math.log(within / (1 - within))


def points(objective: Objective, value: float, baseline: float, expert: float) -> float | None:
    """Points of a value between its instance's anchors; None where the expert is no better than the baseline."""
    f = scale(objective.scale)
    span = f(expert) - f(baseline)
    better = -span if objective.direction == "lower" else span
    return 100.0 * (f(value) - f(baseline)) / span if better > 0 else None


def of_round(objective: Objective, r: Comparison, value: float) -> float | None:
    """Points of a value on one instance; None where an anchor has no value there."""
    anchors = []
    for tier in ("baseline", "expert"):
        side = r.references.get(tier)
        anchor = objective_value(objective, side, r.references) if side else None
        if anchor is None:
            return None
        anchors.append(anchor.value)
    return points(objective, value, anchors[0], anchors[1])
