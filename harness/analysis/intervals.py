"""Pure: whether a result claims to be known better than the same submission's was here.

Whoever writes a receipt chooses its intervals, and every page shows them as if they had been measured. How far the
widths of two honest runs of one submission on one seed differ follows from how an interval is made:

- of a quality it is a bootstrap over the items, drawn from a fixed seed: the same answers have the same interval to
  the last digit. Where both runs have one and the same value on one machine and version, a width of less than half of
  the one here (HALVED) was not measured. A submission that draws by itself may come to the same value by other items,
  whose percentiles over 1,000 draws are a few in a hundred apart: over TIED is open.
- elsewhere the answers are a little different, and the width with them, since a share of n items has a deviation of
  sqrt(p (1 - p) / n): over OTHERWISE times is open.
- of a time it is a t interval, or a bootstrap, over process pairs. Of two deviations over five pairs each, the fewest
  that certify, one is over 4.8 times the other in one of 200 comparisons and over 10 times in one of 3,400 (F of 4 and
  4 degrees of freedom). The noise itself may be another by the hour, though no more while times are certified: over
  BY_TIMES is open.
- where the times here are not certified, there may be one or two pairs on a busy machine (F of 1 and 1: a ratio of over
  100 in one of 160): over UNCERTIFIED is open.

Widths of times and sizes are taken as shares of their values: a single reading has one in proportion, and a reading
of nothing has none. What a task only implies and both runs are within is not looked at, as its value is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from harness.analysis.agreement import COSTS, Finding, Result, is_implied, shown
from harness.analysis.repeated import ROUNDING, is_one
from harness.grading.criteria import Criteria
from harness.measures.names import is_memory, is_time

NAME = "interval"
CERTIFIED = "certified"
POINTS = "points"
TIED, HALVED, OTHERWISE, BY_TIMES, UNCERTIFIED = 1.25, 2.0, 3.0, 10.0, 100.0


class _Spans(NamedTuple):
    """One quantity, and its value with its interval as claimed and as measured here."""

    name: str
    by_cost: bool
    claimed: tuple[float | None, float | None, float | None]
    here: tuple[float | None, float | None, float | None]


class Trust(NamedTuple):
    """What two runs have in common: `exact`: machine and version, so that the same answers give the same digits."""

    same_machine: bool
    exact: bool


def compare(claimed: Result, again: Result, criteria: Criteria, trust: Trust) -> Iterator[Finding]:
    """A finding for what is claimed more narrowly than it was measured here, and one for certified times; or none."""
    certified = bool(again.certified)
    by_state: dict[Literal["differs", "open"], list[str]] = {"differs": [], "open": []}
    for spans in _compared(claimed, again, criteria, trust.same_machine):
        state = _state(spans, certified, trust.exact)
        if state is not None:
            by_state[state].append(f"{spans.name} {_words(spans)}")
    narrow = [*by_state["differs"], *by_state["open"]]
    if narrow:
        why = "narrower than chance makes it" + (
            "; the same answers have the same interval on this machine" if by_state["differs"] else ""
        )
        words = f"{'; '.join(narrow)}: {why}"
        yield Finding(name=NAME, state="differs" if by_state["differs"] else "open", words=words)
    yield from _certified(claimed, again, trust.exact)


def _certified(claimed: Result, again: Result, exact: bool) -> Iterator[Finding]:
    """What a run here says of a receipt whose times are said to be certified, where its own are not.

    Whether a task's times are taken in pairs is the task's, and no chance. Whether they come to be certified is the
    machine's in that hour: an honest receipt may be verified beside a busy neighbour, so that shows nothing, and is
    said as a note. No comparison rests on such a claim alone: it needs the times of both runs to be certified.
    """
    if not claimed.certified or again.certified:
        return
    judged = again.outcome in ("ok", "budget_exceeded", "inconclusive")
    if again.certified is None and judged:
        words = "the receipt says that its times are certified, and this task takes none that could be"
        yield Finding(name=CERTIFIED, state="differs" if exact else "open", words=words)
    else:
        words = "the receipt says that its times are certified; those here are not, so nothing here shows it"
        yield Finding(name=CERTIFIED, state="note", words=words)


def _compared(claimed: Result, again: Result, criteria: Criteria, same_machine: bool) -> Iterator[_Spans]:
    """Every quantity that both runs measured and that may be compared between their machines."""
    a, b, unit = claimed.objective, again.objective, criteria.objective.unit
    by_cost = bool(criteria.objective.ratio_of) or unit in COSTS
    if same_machine or criteria.objective.ratio_of or unit not in COSTS:
        yield _Spans("objective", by_cost, (a.value, a.low, a.high), (b.value, b.low, b.high))
    points = tuple((one.points_uncapped, one.points_low, one.points_high) for one in (claimed, again))
    yield _Spans(POINTS, by_cost, *points)
    absolute = {c.name for c in criteria.constraints if c.compare == "absolute"}
    theirs = {c.name: c for c in claimed.constraints}
    for now in again.constraints:
        was = theirs.get(now.name)
        aside = is_implied(now, criteria) and was is not None and was.verdict == now.verdict == "pass"
        elsewhere = not same_machine and now.name in absolute and now.unit in COSTS
        if was is None or was.measure != now.measure or was.void or now.void or aside or elsewhere:
            continue
        cost = is_time(now.measure) or is_memory(now.measure) or now.unit in COSTS
        spans = (was.value, was.low, was.high), (now.value, now.low, now.high)
        yield _Spans(f"constraint {now.name}", cost, *spans)


def _state(spans: _Spans, certified: bool, exact: bool) -> Literal["differs", "open"] | None:
    """What a claimed width beside the one here tells; None where chance makes such a one."""
    (value, *_), (own, *_) = spans.claimed, spans.here
    if value is None or own is None:
        return None
    width, here = _width(spans.claimed), _width(spans.here)
    if here <= ROUNDING * max(1.0, abs(own)):
        return None  # exact here: a count, or what is so by definition
    if spans.by_cost:
        if spans.name != POINTS:
            if value <= 0 or own <= 0:
                return None
            width, here = width / value, here / own
        return "open" if width * (BY_TIMES if certified else UNCERTIFIED) < here else None
    if not is_one(value, own):
        return "open" if width * OTHERWISE < here else None
    if width * HALVED < here:
        return "differs" if exact else "open"
    return "open" if exact and width * TIED < here else None


def _width(reading: tuple[float | None, float | None, float | None]) -> float:
    """How wide an interval is; 0 where none is given."""
    _, low, high = reading
    return 0.0 if low is None or high is None else high - low


def _words(spans: _Spans) -> str:
    none = spans.claimed[1] is None or spans.claimed[2] is None
    width = "without an interval" if none else f"{shown(_width(spans.claimed))} wide"
    return f"{width} in the receipt, {shown(_width(spans.here))} here"
