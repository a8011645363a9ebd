"""The rows that a calibration starts from: who scored what on which task, instance, seed and machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.calibration.generators import CAP, FLOOR, TIER_SKILLS
from harness.analysis.calibration.scores import Floats, Scores, of_values
from harness.readings import Record
from harness.records import TIERS, Outcome, Tier, Verdict
from harness.sheets import Cell, CellConstraint


class Row(Record):
    """One measured score. `points` are uncapped (0 baseline, 100 expert); None where there is no score to judge.

    `verdicts` holds each constraint's name and verdict, `measured` what was judged. `tier` is None for people.
    `minutes` is how long scoring the whole hand-in took, the same on each of its rows.
    """

    person: str
    tier: Tier | None
    task: str
    instance: str
    seed: int = 0
    machine: str = ""
    points: float | None
    outcome: Outcome = "ok"
    verdicts: tuple[tuple[str, Verdict], ...] = ()
    measured: tuple[CellConstraint, ...] = ()
    minutes: float | None = None


def of_cell(person: str, cell: Cell) -> list[Row]:
    """The rows of a person's cell: one for each instance; a hand-in that failed counts 0, one left open nothing."""
    verdicts = tuple((c.name, c.verdict) for c in cell.constraints)
    each = cell.points_each if cell.standing == "fit" else ()
    names = cell.instances if len(cell.instances) == len(each) else tuple(str(i) for i in range(len(each)))
    scored = list(zip(names, each, strict=True)) or [("", 0.0 if cell.standing == "unfit" else None)]
    return [
        Row(
            person=person,
            tier=None,
            task=cell.task,
            instance=name,
            machine=cell.machine_id,
            points=points,
            outcome=cell.outcome,
            verdicts=verdicts,
            measured=cell.constraints,
            minutes=cell.wall_seconds / 60 or None,
        )
        for name, points in scored
    ]


def people_of(rows: Sequence[Row]) -> list[str]:
    """Everybody who is no tier and has a score, in order of appearance."""
    return list(dict.fromkeys(r.person for r in rows if r.tier is None and r.points is not None))


def cube(rows: Sequence[Row], persons: Sequence[str], tasks: Sequence[str]) -> Floats:
    """Points / 100 as (P, T, S), NaN where there is none; S is the most replicates of any cell."""
    cells: dict[tuple[str, str], list[float]] = {}
    for r in rows:
        if r.points is not None:
            cells.setdefault((r.person, r.task), []).append(r.points / 100)
    points = np.full((len(persons), len(tasks), max(map(len, cells.values()), default=1)), np.nan)
    for i, person in enumerate(persons):
        for j, task in enumerate(tasks):
            values = cells.get((person, task), [])
            points[i, j, : len(values)] = values
    return points


def scores_of(rows: Sequence[Row], persons: Sequence[str], tasks: Sequence[str]) -> Scores:
    """What the estimator takes: people, then the tiers as anchor persons, one data set.

    A tier's mean counts once: it is 0 or 100 on every instance by definition, so that its spread between
    instances says nothing of the noise that a person meets.
    """
    everybody = [*persons, *TIERS]
    values = cube(rows, everybody, tasks)
    n = len(persons)
    tiers = np.full((len(TIERS), len(tasks), values.shape[2]), np.nan)
    seen = np.isfinite(values[n:])
    tiers[:, :, 0] = np.where(
        seen.any(axis=2),
        np.where(seen, values[n:], 0.0).sum(axis=2) / np.maximum(seen.sum(axis=2), 1),
        np.nan,
    )
    anchor = np.concatenate([np.full(n, np.nan), TIER_SKILLS])
    return of_values(np.concatenate([values[:n], tiers])[None], anchor[None], FLOOR, CAP)
