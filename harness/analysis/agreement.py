"""Pure: whether two results of one submission agree, item by item, beyond the noise of both.

Two values differ where |a - b| > sqrt(ha^2 + hb^2), with ha and hb the 95 % half-widths on the sides that face
each other (JCGM 100:2008, 5.1.2). A time that a run could not certify, and a single reading without an interval,
never show a difference: where the verdicts differ, or the values by more than a factor of two as well, the matter
is open. What is absolute (seconds, bytes) is never compared between machines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from harness.grading.criteria import Criteria
from harness.measures.names import is_time
from harness.readings import Record
from harness.records import SHOWN, ConstraintResult, Direction, Outcome, Reached, Score

State = Literal["same", "differs", "open", "note"]
COSTS = ("s", "1/s", "B")
_BUDGETS = ("ok", "budget_exceeded", "inconclusive")
_BY_MACHINE = ("timeout", "out_of_memory")


class Objective(Record):
    """The objective's value with its 95 % interval; None where it could not be measured."""

    name: str
    unit: str
    direction: Direction
    value: float | None
    low: float | None
    high: float | None


class Result(Record):
    """What a run found: the part of its score that a receipt vouches for. `certified`: of its times."""

    outcome: Outcome
    tier: Reached
    points: float
    points_uncapped: float | None
    points_low: float | None
    points_high: float | None
    objective: Objective
    constraints: tuple[ConstraintResult, ...]
    certified: bool | None = None


class Finding(Record):
    """One thing that was looked at. `open`: neither agreement nor difference could be shown."""

    name: str
    state: State
    words: str


def result(score: Score) -> Result:
    """The result that a score holds."""
    o = score.objective
    return Result(
        outcome=score.outcome,
        tier=score.tier,
        points=score.points,
        points_uncapped=score.points_uncapped,
        points_low=score.points_low,
        points_high=score.points_high,
        constraints=score.constraints,
        objective=Objective(
            name=o.name, unit=o.unit, direction=o.direction, value=o.value, low=o.low, high=o.high
        ),
        certified=score.timing.certified if score.timing else None,
    )


def contradictions(claimed: Result) -> list[str]:
    """What a result cannot say of itself: points that do not follow, a value outside its interval."""
    wrong = []
    counts = claimed.outcome in ("ok", "inconclusive") and claimed.points_uncapped is not None
    follow = min(max(claimed.points_uncapped or 0.0, SHOWN.low), SHOWN.high) if counts else 0.0
    if abs(claimed.points - follow) > 1e-6:
        wrong.append(
            f"its points are {claimed.points:.4g}, and by its own outcome and values they are {follow:.4g}"
        )
    o = claimed.objective
    spans = [
        ("points", claimed.points_uncapped, claimed.points_low, claimed.points_high),
        ("objective", o.value, o.low, o.high),
        *((f"constraint {c.name}", c.value, c.low, c.high) for c in claimed.constraints),
    ]
    for name, value, low, high in spans:
        ends = [end for end in (low, value, high) if end is not None]
        if (value is None and ends) or ends != sorted(ends):
            wrong.append(f"the value of {name} lies outside its own interval")
    return wrong


def compare(claimed: Result, again: Result, criteria: Criteria, same_machine: bool) -> list[Finding]:
    """What a receipt says against what was measured again: objective, points, constraints, tier, outcome."""
    certified = bool(claimed.certified and again.certified)
    findings = [_objective(claimed, again, criteria, (same_machine, certified))]
    timed = bool(criteria.objective.ratio_of) or criteria.objective.unit in COSTS
    findings.append(_points(claimed, again, certified or not timed))
    findings += _constraints(claimed, again, criteria, same_machine, certified)
    decided = any(f.state == "differs" for f in findings)
    findings.append(_tier(claimed, again, decided))
    findings.append(_outcome(claimed, again, decided, same_machine))
    return findings


def apart(a: tuple[float | None, ...], b: tuple[float | None, ...], extra: float = 0.0) -> bool | None:
    """Whether (value, low, high) of two readings differ beyond both half-widths and `extra`.

    None where one of them was not measured.
    """
    if a[0] is None or b[0] is None:
        return None
    lower, upper = (a, b) if a[0] <= b[0] else (b, a)
    x, y = lower[0] or 0.0, upper[0] or 0.0
    above = max(0.0, (x if lower[2] is None else lower[2]) - x)
    below = max(0.0, y - (y if upper[1] is None else upper[1]))
    rounding = 1e-9 * max(abs(x), abs(y), 1e-9)
    return y - x > math.hypot(above, below, extra) + rounding


def _objective(claimed: Result, again: Result, criteria: Criteria, trust: tuple[bool, bool]) -> Finding:
    a, b = claimed.objective, again.objective
    same_machine, certified = trust
    name = "objective"
    if (a.name, a.unit, a.direction) != (b.name, b.unit, b.direction):
        return Finding(
            name=name, state="differs", words="the receipt names another objective than the task's"
        )
    first, second = (a.value, a.low, a.high), (b.value, b.low, b.high)
    words = f"{shown(a.value)} in the receipt, {shown(b.value)} here"
    relative = bool(criteria.objective.ratio_of)
    if not relative and a.unit in COSTS and not same_machine:
        return Finding(name=name, state="note", words=f"{words}; not compared: absolute, and another machine")
    differs = apart(first, second)
    if differs is None:
        return _unmeasured(name, a.value, b.value, words)
    if differs and (relative or a.unit in ("s", "1/s")) and not certified:
        return Finding(name=name, state="open", words=f"{words}; the times of a run are not certified")
    return _judged(name, differs, words, a.value == b.value)


def _points(claimed: Result, again: Result, certified: bool) -> Finding:
    name, first, second = "points", _span(claimed), _span(again)
    words = f"{shown(claimed.points)} in the receipt, {shown(again.points)} here"
    if (claimed.points_uncapped, again.points_uncapped) != (claimed.points, again.points):
        words += f" (uncapped {shown(claimed.points_uncapped)} and {shown(again.points_uncapped)})"
    differs = apart(first, second)
    if differs is None:
        return _unmeasured(name, first[0], second[0], words)
    if differs and not certified:
        return Finding(name=name, state="open", words=f"{words}; the times of a run are not certified")
    return _judged(name, differs, words, first[0] == second[0])


def _constraints(
    claimed: Result, again: Result, criteria: Criteria, same_machine: bool, certified: bool
) -> Iterator[Finding]:
    if [c.name for c in claimed.constraints] != [c.name for c in again.constraints]:
        if {claimed.outcome, again.outcome} <= set(_BUDGETS):
            yield Finding(
                name="constraints", state="differs", words="the receipt judges others than the task's"
            )
        else:
            yield Finding(
                name="constraints", state="note", words="only one of the two runs came to be judged by them"
            )
        return
    absolute = {c.name for c in criteria.constraints if c.compare == "absolute"}
    for a, b in zip(claimed.constraints, again.constraints, strict=True):
        if not same_machine and a.name in absolute and b.unit in COSTS:
            words = f"{_judgement(a)} in the receipt, {_judgement(b)} here"
            words += "; not compared: absolute, and another machine"
            yield Finding(name=f"constraint {a.name}", state="note", words=words)
        else:
            yield _constraint(a, b, certified)


def _constraint(a: ConstraintResult, b: ConstraintResult, certified: bool) -> Finding:
    name = f"constraint {a.name}"
    if any(
        getattr(a, key) != getattr(b, key) for key in ("measure", "unit", "threshold", "bound", "reference")
    ):
        return Finding(
            name=name, state="differs", words="the receipt states another constraint than the task's"
        )
    words = f"{_judgement(a)} in the receipt, {_judgement(b)} here"
    extra = max(a.tolerance, b.tolerance) * abs(b.value or 0.0)
    differs = apart((a.value, a.low, a.high), (b.value, b.low, b.high), extra)
    if differs is None:
        return _unmeasured(name, a.value, b.value, words)
    by_clock = is_time(a.measure)
    bare = (
        (by_clock or a.measure.startswith("peak_memory"))
        and not extra
        and a.low == a.high
        and b.low == b.high
    )
    if bare or (by_clock and not certified):
        why = "a single reading" if bare else "times that are not certified"
        far = apart((a.value, a.low, a.high), (b.value, b.low, b.high), _factor_two(a.value, b.value))
        return Finding(
            name=name, state="open" if far or a.verdict != b.verdict else "same", words=f"{words}; {why}"
        )
    if differs:
        return _judged(name, True, words, False)
    if a.verdict != b.verdict:
        return Finding(name=name, state="open", words=f"{words}; the values agree within the noise")
    return _judged(name, False, words, a.value == b.value)


def _tier(claimed: Result, again: Result, decided: bool) -> Finding:
    words = f"{claimed.tier} in the receipt, {again.tier} here"
    if claimed.tier == again.tier:
        return Finding(name="tier", state="same", words=words)
    return Finding(name="tier", state="differs" if decided else "open", words=words + _because(decided))


def _outcome(claimed: Result, again: Result, decided: bool, same_machine: bool) -> Finding:
    words = f"{claimed.outcome} in the receipt, {again.outcome} here"
    both = {claimed.outcome, again.outcome}
    if len(both) == 1:
        return Finding(name="outcome", state="same", words=words)
    if both <= set(_BUDGETS):
        return Finding(
            name="outcome", state="differs" if decided else "open", words=words + _because(decided)
        )
    if not same_machine and both & set(_BY_MACHINE):
        return Finding(
            name="outcome", state="open", words=f"{words}; a limit that was met on one machine only"
        )
    return Finding(name="outcome", state="differs", words=words)


def _because(decided: bool) -> str:
    return "" if decided else "; every value agrees within the noise"


def _judged(name: str, differs: bool, words: str, identical: bool) -> Finding:
    if differs:
        return Finding(name=name, state="differs", words=f"{words}: more than the noise of both")
    return Finding(
        name=name, state="same", words=words if identical else f"{words}: within the noise of both"
    )


def _unmeasured(name: str, a: float | None, b: float | None, words: str) -> Finding:
    return Finding(name=name, state="same" if a is None and b is None else "differs", words=words)


def _factor_two(a: float | None, b: float | None) -> float:
    """How far apart two values may be before one is over twice the other."""
    return min(abs(a or 0.0), abs(b or 0.0))


def _span(measured: Result) -> tuple[float | None, float | None, float | None]:
    return measured.points_uncapped, measured.points_low, measured.points_high


def _judgement(constraint: ConstraintResult) -> str:
    return f"{constraint.verdict} at {shown(constraint.value)}"


def shown(value: float | None) -> str:
    """A number in four digits, or that there is none."""
    return "nothing measured" if value is None else f"{value:.4g}"
