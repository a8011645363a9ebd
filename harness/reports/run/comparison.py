"""Several runs side by side, with a caution for each difference in their conditions.

Times from different machines are withheld: they are never compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.readings import Record
from harness.records import Measurement, Run, Score
from harness.reports.parts import clean, units, words
from harness.reports.parts.tables import Cell, Table, cell
from harness.reports.run import run_tables, trust
from harness.reports.run.summary import RunSummary, summary

WITHHELD = "not comparable"


@dataclass(frozen=True)
class Comparison:
    """One column for each run; `cautions` name the reasons why the columns cannot be compared directly."""

    table: Table
    cautions: tuple[str, ...]


class ComparisonSummary(Record):
    """What `harness compare --json` prints of runs of one task; times may be compared on the same machine only."""

    task: str
    same_machine: bool
    runs: tuple[RunSummary, ...]


def comparison_summary(runs: Sequence[Run]) -> ComparisonSummary:
    """The summary of runs of one task; there is at least one."""
    machines = {run.head.machine.id for run in runs}
    return ComparisonSummary(
        task=runs[0].head.task, same_machine=len(machines) == 1, runs=tuple(map(summary, runs))
    )


def compare(runs: Sequence[Run]) -> Comparison:
    """The runs' scores, constraints and measurements in the order given."""
    mixed = len({run.head.machine.id for run in runs}) > 1
    names = [clean.short(run.head.submission, 28) for run in runs]
    rows = [*_heads(runs), *_scores(runs, mixed), *_verdicts(runs), *_values(runs, mixed)]
    columns = ("", *(f"{name} ({i})" if names.count(name) > 1 else name for i, name in enumerate(names, 1)))
    table = Table(
        caption="Comparison", columns=columns, rows=tuple(rows), numeric=tuple(range(1, len(columns)))
    )
    return Comparison(table, _cautions(runs))


def _cautions(runs: Sequence[Run]) -> tuple[str, ...]:
    checks = (
        ([r.head.machine.id for r in runs], "different machines: their times are withheld; compare points"),
        ([r.head.task for r in runs], "different tasks: points of different tasks are not the same unit"),
        ([(r.head.task, r.head.task_digest) for r in runs], "different versions of the task's files"),
        ([r.head.profile for r in runs], "different profiles or settings"),
        ([r.head.seed_id for r in runs], "different seeds: the instances are not the same"),
        (
            [r.head.stamp for r in runs],
            "different stamps: a practice run is no evidence beside an official one",
        ),
        ([r.head.harness_version for r in runs], "different versions of the harness"),
    )
    cautions = [f"Caution: {text}." for values, text in checks if any(v != values[0] for v in values[1:])]
    if len({r.head.task for r in runs}) > 1:
        cautions = [c for c in cautions if "task's files" not in c]
    return tuple(cautions)


def _heads(runs: Sequence[Run]) -> list[tuple[Cell, ...]]:
    return [
        _row("Run", [run.head.run_id for run in runs]),
        _row("Task", [run.head.task for run in runs]),
        _row("Stamp", [run.head.stamp for run in runs]),
        _row("Profile", [f"{run.head.profile.name}, {run.head.profile.device}" for run in runs]),
        _row("Machine", [run_tables.short_digest(run.head.machine.id) for run in runs]),
    ]


def _row(name: str, values: Sequence[str]) -> tuple[Cell, ...]:
    return (cell(name), *(cell(value) for value in values))


def _scores(runs: Sequence[Run], mixed: bool) -> list[tuple[Cell, ...]]:
    scores = [run.score for run in runs]
    outcomes = [words.OUTCOMES[s.outcome][0] if s else "not scored" for s in scores]
    points = [_points(s) for s in scores]
    uncapped = [
        "none" if s is None else words.OPEN if s.withheld else units.points(s.points_uncapped) for s in scores
    ]
    objectives = [_shown(s.objective if s else None, mixed) for s in scores]
    names = dict.fromkeys(words.measure(s.objective.name) for s in scores if s)
    return [
        _row("Outcome", outcomes),
        _row("Points", points),
        _row("Points before constraints", uncapped),
        _row("Times", [trust.state(run).words or "none" for run in runs]),
        _row("Tier", [s.tier if s else "none" for s in scores]),
        _row(f"Objective: {' / '.join(names)}" if names else "Objective", objectives),
    ]


def _points(score: Score | None) -> str:
    if score is None:
        return "none"
    if score.outcome != "ok":
        return words.points(score)
    return units.spread(score.points, score.points_low, score.points_high, "points")


def _verdicts(runs: Sequence[Run]) -> list[tuple[Cell, ...]]:
    by_run = [{c.name: c for c in run.score.constraints} if run.score else {} for run in runs]
    names = dict.fromkeys(name for by in by_run for name in by)
    return [
        (
            cell(f"Constraint: {name}"),
            *(
                cell(c.verdict, units.quantity(c.value, c.unit), c.verdict)
                if (c := by.get(name))
                else cell("none")
                for by in by_run
            ),
        )
        for name in names
    ]


def _values(runs: Sequence[Run], mixed: bool) -> list[tuple[Cell, ...]]:
    by_run = [{m.name: m for m in run.score.measurements} if run.score else {} for run in runs]
    objectives = {run.score.objective.name for run in runs if run.score}
    names = [name for name in dict.fromkeys(n for by in by_run for n in by) if name not in objectives]
    return [_row(words.measure(name), [_shown(by.get(name), mixed) for by in by_run]) for name in names]


def _shown(m: Measurement | None, mixed: bool) -> str:
    if m is None:
        return "none"
    if mixed and m.unit in units.TIMED:
        return WITHHELD
    return units.spread(m.value, m.low, m.high, m.unit)
