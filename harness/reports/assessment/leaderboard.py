"""An assessment's leaderboard as tables, text, CSV and JSON: who is ranked where, who is not ranked and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from harness import records
from harness.analysis.standings import Apart, FailedTask, Gap, Ranked, Standings, by_candidate
from harness.looks import Look
from harness.readings import Record
from harness.records import SHOWN, Culprit, Outcome, Stamp
from harness.reports.assessment import likenesses, looks
from harness.reports.assessment.rescored import suite_was
from harness.reports.parts import clean, plain, units, words
from harness.reports.parts.tables import Cell, Facts, Table, cell, facts, row
from harness.reports.run import run_tables, text
from harness.sheets import Amended, Compared, Cut, Sheet, Standing, TaskInSuite
from harness.sheets import Cell as Scored

By = Mapping[str, Mapping[str, Scored]]
Hints = Mapping[str, str]
NONE: Hints = {}
ALIAS = 28
ASKED = "95 % interval"
FEW_INSTANCES = 3  # from so many on an interval is over instances


def over(ranking: Standings) -> str:
    """What the ranks cover, in words."""
    if ranking.competency:
        return f"Competency: {clean.line(ranking.competency, 80)}"
    if not ranking.filtered:
        return f"All {len(ranking.tasks)} tasks" if len(ranking.tasks) > 1 else title(ranking.tasks[0])
    return words.join([title(task) for task in ranking.tasks])


def title(task: TaskInSuite) -> str:
    """A task's title, or its id where it has none."""
    return clean.line(task.title or task.id, 80)


def titles(sheet: Sheet) -> dict[str, str]:
    """The title of each task by its id."""
    return {task.id: title(task) for task in sheet.assessment.suite.tasks}


def headline(ranking: Standings) -> str:
    """How many candidates are ranked and how many are not, in a sentence."""
    if not ranking.ranked:
        return "Nobody is ranked yet: no candidate has a result that counts on every task."
    first = [clean.short(one.candidate, ALIAS) for one in ranking.ranked if one.rank == 1]
    lead = first[0] if len(first) == 1 else f"{len(first)} candidates who cannot be told apart"
    ranked = f"{plain.count(len(ranking.ranked), 'candidate')} ranked"
    apart = f", {len(ranking.apart):,} not" if ranking.apart else ""
    return f"{ranked}{apart}. First: {lead}."


def ranks(ranking: Standings, by: By, tasks: bool = True, hints: Hints = NONE) -> Table:
    """The ranked candidates in order: place, points with interval, tier, band, and each task; `hints` below names."""
    shown = ranking.tasks if tasks and len(ranking.tasks) > 1 else ()
    columns = ["Rank", "Candidate", "Points", "Lowest tier", *(["Cut"] if ranking.cut else [])]
    columns += [title(task) for task in shown]
    rows = tuple(
        row(
            cell(plain.place(one), plain.possible(one) if one.worst > one.rank else ""),
            cell(clean.short(one.candidate, ALIAS), hints.get(one.candidate, "")),
            cell(plain.points(one.points.points), plain.between(one.points)),
            _tiers(one),
            *([cell(plain.BANDS[one.band][0], "", plain.BANDS[one.band][1])] if one.band else []),
            *(task_cell(by.get(one.candidate, {}).get(task.id), one.zeros) for task in shown),
        )
        for one in ranking.ranked
    )
    return Table(caption="Ranked", columns=tuple(columns), rows=rows, numeric=(2,), footnote=foot(ranking))


def _tiers(one: Ranked) -> Cell:
    """The lowest tier; below it, how many tasks reached each, if there is more than one tier."""
    if len(one.tiers) < 2:
        return cell(_tier_name(one.tier))
    counts = [f"{_tier_name(tier)} {number}" for tier, number in reversed(one.tiers.items())]
    return cell(_tier_name(one.tier), ", ".join(counts))


def _tier_name(tier: str) -> str:
    """A task that counts as 0 reached no tier: it is called failed."""
    return "failed" if tier == "none" else tier


def foot(ranking: Standings) -> str:
    """How to read the table, with the notes of the standings."""
    lead = (
        "Points: 0 is the baseline reference, 100 the expert reference on the same machine; below them the "
        f"{ASKED}. = marks a shared rank. Of a task at most {SHOWN.high:.0f} points count; where more were reached, "
        "they are shown uncut and marked."
    )
    cut = ranking.cut
    if cut is not None:
        error = (
            "" if cut.standard_error is None else f", standard error {units.points(cut.standard_error, 1)}"
        )
        lead += (
            f" Cut at {plain.points(cut.points)} points ({cut.method}, by {clean.line(cut.set_by, 60)}{error}): "
            "pass or not yet where the whole interval lies on one side, else review."
        )
    if len({task.weight for task in ranking.tasks}) > 1:
        weights = "; ".join(f"{title(task)} {task.weight:g}" for task in ranking.tasks)
        lead += f" Points are the weighted mean over tasks, by these weights: {weights}."
    return " ".join([lead, *(records.as_sentence(clean.line(note)) for note in ranking.notes)])


def task_cell(scored: Scored | None, zeros: Sequence[str] = ()) -> Cell:
    """One candidate on one task: points and tier, or in words why there are none."""
    if scored is None:
        return cell("–", "not scored yet")
    if scored.standing == "fit":
        above = plain.above(scored.points_uncapped)
        note = f"{scored.tier}; {plain.points(scored.points)} count" if above else scored.tier
        note = f"{note}; {scored.look.decision}" if scored.look else note
        return cell(plain.uncut(scored.points_uncapped, scored.points), note, "inconclusive" if above else "")
    name, mark = plain.STANDINGS[scored.standing]
    if scored.standing == "unfit":
        return cell("0" if scored.task in zeros else name, plain.outcome(scored).lower(), mark)
    return cell(name, _openness(scored) if scored.standing == "open" else "", mark)


def _openness(scored: Scored) -> str:
    """How an open cell ended, and whose doing it is that it is open."""
    ended = plain.outcome(scored).lower()
    return f"{ended}, {words.OPEN_BY[scored.open_by]}" if scored.outcome == "inconclusive" else ended


def apart(ranking: Standings, by: By, tasks: bool = True, hints: Hints = NONE) -> Table:
    """The candidates who are not ranked, why, and what counts so far; `hints` below names."""
    shown = ranking.tasks if tasks and len(ranking.tasks) > 1 else ()
    columns = ("Candidate", "Why not ranked", *(title(task) for task in shown))
    order = {name: number for number, name in enumerate(("unfit", "open", "not attempted"))}
    people = sorted(ranking.apart, key=lambda one: (order[one.standing], one.open_by != "candidate"))
    rows = tuple(
        row(
            cell(clean.short(one.candidate, ALIAS), hints.get(one.candidate, "")),
            why(one, ranking.tasks),
            *(task_cell(by.get(one.candidate, {}).get(task.id)) for task in shown),
        )
        for one in people
    )
    note = (
        "Nobody here counts as 0: a failed task is shown as failed, and what is open by the machine's doing or the "
        "clock's is nobody's fault yet. What is open by a candidate's own doing is measured again once at most; what "
        "is open until somebody has looked at it (harness look list) is too good to count unseen, and nothing is held "
        "against it."
    )
    return Table(caption="Not ranked", columns=columns, rows=rows, numeric=(), footnote=note)


def why(one: Apart, tasks: Sequence[TaskInSuite]) -> Cell:
    """Why a candidate is not ranked, in words, with each task's reason below and the mark."""
    name, mark = plain.STANDINGS[one.standing]
    kinds = dict.fromkeys(plain.gap(gap.outcome) for gap in one.gaps if gap.standing == one.standing)
    titles = {task.id: title(task) for task in tasks}
    reasons = " ".join(records.as_sentence(f"{titles[gap.task]}: {reason(gap)}") for gap in one.gaps)
    kinds_of_gap = words.join([kind.lower() for kind in kinds if kind.lower() != name])
    short = f"{name.capitalize()}: {kinds_of_gap}" if kinds_of_gap else name.capitalize()
    if any(gap.outcome == "inconclusive" for gap in one.gaps) and one.open_by:
        short = f"{short}, {words.OPEN_BY[one.open_by]}"
    return cell(short, reasons, mark)


def reason(gap: Gap) -> str:
    """The first reason of a gap, on one line."""
    return clean.line(gap.reasons[0], 200) if gap.reasons else plain.gap(gap.outcome).lower()


def warnings(sheet: Sheet) -> tuple[str, ...]:
    """What makes cells hard to compare: different machines, isolation, stamps, versions, certificates."""
    ran = [one for one in sheet.cells if one.run_id]
    sentences = []
    for key, what in (("machine_id", "machines"), ("isolation", "isolation levels"), ("stamp", "stamps")):
        values = {getattr(one, key) for one in ran} - {"", None}
        if len(values) > 1:
            shown = (
                f" ({words.join(sorted(clean.line(str(v), 40) for v in values))})"
                if key != "machine_id"
                else ""
            )
            sentences.append(f"The results come from {len(values)} {what}{shown}: {_UNLIKE[key]}.")
    for task in sheet.assessment.suite.tasks:
        if len({one.task_digest for one in ran if one.task == task.id} - {""}) > 1:
            sentences.append(f"{title(task)}: not everybody was given the same version of the task.")
    if doubtful := sum(one.certified is False for one in ran):
        sentences.append(
            f"{plain.count(doubtful, 'result')} of {len(ran):,} with times that are not certified."
        )
    for stamp in ("practice", "self-check"):
        if ran and {one.stamp for one in ran} == {stamp}:
            sentences.append(f"{plain.STAMPS[stamp]}.")
    fewest = min((len(one.instances) for one in ran if one.instances), default=FEW_INSTANCES)
    if fewest < FEW_INSTANCES:
        sentences.append(
            f"Some results are of {plain.count(fewest, 'instance')}: their intervals hold the noise of its items or "
            "calls, and not what another instance would change."
        )
    return (*sentences, *(_amendment(one) for one in sheet.amended))


def _amendment(amended: Amended) -> str:
    """That weights or cut are not those that the assessment began with: who changed them, when, why, from what."""
    who = clean.line(amended.by, 60) or "nobody named"
    why = f": {clean.line(amended.why, 200)}" if amended.why else ""
    when = run_tables.moment(amended.replaced_at)
    return f"Changed on {when} by {who}{why} (before: {suite_was(amended.was.suite)})."


_UNLIKE = {
    "machine_id": "points are relative to references on one machine; between machines they were not compared",
    "isolation": "what a submission could reach was not the same for all",
    "stamp": "a practice result is no evidence beside an official one",
}


def provenance(sheet: Sheet) -> Facts:
    """What the numbers are based on: suite, seed, version, stamps, machines."""
    a, ran = sheet.assessment, [one for one in sheet.cells if one.run_id]
    stamps = sorted({one.stamp for one in ran if one.stamp} | ({a.stamp} if a.stamp else set()))
    variants = "the same for all" if a.variants == "same" else "of their own for each candidate"
    return facts(
        "What these numbers stand on",
        [
            ("Suite", cell(f"{a.suite.title or a.suite.name} ({a.suite.name})", a.suite.digest)),
            ("Assessment", f"{a.id}, begun {run_tables.moment(a.begun_at)}"),
            ("Seed", f"{a.seed_id} (a hash; the seed is secret), instances {variants}"),
            ("Stamp", words.join([words.STAMPS[stamp][0] for stamp in stamps])),
            ("Isolation", words.join(sorted({clean.line(one.isolation, 40) for one in ran} - {""}))),
            ("Machines", words.join(sorted({run_tables.short_digest(one.machine_id) for one in ran} - {""}))),
            ("Harness", a.harness_version),
            ("Results", f"{len(ran):,} of {len(sheet.candidates) * len(a.suite.tasks):,} measured"),
        ],
    )


def render_text(sheet: Sheet, ranking: Standings) -> RenderableType:
    """The leaderboard for a terminal."""
    by, suite = by_candidate(sheet), sheet.assessment.suite
    head = Text(f"{clean.line(suite.title or suite.name, 80)} ({clean.line(suite.name, 40)})", style="bold")
    parts: list[RenderableType] = [head, Text(f"{over(ranking)}. {headline(ranking)}"), Text("")]
    if ranking.ranked:
        parts.append(text.table(ranks(ranking, by, False, likenesses.in_short(sheet.compared))))
    if ranking.ranked and len(ranking.tasks) > 1:
        parts.append(text.table(numbered(ranking, by)))
    if ranking.apart:
        parts.append(text.table(apart(ranking, by, False, likenesses.in_short(sheet.compared))))
    if (decided := looks.table(sheet, titles(sheet))).rows:
        parts.append(text.table(decided))
    shared = likenesses.table(sheet, titles(sheet))
    parts.append(text.table(shared) if shared.rows else Text(shared.footnote, style="dim"))
    parts.append(Text(f"{likenesses.PUBLIC}\n", style="bold"))
    parts += [Text(f"! {warning}", style="bold yellow") for warning in warnings(sheet)]
    a = sheet.assessment
    last = f"Assessment {a.id}, suite {a.suite.digest[:19]}, seed {a.seed_id}, harness {a.harness_version}."
    return Group(*parts, Text(clean.line(last), style="dim"))


def numbered(ranking: Standings, by: By) -> Table:
    """Points by task in numbered columns, for a narrow screen; the footnote names the tasks."""
    columns = ("Candidate", *(str(number) for number, _ in enumerate(ranking.tasks, 1)))
    rows = tuple(
        row(
            clean.short(one.candidate, ALIAS),
            *(task_cell(by.get(one.candidate, {}).get(t.id), one.zeros).text for t in ranking.tasks),
        )
        for one in ranking.ranked
    )
    legend = "; ".join(f"{number} {title(task)}" for number, task in enumerate(ranking.tasks, 1))
    return Table(
        caption="Points by task",
        columns=columns,
        rows=rows,
        numeric=tuple(range(1, len(columns))),
        footnote=f"{legend}.",
    )


class CellSummary(Record):
    """One candidate's result on one task, without its constraints and readings.

    The points are null while a verdict is open on what was measured beyond its limit. `points_uncapped` are as they
    were reached, before they are cut to what counts.
    """

    candidate: str
    task: str
    outcome: Outcome
    standing: Standing
    open_by: Culprit
    points: float | None
    points_uncapped: float | None
    points_low: float | None
    points_high: float | None
    tier: str
    run_id: str
    certified: bool | None
    stamp: Stamp | None
    isolation: str
    machine_id: str
    look: Look | None


class LeaderboardSummary(Record):
    """The leaderboard as JSON: the assessment, the standings, a short form of each cell, and the warnings."""

    assessment: str
    suite: str
    title: str
    suite_digest: str
    seed_id: str
    variants: str
    harness_version: str
    begun_at: str
    tasks: tuple[TaskInSuite, ...]
    competency: str
    filtered: bool
    failed_task: FailedTask
    cut: Cut | None
    ranked: tuple[Ranked, ...]
    apart: tuple[Apart, ...]
    notes: tuple[str, ...]
    cells: tuple[CellSummary, ...]
    warnings: tuple[str, ...]
    compared: Compared | None


_POINTS = ("points", "points_uncapped", "points_low", "points_high")


def summary(sheet: Sheet, ranking: Standings) -> LeaderboardSummary:
    """The leaderboard's summary, with the cells of the tasks that are ranked over."""
    a = sheet.assessment
    task_ids = {task.id for task in ranking.tasks}
    cells = [
        CellSummary.model_validate(
            {name: getattr(one, name) for name in CellSummary.model_fields}
            | (dict.fromkeys(_POINTS) if one.withheld else {})
        )
        for one in sheet.cells
        if one.task in task_ids
    ]
    return LeaderboardSummary(
        assessment=a.id,
        suite=a.suite.name,
        title=a.suite.title,
        suite_digest=a.suite.digest,
        seed_id=a.seed_id,
        variants=a.variants,
        harness_version=a.harness_version,
        begun_at=a.begun_at,
        tasks=ranking.tasks,
        competency=ranking.competency,
        filtered=ranking.filtered,
        failed_task=ranking.failed_task,
        cut=ranking.cut,
        ranked=ranking.ranked,
        apart=ranking.apart,
        notes=ranking.notes,
        cells=tuple(cells),
        warnings=warnings(sheet),
        compared=sheet.compared,
    )
