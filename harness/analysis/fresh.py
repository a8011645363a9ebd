"""Pure: whether a run on a fresh seed says what a receipt says, within the spread between seeds that is published.

A receipt's own seed may have been known when the submission was written, so that the same seed agrees again. Points
on a fresh seed differ from those on the first by chance; by how much is told by the spread between instances that
the task's kept proof publishes. With s, the standard deviation over k instances, the mean of m instances to come
lies within t(0.975, k - 1) s sqrt(1/n + 1/m) of that of n others in 95 % of cases (Hahn and Meeker, Statistical
Intervals, 1991, 4.8), if a submission's points spread as a reference's do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

from harness.analysis.agreement import BY_MACHINE, COSTS, Finding, Objective, Result, shown
from harness.grading.criteria import Criteria
from harness.measures.names import is_memory, is_time
from harness.readings import Record
from harness.tiers import EXPERT_POINTS

NAME = "fresh seed"
# Where no spread between seeds is published, two runs agree by their own noise only while that is at most so many
# points: a submission, or a small size, can make it as wide as it likes.
MOST_UNPUBLISHED = 20.0
Compared = Literal["same", "differs", "open"]


class Spread(Record):
    """What a task publishes: the standard deviation of a tier's points between instances, and over how many."""

    points_sd: float
    instances: int


class Fresh(Record):
    """A fresh seed beside a receipt's. Points are uncapped; `allowed` is how far apart they may be by chance.

    `state` is "left out" where there was no run on a fresh seed, and `words` say why. `spread` is None where none is
    published. `run` names the run on the fresh seed, `instances` how many it took.
    """

    state: Compared | Literal["left out"]
    words: str
    run: str | None = None
    instances: int | None = None
    receipt_points: float | None = None
    fresh_points: float | None = None
    receipt_objective: float | None = None
    fresh_objective: float | None = None
    allowed: float | None = None
    spread: Spread | None = None


class Draws(NamedTuple):
    """How many instances a receipt's values are means of, and how many those on a fresh seed are."""

    receipt: int
    fresh: int


def expected(spread: Spread, draws: Draws) -> float:
    """Half the width of the 95 % prediction interval, in points, for the mean of the fresh draws."""
    from scipy.stats import t

    by_number = math.sqrt(1 / draws.receipt + 1 / draws.fresh)
    return float(t.ppf(0.975, spread.instances - 1)) * spread.points_sd * by_number


class Results(NamedTuple):
    """A receipt's result, that of a new run on the same seed, and that of one on a fresh seed."""

    claimed: Result
    again: Result
    fresh: Result


def compare(
    results: Results, spread: Spread | str, draws: Draws, criteria: Criteria, same_machine: bool
) -> Fresh:
    """The points of a receipt beside those on a fresh seed; `spread` is what is published, or why nothing is.

    Where both runs of here are noisier than the published spread, what their own half-widths allow stays open: a
    submission whose answers vary more than a tier's is not accused for that, nor can it agree by it. The receipt's
    own interval counts for nothing, since its maker could have written it. Beyond the expert's points the anchors'
    noise grows with the points, and so does what is allowed. Where no spread is published, no difference can be
    shown, nor agreement where the noise is more than MOST_UNPUBLISHED points.
    """
    claimed, fresh = results.claimed, results.fresh
    a, b = claimed.points_uncapped, fresh.points_uncapped
    words = (
        f"{shown(a)} points ({_named(claimed.objective)}) in the receipt, "
        f"{shown(b)} ({_named(fresh.objective)}) on a fresh seed"
    )
    allowed = None
    state: Compared
    if a is None or b is None:
        open_here = not same_machine and fresh.outcome in BY_MACHINE
        state, words = "open" if open_here else "differs", f"{words}, which ended as {fresh.outcome}"
    else:
        allowed = math.hypot(_half_width(results.again), _half_width(fresh))
        if isinstance(spread, Spread):
            published = expected(spread, draws) * max(1.0, min(a, b) / EXPERT_POINTS)
            noisy = abs(a - b) > published + 1e-9 * max(abs(a), abs(b), 1.0) and allowed > published
            by = f"the spread over {spread.instances} seeds in the task's kept proof"
            by = f"these runs' own noise, which is more than {by}" if noisy else by
            allowed = allowed if noisy else published
        else:
            noisy, by = allowed > MOST_UNPUBLISHED, f"these runs' own noise; {spread}"
        within = abs(a - b) <= allowed + 1e-9 * max(abs(a), abs(b), 1.0)
        state = "same" if within else "differs" if isinstance(spread, Spread) else "open"
        if within and noisy:  # a submission can make its own runs as noisy as it likes
            state = "open"
        words += f": {'within' if within else 'more than'} the {shown(allowed)} allowed by {by}"
        timed = bool(criteria.objective.ratio_of) or criteria.objective.unit in COSTS
        if state == "differs" and timed and not (claimed.certified and fresh.certified):
            state, words = "open", f"{words}; the times of a run are not certified"
    return Fresh(
        state=state,
        words=words,
        instances=draws.fresh,
        receipt_points=a,
        fresh_points=b,
        receipt_objective=claimed.objective.value,
        fresh_objective=fresh.objective.value,
        allowed=allowed,
        spread=spread if isinstance(spread, Spread) else None,
    )


def broken(claimed: Result, fresh: Result, criteria: Criteria, same_machine: bool) -> Iterator[Finding]:
    """Constraints that the receipt says were passed and that fail on a fresh seed, each by its own interval."""
    absolute = {c.name for c in criteria.constraints if c.compare == "absolute"}
    held = {c.name: c for c in claimed.constraints if c.verdict == "pass"}
    certified = bool(claimed.certified and fresh.certified)
    for now in fresh.constraints:
        was = held.get(now.name)
        if was is None or now.verdict != "fail":
            continue
        words = f"pass at {shown(was.value)} in the receipt, fail at {shown(now.value)} on a fresh seed"
        name = f"{NAME}, constraint {now.name}"
        if not same_machine and now.name in absolute and now.unit in COSTS:
            yield Finding(
                name=name, state="note", words=f"{words}; not compared: absolute, and another machine"
            )
        elif is_memory(now.measure) or (is_time(now.measure) and not certified):
            yield Finding(
                name=name, state="open", words=f"{words}; by times or memory that are not certified"
            )
        else:
            yield Finding(name=name, state="differs", words=words)


def _half_width(measured: Result) -> float:
    low, high = measured.points_low, measured.points_high
    return 0.0 if low is None or high is None else (high - low) / 2


def _named(objective: Objective) -> str:
    return f"{objective.name} {shown(objective.value)}"
