"""Pure: how far a run's times can be trusted, from its process pairs: certificate, grade, audit probes.

The A/A certificate times the reference against a copy of itself, in the same pairs and by the same
clock as the candidate. What the clock then calls different is its own error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from harness.grading.comparison import LEAST_PART, Comparison, Side, by_pair, timed_ratio
from harness.grading.criteria import Criteria
from harness.measures import names, paired
from harness.measures.conditions import grade_machine
from harness.measures.estimates import Estimate
from harness.measures.paired import Floats
from harness.measures.stats import median
from harness.readings import PairReading
from harness.records import Certificate, Condition, Probe, Timing

LEAST_MARGIN, MOST_MARGIN = 0.03, 0.05  # beyond, a noisy clock would be lenient: it stays open instead
FEWEST_PAIRS = 5
REPEAT_GAIN = 0.10  # faster on inputs it has seen than the reference is: noted
DRIFT = 0.03  # the reference slower beside the candidate than without it: the times are void
# Processor time used while stopped, by what the reference used: the scheduler's own accounting lags a little.
IDLE_SHARE = 0.02
# More cores at a time than the reference, or than one; a count of processor time may lag by a tick.
CORES_SHARE = 0.15
# Calls shorter than so many empty requests are noted: a task had better put several in one request.
FLOORS_WANTED = 20
# Two medians of eight calls differ by 5 % now and then on any machine; in most workers, there is no steady state.
UNSTEADY_SHARE = 0.5


def timing(criteria: Criteria, rounds: Sequence[Comparison]) -> Timing | None:
    """What can be said of the times of a run; None where nothing was timed in pairs."""
    readings = [reading for r in rounds for reading in r.pairs]
    if not readings:
        return None
    certificate = _certificate(criteria, rounds)
    condition = _condition(criteria, rounds, readings)
    probes = tuple(_probes(criteria, rounds, readings))
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


def margin(trust: Timing | None) -> float:
    """The tolerance of a verdict on a time: max(3 %, twice the A/A ratio's standard error in this run)."""
    return trust.certificate.margin if trust and trust.certificate else LEAST_MARGIN


def _doubts(
    pairs: int, certificate: Certificate | None, condition: Condition | None, probes: Iterable[Probe]
) -> Iterable[str]:
    if pairs < FEWEST_PAIRS:
        yield f"times are not certified: {pairs} process pairs, {FEWEST_PAIRS} are needed"
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
    logs = np.array([paired.median_log_ratio(pair) for pair in pairs])
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


def _probes(
    criteria: Criteria, rounds: Sequence[Comparison], readings: Sequence[PairReading]
) -> Iterable[Probe]:
    anchor = criteria.anchor()
    if anchor is None:
        return
    yield from _repeated(anchor, rounds)
    yield from _drifted(anchor, rounds)
    yield from _idle(anchor, readings)
    yield from _share(anchor, readings)
    yield from _close_to_floor(rounds, readings)
    yield from _unsteady(readings)
    yield from _too_fast(rounds, readings)


def _against(once: dict[str, float], again: Side | None, reading: PairReading) -> Floats | None:
    """Seconds of a probe beside the same items' timed ones, the floor in both: float64[n, 2] or None.

    An answer that is remembered takes no longer than the floor: what is left without it is noise.
    """
    if again is None:
        return None
    known = {item: s for items in again.times.values() for item, s in items.items()}
    floor = median(np.array(reading.floor)) if reading.floor else 0.0
    rows = [[seconds, known[item] + floor] for item, seconds in once.items() if item in known]
    return np.array(rows) if rows else None


def _reference(r: Comparison, anchor: str) -> Side | None:
    return next((side for tier, side in r.references.items() if tier == anchor), None)


def _repeated(anchor: str, rounds: Sequence[Comparison]) -> Iterable[Probe]:
    own: list[Floats] = []
    reference: list[Floats] = []
    for r in rounds:
        for reading in r.pairs:
            candidate = _against(reading.repeats.get("candidate", {}), r.candidate, reading)
            base = _against(reading.repeats.get(anchor, {}), _reference(r, anchor), reading)
            if candidate is not None and base is not None:
                own.append(candidate)
                reference.append(base)
    if not own:
        return
    change = paired.relative_change(own, reference)
    caches = change.high < 1 - REPEAT_GAIN
    words = (
        f"inputs asked a second time were answered {1 - change.value:.0%} faster than the {anchor}'s were: "
        "answers are remembered (no scored input is asked twice)"
        if caches
        else "inputs asked a second time were not answered faster"
    )
    yield _probe("repeated input", "note" if caches else "clear", change, words)


def _drifted(anchor: str, rounds: Sequence[Comparison]) -> Iterable[Probe]:
    pairs = []
    for r in rounds:
        for reading in r.pairs:
            rows = _against(reading.alone, _reference(r, anchor), reading)
            if rows is not None:
                pairs.append(rows[:, ::-1])
    if len(pairs) < 2:
        return
    change = paired.relative_change(pairs)
    void = change.low > 1 + DRIFT
    words = (
        f"the {anchor} was {change.value - 1:.1%} slower beside the submission than without it"
        if void
        else f"the {anchor} took as long beside the submission as without it, as far as can be told"
    )
    yield _probe("reference alone", "void" if void else "clear", change, words)


def _idle(anchor: str, readings: Sequence[PairReading]) -> Iterable[Probe]:
    idle = sum(reading.idle_cpu.get("candidate", 0.0) for reading in readings)
    busy = sum(reading.busy_cpu.get(anchor, 0.0) for reading in readings)
    if not busy:
        return
    share = idle / busy
    void = share > IDLE_SHARE
    words = (
        f"the submission used the processor while it was stopped, {share:.1%} of what the {anchor} used"
        if void
        else "the submission used no processor while it was stopped"
    )
    yield Probe(name="stopped means still", verdict="void" if void else "clear", value=share, words=words)


def _too_fast(rounds: Sequence[Comparison], readings: Sequence[PairReading]) -> Iterable[Probe]:
    floors = [seconds for reading in readings for seconds in reading.floor]
    if not floors:
        return
    floor = median(np.array(floors))
    for r in rounds:
        for group, items in r.candidate.times.items():
            # Less the floor already: a call that took under half of an empty request keeps next to nothing.
            fastest = median(np.array(list(items.values())))
            # Each item by its own least: a group may hold much work and little.
            spare = median(np.array([s - r.least_seconds.get(item, 0.0) for item, s in items.items()]))
            if spare < 0 or fastest <= LEAST_PART * floor / 2:
                least = median(np.array([r.least_seconds.get(item, 0.0) for item in items]))
                yield Probe(
                    name="plausible",
                    verdict="implausible",
                    value=fastest,
                    words=f"{group} took {fastest * 1e3:.3g} ms beyond an empty request, "
                    f"less than the {least * 1e3:.3g} ms that the work takes on any such machine",
                )
                return
    yield Probe(
        name="plausible", verdict="clear", value=None, words="no answer came sooner than the work allows"
    )


def _share(anchor: str, readings: Sequence[PairReading]) -> Iterable[Probe]:
    """Whether the candidate used more cores at a time than the reference did on the same terms."""
    cores = {
        name: sum(reading.busy_cpu.get(name, 0.0) for reading in readings)
        / max(sum(reading.turn_seconds.get(name, 0.0) for reading in readings), 1e-9)
        for name in ("candidate", anchor)
    }
    void = cores["candidate"] > max(cores[anchor], 1.0) * (1 + CORES_SHARE)
    words = (
        f"the submission used {cores['candidate']:.2f} cores at a time, the {anchor} {cores[anchor]:.2f}: it "
        "left the cores that it was given"
        if void
        else "the submission used no more cores than it was given"
    )
    yield Probe(name="cores", verdict="void" if void else "clear", value=cores["candidate"], words=words)


def _close_to_floor(rounds: Sequence[Comparison], readings: Sequence[PairReading]) -> Iterable[Probe]:
    floors = [seconds for reading in readings for seconds in reading.floor]
    times = [s for r in rounds for items in r.candidate.times.values() for s in items.values()]
    if not floors or not times:
        return
    share = median(np.array(floors)) / max(median(np.array(times)), 1e-9)
    words = f"an empty request costs {share:.1%} of the submission's median call; it was taken off"
    yield Probe(
        name="empty request",
        verdict="note" if share > 1 / FLOORS_WANTED else "clear",
        value=share,
        words=words,
    )


def _unsteady(readings: Sequence[PairReading]) -> Iterable[Probe]:
    verdicts = [steady for reading in readings for steady in reading.steady.values()]
    if not verdicts:
        return
    share = 1 - sum(verdicts) / len(verdicts)
    most = max(reading.warmups for reading in readings)
    words = (
        f"no steady state in {verdicts.count(False)} of {len(verdicts)} workers within {most} warm-up calls: the last "
        "eight took 5 % more or less than those before"
        if share
        else f"every worker was steady within {most} warm-up calls"
    )
    yield Probe(
        name="steady state", verdict="note" if share > UNSTEADY_SHARE else "clear", value=share, words=words
    )


def _probe(name: str, verdict: Literal["clear", "note", "void"], estimate: Estimate, words: str) -> Probe:
    bounded = math.isfinite(estimate.high)
    return Probe(
        name=name,
        verdict=verdict,
        value=estimate.value,
        low=estimate.low if bounded else None,
        high=estimate.high if bounded else None,
        words=words,
    )
