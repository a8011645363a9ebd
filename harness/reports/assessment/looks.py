"""Results that wait for somebody to look at them, and what was decided about them, as tables and in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.looks import Look, sentence, waiting
from harness.readings import Record
from harness.records import Score, as_sentence
from harness.reports.parts import clean, plain, units
from harness.reports.parts.tables import Cell as Shown
from harness.reports.parts.tables import Mark, Table, cell, row
from harness.sheets import Cell, Sheet

MARKS: dict[str, Mark] = {"accepted": "pass", "rejected": "fail"}
FOOT = (
    "A result that is too good to count unseen waits for somebody to look at it. A decision holds for one run of one "
    "submission: not for what is handed in anew, nor for another run."
)


class WaitingSummary(Record):
    """One result that waits: where it stands, and where to look first."""

    candidate: str
    task: str
    run_id: str
    submission_digest: str
    points_uncapped: float | None
    reasons: tuple[str, ...]


class LooksSummary(Record):
    """What waits in an assessment, and every decision about it, the oldest first; `holding` are those in force."""

    assessment: str
    suite: str
    waiting: tuple[WaitingSummary, ...]
    decisions: tuple[Look, ...]
    holding: tuple[Look, ...]


def in_words(look: Look) -> str:
    """A decision as a sentence that can be printed anywhere."""
    return as_sentence(clean.line(sentence(look), 400))


def effect(score: Score) -> str:
    """What follows from a decision, in a sentence with a space before it."""
    if score.outcome == "rejected":
        return " It gives no points."
    if score.outcome != "ok":
        return " It stays open by another verdict."
    uncut = f", {units.points(score.points_uncapped)} uncut" if plain.above(score.points_uncapped) else ""
    return f" It counts {units.points(score.points)} points{uncut}."


def in_short(sheet: Sheet) -> dict[str, str]:
    """By candidate: every decision about a result of theirs, in a line."""
    lines: dict[str, list[str]] = {}
    for scored in sheet.cells:
        if scored.look is not None:
            lines.setdefault(scored.candidate, []).append(f"{scored.task}: {sentence(scored.look)}")
    return {candidate: clean.line("; ".join(mine), 400) for candidate, mine in lines.items()}


def table(sheet: Sheet, titles: Mapping[str, str]) -> Table:
    """Every decision that holds on a sheet."""
    looks = [(scored, scored.look) for scored in sheet.cells if scored.look is not None]
    rows = tuple(_row(scored, look, titles) for scored, look in looks)
    columns = ("Candidate", "Task", "Decision", "By", "Why")
    return Table(caption="Looked at", columns=columns, rows=rows, footnote=FOOT)


def _row(scored: Cell, look: Look, titles: Mapping[str, str]) -> tuple[Shown, ...]:
    reached = units.ABSENT if scored.points_uncapped is None else plain.points(scored.points_uncapped)
    return row(
        clean.short(scored.candidate, 28),
        titles.get(scored.task, scored.task),
        cell(look.decision, f"{reached} uncut", MARKS[look.decision]),
        cell(clean.short(look.by, 60), clean.line(look.looked_at[:10], 10)),
        clean.line(look.why, 400),
    )


def waits(sheet: Sheet) -> tuple[Cell, ...]:
    """The cells that wait for somebody to look, in the order of the sheet."""
    order = {name: number for number, name in enumerate(sheet.candidates)}
    return tuple(sorted((c for c in sheet.cells if waiting(c)), key=lambda c: order.get(c.candidate, 0)))


def summary(sheet: Sheet, decisions: Sequence[Look]) -> LooksSummary:
    """What waits on a sheet, and what was decided about its results."""
    return LooksSummary(
        assessment=sheet.assessment.id,
        suite=sheet.assessment.suite.name,
        waiting=tuple(
            WaitingSummary.model_validate({name: getattr(one, name) for name in WaitingSummary.model_fields})
            for one in waits(sheet)
        ),
        decisions=tuple(decisions),
        holding=tuple(one.look for one in sheet.cells if one.look is not None),
    )


def render_text(sheet: Sheet, decisions: Iterable[Look]) -> str:
    """What waits, with where to look first; then every decision, the newest last, and whether it holds."""
    lines = []
    for one in waits(sheet):
        lines.append(
            f"{clean.short(one.candidate, 60)} on {clean.line(one.task, 60)} waits, run {one.run_id}:"
        )
        lines += [f"    {as_sentence(clean.line(reason, 400))}" for reason in one.reasons]
    if not lines:
        lines.append("No result waits for somebody to look at it.")
    holding = [one.look for one in sheet.cells]
    for look in decisions:
        past = "" if look in holding else " (no longer holds)"
        lines.append(
            f"{clean.short(look.candidate, 60)} on {clean.line(look.task, 60)}{past}: {in_words(look)}"
        )
    return "\n".join(lines)
