"""Pure: measurements and criteria in, a Score out. Touches no disk, clock, process or environment.

Points are those of each instance, with both references measured on that instance and machine, then the mean over
instances. A constraint is a gate with three answers; one that fails gives 0 points, and the unconstrained value is
still shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.grading.anchors import of_round, points
from harness.grading.certificate import timing
from harness.grading.comparison import Comparison
from harness.grading.criteria import Criteria, Objective
from harness.grading.ladder import standing
from harness.grading.plausibility import impossible, looked_at
from harness.grading.probes import undisturbed
from harness.grading.room import repeat, room
from harness.grading.verdicts import all_constraints, judge, objective_value
from harness.ladders import LadderOn
from harness.measures.estimates import Estimate, combine, log_of, or_else
from harness.measures.stats import percentile_interval, t_interval
from harness.records import (
    OURS,
    SHOWN,
    TIERS,
    Assessed,
    ConstraintResult,
    Measurement,
    Outcome,
    Reached,
    Rung,
    Score,
    Tier,
    open_by,
    withheld,
)
from harness.tiers import reached


def grade(
    criteria: Criteria,
    rounds: Sequence[Comparison],
    other_instances: Sequence[LadderOn] = (),
    counted: int | None = None,
) -> Score:
    """The score of the candidate over all rounds; the first of the `counted` ones that failed speaks for all.

    Points, objective and tier are of the first `counted` rounds (all by default), which everybody has. Rounds that were
    added while a verdict was open decide that verdict and nothing else: equal code has equal points, however often its
    clock was disturbed. So one that fails on an added instance leaves the verdict open.

    `other_instances` tell how far the references stood apart on others of the same data, where that was looked at.
    """
    own, added = list(rounds[:counted]), list(rounds[len(rounds[:counted]) :])
    failed = next((r.candidate.assessed for r in own if r.candidate.assessed.outcome != "ok"), None)
    if failed is not None:
        return unscored(criteria, failed.outcome, failed.reason, failed.measurements)
    undecided = [r.candidate.assessed for r in added if r.candidate.assessed.outcome != "ok"]
    every = [*own, *(r for r in added if r.candidate.assessed.outcome == "ok")]
    trust = timing(criteria, every)
    every = undisturbed(every, trust)
    rounds = every[: len(own)]
    estimates = [objective_value(criteria.objective, r.candidate, r.references, r.alpha) for r in rounds]
    known = [e for e in estimates if e is not None]
    measurements = merged([r.candidate.assessed for r in rounds])
    if len(known) < len(rounds):
        reason = f"{criteria.objective.measure} could not be measured"
        return unscored(criteria, "harness_error", reason, measurements)
    value = combine(known, log_of if criteria.objective.ratio_of else None)
    each = _each(criteria.objective, rounds, known)
    uncapped, low, high = _points(criteria.objective, rounds, each, value)
    constraints = tuple(judge(c, every, trust) for c in all_constraints(criteria, every))
    strange = impossible(criteria, measurements, value, trust)
    if not strange and all(c.verdict != "fail" for c in constraints):
        unsteady = standing(criteria.objective, every, trust, other_instances)
        constraints += (unsteady,) if unsteady else looked_at(criteria, rounds, measurements, value, uncapped)
    outcome = _outcome(constraints, strange, uncapped)
    tier = _tier(criteria.objective, rounds, uncapped)
    counts = outcome in ("ok", "inconclusive") and not withheld(outcome, constraints)
    return Score(
        outcome=outcome,
        points=_shown(uncapped) if counts else 0.0,
        points_uncapped=uncapped,
        points_low=low,
        points_high=high,
        points_each=each,
        points_room=None if uncapped is None else room(criteria.objective, rounds),
        points_repeat=None if uncapped is None else repeat(criteria.objective, rounds),
        tier=tier if counts else "none",
        objective=_objective(criteria.objective, value, known),
        constraints=constraints,
        measurements=measurements,
        reasons=_reasons(outcome, uncapped, tier, constraints, strange) + _on_added(outcome, undecided),
        timing=trust,
    )


def _on_added(outcome: Outcome, undecided: Sequence[Assessed]) -> tuple[str, ...]:
    """That an instance which was added for an open verdict could not decide it."""
    if outcome != "inconclusive" or not undecided:
        return ()
    first = undecided[0]
    ended = f"{first.outcome.replace('_', ' ')}: {first.reason}"
    return (f"an instance that was added to decide it decides nothing, since it ended there as {ended}",)


def ladder(criteria: Criteria, rounds: Sequence[Comparison]) -> tuple[Rung, ...]:
    """The references' places: mean objective and mean points over the rounds in which each stands."""
    rungs = []
    rounds = undisturbed(rounds, timing(criteria, rounds))
    for tier in TIERS:
        sides = [(r, r.references[tier]) for r in rounds if tier in r.references]
        if not sides:
            continue
        values = [objective_value(criteria.objective, side, r.references) for r, side in sides]
        known = [v.value for v in values if v is not None]
        scored = [
            p
            for (r, _), v in zip(sides, values, strict=True)
            if v and (p := of_round(criteria.objective, r, v.value)) is not None
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


def merged(assessed: Sequence[Assessed]) -> tuple[Measurement, ...]:
    """One measurement for each name: the only one, or the mean over instances with its interval."""
    if len(assessed) == 1:
        return assessed[0].measurements
    measurements = []
    for first in assessed[0].measurements:
        same = [m for a in assessed if (m := a.get(first.name)) is not None]
        known = [(m.value, m) for m in same if m.value is not None]
        if len(known) < len(same):
            measurements.append(first)
            continue
        estimates = [Estimate(value, or_else(m.low, value), or_else(m.high, value)) for value, m in known]
        mean = combine(estimates, None)
        samples = tuple(sample for m in same for sample in m.samples)
        # Means of single readings have no interval: an interval of no width would pass for a count.
        single = any(m.low is None or m.high is None for m in same)
        low, high = (None, None) if single else (mean.low, mean.high)
        update = {"value": mean.value, "low": low, "high": high, "samples": samples}
        measurements.append(first.model_copy(update=update))
    return tuple(measurements)


def _each(objective: Objective, rounds: Sequence[Comparison], known: Sequence[Estimate]) -> tuple[float, ...]:
    """The uncapped points of each instance; empty where one of them has none."""
    each = [of_round(objective, r, e.value) for r, e in zip(rounds, known, strict=True)]
    known_points = tuple(p for p in each if p is not None)
    return known_points if len(known_points) == len(each) else ()


def _points(
    objective: Objective, rounds: Sequence[Comparison], each: Sequence[float], value: Estimate
) -> tuple[float | None, float | None, float | None]:
    if not each:
        return None, None, None
    centre = float(np.mean(each))
    if len(each) >= 3:
        low, high = t_interval(np.array(each))
        return centre, low, high
    paired = _paired_points(objective, rounds[0]) if len(rounds) == 1 else None
    if paired is not None:
        return centre, *paired
    edges = [
        [p for r in rounds if (p := of_round(objective, r, edge)) is not None]
        for edge in (value.low, value.high)
    ]
    low, high = sorted(float(np.mean(edge)) for edge in edges)
    return centre, low, high


def _paired_points(objective: Objective, r: Comparison) -> tuple[float, float] | None:
    """The points' interval over resampled items, drawn alike for candidate and anchors; None without draws.

    Anchors that are measured on the same items share most of the candidate's luck: unpaired, the
    interval would be several times too wide.
    """
    anchors = [r.references[tier].assessed for tier in ("baseline", "expert")]
    measurements = [side.get(objective.measure) for side in (r.candidate.assessed, *anchors)]
    draws = [m.draws if m else () for m in measurements]
    if len({len(d) for d in draws}) > 1:
        return None
    each = [p for v, b, e in zip(*draws, strict=True) if (p := points(objective, v, b, e)) is not None]
    return percentile_interval(np.array(each)) if each else None


def _tier(objective: Objective, rounds: Sequence[Comparison], uncapped: float | None) -> Reached:
    places: dict[Tier, float] = {}
    for tier in TIERS:
        at = []
        for r in rounds:
            side = r.references.get(tier)
            estimate = objective_value(objective, side, r.references) if side else None
            place = of_round(objective, r, estimate.value) if estimate else None
            at += [place] if place is not None else []
        if at:
            places[tier] = float(np.mean(at))
    return reached(uncapped, places)


def _outcome(constraints: Sequence[ConstraintResult], strange: str, uncapped: float | None) -> Outcome:
    if strange:
        return "implausible"
    verdicts = {c.verdict for c in constraints}
    if "fail" in verdicts:
        return "budget_exceeded"
    if uncapped is None and all(c.open_by != "data" for c in constraints):
        return "harness_error"
    return "inconclusive" if "inconclusive" in verdicts else "ok"


def _reasons(
    outcome: Outcome, uncapped: float | None, tier: str, constraints: Sequence[ConstraintResult], strange: str
) -> tuple[str, ...]:
    if strange:
        return (f"the result is not believed and gives no points: {strange}",)
    if outcome in ("budget_exceeded", "inconclusive"):
        wanted = "fail" if outcome == "budget_exceeded" else "inconclusive"
        words = tuple(c.words for c in constraints if c.verdict == wanted)
        if outcome == "inconclusive" and open_by(outcome, constraints) in ("evaluator", "data"):
            return words
        if outcome == "budget_exceeded":
            return words
        if withheld(outcome, constraints):
            return (
                *words,
                "no points are given while a verdict is open on what was measured beyond its limit",
            )
        return (*words, "the points are provisional: nothing is certified while a verdict is open")
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
        name=objective.measure,
        unit=objective.unit,
        direction=objective.direction,
        value=None,
        absent_because=f"{who} did not finish: {outcome}",
    )
    return Score(
        outcome=outcome,
        points=0.0,
        points_uncapped=None,
        tier="none",
        objective=absent,
        constraints=(),
        measurements=measurements,
        reasons=(f"{outcome.replace('_', ' ')}: {reason}",),
    )


def _objective(objective: Objective, value: Estimate, known: Sequence[Estimate]) -> Measurement:
    return Measurement(
        name=objective.measure,
        unit=objective.unit,
        direction=objective.direction,
        value=value.value,
        low=value.low,
        high=value.high,
        samples=tuple(e.value for e in known),
    )


def _shown(uncapped: float | None) -> float:
    return 0.0 if uncapped is None else min(max(uncapped, SHOWN.low), SHOWN.high)
