"""Pure: whether two values of one submission on one seed are the same, by what differs between two runs alone.

On one seed all runs answer the same items, so the sampling of items, which is most of a quality's interval, is no
noise between them: a value that is 20 points off lies within it. What does differ is what a submission draws by
itself, and what the machine adds to its times. The first is not known beforehand: a value that is repeated agrees to
rounding, and whether another is a draw or a lie can be told, if at all, by running once more. The second is known from
the process pairs of the new run.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from harness.records import Reached, Rung
from harness.tiers import EXPERT_POINTS, TOLERANCE, places, reached

# Relative: a submission that repeats itself does so to the last digit; another order of a sum shows in the twelfth.
ROUNDING = 1e-6
REPEATED = "two new runs gave one and the same, so this is not the submission's value on this seed"
BETWEEN = "between what two new runs gave"
UNREPEATED = (
    "within the interval, which is of the items' sampling; but on one seed all runs answer the same items, and how far "
    "this submission's own runs differ is not known"
)
UNSTEADY = "no two runs gave the same, and the receipt's lies outside the new ones"
OVER_INSTANCES = (
    "within the interval, which is over instances; but each instance's times are known far better than that"
)


class Told(NamedTuple):
    """What follows for a receipt's value, and why."""

    state: Literal["same", "differs", "open"]
    words: str


def is_one(a: float, b: float) -> bool:
    """Whether two values are the same but for rounding."""
    return math.isclose(a, b, rel_tol=ROUNDING, abs_tol=ROUNDING)


def repeated(claimed: float | None, again: float | None, second: float | None, wide: bool) -> Told | None:
    """What a quality that lies within its interval of the new one tells; None where it is the same.

    `second` is of one more new run on the same machine, where there was one. None as well where there was none and
    the receipt's own interval is too wide, which is said in its place, or where a value was not measured.
    """
    if claimed is None or again is None or is_one(claimed, again) or (wide and second is None):
        return None
    if second is None:
        return Told("open", UNREPEATED)
    if is_one(again, second):
        return Told("differs", REPEATED)
    within = min(again, second) <= claimed <= max(again, second)
    return Told("same", BETWEEN) if within else Told("open", UNSTEADY)


def over_instances(claimed: float | None, again: float | None, repeat: float | None) -> Told | None:
    """The same of points by times: `repeat` is their half-width by the new run's process pairs, which each run has."""
    if (
        claimed is None
        or again is None
        or repeat is None
        or abs(claimed - again) <= math.sqrt(2) * repeat + ROUNDING
    ):
        return None
    return Told("open", OVER_INSTANCES)


def may_reach(tier: Reached, points: float | None) -> bool:
    """Whether a tier follows from points, None where none count; where the competent stands they do not tell."""
    if points is None:
        return tier == "none"
    expert, baseline = EXPERT_POINTS - TOLERANCE, -TOLERANCE
    can: dict[Reached, bool] = {
        "expert": points >= expert - ROUNDING,
        "competent": points < expert + ROUNDING,
        "baseline": baseline - ROUNDING <= points < expert + ROUNDING,
        "below baseline": points < baseline + ROUNDING,
    }
    return can.get(tier, False)


def tier_at(points: float, ladder: tuple[Rung, ...]) -> Reached:
    """The tier that so many points reach on a ladder, to rounding."""
    return reached(points + ROUNDING, places(ladder))
