"""Sheets for the tests of standings, leaderboards and candidates' pages: made by hand, no run needed."""

from __future__ import annotations

import random
from collections.abc import Mapping

from harness.records import Rung
from harness.sheets import Assessment, Cell, CellConstraint, Cut, Sheet, Suite, TaskInSuite, not_attempted
from tests.report_fixtures import HOSTILE

TASKS = (
    TaskInSuite(
        id="latency-budget",
        title="Serve a classifier within a latency budget",
        weight=1,
        minutes=90,
        competencies=("inference optimisation", "profiling"),
        task_digest="sha256:aa",
    ),
    TaskInSuite(
        id="noisy-labels",
        title="Learn from labels of which many are wrong",
        weight=2,
        minutes=90,
        competencies=("learning with label noise", "profiling"),
        task_digest="sha256:bb",
    ),
    TaskInSuite(
        id="semantic-search",
        title="Search documents by meaning",
        weight=1,
        minutes=90,
        competencies=("retrieval",),
        task_digest="sha256:cc",
    ),
)
LADDER = (
    Rung(tier="baseline", objective=0.741, points=0.0),
    Rung(tier="competent", objective=0.788, points=49.5),
    Rung(tier="expert", objective=0.836, points=100.0),
)
INSTANCES = ("i1", "i2", "i3")


def suite(cut: float | None = 60.0, tasks: tuple[TaskInSuite, ...] = TASKS, **changes: object) -> Suite:
    """Three tasks, the second of twice the weight."""
    held = None if cut is None else Cut(points=cut, method="provisional", set_by="the team")
    given = {
        "name": "core",
        "title": "Core skills of an ML engineer",
        "tasks": tasks,
        "digest": "sha256:5417e",
        "cut": held,
    }
    return Suite.model_validate(given | changes)


def assessment(of: Suite | None = None, **changes: object) -> Assessment:
    """An assessment of it."""
    given = {
        "id": "a1b2c3",
        "suite": of or suite(),
        "seed_id": "5c1d88",
        "begun_at": "2026-02-03T09:00:00+00:00",
        "harness_version": "0.4.0",
        "stamp": "official",
    }
    return Assessment.model_validate(given | changes)


def constraint(name: str = "training time", verdict: str = "pass", **changes: object) -> CellConstraint:
    """A ratio to the baseline of at most 6, unless changed."""
    given = {
        "name": name,
        "unit": "x",
        "verdict": verdict,
        "value": 3.2,
        "low": 3.1,
        "high": 3.3,
        "threshold": 6.0,
        "bound": "at_most",
        "reference": "baseline",
        "words": f"{name}: 3.2 times the baseline's",
    }
    return CellConstraint.model_validate(given | changes)


def _each(candidate: str, task: str, points: float, half: float) -> tuple[float, ...]:
    """Points of three instances, which scatter for each candidate in a way of its own, around `points`."""
    rng = random.Random(f"{candidate} {task}")
    first, second = rng.gauss(0, half / 2), rng.gauss(0, half / 2)
    return points + first, points - second / 2, points - first + second / 2


def cell(candidate: str, task: str, points: float = 70.0, half: float = 5.0, **changes: object) -> Cell:
    """A cell that is fit, `half` points to each side, on three instances around `points`."""
    tier = (
        "expert"
        if points >= 95
        else "competent"
        if points >= 45
        else "baseline"
        if points >= -5
        else "below baseline"
    )
    given = {
        "candidate": candidate,
        "task": task,
        "outcome": "ok",
        "run_id": f"20260203-{task}-{candidate}"[:60],
        "points": min(max(points, -25.0), 125.0),
        "points_uncapped": points,
        "points_low": points - half,
        "points_high": points + half,
        "points_each": _each(candidate, task, points, half),
        "instances": INSTANCES,
        "tier": tier,
        "measure": "macro_f1",
        "value": round(0.741 + points * 0.00095, 3),
        "low": 0.7,
        "high": 0.85,
        "constraints": (constraint(),),
        "ladder": LADDER,
        "certified": True,
        "grade": "A",
        "stamp": "official",
        "isolation": "bubblewrap",
        "machine_id": "9f1c2ab07d5e",
        "wall_seconds": 120.0,
        "started_at": "2026-02-03T09:05:00+00:00",
        "task_digest": next((t.task_digest for t in TASKS if t.id == task), ""),
    }
    return Cell.model_validate(given | changes)


def row(candidate: str, *points: float, half: float = 5.0) -> list[Cell]:
    """A candidate's cells on the tasks in order."""
    return [cell(candidate, task.id, p, half) for task, p in zip(TASKS, points, strict=False)]


def failed(candidate: str, task: str, outcome: str = "budget_exceeded", *reasons: str) -> Cell:
    """A cell that failed by its own fault."""
    broken = constraint(
        "training time", "fail", value=9.1, low=9.0, high=9.2, words="training time: 9.1 times"
    )
    told = reasons or ("training time: 9.1 times the baseline's; at most 6 allowed",)
    update = {"outcome": outcome, "points": 0.0, "tier": "none", "constraints": (broken,), "reasons": told}
    return cell(candidate, task, 80).model_copy(update=update)


def sheet(of: Assessment | None = None) -> Sheet:
    """Five who are ranked, two of them tied, and four apart: failed, open, our fault, nothing handed in."""
    unclear = constraint("median latency", "inconclusive", value=1.6, low=1.5, high=1.7, threshold=1.6)
    cells = [
        *row("ann", 92, 88, 97, half=4),
        *row("ben", 71, 64, 70),
        *row("cleo", 66, 63, 78),
        *row("dora", 41, 52, 48),
        *row("emil", 3, 12, -9),
        *row("fay", 85, 0, 79)[::2],
        failed("fay", "noisy-labels"),
        *row("gus", 61, 70, 0)[:2],
        cell(
            "gus",
            "semantic-search",
            66,
            outcome="inconclusive",
            constraints=(constraint(), unclear),
            reasons=("median latency: 1.6 times, anywhere from 1.5 to 1.7: too close to call",),
        ),
        *row("hal", 50, 55, 0)[:2],
        failed("hal", "semantic-search", "crashed", f"search raised ValueError: {HOSTILE}"),
        *row("ida", 30, 0, 20)[::2],
        not_attempted("ida", "noisy-labels"),
        *row("jo", 44, 0, 0)[:1],
    ]
    people = ("ann", "ben", "cleo", "dora", "emil", "fay", "gus", "hal", "ida", "jo")
    return Sheet(assessment=of or assessment(), candidates=people, cells=tuple(cells))


def crowd(people: int = 3000, tasks: int = 10) -> Sheet:
    """Many candidates on many tasks."""
    rng = random.Random(7)
    asked = tuple(TaskInSuite(id=f"t{n}", title=f"Task {n}", competencies=("all",)) for n in range(tasks))
    names = tuple(f"c{n:04d}" for n in range(people))
    cells = [cell(name, task.id, rng.gauss(55, 25), 4.0) for name in names for task in asked]
    return Sheet(assessment=assessment(suite(None, asked)), candidates=names, cells=tuple(cells))


def changed(found: Sheet, values: Mapping[str, object]) -> Sheet:
    """The sheet with every cell's fields replaced."""
    return found.model_copy(update={"cells": tuple(c.model_copy(update=dict(values)) for c in found.cells)})
