"""What `--json` prints: each summary holds the figures it was made from, under names that programs rely on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.readings import Condition, Counters
from harness.records import Measurement
from harness.reports.assessment.rescored import cell_summary
from harness.reports.assessment.suite import SuiteSummary, TaskSummary
from harness.reports.run.check import check_summary
from harness.reports.run.comparison import comparison_summary
from harness.reports.run.doctor import DoctorSummary
from harness.runs.doctor import Examined, Finding
from harness.sheets import Cell, TaskInSuite
from harness.trials.steadiness import Busy, Steadiness
from tests.fixtures import reports


def measured(name: str, value: float | None) -> Measurement:
    return Measurement(name=name, value=value, unit="", direction="higher")


def test_of_a_check_only_what_was_measured_is_listed_and_a_problem_fails_it() -> None:
    trial = reports.ok_run().trials[0].model_copy(update={"detail": "line 3"})
    values = (measured("accuracy", 0.5), measured("recall", None))
    assessed = reports.assessed(0, "candidate").model_copy(
        update={"outcome": "wrong", "measurements": values}
    )
    found = check_summary("toy", assessed, trial, ["p"], ["w", "v"]).model_dump(mode="json")
    assert found == {
        "task": "toy",
        "passed": False,
        "outcome": "wrong",
        "problems": ["p"],
        "warnings": ["w", "v"],
        "read": [],
        "measurements": {"accuracy": 0.5},
        "detail": "line 3",
    }
    assert check_summary("toy", assessed, trial, [], ["w"]).passed


def test_of_the_doctor_the_grade_lies_beside_the_ratios() -> None:
    finding = Finding("worker", "note", "slow")
    counters = Counters(seconds=2.0)
    steady = Steadiness(
        ratios=(1.0, 4.0),
        spread=0.5,
        seconds=0.25,
        requests=7,
        condition=Condition(grade="B", words=("warm",), counters=counters),
        throttled=None,
        busy=(Busy(3, "make", 0.5),),
    )
    found = DoctorSummary.model_validate(Examined((finding,), steady)).model_dump(mode="json")
    assert (found["ready"], found["findings"]) == (
        True,
        [{"name": "worker", "state": "note", "words": "slow"}],
    )
    expected = {
        "ratio": pytest.approx(2.0),
        "ratios": [1.0, 4.0],
        "spread": 0.5,
        "seconds": 0.25,
        "requests": 7,
        "throttled": None,
        "busy": [{"pid": 3, "name": "make", "share": 0.5}],
        "grade": "B",
        "words": ["warm"],
        "counters": counters.model_dump(mode="json"),
    }
    assert found["steadiness"] == expected
    bad = Examined((replace(finding, state="bad"),), None)
    found = DoctorSummary.model_validate(bad).model_dump(mode="json")
    assert (found["ready"], found["steadiness"]) == (False, None)


def test_of_compared_runs_one_other_machine_is_said() -> None:
    run = reports.ok_run()
    same = comparison_summary([run, run])
    assert (same.task, same.same_machine, len(same.runs)) == (run.head.task, True, 2)
    elsewhere = run.head.model_copy(update={"machine": run.head.machine.model_copy(update={"id": "other"})})
    assert not comparison_summary([run, run.model_copy(update={"head": elsewhere})]).same_machine


def test_of_a_cell_scored_again_only_another_cell_is_a_change() -> None:
    cell = Cell(candidate="ann", task="toy", outcome="ok", run_id="r", points=3.0)
    assert not cell_summary(cell, cell, "").changed
    assert not cell_summary(cell, None, "gone").changed
    changed = cell_summary(cell, cell.model_copy(update={"points": 4.0}), "")
    assert changed.changed
    assert (changed.candidate, changed.task, changed.run) == ("ann", "toy", "r")
    assert changed.after is not None
    assert (changed.before.points, changed.after.points) == (3.0, 4.0)


def test_of_a_suite_each_task_says_its_share() -> None:
    task = TaskInSuite(id="toy", weight=3.0, competencies=("mathematics",))
    row = TaskSummary(**task.model_dump(), share=0.75, scoring_minutes=(1.0, 2.0, 4.0))
    found = json.loads(SuiteSummary(suite="s", digest="d", tasks=(row,)).model_dump_json())
    assert (
        found["tasks"][0].items()
        >= {
            "id": "toy",
            "weight": 3.0,
            "competencies": ["mathematics"],
            "share": 0.75,
            "scoring_minutes": [1.0, 2.0, 4.0],
        }.items()
    )
