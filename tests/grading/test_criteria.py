"""What a task is judged by: what contradicts itself, what is timed in one run, what the A/A certificate is of."""

from __future__ import annotations

from typing import Any

import pytest

from harness.grading.criteria import Constraint, Criteria, Objective, Plausible

PLAIN = Objective(measure="accuracy")
SPEEDUP = Objective(measure="speed-up", ratio_of=("one_throughput", "answer_p50"), reference="competent")


def budget(measure: str, compare: Any = "ratio", **settings: Any) -> Constraint:
    if compare in ("ratio", "difference"):
        settings = {"reference": "expert", **settings}
    return Constraint(name=measure, measure=measure, compare=compare, at_most=1.0, **settings)


@pytest.mark.parametrize("half", [{"ratio_of": ("answer_p50",)}, {"reference": "baseline"}])
def test_an_objective_is_a_ratio_of_measures_to_a_reference_or_neither(half: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="ratio_of and reference go together"):
        Objective(measure="speed-up", **half)


def test_criteria_do_not_change() -> None:
    for kept, name in (
        (PLAIN, "measure"),
        (budget("size"), "at_most"),
        (Criteria(objective=PLAIN), "objective"),
    ):
        with pytest.raises(ValueError, match="frozen"):
            setattr(kept, name, None)


@pytest.mark.parametrize(
    ("constraints", "objective", "tiers"),
    [
        ((), PLAIN, set()),
        ((budget("answer_p50"),), PLAIN, {"expert"}),
        # a difference of qualities, and what is compared with no reference, may be of another run
        ((budget("accuracy", "difference", reference="baseline"), budget("size")), PLAIN, {"expert"}),
        ((budget("x", "own_ratio", of="y"), budget("z", "absolute")), PLAIN, set()),
        ((budget("size"), budget("answer_p50", reference="competent")), PLAIN, {"expert", "competent"}),
        # a speed-up's points need both anchors' speed-ups
        ((), SPEEDUP, {"baseline", "competent", "expert"}),
        ((), SPEEDUP.model_copy(update={"reference": "baseline"}), {"baseline", "expert"}),
    ],
)
def test_what_must_be_timed_in_one_run(
    constraints: tuple[Constraint, ...], objective: Objective, tiers: set[str]
) -> None:
    assert Criteria(objective=objective, constraints=constraints).timed_against() == tiers


@pytest.mark.parametrize(
    ("criteria", "timed"),
    [
        (Criteria(objective=PLAIN), False),
        (Criteria(objective=PLAIN, constraints=(budget("peak_memory", "absolute"),)), False),
        (Criteria(objective=PLAIN, constraints=(budget("accuracy", "difference"),)), False),
        (Criteria(objective=PLAIN, constraints=(budget("peak_memory"),)), True),  # beside a reference
        (Criteria(objective=PLAIN, constraints=(budget("build_seconds", "absolute"),)), True),
        (Criteria(objective=Objective(measure="build_seconds")), True),
        (Criteria(objective=SPEEDUP), True),
        (Criteria(objective=PLAIN, plausible=(Plausible(measure="answer_p50", low=0.1, because="x"),)), True),
        (Criteria(objective=PLAIN, plausible=(Plausible(measure="accuracy", high=0.9, because="x"),)), False),
    ],
)
def test_whether_a_clock_decides_anything(criteria: Criteria, timed: bool) -> None:
    assert criteria.is_timed() is timed


@pytest.mark.parametrize(
    ("constraints", "objective", "measure", "anchor"),
    [
        ((), PLAIN, "", None),
        # neither memory, which is no time, nor a phase, which a pair reads once, nor what is compared with no reference
        ((budget("peak_memory"), budget("build_seconds"), budget("x_p50", "absolute")), PLAIN, "", None),
        ((budget("answer_p95", reference="competent"),), PLAIN, "answer_p95", "competent"),
        ((budget("a_p95"), budget("b_throughput", reference="baseline")), PLAIN, "a_p95", "expert"),
        ((budget("a_p95"), budget("b_p50", reference="baseline")), PLAIN, "b_p50", "baseline"),
        # the tier of that very measure, not of another ratio or of its absolute budget
        (
            (budget("a_p50", "absolute"), budget("size", reference="baseline"), budget("a_p50")),
            PLAIN,
            "a_p50",
            "expert",
        ),
        ((), SPEEDUP, "answer_p50", "competent"),
        ((budget("b_p50"),), SPEEDUP, "answer_p50", "competent"),
        (
            (),
            SPEEDUP.model_copy(update={"ratio_of": ("one_throughput", "a_p99")}),
            "one_throughput",
            "competent",
        ),
    ],
)
def test_the_certificate_is_of_a_median_where_there_is_one(
    constraints: tuple[Constraint, ...], objective: Objective, measure: str, anchor: str | None
) -> None:
    criteria = Criteria(objective=objective, constraints=constraints)
    assert (criteria.timed_measure(), criteria.anchor()) == (measure, anchor)


@pytest.mark.parametrize(
    ("bounds", "bound", "threshold"),
    [
        ({"at_most": 0.0}, "at_most", 0.0),
        ({"at_most": 2.0}, "at_most", 2.0),
        ({"at_least": 0.0}, "at_least", 0.0),
        ({"at_least": 0.8}, "at_least", 0.8),
    ],
)
def test_a_constraint_has_one_bound_and_zero_is_one(
    bounds: dict[str, float], bound: str, threshold: float
) -> None:
    limit = Constraint(name="x", measure="x", **bounds)
    assert (limit.bound, limit.threshold) == (bound, threshold)


def test_a_score_needs_all_three_tiers() -> None:
    assert Criteria(objective=PLAIN).needed() == {"baseline", "competent", "expert"}


def test_time_that_no_constraint_names_has_a_budget_where_the_task_judges_time() -> None:
    criteria = Criteria(objective=PLAIN, constraints=(budget("train_seconds"), budget("size")))
    assert criteria.clock() == "expert"
    found = {c.measure: c for c in criteria.implied(["start", "train", "small_test", "ready"])}
    assert set(found) == {"start_seconds", "small_test_seconds", "ready_seconds"}
    assert [c.name for c in found.values()] == ["start-up time", "time of small test", "time to be ready"]
    assert {c.measure: c.at_most for c in found.values()} == {
        "start_seconds": 5.0,
        "small_test_seconds": 20.0,
        "ready_seconds": 20.0,
    }
    assert {(c.compare, c.reference, c.least) for c in found.values()} == {("ratio", "expert", 2.0)}
    assert Criteria(objective=SPEEDUP).clock() == "competent"
    for without in ((budget("size"),), (budget("x_seconds", "absolute"),), ()):
        assert Criteria(objective=PLAIN, constraints=without).clock() is None
        assert Criteria(objective=PLAIN, constraints=without).implied(["start"]) == ()


def test_a_least_value_of_the_reference_goes_with_a_ratio() -> None:
    assert budget("train_seconds", least=2.0).least == 2.0
    with pytest.raises(ValueError, match="least goes with ratio"):
        budget("train_seconds", "absolute", least=2.0)
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        budget("train_seconds", least=-1.0)
