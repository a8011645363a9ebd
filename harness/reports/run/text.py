"""Tables for the terminal: rich renderables, and `to_text` for plain text where there is no terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import StringIO

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from harness.proofs import Proof
from harness.records import OURS, Run
from harness.reports.parts import clean, units, words
from harness.reports.parts.tables import Cell, Table, cell, row
from harness.reports.run import comparison, proofs, run_series, run_tables, trust

STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "": ""}
SIGNS = {"pass": "+ ", "fail": "x ", "inconclusive": "? ", "": ""}
BAR = 24
MAX_REASONS = 6


@dataclass(frozen=True)
class TaskRow:
    """A task's entry in the list of tasks."""

    id: str
    title: str
    competencies: Sequence[str]
    minutes: int
    devices: Sequence[str]


class Bar:
    """A bar for 0 to 100 points, drawn with the characters that the terminal can show."""

    def __init__(self, points: float, style: str) -> None:
        self.cells = round(min(max(points, 0.0), 100.0) / 100 * BAR)
        self.style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        full, rest = ("#", ".") if options.ascii_only else ("█", "·")
        drawn = ((full * self.cells, self.style), (rest * (BAR - self.cells), "dim"))
        yield Text.assemble(*drawn, no_wrap=True, overflow="crop")


def to_text(renderable: RenderableType, width: int = 100) -> str:
    """`renderable` as plain text: no colours, no escape sequences, nothing from the environment."""
    out = StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=False,
        color_system=None,
        no_color=True,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
    console.print(renderable)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def render_run(run: Run) -> RenderableType:
    """A run's result: outcome, points, ladder, constraints, key measurements, reasons."""
    parts = [_headline(run), _ladder(run)]
    if (judged := run_tables.constraints(run)).rows:
        parts.append(table(_slim(judged)))
    if (checked := trust.checks(run)).rows:
        parts.append(table(checked))
    if (measured := run_tables.measurements(run)).rows:
        parts.append(table(_slim(measured)))
    if problem := _last_fault(run):
        parts.append(problem)
    return Group(*parts, _foot(run))


def _headline(run: Run) -> RenderableType:
    score, head = run.score, run.head
    outcome = score.outcome if score else "inconclusive"
    style = STYLES[
        "pass" if outcome == "ok" else "inconclusive" if outcome in ("inconclusive", *OURS) else "fail"
    ]
    name = words.OUTCOMES[outcome][0] if score else "Not scored"
    grid = RichTable.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    points = (
        Text.assemble((words.points(score), f"bold {style}"), f" {run_tables.points_note(run)}")
        if score
        else Text("none")
    )
    rows: list[tuple[str, Text]] = [
        ("Submission", Text(f"{clean.short(head.submission, 60)} on {head.task}: {head.task_title}")),
        ("Outcome", Text(name, style=style)),
        ("Points", points),
        ("Tier", Text(score.tier if score else "none")),
        *_times(run),
        ("Objective", Text(run_tables.objective(run) or "none")),
        (
            "Stamp",
            Text(
                f"{words.STAMPS[head.stamp][0]} ({head.profile.isolation} isolation, {head.profile.device})"
            ),
        ),
    ]
    for label, value in rows:
        grid.add_row(label, value)
    reasons = list(score.reasons[:MAX_REASONS]) if score else []
    sentences = [Text(f"- {clean.line(reason)}") for reason in reasons] or [Text(words.sentence(run))]
    return Group(grid, Padding(Group(*sentences), (1, 0, 1, 0)))


def _times(run: Run) -> list[tuple[str, Text]]:
    times = trust.state(run)
    return [("Times", Text(times.words, style=STYLES[times.mark]))] if times.words else []


def _ladder(run: Run) -> RenderableType:
    rungs = run_tables.rungs(run)
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    shown.add_column(rungs.columns[0])
    shown.add_column("0 to 100 points")
    for name in rungs.columns[1:]:
        shown.add_column(name, justify="right")
    for cells in rungs.rows:
        own = cells[0].text == run_series.CANDIDATE
        points = 0.0 if cells[1].text in ("none", words.OPEN) else float(cells[1].text)
        first = Text(f"> {cells[0].text}" if own else f"  {cells[0].text}", style="bold cyan" if own else "")
        shown.add_row(first, Bar(points, "cyan" if own else "white"), *(_inline(c) for c in cells[1:]))
    return Padding(shown, (0, 0, 1, 0))


def _slim(content: Table) -> Table:
    """A table without its last column and with intervals beside their values, to save space."""
    rows = tuple((r[0], *(replace(c, text=_beside(c), note="") for c in r[1:-1])) for r in content.rows)
    return replace(content, columns=content.columns[:-1], rows=rows)


def _beside(value: Cell) -> str:
    return f"{value.text} ({value.note})" if value.note else value.text


def _inline(value: Cell) -> Text:
    return Text(_beside(value))


def _last_fault(run: Run) -> RenderableType | None:
    failed = [log for log in run_tables.logs(run) if log.failed and (log.detail or log.output)]
    if not failed:
        return None
    log = failed[0]
    lines = (log.detail or log.output).splitlines()[-20:]
    body = [
        Text(log.title, style="bold"),
        *(Text(f"  {clean.cut(line, 160)}", overflow="fold") for line in lines),
    ]
    return Padding(Group(*body), (0, 0, 1, 0))


def _foot(run: Run) -> Text:
    took = units.seconds(run.wall_seconds)
    return Text(f"Run {run.head.run_id}, {took}, profile {run.head.profile.name}.", style="dim")


def table(content: Table) -> RenderableType:
    """Any table of a report."""
    title = Text(content.caption, style="bold")
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, name in enumerate(content.columns):
        right = i in content.numeric
        least = 14 if i == 0 else None
        shown.add_column(name, justify="right" if right else "left", overflow="fold", min_width=least)
    for cells in content.rows:
        shown.add_row(*(_text(c) for c in cells))
    foot = [Text(content.footnote, style="dim")] if content.footnote else []
    return Padding(Group(title, shown, *foot), (0, 0, 1, 0))


def _text(value: Cell) -> Text:
    shown = Text(SIGNS[value.mark] + value.text, style=STYLES[value.mark])
    if value.note:
        shown.append(f"\n{value.note}", style="dim not bold")
    return shown


def render_tasks(tasks: Sequence[TaskRow]) -> RenderableType:
    """The list of tasks."""
    rows = tuple(
        row(cell(t.id, t.title), ", ".join(t.competencies), str(t.minutes), ", ".join(t.devices))
        for t in tasks
    )
    return table(
        Table(
            caption="Tasks", columns=("Task", "Competencies", "Minutes", "Devices"), rows=rows, numeric=(2,)
        )
    )


def render_compare(runs: Sequence[Run]) -> RenderableType:
    """Two or more runs side by side, with the cautions first."""
    compared = comparison.compare(runs)
    return Group(
        *(Text(caution, style="bold yellow") for caution in compared.cautions), table(compared.table)
    )


def render_proof(proof: Proof) -> RenderableType:
    """A task's proof: the verdict, tiers, separation and cheats."""
    verdict = Text(proofs.verdict(proof), style="bold green" if proof.proven else "bold red")
    parts = [table(t) for t in proofs.everything(proof)]
    return Group(verdict, Text(""), *parts, *(Text(f"- {clean.line(r)}") for r in proof.reasons))
