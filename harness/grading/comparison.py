"""Pure: one submission on one instance as grading sees it, and how two of them compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.measures import names, paired
from harness.measures.cost import SINGLE_READING_MARGIN
from harness.measures.estimates import Estimate, geometric
from harness.measures.paired import Floats
from harness.readings import PairReading
from harness.records import Assessed, Measurement, Tier, Trial

# What a call keeps of itself when the floor of an empty request is taken off and nothing is left.
LEAST_PART = 0.02


@dataclass(frozen=True)
class Side:
    """One submission on one instance.

    `times` are timed requests by group and item, in seconds less the floor of an empty request;
    `pair_of` says which process pair served an item; `readings` are untimed phases, group by pair.
    """

    assessed: Assessed
    times: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    pair_of: Mapping[str, int] = field(default_factory=dict)
    readings: Mapping[str, Mapping[int, float]] = field(default_factory=dict)

    def value(self, measure: str) -> float | None:
        """The value of a measurement, or None when it was not measured."""
        measurement = self.assessed.get(measure)
        return measurement.value if measurement else None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The candidate and the references on one instance.

    `copy` is the second copy of the reference that times are compared with; `pairs` the readings
    of the process pairs; `alpha` the error allowed for each look at the verdicts; `least_seconds`
    what each item takes at the very least, where the task has counted it.
    """

    candidate: Side
    references: Mapping[Tier, Side]
    copy: Side | None = None
    pairs: tuple[PairReading, ...] = ()
    alpha: float = 0.05
    least_seconds: Mapping[str, float] = field(default_factory=dict)


def beyond(seconds: float, floor: float) -> float:
    """What a call took beyond an empty request; one that is all floor keeps a little, to have a logarithm."""
    return max(seconds - floor, seconds * LEAST_PART)


def by_pair(group: str, top: Side, bottom: Side) -> list[Floats]:
    """The seconds of both sides for the requests of `group` that both answered: float64[n, 2] a pair."""
    by_number: dict[int, list[list[float]]] = {}
    over, under = top.times.get(group, {}), bottom.times.get(group, {})
    for item, seconds in over.items():
        if item in under:
            by_number.setdefault(top.pair_of.get(item, 0), []).append([seconds, under[item]])
    return [np.array(rows) for _, rows in sorted(by_number.items())]


def ratio(
    measure: str, top: Side, bottom: Side, margin: float | None, alpha: float = 0.05
) -> Estimate | None:
    """`top`'s value by `bottom`'s: over process pairs where there are any, else one reading with its margin."""
    group, kind = names.split(measure)
    if kind in names.TIMED and (pairs := by_pair(group, top, bottom)):
        return timed_ratio(kind, pairs, alpha)
    if kind == "seconds" and (of_readings := _readings(group, top, bottom, alpha)) is not None:
        return of_readings
    over, under = top.value(measure), bottom.value(measure)
    if over is None or not under:
        return None
    exact = all(_exact(side.assessed.get(measure)) for side in (top, bottom))
    spread = 1 + ((0.0 if exact else SINGLE_READING_MARGIN) if margin is None else margin)
    return Estimate(over / under, over / under / spread, over / under * spread)


def timed_ratio(kind: str, pairs: Sequence[Floats], alpha: float) -> Estimate:
    """The ratio of p50, p95, p99 or throughput of timed requests."""
    if kind == "p50":
        return paired.median_ratio(pairs, alpha)
    if kind == "throughput":
        slower = paired.total_ratio(pairs, alpha)
        return Estimate(1 / slower.value, 1 / slower.high, 1 / slower.low)
    return paired.tail_ratio(pairs, names.QUANTILES[kind], alpha)


def geometric_ratio(measures: Sequence[str], top: Side, bottom: Side, alpha: float = 0.05) -> Estimate | None:
    """The geometric mean of several ratios; over process pairs each pair gives one value of it."""
    parts = [names.split(measure) for measure in measures]
    pairs = [by_pair(part.group, top, bottom) for part in parts]
    if all(part.kind == "p50" for part in parts) and len({len(p) for p in pairs}) == 1 and len(pairs[0]) > 1:
        logs = np.array([[paired.median_log_ratio(pair) for pair in each] for each in pairs])
        return paired.over_pairs(logs.mean(axis=0), alpha)
    ratios = [ratio(measure, top, bottom, None, alpha) for measure in measures]
    known = [r for r in ratios if r is not None]
    if len(known) < len(ratios):
        return None
    return Estimate(
        geometric([r.value for r in known]),
        geometric([r.low for r in known]),
        geometric([r.high for r in known]),
    )


def replicated(measure: str, top: Side, bottom: Side) -> bool:
    """Whether a ratio of this measure rests on process pairs, so that more of them would narrow it."""
    group, kind = names.split(measure)
    if kind == "seconds":
        return len(top.readings.get(group, {}).keys() & bottom.readings.get(group, {}).keys()) > 1
    return kind in names.TIMED and bool(by_pair(group, top, bottom))


def _readings(group: str, top: Side, bottom: Side, alpha: float) -> Estimate | None:
    over, under = top.readings.get(group, {}), bottom.readings.get(group, {})
    both = sorted(over.keys() & under.keys())
    if len(both) < 2 or min(min(over[n], under[n]) for n in both) <= 0:
        return None
    return paired.reading_ratio(np.array([over[n] for n in both]), np.array([under[n] for n in both]), alpha)


def _exact(measurement: Measurement | None) -> bool:
    # A count, not a reading: its interval is its value.
    return measurement is not None and measurement.low == measurement.value == measurement.high


def floors(readings: Iterable[PairReading]) -> dict[int, float]:
    """What a request costs by itself, by process pair, in seconds: the median of the round's empty requests.

    One value for all pairs: it is the transport's cost, and a disturbed pair alone would give a worse one.
    """
    measured = [reading for reading in readings if reading.floor]
    if not measured:
        return {}
    floor = float(np.median([seconds for reading in measured for seconds in reading.floor]))
    return {reading.pair: floor for reading in measured}


def side(trial: Trial | None, assessed: Assessed, floor: Mapping[int, float] | None = None) -> Side:
    """What grading needs of one submission on one instance; times less the floor of their pair."""
    times: dict[str, dict[str, float]] = {}
    pair_of: dict[str, int] = {}
    readings: dict[str, dict[int, float]] = {}
    for sample in trial.samples if trial and trial.timed else ():
        own = (floor or {}).get(sample.pair, 0.0)
        times.setdefault(sample.group, {})[sample.item] = beyond(sample.seconds, own)
        pair_of[sample.item] = sample.pair
    for phase in trial.phases if trial and trial.timed else ():
        group = readings.setdefault(phase.group, {})
        group[phase.pair] = group.get(phase.pair, 0.0) + phase.seconds
    return Side(assessed, times, pair_of, readings)
