"""What a calibration says, as tables and as one page: absent figures show why, intervals stand beside every number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.calibration.results import Calibration, Estimate, TaskFigures
from harness.reports import clean, plots
from harness.reports.svg import MARKERS, Scale, figure, marker, rule, text, text_width
from harness.reports.tables import Cell, Table, cell, row


def headline(c: Calibration) -> str:
    """One sentence."""
    flagged = sum(bool(t.flags) for t in c.tasks)
    said = f"{len(c.tasks)} tasks, {c.people} people, {c.rows} scores"
    return f"{said}; {flagged} tasks are flagged." if flagged else f"{said}; no task is flagged."


def tables(c: Calibration) -> tuple[Table, ...]:
    """Every table that has rows, in reading order."""
    every = (difficulty(c), ladder(c), people(c), suite(c), forms(c), planned(c), standings(c))
    return tuple(t for t in every if t.rows)


def shown(e: Estimate, digits: int = 2, percent: bool = False) -> Cell:
    """An estimate as a cell: the number with its interval, the interval alone, or why there is neither."""
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
            cell(t.task, "provisional: tiers only" if t.provisional else ""), str(t.people), shown(t.difficulty),
            shown(t.discrimination), shown(t.item_rest),
            cell("; ".join(t.flags), mark="fail") if t.flags else cell("none", mark="pass"),
        )
        for t in c.tasks
    )  # fmt: skip
    columns = ("Task", "People", "Difficulty", "Discrimination", "Item-rest r", "Flags")
    foot = (
        "Difficulty: the skill at which 50 points are expected; baseline is -1.5, competent 0, expert 1.5, "
        "by definition. "
        "Discrimination: slope by the spread about it. Small: 95 % intervals."
    )
    return Table("Tasks", columns, rows, (1, 2, 3, 4), foot)


def ladder(c: Calibration) -> Table:
    """The tiers of each task and the gaps between them."""
    rows = []
    for t in c.tasks:
        for tier in t.tiers:
            gap = next((g for g in t.gaps if g.upper == tier.tier), None)
            rows.append(
                row(
                    t.task, tier.tier, f"{tier.points:.1f}", _sd(tier.sd_seed), _sd(tier.sd_instance),
                    shown(gap.sds, 1) if gap else "", f"{gap.inversions} of {gap.draws}" if gap else "",
                )
            )  # fmt: skip
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
    return Table("Ladder", columns, tuple(rows), (2, 3, 4, 5, 6), foot)


def _sd(value: float | None) -> str:
    return "one only" if value is None else f"{value:.1f}"


def people(c: Calibration) -> Table:
    """Where people end: floor, ceiling, failures, and budgets that tell nobody apart."""
    rows = tuple(
        row(
            t.task, shown(t.floor, 0, True), shown(t.ceiling, 0, True), shown(t.failed, 0, True),
            shown(t.timed_out, 0, True), _budgets(t),
        )
        for t in c.tasks
        if t.people
    )  # fmt: skip
    return Table("People", ("Task", "Floor", "Ceiling", "Failed", "Timed out", "Budgets"), rows, (1, 2, 3, 4))


def _budgets(t: TaskFigures) -> str:
    if not t.budgets:
        return "none was judged"
    return "; ".join(f"{b.name}: {b.words}" for b in t.budgets if b.words) or "each is met by some"


def suite(c: Calibration) -> Table:
    """Reliability of the suite, shares of variance, and the expected bands."""
    cut = (
        "none was set"
        if c.cut is None
        else f"{c.cut.points:.1f} points ({c.cut.method}, set by {c.cut.set_by})"
    )
    if c.cut is not None and c.cut.standard_error is not None:
        cut += f", standard error {c.cut.standard_error:.1f}"
    rows = [
        row("Cronbach's alpha", shown(c.alpha)), row("McDonald's omega", shown(c.omega)),
        row("E rho squared", shown(c.relative)), row("Phi", shown(c.absolute)),
        *(row(f"Variance from {name}", shown(e, 0, True)) for name, e in c.shares),
        row("Cut", cut), *(row(f"Share: {name}", shown(e, 0, True)) for name, e in c.bands),
        row("Decisions flipped by other weights", shown(c.flipped, 0, True)),
    ]  # fmt: skip
    return Table("Suite", ("Figure", "Value"), tuple(rows), (1,))


def forms(c: Calibration) -> Table:
    """How many tasks and seeds reach 0.8 and 0.9."""
    rows = tuple(
        row(f"{n.target:g}", str(n.seeds), str(n.tasks or "over 60"), str(n.tasks_cautious or "over 60"))
        for n in c.needed
    )
    return Table("Tasks needed", ("E rho squared", "Seeds", "Tasks", "Tasks, cautious"), rows, (0, 1, 2, 3))


def planned(c: Calibration) -> Table:
    """The form that the planner picked."""
    if c.form is None:
        return Table("Planned form", (), ())
    f = c.form
    rows = (
        row("Tasks", cell(", ".join(f.tasks) or "none", f.words)), row("Minutes", str(f.minutes)),
        row("Standard error of skill", shown(f.csem)), row("Reliability", shown(f.relative)),
    )  # fmt: skip
    return Table("Planned form", ("Figure", "Value"), rows, (1,))


def standings(c: Calibration) -> Table:
    """Each person's skill and band."""
    rows = tuple(
        row(s.person, shown(s.skill), "–" if s.passes is None else f"{s.passes:.2f}", s.band)
        for s in c.standings
    )
    foot = "Pass where P(above the cut) is at least 0.8, not yet where at most 0.2; a person reviews all between."
    return Table("Persons", ("Person", "Skill", "P(above the cut)", "Band"), rows, (1, 2), foot)


def map_of(c: Calibration, width: float, uid: str) -> str:
    """Difficulties and their intervals on the scale that the tiers fix."""
    gutter = max(text_width(clean.short(t.task, 22)) for t in c.tasks) + 16
    ends = [v for t in c.tasks for v in (t.difficulty.low, t.difficulty.high) if v is not None]
    scale = Scale(max(-6.0, min(-2.0, *ends)), min(6.0, max(2.0, *ends)), gutter, width - 12)
    bottom = 28.0 + 26 * len(c.tasks)
    body = rule(gutter, bottom, width, bottom, "axis")
    for name, at in (("baseline", -1.5), ("competent", 0.0), ("expert", 1.5)):
        body += rule(scale(at), 20, scale(at), bottom, "grid strong") + text(
            scale(at), 12, name, "middle", "tick"
        )
    body += "".join(text(scale(v), bottom + 16, label, "middle", "tick") for v, label in scale.ticks(""))
    for i, t in enumerate(c.tasks):
        y, d = 38.0 + 26 * i, t.difficulty
        if d.value is not None and d.low is not None and d.high is not None:
            body += rule(scale(d.low), y, scale(d.high), y, "own-bar") + marker(
                MARKERS[0], scale(d.value), y, "s0"
            )
        body += text(0, y + 4, clean.short(t.task, 22), "start", "name")
    return figure(
        width,
        bottom + 24,
        body,
        uid=uid,
        title="Difficulty",
        description="Skill at which 50 points are expected.",
    )


def render_html(c: Calibration) -> str:
    """One self-contained page; everything from outside is escaped."""
    environment = Environment(
        loader=PackageLoader("harness.reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("calibration.html.j2").render(
        title=clean.short(c.suite, 120),
        headline=headline(c),
        notes=c.notes,
        tables=tables(c),
        plot=_plot(c, map_of),
    )


def _plot(c: Calibration, draw: Callable[[Calibration, float, str], str]) -> Sequence[tuple[str, Markup]]:
    return (("wide", Markup(draw(c, plots.WIDE, "mapw"))), ("narrow", Markup(draw(c, plots.NARROW, "mapn"))))
