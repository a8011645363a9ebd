"""Whether two results agree, by hand: what the noise explains, what stays open, and each guard alone."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis import agreement
from harness.analysis.agreement import Result, compare, contradictions
from harness.grading.criteria import Criteria, Objective
from harness.records import ConstraintResult

ACCURACY = agreement.Objective(name="accuracy", unit="", direction="higher", value=0.8, low=0.78, high=0.82)
PLAIN = Criteria(objective=Objective(measure="accuracy"))


def held(outcome: str = "ok", **changes: Any) -> Result:
    """A result by hand: 50 points between 45 and 55."""
    values: dict[str, Any] = {
        "outcome": outcome,
        "tier": "competent",
        "points": 50.0,
        "points_uncapped": 50.0,
        "points_low": 45.0,
        "points_high": 55.0,
        "objective": ACCURACY,
        "constraints": (),
    }
    return Result(**(values | changes))


def states(a: Result, b: Result, criteria: Criteria = PLAIN, same_machine: bool = True) -> dict[str, str]:
    return {finding.name: finding.state for finding in compare(a, b, criteria, same_machine)}


@pytest.mark.parametrize(
    ("outcomes", "same", "other"),
    [
        (("ok", "timeout"), "differs", "open"),
        (("wrong", "timeout"), "differs", "open"),
        (("wrong", "out_of_memory"), "differs", "open"),
        (("timeout", "out_of_memory"), "differs", "open"),
        (("ok", "wrong"), "differs", "differs"),  # what no slower machine explains
        (("timeout", "timeout"), "same", "same"),
        (("ok", "budget_exceeded"), "open", "open"),  # every value agrees
    ],
)
def test_only_a_limit_of_the_machine_is_open_on_another(
    outcomes: tuple[str, str], same: str, other: str
) -> None:
    for first, second in (outcomes, outcomes[::-1]):
        assert states(held(first), held(second))["outcome"] == same
        assert states(held(first), held(second), same_machine=False)["outcome"] == other


def budget(measure: str, value: float, low: float, high: float, **changes: Any) -> Result:
    unit = "s" if measure.endswith("p50") else "B"
    limit = {"name": "b", "measure": measure, "unit": unit, "verdict": "pass", "threshold": 9.0}
    limit |= {"value": value, "low": low, "high": high, "bound": "at_most", "reference": "", "words": ""}
    return held(constraints=(ConstraintResult(**(limit | changes)),), certified=True)


@pytest.mark.parametrize(
    ("measure", "first", "second", "state"),
    [
        # a single reading shows no difference below a factor of two, and none for certain above
        ("peak_memory", (1.0, 1.0, 1.0), (1.9, 1.9, 1.9), "same"),
        ("peak_memory", (1.0, 1.0, 1.0), (2.1, 2.1, 2.1), "open"),
        ("answer_p50", (1.0, 1.0, 1.0), (1.9, 1.9, 1.9), "same"),
        # a count is exact, and what has an interval on either side is no single reading
        ("index_bytes", (1.0, 1.0, 1.0), (1.9, 1.9, 1.9), "differs"),
        ("peak_memory", (1.0, 0.9, 1.1), (1.9, 1.9, 1.9), "differs"),
        ("peak_memory", (1.0, 1.0, 1.0), (1.9, 1.8, 2.0), "differs"),
        ("answer_p50", (1.0, 0.9, 1.1), (1.9, 1.8, 2.0), "differs"),
    ],
)
def test_a_single_reading_of_a_clock_or_of_memory_never_shows_a_difference(
    measure: str, first: tuple[float, ...], second: tuple[float, ...], state: str
) -> None:
    for a, b in ((first, second), (second, first)):
        assert states(budget(measure, *a), budget(measure, *b))["constraint b"] == state


def test_a_tolerance_is_part_of_the_noise_and_an_open_verdict_of_the_matter() -> None:
    # .2 apart, half-widths of .05 on the sides that face each other: .07, and a tolerance of 20 % of 1.2
    near, far = (1.0, 0.95, 1.05), (1.2, 1.15, 1.25)
    assert states(budget("size_bytes", *near), budget("size_bytes", *far))["constraint b"] == "differs"
    for one, other in ((0.2, 0.0), (0.0, 0.2)):
        a, b = budget("size_bytes", *near, tolerance=one), budget("size_bytes", *far, tolerance=other)
        assert states(a, b)["constraint b"] == "same"
    undecided = budget("size_bytes", *near, verdict="inconclusive")
    assert states(budget("size_bytes", *near), undecided)["constraint b"] == "open"


@pytest.mark.parametrize(
    "changes", [{"threshold": 8.0}, {"bound": "at_least"}, {"reference": "expert"}, {"unit": "x"}]
)
def test_another_constraint_differs_whichever_part_is_another(changes: dict[str, Any]) -> None:
    a = budget("index_bytes", 1.0, 1.0, 1.0)
    assert states(a, budget("index_bytes", 1.0, 1.0, 1.0, **changes))["constraint b"] == "differs"
    assert states(a, budget("other_bytes", 1.0, 1.0, 1.0))["constraint b"] == "differs"


@pytest.mark.parametrize(("key", "value"), [("name", "recall"), ("unit", "s"), ("direction", "lower")])
def test_another_objective_differs_whichever_part_is_another(key: str, value: str) -> None:
    other = held(objective=ACCURACY.model_copy(update={key: value}))
    assert states(held(), other)["objective"] == "differs"


@pytest.mark.parametrize(
    ("certified", "state"),
    [((True, True), "differs"), ((True, False), "open"), ((False, True), "open"), ((None, True), "open")],
)
def test_an_objective_of_times_is_compared_where_both_runs_are_certified(
    certified: tuple[bool | None, bool], state: str
) -> None:
    speed = Criteria(objective=Objective(measure="accuracy", ratio_of=("answer_p50",), reference="baseline"))
    far = ACCURACY.model_copy(update={"value": 0.5, "low": 0.48, "high": 0.52})
    a, b = (
        held(certified=certified[0]),
        held(
            certified=certified[1],
            objective=far,
            points_uncapped=20.0,
            points_low=15.0,
            points_high=25.0,
            points=20.0,
        ),
    )
    found = states(a, b, speed, same_machine=False)
    assert (found["objective"], found["points"]) == (state, state)
    # of an accuracy no clock has to be certified
    assert states(a, b)["objective"] == states(a, b)["points"] == "differs"


def test_values_that_lie_outside_their_own_interval_contradict_themselves() -> None:
    assert contradictions(held()) == []
    for changes in (
        {"points_low": 51.0},
        {"points_high": 49.0},
        {"objective": ACCURACY.model_copy(update={"low": 0.81})},
        {"objective": ACCURACY.model_copy(update={"high": 0.79})},
        {"objective": ACCURACY.model_copy(update={"value": None})},
        {"points": 51.0},
        {"points_uncapped": 49.0, "points_low": None},
    ):
        assert contradictions(held(**changes)) != [], changes
    # points are held between -25 and 125, and none are given where it did not end well
    for uncapped, points in ((130.0, 125.0), (-40.0, -25.0)):
        ends = {"points_low": uncapped - 1, "points_high": uncapped + 1, "points_uncapped": uncapped}
        assert contradictions(held(points=points, **ends)) == []
        assert contradictions(held("budget_exceeded", points=0.0, **ends)) == []
        assert contradictions(held("budget_exceeded", points=points, **ends)) != []
