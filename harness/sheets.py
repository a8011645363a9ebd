"""The frozen values of an assessment: its suite and candidates, and the result in each cell of the table.

An assessment is one suite, one secret and a list of candidates; a cell is one candidate on one task and
stands for one Run. A Sheet is all of it: leaderboards, candidates' pages, exports and calibration are
derived from sheets and launch nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from harness.looks import Look, changes
from harness.readings import Grade, Record
from harness.records import OURS, Culprit, Direction, Judged, Outcome, Run, Rung, Stamp, open_by, withheld

Variants = Literal["same", "per-candidate"]
Standing = Literal["fit", "unfit", "open", "not attempted"]


class TaskInSuite(Record):
    """One task of a suite: with which profile it is run, what it weighs, what it is about, how long it takes.

    `minutes` are a candidate's. `weight` is set by people; points of a suite are the weighted mean of points.
    """

    id: str
    title: str = ""
    profile: str = "laptop-cpu"
    weight: float = Field(default=1.0, gt=0)
    minutes: int = 0
    competencies: tuple[str, ...] = ()
    task_digest: str = ""


class Suite(Record):
    """A named list of tasks. `digest` is over everything that can change a score: tasks, profiles, sizes.

    `cut` is the points from which a candidate passes, with who set it and how; None where nobody did.
    """

    name: str
    title: str
    description: str = ""
    tasks: tuple[TaskInSuite, ...] = Field(min_length=1)
    digest: str = ""
    cut: Cut | None = None

    def task(self, name: str) -> TaskInSuite:
        """The task called `name`; raises KeyError."""
        by_id = {task.id: task for task in self.tasks}
        return by_id[name]

    def competencies(self) -> tuple[str, ...]:
        """All competencies, in the order of the tasks, each once."""
        return tuple(dict.fromkeys(c for task in self.tasks for c in task.competencies))


class Cut(Record):
    """A cut score in points (0 baseline, 100 expert): set by people, never invented silently."""

    points: float
    method: Literal["provisional", "angoff", "borderline regression", "set by hand"]
    set_by: str
    standard_error: float | None = None


class CellConstraint(Judged):
    """A constraint's verdict in a cell: as in a run, without what it was measured by."""


class Cell(Record):
    """One candidate on one task, as far as tables and pages need it. Derived from a Run by `cell_of`.

    Points are as in Score: `points` is what counts, `points_each` the uncapped points of each instance, `points_room`
    how far noise that is not the submission's own may lift them.
    `instances` are the ids of these instances, less those that were added to decide an open verdict: cells with the
    same ids can be compared in pairs.
    `run_id` is empty where nothing was run ("not_attempted", or refused before a run began).
    `value` is the objective's, with its 95 % interval, in `unit`. `look` is what somebody decided who looked at it:
    the rest of the cell is as that leaves it. A stored cell holds none.
    """

    candidate: str
    task: str
    outcome: Outcome
    run_id: str = ""
    submission_digest: str = ""
    task_digest: str = ""
    points: float = 0.0
    points_uncapped: float | None = None
    points_low: float | None = None
    points_high: float | None = None
    points_each: tuple[float, ...] = ()
    points_room: float | None = None
    instances: tuple[str, ...] = ()
    tier: str = "none"
    measure: str = ""
    unit: str = ""
    direction: Direction = "higher"
    value: float | None = None
    low: float | None = None
    high: float | None = None
    constraints: tuple[CellConstraint, ...] = ()
    ladder: tuple[Rung, ...] = ()
    certified: bool | None = None
    grade: Grade | None = None
    stamp: Stamp | None = None
    isolation: str = ""
    machine_id: str = ""
    started_at: str = ""
    wall_seconds: float = 0.0
    reasons: tuple[str, ...] = ()
    look: Look | None = None

    @property
    def standing(self) -> Standing:
        """fit: scored, every constraint passed; unfit: its own fault; open: inconclusive, or ours."""
        if self.outcome == "ok":
            return "fit"
        if self.outcome == "not_attempted":
            return "not attempted"
        return "open" if self.outcome in ("inconclusive", *OURS) else "unfit"

    @property
    def withheld(self) -> bool:
        """Whether "open" is shown in the place of points, as in Score."""
        return withheld(self.outcome, self.constraints)

    @property
    def open_by(self) -> Culprit:
        """Whose doing it is that the cell is open: "machine" also where it is a fault of ours."""
        return "machine" if self.outcome in OURS else open_by(self.outcome, self.constraints)


class Likeness(Record):
    """What a submission shares with another solution of its task: a hint to look at, never a verdict, worth no points.

    `other` is an alias or, where it is `public`, what the solution is called ("the public expert"). "code": `share` and
    `other_share` (0 to 1) of each side's own code, `places` the lines; `few`: of so little code that it says nothing.
    "errors": both gave the same wrong answer to `alike` of `possible` items, `expected` by chance, with the `chance` of
    so many. "bits": so many numbers are equal to the bit. Of both, `share` is what is above chance (0 to 1), `usual`
    the most of it among the references themselves.
    """

    candidate: str
    task: str
    kind: Literal["code", "errors", "bits"]
    other: str
    public: bool
    share: float
    other_share: float = 0.0
    few: bool = False
    places: tuple[str, ...] = ()
    alike: int = 0
    possible: int = 0
    expected: float = 0.0
    chance: float | None = None
    usual: float = 0.0


class Unseen(Record):
    """What of one submission's code cannot be compared, in words with the lines."""

    candidate: str
    task: str
    what: tuple[str, ...]


class Compared(Record):
    """What the comparison of an assessment's code and answers found. `key` is a digest of the cells that it is of.

    `together` says whose code was compared with each other's, as sets of (candidate, task, unit) that still stand.
    """

    key: str
    compared_at: str
    together: tuple[tuple[tuple[str, str, str], ...], ...] = ()
    likenesses: tuple[Likeness, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    notes: tuple[str, ...] = ()


class Assessment(Record):
    """What an assessment is. The secret itself is never part of it: `seed_id` is a hash.

    `id` is made of suite, secret, variants and references: the same command finds the same assessment.
    """

    id: str
    suite: Suite
    seed_id: str
    variants: Variants = "same"
    begun_at: str
    harness_version: str
    stamp: Stamp | None = None


class Amended(Record):
    """An assessment as it was before its suite was changed: who changed it, when and why."""

    was: Assessment
    replaced_at: str
    by: str
    why: str = Field(default="")


class Sheet(Record):
    """An assessment with every cell that is known, one for each candidate and task.

    `candidates` are the aliases in the order in which they were listed. `compared` is None where code and
    answers were not compared yet. `amended`: who changed weights or cut after the fact, when, why, and what they were.
    """

    assessment: Assessment
    candidates: tuple[str, ...]
    cells: tuple[Cell, ...]
    compared: Compared | None = None
    amended: tuple[Amended, ...] = ()

    def of(self, candidate: str) -> tuple[Cell, ...]:
        """A candidate's cells in the order of the suite's tasks."""
        order = {task.id: number for number, task in enumerate(self.assessment.suite.tasks)}
        cells = [cell for cell in self.cells if cell.candidate == candidate and cell.task in order]
        return tuple(sorted(cells, key=lambda cell: order[cell.task]))

    def on(self, task: str) -> tuple[Cell, ...]:
        """The cells of one task, in the order of the candidates."""
        order = {name: number for number, name in enumerate(self.candidates)}
        return tuple(sorted((c for c in self.cells if c.task == task), key=lambda c: order[c.candidate]))


def cell_of(candidate: str, run: Run) -> Cell:
    """The cell that a run fills. A run without a score is open: our fault."""
    score, head = run.score, run.head
    cell = Cell(
        candidate=candidate,
        task=head.task,
        run_id=head.run_id,
        outcome="harness_error",
        submission_digest=head.submission_digest,
        task_digest=head.task_digest,
        stamp=head.stamp,
        isolation=head.profile.isolation,
        machine_id=head.machine.id,
        started_at=head.started_at,
        wall_seconds=run.wall_seconds,
        instances=_instances(run),
        reasons=("the run was not finished",),
    )
    if score is None:
        return cell
    objective, timing = score.objective, score.timing
    update = {
        "outcome": score.outcome,
        "points": score.points,
        "points_uncapped": score.points_uncapped,
        "points_low": score.points_low,
        "points_high": score.points_high,
        "points_each": score.points_each,
        "points_room": score.points_room,
        "tier": score.tier,
        "measure": objective.name,
        "unit": objective.unit,
        "direction": objective.direction,
        "value": objective.value,
        "low": objective.low,
        "high": objective.high,
        "ladder": run.ladder,
        "reasons": score.reasons,
        "certified": timing.certified if timing else None,
        "grade": timing.condition.grade if timing and timing.condition else None,
        "constraints": tuple(CellConstraint(**c.model_dump(include=_CONSTRAINT)) for c in score.constraints),
    }
    return cell.model_copy(update=update)


_CONSTRAINT = set(CellConstraint.model_fields)


def _instances(run: Run) -> tuple[str, ...]:
    pairs: Sequence[tuple[int, str]] = sorted({(t.number, t.instance_id) for t in run.trials})
    return tuple(name for _, name in pairs[: run.head.profile.trials])


def with_look(cell: Cell, look: Look | None) -> Cell:
    """The cell with a decision laid over it; as it is where there is none about its run of this submission."""
    if look is None or (look.run_id, look.submission_digest) != (cell.run_id, cell.submission_digest):
        return cell
    changed = changes(cell, cell.ladder, look)
    return cell.model_copy(update={**changed, "look": look}) if changed else cell


def not_attempted(candidate: str, task: str, reason: str = "") -> Cell:
    """The cell of a task for which nothing was handed in."""
    words = reason or "nothing was handed in for this task"
    return Cell(candidate=candidate, task=task, outcome="not_attempted", reasons=(words,))
