"""Pure: one criterion against what was measured: the objective's value, a constraint's verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.grading.certificate import LEAST_MARGIN, margin, timing, voided
from harness.grading.comparison import Comparison, Side, geometric_ratio, ratio, replicated
from harness.grading.criteria import Constraint, Criteria, Objective
from harness.measures.cost import SINGLE_READING_MARGIN
from harness.measures.estimates import EDGE, Estimate, combine, log_of, or_else
from harness.measures.names import is_time
from harness.records import ConstraintResult, Tier, Timing, Verdict

# Why a verdict stays open.
CLOSE = "too close to call"
VOID = "no verdict, since this run's times are void"
# Stop on width: a ratio known to this half-width is known well enough (never on significance).
NARROW = 0.02


def objective_value(
    objective: Objective, side: Side, references: Mapping[Tier, Side], alpha: float = 0.05
) -> Estimate | None:
    """The objective of one submission on one instance; None when it cannot be had.

    What was read once and carries no interval (a peak of memory) gets a single reading's margin.
    """
    if not objective.ratio_of:
        measurement = side.assessed.get(objective.measure)
        if measurement is None or measurement.value is None:
            return None
        off = SINGLE_READING_MARGIN * abs(measurement.value)
        return Estimate(
            measurement.value,
            or_else(measurement.low, measurement.value - off),
            or_else(measurement.high, measurement.value + off),
        )
    reference = references.get(objective.reference or "baseline")
    if reference is None:
        return None
    return geometric_ratio(objective.ratio_of, reference, side, alpha)


def judge(
    constraint: Constraint, rounds: Sequence[Comparison], trust: Timing | None = None
) -> ConstraintResult:
    """One constraint's verdict over all rounds, with the sentence that explains it.

    A budget that is a ratio of readings is judged with a tolerance in the candidate's favour: 3 %,
    for times at least twice the standard error of this run's A/A ratio, since a clock cannot show a
    smaller difference. Where the run's own times are void, a verdict on a time stays open.
    """
    estimates = [_compared(constraint, r) for r in rounds]
    known = [e for e in estimates if e is not None]
    unit = _unit(constraint, rounds)
    if len(known) < len(rounds):
        return _result(constraint, unit, "inconclusive", None)
    value = combine(known, log_of if constraint.compare == "ratio" else None)
    by_clock = constraint.compare == "ratio" and is_time(constraint.measure)
    exact = constraint.compare != "ratio" or value.low == value.high
    tolerance = margin(trust) if by_clock else 0.0 if exact else LEAST_MARGIN
    if by_clock and voided(trust):  # not too close to call: nothing that this clock read is called at all
        result = _result(constraint, unit, "inconclusive", value, VOID)
    else:
        result = _result(constraint, unit, _verdict(constraint, value, tolerance), value)
    paired = by_clock and all(_replicated(constraint, r) for r in rounds)
    pairs = trust.pairs if trust and paired else 0
    return result.model_copy(update={"tolerance": tolerance, "pairs": pairs})


def settled(criteria: Criteria, r: Comparison) -> bool:
    """Whether more process pairs could change nothing that matters: each ratio of times that is
    judged is decided or known to 2 %, and the objective, where it is one, is known to 2 %.
    """
    trust = timing(criteria, [r])
    if margin(trust) > LEAST_MARGIN:
        return False  # the clock itself is known too badly: a wide tolerance is no reason to stop
    for constraint in criteria.constraints:
        if constraint.compare != "ratio" or not _replicated(constraint, r):
            continue
        result = judge(constraint, [r], trust)
        if result.verdict == "inconclusive" and not _narrow(result.value, result.low, result.high):
            return False
    if not criteria.objective.ratio_of:
        return True
    value = objective_value(criteria.objective, r.candidate, r.references, r.alpha)
    return value is None or _narrow(value.value, value.low, value.high)


def _replicated(constraint: Constraint, r: Comparison) -> bool:
    reference = r.references.get(constraint.reference or "baseline")
    return reference is not None and replicated(constraint.measure, r.candidate, reference)


def _compared(constraint: Constraint, r: Comparison) -> Estimate | None:
    own = r.candidate.assessed.get(constraint.measure)
    if own is None or own.value is None:
        return None
    if constraint.compare == "absolute":
        half = abs(own.value) * (constraint.margin or 0.0)
        return Estimate(own.value, or_else(own.low, own.value - half), or_else(own.high, own.value + half))
    if constraint.compare == "own_ratio":
        other = r.candidate.value(constraint.of)
        return Estimate.exact(own.value / other) if other else None
    reference = r.references.get(constraint.reference or "baseline")
    if reference is None:
        return None
    if constraint.compare == "ratio":
        return ratio(constraint.measure, r.candidate, reference, constraint.margin, r.alpha)
    other = reference.value(constraint.measure)
    # The hidden part of this instance is the yardstick itself: a floor has no sampling interval.
    return Estimate.exact(own.value - other) if other is not None else None


def _verdict(constraint: Constraint, value: Estimate, tolerance: float = 0.0) -> Verdict:
    low, high, edge = value.low, value.high, constraint.threshold
    if tolerance:
        edge *= 1 + tolerance if constraint.bound == "at_most" else 1 / (1 + tolerance)
    if constraint.bound == "at_least":
        low, high, edge = -high, -low, -edge
    if high <= edge + 1e-12:
        return "pass"
    return "fail" if low > edge + 1e-12 else "inconclusive"


def _result(
    constraint: Constraint, unit: str, verdict: Verdict, value: Estimate | None, why_open: str = CLOSE
) -> ConstraintResult:
    return ConstraintResult(
        name=constraint.name,
        measure=constraint.measure,
        unit=unit,
        verdict=verdict,
        value=value.value if value else None,
        low=value.low if value else None,
        high=value.high if value else None,
        threshold=constraint.threshold,
        bound=constraint.bound,
        reference=constraint.reference or constraint.of,
        words=_words(constraint, verdict, unit, value, why_open),
    )


def _words(constraint: Constraint, verdict: Verdict, unit: str, value: Estimate | None, why_open: str) -> str:
    if value is None:
        return f"{constraint.name}: not measured, so it cannot be judged"
    against = {"ratio": f" the {constraint.reference}'s", "own_ratio": f" {constraint.of}"}.get(
        constraint.compare, ""
    )
    apart = constraint.compare == "difference"
    than = f" against the {constraint.reference}'s" if apart else ""
    bound = "at most" if constraint.bound == "at_most" else "at least"
    sign, unit = "+" if apart else "", " times" if unit == "x" else unit
    sentence = f"{constraint.name}: {value.value:{sign}.4g}{unit}{against}{than}"
    allowed = f"{bound} {constraint.threshold:.4g} allowed"
    if verdict == "pass":
        return f"{sentence}; {allowed}"
    if verdict == "fail":
        over = abs(value.value - constraint.threshold)
        share = f"{over / max(abs(constraint.threshold), EDGE):.0%} of the threshold"
        return f"{sentence}; {allowed}; missed by {f'{over:.4g}' if apart else share}"
    return f"{sentence}, anywhere from {value.low:.4g} to {value.high:.4g}; {allowed}: {why_open}"


def _unit(constraint: Constraint, rounds: Sequence[Comparison]) -> str:
    if constraint.compare in ("ratio", "own_ratio"):
        return "x"
    measurement = rounds[-1].candidate.assessed.get(constraint.measure)
    return measurement.unit if measurement else ""


def _narrow(value: float | None, low: float | None, high: float | None) -> bool:
    if not value or low is None or high is None:
        return True
    return (high - low) / (2 * value) <= NARROW
