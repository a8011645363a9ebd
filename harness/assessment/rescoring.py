"""Every cell of an assessment scored again from raw records, the old kept beside the new; launches nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.errors import StoreError, UsageError
from harness.inputs.tasks import Task
from harness.looks import Look
from harness.readings import Record
from harness.records import OURS, Run
from harness.runs.rescore import Instances, rescored
from harness.sheets import Assessment, Cell, Suite, cell_of, with_look
from harness.store.ledger import Ledger
from harness.store.looks import Looks

# What a cell says of what was run, where and when, which no rescoring changes; the rest is the score's.
_WHAT_WAS_RUN = {
    "candidate",
    "task",
    "run_id",
    "submission_digest",
    "task_digest",
    "instances",
    "stamp",
    "isolation",
    "machine_id",
    "started_at",
    "wall_seconds",
}


class Change(Record):
    """A cell before and after, as what was decided about it leaves both.

    `after` is None where it could not be scored again, and `fault` says why.
    """

    before: Cell
    after: Cell | None = None
    fault: str = ""

    @property
    def changed(self) -> bool:
        """Whether the new cell differs in anything."""
        return self.after is not None and self.after != self.before


class Reassessed(Record):
    """An assessment after rescoring: each cell that was scored again, the old suite, and how many cells were left."""

    assessment: Assessment
    suite_before: Suite
    changes: tuple[Change, ...]
    left: int = 0


def reassess(
    ledger: Ledger,
    assessment: Assessment,
    find: Callable[[str, Path], Task],
    *,
    suite: Suite | None = None,
    by: str,
    why: str,
) -> Reassessed:
    """Scores every cell again under the thresholds that its task has now; keeps what changed.

    With `suite`, the assessment's suite takes over its weights and its cut. Cells without a run, and those that
    failed by the harness's own fault, are left: there is nothing to score. A second call changes nothing.
    """
    before = assessment.suite
    if suite is not None:
        amended = _amended(before, suite)
        if amended != before:
            assessment = ledger.amend(assessment.model_copy(update={"suite": amended}), by=by, why=why)
    changes: list[Change] = []
    left = 0
    instances: dict[str, Instances] = {}
    units = ledger.units(assessment.id)
    # One task after the other: of its prepared instances only those of one task are held at a time.
    for (_, task), kept in sorted(units.items(), key=lambda item: (item[0][1], item[0][0])):
        cell = kept.cell
        if not cell.run_id or cell.outcome in (*OURS, "not_attempted"):
            left += 1
            continue
        if task not in instances:
            instances = {task: {}}
        changes.append(_again(ledger, cell, find, instances[task]))
        if changes[-1].changed:
            after = changes[-1].after
            assert after is not None
            if ledger.keep(assessment.id, after, kept.unit, by=by, why=why, seen=kept) is not None:
                changes.pop()  # it was measured anew meanwhile, under the thresholds of now
                left += 1
    return Reassessed(
        assessment=assessment, suite_before=before, changes=_listed(ledger, assessment, changes), left=left
    )


def reweighted(suite: Suite, weights: Mapping[str, float]) -> Suite:
    """The suite with other weights for some of its tasks; raises UsageError for a task that it lacks."""
    unknown = sorted(set(weights) - {task.id for task in suite.tasks})
    if unknown:
        known = ", ".join(task.id for task in suite.tasks)
        raise UsageError(f"suite {suite.name} has no task {unknown[0]!r}; its tasks are {known}")
    tasks = tuple(
        task.model_copy(update={"weight": weights.get(task.id, task.weight)}) for task in suite.tasks
    )
    return suite.model_copy(update={"tasks": tasks})


def _amended(old: Suite, new: Suite) -> Suite:
    weights = {task.id: task.weight for task in new.tasks}
    known = {task.id for task in old.tasks}
    chosen = {name: weight for name, weight in weights.items() if name in known}
    return reweighted(old, chosen).model_copy(update={"cut": new.cut})


def _again(ledger: Ledger, cell: Cell, find: Callable[[str, Path], Task], instances: Instances) -> Change:
    try:
        old, new = rescored(cell.run_id, ledger.store, find, instances)
    except (UsageError, StoreError) as error:
        return Change(before=cell, fault=str(error))
    if _derived(new) != _derived(old):
        ledger.store.scored(new)
    kept = {name: getattr(cell, name) for name in _WHAT_WAS_RUN}
    return Change(before=cell, after=cell_of(cell.candidate, new).model_copy(update=kept))


def _decided(change: Change, look: Look | None) -> Change:
    after = None if change.after is None else with_look(change.after, look)
    return change.model_copy(update={"before": with_look(change.before, look), "after": after})


def _derived(run: Run) -> object:
    return run.score, run.ladder


def _listed(ledger: Ledger, assessment: Assessment, changes: Sequence[Change]) -> tuple[Change, ...]:
    """In the order of the table: by candidate as listed, then by task as in the suite."""
    looks = Looks(ledger.store).holding({change.before.run_id for change in changes})
    changes = [_decided(change, looks.get(change.before.run_id)) for change in changes]
    candidates = {name: number for number, name in enumerate(ledger.candidates(assessment.id))}
    tasks = {task.id: number for number, task in enumerate(assessment.suite.tasks)}
    last = len(candidates) + len(tasks)
    return tuple(
        sorted(
            changes,
            key=lambda c: (
                candidates.get(c.before.candidate, last),
                tasks.get(c.before.task, last),
                c.before.task,
            ),
        )
    )
