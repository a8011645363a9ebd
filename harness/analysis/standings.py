"""Pure: who stands where on a sheet, with intervals, ties, tiers and profiles; launches and reads nothing.

Points of a suite are the weighted mean of the points of its tasks: P = sum(w p) / sum(w). Their 95 % interval
takes the tasks as measured independently: half-widths are weighted and added in quadrature, each side by
itself, low = P - sqrt(sum((w (p - l))^2)) / sum(w), and so upwards (JCGM 100:2008, 5.1.2; sides kept apart
where an interval is lopsided). A cell's interval is cut to -25..125, like its points; where a cell has points
and no interval, nothing is known about its noise and the whole of -25..125 is taken.

rank = 1 + the number of candidates whose interval lies wholly above. Two candidates whose intervals
overlap are therefore never ranked apart by each other. Two intervals of 95 % that do not overlap differ with
well under 5 % of chance (Schenker and Gentleman 2001): the rule errs towards ties.

A candidate can make its own interval as wide as it likes, by being slower now and then or right about all or
nothing. That earns no place: for ranks, bands and comparisons an interval reaches no further above its points than
noise explains that is not the candidate's own (`points_room`: what the references of its run get for the same
objective). Below its points it counts whole. Where a cell does not say, its interval counts as it is.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from harness.errors import UsageError
from harness.readings import Record
from harness.records import SHOWN, Culprit, Outcome
from harness.sheets import Cell, Cut, Sheet, Standing, Suite, TaskInSuite

TIERS = ("none", "below baseline", "baseline", "competent", "expert")
FailedTask = Literal["apart", "zero"]
Band = Literal["pass", "review", "not yet"]
NOT_YET = "not scored yet"


class Span(Record):
    """Points with their 95 % interval.

    `reach` is how far up it counts, where noise that is not the candidate's own explains less than `high`.
    """

    points: float
    low: float
    high: float
    reach: float | None = None

    @property
    def top(self) -> float:
        """The upper end that counts for a place, a band and a comparison."""
        return self.high if self.reach is None else self.reach

    def overlaps(self, other: Span) -> bool:
        """Whether what counts of the two intervals meets; it does at a common end."""
        return self.low <= other.top and other.low <= self.top


class Competency(Record):
    """A candidate's points in one competency: over `counted` of its `tasks` tasks; None where none counts."""

    name: str
    points: Span | None
    counted: int
    tasks: int


class Ranked(Record):
    """A candidate with a rank: every task counts.

    `rank` to `worst` are the places that the intervals allow: at least `rank` - 1 candidates are surely
    better, and all but `worst` surely worse. `tied`: somebody else has the same rank. `tier` is the lowest
    reached on any task, `tiers` says how many tasks reached each, `zeros` names the tasks that count as 0.
    """

    candidate: str
    rank: int
    worst: int
    tied: bool
    points: Span
    tier: str
    tiers: dict[str, int]
    band: Band | None = None
    competencies: tuple[Competency, ...] = ()
    zeros: tuple[str, ...] = ()


class Gap(Record):
    """A task that does not count for a candidate, and why. `outcome` is None where nothing was scored yet.

    `open_by`: whose doing it is that the task is open.
    """

    task: str
    standing: Standing
    outcome: Outcome | None
    reasons: tuple[str, ...] = ()
    open_by: Culprit = ""


class Apart(Record):
    """A candidate without a rank. `standing` is the gravest of its gaps: unfit, not attempted, then open.

    `points` and `competencies` are over the tasks that do count; they are never compared with anybody's.
    """

    candidate: str
    standing: Standing
    gaps: tuple[Gap, ...]
    counted: int
    points: Span | None
    competencies: tuple[Competency, ...] = ()

    @property
    def open_by(self) -> Culprit:
        """Whose doing it is where nothing graver than an open task is in the way: theirs where one task is.

        The evaluator's where every task that is open waits for somebody to look; the data's where on every one of them
        the references do not stand apart.
        """
        if self.standing != "open":
            return ""
        by = {gap.open_by for gap in self.gaps}
        if by in ({"evaluator"}, {"data"}):
            return by.pop()
        return "candidate" if "candidate" in by else "machine"


class Standings(Record):
    """Who stands where on these tasks. `filtered`: not the whole suite, so that no cut applies."""

    suite: str
    tasks: tuple[TaskInSuite, ...]
    competency: str = ""
    filtered: bool = False
    failed_task: FailedTask = "apart"
    cut: Cut | None = None
    ranked: tuple[Ranked, ...] = ()
    apart: tuple[Apart, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, candidate: str) -> Ranked | Apart | None:
        """Where a candidate stands; None for one who is not on the sheet."""
        return next((one for one in (*self.ranked, *self.apart) if one.candidate == candidate), None)


def standings(
    sheet: Sheet,
    tasks: Sequence[str] | None = None,
    competency: str | None = None,
    failed_task: FailedTask = "apart",
) -> Standings:
    """Ranks and whoever is apart, over the named tasks or those of a competency; raises UsageError.

    A candidate is ranked when every cell is fit. With `failed_task` "zero" a cell that is unfit counts as 0
    points, exactly; what is open, not attempted or not scored yet never counts as anything.
    """
    suite = sheet.assessment.suite
    chosen = chosen_tasks(suite, tasks, competency)
    filtered = len(chosen) < len(suite.tasks)
    table = by_candidate(sheet)
    ranked, apart = [], []
    for candidate in sheet.candidates:
        cells = table.get(candidate, {})
        gaps = _gaps(cells, chosen, failed_task)
        if gaps:
            apart.append(_apart(candidate, cells, chosen, gaps))
        else:
            ranked.append(_unplaced(candidate, cells, chosen, None if filtered else suite.cut))
    placed = _placed(ranked)
    return Standings(
        suite=suite.name,
        tasks=chosen,
        competency=competency or "",
        filtered=filtered,
        failed_task=failed_task,
        cut=None if filtered else suite.cut,
        ranked=placed,
        apart=tuple(apart),
        notes=_notes(placed, failed_task),
    )


def chosen_tasks(
    suite: Suite, tasks: Sequence[str] | None = None, competency: str | None = None
) -> tuple[TaskInSuite, ...]:
    """The suite's tasks that are named and of the competency; raises UsageError where one is not in it."""
    known = {task.id for task in suite.tasks}
    if unknown := [name for name in tasks or () if name not in known]:
        raise UsageError(f"suite {suite.name} has no task {unknown[0]!r}; it has {', '.join(sorted(known))}")
    if competency is not None and competency not in suite.competencies():
        have = ", ".join(suite.competencies()) or "none"
        raise UsageError(f"suite {suite.name} has no competency {competency!r}; it has {have}")
    chosen = tuple(
        task
        for task in suite.tasks
        if (not tasks or task.id in tasks) and (competency is None or competency in task.competencies)
    )
    if not chosen:
        raise UsageError(f"none of the named tasks is of the competency {competency!r}")
    return chosen


def by_candidate(sheet: Sheet) -> dict[str, dict[str, Cell]]:
    """The sheet's cells by candidate and task."""
    table: dict[str, dict[str, Cell]] = defaultdict(dict)
    for cell in sheet.cells:
        table[cell.candidate][cell.task] = cell
    return dict(table)


def span(cell: Cell) -> Span | None:
    """What a cell counts for: its points with their interval; 0 exactly where it is unfit; else None."""
    if cell.standing == "unfit":
        return Span(points=0.0, low=0.0, high=0.0)
    if cell.standing != "fit":
        return None
    low = SHOWN.low if cell.points_low is None else _held(cell.points_low)
    high = SHOWN.high if cell.points_high is None else _held(cell.points_high)
    high = max(high, cell.points)
    reach = None
    if cell.points_room is not None and cell.points_uncapped is not None:
        reach = _held(cell.points_uncapped + cell.points_room)
    return Span(
        points=cell.points,
        low=min(low, cell.points),
        high=high,
        reach=reach if reach is not None and reach < high else None,
    )


def weighted(spans: Sequence[tuple[float, Span]]) -> Span | None:
    """The weighted mean of (weight, points), half-widths in quadrature; None of nothing."""
    if not spans:
        return None
    total = sum(weight for weight, _ in spans)
    centre = sum(weight * one.points for weight, one in spans) / total
    below = math.hypot(*(weight * (one.points - one.low) for weight, one in spans)) / total
    above = math.hypot(*(weight * (one.high - one.points) for weight, one in spans)) / total
    counts = math.hypot(*(weight * (one.top - one.points) for weight, one in spans)) / total
    reach = None if all(one.reach is None for _, one in spans) else centre + counts
    return Span(points=centre, low=centre - below, high=centre + above, reach=reach)


def profile(cells: Mapping[str, Cell], tasks: Sequence[TaskInSuite]) -> tuple[Competency, ...]:
    """Points in each competency over its tasks that are fit, with how many of them there are.

    A failed task is not averaged in: how it failed is said, and `counted` shows that it is missing.
    """
    by_name: dict[str, list[TaskInSuite]] = {}
    for task in tasks:
        for name in task.competencies:
            by_name.setdefault(name, []).append(task)
    result = []
    for name, mine in by_name.items():
        spans = _spans(cells, mine)
        result.append(Competency(name=name, points=weighted(spans), counted=len(spans), tasks=len(mine)))
    return tuple(result)


def band(points: Span, cut: Cut | None) -> Band | None:
    """pass: the whole interval is at the cut or above; not yet: wholly below; review: the cut lies in it."""
    if cut is None:
        return None
    if points.low >= cut.points:
        return "pass"
    return "not yet" if points.top < cut.points else "review"


def places(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Each one's best and worst place: 1 + how many lie wholly above, and n - how many wholly below.

    By sorted ends, in O(n log n).
    """
    lows, tops = sorted(one.low for one in spans), sorted(one.top for one in spans)
    count = len(spans)
    return [(1 + count - bisect_right(lows, one.top), count - bisect_left(tops, one.low)) for one in spans]


def _held(points: float) -> float:
    return min(max(points, SHOWN.low), SHOWN.high)


def _spans(cells: Mapping[str, Cell], tasks: Iterable[TaskInSuite]) -> list[tuple[float, Span]]:
    """The weights and points of the tasks that are fit."""
    fit = [(task, cells[task.id]) for task in tasks if task.id in cells and cells[task.id].standing == "fit"]
    return [(task.weight, points) for task, cell in fit if (points := span(cell)) is not None]


def _gaps(
    cells: Mapping[str, Cell], tasks: Sequence[TaskInSuite], failed_task: FailedTask
) -> tuple[Gap, ...]:
    gaps = []
    for task in tasks:
        cell = cells.get(task.id)
        if cell is None:
            gaps.append(Gap(task=task.id, standing="open", outcome=None, reasons=(NOT_YET,)))
        elif cell.standing != "fit" and not (cell.standing == "unfit" and failed_task == "zero"):
            gaps.append(
                Gap(
                    task=task.id,
                    standing=cell.standing,
                    outcome=cell.outcome,
                    reasons=cell.reasons,
                    open_by=cell.open_by,
                )
            )
    return tuple(gaps)


def _apart(
    candidate: str, cells: Mapping[str, Cell], tasks: Sequence[TaskInSuite], gaps: tuple[Gap, ...]
) -> Apart:
    order: tuple[Standing, ...] = ("unfit", "not attempted", "open")
    gravest = min((gap.standing for gap in gaps), key=order.index)
    spans = _spans(cells, tasks)
    return Apart(
        candidate=candidate,
        standing=gravest,
        gaps=gaps,
        counted=len(spans),
        points=weighted(spans),
        competencies=profile(cells, tasks),
    )


def _unplaced(
    candidate: str, cells: Mapping[str, Cell], tasks: Sequence[TaskInSuite], cut: Cut | None
) -> Ranked:
    """A candidate all of whose cells count, before anybody is placed."""
    counted = [(task.weight, own) for task in tasks if (own := span(cells[task.id])) is not None]
    points = weighted(counted)
    if points is None:
        raise ValueError("a candidate without tasks cannot be ranked")
    reached = [_tier(cells[task.id]) for task in tasks]
    return Ranked(
        candidate=candidate,
        rank=1,
        worst=1,
        tied=False,
        points=points,
        tier=min(reached, key=TIERS.index),
        tiers={tier: reached.count(tier) for tier in TIERS if tier in reached},
        band=band(points, cut),
        competencies=profile(cells, tasks),
        zeros=tuple(task.id for task in tasks if cells[task.id].standing == "unfit"),
    )


def _tier(cell: Cell) -> str:
    return cell.tier if cell.tier in TIERS and cell.standing == "fit" else "none"


def _placed(ranked: Sequence[Ranked]) -> tuple[Ranked, ...]:
    allowed = places([one.points for one in ranked])
    share = defaultdict(int)
    for best, _ in allowed:
        share[best] += 1
    placed = [
        one.model_copy(update={"rank": best, "worst": worst, "tied": share[best] > 1})
        for one, (best, worst) in zip(ranked, allowed, strict=True)
    ]
    return tuple(sorted(placed, key=lambda one: (one.rank, -one.points.points, one.candidate)))


def _notes(ranked: Sequence[Ranked], failed_task: FailedTask) -> tuple[str, ...]:
    notes = []
    if any(one.points.reach is not None for one in ranked):
        notes.append(
            "Where a candidate's interval reaches further up than the noise of its runs' references explains, the "
            "rest is its own spread and earns no place: its upper end counts as 'up to', for ranks and the cut"
        )
    if any(one.tied for one in ranked):
        notes.append("Candidates who share a rank cannot be told apart: their order within it means nothing")
    if chain := _chain(ranked):
        better, between, worse = chain
        notes.append(
            f"A rank is 1 plus the number of candidates whose whole interval lies above. So {better.candidate} "
            f"is ahead of {worse.candidate} for certain, while {between.candidate} can be told from neither"
        )
    if zeros := sum(bool(one.zeros) for one in ranked):
        notes.append(f"{zeros} of the ranked failed a task, which counts as 0 points here, as was asked for")
    elif failed_task == "zero":
        notes.append("A failed task would count as 0 points here, as was asked for; nobody ranked failed one")
    return tuple(notes)


def _chain(ranked: Sequence[Ranked]) -> tuple[Ranked, Ranked, Ranked] | None:
    """Of the placed, in their order: three of whom the first beats the last, and both overlap the second."""
    widest: Ranked | None = None  # of all with a better rank, the one whose interval reaches lowest
    waiting: list[Ranked] = []
    for worse in ranked:
        if waiting and worse.rank > waiting[0].rank:
            widest = min([*waiting, *([widest] if widest else [])], key=lambda one: one.points.low)
            waiting = []
        waiting.append(worse)
        if widest is not None and widest.points.low <= worse.points.top:
            above = [one for one in ranked if one.points.low > worse.points.top]
            return min(above, key=lambda one: one.points.low), widest, worse
    return None
