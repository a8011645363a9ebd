"""Pure: what cannot be true, and what is so good that a person looks at it before it counts.

Neither says how a result came about. What is looked at was measured well and broke no rule that the harness knows;
a better idea than the expert's does it as well as a table of the answers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.grading.comparison import Comparison
from harness.grading.criteria import LOOK, OVER_EXPERT, Criteria, Plausible
from harness.grading.verdicts import objective_value
from harness.measures.estimates import Estimate, or_else
from harness.readings import Contents
from harness.records import ConstraintResult, Measurement, Score, Timing
from harness.tiers import EXPERT_POINTS


def impossible(
    criteria: Criteria, measurements: Sequence[Measurement], value: Estimate, trust: Timing | None
) -> str:
    """Why a result is not believed at all; "" where it is."""
    probe = next((p.words for p in trust.probes if p.verdict == "implausible"), "") if trust else ""
    if probe:
        return probe
    values = _values(criteria, measurements, value)
    for bound in criteria.plausible:
        own = values.get(bound.measure)
        if (
            bound.impossible
            and not bound.over_references
            and own is not None
            and _beyond(bound, own) is not None
        ):
            return f"{bound.measure} is {own:.4g}: {bound.because}"
    return ""


def looked_at(
    criteria: Criteria,
    rounds: Sequence[Comparison],
    measurements: Sequence[Measurement],
    value: Estimate,
    uncapped: float | None,
) -> tuple[ConstraintResult, ...]:
    """The bounds of what is plausible that were passed, as open verdicts that wait for the evaluator."""
    measure = criteria.objective.measure
    most = EXPERT_POINTS + OVER_EXPERT
    results = []
    if uncapped is not None and uncapped > most:
        words = (
            f"open: look at it: {uncapped:.0f} points uncut, {uncapped - EXPERT_POINTS:.0f} over the expert's, "
            f"where up to {OVER_EXPERT:.0f} count unseen"
        )
        results.append(_open(measure, "points", uncapped, most, "at_most", words))
    values = _values(criteria, measurements, value)
    units = {m.name: m.unit for m in measurements} | {measure: criteria.objective.unit}
    for bound in criteria.plausible:
        own = values.get(bound.measure)
        if bound.over_references:
            results += _over_references(bound, rounds, values)
            continue
        edge = None if own is None or bound.impossible else _beyond(bound, own)
        if (
            own is None
            or edge is None
            or any(_beyond(bound, v) is not None for v in _experts(bound, criteria, rounds))
        ):
            continue
        words = f"open: look at it: {bound.measure} is {own:.4g}: {bound.because}"
        side = "at_least" if edge == bound.low else "at_most"
        results.append(_open(bound.measure, units.get(bound.measure, ""), own, edge, side, words))
    return tuple(results)


def _over_references(
    bound: Plausible, rounds: Sequence[Comparison], values: dict[str, float | None]
) -> list[ConstraintResult]:
    """Whether a measure lies above every reference's by more than the bound and than its own noise, over instances."""
    own = [m for r in rounds if (m := r.candidate.assessed.get(bound.measure)) is not None]
    known = [m.value for m in own if m.value is not None]
    if bound.high is None or not known or len(known) < len(rounds):
        return []
    theirs = [[side.value(bound.measure) for side in r.references.values()] for r in rounds]
    most = [max([0.0, *(v for v in values_of if v is not None)]) for values_of in theirs]
    noise = math.hypot(*(v - or_else(m.low, v) for v, m in zip(known, own, strict=True))) / len(known)
    value, largest = sum(known) / len(known), sum(most) / len(most)
    edge = largest + bound.high
    if value - noise <= edge:
        return []
    told = ", ".join(f"{name} is {v:.3g}" for name in bound.tells if (v := values.get(name)) is not None)
    figures = (
        f"{bound.measure} is {value:.3g} (at least {value - noise:.3g}), of references at most {largest:.3g}"
    )
    words = f"open: look at it: {told}{', ' if told else ''}{figures}: {bound.because}"
    return [_open(bound.measure, "", value, edge, "at_most", words)]


def where_to_look(score: Score, contents: Contents | None) -> Score:
    """The score with the submission's largest file and longest literal named, where it is one to look at."""
    if contents is None or not any(c.open_by == "evaluator" for c in score.constraints):
        return score
    words = f"its largest file is {contents.largest} ({_kib(contents.largest_bytes)})"
    if contents.literal:
        place = f"{contents.literal}, line {contents.literal_line}"
        words += f", its longest literal is in {place} ({_kib(contents.literal_bytes)})"
    else:
        words += "; its Python files hold no literal"
    opened = [c.words for c in score.constraints if c.open_by == "evaluator"]
    reasons = tuple(f"{reason}; {words}" if reason in opened else reason for reason in score.reasons)
    return score.model_copy(update={"reasons": reasons})


def _open(measure: str, unit: str, own: float, edge: float, side: str, words: str) -> ConstraintResult:
    return ConstraintResult.model_validate(
        {
            "name": LOOK,
            "measure": measure,
            "unit": unit,
            "verdict": "inconclusive",
            "value": own,
            "low": own,
            "high": own,
            "threshold": edge,
            "bound": side,
            "words": words,
            "open_by": "evaluator",
        }
    )


def _values(
    criteria: Criteria, measurements: Sequence[Measurement], value: Estimate
) -> dict[str, float | None]:
    return {m.name: m.value for m in measurements} | {criteria.objective.measure: value.value}


def _beyond(bound: Plausible, own: float) -> float | None:
    """The end of the bound that `own` lies beyond, if any."""
    if bound.low is not None and own < bound.low:
        return bound.low
    return bound.high if bound.high is not None and own > bound.high else None


def _experts(bound: Plausible, criteria: Criteria, rounds: Sequence[Comparison]) -> Iterator[float]:
    """What the expert reached of the bound's measure, on each instance where that is known."""
    for r in rounds:
        expert = r.reference("expert")
        if expert is None:
            continue
        if bound.measure == criteria.objective.measure:
            estimate = objective_value(criteria.objective, expert, r.references, r.alpha)
            known = estimate.value if estimate else None
        else:
            known = expert.value(bound.measure)
        if known is not None:
            yield known


def _kib(size: int) -> str:
    return f"{size / 1024:,.0f} KiB" if size >= 1024 else f"{size} bytes"
