"""The JSON object that `harness run --json` and `harness report --json` print, and its type.

The type's JSON Schema is published as `run-summary.schema.json` (see `schema.py`).
"""

from __future__ import annotations

from typing import Any, Literal

from harness.readings import Contents, Machine, Record
from harness.records import (
    ConstraintResult,
    Culprit,
    Direction,
    Measurement,
    Outcome,
    Reached,
    Role,
    Run,
    Score,
    Source,
    Stamp,
    Tier,
    Timing,
    Trial,
    Verdict,
)

NOT_SCORED = "The run was recorded but not scored."


class MeasurementSummary(Record):
    """A measured value with its 95 % interval; `value` is null if it was not measured."""

    name: str
    unit: str
    direction: Direction
    value: float | None
    low: float | None
    high: float | None
    measured_by: str
    absent_because: str


class ConstraintSummary(Record):
    """A constraint, the value that was judged, and the verdict."""

    name: str
    measure: str
    verdict: Verdict
    value: float | None
    low: float | None
    high: float | None
    threshold: float
    bound: Literal["at_most", "at_least"]
    unit: str
    reference: str
    words: str
    tolerance: float
    pairs: int
    open_by: Culprit
    void: bool
    guard: bool


class RungSummary(Record):
    """A reference's result in this run."""

    tier: Tier
    objective: float | None
    points: float | None
    outcome: Outcome
    reused_from: str


class TrialSummary(Record):
    """How one trial ended."""

    number: int
    role: Role
    label: str
    tier: Tier | None
    instance_id: str
    outcome: Outcome
    reason: str


class RunSummary(Record):
    """One run: what was assessed, how it ended, and what it scored.

    The points and their interval are null while a verdict is open on what was measured beyond its limit; `open_by`
    says whose doing it is that the outcome is inconclusive, "evaluator" where somebody is to look at it first.
    `contents` names the largest file and the longest literal of what was handed in.
    """

    schema_version: int
    harness_version: str
    run_id: str
    started_at: str
    task: str
    task_title: str
    task_version: str
    task_digest: str
    submission: str
    submission_digest: str
    profile: str
    size: str
    split: str
    device: str
    isolation: str
    stamp: Stamp
    seed_id: str
    outcome: Outcome
    open_by: Culprit
    points: float | None
    points_uncapped: float | None
    points_low: float | None
    points_high: float | None
    tier: Reached
    objective: MeasurementSummary | None
    constraints: tuple[ConstraintSummary, ...]
    measurements: tuple[MeasurementSummary, ...]
    ladder: tuple[RungSummary, ...]
    trials: tuple[TrialSummary, ...]
    machine: Machine
    sources: tuple[Source, ...]
    facts: dict[str, int | float | str]
    reasons: tuple[str, ...]
    timing: Timing | None
    contents: Contents | None
    wall_seconds: float


def summary(run: Run) -> RunSummary:
    """The run's summary; a run without a score has no points and says so in its reasons."""
    scored = _scored(run.score) if run.score else _unscored(run)
    own = {
        "ladder": [rung.model_dump() for rung in run.ladder],
        "trials": [_picked(trial, TrialSummary) for trial in run.trials],
        "wall_seconds": run.wall_seconds,
    }
    return RunSummary.model_validate({**_head(run), **scored, **own})


def _picked(record: Measurement | ConstraintResult | Trial, kind: type[Record]) -> dict[str, Any]:
    return {name: getattr(record, name) for name in kind.model_fields}


def _head(run: Run) -> dict[str, Any]:
    head, profile = run.head, run.head.profile
    same = (
        "schema_version",
        "harness_version",
        "run_id",
        "started_at",
        "task",
        "task_title",
        "task_version",
        "task_digest",
        "submission",
        "submission_digest",
        "stamp",
        "seed_id",
        "machine",
        "sources",
        "facts",
        "contents",
    )
    return {name: getattr(head, name) for name in same} | {
        "profile": profile.name,
        "size": profile.size,
        "split": profile.split,
        "device": profile.device,
        "isolation": profile.isolation,
    }


def _scored(score: Score) -> dict[str, Any]:
    same = ("outcome", "points", "points_uncapped", "points_low", "points_high", "tier", "reasons", "timing")
    hidden = (
        dict.fromkeys(("points", "points_uncapped", "points_low", "points_high")) if score.withheld else {}
    )
    return (
        {name: getattr(score, name) for name in same}
        | hidden
        | {
            "open_by": score.open_by,
            "objective": _picked(score.objective, MeasurementSummary),
            "constraints": [_picked(c, ConstraintSummary) for c in score.constraints],
            "measurements": [_picked(m, MeasurementSummary) for m in score.measurements],
        }
    )


def _unscored(run: Run) -> dict[str, Any]:
    faults: list[Outcome] = [t.outcome for t in run.trials if t.role == "candidate" and t.outcome != "ok"]
    nothing = dict.fromkeys(("points", "points_uncapped", "points_low", "points_high", "objective", "timing"))
    return nothing | {
        "outcome": faults[0] if faults else "inconclusive",
        "open_by": "" if faults else "machine",
        "tier": "none",
        "constraints": (),
        "measurements": (),
        "reasons": (NOT_SCORED,),
    }
