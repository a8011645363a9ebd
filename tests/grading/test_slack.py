"""What a task's constraints leave its references, from scores: means of the tiers, and the worst of the others."""

from __future__ import annotations

import pytest

from harness.grading.criteria import Criteria, Objective
from harness.grading.grade import unscored
from harness.grading.slack import slack
from harness.records import ConstraintResult, Score

CRITERIA = Criteria(objective=Objective(measure="accuracy"))


def score(**used: float | None) -> Score:
    judged = tuple(
        ConstraintResult(
            name=name,
            measure=name,
            unit="x",
            verdict="pass",
            value=value,
            low=value,
            high=value,
            threshold=6.0,
            bound="at_least" if name == "throughput" else "at_most",
            reference="baseline",
        )
        for name, value in used.items()
    )
    return unscored(CRITERIA, "ok", "").model_copy(update={"constraints": judged})


def test_tiers_are_means_and_of_the_others_the_worst_is_kept() -> None:
    tiers = {"competent": [score(time=1.0), score(time=2.0)], "expert": [score(time=4.0), score(time=None)]}
    others = {"starter": [score(time=3.0)], "cheat a": [score(time=9.0)], "cheat b": [score()]}
    (line,) = slack(["time", "nobody was judged by it"], tiers, others)
    assert line.use == {"competent": 1.5, "expert": 4.0}
    assert (line.absurd, line.absurd_by, line.threshold, line.reference) == (9.0, "cheat a", 6.0, "baseline")
    assert line.room == pytest.approx(1.5)


def test_of_what_must_be_enough_the_worst_is_the_least() -> None:
    others = {
        "mutant slow": [score(throughput=2.0), score(throughput=0.5)],
        "starter": [score(throughput=1.0)],
    }
    (line,) = slack(["throughput"], {"expert": [score(throughput=6.6)]}, others)
    assert (line.absurd, line.absurd_by, line.bound) == (0.5, "mutant slow", "at_least")
    assert line.room == pytest.approx(1.1)


def test_where_nobody_else_was_judged_nothing_is_called_absurd() -> None:
    (line,) = slack(["time"], {"expert": [score(time=1.0)]}, {"cheat": [score()]})
    assert (line.absurd, line.absurd_by) == (None, "")
