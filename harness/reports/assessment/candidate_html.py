"""A candidate's page for the evaluator, and the feedback for the candidate, as self-contained HTML."""

from __future__ import annotations

from harness.analysis.standings import standings
from harness.reports.assessment import candidate, leaderboard_plot
from harness.reports.assessment.feedback import Feedback
from harness.reports.assessment.leaderboard_html import both, template
from harness.reports.parts import clean, plain
from harness.sheets import Sheet

WIDE = 800.0


def render_html(sheet: Sheet, alias: str) -> str:
    """The evaluator's page; raises UsageError for a candidate who is not on the sheet."""
    shown = candidate.page(sheet, alias)
    one = candidate.standing_of(standings(sheet), alias)
    rows = [
        leaderboard_plot.Dot(clean.short(c.name, 44), _behind(c.counted, c.tasks), c.points)
        for c in one.competencies
        if c.points is not None
    ]
    plot = both(rows, "profile", "Points by competency", None, WIDE)
    return template("candidate.html.j2").render(page=shown, plot=plot, assessment=sheet.assessment)


def _behind(counted: int, tasks: int) -> str:
    return plain.count(tasks, "task") if counted == tasks else f"{counted} of {plain.count(tasks, 'task')}"


def render_feedback(document: Feedback) -> str:
    """The candidate's page, made from the feedback alone."""
    return template("feedback.html.j2").render(page=document)
