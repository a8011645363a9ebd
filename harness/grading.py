"""Pure: measurements and criteria in, a Score out. Touches no disk, clock, process or environment.

points = 100 * (f(v) - f(baseline)) / (f(expert) - f(baseline)) for each instance, with both
references measured on that instance and machine, then the mean over instances. A constraint is a
gate with three answers; one that fails gives 0 points, and the unconstrained value is still shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from harness.criteria import Constraint, Criteria, Objective
from harness.measures.cost import QUANTILES, SINGLE_READING_MARGIN
from harness.measures.estimates import Estimate, combine, geometric
from harness.measures.stats import paired_log_ratio_interval, percentile_interval, t_interval
from harness.records import (
    OURS,
    TIERS,
    Assessed,
    ConstraintResult,
    Measurement,
    Outcome,
    Rung,
    Score,
    Tier,
    Verdict,
)

Reached = Literal["below baseline", "baseline", "competent", "expert", "none"]
SHOWN_LOW, SHOWN_HIGH = -25.0, 125.0
# A tier counts as reached from this many points below it: two runs of one solution differ a little.
TIER_TOLERANCE = 5.0
_EDGE = 1e-6


@dataclass(frozen=True)
class Side:
    """One submission on one instance: what was derived, and its timed requests by group and item."""

    assessed: Assessed
    times: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def value(self, measure: str) -> float | None:
        """The value of a measurement, or None when it was not measured."""
        found = self.assessed.get(measure)
        return found.value if found else None


@dataclass(frozen=True)
class Round:
    """The candidate and the references on one instance."""

    candidate: Side
    references: Mapping[Tier, Side]


def scale(name: str) -> Callable[[float], float]:
    """The f of the points' formula: identity, log (times and sizes), logit (rates near 1)."""
    if name == "log":
        return lambda v: math.log(max(v, _EDGE))
    if name == "logit":
        return lambda v: math.log(min(max(v, _EDGE), 1 - _EDGE) / (1 - min(max(v, _EDGE), 1 - _EDGE)))
    return lambda v: v


def objective_value(objective: Objective, side: Side, references: Mapping[Tier, Side]) -> Estimate | None:
    """The objective of one submission on one instance; None when it cannot be had."""
    if not objective.ratio_of:
        found = side.assessed.get(objective.measure)
        if found is None or found.value is None:
            return None
        return Estimate(found.value, _or(found.low, found.value), _or(found.high, found.value))
    reference = references.get(objective.reference or "baseline")
    if reference is None:
        return None
    ratios = [ratio(measure, reference, side, None) for measure in objective.ratio_of]
    if any(r is None for r in ratios):
        return None
    known = [r for r in ratios if r is not None]
    return Estimate(
        geometric([r.value for r in known]),
        geometric([r.low for r in known]),
        geometric([r.high for r in known]),
    )


def ratio(measure: str, top: Side, bottom: Side, margin: float | None) -> Estimate | None:
    """`top`'s value by `bottom`'s. Paired by request for a latency, else one reading with its margin."""
    group, _, quantile = measure.rpartition("_")
    if quantile in QUANTILES and group in top.times and group in bottom.times:
        items = [item for item in top.times[group] if item in bottom.times[group]]
        if items:
            pairs = np.array([[top.times[group][item], bottom.times[group][item]] for item in items])
            return Estimate(*paired_log_ratio_interval(pairs[:, 0], pairs[:, 1], QUANTILES[quantile]))
    over, under = top.value(measure), bottom.value(measure)
    if over is None or not under:
        return None
    exact = all(_exact(side.assessed.get(measure)) for side in (top, bottom))
    spread = 1 + ((0.0 if exact else SINGLE_READING_MARGIN) if margin is None else margin)
    return Estimate(over / under, over / under / spread, over / under * spread)


def _exact(found: Measurement | None) -> bool:
    # A count, not a reading: its interval is its value.
    return found is not None and found.low == found.value == found.high


def points(objective: Objective, value: float, baseline: float, expert: float) -> float | None:
    """Points of a value between its instance's anchors; None where the expert is no better than the baseline."""
    f = scale(objective.scale)
    span = f(expert) - f(baseline)
    better = -span if objective.direction == "lower" else span
    return 100.0 * (f(value) - f(baseline)) / span if better > 0 else None


def grade(criteria: Criteria, rounds: Sequence[Round]) -> Score:
    """The score of the candidate over all rounds; the first round that failed speaks for all."""
    failed = next((r.candidate.assessed for r in rounds if r.candidate.assessed.outcome != "ok"), None)
    if failed is not None:
        return unscored(criteria, failed.outcome, failed.reason, failed.measurements)
    estimates = [objective_value(criteria.objective, r.candidate, r.references) for r in rounds]
    known = [e for e in estimates if e is not None]
    measurements = merged([r.candidate.assessed for r in rounds])
    if len(known) < len(rounds):
        reason = f"{criteria.objective.measure} could not be measured"
        return unscored(criteria, "harness_error", reason, measurements)
    value = combine(known, _log if criteria.objective.ratio_of else None)
    uncapped, low, high = _points(criteria.objective, rounds, known, value)
    constraints = tuple(judge(c, rounds) for c in criteria.constraints)
    strange = _implausible(criteria, measurements, value)
    outcome = _outcome(constraints, strange, uncapped)
    reached = _tier(criteria.objective, rounds, uncapped)
    counted = _shown(uncapped) if outcome in ("ok", "inconclusive") else 0.0
    return Score(
        outcome=outcome, points=counted, points_uncapped=uncapped, points_low=low, points_high=high,
        tier=reached if outcome in ("ok", "inconclusive") else "none",
        objective=_objective(criteria.objective, value, known), constraints=constraints,
        measurements=measurements, reasons=_reasons(outcome, uncapped, reached, constraints, strange),
    )  # fmt: skip


def ladder(criteria: Criteria, rounds: Sequence[Round]) -> tuple[Rung, ...]:
    """The references' places: mean objective and mean points over the rounds in which each stands."""
    rungs = []
    for tier in TIERS:
        sides = [(r, r.references[tier]) for r in rounds if tier in r.references]
        if not sides:
            continue
        values = [objective_value(criteria.objective, side, r.references) for r, side in sides]
        known = [v.value for v in values if v is not None]
        scored = [
            p
            for r, v in zip(rounds, values, strict=False)
            if v and (p := _of_round(criteria.objective, r, v.value)) is not None
        ]
        assessed = sides[-1][1].assessed
        rungs.append(
            Rung(
                tier=tier,
                objective=float(np.mean(known)) if known else None,
                points=float(np.mean(scored)) if scored else None,
                reused_from=assessed.reused_from,
                outcome=assessed.outcome,
            )
        )
    return tuple(rungs)


def judge(constraint: Constraint, rounds: Sequence[Round]) -> ConstraintResult:
    """One constraint's verdict over all rounds, with the sentence that explains it."""
    estimates = [_compared(constraint, r) for r in rounds]
    known = [e for e in estimates if e is not None]
    unit = _unit(constraint, rounds)
    if len(known) < len(rounds):
        return _result(constraint, unit, "inconclusive", None)
    value = combine(known, _log if constraint.compare == "ratio" else None)
    return _result(constraint, unit, _verdict(constraint, value), value)


def merged(assessed: Sequence[Assessed]) -> tuple[Measurement, ...]:
    """One measurement for each name: the only one, or the mean over instances with its interval."""
    if len(assessed) == 1:
        return assessed[0].measurements
    found = []
    for first in assessed[0].measurements:
        same = [m for a in assessed if (m := a.get(first.name)) is not None]
        if any(m.value is None for m in same):
            found.append(first)
            continue
        estimates = [Estimate(m.value or 0.0, _or(m.low, m.value), _or(m.high, m.value)) for m in same]
        value = combine(estimates, None)
        samples = tuple(sample for m in same for sample in m.samples)
        update = {"value": value.value, "low": value.low, "high": value.high, "samples": samples}
        found.append(first.model_copy(update=update))
    return tuple(found)


def _compared(constraint: Constraint, r: Round) -> Estimate | None:
    own = r.candidate.assessed.get(constraint.measure)
    if own is None or own.value is None:
        return None
    if constraint.compare == "absolute":
        half = abs(own.value) * (constraint.margin or 0.0)
        return Estimate(own.value, _or(own.low, own.value - half), _or(own.high, own.value + half))
    if constraint.compare == "own_ratio":
        other = r.candidate.value(constraint.of)
        return Estimate(*(own.value / other,) * 3) if other else None
    reference = r.references.get(constraint.reference or "baseline")
    if reference is None:
        return None
    if constraint.compare == "ratio":
        return ratio(constraint.measure, r.candidate, reference, constraint.margin)
    other = reference.value(constraint.measure)
    # The hidden part of this instance is the yardstick itself: a floor has no sampling interval.
    return Estimate(*(own.value - other,) * 3) if other is not None else None


def _verdict(constraint: Constraint, value: Estimate) -> Verdict:
    low, high, edge = value.low, value.high, constraint.threshold
    if constraint.bound == "at_least":
        low, high, edge = -high, -low, -edge
    if high <= edge + 1e-12:
        return "pass"
    return "fail" if low > edge + 1e-12 else "inconclusive"


def _result(constraint: Constraint, unit: str, verdict: Verdict, value: Estimate | None) -> ConstraintResult:
    return ConstraintResult(
        name=constraint.name, measure=constraint.measure, unit=unit, verdict=verdict,
        value=value.value if value else None, low=value.low if value else None,
        high=value.high if value else None, threshold=constraint.threshold, bound=constraint.bound,
        reference=constraint.reference or constraint.of, words=_words(constraint, verdict, unit, value),
    )  # fmt: skip


def _words(constraint: Constraint, verdict: Verdict, unit: str, value: Estimate | None) -> str:
    if value is None:
        return f"{constraint.name}: not measured, so it cannot be judged"
    against = {"ratio": f" the {constraint.reference}'s", "own_ratio": f" {constraint.of}"}.get(
        constraint.compare, ""
    )
    than = f" than the {constraint.reference}'s" if constraint.compare == "difference" else ""
    bound = "at most" if constraint.bound == "at_most" else "at least"
    said = f"{constraint.name}: {value.value:.4g}{unit if unit != 'x' else ' times'}{against}{than}"
    allowed = f"{bound} {constraint.threshold:.4g} allowed"
    if verdict == "pass":
        return f"{said}; {allowed}"
    if verdict == "fail":
        over = abs(value.value - constraint.threshold) / max(abs(constraint.threshold), _EDGE)
        return f"{said}; {allowed}; missed by {over:.0%} of the threshold"
    return f"{said}, anywhere from {value.low:.4g} to {value.high:.4g}; {allowed}: too close to call"


def _unit(constraint: Constraint, rounds: Sequence[Round]) -> str:
    if constraint.compare in ("ratio", "own_ratio"):
        return "x"
    found = rounds[-1].candidate.assessed.get(constraint.measure)
    return found.unit if found else ""


def _of_round(objective: Objective, r: Round, value: float) -> float | None:
    anchors = []
    for tier in ("baseline", "expert"):
        side = r.references.get(tier)
        anchor = objective_value(objective, side, r.references) if side else None
        if anchor is None:
            return None
        anchors.append(anchor.value)
    return points(objective, value, anchors[0], anchors[1])


def _points(
    objective: Objective, rounds: Sequence[Round], known: Sequence[Estimate], value: Estimate
) -> tuple[float | None, float | None, float | None]:
    each = [_of_round(objective, r, e.value) for r, e in zip(rounds, known, strict=True)]
    found = [p for p in each if p is not None]
    if len(found) < len(each):
        return None, None, None
    centre = float(np.mean(found))
    if len(found) >= 3:
        low, high = t_interval(np.array(found))
        return centre, low, high
    paired = _paired_points(objective, rounds[0]) if len(rounds) == 1 else None
    if paired is not None:
        return centre, *paired
    edges = [
        [p for r in rounds if (p := _of_round(objective, r, edge)) is not None]
        for edge in (value.low, value.high)
    ]
    low, high = sorted(float(np.mean(edge)) for edge in edges)
    return centre, low, high


def _paired_points(objective: Objective, r: Round) -> tuple[float, float] | None:
    """The points' interval over resampled items, drawn alike for candidate and anchors; None without draws.

    Anchors that are measured on the same items share most of the candidate's luck: unpaired, the
    interval would be several times too wide.
    """
    anchors = [r.references[tier].assessed for tier in ("baseline", "expert")]
    found = [side.get(objective.measure) for side in (r.candidate.assessed, *anchors)]
    draws = [m.draws for m in found if m is not None]
    if len(draws) < len(found) or not draws[0] or len({len(d) for d in draws}) > 1:
        return None
    each = [p for v, b, e in zip(*draws, strict=True) if (p := points(objective, v, b, e)) is not None]
    return percentile_interval(np.array(each)) if each else None


def _tier(objective: Objective, rounds: Sequence[Round], uncapped: float | None) -> Reached:
    if uncapped is None:
        return "none"
    reached: Reached = "below baseline"
    for tier in TIERS:
        at = []
        for r in rounds:
            side = r.references.get(tier)
            estimate = objective_value(objective, side, r.references) if side else None
            place = _of_round(objective, r, estimate.value) if estimate else None
            at += [place] if place is not None else []
        if at and uncapped >= float(np.mean(at)) - TIER_TOLERANCE:
            reached = tier
    return reached


def _outcome(constraints: Sequence[ConstraintResult], strange: str, uncapped: float | None) -> Outcome:
    if strange:
        return "implausible"
    verdicts = {c.verdict for c in constraints}
    if "fail" in verdicts:
        return "budget_exceeded"
    if uncapped is None:
        return "harness_error"
    return "inconclusive" if "inconclusive" in verdicts else "ok"


def _implausible(criteria: Criteria, measurements: Sequence[Measurement], value: Estimate) -> str:
    values = {m.name: m.value for m in measurements} | {criteria.objective.measure: value.value}
    for bound in criteria.plausible:
        found = values.get(bound.measure)
        if found is None:
            continue
        if (bound.low is not None and found < bound.low) or (bound.high is not None and found > bound.high):
            return f"{bound.measure} is {found:.4g}: {bound.because}"
    return ""


def _reasons(
    outcome: Outcome, uncapped: float | None, tier: str, constraints: Sequence[ConstraintResult], strange: str
) -> tuple[str, ...]:
    if strange:
        return (f"the result is not believed and gives no points: {strange}",)
    if outcome in ("budget_exceeded", "inconclusive"):
        wanted = "fail" if outcome == "budget_exceeded" else "inconclusive"
        words = tuple(c.words for c in constraints if c.verdict == wanted)
        provisional = "the points are provisional: nothing is certified while a verdict is open"
        return words if outcome == "budget_exceeded" else (*words, provisional)
    if uncapped is None:
        return ("no points can be given: the expert is absent or no better than the baseline on an instance",)
    return (f"every constraint passed; the objective reaches the tier {tier!r}",)


def unscored(
    criteria: Criteria, outcome: Outcome, reason: str, measurements: tuple[Measurement, ...] = ()
) -> Score:
    """The score of what did not finish: 0 points, no objective, and the reason in words."""
    who = "the harness" if outcome in OURS else "the submission"
    objective = criteria.objective
    absent = Measurement(
        name=objective.measure, unit=objective.unit, direction=objective.direction, value=None,
        absent_because=f"{who} did not finish: {outcome}",
    )  # fmt: skip
    return Score(
        outcome=outcome, points=0.0, points_uncapped=None, tier="none", objective=absent, constraints=(),
        measurements=measurements, reasons=(f"{outcome.replace('_', ' ')}: {reason}",),
    )  # fmt: skip


def _objective(objective: Objective, value: Estimate, known: Sequence[Estimate]) -> Measurement:
    return Measurement(
        name=objective.measure, unit=objective.unit, direction=objective.direction, value=value.value,
        low=value.low, high=value.high, samples=tuple(e.value for e in known),
    )  # fmt: skip


def _log(ratio_: float) -> float:
    # An empty answer gives a ratio of 0: small beyond any threshold, and no reason to fall over.
    return math.log(max(ratio_, _EDGE))


def _shown(uncapped: float | None) -> float:
    return 0.0 if uncapped is None else min(max(uncapped, SHOWN_LOW), SHOWN_HIGH)


def _or(value: float | None, fallback: float | None) -> float:
    return value if value is not None else fallback if fallback is not None else 0.0
