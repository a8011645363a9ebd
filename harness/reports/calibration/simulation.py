"""The results of a simulation: how well planted difficulties and skills were recovered, against the targets."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.calibration.rehearsal import INSTANCES, PEOPLE, TASKS
from harness.analysis.calibration.results import Recovery, Simulation, Target
from harness.reports.parts import units
from harness.reports.parts.tables import Cell, Mark, Table, cell, row
from harness.reports.run import markdown as pipes
from harness.reports.run.markdown import escape

SAID = {"fail": " missed", "inconclusive": " open"}
NAMES = {
    "linear": "as the model has it",
    "capped": "held between -25 and 125 points",
    "logit": "shares, on the logit scale",
    "saturating": "shares, as if straight",
    "two-dimensional": "two skills, correlation 0.5",
    "heavy-tails": "Student's t, 3 degrees",
    "hurdle": "15 % fail outright and count 0",
}


def headline(simulation: Simulation) -> str:
    """One sentence: how many targets were met."""
    aimed = [t for s in simulation.situations for t in s.figures if _aimed(t)] + list(simulation.forecasts)
    met = sum(t.verdict == "pass" for t in aimed)
    open_ = sum(t.verdict == "inconclusive" for t in aimed)
    missed = len(aimed) - met - open_
    sentence = f"{met} of {len(aimed)} targets are met"
    sentence += f", {open_} are missed by less than the simulation's own error" if open_ else ""
    sentence += f", {missed} are missed" if missed else ""
    return f"{sentence}. One fit of 50 people by 12 tasks by 3 seeds took {units.seconds(simulation.fit_seconds)}."


def markdown(simulation: Simulation) -> str:
    """The headline and every table, as docs/calibration.md holds them."""
    shown = [f"{headline(simulation)}", pipes.table(table(simulation)), escape(table(simulation).footnote)]
    if simulation.forecasts:
        further = forecasts(simulation.forecasts)
        shown += [f"### {escape(further.caption)}", pipes.table(further), escape(further.footnote)]
    return "\n\n".join(shown) + "\n"


def _aimed(target: Target) -> bool:
    return target.at_least is not None or target.at_most is not None


def table(simulation: Simulation) -> Table:
    """One row for each situation."""
    shown = (
        "r of difficulty",
        "RMSE of difficulty",
        "coverage of difficulty",
        "r of skill",
        "coverage of skill",
    )
    rows = tuple(row(*_who(s), *(_figure(s, name) for name in shown)) for s in simulation.situations)
    columns = ("Planted", "People", "Tasks", "r(b)", "RMSE(b)", "Covers b", "r(skill)", "Covers skill")
    foot = (
        "b: difficulty. Covers: how often a 95 % interval holds the truth. Small: the simulation's own 95 % error; "
        "open: the target is missed by less than that. "
        "Authors: independent hands for each reference tier."
    )
    return Table(
        caption="Planted and recovered",
        columns=columns,
        rows=rows,
        numeric=(1, 2, 3, 4, 5, 6, 7),
        footnote=foot,
    )


def _who(s: Recovery) -> tuple[Cell, str, str]:
    authors = "" if s.authors == 1 else f"; {s.authors} authors a tier"
    sets = f"{s.sets} data sets"
    return cell(s.generator, f"{NAMES[s.generator]}{authors}; {sets}"), str(s.people or "none"), str(s.tasks)


def _figure(s: Recovery, name: str) -> Cell:
    target = next((t for t in s.figures if t.name == name), None)
    if target is None:
        return cell("–")
    mark: Mark = target.verdict if _aimed(target) else ""
    return cell(
        _number(target.value) + SAID.get(mark, ""), f"{_number(target.low)} to {_number(target.high)}", mark
    )


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) >= 0.0005 else "0.000"


def forecasts(targets: Sequence[Target]) -> Table:
    """The figures of the whole analysis of a task and a suite, against their targets."""
    rows = tuple(
        row(
            t.name[:1].upper() + t.name[1:],
            cell(
                _number(t.value) + SAID.get(t.verdict, ""),
                f"{_number(t.low)} to {_number(t.high)}",
                t.verdict,
            ),
            _aim(t),
        )
        for t in targets
    )
    foot = (
        f"{PEOPLE} people, {TASKS} tasks and {INSTANCES} instances were planted as rows, and the whole analysis was "
        "run on them. Error: mean distance from the planted value. Coverage: how often the 95 % interval holds it. "
        "Small: the simulation's own 95 % error."
    )
    return Table(
        caption="Planning and deciding",
        columns=("Figure", "Found", "Target"),
        rows=rows,
        numeric=(1, 2),
        footnote=foot,
    )


def _aim(t: Target) -> str:
    parts = [f"at least {t.at_least:g}"] if t.at_least is not None else []
    return " and ".join([*parts, *([f"at most {t.at_most:g}"] if t.at_most is not None else [])])
