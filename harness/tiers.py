"""Pure: which tier points reach, by where the references stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.records import TIERS, Reached, Rung, Tier

# By definition; the baseline's are 0.
EXPERT_POINTS = 100.0
# A tier counts as reached from this many points below it: two runs of one solution differ a little.
TOLERANCE = 5.0


def places(ladder: Iterable[Rung]) -> dict[Tier, float]:
    """Where the references of a ladder stand, in points; of those that have some."""
    return {rung.tier: rung.points for rung in ladder if rung.points is not None}


def reached(points: float | None, at: Mapping[Tier, float]) -> Reached:
    """The highest tier that uncapped points reach; `at` tells the references' own points."""
    if points is None:
        return "none"
    highest: Reached = "below baseline"
    for tier in TIERS:
        if tier in at and points >= at[tier] - TOLERANCE:
            highest = tier
    return highest
