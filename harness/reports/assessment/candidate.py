"""An evaluator's page about one candidate, in words, from a sheet; as text and JSON, and for HTML."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field
from rich.console import Group, RenderableType
from rich.text import Text

from harness import records
from harness.analysis.standings import Apart, Ranked, Standings, by_candidate, span, standings
from harness.errors import UsageError
from harness.readings import Record
from harness.reports.assessment import leaderboard, likenesses, looks
from harness.reports.parts import clean, plain, units, words
from harness.reports.parts.tables import Facts, Mark, Table, cell, facts, row
from harness.reports.run import run_tables, text
from harness.sheets import Cell as Scored
from harness.sheets import CellConstraint, Sheet, TaskInSuite

FEW_TASKS = 3
FEW_INSTANCES = 3
NOBODYS = "It is no failure, and gives nothing for what was measured beyond a limit."
OWN_DOING = "It is open by the submission's own doing, and is measured again once at most."
TO_LOOK_AT = "It is too good to count unseen: somebody looks at it first, and nothing is held against it."
NO_SCALE = "Nobody gets points for this task on these data, and nothing is held against anybody."
CLOSINGS = {"candidate": OWN_DOING, "evaluator": TO_LOOK_AT, "data": NO_SCALE}
WIDE_HALF = 10.0  # points to each side, beyond which an interval is called wide
ROOMY = 0.9  # a limit of which less than this share is used was kept with room


class Side(Record):
    """One strength, weakness or remark, with its mark."""

    text: str
    mark: Mark


class TaskPart(Record):
    """One task's part of the page; `number` is its points in short form, `hints` what it shares with other solutions.

    In JSON `setting` (minutes, weight, competencies) is called asked, and `result`, in words, told.
    """

    id: str
    title: str
    setting: str = Field(serialization_alias="asked")
    number: str
    result: str = Field(serialization_alias="told")
    strengths: tuple[Side, ...]
    weaknesses: tuple[Side, ...]
    facts: tuple[str, ...]
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Page:
    """The whole of a candidate's page, in printable words."""

    candidate: str
    suite: str
    number: str
    note: str
    mark: Mark
    sentence: str
    key: tuple[tuple[str, str], ...]
    profile: Table
    tasks: tuple[TaskPart, ...]
    caveats: tuple[str, ...]
    provenance: Facts


class CandidateSummary(Record):
    """The page as JSON, with the standing and the cells that it was made from."""

    assessment: str
    suite: str
    candidate: str
    ranked: bool
    standing: Ranked | Apart
    sentence: str
    tasks: tuple[TaskPart, ...]
    caveats: tuple[str, ...]
    cells: tuple[Scored, ...]


def page(sheet: Sheet, candidate: str) -> Page:
    """The page of one candidate; raises UsageError for one who is not on the sheet."""
    suite, cells = sheet.assessment.suite, by_candidate(sheet).get(candidate, {})
    ranking = standings(sheet)
    one = standing_of(ranking, candidate)
    ranked = isinstance(one, Ranked)
    return Page(
        candidate=clean.short(candidate, 60),
        suite=clean.line(suite.title or suite.name, 100),
        number=plain.points(one.points.points) if isinstance(one, Ranked) else "Not ranked",
        note=_note(one, len(suite.tasks)),
        mark="pass" if ranked else plain.STANDINGS[one.standing][1],
        sentence=_sentence(one, ranking, candidate),
        key=_key(one, ranking),
        profile=profile(one),
        tasks=tuple(
            _task(task, cells.get(task.id), likenesses.of(sheet.compared, candidate, task.id))
            for task in suite.tasks
        ),
        caveats=_caveats(sheet, one, list(cells.values())),
        provenance=_provenance(sheet, list(cells.values())),
    )


def standing_of(ranking: Standings, candidate: str) -> Ranked | Apart:
    """The candidate's standing; raises UsageError for one who is not on the sheet."""
    one = ranking.of(candidate)
    if one is None:
        known = [clean.short(name.candidate, 30) for name in (*ranking.ranked, *ranking.apart)]
        shown = ", ".join(known[:8]) + (f" and {len(known) - 8:,} more" if len(known) > 8 else "")
        raise UsageError(
            f"there is no candidate {clean.short(candidate, 40)!r} in {ranking.suite}; there are {shown or 'none'}"
        )
    return one


def _note(one: Ranked | Apart, tasks: int) -> str:
    if isinstance(one, Ranked):
        return f"of 100 points over {plain.count(tasks, 'task')}, 95 % interval {plain.between(one.points)}"
    if one.points is None:
        return f"no result counts yet, of {plain.count(tasks, 'task')}"
    return (
        f"{plain.span(one.points)} points over the {one.counted} of {plain.count(tasks, 'task')} that count"
    )


def _sentence(one: Ranked | Apart, ranking: Standings, candidate: str) -> str:
    name, tasks = clean.short(candidate, 60), plain.count(len(ranking.tasks), "task")
    if isinstance(one, Apart):
        missing = [
            f"{leaderboard.title(task)} ({plain.gap(gap.outcome).lower()})"
            for gap in one.gaps
            for task in ranking.tasks
            if task.id == gap.task
        ]
        return f"{name} is not ranked, because not every task counts: {words.join(missing)}."
    shared = sum(other.rank == one.rank for other in ranking.ranked) - 1
    tie = f", shared with {plain.count(shared, 'other')}" if shared else ""
    return (
        f"{name} reached {plain.points(one.points.points)} of 100 points over {tasks}: on average "
        f"{_average(one.points.points)}. Rank {one.rank} of {len(ranking.ranked)}{tie}."
    )


def _average(points: float) -> str:
    if points >= 95:
        return "as good as the expert reference, or better"
    if points >= 5:
        way = f"{round(points)} % of the way from the simplest working solution to the expert reference"
        return f"{way}, on the tasks' own scales"
    return (
        "about as good as the simplest working solution"
        if points > -5
        else "worse than the simplest working solution"
    )


def _key(one: Ranked | Apart, ranking: Standings) -> tuple[tuple[str, str], ...]:
    if isinstance(one, Apart):
        return (
            ("Standing", plain.STANDINGS[one.standing][0]),
            ("Tasks that count", f"{one.counted} of {len(ranking.tasks)}"),
        )
    rows = [("Rank", f"{plain.place(one)} of {len(ranking.ranked)} ({plain.possible(one)})")]
    rows.append(("Lowest tier reached", one.tier))
    if one.band and ranking.cut:
        rows.append((f"Against the cut at {plain.points(ranking.cut.points)}", plain.BANDS[one.band][0]))
    return tuple(rows)


def profile(one: Ranked | Apart) -> Table:
    """Points in each competency, and from how many tasks they come."""
    rows = tuple(
        row(
            clean.line(c.name, 80),
            plain.points(c.points.points) if c.points else "none",
            plain.between(c.points) if c.points else "",
            plain.count(c.tasks, "task")
            if c.counted == c.tasks
            else f"{c.counted} of {plain.count(c.tasks, 'task')}",
        )
        for c in one.competencies
    )
    note = "A competency behind which one task stands says how that task went, not more."
    return Table(
        caption="Competencies",
        columns=("Competency", "Points", "95 % interval", "Behind it"),
        rows=rows,
        numeric=(1,),
        footnote=note,
    )


def _task(task: TaskInSuite, scored: Scored | None, hints: tuple[str, ...]) -> TaskPart:
    strengths, weaknesses = sides(scored) if scored else ((), ())
    return TaskPart(
        id=clean.line(task.id, 60),
        title=leaderboard.title(task),
        setting=_setting(task),
        number=plain.uncut(scored.points_uncapped, scored.points)
        if scored and scored.standing == "fit"
        else "–",
        result=_result(scored),
        strengths=strengths,
        weaknesses=weaknesses,
        facts=_facts(scored),
        hints=hints,
    )


def _setting(task: TaskInSuite) -> str:
    parts = [f"{task.minutes} minutes for the candidate"] if task.minutes else []
    parts += [f"weight {task.weight:g}"]
    parts += [", ".join(clean.line(c, 60) for c in task.competencies)] if task.competencies else []
    return "; ".join(parts)


def _result(scored: Scored | None) -> str:
    if scored is None:
        return "Not scored yet."
    if scored.standing == "fit":
        tier = plain.TIERS.get(scored.tier, "not placed")
        above = plain.above(scored.points_uncapped)
        reached = f" {plain.uncut(scored.points_uncapped, scored.points)}." if above else ""
        decided = f" {looks.in_words(scored.look)}" if scored.look else ""
        return f"{plain.span(span(scored))} points: {tier}.{reached}{decided}"
    first_reason = records.as_sentence(clean.line(scored.reasons[0], 300)) if scored.reasons else ""
    closing = {
        "unfit": "It gives no points.",
        "open": CLOSINGS.get(scored.open_by, NOBODYS),
        "not attempted": "",
    }[scored.standing]
    return f"{plain.outcome(scored)}. {first_reason} {closing}".strip()


def sides(scored: Scored) -> tuple[tuple[Side, ...], tuple[Side, ...]]:
    """Strengths and weaknesses of a cell: the objective against the references, each constraint against its limit."""
    good, bad = [], []
    if objective := _objective(scored):
        strong = scored.tier in ("competent", "expert") and scored.standing == "fit"
        (good if strong else bad).append(Side(text=objective, mark="pass" if strong else ""))
    for constraint in scored.constraints:
        if constraint.open_by in ("evaluator", "data"):
            continue  # no limit of the task's: the result says it, with where to look or what would mend it
        side = Side(text=_constraint(constraint), mark=constraint.verdict)
        (good if constraint.verdict == "pass" else bad).append(side)
    return tuple(good), tuple(bad)


def _objective(scored: Scored) -> str:
    if scored.value is None or not (where := plain.on_ladder(scored)):
        return ""
    name = words.measure(clean.line(scored.measure, 60))
    value = units.spread(scored.value, scored.low, scored.high, scored.unit)
    decided = scored.outcome == "rejected"
    before = "" if scored.standing == "fit" or decided else ", before the constraints"
    return f"{name} {value}{before}: {where}."


def _constraint(c: CellConstraint) -> str:
    name, limit = clean.line(plain.constraint(c), 70).capitalize(), plain.limit(c)
    if c.value is None:
        return f"{name}: could not be measured, so it is not judged; {limit} is allowed."
    lead, used = f"{name}: {plain.measured(c)}, where {limit} is allowed", plain.used(c)
    if c.verdict == "inconclusive":
        by = ", by the submission's own doing" if c.open_by == "candidate" else ""
        return f"{lead}. The readings do not decide it{by}."
    if c.verdict == "fail":
        return f"{lead}: not kept{', with ' + used if used else ''}."
    if not used or c.value <= ROOMY * c.threshold:
        return f"{lead}{f' ({used})' if used else ''}."
    return f"{lead}: close to the limit ({used})."


def _facts(scored: Scored | None) -> tuple[str, ...]:
    if scored is None or not scored.run_id:
        return ()
    certified = {True: "times certified", False: "times not certified", None: ""}[scored.certified]
    grade = f"machine grade {scored.grade}" if scored.grade else ""
    instances = plain.count(len(scored.instances), "instance") if scored.instances else ""
    stamp = words.STAMPS[scored.stamp][0].lower() if scored.stamp else ""
    parts = [certified, grade, instances, stamp, f"run {clean.line(scored.run_id, 80)}"]
    return tuple(part for part in parts if part)


def _caveats(sheet: Sheet, one: Ranked | Apart, cells: list[Scored]) -> tuple[str, ...]:
    suite = sheet.assessment.suite
    conditions = [
        (
            len(suite.tasks) < FEW_TASKS,
            f"Only {plain.count(len(suite.tasks), 'task')}: little of what the work asks",
        ),
        (any(c.tasks == 1 for c in one.competencies), "Some competencies rest on a single task"),
        *_doubts(suite.tasks, cells),
        (any(c.stamp == "practice" for c in cells), plain.STAMPS["practice"]),
        (any(c.stamp == "self-check" for c in cells), plain.STAMPS["self-check"]),
        (
            one.points is not None and one.points.high - one.points.low > 2 * WIDE_HALF,
            "The interval is wide: do not read much into small differences",
        ),
        (len({c.machine_id for c in cells if c.run_id}) > 1, "The tasks were measured on different machines"),
        (
            suite.cut is not None and suite.cut.method == "provisional",
            "The cut is provisional: nobody has checked it against people's work yet",
        ),
    ]
    return (*(f"{caveat}." for holds, caveat in conditions if holds), likenesses.PUBLIC)


def _doubts(tasks: tuple[TaskInSuite, ...], cells: list[Scored]) -> list[tuple[bool, str]]:
    """Reservations: what is open, not certified, or measured on few instances, each with the tasks concerned."""
    titles = {task.id: leaderboard.title(task) for task in tasks}
    fit = [c for c in cells if c.standing == "fit"]
    few = f"Measured on fewer than {FEW_INSTANCES} instances, so the interval says little about other data"
    kinds = (
        ("Still open", [c for c in cells if c.standing == "open"]),
        ("Times not certified, good for orientation only", [c for c in cells if c.certified is False]),
        (few, [c for c in fit if len(c.instances) < FEW_INSTANCES]),
    )
    return [
        (
            bool(concerned),
            f"{doubt}: {words.join([titles.get(c.task, clean.line(c.task, 60)) for c in concerned])}",
        )
        for doubt, concerned in kinds
    ]


def _provenance(sheet: Sheet, cells: list[Scored]) -> Facts:
    a, ran = sheet.assessment, [c for c in cells if c.run_id]
    machines = sorted({run_tables.short_digest(c.machine_id) for c in ran} - {""})
    digests = sorted({run_tables.short_digest(c.submission_digest) for c in ran} - {""})
    return facts(
        "What these numbers stand on",
        [
            ("Suite", cell(a.suite.name, a.suite.digest)),
            ("Assessment", f"{a.id}, begun {run_tables.moment(a.begun_at)}"),
            ("Seed", f"{a.seed_id} (a hash; the seed is secret)"),
            ("Stamp", words.join(sorted({words.STAMPS[c.stamp][0] for c in ran if c.stamp}))),
            ("Isolation", words.join(sorted({clean.line(c.isolation, 40) for c in ran} - {""}))),
            ("Machine", words.join(machines)),
            ("Submissions", words.join(digests)),
            ("Harness", a.harness_version),
        ],
    )


def render_text(document: Page) -> RenderableType:
    """The page for a terminal."""
    parts: list[RenderableType] = [
        Text(f"{document.candidate}: {document.suite}", style="bold"),
        Text(f"{document.number} {document.note}", style=text.STYLES[document.mark]),
        Text(document.sentence),
        *(Text(f"{name}: {value}") for name, value in document.key),
        Text(""),
    ]
    if document.profile.rows:
        parts.append(text.table(document.profile))
    for task in document.tasks:
        parts += [
            Text(task.title, style="bold"),
            Text(f"  {task.setting}", style="dim"),
            Text(f"  {task.result}"),
        ]
        for side in (*task.strengths, *task.weaknesses):
            parts.append(Text(f"  {text.SIGNS[side.mark] or '- '}{side.text}", style=text.STYLES[side.mark]))
        parts += [Text(f"  ? hint: {hint}", style="yellow") for hint in task.hints]
        parts.append(Text(f"  {'; '.join(task.facts)}\n" if task.facts else "", style="dim"))
    parts += [Text(f"! {caveat}", style="yellow") for caveat in document.caveats]
    last = "; ".join(f"{name} {value.text}" for name, value in document.provenance.rows)
    return Group(*parts, Text(last, style="dim"))


def summary(sheet: Sheet, candidate: str) -> CandidateSummary:
    """The page's summary; raises UsageError for a candidate who is not on the sheet."""
    one = standing_of(standings(sheet), candidate)
    shown = page(sheet, candidate)
    return CandidateSummary(
        assessment=sheet.assessment.id,
        suite=sheet.assessment.suite.name,
        candidate=candidate,
        ranked=isinstance(one, Ranked),
        standing=one,
        sentence=shown.sentence,
        tasks=shown.tasks,
        caveats=shown.caveats,
        cells=sheet.of(candidate),
    )
