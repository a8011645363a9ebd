"""The feedback for a candidate: rounded, in words from fixed lists, without anything that could be hidden data.

A Feedback holds only what the candidate may know. It is made from the candidate's own alias, the published
names of suite, tasks, competencies and constraints, verdicts, tiers and points to the nearest ten. No reason,
log, instance, seed, digest, reference's value, exact reading or other candidate ever gets into it, so the
renderers cannot show any.
"""

from __future__ import annotations

import math
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from harness.analysis.standings import Competency, Ranked, standings
from harness.readings import Record
from harness.records import Culprit, Outcome, Verdict
from harness.reports.assessment.candidate import ROOMY, standing_of
from harness.reports.parts import clean, plain, words
from harness.reports.parts.tables import Mark
from harness.reports.run import text
from harness.sheets import Cell, Sheet

STEP = 10
VERDICTS: dict[Verdict, str] = {"pass": "kept", "fail": "not kept", "inconclusive": "too close to call"}
ADVICE: dict[Outcome, str] = {
    "wrong": "The answers were not an attempt at the task: read again what the statement asks for.",
    "malformed": "An answer broke the contract (shape, type or range): `harness check` finds this in seconds.",
    "timeout": "A phase took longer than its limit and was stopped.",
    "out_of_memory": "It needed more memory than its limit and was stopped.",
    "crashed": "The code raised an error or its process died.",
    "protocol_error": "Its process stopped answering.",
    "implausible": "The result was not believed.",
    "budget_exceeded": "It ran, and a constraint of the task was not kept, which gives no points.",
    "inconclusive": "The readings were too close to a limit for a verdict. This is no failure of yours.",
    "sandbox_failed": "It was not run, through a fault of ours. Nothing is held against you.",
    "harness_error": "It was not scored, through a fault of ours. Nothing is held against you.",
    "not_attempted": "Nothing was handed in for this task.",
    "rejected": "The result was so good that a person looked at it, and they did not accept it. Ask them why.",
}

OPEN_BY_ITSELF = (
    "Its times differed too much from one start of it to the next, or it slowed others down, so that a limit could "
    "not be judged."
)
TO_LOOK_AT = "The result is so good that a person looks at it before it counts. Nothing is held against you."
NO_SCALE = (
    "On the data of this assessment the solutions that it is measured against cannot be told apart, so nobody gets "
    "points for this task. This is no failure of yours."
)
OPEN_ADVICE: dict[Culprit, str] = {"candidate": OPEN_BY_ITSELF, "evaluator": TO_LOOK_AT, "data": NO_SCALE}


class Line(Record):
    """A constraint's name, and its verdict in words."""

    name: str
    words: str
    mark: Mark


class TaskFeedback(Record):
    """One task: its result in words, approximate points, and which constraints were kept."""

    title: str
    points: str
    words: str
    mark: Mark
    constraints: tuple[Line, ...] = ()


class Feedback(Record):
    """Everything that a candidate learns."""

    candidate: str
    suite: str
    date: str
    points: str
    sentence: str
    stamp: str
    competencies: tuple[tuple[str, str, str], ...]
    tasks: tuple[TaskFeedback, ...]
    notes: tuple[str, ...]


def feedback(sheet: Sheet, candidate: str) -> Feedback:
    """The feedback for `candidate`; raises UsageError for one who is not on the sheet."""
    a = sheet.assessment
    one = standing_of(standings(sheet), candidate)
    cells = {cell.task: cell for cell in sheet.of(candidate)}
    stamps = {cell.stamp for cell in cells.values() if cell.stamp}
    ranked = isinstance(one, Ranked)
    return Feedback(
        candidate=clean.short(candidate, 60),
        suite=clean.line(a.suite.title or a.suite.name, 100),
        date=_date(a.begun_at),
        points=about(one.points.points) if isinstance(one, Ranked) else "",
        sentence=_sentence(ranked, one.points.points if one.points else None, len(a.suite.tasks)),
        stamp=plain.STAMPS[stamps.pop()].split(":")[0] if len(stamps) == 1 else "",
        competencies=tuple(_competency(c) for c in one.competencies),
        tasks=tuple(
            _task(clean.line(task.title or task.id, 80), cells.get(task.id)) for task in a.suite.tasks
        ),
        notes=(
            f"Points are rounded to the nearest {STEP}: two solutions that differ by less may be equally good.",
            "0 points is the simplest working solution, 100 an expert's, both measured on the same machine as yours.",
            "What the solution was tested on is not shown, so that the next candidate meets it as you did.",
        ),
    )


def about(points: float) -> str:
    """Points to the nearest ten: "about 70"; clipped to -20 to 120."""
    rounded = min(max(STEP * math.floor(points / STEP + 0.5), -20), 120)
    return f"about {plain.points(float(rounded))}"


def _date(begun_at: str) -> str:
    """The date without the time, if there is one."""
    try:
        return f"{datetime.fromisoformat(begun_at):%Y-%m-%d}"
    except ValueError:
        return ""


def _sentence(ranked: bool, points: float | None, tasks: int) -> str:
    over = plain.count(tasks, "task")
    if points is None:
        return f"None of the {over} gave points that count."
    if not ranked:
        return f"Not every one of the {over} gave points that count; below is how each of them went."
    return f"You reached {about(points)} of 100 points over {over}."


def _competency(c: Competency) -> tuple[str, str, str]:
    shown = about(c.points.points) if c.points else "no result"
    behind = (
        f"{c.counted} of {plain.count(c.tasks, 'task')}"
        if c.counted < c.tasks
        else plain.count(c.tasks, "task")
    )
    return clean.line(c.name, 80), shown, behind


def _task(title: str, cell: Cell | None) -> TaskFeedback:
    if cell is None:
        return TaskFeedback(title=title, points="", words="It was not scored yet.", mark="inconclusive")
    lines = tuple(
        Line(name=clean.line(c.name, 60).capitalize(), words=_kept(c.verdict, _share(c)), mark=c.verdict)
        for c in cell.constraints
        if c.open_by not in ("evaluator", "data")
    )
    if cell.standing != "fit":
        mark = plain.STANDINGS[cell.standing][1]
        advice = OPEN_ADVICE.get(cell.open_by, ADVICE[cell.outcome])
        return TaskFeedback(title=title, points="", words=advice, mark=mark, constraints=lines)
    tier = plain.TIERS.get(cell.tier, plain.TIERS["none"])
    measure = f" The measure was {words.measure(clean.line(cell.measure, 60))}." if cell.measure else ""
    return TaskFeedback(
        title=title,
        points=about(cell.points),
        words=f"Your solution is {tier}.{measure}",
        mark="pass",
        constraints=lines,
    )


def _share(constraint: object) -> float | None:
    """The share of an upper limit that was used; None if that says nothing."""
    value, threshold = getattr(constraint, "value", None), getattr(constraint, "threshold", 0.0)
    if getattr(constraint, "bound", "") != "at_most" or value is None or threshold <= 0:
        return None
    return value / threshold


def _kept(verdict: Verdict, share: float | None) -> str:
    if verdict == "pass" and share is not None:
        return "kept, with room" if share <= ROOMY else "kept, close to the limit"
    if verdict == "fail" and share is not None:
        return "not kept, by far" if share >= 2 else "not kept"
    return VERDICTS[verdict]


def render_text(document: Feedback) -> RenderableType:
    """The feedback for a terminal or a letter."""
    head = f"{document.suite}: feedback for {document.candidate}" + (
        f", {document.date}" if document.date else ""
    )
    parts: list[RenderableType] = [Text(head, style="bold"), Text(document.sentence), Text("")]
    for name, points, behind in document.competencies:
        parts.append(Text(f"  {name}: {points} ({behind})"))
    for task in document.tasks:
        parts += [Text(""), Text(task.title, style="bold")]
        parts.append(
            Text(
                f"  {task.points + ' points. ' if task.points else ''}{task.words}".replace(
                    "  about", "  About"
                )
            )
        )
        parts += [
            Text(f"  {text.SIGNS[line.mark]}{line.name}: {line.words}", style=text.STYLES[line.mark])
            for line in task.constraints
        ]
    return Group(*parts, Text(""), *(Text(note, style="dim") for note in document.notes))
