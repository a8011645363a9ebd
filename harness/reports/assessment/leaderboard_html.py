"""The leaderboard as one self-contained HTML page: no script, no network, everything from outside escaped.

Each filter is a separate view with its own ranks; a link shows it by the page's address alone (`:target`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from harness.analysis.standings import FailedTask, Standings, by_candidate, standings
from harness.reports.assessment import leaderboard, leaderboard_plot, likenesses, looks
from harness.reports.parts import clean, plain, words
from harness.reports.parts.tables import Cell, Table
from harness.reports.run import plots, run_tables
from harness.reports.run.html import Plot
from harness.sheets import Sheet

DRAWN = 60  # rows of a plot
MOST_CELLS = 60_000  # cells of tables in a page: beyond it, a page shows one view and says how to get others
WIDE = 1080.0


@dataclass(frozen=True, kw_only=True)
class View:
    """A selection of tasks, ranked."""

    id: str
    name: str
    kind: str
    sentence: str
    plot: Plot | None
    more: str
    ranked: Table
    apart: Table


def render_html(sheet: Sheet, ranking: Standings) -> str:
    """The page; where `found` is the whole suite, with a view for each task and competency."""
    suite = sheet.assessment.suite
    others = [] if ranking.filtered else _others(sheet, ranking)
    views = [*(_view(sheet, one, f"v{n}") for n, one in enumerate(others, 1)), _view(sheet, ranking, "all")]
    stamps = {cell.stamp for cell in sheet.cells if cell.stamp}
    return template("board.html.j2").render(
        title=clean.line(suite.title or suite.name, 100),
        name=clean.line(suite.name, 60),
        description=clean.line(suite.description),
        begun=run_tables.moment(sheet.assessment.begun_at),
        views=views,
        people=plain.count(len(sheet.candidates), "candidate"),
        tasks=plain.count(len(suite.tasks), "task"),
        stamp=words.STAMPS[stamps.pop()] if len(stamps) == 1 else ("", ""),
        warnings=leaderboard.warnings(sheet),
        public=likenesses.PUBLIC,
        decided=looks.table(sheet, leaderboard.titles(sheet)),
        shared=likenesses.table(sheet, leaderboard.titles(sheet)),
        provenance=leaderboard.provenance(sheet),
        left_out=not others and not ranking.filtered and _many(sheet),
        tints=tint,
        assessment=sheet.assessment,
    )


@cache
def template(name: str) -> Template:
    """One of the templates beside this module, everything in it escaped."""
    environment = Environment(
        loader=PackageLoader("harness.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def tint(value: Cell) -> str:
    """The CSS class of a task's cell: its tier's; the cell also names the tier in words."""
    return f"tier-{value.note.replace(' ', '-')}" if value.note in plain.TIERS and not value.mark else ""


def _many(sheet: Sheet) -> bool:
    suite = sheet.assessment.suite
    return len(sheet.candidates) * 4 * (len(suite.tasks) + len(suite.competencies())) > MOST_CELLS


def _others(sheet: Sheet, ranking: Standings) -> list[Standings]:
    """Each task and each competency by itself, if that differs from the whole suite."""
    suite, failed = sheet.assessment.suite, ranking.failed_task
    if _many(sheet) or len(suite.tasks) < 2:
        return []
    by_task = [standings(sheet, [task.id], None, failed) for task in suite.tasks]
    return [*by_task, *_competencies(sheet, failed)]


def _competencies(sheet: Sheet, failed: FailedTask) -> list[Standings]:
    return [standings(sheet, None, name, failed) for name in sheet.assessment.suite.competencies()]


def _view(sheet: Sheet, ranking: Standings, uid: str) -> View:
    by, hints = by_candidate(sheet), likenesses.in_short(sheet.compared)
    kind = "competency" if ranking.competency else "task" if ranking.filtered else "all"
    rows = [
        leaderboard_plot.Dot(
            f"{plain.place(one)}  {clean.short(one.candidate, leaderboard.ALIAS)}",
            plain.points(one.points.points),
            one.points,
        )
        for one in ranking.ranked[:DRAWN]
    ]
    return View(
        id=uid,
        name=leaderboard.over(ranking).removeprefix("Competency: "),
        kind=kind,
        sentence=leaderboard.headline(ranking),
        plot=both(rows, uid, "Candidates by points", ranking.cut.points if ranking.cut else None),
        more=f"The first {DRAWN} of {len(ranking.ranked):,} are drawn; the table has all."
        if len(ranking.ranked) > DRAWN
        else "",
        ranked=leaderboard.ranks(ranking, by, hints=hints),
        apart=leaderboard.apart(ranking, by, hints=hints),
    )


def both(
    rows: list[leaderboard_plot.Dot], uid: str, title: str, cut: float | None, wide: float = WIDE
) -> Plot | None:
    """The drawing at both widths; None if it has no rows. The drawing's text was escaped by svg.py."""
    if not rows:
        return None
    shown = Markup(leaderboard_plot.dots(rows, wide, f"{uid}-w", title, cut))
    return Plot("", shown, Markup(leaderboard_plot.dots(rows, plots.NARROW, f"{uid}-n", title, cut)))
