"""Pure: what the audit probes saw, and whose doing it is: the candidate's own, or perhaps the machine's.

What only the candidate's own processes can cause is not believed: it gives no points. What the machine may
have caused makes times void. What a candidate causes while it is stopped (the kernel goes on working for it,
or its data have taken the caches) shows right after its turns, whose order is drawn: the reference's times
from there do not count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from harness.grading.comparison import LEAST_PART, Comparison, Side
from harness.grading.criteria import Criteria
from harness.measures import paired
from harness.measures.estimates import Estimate
from harness.measures.paired import Floats
from harness.measures.stats import median
from harness.readings import PairReading
from harness.records import Culprit, Probe, Tier, Timing

# Faster in a pair that was added than another worker was on the same questions, by the reference's change. Wide: what
# a neighbour on the machine does to memory alone moves two programs' ratio by a tenth.
ADDED_GAIN = 0.25
REPEAT_GAIN = 0.10  # faster on inputs it has seen than the reference is: noted
DRIFT = 0.03  # a reference slower beside the candidate than without it
ALONE = "reference alone"
# Processor time used while stopped, by what the reference used; and a turn, beyond what the references used: a
# kernel counts a little of what it does to stop and wake a process as that process's own (measured: 3.7 % of a
# short call of a program that only sleeps).
IDLE_SHARE, IDLE_SECONDS = 0.02, 200e-6
# For each thread more: 6 to 8 us were measured of one that only waits. So many are allowed for at most.
THREAD_SECONDS, MOST_THREADS = 15e-6, 256
# More cores at a time than the reference, or than were given; a count of processor time may lag by a tick.
CORES_SHARE = 0.15
# Calls shorter than so many empty requests are noted: a task had better put several in one request.
FLOORS_WANTED = 20
# Two medians of eight calls differ by 5 % now and then on any machine; in most workers, there is no steady state.
UNSTEADY_SHARE = 0.5


@dataclass(frozen=True)
class _Beside:
    """A reference beside the candidate and without it, by pair: float64[n, 2] of seconds each.

    `first` are the requests of its turns right after a candidate's, `rest` those of its other turns.
    """

    tier: Tier
    whole: list[Floats]
    first: list[Floats]
    rest: list[Floats]


def looked_for(criteria: Criteria, rounds: Sequence[Comparison]) -> Iterable[Probe]:
    """Every probe of a run's process pairs; none where nothing was compared with a reference's times."""
    anchor = criteria.anchor()
    readings = [reading for r in rounds for reading in r.pairs]
    if anchor is None:
        return
    yield from _repeated(anchor, rounds)
    yield from _added(anchor, rounds)
    yield from _drifted(criteria, rounds)
    yield from _idle(anchor, rounds)
    yield from _share(anchor, rounds)
    yield from _close_to_floor(rounds, readings)
    yield from _unsteady(readings)
    yield from _too_fast(rounds, readings)


def undisturbed(rounds: Sequence[Comparison], trust: Timing | None) -> Sequence[Comparison]:
    """The rounds without the references' turns that the candidate was seen to slow down, if it was."""
    slows = trust is not None and any(p.name == ALONE and p.culprit == "candidate" for p in trust.probes)
    return [_without_its_turns(r) for r in rounds] if slows else rounds


def _without_its_turns(r: Comparison) -> Comparison:
    references: dict[Tier, Side] = {}
    for tier, side in r.references.items():
        left_out = {item for reading in r.pairs for item in reading.after.get(tier, ())}
        times = {
            group: {item: seconds for item, seconds in items.items() if item not in left_out}
            for group, items in side.times.items()
        }
        references[tier] = replace(side, times=times)
    return replace(r, references=references)


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


def _repeated(anchor: str, rounds: Sequence[Comparison]) -> Iterable[Probe]:
    own: list[Floats] = []
    reference: list[Floats] = []
    for r in rounds:
        for reading in r.pairs:
            candidate = _against(reading.repeats.get("candidate", {}), r.candidate, reading)
            base = _against(reading.repeats.get(anchor, {}), r.reference(anchor), reading)
            if candidate is not None and base is not None:
                own.append(candidate)
                reference.append(base)
    if not own:
        return
    change = paired.relative_change(own, reference)
    caches = change.high < 1 - REPEAT_GAIN
    words = (
        f"inputs asked a second time were answered {1 - change.value:.0%} faster than the {anchor}'s were: "
        "answers are remembered (no worker is asked a scored input twice)"
        if caches
        else "inputs asked a second time were not answered faster"
    )
    yield _probe("repeated input", "note" if caches else "clear", change, words)


def _added(anchor: str, rounds: Sequence[Comparison]) -> Iterable[Probe]:
    """Whether pairs that were added answer the same questions sooner: handed on from pair to pair, or made up."""
    own: list[Floats] = []
    reference: list[Floats] = []
    for r in rounds:
        known = r.reference(anchor)
        for number in sorted({reading.pair for reading in r.pairs}):
            both = [_seconds_again(side, r.again, number) for side in (r.candidate, known) if side]
            if len(both) == 2 and all(map(len, both)):
                own.append(both[0])
                reference.append(both[1])
    if not own:
        return
    change = paired.relative_change(own, reference)
    sooner = change.high < 1 - ADDED_GAIN
    words = (
        f"pairs that were added answered the same questions {1 - change.value:.0%} faster than the first pairs, by the "
        f"{anchor}'s change"
        if sooner
        else "pairs that were added took as long for the same questions, as far as can be told"
    )
    yield _probe("added pairs", "void" if sooner else "clear", change, words, "candidate" if sooner else "")


def _seconds_again(side: Side, again: Mapping[str, str], pair: int) -> Floats:
    """Seconds of what this pair was asked again beside those of the first time: float64[n, 2]."""
    known = {item: s for items in side.times.values() for item, s in items.items()}
    rows = [
        [known[item], known[base]]
        for item, base in again.items()
        if item in known and base in known and side.pair_of.get(item, 0) == pair
    ]
    return np.array(rows).reshape(-1, 2)


def _drifted(criteria: Criteria, rounds: Sequence[Comparison]) -> Iterable[Probe]:
    """Every reference that a figure goes by, beside the candidate and without it; the worst of them speaks."""
    anchor = criteria.anchor()
    tiers = sorted(criteria.timed_against(), key=lambda tier: (tier != anchor, tier))
    held = [of for tier in tiers if len((of := _beside(tier, anchor, rounds)).whole) > 1]
    found = [_slowed(of, 0.05 / len(held)) for of in held]
    yield from sorted(found, key=lambda p: (p.verdict != "void", p.verdict != "note"))[:1]


def _beside(tier: Tier, anchor: Tier | None, rounds: Sequence[Comparison]) -> _Beside:
    of = _Beside(tier, [], [], [])
    for r in rounds:
        for reading in r.pairs:
            alone = reading.alone_by.get(tier) or (reading.alone if tier == anchor else {})
            after = set(reading.after.get(tier, ()))
            for parts, chosen in (
                (of.whole, alone),
                (of.first, {item: s for item, s in alone.items() if item in after}),
                (of.rest, {item: s for item, s in alone.items() if item not in after} if after else {}),
            ):
                rows = _against(chosen, r.reference(tier), reading)
                parts += [rows[:, ::-1]] if rows is not None else []
    return of


def _slowed(of: _Beside, alpha: float) -> Probe:
    change = paired.relative_change(of.whole, alpha=alpha)
    if change.low <= 1 + DRIFT:
        words = f"the {of.tier} took as long beside the submission as without it, as far as can be told"
        return _probe(ALONE, "clear", change, words)
    slower = f"the {of.tier} was {change.value - 1:.1%} slower beside the submission than without it"
    if len(of.first) == len(of.rest) == len(of.whole):
        rest = paired.relative_change(of.rest, alpha=alpha)
        # Whose turn comes before whose is drawn: what is slower after the candidate's is slower because of it.
        if paired.relative_change(of.first, of.rest, alpha).low > 1 + DRIFT:
            counted = "right after the submission's turns: these do not count for its times"
            if rest.low <= 1 + DRIFT:
                return _probe(ALONE, "note", rest, f"{slower}, {counted}", "candidate")
            words = f"{slower}, most of all {counted}, and {rest.value - 1:.1%} in its other turns"
            return _probe(ALONE, "void", rest, words, "candidate")
    return _probe(ALONE, "void", change, slower, "machine")


def _turns(name: str, rounds: Sequence[Comparison]) -> int:
    """How many turns a worker had in all pairs; as many as are known of where they were not counted."""
    counted = 0
    for r in rounds:
        sides: Mapping[str, Side] = {"candidate": r.candidate, **r.references}
        served = [*sides[name].pair_of.values()] if name in sides else []
        for reading in r.pairs:
            again = reading.warmups + len(reading.repeats.get(name, {}))
            counted += reading.turns.get(name, served.count(reading.pair) + again)
    return counted


def _idle(anchor: str, rounds: Sequence[Comparison]) -> Iterable[Probe]:
    readings = [reading for r in rounds for reading in r.pairs]
    busy = sum(reading.busy_cpu.get(anchor, 0.0) for reading in readings)
    if not busy:
        return
    idle = {
        name: sum(reading.idle_cpu.get(name, 0.0) for reading in readings)
        for name in {name for reading in readings for name in reading.idle_cpu} | {"candidate"}
    }
    a_turn = {name: seconds / max(_turns(name, rounds), 1) for name, seconds in idle.items()}
    share, own = idle["candidate"] / busy, a_turn.pop("candidate")
    # What stopping and waking costs on this machine is seen in the references, which do nothing meanwhile.
    threads = max(min(reading.threads.get("candidate", 0), MOST_THREADS) for reading in readings)
    allowed = max(a_turn.values(), default=0.0) + IDLE_SECONDS + THREAD_SECONDS * threads
    worked = share > IDLE_SHARE and own > allowed
    words = (
        f"the submission used the processor while it was stopped, {own * 1e3:.2g} ms a turn and {share:.1%} of "
        f"what the {anchor} used in all"
        if worked
        else "the submission used no processor while it was stopped"
    )
    yield Probe(
        name="stopped means still",
        verdict="implausible" if worked else "clear",
        value=share,
        words=words,
        culprit="candidate" if worked else "",
    )


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
            quick = fastest <= LEAST_PART * floor / 2
            if quick and spare >= 0 and _as_quick(r, group, floor):
                words = f"empty requests took longer than twice what {group} did, the references' too: a busy machine"
                yield Probe(name="plausible", verdict="void", value=fastest, words=words, culprit="machine")
                return
            if spare < 0 or quick:
                least = median(np.array([r.least_seconds.get(item, 0.0) for item in items]))
                why = (
                    f"less than the {least * 1e3:.3g} ms that the work takes on any such machine"
                    if spare < 0
                    else f"which itself took {floor * 1e3:.3g} ms: too little for any work"
                )
                yield Probe(
                    name="plausible",
                    culprit="candidate",
                    verdict="implausible",
                    value=fastest,
                    words=f"{group} took {fastest * 1e3:.3g} ms beyond an empty request, {why}",
                )
                return
    yield Probe(
        name="plausible", verdict="clear", value=None, words="no answer came sooner than the work allows"
    )


def _as_quick(r: Comparison, group: str, floor: float) -> bool:
    """Whether a reference's calls, too, took under half of an empty request: then that one was measured badly."""
    times = [np.array(list(items.values())) for s in r.references.values() if (items := s.times.get(group))]
    return any(median(seconds) <= LEAST_PART * floor / 2 for seconds in times)


def _share(anchor: str, rounds: Sequence[Comparison]) -> Iterable[Probe]:
    """Whether the candidate used more cores at a time than it was given, or than the reference used."""
    readings = [reading for r in rounds for reading in r.pairs]
    busy, seconds = (
        {name: sum(of(reading).get(name, 0.0) for reading in readings) for name in ("candidate", anchor)}
        for of in (lambda reading: reading.busy_cpu, lambda reading: reading.turn_seconds)
    )
    cores = {name: busy[name] / max(seconds[name], 1e-9) for name in busy}
    allowed = max(cores[anchor], *(reading.cores or 1 for reading in readings))
    beyond = (busy["candidate"] - allowed * seconds["candidate"]) / max(_turns("candidate", rounds), 1)
    left = cores["candidate"] > allowed * (1 + CORES_SHARE) and beyond > IDLE_SECONDS
    # Where nothing kept the worker on its cores, a library that counts the machine's may have left them.
    held = all(reading.held for reading in readings)
    words = (
        f"the submission used {cores['candidate']:.2f} cores at a time, the {anchor} {cores[anchor]:.2f}: it "
        "left the cores that it was given"
        if left
        else "the submission used no more cores than it was given"
    )
    yield Probe(
        name="cores",
        verdict="clear" if not left else "implausible" if held else "void",
        value=cores["candidate"],
        words=words,
        culprit="candidate" if left else "",
    )


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


def _probe(
    name: str,
    verdict: Literal["clear", "note", "void"],
    estimate: Estimate,
    words: str,
    culprit: Culprit = "",
) -> Probe:
    bounded = math.isfinite(estimate.high)
    return Probe(
        name=name,
        verdict=verdict,
        value=estimate.value,
        low=estimate.low if bounded else None,
        high=estimate.high if bounded else None,
        words=words,
        culprit=culprit,
    )
