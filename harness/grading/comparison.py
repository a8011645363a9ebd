"""Pure: one submission on one instance as grading sees it, and how two of them compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.grading.criteria import START_SECONDS
from harness.measures import names, paired
from harness.measures.cost import BESIDE, READY, SINGLE_READING_MARGIN, STARTS, untimed
from harness.measures.estimates import Estimate, geometric
from harness.measures.paired import Floats
from harness.readings import PairReading, PhaseTime
from harness.records import Assessed, Measurement, Tier, Trial

# What a machine's own unrest may add to a worker's calls beside the samples, in seconds.
UNREST_SECONDS = 0.5
# Kinds of which several groups have one geometric mean in each process pair.
CENTRES = ("p50", "mean")
# What a call keeps of itself when the floor of an empty request is taken off and nothing is left.
LEAST_PART = 0.02


@dataclass(frozen=True)
class Side:
    """One submission on one instance.

    `times` are timed requests by group and item, in seconds less the floor of an empty request;
    `pair_of` says which process pair served an item; `readings` are untimed phases, group by pair; `starts` are
    the seconds of a start before the group of calls that it led to, of stages that one worker serves.
    """

    assessed: Assessed
    times: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    pair_of: Mapping[str, int] = field(default_factory=dict)
    readings: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    starts: Mapping[str, float] = field(default_factory=dict)

    def value(self, measure: str) -> float | None:
        """The value of a measurement, or None when it was not measured."""
        measurement = self.assessed.get(measure)
        return measurement.value if measurement else None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The candidate and the references on one instance.

    `copy` is the second copy of the reference that times are compared with; `pairs` the readings
    of the process pairs; `alpha` the error allowed for each look at the verdicts; `least_seconds`
    what each item takes at the very least, where the task has counted it; `again` the item whose question
    an item asks once more, in another pair.
    """

    candidate: Side
    references: Mapping[Tier, Side]
    copy: Side | None = None
    pairs: tuple[PairReading, ...] = ()
    alpha: float = 0.05
    least_seconds: Mapping[str, float] = field(default_factory=dict)
    again: Mapping[str, str] = field(default_factory=dict)

    def reference(self, tier: str | None) -> Side | None:
        """The reference of this tier; None where it is absent, or no tier is named."""
        return next((side for own, side in self.references.items() if own == tier), None)


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
    measure: str, top: Side, bottom: Side, margin: float | None, alpha: float = 0.05, least: float = 0.0
) -> Estimate | None:
    """`top`'s value by `bottom`'s: over process pairs where there are any, else one reading with its margin.

    A reading of `bottom`'s below `least` counts as `least`, in the measure's unit. To `top`'s time to be ready
    is added what its calls took beside the samples, beyond UNREST_SECONDS in each pair: of a reference that would
    only be the machine's unrest, which must not make room for anybody. To the time of calls that begin a stage of
    one worker is added what `top`'s start took beyond `bottom`'s and START_SECONDS: training is no start.
    """
    group, kind = names.split(measure)
    if kind in names.TIMED and (pairs := by_pair(group, top, bottom)):
        return timed_ratio(kind, pairs, alpha)
    spread = 1 + (SINGLE_READING_MARGIN if margin is None else margin)
    if kind == "seconds" and (spent := _spent(group, top, bottom, least)) is not None:
        return Estimate(spent, spent / spread, spent * spread)
    over, under = top.value(measure), bottom.value(measure)
    if over is not None and group == READY:
        over += max(0.0, (top.value(f"{BESIDE}_seconds") or 0.0) - UNREST_SECONDS)
    if over is not None:
        over += long_start(measure, top, bottom)
    if over is None or under is None or not (under := max(under, least)):
        return None
    if margin is None and all(_exact(side.assessed.get(measure)) for side in (top, bottom)):
        spread = 1.0
    return Estimate(over / under, over / under / spread, over / under * spread)


def long_start(measure: str, top: Side, bottom: Side) -> float:
    """Seconds of `top`'s start that count as the calls of `measure`, which begin a stage of one worker."""
    group, kind = names.split(measure)
    if kind != "seconds" or group not in top.starts:
        return 0.0
    return max(0.0, top.starts[group] - bottom.starts.get(group, 0.0) - START_SECONDS)


def timed_ratio(kind: str, pairs: Sequence[Floats], alpha: float) -> Estimate:
    """The ratio of p50, p95, p99, mean or throughput of timed requests."""
    if kind == "p50":
        return paired.median_ratio(pairs, alpha)
    if kind == "mean":
        return paired.total_ratio(pairs, alpha)
    if kind == "throughput":
        slower = paired.total_ratio(pairs, alpha)
        return Estimate(1 / slower.value, 1 / slower.high, 1 / slower.low)
    return paired.tail_ratio(pairs, names.QUANTILES[kind], alpha)


def pair_logs(measure: str, top: Side, bottom: Side) -> Floats:
    """The log of `top`'s value by `bottom`'s in each process pair: float64[pairs], empty without pairs.

    Untimed calls have none: what is spent on them in all pairs is one figure.
    """
    group, kind = names.split(measure)
    pairs = by_pair(group, top, bottom) if kind in names.TIMED else []
    return np.array([np.log(timed_value(kind, pair)) for pair in pairs])


def timed_value(kind: str, pair: Floats) -> float:
    """One pair's ratio of p50, p95, p99, mean or throughput, without an interval."""
    if kind == "p50":
        return float(np.exp(paired.median_log_ratio(pair)))
    if kind == "mean":
        return float(pair[:, 0].sum() / pair[:, 1].sum())
    if kind == "throughput":
        return float(pair[:, 1].sum() / pair[:, 0].sum())
    over, under = np.quantile(pair, names.QUANTILES[kind], axis=0)
    return float(over / under)


def geometric_ratio(measures: Sequence[str], top: Side, bottom: Side, alpha: float = 0.05) -> Estimate | None:
    """The geometric mean of several ratios; over process pairs each pair gives one value of it."""
    parts = [names.split(measure) for measure in measures]
    pairs = [by_pair(part.group, top, bottom) for part in parts]
    (kind, *others) = {part.kind for part in parts}
    if kind in CENTRES and not others and len({len(p) for p in pairs}) == 1 and len(pairs[0]) > 1:
        logs = np.array([[np.log(timed_value(kind, pair)) for pair in each] for each in pairs])
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
    return kind in names.TIMED and bool(by_pair(group, top, bottom))


def _spent(group: str, top: Side, bottom: Side, least: float) -> float | None:
    """The ratio of what both spent over the process pairs in which both have a reading; None below two of them.

    A budget is on what was spent in all. A mean over pairs, of ratios or their logarithms, would let a
    submission spend in one pair what it saves in the others, or keep the verdict open by differing from pair
    to pair.
    """
    over, under = top.readings.get(group, {}), bottom.readings.get(group, {})
    beside = top.readings.get(BESIDE, {}) if group == READY else {}
    both = over.keys() & under.keys()
    whole = sum(max(under[n], least) for n in both)
    return (
        sum(over[n] + max(0.0, beside.get(n, 0.0) - UNREST_SECONDS) for n in both) / whole
        if len(both) > 1 and whole > 0
        else None
    )


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
    for sample in trial.samples if trial and trial.timed else ():
        own = (floor or {}).get(sample.pair, 0.0)
        times.setdefault(sample.group, {})[sample.item] = beyond(sample.seconds, own)
        pair_of[sample.item] = sample.pair
    readings = untimed(trial.phases, trial.samples) if trial and trial.timed else {}
    return Side(assessed, times, pair_of, readings, _starts(trial.phases if trial and trial.timed else ()))


def _starts(phases: Iterable[PhaseTime]) -> dict[str, float]:
    """Seconds of each start by the group of the first call after it, of stages that have one worker."""
    phases = list(phases)
    workers = Counter(phase.item for phase in phases if phase.group == "start")
    begun: float | None = None
    starts: dict[str, float] = {}
    for phase in phases:
        if phase.group == "start":
            begun = phase.seconds if workers[phase.item] == 1 else None
        elif phase.group not in STARTS and begun is not None:
            starts[phase.group] = starts.get(phase.group, 0.0) + begun
            begun = None
    return starts
