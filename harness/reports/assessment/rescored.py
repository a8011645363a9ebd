"""An assessment that was scored again, old beside new, and the history of its cells: as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.readings import Record
from harness.records import Judged, Score
from harness.reports.parts import clean, words
from harness.sheets import Cell, Suite

_WIDTHS = (20, 20, 24, 24)


class CellSummary(Record):
    """A cell before and after; `after` is None where it could not be scored again, and `fault` says why."""

    candidate: str
    task: str
    run: str
    changed: bool
    fault: str
    before: Cell
    after: Cell | None


class RescoreSummary(Record):
    """What `harness rescore --suite --json` prints; `left` counts the cells that have nothing to score."""

    assessment: str
    suite: Suite
    suite_before: Suite
    by: str
    why: str
    cells: tuple[CellSummary, ...]
    left: int


def cell_summary(before: Cell, after: Cell | None, fault: str) -> CellSummary:
    """The summary of one cell that was scored again, or could not be."""
    return CellSummary(
        candidate=before.candidate,
        task=before.task,
        run=before.run_id,
        changed=after is not None and after != before,
        fault=fault,
        before=before,
        after=after,
    )


def render_changes(rows: Iterable[tuple[Cell, Cell | None, str]]) -> str:
    """One line for each cell (before, after, fault); unchanged cells say so."""
    lines = [_line("CANDIDATE", "TASK", "BEFORE", "AFTER")]
    for before, after, fault in rows:
        ending = f"not scored again: {clean.line(fault, 200)}" if after is None else _ended(after)
        ending = "the same" if after == before else ending
        lines.append(_line(before.candidate, before.task, _ended(before), ending))
        if after is not None and after != before:
            lines += [f"    {words}" for words in limits(before, after)]
    return "\n".join(lines)


def render_weights(before: Suite, after: Suite) -> str:
    """A sentence for each weight that changed and for the cut, if it changed; empty if nothing did."""
    was = {task.id: task.weight for task in before.tasks}
    sentences = [
        f"The weight of {clean.line(task.id, 60)} is {task.weight:g}; it was {was[task.id]:g}."
        for task in after.tasks
        if was[task.id] != task.weight
    ]
    if before.cut != after.cut:
        cuts = [f"{cut.points:g} points" if cut else "none" for cut in (after.cut, before.cut)]
        sentences.append(f"The cut is {cuts[0]}; it was {cuts[1]}.")
    return "\n".join(sentences)


class Replaced(NamedTuple):
    """A replaced cell or suite: when, by whom and why it was replaced, and the old one as a line."""

    at: str
    by: str
    why: str
    old: str


def render_history(rows: Sequence[Replaced]) -> str:
    """The replaced cells and suites in the order given, two lines for each."""
    if not rows:
        return "Nothing was replaced."
    lines = []
    for row in rows:
        who = clean.line(row.by, 60) or "nobody named"
        lines += [
            f"{clean.line(row.at, 40)}  {who}: {clean.line(row.why, 200) or 'no reason given'}",
            f"    {row.old}",
        ]
    return "\n".join(lines)


def was(cell: Cell) -> str:
    """A cell in one line."""
    return f"{clean.line(cell.candidate, 60)}, {clean.line(cell.task, 60)}: {_ended(cell)}"


def suite_was(suite: Suite) -> str:
    """A suite's weights and cut in one line."""
    weights = ", ".join(f"{clean.line(task.id, 60)} {task.weight:g}" for task in suite.tasks)
    return f"weights {weights}; cut {f'{suite.cut.points:g} points' if suite.cut else 'none'}"


def _ended(cell: Cell) -> str:
    points = words.OPEN if cell.withheld else f"{cell.points:.1f}"
    return f"{points} {cell.outcome}"


def limits(before: Cell | Score, after: Cell | Score) -> list[str]:
    """A sentence for each constraint whose limit or verdict is another now, and for each that is gone."""
    old = {constraint.name: constraint for constraint in before.constraints}
    lines = []
    for new in after.constraints:
        then = old.pop(new.name, None)
        was, verdict = (_limit(then), then.verdict) if then else ("none", "none")
        if (was, verdict) != (_limit(new), new.verdict):
            name = clean.line(new.name, 60)
            lines.append(f"{name}: limit {was} -> {_limit(new)}, {verdict} -> {new.verdict}")
    lines += [f"{clean.line(c.name, 60)}: limit {_limit(c)} -> none" for c in old.values()]
    return lines


def _limit(constraint: Judged) -> str:
    return f"{constraint.bound.replace('_', ' ')} {constraint.threshold:g}"


def _line(*parts: str) -> str:
    cells = [clean.line(part, 400) for part in parts]
    *first, last = cells
    return "  ".join(
        [*(cell.ljust(width) for cell, width in zip(first, _WIDTHS, strict=False)), last]
    ).rstrip()
