"""Runs what a calibration is made of: simulations with their clock, and the ladder over many instances and seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from harness.analysis.calibration import recovery, rehearsal
from harness.analysis.calibration.generators import Design, linear
from harness.analysis.calibration.gibbs import fit
from harness.analysis.calibration.results import Simulation
from harness.analysis.calibration.tables import Row, of_cell
from harness.assessment import suites
from harness.errors import UsageError, first_of
from harness.inputs import profiles
from harness.inputs.tasks import find
from harness.machine import lease
from harness.observer import Observer
from harness.records import TIERS
from harness.runs.ladders import climb
from harness.runs.options import Options, order
from harness.runs.order import in_one_pair
from harness.runs.prepare import prepare, setting_of
from harness.sheets import CellConstraint, Suite, TaskInSuite
from harness.store.ledger import Ledger

PROFILE = "laptop-cpu"  # of tasks that are listed, where none is named
_ROWS = TypeAdapter(list[Row])
SETS = 40
FIT = Design(sets=1, people=50, tasks=12)


def simulate(generator: str | None, sets: int, seed: int, note: Callable[[str], None]) -> Simulation:
    """Every situation of the simulation; the same figures for the same seed, but for the seconds."""
    import numpy as np

    began = time.monotonic()
    recovered = []
    for name, design, least, most in recovery.situations(generator, sets):
        note(f"{name}, {design.people} people, {design.tasks} tasks, {design.sets} data sets")
        recovered.append(recovery.recover(name, design, (least, most), seed))
    note(f"the whole analysis, {rehearsal.PEOPLE} people, {rehearsal.TASKS} tasks, {sets} data sets")
    forecasts = () if generator else rehearsal.rehearse(sets, seed)
    planted = linear(FIT, np.random.default_rng(seed))
    before = time.monotonic()
    fit(planted.scores, np.random.default_rng(seed))
    took = time.monotonic() - before
    return Simulation(
        situations=tuple(recovered),
        forecasts=forecasts,
        seed=seed,
        fit_seconds=took,
        seconds=time.monotonic() - began,
    )


def suite_of(name: str, tasks_root: Path | None, profile: str | None) -> Suite:
    """The suite called `name`, or that a list of tasks `A,B,C` makes, each of weight 1; raises UsageError.

    A suite says itself on which profile each task is measured, so `profile` goes with a list alone.
    """
    if name.endswith(".toml") or name in profiles.suite_names():
        if profile is not None:
            raise UsageError(
                f"--profile {profile} goes with tasks as A,B,C; the suite {name} names its own profiles"
            )
        return suites.read(name, tasks_root)
    names = [part.strip() for part in name.split(",") if part.strip()]
    if not names or len(set(names)) < len(names):
        known = ", ".join(profiles.suite_names())
        raise UsageError(
            f"SUITE {name!r} names no task, or one twice; give a suite ({known}) or tasks as A,B,C"
        )
    members = [find(one, tasks_root) for one in names]
    tasks = tuple(
        TaskInSuite(
            id=task.id,
            title=task.definition.title,
            profile=profile or PROFILE,
            minutes=task.definition.minutes,
            competencies=tuple(task.definition.competencies),
            task_digest=task.digest,
        )
        for task in members
    )
    return Suite(name=",".join(task.id for task in tasks), title="", tasks=tasks)


def ladders(
    suite: Suite, tasks_root: Path | None, instances: int, repeats: int, seed: int, observer: Observer
) -> Iterator[list[Row]]:
    """Each task's tiers on `instances` instances, each with `repeats` seeds of its workers: the rows of a task."""
    for task in suite.tasks:
        rows: list[Row] = []
        task_order = in_one_pair(
            order(Options(task=task.id, tasks_root=tasks_root, profile=task.profile, seed=seed))
        )
        with (
            lease.measuring(
                task_order.task.criteria.is_timed(), task_order.device, observer.note, f"calibrate {task.id}"
            ),
            setting_of(task_order) as setting,
        ):
            for number in range(instances):
                prepared = prepare(task_order, number, observer)
                for repeat in range(repeats):
                    ladder = climb(task_order, setting, prepared, observer, repeat)
                    rows += [
                        Row(
                            person=tier,
                            tier=tier,
                            task=task.id,
                            instance=prepared.id,
                            seed=repeat,
                            points=ladder.points[tier],
                            outcome=ladder.scores[tier].outcome,
                            verdicts=tuple((c.name, c.verdict) for c in ladder.scores[tier].constraints),
                            measured=tuple(
                                CellConstraint(**c.model_dump(include=set(CellConstraint.model_fields)))
                                for c in ladder.scores[tier].constraints
                            ),
                        )
                        for tier in TIERS
                        if tier in ladder.points
                    ]
        yield rows


def rows_as_text(rows: list[Row]) -> str:
    """Measured rows as JSON, to be kept and read again."""
    return _ROWS.dump_json(rows, indent=1).decode() + "\n"


def rows_in(file: Path, suite: Suite) -> list[Row]:
    """The measured rows that are kept in a file; raises UsageError where it holds none of this suite's tasks."""
    try:
        rows = _ROWS.validate_json(file.read_bytes())
    except OSError as error:
        raise UsageError(f"--rows {file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise UsageError(f"--rows {file} holds no rows of a calibration: {first_of(error)}") from error
    if missing := [task.id for task in suite.tasks if all(row.task != task.id for row in rows)]:
        raise UsageError(f"--rows {file} has no row of {', '.join(missing)}; measure without --rows")
    return rows


class Past(NamedTuple):
    """Earlier rows on a suite's tasks, and how many hand-ins were left out: they are of other tasks or profiles."""

    rows: list[Row]
    left_out: int


def past(ledger: Ledger, suite: Suite) -> Past:
    """What people handed in before on these tasks, the newest first; one submission of a task counts once.

    A task whose digest is another one is another task, and so is one of another profile, since sizes differ.
    """
    rows, known, others = [], set(), set()
    digests = {task.id: task.task_digest for task in suite.tasks}
    wanted = {task.id: task.profile for task in suite.tasks}
    for assessment in ledger.assessments():
        had = {task.id: task.profile for task in assessment.suite.tasks}
        for cell in ledger.sheet(assessment).cells:
            key = (cell.submission_digest, cell.task) if cell.submission_digest else None
            if cell.task not in digests or cell.outcome == "not_attempted" or key in known:
                continue
            other = digests[cell.task] and cell.task_digest != digests[cell.task]
            if other or had.get(cell.task) != wanted[cell.task]:
                others.add(key or (assessment.id, cell.candidate, cell.task))
                continue
            known |= {key} if key else set()
            rows += of_cell(f"{cell.candidate} ({assessment.id[:8]})", cell)
    return Past(rows, len(others))
