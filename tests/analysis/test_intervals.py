"""Intervals that a receipt claims: what honest runs differ by is let pass, and what no run gave is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.analysis.agreement import Objective as Measured
from harness.analysis.agreement import Result
from harness.analysis.intervals import BY_TIMES, UNCERTIFIED, Trust, compare
from harness.grading.criteria import Constraint, Criteria, Objective
from harness.measures.stats import bootstrap_interval, t_interval
from harness.records import ConstraintResult

QUALITY = Criteria(objective=Objective(measure="accuracy"))
SPEED = Criteria(objective=Objective(measure="latency_p50", ratio_of=("latency_p50",), reference="baseline"))
HERE, ELSEWHERE, OTHER_VERSION = Trust(True, True), Trust(False, False), Trust(True, False)


def result(
    value: float = 0.8, half: float = 0.02, points: float = 50.0, room: float = 5.0, **more: Any
) -> Result:
    """A result by hand: its objective and its points, each with half the width of its interval."""
    unit = more.pop("unit", "")
    objective = Measured(
        name="accuracy", unit=unit, direction="higher", value=value, low=value - half, high=value + half
    )
    values: dict[str, Any] = {
        "outcome": "ok",
        "tier": "competent",
        "points": points,
        "points_uncapped": points,
        "points_low": points - room,
        "points_high": points + room,
        "objective": objective,
        "constraints": (),
    }
    return Result(**(values | more))


def states(
    claimed: Result, again: Result, criteria: Criteria = QUALITY, trust: Trust = HERE
) -> dict[str, str]:
    return {finding.name: finding.state for finding in compare(claimed, again, criteria, trust)}


@pytest.mark.parametrize(
    ("half", "trust", "state"),
    [
        (0.02, HERE, None),
        (0.03, HERE, None),
        (0.02 * (1 - 1e-9), HERE, None),
        (0.0161, HERE, None),
        (0.0159, HERE, "open"),
        (0.011, HERE, "open"),
        (0.009, HERE, "differs"),
        (0.0, HERE, "differs"),
        (0.011, ELSEWHERE, None),
        (0.0, ELSEWHERE, "open"),
        (0.0, OTHER_VERSION, "open"),
    ],
)
def test_the_same_quality_on_one_machine_has_the_same_interval(
    half: float, trust: Trust, state: str | None
) -> None:
    assert states(result(half=half), result(), trust=trust).get("interval") == state


@pytest.mark.parametrize(("half", "state"), [(0.02, None), (0.0067, None), (0.0066, "open"), (0.0, "open")])
def test_another_quality_has_about_the_same_interval(half: float, state: str | None) -> None:
    assert states(result(0.81, half), result()).get("interval") == state


def test_every_quantity_is_named_with_both_widths() -> None:
    c = ConstraintResult(
        name="recall", unit="", verdict="pass", value=0.9, low=0.88, high=0.92, threshold=0.5, bound="at_least",
        measure="recall",
    )  # fmt: skip
    bare = c.model_copy(update={"low": None, "high": None})
    claimed = result(half=0.0, room=0.5, constraints=(bare,))
    (one,) = compare(claimed, result(constraints=(c,)), QUALITY, HERE)
    assert one.state == "differs"
    assert one.words.split(": ")[0] == (
        "objective 0 wide in the receipt, 0.04 here; points 1 wide in the receipt, 10 here; "
        "constraint recall without an interval in the receipt, 0.04 here"
    )


def test_what_is_exact_here_is_no_matter() -> None:
    assert states(result(half=0.0, room=0.0), result(half=0.0, room=1e-14)) == {}
    none = result(points_uncapped=None, points_low=None, points_high=None)
    assert states(none, none) == {}


@pytest.mark.parametrize(("certified", "factor"), [(True, BY_TIMES), (False, UNCERTIFIED)])
def test_times_differ_by_more_and_without_a_certificate_by_far_more(certified: bool, factor: float) -> None:
    again = result(2.0, 0.2, unit="x", certified=certified)
    for half, state in ((0.2 / factor * 1.1, None), (0.2 / factor * 0.9, "open"), (0.0, "open")):
        claimed = result(2.0, half, unit="x", certified=certified)
        assert states(claimed, again, SPEED).get("interval") == state
    # A single reading has an interval in proportion, and a reading of nothing has none.
    assert states(result(0.02, 0.002, unit="x"), again, SPEED) == {}
    assert states(result(0.0, 0.0, unit="x"), again, SPEED) == {}


def test_what_is_absolute_is_not_compared_between_machines_nor_what_is_void() -> None:
    absolute = Criteria(
        objective=Objective(measure="accuracy"),
        constraints=(Constraint(name="time", measure="fit_seconds", compare="absolute", at_most=9.0),),
    )
    c = ConstraintResult(
        name="time", unit="s", verdict="pass", value=2.0, low=1.0, high=3.0, threshold=9.0, bound="at_most",
        measure="fit_seconds",
    )  # fmt: skip
    narrow = c.model_copy(update={"low": 2.0, "high": 2.0})
    pair = result(constraints=(narrow,)), result(constraints=(c,))
    assert states(*pair, absolute) == {"interval": "open"}
    assert states(*pair, absolute, ELSEWHERE) == {}
    void = result(constraints=(c.model_copy(update={"void": True, "verdict": "inconclusive"}),))
    assert states(pair[0], void, absolute) == {}


@pytest.mark.parametrize(
    ("again", "trust", "state"),
    [
        (result(certified=None), HERE, "differs"),
        (result(certified=None), ELSEWHERE, "open"),
        (result(certified=None, outcome="timeout"), HERE, "note"),
        (result(certified=False), HERE, "note"),
        (result(certified=True), HERE, None),
    ],
)
def test_certified_times_that_no_run_here_had(again: Result, trust: Trust, state: str | None) -> None:
    assert states(result(certified=True), again, trust=trust).get("certified") == state
    assert "certified" not in states(result(certified=None), again, trust=trust)
    assert "certified" not in states(result(certified=False), again, trust=trust)


def test_honest_widths_are_let_pass() -> None:
    """By the very functions that make them: pairs of runs of one submission, drawn from one distribution."""
    rng, opened = np.random.default_rng(5), {"times": 0, "items": 0}
    for _ in range(400):
        for kind, criteria, made in (
            ("times", SPEED, [rng.lognormal(0.0, 0.1, 5) for _ in range(2)]),
            ("items", QUALITY, [rng.binomial(1, 0.85, 120).astype(float) for _ in range(2)]),
        ):
            both = []
            for values in made:
                low, high = t_interval(values) if kind == "times" else bootstrap_interval(values)
                value = float(np.mean(values))
                objective = Measured(
                    name="a",
                    unit="x",
                    direction="higher",
                    value=value,
                    low=min(low, value),
                    high=max(high, value),
                )
                both.append(result(objective=objective, certified=kind == "times"))
            opened[kind] += "interval" in states(both[0], both[1], criteria)
    assert opened["times"] <= 1
    assert opened["items"] <= 1
