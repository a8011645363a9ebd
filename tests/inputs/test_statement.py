"""What a candidate is told besides a task's own statement is what the program does."""

from __future__ import annotations

from harness.grading.criteria import Plausible
from harness.inputs import tasks
from harness.inputs.statement import limits
from harness.inputs.tasks import Task
from tests.conftest import TOYS


def test_a_task_with_a_clock_tells_what_is_judged_besides() -> None:
    task = tasks.find("noisy-labels")
    words = limits(task.definition, task.criteria)
    assert "`train` 1800 s, `load` 120 s, `predict` 600 s; a start (imports and `__init__`) 180 s" in words
    assert "20 times what the slowest reference takes" in words
    assert "and 60 s in any case" in words
    (implied,) = task.criteria.implied(["start"])
    (other,) = task.criteria.implied(["lull"])
    assert f"against the {implied.reference}'s, which counts as {implied.least:g} s at least" in words
    assert f"a start may take {implied.at_most:g} times as long" in words
    assert f"the calls of any other kind {other.at_most:g} times" in words
    assert "time is free in this task" not in words


def test_limits_are_the_tasks_own() -> None:
    task = tasks.find("toy-squares", TOYS)
    kills = task.definition.limits.model_copy(
        update={"stage_factor": 7.0, "stage_floor": 9.0, "processes": 3}
    )
    words = limits(task.definition.model_copy(update={"limits": kills}), task.criteria)
    assert "7 times what the slowest reference" in words
    assert "`limit_factor` stretches the times of this line and the next, and no budget" in words
    assert "and 9 s in any case" in words
    assert "of memory and 3 processes" in words
    assert "may hold 256 KiB, all files together, and text files only (UTF-8)" in words
    assert "over 40 points above the expert's stays open until a person has looked" in words
    kills = kills.model_copy(update={"submission_kib": 900, "binary_files": True})
    words = limits(task.definition.model_copy(update={"limits": kills}), task.criteria)
    assert "may hold 900 KiB, all files together: code" in words


def test_a_tasks_own_bounds_of_what_counts_unseen_are_told() -> None:
    task = tasks.find("toy-squares", TOYS)
    near = Plausible(measure="accuracy", low=0.1, high=0.98, because="x")
    told = limits(task.definition, task.criteria.model_copy(update={"plausible": (near,)}))
    assert "expert's, or with `accuracy` below 0.1 or above 0.98 where the expert's is not stays open" in told
    assert "answer_throughput" not in limits(
        task.definition, task.criteria
    )  # that bound is impossible to pass


def test_a_task_without_a_clock_says_that_time_is_free() -> None:
    task: Task = tasks.find("optimizers")
    words = limits(task.definition, task.criteria)
    assert "Within these limits time is free in this task" in words
    assert "and 600 s in any case" in words
    assert "against the" not in words
