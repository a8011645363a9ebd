"""Two candidates beside each other, for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from harness.analysis.differences import Difference, TaskDifference
from harness.analysis.standings import Span
from harness.reports.parts import clean, plain
from harness.reports.parts.tables import Cell, Table, cell, row
from harness.reports.run import text

FOOT = (
    "Difference: first less second, with its 95 % interval; it could be noise where the interval holds 0. Paired: the "
    "mean over shared instances of the uncapped points, with a t interval; else from the two intervals, in quadrature."
)


def table(difference: Difference) -> Table:
    """A row for each task, and one for the suite."""
    first, second = clean.short(difference.first, 24), clean.short(difference.second, 24)
    rows = [
        row(
            clean.line(task.title, 60),
            plain.span(task.first) if task.first else "none",
            plain.span(task.second) if task.second else "none",
            _difference(task.difference),
            _basis(task),
        )
        for task in difference.tasks
    ]
    counted = sum(task.difference is not None for task in difference.tasks)
    whole = f"weighted, {counted} of {plain.count(len(difference.tasks), 'task')}"
    rows.append(row("Whole suite", "", "", _difference(difference.whole), whole))
    return Table(
        caption="Difference",
        columns=("Task", first, second, "Difference", "How"),
        rows=tuple(rows),
        numeric=(1, 2, 3),
        footnote=FOOT,
    )


def _difference(gap: Span | None) -> Cell:
    return cell("none") if gap is None else cell(plain.span(gap), _word(gap))


def _word(gap: Span) -> str:
    return "not noise" if gap.low > 0 or gap.high < 0 else "could be noise"


def _basis(task: TaskDifference) -> str:
    if task.basis == "paired":
        return f"paired over {plain.count(task.instances, 'instance')}"
    return "from the two intervals" if task.basis == "intervals" else task.because


def render_text(difference: Difference) -> RenderableType:
    """The sentence, cautions and the table."""
    cautions = [Text(f"Caution: {caution}.", style="bold yellow") for caution in difference.cautions]
    sentence = Text(clean.line(difference.sentence), style="bold")
    return Group(sentence, *cautions, Text(""), text.table(table(difference)))
