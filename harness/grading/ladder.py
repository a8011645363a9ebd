"""Pure: whether the references stand apart on what was measured, so that points between them say something.

Points divide by what lies between baseline and expert. Where that is noise, they are noise divided by noise: thousands
above or below, or a starter beside the expert. The built-in data were chosen so that the references stand apart; other
data, another model or size need not be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.grading.anchors import scale
from harness.grading.certificate import voided
from harness.grading.comparison import Comparison, Side
from harness.grading.criteria import LADDER, Objective
from harness.grading.verdicts import culprit, objective_value
from harness.ladders import LadderOn, Lead
from harness.measures.estimates import Estimate
from harness.measures.stats import Floats, percentile_interval
from harness.records import TIERS, ConstraintResult, Tier, Timing

# The interval of expert less baseline may be as wide as the difference itself: points are then known to half of it.
WIDEST = 1.0
# More than this nobody runs: the references are then as good as equal there.
MOST_INSTANCES = 50
OTHER_DATA = "other data, another model or another size may tell them apart"


def standing(
    objective: Objective,
    rounds: Sequence[Comparison],
    trust: Timing | None = None,
    other_instances: Sequence[LadderOn] = (),
) -> ConstraintResult | None:
    """An open verdict with the reason where the references do not stand apart; None where they do.

    They do where, on the scale of the points' formula: the 95 % interval of expert less baseline, paired over the
    same items, lies above 0 and is narrower than the difference, both over all instances (`other_instances` of the
    same data included); the expert is better on each of the rounds; and the competent reference lies between the two,
    or within its interval of one. `value` is the width of that interval by the difference, None where the difference
    is not above 0.
    """
    here = [ladder_on(objective, r) for r in rounds]
    known = [one for one in here if one is not None]
    if not known or len(known) < len(here):
        return None
    every = [*other_instances, *known]
    why = standing_over(objective, every) or _on_each(known)
    if not why:
        return None
    lead = _mean([one.expert for one in every])
    wide = (lead.high - lead.low) / lead.value if lead.value > 0 else None
    by_clock = bool(objective.ratio_of) and voided(trust)
    return ConstraintResult(
        name=LADDER,
        measure=objective.measure,
        unit="",
        verdict="inconclusive",
        value=wide,
        low=wide,
        high=wide,
        threshold=WIDEST,
        bound="at_most",
        words=f"no points on these data: {why}",
        open_by=culprit(trust) if by_clock else "data",
    )


def ladder_on(objective: Objective, r: Comparison) -> LadderOn | None:
    """How far the references stand apart on one instance; None where an anchor was not measured.

    Intervals are those of the measurement on that instance. What another would give is no part of them: each is
    scored between its own references.
    """
    expert = _step(objective, r, "expert", "baseline")
    if expert is None:
        return None
    values = {
        str(tier): _lead(value)
        for tier, side in r.references.items()
        if (value := objective_value(objective, side, r.references, r.alpha)) is not None
    }
    competent, rest = (
        _step(objective, r, *pair) for pair in (("competent", "baseline"), ("expert", "competent"))
    )
    return LadderOn(expert=expert, competent=competent, rest=rest, values=values)


def instances_needed(lead: Lead, instances: int) -> int:
    """About how many instances would do where so many gave this lead, which is above 0."""
    wide = max(lead.high - lead.low, 2 * (lead.value - lead.low)) / lead.value
    return max(instances + 1, math.ceil(instances * (wide / WIDEST) ** 2))


def standing_over(objective: Objective, every: Sequence[LadderOn]) -> str:
    """What speaks against the ladder over all these instances, and what would mend it; "" where nothing does."""
    lead, figures = _mean([one.expert for one in every]), _figures(every)
    if lead.value <= 0:
        return f"the expert reference is no better than the baseline ({figures}); {OTHER_DATA}"
    if lead.low <= 0 or lead.high - lead.low >= WIDEST * lead.value:
        return (
            f"the expert reference's lead over the baseline is hardly more than noise ({figures}); "
            f"{_mend(objective, lead, len(every))}"
        )
    competent = _over([one.competent for one in every])
    if competent is not None and competent.high < 0:
        return f"the competent reference is worse than the baseline ({figures}); {OTHER_DATA}"
    rest = _over([one.rest for one in every])
    if rest is not None and rest.high < 0:
        return f"the competent reference is better than the expert ({figures}); {OTHER_DATA}"
    return ""


def _on_each(known: Sequence[LadderOn]) -> str:
    """Points are a mean over instances, and on each of them the lead is what they are divided by."""
    worse = [one for one in known if one.expert.value <= 0]
    if not worse:
        return ""
    where = "this instance" if len(known) == 1 else f"{len(worse)} of {len(known)} instances"
    return f"on {where} the expert reference is no better than the baseline ({_figures(worse)}); {OTHER_DATA}"


def _mend(objective: Objective, lead: Lead, instances: int) -> str:
    if objective.ratio_of:
        return "more process pairs or a quieter machine may show it, else larger sizes"
    needed = instances_needed(lead, instances)
    times = math.ceil(needed / instances)
    return (
        f"about {needed} instances, or {times} times as many scored items, would show whether it is there"
        if needed <= MOST_INSTANCES
        else f"it would take about {needed} instances to see it: {OTHER_DATA}"
    )


def _figures(every: Sequence[LadderOn]) -> str:
    """The references' values, mean over instances, each with its interval."""
    told = []
    for tier in TIERS:
        values = [one.values.get(tier) for one in every]
        if (mean := _over(values)) is not None:
            told.append(f"{tier} {mean.value:.3g} ({mean.low:.3g} to {mean.high:.3g})")
    return ", ".join(told)


def _over(each: Sequence[Lead | None]) -> Lead | None:
    """The mean over instances; None where one of them lacks it."""
    known = [one for one in each if one is not None]
    return _mean(known) if known and len(known) == len(each) else None


def _mean(each: Sequence[Lead]) -> Lead:
    """The mean with its half-widths in quadrature."""
    centre = sum(one.value for one in each) / len(each)
    below = math.hypot(*(one.value - one.low for one in each)) / len(each)
    above = math.hypot(*(one.high - one.value for one in each)) / len(each)
    return Lead(value=centre, low=centre - below, high=centre + above)


def _lead(estimate: Estimate) -> Lead:
    return Lead(value=estimate.value, low=estimate.low, high=estimate.high)


def _step(objective: Objective, r: Comparison, upper: Tier, lower: Tier) -> Lead | None:
    over, under = r.reference(upper), r.reference(lower)
    if over is None or under is None:
        return None
    top, bottom = (objective_value(objective, side, r.references, r.alpha) for side in (over, under))
    if top is None or bottom is None:
        return None
    f, sign = scale(objective.scale), -1.0 if objective.direction == "lower" else 1.0
    centre = sign * (f(top.value) - f(bottom.value))
    paired = _draws(objective, over, under)
    if paired is not None:
        low, high = sorted(sign * end for end in percentile_interval(paired))
        return Lead(value=centre, low=min(low, centre), high=max(high, centre))
    below, above = [], []
    for way, one in ((sign, top), (-sign, bottom)):
        ends = sorted(way * (f(end) - f(one.value)) for end in (one.low, one.high))
        below.append(min(0.0, ends[0]))
        above.append(max(0.0, ends[1]))
    return Lead(value=centre, low=centre - math.hypot(*below), high=centre + math.hypot(*above))


def _draws(objective: Objective, over: Side, under: Side) -> Floats | None:
    """The difference on the objective's scale over resampled items, drawn alike for both; None without draws."""
    measured = [side.assessed.get(objective.measure) for side in (over, under)]
    top, bottom = (m.draws if m else () for m in measured)
    if objective.ratio_of or not top or len(top) != len(bottom):
        return None
    f = scale(objective.scale)
    return np.array([f(a) - f(b) for a, b in zip(top, bottom, strict=True)])
