"""A calibration's results, as tables and as one page: every number with its interval, or why it is absent."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.analysis.calibration.limits import RULE
from harness.analysis.calibration.results import Calibration, Estimate, TaskFigures
from harness.reports.calibration import plots as calibration_plots
from harness.reports.parts import clean, units
from harness.reports.parts.tables import Cell, Table, cell, row
from harness.reports.run import plots


def headline(c: Calibration) -> str:
    """One sentence."""
    flagged = sum(bool(t.flags) for t in c.tasks)
    counts = f"{len(c.tasks)} tasks, {c.people} people, {c.rows} scores"
    return f"{counts}; {flagged} tasks are flagged." if flagged else f"{counts}; no task is flagged."


def tables(c: Calibration) -> tuple[Table, ...]:
    """Every table that has rows, in reading order."""
    every = (
        suite(c),
        errors(c),
        dstudy(c),
        forms(c),
        planned(c),
        difficulty(c),
        ladder(c),
        shares(c),
        people(c),
        proposals(c),
        standings(c),
    )
    return tuple(t for t in every if t.rows)


def shown(e: Estimate, digits: int = 2, percent: bool = False) -> Cell:
    """An estimate as a cell: number and interval, the interval alone, or why there is neither."""
    scale, unit = (100, " %") if percent else (1, "")
    if e.low is None or e.high is None:
        return cell("–", e.absent_because)
    ends = f"{scale * e.low:.{digits}f} to {scale * e.high:.{digits}f}{unit}"
    if e.value is None:
        return cell(ends, e.absent_because)
    return cell(f"{scale * e.value:.{digits}f}{unit}", ends)


def difficulty(c: Calibration) -> Table:
    """Difficulty and flags of each task."""
    rows = tuple(
        row(
            cell(t.task, "provisional: tiers only" if t.provisional else ""),
            str(t.people),
            shown(t.difficulty),
            shown(t.discrimination),
            shown(t.item_rest),
            cell("flagged", "; ".join(t.flags), "fail") if t.flags else cell("none", mark="pass"),
        )
        for t in c.tasks
    )
    columns = ("Task", "People", "Difficulty", "Discrimination", "Item-rest r", "Flags")
    foot = (
        "Difficulty: the skill at which 50 points are expected; baseline is -1.5, competent 0, expert 1.5, "
        "by definition. "
        "Discrimination: slope by the spread about it. Small: 95 % intervals."
    )
    return Table(caption="Tasks", columns=columns, rows=rows, numeric=(1, 2, 3, 4), footnote=foot)


def ladder(c: Calibration) -> Table:
    """The tiers of each task and the gaps between them."""
    rows = []
    for t in c.tasks:
        for tier in t.tiers:
            gap = next((g for g in t.gaps if g.upper == tier.tier), None)
            rows.append(
                row(
                    t.task,
                    tier.tier,
                    f"{tier.points:.1f}",
                    _sd(tier.sd_seed),
                    _sd(tier.sd_instance),
                    shown(gap.sds, 1) if gap else "",
                    f"{gap.inversions} of {gap.draws}" if gap else "",
                )
            )
    columns = (
        "Task",
        "Tier",
        "Points",
        "SD of seeds",
        "SD of instances",
        "Above the one below, SDs",
        "Inversions",
    )
    foot = (
        "Points are anchored on each instance, so baseline and expert do not vary. Needed: at least 3 SDs and no "
        "inversion; more than 99 SDs are not told apart."
    )
    return Table(caption="Ladder", columns=columns, rows=tuple(rows), numeric=(2, 3, 4, 5, 6), footnote=foot)


def _sd(value: float | None) -> str:
    return "one only" if value is None else f"{value:.1f}"


def people(c: Calibration) -> Table:
    """Floor, ceiling, failures, and budgets that do not separate people."""
    rows = tuple(
        row(
            t.task,
            shown(t.floor, 0, True),
            shown(t.ceiling, 0, True),
            shown(t.failed, 0, True),
            shown(t.timed_out, 0, True),
            _budgets(t),
        )
        for t in c.tasks
        if t.people
    )
    return Table(
        caption="People",
        columns=("Task", "Floor", "Ceiling", "Failed", "Timed out", "Budgets"),
        rows=rows,
        numeric=(1, 2, 3, 4),
    )


def _budgets(t: TaskFigures) -> str:
    if not t.budgets:
        return "none was judged"
    return "; ".join(f"{b.name}: {b.words}" for b in t.budgets if b.words) or "each is met by some"


def suite(c: Calibration) -> Table:
    """Reliability of the suite, shares of variance, and the expected bands."""
    rows = [
        row("Cronbach's alpha", shown(c.alpha)),
        row("McDonald's omega", shown(c.omega)),
        row("E rho squared", shown(c.relative)),
        row("Phi", shown(c.absolute)),
        *(row(f"Variance from {name}", shown(e, 0, True)) for name, e in c.shares),
        row("Standard error of points", shown(c.sem, 1)),
        row(f"Cut{_provisional(c)}", _cut(c)),
        row(f"Decision accuracy{_provisional(c)}", shown(c.accuracy, 0, True)),
        row(f"Decision consistency{_provisional(c)}", shown(c.consistency, 0, True)),
        row(f"Expected to pass{_provisional(c)}", shown(c.passing, 0, True)),
        *(row(f"Share: {name}{_provisional(c)}", shown(e, 0, True)) for name, e in c.bands),
        row("Decisions flipped by other weights", shown(c.flipped, 0, True)),
    ]
    foot = (
        "Accuracy: how often points fall on the side of the cut where the expected points are; consistency: how often "
        "two forms of this length agree. Both over people as they are thought to be spread."
    )
    return Table(caption="Suite", columns=("Figure", "Value"), rows=tuple(rows), numeric=(1,), footnote=foot)


def _provisional(c: Calibration) -> str:
    return " (PROVISIONAL)" if c.cut is not None and c.cut.method == "provisional" else ""


def _cut(c: Calibration) -> Cell:
    if c.cut is None:
        return cell("none was set")
    error = c.cut.standard_error
    error_in_words = "" if error is None else f"; standard error {error:.1f}"
    return cell(f"{c.cut.points:.1f} points", f"{c.cut.method}, set by {c.cut.set_by}{error_in_words}")


def errors(c: Calibration) -> Table:
    """The conditional standard error at seven skills; the plot shows them all."""
    rows = tuple(
        row(f"{p.skill:+.1f}" if p.skill else "0.0", shown(p.points, 1), shown(p.error))
        for p in c.curve
        if abs(p.skill - round(p.skill)) < 1e-9
    )
    foot = "Held at -25 and 125 points, scores vary less at the ends but say less of skill."
    columns = ("Skill", "Error in points", "Error in skill")
    return Table(
        caption="Standard error at seven skills", columns=columns, rows=rows, numeric=(1, 2), footnote=foot
    )


def dstudy(c: Calibration) -> Table:
    """The reliability that forms of other lengths would reach."""
    rows = tuple(row(str(d.tasks), str(d.seeds), shown(d.relative), shown(d.absolute)) for d in c.dstudy)
    foot = "E rho squared is for ranking people, Phi for their distance to a cut. Small: 95 % intervals."
    return Table(
        caption="Tasks by seeds",
        columns=("Tasks", "Seeds", "E rho squared", "Phi"),
        rows=rows,
        numeric=(1, 2, 3),
        footnote=foot,
    )


def shares(c: Calibration) -> Table:
    """Where the variance of each task's points comes from, and how long scoring took."""
    rows = []
    for t in c.tasks:
        if not t.people:
            continue
        known = dict(t.shares)
        parts = [known.get(name, Estimate()) for name in ("person", "instance", "seed", "machine")]
        cells = [shown(e, 0, True) for e in parts]
        if (both := known.get("instance and seed")) is not None:
            cells[1] = cell(f"with seed: {shown(both, 0, True).text}", shown(both, 0, True).note)
        m = t.minutes
        took = (
            cell("–", "nobody's is known")
            if m is None
            else cell(f"{m.median:.2g}", f"{m.least:.2g} to {m.most:.2g}, {m.people} people")
        )
        rows.append(row(t.task, *cells, took))
    columns = ("Task", "Person", "Instance", "Seed", "Machine", "Minutes to score")
    foot = (
        "Shares of one score's variance. Instance and seed are told apart by the competent tier, which runs several "
        "seeds on each instance. Machine: share in persons' means; it also holds who was scored where. "
        "Minutes: median, least and most of the machine's wall clock."
    )
    return Table(
        caption="Variance of each task",
        columns=columns,
        rows=tuple(rows),
        numeric=(1, 2, 3, 4, 5),
        footnote=foot,
    )


def proposals(c: Calibration) -> Table:
    """Limits suggested by the measured values of tiers and people; they are never applied automatically."""
    rows = []
    for t in c.tasks:
        for p in t.proposals:
            sign = "at most" if p.bound == "at_most" else "at least"
            new = (
                cell("–", p.words)
                if p.proposed is None
                else cell(f"{sign} {units.quantity(p.proposed, p.unit)}", p.words)
            )
            middle = "–" if p.middle is None else units.quantity(p.middle, p.unit)
            met = (
                f"{p.met_now} of {p.people}, then {p.met_then}"
                if p.people and p.proposed is not None
                else "–"
            )
            set_to = f"{sign} {units.quantity(p.set_to, p.unit)}"
            rows.append(row(t.task, p.name, set_to, cell(middle, f"{p.runs} runs"), new, met))
    columns = ("Task", "Limit", "Set", "Competent tier", "Proposed", "People who meet it")
    return Table(
        caption="Proposed limits",
        columns=columns,
        rows=tuple(rows),
        numeric=(2, 3, 4, 5),
        footnote=f"Not applied. Proposed: {RULE}.",
    )


def forms(c: Calibration) -> Table:
    """How many tasks and seeds are needed to reach 0.8 and 0.9."""
    rows = tuple(
        row(f"{n.target:g}", str(n.seeds), str(n.tasks or "over 60"), str(n.tasks_cautious or "over 60"))
        for n in c.needed
    )
    return Table(
        caption="Tasks needed",
        columns=("E rho squared", "Seeds", "Tasks", "Tasks, cautious"),
        rows=rows,
        numeric=(1, 2, 3),
    )


def planned(c: Calibration) -> Table:
    """The form that the planner picked."""
    if c.form is None:
        return Table(caption="Planned form", columns=(), rows=())
    f = c.form
    at = " at the cut" if f.at_cut else ""
    rows = (
        row("Tasks", cell(", ".join(f.tasks) or "none", f.words)),
        row("Minutes", str(f.minutes)),
        row(f"Standard error of skill{at}", shown(f.csem)),
        row(f"Reliability{at}", shown(f.relative)),
    )
    return Table(caption="Planned form", columns=("Figure", "Value"), rows=rows, numeric=(1,))


def standings(c: Calibration) -> Table:
    """Each person's skill and band."""
    rows = tuple(
        row(s.person, shown(s.skill), "–" if s.passes is None else f"{s.passes:.2f}", s.band)
        for s in c.standings
    )
    foot = "Pass where P(above the cut) is at least 0.8, not yet where at most 0.2; a person reviews all between."
    return Table(
        caption="Persons",
        columns=("Person", "Skill", "P(above the cut)", f"Band{_provisional(c)}"),
        rows=rows,
        numeric=(1, 2),
        footnote=foot,
    )


def render_html(c: Calibration) -> str:
    """One self-contained page; everything from outside is escaped."""
    environment = Environment(
        loader=PackageLoader("harness.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("calibration.html.j2").render(
        title=clean.short(c.suite, 120),
        headline=headline(c),
        notes=c.notes,
        tables=tables(c),
        plots=_plots(c),
    )


def _plots(c: Calibration) -> Sequence[tuple[str, str, Sequence[tuple[str, Markup]]]]:
    """Heading, lead and the drawing in two widths, for each plot that can be drawn."""
    drawings = (
        (
            "Difficulty on the scale of the tiers",
            "The skill at which 50 points are expected, with its 95 % interval.",
            "map",
            calibration_plots.difficulties,
        ),
        (
            "Standard error over skill",
            "How far the skill read off the suite's points is from the truth, with its 95 % interval.",
            "sem",
            calibration_plots.errors,
        ),
    )
    drawn = []
    for heading, lead, uid, draw in drawings:
        wide, narrow = draw(c, plots.WIDE, f"{uid}w"), draw(c, plots.NARROW, f"{uid}n")
        if wide:
            drawn.append((heading, lead, (("wide", Markup(wide)), ("narrow", Markup(narrow)))))
    return drawn
