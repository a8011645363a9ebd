"""The machine's grade: counters in, A, B or C out, with what disturbed it and what to do, in words.

A is quiet, B usable, C too disturbed for times that count. Only what reaches the reference itself can
give C; what may have passed it by, or is common to all sides and cancels in ratios, gives B at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harness.readings import Condition, Counters, Grade

# Each pair of bounds: below the first A, below the second B, from there on C.
# Waiting over working. Below 0.2 intervals of ratios were 2 % wide, from 0.57 on 2 to 13 %. On two
# cores it was under 0.01 when quiet, 0.7 to 2 beside a program that never rests on the workers' core.
WAIT = (0.05, 0.2)
# Below 2 %, all of it in one place would still lie within the 3 % that verdicts allow; at a tenth of the
# time, nearly every run of a few milliseconds is cut somewhere, so no median is free of it.
STEAL = (0.02, 0.1)
# Waiting for memory means reclaiming or swapping: pages the workers have touched may be gone too.
MEMORY = (0.01, 0.1)
# Somebody waited for a core, not necessarily the reference: its own waiting decides about C. When
# quiet it was 0.03 at most, beside one busy program 0.2 and more.
PRESSURE = 0.15
# Below this share of the highest clock seen, a core's clock moved. It moves for all sides: B at most.
CORE_CLOCK = 0.9
# The device's clock: moved between requests, and so far under its default that NVBench drops the reading.
DEVICE_CLOCK, DEVICE_DEFAULT = 0.9, 0.75
# Of the reference against itself, from the first half to the second, as a ratio less 1. It is common to
# all sides (copies differed by 0.3 % where both drifted by 9 % in a quiet guest): B at most.
DRIFT = 0.1
# p95 over p50 of requests of one size: 1.1 to 1.3 undisturbed, 4.5 with two threads on two busy cores.
TAIL = (1.5, 3.0)
# A worker that hardly computes (it waits for a GPU) waits seldom in absolute terms: its waiting is held
# against at least this share of the time.
LEAST_WORK = 0.02
# The hardware protects itself and halves the clock or more (NVML's own words), and the milder ones.
BRAKES = {
    "hardware slowdown": "the GPU's hardware slowed it down",
    "hardware thermal slowdown": "the GPU's hardware slowed it down because of heat",
    "power brake": "the power supply slowed the GPU down",
}
EASINGS = {
    "software thermal slowdown": ("the GPU's driver slowed it down because of heat", "let it cool"),
    "power cap": ("the GPU ran into its power limit", "raise the limit, or let nothing else use the GPU"),
}

GRADES: tuple[Grade, ...] = ("A", "B", "C")


@dataclass(frozen=True)
class _Mark:
    grade: Grade
    words: str


def grade_machine(
    counters: Sequence[Counters], drift: float | None = None, tail: float | None = None
) -> Condition:
    """The worst grade of all counters over the given spans (process pairs), with words for each below A.

    `drift` is the reference's median time in its second half divided by that in its first, minus 1; `tail` is
    its p95 divided by its p50 over requests of one size. A missing counter is named. Without a figure for the
    workers' waiting no grade is better than B, and without any figure for load it is C.
    """
    whole = total(counters)
    marks = [
        *_waiting(whole),
        *_pressure(whole),
        *_steal(whole),
        *_memory(whole),
        *_core_clock(whole),
        *_device(whole),
        *_steadiness(drift, tail),
    ]
    worst = max((mark.grade for mark in marks), default="A")
    sentences = [mark.words for mark in sorted(marks, key=lambda mark: mark.grade, reverse=True)]
    if worst == "A":
        sentences.append("the machine was quiet: nothing that was counted disturbed the reference")
    return Condition(grade=worst, words=(*sentences, *_missing(counters)), counters=whole)


def total(counters: Sequence[Counters]) -> Counters:
    """Several spans as one: seconds and counts added, shares averaged by time, clocks from lowest to highest.

    A figure is taken over the spans that have it, and is None if none has it. The workers' waiting is added
    only over spans that also have their work, so that one can be divided by the other.
    """
    both = [c for c in counters if c.cpu_seconds is not None and c.wait_seconds is not None]
    reasons = {reason: None for c in counters for reason in c.device_reasons}
    return Counters(
        seconds=sum(c.seconds for c in counters),
        cpu_seconds=_of(sum, both, lambda c: c.cpu_seconds),
        wait_seconds=_of(sum, both, lambda c: c.wait_seconds),
        preemptions=_whole(_of(sum, counters, lambda c: c.preemptions)),
        steal_share=_over_time(counters, lambda c: c.steal_share),
        pressure_cpu_share=_over_time(counters, lambda c: c.pressure_cpu_share),
        pressure_memory_share=_over_time(counters, lambda c: c.pressure_memory_share),
        mhz_low=_of(min, counters, lambda c: c.mhz_low),
        mhz_high=_of(max, counters, lambda c: c.mhz_high),
        device_reasons=tuple(reasons),
        device_mhz_low=_of(min, counters, lambda c: c.device_mhz_low),
        device_mhz_high=_of(max, counters, lambda c: c.device_mhz_high),
        device_mhz_default=_of(max, counters, lambda c: c.device_mhz_default),
        device_celsius=_of(max, counters, lambda c: c.device_celsius),
        device_strangers=_whole(_of(max, counters, lambda c: c.device_strangers)),
    )


def wait_share(counters: Counters) -> float | None:
    """The workers' waiting for a core divided by their work on one, called W; None if it was not counted."""
    if counters.cpu_seconds is None or counters.wait_seconds is None:
        return None
    work = max(counters.cpu_seconds, LEAST_WORK * counters.seconds)
    return counters.wait_seconds / work if work > 0 else None


def _waiting(whole: Counters) -> Iterator[_Mark]:
    share = wait_share(whole)
    if share is None:
        pressure_known = whole.pressure_cpu_share is not None
        yield _Mark(
            "B" if pressure_known else "C",
            "whether the reference waited for its core was not told here"
            + (
                ""
                if pressure_known
                else ", nor was any other load: use Linux with schedstat for times that count"
            ),
        )
    elif (mark := _graded(share, WAIT)) != "A":
        yield _Mark(
            mark,
            f"other work took the core: for each second of its own the reference waited {share:.2g} s; "
            "stop other programs and run again",
        )


def _pressure(whole: Counters) -> Iterator[_Mark]:
    share, waited = whole.pressure_cpu_share, wait_share(whole)
    if waited is not None and waited >= WAIT[0]:
        return  # the same load, seen where it matters
    if share is not None and share >= PRESSURE:
        yield _Mark("B", f"in {share:.0%} of the time some program waited for a core; stop other programs")


def _steal(whole: Counters) -> Iterator[_Mark]:
    share = whole.steal_share
    if share is not None and (mark := _graded(share, STEAL)) != "A":
        yield _Mark(
            mark,
            f"the host took the cores away for {share:.1%} of the time (steal); run again later, "
            "or on a machine that is not shared",
        )


def _memory(whole: Counters) -> Iterator[_Mark]:
    share = whole.pressure_memory_share
    if share is not None and (mark := _graded(share, MEMORY)) != "A":
        yield _Mark(
            mark,
            f"in {share:.1%} of the time some program stood still for want of memory; close programs, "
            "or use a machine with more memory",
        )


def _core_clock(whole: Counters) -> Iterator[_Mark]:
    low, high = whole.mhz_low, whole.mhz_high
    if low is not None and high and low < CORE_CLOCK * high:
        yield _Mark(
            "B",
            f"the cores' clock moved between {low:,.0f} and {high:,.0f} MHz; plug in the power, "
            "set the governor to performance, let the machine cool",
        )


def _device(whole: Counters) -> Iterator[_Mark]:
    heat = f" ({whole.device_celsius:.0f} °C)" if whole.device_celsius is not None else ""
    for reason in whole.device_reasons:
        if reason in BRAKES:
            yield _Mark("C", f"{BRAKES[reason]}{heat}; see to its cooling and its power, and run again")
        elif reason in EASINGS:
            what, advice = EASINGS[reason]
            yield _Mark("B", f"{what}{heat}; {advice}")
    low, high, default = whole.device_mhz_low, whole.device_mhz_high, whole.device_mhz_default
    if low is not None and default and low < DEVICE_DEFAULT * default:
        yield _Mark(
            "C",
            f"the GPU's clock fell to {low:,.0f} MHz of {default:,.0f}{heat}; let it cool, "
            "and reset clocks that were locked",
        )
    elif low is not None and high and low < DEVICE_CLOCK * high:
        yield _Mark(
            "B", f"the GPU's clock moved between {low:,.0f} and {high:,.0f} MHz; lock it, or let it cool"
        )
    if whole.device_strangers:
        many = whole.device_strangers
        yield _Mark(
            "C",
            f"{many} other {'process' if many == 1 else 'processes'} used the GPU; end "
            f"{'it' if many == 1 else 'them'} and run again",
        )


def _steadiness(drift: float | None, tail: float | None) -> Iterator[_Mark]:
    if drift is not None and abs(drift) >= DRIFT:
        way = "slower" if drift > 0 else "faster"
        yield _Mark(
            "B",
            f"the reference became {abs(drift):.0%} {way} from its first half to its second; "
            "let the machine come to rest, and run again",
        )
    if tail is not None and (mark := _graded(tail, TAIL)) != "A":
        yield _Mark(
            mark, f"the reference's slowest twentieth took {tail:.1f} times its median; stop other programs"
        )


# What an A or a B leaves open when it was not counted; the GPU is named only where one was looked at.
_TOLD: tuple[tuple[str, Callable[[Counters], float | None]], ...] = (
    ("waiting for a core", lambda c: c.wait_seconds),
    ("pressure on the cores", lambda c: c.pressure_cpu_share),
    ("steal by a host", lambda c: c.steal_share),
    ("pressure on memory", lambda c: c.pressure_memory_share),
    ("the cores' clock", lambda c: c.mhz_low),
)
_TOLD_OF_DEVICE: tuple[tuple[str, Callable[[Counters], float | None]], ...] = (
    ("the GPU's clock", lambda c: c.device_mhz_low),
    ("who else uses the GPU", lambda c: c.device_strangers),
)


def _missing(counters: Sequence[Counters]) -> Iterator[str]:
    device = any(
        c.device_celsius is not None or c.device_mhz_default is not None or c.device_reasons for c in counters
    )
    for name, read in (*_TOLD, *(_TOLD_OF_DEVICE if device else ())):
        lacking = sum(read(c) is None for c in counters)
        if lacking or not counters:
            part = "" if lacking == len(counters) else f" in {lacking} of {len(counters)} parts"
            yield f"not told{part}: {name}"


def _graded(value: float, bounds: tuple[float, float]) -> Grade:
    return GRADES[sum(value >= bound for bound in bounds)]


Value = Callable[[Counters], float | None]


def _of(combine: Callable[[list[float]], float], counters: Sequence[Counters], read: Value) -> float | None:
    known = [value for c in counters if (value := read(c)) is not None]
    return combine(known) if known else None


def _over_time(counters: Sequence[Counters], read: Value) -> float | None:
    known = [(value, c.seconds) for c in counters if (value := read(c)) is not None]
    seconds = sum(seconds for _, seconds in known)
    return sum(value * seconds for value, seconds in known) / seconds if seconds else None


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
