"""Pure: one criterion against what was measured: the objective's value, a constraint's verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from harness.grading.certificate import LEAST_MARGIN, disturbance, margin, timing, voided
from harness.grading.comparison import Comparison, Side, geometric_ratio, long_start, ratio, replicated
from harness.grading.criteria import IMPLIED_OF, Constraint, Criteria, Objective
from harness.grading.probes import undisturbed
from harness.grading.spread import spread
from harness.measures import names
from harness.measures.cost import BESIDE, READY, SINGLE_READING_MARGIN
from harness.measures.estimates import EDGE, Estimate, combine, log_of, or_else
from harness.measures.names import is_time
from harness.measures.stats import percentile_interval
from harness.readings import JUDGING
from harness.records import ConstraintResult, Culprit, Measurement, Tier, Timing, Verdict

# Why a verdict stays open.
CLOSE = "too close to call"
VOID = "no verdict, since this run's times are void"
# Parts of other figures, or before a submission is there: what they hold is judged elsewhere.
_UNJUDGED = ("shim", "first_", JUDGING)
# Stop on width: a ratio known to this half-width is known well enough (never on significance).
NARROW = 0.02


def objective_value(
    objective: Objective, side: Side, references: Mapping[Tier, Side], alpha: float = 0.05
) -> Estimate | None:
    """The objective of one submission on one instance; None when it cannot be had.

    What was read once and carries no interval (a peak of memory) gets a single reading's margin.
    """
    if objective.reference is None:
        measurement = side.assessed.get(objective.measure)
        if measurement is None or measurement.value is None:
            return None
        off = SINGLE_READING_MARGIN * abs(measurement.value)
        return Estimate(
            measurement.value,
            or_else(measurement.low, measurement.value - off),
            or_else(measurement.high, measurement.value + off),
        )
    reference = references.get(objective.reference)
    if reference is None:
        return None
    return geometric_ratio(objective.ratio_of, reference, side, alpha)


def judge(
    constraint: Constraint, rounds: Sequence[Comparison], trust: Timing | None = None
) -> ConstraintResult:
    """One constraint's verdict over all rounds, with the sentence that explains it.

    A budget that is a ratio of readings is judged with a tolerance in the candidate's favour: 3 %,
    for times at least twice the standard error of this run's A/A ratio, since a clock cannot show a
    smaller difference. Where the run's own times are void, what they were seen to be off by is added to the
    interval on both sides, and what lies beyond the limit even so has failed; any other verdict on a time is open.

    What the interval leaves open is decided by the order of the pairs where that can be. Where it is open because
    the candidate's own processes differ, it has failed if their mean lies beyond limit and tolerance.
    """
    return _judged(constraint, rounds, trust, final=True)[0]


def _judged(
    constraint: Constraint, rounds: Sequence[Comparison], trust: Timing | None, final: bool
) -> tuple[ConstraintResult, Estimate | None]:
    """As `judge`, with the estimate that was judged; `final`: no more pairs are to come that could decide it."""
    estimates = [_compared(constraint, r) for r in rounds]
    known = [e for e in estimates if e is not None]
    unit = _unit(constraint, rounds)
    if len(known) < len(rounds):
        return _result(constraint, unit, "inconclusive", None), None
    value = combine(known, log_of if constraint.compare == "ratio" else None)
    by_clock = constraint.compare == "ratio" and is_time(constraint.measure)
    exact = constraint.compare != "ratio" or value.low == value.high
    tolerance = margin(trust) if by_clock else 0.0 if exact else LEAST_MARGIN
    void = by_clock and voided(trust)
    if void:  # not too close to call: what this clock read is good for is to say what it cannot have been
        off = disturbance(trust)
        value = Estimate(value.value, value.low / off, value.high * off)
    verdict = _verdict(constraint, value, tolerance)
    if void and verdict == "pass":
        verdict = "inconclusive"
    result = _result(constraint, unit, verdict, value, VOID if void else CLOSE)
    if void and verdict == "inconclusive":
        result = result.model_copy(update={"open_by": culprit(trust), "void": True})
    elif by_clock and verdict == "inconclusive":
        result = _by_pairs(constraint, rounds, result, tolerance, final)
    if by_clock and (started := sum(_long_start(constraint, r) for r in rounds)):
        result = result.model_copy(update={"words": f"{result.words} ({started:.3g} s of its start counted)"})
    paired = by_clock and all(_replicated(constraint, r) for r in rounds)
    pairs = trust.pairs if trust and paired else 0
    return result.model_copy(update={"tolerance": tolerance, "pairs": pairs}), value


def _by_pairs(
    constraint: Constraint,
    rounds: Sequence[Comparison],
    open_: ConstraintResult,
    tolerance: float,
    final: bool,
) -> ConstraintResult:
    """What the process pairs say where the interval of their mean leaves a verdict open."""
    of_pairs = spread(constraint, rounds)
    if of_pairs is None:
        return open_
    log = math.log(max(constraint.threshold, EDGE))
    edge = math.log1p(tolerance) + (log if constraint.bound == "at_most" else -log)
    value = Estimate(*(or_else(v, 0.0) for v in (open_.value, open_.low, open_.high)))
    verdict = of_pairs.by_order(edge, rounds[0].alpha)
    if verdict != "inconclusive":
        decided = _result(constraint, open_.unit, verdict, value)
        where = "within" if verdict == "pass" else "beyond"
        words = f"{decided.words}; nearly all of its {len(of_pairs.own)} process pairs lie {where} it"
        return decided.model_copy(update={"words": words})
    if not of_pairs.is_own():
        return open_
    if final and of_pairs.mean > edge:
        failed = _result(constraint, open_.unit, "fail", value)
        words = f"{failed.words}; on average over its processes, since {of_pairs.in_words()}"
        return failed.model_copy(update={"words": words})
    words = f"{open_.words}: {of_pairs.in_words()}"
    return open_.model_copy(update={"open_by": "candidate", "words": words})


def culprit(trust: Timing | None) -> Culprit:
    """Whose doing it is that a run's times are void: the candidate's where a probe says so."""
    probes = trust.probes if trust else ()
    own = any(p.verdict == "void" and p.culprit == "candidate" for p in probes)
    return "candidate" if own else "machine"


def settled(criteria: Criteria, r: Comparison) -> bool:
    """Whether more process pairs could change nothing that matters: each ratio of times that is
    judged is decided or known to 2 %, and the objective, where it is one, is known to 2 %. What is not
    believed stays so.
    """
    trust = timing(criteria, [r])
    if trust is not None and any(probe.verdict == "implausible" for probe in trust.probes):
        return True
    (r,) = undisturbed([r], trust)
    if margin(trust) > LEAST_MARGIN:
        return False  # the clock itself is known too badly: a wide tolerance is no reason to stop
    for constraint in all_constraints(criteria, [r]):
        if constraint.compare != "ratio" or not _replicated(constraint, r):
            continue
        result, value = _judged(constraint, [r], trust, final=False)
        if result.verdict == "inconclusive" and not _narrow(value):
            return False
    if not criteria.objective.ratio_of:
        return True
    return _narrow(objective_value(criteria.objective, r.candidate, r.references, r.alpha))


def all_constraints(criteria: Criteria, rounds: Sequence[Comparison]) -> tuple[Constraint, ...]:
    """The task's constraints, and those that it implies for the time of which it says nothing."""
    tier = criteria.clock()
    sides = [s for r in rounds for s in (r.candidate, r.reference(tier)) if s is not None]
    groups = [
        names.split(m.name).group
        for m in rounds[0].candidate.assessed.measurements
        if m.unit == "s"
        and names.split(m.name).kind == "seconds"
        and all(s.value(m.name) is not None for s in sides)
    ]
    # What calls took beside the samples is part of the time to be ready, where there is one.
    with_others = {BESIDE} if READY in groups else set()
    due = sorted(g for g in groups if g not in with_others and not g.startswith(_UNJUDGED))
    return (*criteria.constraints, *criteria.implied(due))


def _replicated(constraint: Constraint, r: Comparison) -> bool:
    reference = r.reference(constraint.reference)
    return reference is not None and replicated(constraint.measure, r.candidate, reference)


def _long_start(constraint: Constraint, r: Comparison) -> float:
    reference = r.reference(constraint.reference)
    return long_start(constraint.measure, r.candidate, reference) if reference else 0.0


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
    reference = r.reference(constraint.reference)
    if reference is None:
        return None
    if constraint.compare == "ratio":
        return ratio(constraint.measure, r.candidate, reference, constraint.margin, r.alpha, constraint.least)
    other = reference.assessed.get(constraint.measure)
    if other is None or other.value is None:
        return None
    if constraint.interval:
        return _difference(own, other)
    # The hidden part of this instance is the yardstick itself: a floor has no sampling interval.
    return Estimate.exact(own.value - other.value)


def _difference(own: Measurement, other: Measurement) -> Estimate | None:
    """Of two values the difference with its interval over items resampled alike; None where either has no draws."""
    if own.value is None or other.value is None or not own.draws or len(own.draws) != len(other.draws):
        return None
    low, high = percentile_interval(np.subtract(own.draws, other.draws))
    return Estimate(own.value - other.value, low, high)


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
    group = names.split(constraint.measure).group
    if verdict != "pass" and constraint.least and group in IMPLIED_OF:
        return f"{_sentence(constraint, verdict, unit, value, why_open)} ({IMPLIED_OF[group]})"
    return _sentence(constraint, verdict, unit, value, why_open)


def _sentence(constraint: Constraint, verdict: Verdict, unit: str, value: Estimate, why_open: str) -> str:
    least = f" (which counts as {constraint.least:g} s at least)" if constraint.least else ""
    of = constraint.of.replace("_", " ")
    held_to = {"ratio": f" the {constraint.reference}'s{least}", "own_ratio": f" {of}"}
    against = held_to.get(constraint.compare, "")
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


def _narrow(ratio_: Estimate | None) -> bool:
    """Whether a ratio is known well enough; so is one that cannot be had, since more pairs would not give it."""
    return ratio_ is None or ratio_.high - ratio_.low <= 2 * NARROW * ratio_.value
