"""An assessment's leaderboard as CSV: one line for each candidate, harmless in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping

from harness.analysis.standings import Standings, by_candidate, span
from harness.reports.assessment import likenesses, looks
from harness.reports.assessment.leaderboard import reason
from harness.reports.parts import clean
from harness.sheets import Cell as Scored
from harness.sheets import Sheet, TaskInSuite


def render_csv(sheet: Sheet, ranking: Standings) -> str:
    """One line for each candidate, ranked ones first; the rank is empty if there is none (RFC 4180)."""
    by, lines = by_candidate(sheet), _Lines()
    writer = csv.writer(lines, lineterminator="\n")
    head = [
        "rank",
        "worst",
        "tied",
        "candidate",
        "standing",
        "points",
        "low",
        "high",
        "band",
        "tier",
        "reason",
    ]
    each = [
        f"{task.id} {what}"
        for task in ranking.tasks
        for what in ("points", "low", "high", "tier", "standing")
    ]
    writer.writerow([harmless(name) for name in (*head, *each, "open by", "hint", "decided")])
    hints, decided = likenesses.in_short(sheet.compared), looks.in_short(sheet)
    for one in ranking.ranked:
        own = [
            one.rank,
            one.worst,
            "yes" if one.tied else "no",
            harmless(one.candidate),
            "ranked",
            *_numbers(one.points.points, one.points.low, one.points.high),
            one.band or "",
            one.tier,
            "",
        ]
        last = ["", *(harmless(notes.get(one.candidate, "")) for notes in (hints, decided))]
        writer.writerow([*own, *_task_values(by.get(one.candidate, {}), ranking.tasks), *last])
    for one in ranking.apart:
        reasons = "; ".join(f"{gap.task}: {reason(gap)}" for gap in one.gaps)
        own = ["", "", "", harmless(one.candidate), one.standing, "", "", "", "", "", harmless(reasons)]
        last = [one.open_by, *(harmless(notes.get(one.candidate, "")) for notes in (hints, decided))]
        writer.writerow([*own, *_task_values(by.get(one.candidate, {}), ranking.tasks), *last])
    return "".join(lines.kept)


class _Lines:
    """Collects the CSV writer's lines; no file is opened."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def write(self, line: str) -> None:
        """One line."""
        self.kept.append(line)


def _task_values(cells: Mapping[str, Scored], tasks: Iterable[TaskInSuite]) -> list[str]:
    values: list[str] = []
    for task in tasks:
        one = cells.get(task.id)
        points = span(one) if one is not None and one.standing == "fit" else None
        if one is None or points is None:
            values += ["", "", "", "", one.standing if one else "not scored yet"]
        else:
            values += [*_numbers(points.points, points.low, points.high), harmless(one.tier), one.standing]
    return values


def _numbers(*values: float) -> list[str]:
    return [f"{value:.2f}".replace("-0.00", "0.00") for value in values]


def harmless(text_: str) -> str:
    """A field that no spreadsheet takes for a formula: a leading = + - @ is preceded by an apostrophe."""
    shown = clean.line(text_, 300)
    return f"'{shown}" if shown[:1] in ("=", "+", "-", "@") else shown
