"""Limits proposed from what the competent tier was measured at, with a margin; they are shown and never applied."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as t_distribution

from harness.analysis.calibration.results import Proposal
from harness.analysis.calibration.scores import Floats
from harness.analysis.calibration.tables import Row
from harness.sheets import CellConstraint

TIER, MARGIN, LEVEL, LEAST_INSTANCES = "competent", 0.10, 0.95, 3
MOST_APART = 3.0  # a limit further than this from the tier's median tells of its spread, and of nothing else
RULE = (
    f"the {TIER} tier's one-sided {100 * LEVEL:.0f} % prediction limit for one more run on a new instance, "
    f"with {100 * MARGIN:.0f} % of margin"
)


def proposals(rows: Sequence[Row]) -> tuple[Proposal, ...]:
    """One for each constraint of the task that all `rows` are of, in the order in which they were judged."""
    tier = [(r.instance, c) for r in rows if r.tier == TIER for c in r.measured]
    people = {r.person: r.measured for r in rows if r.tier is None}
    names = dict.fromkeys([c.name for _, c in tier] + [c.name for own in people.values() for c in own])
    return tuple(
        _proposal(
            [(i, c) for i, c in tier if c.name == name],
            [c for own in people.values() for c in own if c.name == name],
        )
        for name in names
    )


def _proposal(tier: list[tuple[str, CellConstraint]], people: list[CellConstraint]) -> Proposal:
    known = [(i, c.value) for i, c in tier if c.value is not None]
    one = (tier[0][1] if tier else None) or people[0]
    proposal = Proposal(
        name=one.name,
        unit=one.unit,
        bound=one.bound,
        set_to=one.threshold,
        runs=len(known),
        people=sum(c.value is not None for c in people),
    )
    instances = len({i for i, _ in known})
    if instances < LEAST_INSTANCES:
        why = f"the {TIER} tier was measured on {instances} instances; {LEAST_INSTANCES} are needed"
        return proposal.model_copy(update={"words": why})
    values = np.array([v for _, v in known], dtype=np.float64)
    limit = bound(values, instances, upper=one.bound == "at_most")
    middle = float(np.median(values))
    if middle > 0 and limit > 0 and not 1 / MOST_APART <= limit / middle <= MOST_APART:
        why = f"the {TIER} tier spreads too far for a limit; run it on more than {instances} instances"
        return proposal.model_copy(update={"middle": middle, "words": why})
    own = [c.value for c in people if c.value is not None]
    words = f"it is a ratio to the {TIER} tier itself: only noise and margin" if one.reference == TIER else ""
    if not _meets(middle, one.threshold, one.bound):
        words = f"the {TIER} tier itself does not meet the limit that is set"
    return proposal.model_copy(
        update={
            "proposed": limit,
            "middle": middle,
            "words": words,
            "met_now": sum(_meets(v, one.threshold, one.bound) for v in own),
            "met_then": sum(_meets(v, limit, one.bound) for v in own),
        }
    )


def _meets(value: float, limit: float, side: str) -> bool:
    return value <= limit if side == "at_most" else value >= limit


def bound(values: Floats, instances: int, upper: bool) -> float:
    """mean +- t(0.95, I - 1) SD sqrt(1 + 1/I) (Hahn and Meeker 1991, ch. 4) and a tenth more room.

    `values` are all runs, `instances` (I) how many of them are independent: seeds of one instance are not. Positive
    values are taken on the log scale, as ratios, times and bytes are skewed; others as they are.
    """
    log = bool((values > 0).all())
    x = np.log(values) if log else values
    half = float(t_distribution.ppf(LEVEL, instances - 1) * x.std(ddof=1) * (1 + 1 / instances) ** 0.5)
    side = 1.0 if upper else -1.0
    end = float(x.mean()) + side * half
    return float(np.exp(end) * (1 + MARGIN) ** side) if log else end + side * MARGIN * abs(end)
