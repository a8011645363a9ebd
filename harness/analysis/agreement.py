"""Pure: whether two results of one submission agree, item by item, beyond the noise of both.

Two values differ where |a - b| > sqrt(ha^2 + hb^2), with ha and hb the 95 % half-widths on the sides that face
each other (JCGM 100:2008, 5.1.2). A time that a run could not certify, and a single reading without an interval,
never show a difference: where the verdicts differ, or the values by more than a factor of two as well, the matter
is open. So it is where they agree only because the receipt's own interval is over WIDER times as wide as the one
that was measured here: whoever writes a receipt chooses its interval; and where a quality agrees only by the sampling
of items, which both runs share (`repeated`). What is absolute (seconds, bytes) is never compared between machines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

from harness.analysis import repeated
from harness.grading.criteria import LADDER, LOOK, Criteria
from harness.measures.estimates import or_else
from harness.measures.names import TIMED, is_memory, is_time, split
from harness.readings import Record
from harness.records import SHOWN, ConstraintResult, Direction, Outcome, Reached, Rung, Score, withheld
from harness.strangers import brief

State = Literal["same", "differs", "open", "note"]
# A value, and the low and high end of its 95 % interval.
Reading = tuple[float | None, float | None, float | None]
COSTS = ("s", "1/s", "B")
_BUDGETS = ("ok", "budget_exceeded", "inconclusive")
BY_MACHINE = ("timeout", "out_of_memory")
WIDER = 3.0


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


class Here(NamedTuple):
    """What is known here beside a new run's result: its ladder, its points' `repeat` noise, one more run's result.

    `same_level`: it ran at the receipt's isolation level. A worker in a box holds some megabytes more.
    """

    ladder: tuple[Rung, ...] = ()
    repeat: float | None = None
    second: Result | None = None
    same_level: bool = True


NOTHING_MORE = Here()


def result(score: Score) -> Result:
    """The result that a score holds."""
    same = {name: getattr(score, name) for name in Result.model_fields if name in Score.model_fields}
    objective = {name: getattr(score.objective, name) for name in Objective.model_fields}
    certified = score.timing.certified if score.timing else None
    return Result.model_validate({**same, "objective": objective, "certified": certified})


def timed_in_pairs(of: Result) -> bool:
    """Whether a time beside a reference's, over process pairs, decides anything of a result."""
    ratios = any(c.reference and split(c.measure).kind in TIMED for c in of.constraints)
    return of.certified is not None and (ratios or of.objective.unit == "x")


def contradictions(claimed: Result) -> list[str]:
    """What a result cannot say of itself: points or a tier that do not follow, a value outside its interval."""
    wrong = []
    counts = claimed.outcome in ("ok", "inconclusive") and claimed.points_uncapped is not None
    follow = min(max(claimed.points_uncapped or 0.0, SHOWN.low), SHOWN.high) if counts else 0.0
    # Receipts of before nothing was given for an open verdict have the provisional points.
    none = withheld(claimed.outcome, claimed.constraints) and claimed.points == 0.0
    if abs(claimed.points - follow) > 1e-6 and not none:
        wrong.append(
            f"its points are {claimed.points:.4g}, and by its own outcome and values they are {follow:.4g}"
        )
    open_ = withheld(claimed.outcome, claimed.constraints) and claimed.tier == "none"
    if not open_ and not repeated.may_reach(claimed.tier, claimed.points_uncapped if counts else None):
        wrong.append(f"its tier is {claimed.tier}, which does not follow from its own outcome and points")
    o = claimed.objective
    spans = [
        ("points", claimed.points_uncapped, claimed.points_low, claimed.points_high),
        ("objective", o.value, o.low, o.high),
        *((f"constraint {brief(c.name)}", c.value, c.low, c.high) for c in claimed.constraints),
    ]
    for name, value, low, high in spans:
        ends = [end for end in (low, value, high) if end is not None]
        if (value is None and ends) or ends != sorted(ends):
            wrong.append(f"the value of {name} lies outside its own interval")
    for c in claimed.constraints:
        if c.verdict != "inconclusive" and (c.open_by or c.void):
            wrong.append(f"constraint {brief(c.name)} is decided, and somebody is said to keep it open")
    return wrong


def compare(
    claimed: Result, again: Result, criteria: Criteria, same_machine: bool, here: Here = NOTHING_MORE
) -> list[Finding]:
    """What a receipt says against what was measured again: objective, points, constraints, tier, outcome."""
    certified = bool(claimed.certified and again.certified)
    findings = [_objective(claimed, again, criteria, (same_machine, certified), here)]
    timed = _by_cost(criteria)
    findings.append(_points(claimed, again, certified or not timed, here, not timed))
    findings += _constraints(claimed, again, criteria, (same_machine, certified), here)
    decided = any(f.state == "differs" for f in findings)
    findings.append(_tier(claimed, again, decided, here.ladder, same_machine and not timed))
    findings.append(_outcome(claimed, again, decided, same_machine))
    return findings


def apart(a: Reading, b: Reading, extra: float = 0.0) -> bool | None:
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


def too_wide(claimed: Reading, again: Reading, extra: float = 0.0) -> bool:
    """Whether two readings agree only by the claimed one's interval, which is over WIDER times the other's."""
    (value, low, high), (own, own_low, own_high) = claimed, again
    if value is None or own is None or apart(claimed, again, extra):
        return False
    most = WIDER * max(own - or_else(own_low, own), or_else(own_high, own) - own)
    narrower = (value, max(or_else(low, value), value - most), min(or_else(high, value), value + most))
    return bool(apart(narrower, again, extra))


def hangs_on_sampling(claimed: Result, again: Result, criteria: Criteria) -> bool:
    """Whether a quality is another than the receipt's and within its interval: one more run on the seed may tell."""
    a, b = claimed.objective, again.objective
    pairs = (((a.value, a.low, a.high), (b.value, b.low, b.high)), (_span(claimed), _span(again)))
    return not _by_cost(criteria) and any(
        apart(first, second) is False and not repeated.is_one(first[0] or 0.0, second[0] or 0.0)
        for first, second in pairs
    )


def _by_cost(criteria: Criteria) -> bool:
    """Whether the objective is a time or a size: its interval is of readings, not of items."""
    return bool(criteria.objective.ratio_of) or criteria.objective.unit in COSTS


def _objective(
    claimed: Result, again: Result, criteria: Criteria, trust: tuple[bool, bool], here: Here
) -> Finding:
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
    if not relative and (elsewhere := _elsewhere(a, same_machine, here)):
        return Finding(name=name, state="note", words=f"{words}; not compared: {elsewhere}")
    differs = apart(first, second)
    if differs is None:
        return _unmeasured(name, a.value, b.value, words)
    if differs and (relative or a.unit in ("s", "1/s")) and not certified:
        return Finding(name=name, state="open", words=f"{words}; the times of a run are not certified")
    wide = too_wide(first, second)
    if not differs and not _by_cost(criteria):
        more = here.second.objective.value if here.second else None
        if (told := repeated.repeated(a.value, b.value, more, wide)) is not None:
            return Finding(name=name, state=told.state, words=f"{words}: {told.words}")
    return _judged(name, differs, words, a.value == b.value, wide)


def _points(claimed: Result, again: Result, certified: bool, here: Here, sampled: bool) -> Finding:
    name, first, second = "points", _span(claimed), _span(again)
    words = f"{shown(claimed.points)} in the receipt, {shown(again.points)} here"
    if (claimed.points_uncapped, again.points_uncapped) != (claimed.points, again.points):
        words += f" (uncapped {shown(claimed.points_uncapped)} and {shown(again.points_uncapped)})"
    differs = apart(first, second)
    if differs is None:
        return _unmeasured(name, first[0], second[0], words)
    if differs and not certified:
        return Finding(name=name, state="open", words=f"{words}; the times of a run are not certified")
    wide = too_wide(first, second)
    if not differs:
        more = here.second.points_uncapped if here.second else None
        by_pairs = repeated.over_instances(first[0], second[0], here.repeat)
        told = repeated.repeated(first[0], second[0], more, wide) if sampled else by_pairs
        if told is not None:
            return Finding(name=name, state=told.state, words=f"{words}: {told.words}")
    return _judged(name, differs, words, first[0] == second[0], wide)


def _constraints(
    claimed: Result, again: Result, criteria: Criteria, trust: tuple[bool, bool], here: Here
) -> Iterator[Finding]:
    same_machine, certified = trust
    more = {c.name: c.value for c in here.second.constraints} if here.second else {}
    # Whether somebody is to look at a result, and whether there is a scale for it, follows from points, objective and
    # outcome, which are compared by themselves.
    stated = [c for c in claimed.constraints if c.name not in (LOOK, LADDER)]
    names = {c.name for c in stated}
    since = [c for c in again.constraints if c.name not in names and is_implied(c, criteria)]
    judged = [c for c in again.constraints if c not in since and c.name not in (LOOK, LADDER)]
    if since and len(judged) == len(stated):
        told = "; ".join(_judgement(c) for c in since)
        yield Finding(name="constraints", state="note", words=f"judged here and not in the receipt: {told}")
    if [c.name for c in stated] != [c.name for c in judged]:
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
    for a, b in zip(stated, judged, strict=True):
        if is_implied(a, criteria) and a.verdict == b.verdict == "pass" and _is_same(a, b):
            # Far within a wide limit: how far is chance, and says nothing.
            yield Finding(name=f"constraint {a.name}", state="same", words="within its limit in both")
            continue
        if a.name in absolute and (elsewhere := _elsewhere(b, same_machine, here)):
            words = f"{_judgement(a)} in the receipt, {_judgement(b)} here; not compared: {elsewhere}"
            yield Finding(name=f"constraint {a.name}", state="note", words=words)
        else:
            yield _constraint(a, b, certified, more.get(b.name))


def _elsewhere(cost: Objective | ConstraintResult, same_machine: bool, here: Here) -> str:
    """Why an absolute cost is one thing there and another here; "" where it is not."""
    if cost.unit in COSTS and not same_machine:
        return "absolute, and another machine"
    measure = cost.measure if isinstance(cost, ConstraintResult) else cost.name
    moved = cost.unit == "B" and is_memory(measure) and not here.same_level
    return "absolute memory, and another isolation level" if moved else ""


def is_implied(a: ConstraintResult, criteria: Criteria) -> bool:
    """Whether no constraint of the task states this one, but the task implies it."""
    stated = {c.name for c in criteria.constraints}
    return a.name not in stated and a.name in {c.name for c in criteria.implied([split(a.measure).group])}


def _is_same(a: ConstraintResult, b: ConstraintResult) -> bool:
    """Whether both state one constraint, whatever came of it."""
    keys = ("measure", "unit", "threshold", "bound", "reference")
    return all(getattr(a, key) == getattr(b, key) for key in keys)


def _constraint(a: ConstraintResult, b: ConstraintResult, certified: bool, more: float | None) -> Finding:
    name = f"constraint {a.name}"
    if not _is_same(a, b):
        return Finding(
            name=name, state="differs", words="the receipt states another constraint than the task's"
        )
    words = f"{_judgement(a)} in the receipt, {_judgement(b)} here"
    extra = b.tolerance * abs(b.value or 0.0)  # the receipt's own is whatever its maker wrote
    differs = apart((a.value, a.low, a.high), (b.value, b.low, b.high), extra)
    if differs is None:
        return _unmeasured(name, a.value, b.value, words)
    by_clock = is_time(a.measure)
    bare = (by_clock or is_memory(a.measure)) and not extra and a.low == a.high and b.low == b.high
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
    wide = too_wide((a.value, a.low, a.high), (b.value, b.low, b.high), extra)
    sampled = not by_clock and not is_memory(a.measure) and b.unit not in COSTS
    if sampled and (told := repeated.repeated(a.value, b.value, more, wide)) is not None:
        return Finding(name=name, state=told.state, words=f"{words}: {told.words}")
    return _judged(name, False, words, a.value == b.value, wide)


def _tier(claimed: Result, again: Result, decided: bool, ladder: tuple[Rung, ...], exact: bool) -> Finding:
    """The two tiers, and the receipt's beside its own points; `exact`: the receipt had the same ladder."""
    words = f"{claimed.tier} in the receipt, {again.tier} here"
    if ladder and claimed.tier != "none" and claimed.points_uncapped is not None:
        follows = repeated.tier_at(claimed.points_uncapped, ladder)
        if follows != claimed.tier:
            words += f"; by the receipt's own points it would be {follows} on the ladder here"
            return Finding(name="tier", state="differs" if decided or exact else "open", words=words)
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
    if not same_machine and both & set(BY_MACHINE):
        return Finding(
            name="outcome", state="open", words=f"{words}; a limit that was met on one machine only"
        )
    return Finding(name="outcome", state="differs", words=words)


def _because(decided: bool) -> str:
    return "" if decided else "; every value agrees within the noise"


def _judged(name: str, differs: bool, words: str, identical: bool, wide: bool = False) -> Finding:
    if differs:
        return Finding(name=name, state="differs", words=f"{words}: more than the noise of both")
    if wide:
        why = (
            f"within the receipt's own interval alone, over {WIDER:g} times as wide as the one measured here"
        )
        return Finding(name=name, state="open", words=f"{words}: {why}")
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
