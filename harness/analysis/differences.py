"""Pure: two candidates of one sheet beside each other, task by task, and whether it could be noise.

Where both cells hold points of the same instances, each instance gives one difference, in which the
instance's own difficulty cancels; the result is their mean with a Student t interval (two instances or more).
Otherwise the difference of the two cells' points, with their half-widths in quadrature: low = d - sqrt((p_a -
l_a)^2 + (h_b - p_b)^2), and so upwards. Over the suite, differences are averaged by the tasks' weights like points.
Of an interval whose upper end counts only as far as `Span.reach`, h is that; and a paired difference's interval then
reaches no further towards whoever it belongs to than by the two cells' intervals.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from harness.analysis.standings import Span, by_candidate, span, weighted
from harness.errors import UsageError
from harness.measures.stats import t_interval
from harness.readings import Record
from harness.sheets import Cell, Sheet, TaskInSuite

Basis = Literal["paired", "intervals", "none"]
Word = Literal["ahead", "behind", "could be noise"]


class TaskDifference(Record):
    """One task: points of both, and first less second. `basis`: how it was made; `because`: why there is none.

    Paired differences are of the uncapped points of `instances` shared instances.
    """

    task: str
    title: str
    weight: float
    first: Span | None
    second: Span | None
    difference: Span | None
    basis: Basis
    instances: int = 0
    because: str = ""

    @property
    def word(self) -> Word | None:
        """ahead or behind where the interval lies on one side of 0; None without a difference."""
        return None if self.difference is None else word(self.difference)


class Difference(Record):
    """Two candidates over a suite: `whole` is over the tasks that count for both, None of none."""

    suite: str
    first: str
    second: str
    tasks: tuple[TaskDifference, ...]
    whole: Span | None
    sentence: str
    cautions: tuple[str, ...] = ()


def word(difference: Span) -> Word:
    """Whether a difference could be noise: its 95 % interval holds 0."""
    if difference.low > 0:
        return "ahead"
    return "behind" if difference.high < 0 else "could be noise"


def compare(sheet: Sheet, first: str, second: str) -> Difference:
    """The two candidates' paired differences; raises UsageError where one is not on the sheet."""
    suite = sheet.assessment.suite
    for name in (first, second):
        if name not in sheet.candidates:
            raise UsageError(f"{name!r} is no candidate of {suite.name}; `harness leaderboard` lists them")
    if first == second:
        raise UsageError(f"{first!r} is named twice; name two candidates")
    table = by_candidate(sheet)
    mine, theirs = table.get(first, {}), table.get(second, {})
    tasks = tuple(_on(task, mine.get(task.id), theirs.get(task.id)) for task in suite.tasks)
    counted = [(task.weight, task.difference) for task in tasks if task.difference is not None]
    whole = weighted(counted)
    return Difference(
        suite=suite.name,
        first=first,
        second=second,
        tasks=tasks,
        whole=whole,
        sentence=_sentence(first, second, whole, len(counted), len(tasks))
        + (_unranked(tasks, first, second) if whole else ""),
        cautions=_cautions(
            [(mine[t.id], theirs[t.id]) for t in suite.tasks if t.id in mine and t.id in theirs]
        ),
    )


def _on(task: TaskInSuite, mine: Cell | None, theirs: Cell | None) -> TaskDifference:
    entry = TaskDifference(
        task=task.id,
        title=task.title or task.id,
        weight=task.weight,
        first=_fit(mine),
        second=_fit(theirs),
        difference=None,
        basis="none",
    )
    if mine is None or theirs is None or entry.first is None or entry.second is None:
        return entry.model_copy(update={"because": _missing(mine, theirs)})
    shared = _shared(mine, theirs)
    if len(shared) >= 2:
        low, high = t_interval(np.array(shared))
        difference = _held(Span(points=float(np.mean(shared)), low=low, high=high), entry.first, entry.second)
        return entry.model_copy(
            update={"difference": difference, "basis": "paired", "instances": len(shared)}
        )
    difference = _by_intervals(entry.first, entry.second)
    return entry.model_copy(update={"difference": difference, "basis": "intervals"})


def _fit(cell: Cell | None) -> Span | None:
    return span(cell) if cell is not None and cell.standing == "fit" else None


def _missing(mine: Cell | None, theirs: Cell | None) -> str:
    reasons = [
        f"the {which} is {'not scored yet' if cell is None else cell.standing}"
        for which, cell in (("first", mine), ("second", theirs))
        if cell is None or cell.standing != "fit"
    ]
    return " and ".join(reasons)


def _shared(mine: Cell, theirs: Cell) -> list[float]:
    """First less second on each instance that both were given, of one version of the task."""
    if mine.task_digest != theirs.task_digest:
        return []
    if len(mine.instances) != len(mine.points_each) or len(theirs.instances) != len(theirs.points_each):
        return []
    other = dict(zip(theirs.instances, theirs.points_each, strict=True))
    own = dict(zip(mine.instances, mine.points_each, strict=True))
    return [own[name] - other[name] for name in own if name in other]


def _held(paired: Span, first: Span, second: Span) -> Span:
    """A paired difference, of which a side that is wide by one candidate's own spread is held to the two intervals'."""
    cells = _by_intervals(first, second)
    low, high = paired.low, paired.high
    if second.reach is not None:
        low = max(low, paired.points - (cells.points - cells.low))
    if first.reach is not None:
        high = min(high, paired.points + (cells.high - cells.points))
    return paired.model_copy(update={"low": low, "high": high})


def _by_intervals(first: Span, second: Span) -> Span:
    centre = first.points - second.points
    below = math.hypot(first.points - first.low, second.top - second.points)
    above = math.hypot(first.top - first.points, second.points - second.low)
    return Span(points=centre, low=centre - below, high=centre + above)


def _sentence(first: str, second: str, whole: Span | None, counted: int, tasks: int) -> str:
    if whole is None:
        return f"{first} and {second} cannot be compared: no task counts for both."
    over = (
        f"over {'all ' if counted > 1 else 'the '}{counted if counted > 1 else ''}"
        if counted == tasks
        else f"over {counted} of {tasks}"
    )
    over = f"{over.rstrip()} task{'s' if tasks > 1 else ''}"
    size, low, high = (
        f"{value:.1f}".replace("-0.0", "0.0") for value in (whole.points, whole.low, whole.high)
    )
    interval = f"95 % interval {low} to {high}"
    if word(whole) == "could be noise":
        return (
            f"The difference could be noise: {first} less {second} is {size} points {over} ({interval}), "
            "and the interval holds 0."
        )
    ahead, behind = (first, second) if whole.points > 0 else (second, first)
    return (
        f"{ahead} is ahead of {behind}, by more than noise explains: {first} less {second} is {size} points "
        f"{over} ({interval})."
    )


def _unranked(tasks: tuple[TaskDifference, ...], first: str, second: str) -> str:
    """That a candidate has no rank, since a task does not count: being ahead on the others does not make up for it."""
    left_out = [
        (name, [task.title for task in tasks if getattr(task, side) is None])
        for name, side in ((first, "first"), (second, "second"))
    ]
    words = [f"{name} is not ranked ({', '.join(titles)})" for name, titles in left_out if titles]
    return f" {' and '.join(words)}: what does not count for both is left out here." if words else ""


def _cautions(pairs: list[tuple[Cell, Cell]]) -> tuple[str, ...]:
    checks = (
        ("machine_id", "the two were measured on different machines"),
        ("isolation", "the two ran under different isolation levels"),
        ("stamp", "the two bear different stamps"),
        ("task_digest", "the two were given different versions of a task"),
    )
    ran = [(a, b) for a, b in pairs if a.run_id and b.run_id]
    each = [cell for pair in ran for cell in pair]
    reserved = (
        ("times of these results are not certified", any(cell.certified is False for cell in each)),
        ("these are practice runs, no evidence for a decision", {c.stamp for c in each} == {"practice"}),
        ("these are self-checks, no official results", {c.stamp for c in each} == {"self-check"}),
        (
            "some were measured on one instance, so that an interval holds nothing of what another would change",
            any(len(cell.instances) == 1 for cell in each),
        ),
    )
    return (
        *(text for key, text in checks if any(getattr(a, key) != getattr(b, key) for a, b in ran)),
        *(text for text, holds in reserved if holds),
    )
