"""What `harness suite check --json` prints: what a suite covers, and how long scoring it takes here."""

from __future__ import annotations

from harness.readings import Record
from harness.sheets import TaskInSuite


class TaskSummary(TaskInSuite):
    """A task of a suite; `share` is of the whole weight, `scoring_minutes` the least, median and most so far here.

    `scoring_minutes` is None where no candidate was scored on this machine yet.
    """

    share: float
    scoring_minutes: tuple[float, float, float] | None


class SuiteSummary(Record):
    """A suite and its tasks, in its order."""

    suite: str
    digest: str
    tasks: tuple[TaskSummary, ...]
