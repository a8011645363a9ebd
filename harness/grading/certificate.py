"""Pure: how far a run's times can be trusted, from its process pairs: certificate, grade, audit probes.

The A/A certificate times the reference against a copy of itself, in the same pairs and by the same
clock as the candidate. What the clock then calls different is its own error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from harness.grading.comparison import CENTRES, Comparison, Side, by_pair, timed_ratio, timed_value
from harness.grading.criteria import Criteria
from harness.grading.probes import ALONE, looked_for
from harness.measures import names, paired
from harness.measures.conditions import grade_machine
from harness.measures.paired import Floats
from harness.measures.stats import median
from harness.readings import FEWEST_PAIRS, Condition, PairReading
from harness.records import Certificate, Probe, Timing

LEAST_MARGIN, MOST_MARGIN = 0.03, 0.05  # beyond, a noisy clock would be lenient: it stays open instead
UNBOUNDED = 1e9  # a factor that no ratio of times reaches


def timing(criteria: Criteria, rounds: Sequence[Comparison]) -> Timing | None:
    """What can be said of the times of a run; None where nothing was timed in pairs."""
    readings = [reading for r in rounds for reading in r.pairs]
    if not readings:
        return None
    certificate = _certificate(criteria, rounds)
    condition = _condition(criteria, rounds, readings)
    probes = tuple(looked_for(criteria, rounds))
    pairs = min(len(r.pairs) for r in rounds)
    doubts = list(_doubts(pairs, certificate, condition, probes))
    floors = [seconds for reading in readings for seconds in reading.floor]
    return Timing(
        pairs=pairs,
        floor_seconds=median(np.array(floors)) if floors else None,
        certified=not doubts,
        certificate=certificate,
        condition=condition,
        probes=probes,
        words=tuple(doubts)
        or (
            f"times are certified: {pairs} fresh process pairs, machine grade "
            f"{condition.grade if condition else 'unknown'}",
        ),
    )


def voided(trust: Timing | None) -> bool:
    """Whether no verdict on a time may be given: a void probe, or a certificate that does not hold."""
    if trust is None:
        return False
    broken = trust.certificate is not None and not trust.certificate.holds
    return broken or any(probe.verdict == "void" for probe in trust.probes)


def disturbance(trust: Timing | None) -> float:
    """The largest factor by which this run saw its own times to be off, at the far end of its interval.

    Over the A/A ratio, and the references beside the candidate and without it; UNBOUNDED where an interval has
    no end.
    """
    if trust is None:
        return 1.0
    ends = [(p.low, p.high) for p in trust.probes if p.name == ALONE and p.value is not None]
    ends += [(c.low, c.high)] if (c := trust.certificate) is not None else []
    return max((_off(low, high) for low, high in ends), default=1.0)


def _off(low: float | None, high: float | None) -> float:
    return max(high, 1 / low) if low and high is not None else UNBOUNDED


def margin(trust: Timing | None) -> float:
    """The tolerance of a verdict on a time: max(3 %, twice the A/A ratio's standard error in this run)."""
    return trust.certificate.margin if trust and trust.certificate else LEAST_MARGIN


def _doubts(
    pairs: int, certificate: Certificate | None, condition: Condition | None, probes: Iterable[Probe]
) -> Iterable[str]:
    if pairs < FEWEST_PAIRS:
        yield f"times are not certified: {pairs} process pair{'s' * (pairs != 1)}, {FEWEST_PAIRS} are needed"
    if certificate is None:
        yield "times are not certified: no copy of the reference was timed beside it"
    elif 2 * certificate.spread / math.sqrt(certificate.pairs) > MOST_MARGIN:
        yield f"times are not certified: the clock is too unsure of itself ({certificate.words})"
    elif not certificate.holds:
        yield f"times are not certified: {certificate.words}"
    if condition is not None and condition.grade == "C":
        yield "times are not certified: the machine is grade C"
    yield from (f"times are not certified: {p.words}" for p in probes if p.verdict in ("void", "implausible"))


def _all_pairs(group: str, rounds: Sequence[Comparison], sides: Sequence[tuple[Side, Side]]) -> list[Floats]:
    return [pair for top, bottom in sides for pair in by_pair(group, top, bottom)]


def _certificate(criteria: Criteria, rounds: Sequence[Comparison]) -> Certificate | None:
    anchor, measure = criteria.anchor(), criteria.timed_measure()
    if anchor is None or not measure:
        return None
    group, kind = names.split(measure)
    sides = [(r.copy, r.references[anchor]) for r in rounds if r.copy and anchor in r.references]
    pairs = _all_pairs(group, rounds, sides)
    if not pairs:
        return None
    ratio = timed_ratio(kind, pairs, rounds[0].alpha)
    centre = kind if kind in CENTRES else "p50"
    logs = np.array([math.log(timed_value(centre, pair)) for pair in pairs])
    spread = float(logs.std(ddof=1)) if len(logs) > 1 else paired.ONE_PAIR_MARGIN
    tolerance = min(max(LEAST_MARGIN, 2 * spread / math.sqrt(len(pairs))), MOST_MARGIN)
    holds = ratio.low <= 1 + tolerance and ratio.high >= 1 - tolerance
    inside = ratio.low >= 1 - tolerance and ratio.high <= 1 + tolerance
    # An interval that reaches beyond the margin shows no difference, but no equality either.
    equal = "equal" if inside else "not told apart" if holds else "not equal"
    words = (
        f"the {anchor} against its own copy: {ratio.value:.3f} times ({ratio.low:.3f} to {ratio.high:.3f}), "
        f"{equal} within {tolerance:.1%}"
    )
    return Certificate(
        measure=measure,
        value=ratio.value,
        low=ratio.low,
        high=ratio.high,
        spread=spread,
        margin=tolerance,
        pairs=len(pairs),
        holds=holds,
        words=words,
    )


def _condition(
    criteria: Criteria, rounds: Sequence[Comparison], readings: Sequence[PairReading]
) -> Condition | None:
    counters = [reading.counters for reading in readings if reading.counters is not None]
    return grade_machine(counters, _drift(criteria, rounds)) if counters else None


def _drift(criteria: Criteria, rounds: Sequence[Comparison]) -> float | None:
    """The reference's median time in the second half of the pairs over that in the first, less 1."""
    anchor, measure = criteria.anchor(), criteria.timed_measure()
    if anchor is None or not measure:
        return None
    group = names.split(measure).group
    medians = [
        median(pair[:, 1])
        for r in rounds
        if anchor in r.references
        for pair in by_pair(group, r.references[anchor], r.references[anchor])
    ]
    half = len(medians) // 2
    if not half:
        return None
    return median(np.array(medians[-half:])) / median(np.array(medians[:half])) - 1
