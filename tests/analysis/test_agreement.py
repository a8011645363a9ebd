"""Whether two results agree, by hand: what the noise explains, what stays open, and each guard alone."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis import agreement
from harness.analysis.agreement import Here, Result, compare, contradictions, hangs_on_sampling
from harness.grading.criteria import Constraint, Criteria, Objective
from harness.records import ConstraintResult, Measurement, Rung, Score, Timing

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


def budget(
    measure: str, value: float | None, low: float | None, high: float | None, **changes: Any
) -> Result:
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
        ("extra_memory", (1.0, 1.0, 1.0), (1.9, 1.9, 1.9), "same"),  # whatever a task calls its own
        ("answer_p50", (1.0, 1.0, 1.0), (1.9, 1.9, 1.9), "same"),
        ("answer_p50", (-1.0, -1.0, -1.0), (-1.9, -1.9, -1.9), "same"),  # a difference may be below 0
        ("answer_p50", (-1.0, -1.0, -1.0), (-2.1, -2.1, -2.1), "open"),
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
    # that of the run here counts; what a receipt states is its maker's choice
    for one, other, state in ((0.2, 0.0, "differs"), (0.0, 0.2, "same")):
        a, b = budget("size_bytes", *near, tolerance=one), budget("size_bytes", *far, tolerance=other)
        assert states(a, b)["constraint b"] == state
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
    for uncapped, points, tier in ((130.0, 125.0, "expert"), (-40.0, -25.0, "below baseline")):
        ends = {"points_low": uncapped - 1, "points_high": uncapped + 1, "points_uncapped": uncapped}
        assert contradictions(held(points=points, tier=tier, **ends)) == []
        assert contradictions(held("budget_exceeded", points=0.0, tier="none", **ends)) == []
        assert contradictions(held("budget_exceeded", points=points, tier="none", **ends)) != []
    # an open verdict keeps its points, and what was not measured has no interval to lie in
    assert contradictions(held("inconclusive")) == []
    assert contradictions(held(objective=UNMEASURED)) == []


def test_a_constraint_outside_its_interval_is_named() -> None:
    sound = budget("index_bytes", 2.0, 1.0, 3.0)
    assert contradictions(sound) == []
    for ends in ({"low": 2.5}, {"high": 1.5}):
        outside = (sound.constraints[0].model_copy(update=ends),)
        words = contradictions(sound.model_copy(update={"constraints": outside}))
        assert words == ["the value of constraint b lies outside its own interval"]


UNMEASURED = ACCURACY.model_copy(update={"value": None, "low": None, "high": None})
FAR = ACCURACY.model_copy(update={"value": 0.5, "low": 0.48, "high": 0.52})


def test_a_result_is_the_scores_own_and_only_a_timed_run_can_be_certified() -> None:
    measured = Measurement(name="accuracy", unit="", direction="higher", value=0.8, low=0.78, high=0.82)
    score = Score(
        outcome="ok",
        points=50.0,
        points_uncapped=50.0,
        points_low=45.0,
        points_high=55.0,
        tier="competent",
        objective=measured,
        constraints=(),
        measurements=(measured,),
        reasons=(),
    )
    assert agreement.result(score) == held()
    timing = Timing(pairs=8, floor_seconds=None, certified=True, certificate=None, condition=None)
    assert agreement.result(score.model_copy(update={"timing": timing})) == held(certified=True)


@pytest.mark.parametrize(
    ("lower", "upper", "extra", "differ"),
    [
        # .2 apart; the half-widths that face each other in quadrature: .212, .158 and .158
        ((1.0, 0.99, 1.15), (1.2, 1.05, 1.21), 0.0, False),
        ((1.0, 0.0, 1.15), (1.2, 1.15, 9.0), 0.0, True),
        ((1.0, 0.0, 1.05), (1.2, 1.05, 9.0), 0.0, True),
        # without an interval only what is allowed besides counts
        ((1.0, None, None), (1.2, None, None), 0.19, True),
        ((1.0, None, None), (1.2, None, None), 0.21, False),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0, False),
        ((None, None, None), (1.0, 1.0, 1.0), 0.0, None),
        ((None, None, None), (None, None, None), 0.0, None),
    ],
)
def test_values_are_apart_beyond_the_half_widths_that_face_each_other(
    lower: tuple[float | None, ...], upper: tuple[float | None, ...], extra: float, differ: bool | None
) -> None:
    assert agreement.apart(lower, upper, extra) is differ
    assert agreement.apart(upper, lower, extra) is differ


@pytest.mark.parametrize(
    ("claimed", "again", "wide"),
    [
        # what was measured here is 60, give or take 2: three times that is as wide as a receipt may be
        ((64.0, 58.0, 70.0), (60.0, 58.0, 62.0), False),
        ((69.0, 60.0, 78.0), (60.0, 58.0, 62.0), True),
        ((100.0, 0.0, 125.0), (60.0, 58.0, 62.0), True),
        ((100.0, 99.0, 101.0), (60.0, 58.0, 62.0), False),  # that differs
        ((61.0, 0.0, 125.0), (60.0, 58.0, 62.0), False),  # and that agrees without any interval
        ((100.0, 0.0, 125.0), (60.0, None, None), True),
        ((None, None, None), (60.0, 58.0, 62.0), False),
    ],
)
def test_a_receipt_that_agrees_by_its_own_interval_alone_is_open(
    claimed: agreement.Reading, again: agreement.Reading, wide: bool
) -> None:
    assert agreement.too_wide(claimed, again) == wide


def test_points_within_a_claimed_interval_alone_do_not_agree() -> None:
    again = held(points=60.0, points_uncapped=60.0, points_low=58.0, points_high=62.0)
    forged = held(points=100.0, points_uncapped=100.0, points_low=0.0, points_high=125.0)
    (found,) = [f for f in compare(forged, again, PLAIN, True) if f.name == "points"]
    assert found.state == "open"
    assert "within the receipt's own interval alone" in found.words


def test_points_agree_within_the_noise_of_both_and_are_said_uncapped_where_they_were_held() -> None:
    near = held(points=56.0, points_uncapped=56.0, points_low=51.0, points_high=61.0)
    speed = Criteria(objective=Objective(measure="accuracy", ratio_of=("answer_p50",), reference="baseline"))
    for a, b in ((held(), near), (near, held())):  # 6 apart, and sqrt(5^2 + 5^2) is 7.07
        assert states(a, b, speed)["points"] == "same"
    over = held(points=125.0, points_uncapped=130.0, points_low=129.0, points_high=131.0)
    words = {f.name: f.words for f in compare(over, over, PLAIN, True)}
    assert words["points"] == "125 in the receipt, 125 here (uncapped 130 and 130)"
    assert {f.words for f in compare(held(), held(), PLAIN, True) if f.name == "points"} == {
        "50 in the receipt, 50 here"
    }


def test_other_constraints_differ_unless_one_run_never_came_to_be_judged() -> None:
    judged = budget("index_bytes", 1.0, 1.0, 1.0)
    for a, b in ((judged, held()), (held(), judged)):
        assert states(a, b)["constraints"] == "differs"
    for a, b in ((judged, held("crashed")), (held("crashed"), judged)):
        assert states(a, b)["constraints"] == "note"


def test_a_receipt_of_before_a_task_implied_budgets_is_not_false_for_that() -> None:
    stated = Constraint(name="b", measure="answer_p50", compare="ratio", reference="expert", at_most=9.0)
    criteria = Criteria(objective=Objective(measure="accuracy"), constraints=(stated,))
    (implied,) = criteria.implied(["start"])
    before = budget("answer_p50", 1.0, 1.0, 1.0)
    (known,) = before.constraints

    def now(**changes: Any) -> Result:
        more = {
            "name": implied.name,
            "measure": implied.measure,
            "threshold": implied.threshold,
            "words": "so",
        }
        return before.model_copy(update={"constraints": (known, known.model_copy(update=more | changes))})

    found = states(before, now(), criteria)
    assert (found["constraints"], found["constraint b"]) == ("note", "same")
    assert f"constraint {implied.name}" not in found
    # but what nothing implies, or what the receipt has and the run has not, is another
    assert states(before, now(name="mine"), criteria)["constraints"] == "differs"
    assert states(now(), before, criteria)["constraints"] == "differs"
    # within its limit in both, how far within says nothing; beyond it in one, it does
    assert states(now(value=0.1), now(value=4.0), criteria)[f"constraint {implied.name}"] == "same"
    assert (
        states(now(), now(verdict="fail", value=90.0, low=90.0, high=90.0), criteria)[
            f"constraint {implied.name}"
        ]
        != "same"
    )


def test_what_is_absolute_is_not_compared_between_machines() -> None:
    limit = Constraint(name="b", measure="index_bytes", at_most=9.0)
    absolute = Criteria(objective=Objective(measure="accuracy"), constraints=(limit,))
    a, b = budget("index_bytes", 1.0, 1.0, 1.0), budget("index_bytes", 5.0, 5.0, 5.0)
    assert states(a, b, absolute)["constraint b"] == "differs"
    assert states(a, b, absolute, same_machine=False)["constraint b"] == "note"
    assert states(a, b, same_machine=False)["constraint b"] == "differs", "a ratio is"
    seconds, more = (held(objective=one.model_copy(update={"unit": "s"})) for one in (ACCURACY, FAR))
    assert states(seconds, more, same_machine=False)["objective"] == "note"


def test_absolute_memory_alone_is_not_compared_between_isolation_levels() -> None:
    """An honest receipt of memory-budget, made by a plain process and verified in a box, was 14 % apart."""
    box = Here(same_level=False)
    for name, state in (("training_memory", "note"), ("index_bytes", "differs")):
        a, b = (held(objective=one.model_copy(update={"name": name, "unit": "B"})) for one in (ACCURACY, FAR))
        found = {one.name: one for one in compare(a, b, PLAIN, True, box)}
        assert found["objective"].state == state
        assert ("another isolation level" in found["objective"].words) == (state == "note")
        assert found["points"].state == {one.name: one for one in compare(a, b, PLAIN, True)}["points"].state
    limit = Constraint(name="b", measure="training_memory", at_most=9.0)
    absolute = Criteria(objective=Objective(measure="accuracy"), constraints=(limit,))
    a, b = (
        held(constraints=tuple(c.model_copy(update={"unit": "B"}) for c in one.constraints))
        for one in (budget("training_memory", 1.0, 1.0, 1.1), budget("training_memory", 5.0, 4.9, 5.0))
    )
    assert {one.name: one.state for one in compare(a, b, absolute, True, box)}["constraint b"] == "note"
    assert {one.name: one.state for one in compare(a, b, absolute, True)}["constraint b"] == "differs"


@pytest.mark.parametrize(
    ("first", "second", "state"), [(None, None, "same"), (None, 0.8, "differs"), (0.8, None, "differs")]
)
def test_what_neither_run_measured_is_the_same_and_what_one_measured_is_not(
    first: float | None, second: float | None, state: str
) -> None:
    def measured(value: float | None) -> Result:
        limit = budget("index_bytes", value, value, value).constraints
        objective = ACCURACY.model_copy(update={"value": value, "low": value, "high": value})
        return held(
            constraints=limit, objective=objective, points_uncapped=value, points_low=value, points_high=value
        )

    read = states(measured(first), measured(second))
    assert (read["objective"], read["points"], read["constraint b"]) == (state, state, state)


def test_another_tier_or_outcome_is_open_where_every_value_agrees_and_differs_where_one_does() -> None:
    def read(other: Result) -> dict[str, tuple[str, str]]:
        return {f.name: (f.state, f.words) for f in compare(held(), other, PLAIN, True)}

    near, far = (held("budget_exceeded", tier="baseline", objective=o) for o in (ACCURACY, FAR))
    tier, outcome = "competent in the receipt, baseline here", "ok in the receipt, budget_exceeded here"
    noise = "; every value agrees within the noise"
    assert (read(near)["tier"], read(near)["outcome"]) == (("open", tier + noise), ("open", outcome + noise))
    assert (read(far)["tier"], read(far)["outcome"]) == (("differs", tier), ("differs", outcome))


def far(points: float = 65.0, accuracy: float = 0.81, **changes: Any) -> Result:
    """As `held`, with other points and another accuracy, all within the intervals of its own and of `held`."""
    objective = ACCURACY.model_copy(update={"value": accuracy})
    spans = {
        "points": points,
        "points_uncapped": points,
        "points_low": points - 15,
        "points_high": points + 15,
    }
    return held(objective=objective, **(spans | changes))


HELD = held(points_low=35.0, points_high=65.0)


def test_on_one_seed_the_sampling_of_items_is_no_noise_between_two_runs() -> None:
    found = {f.name: f for f in compare(far(), HELD, PLAIN, True)}
    assert {name: f.state for name, f in found.items()} == {
        "objective": "open",
        "points": "open",
        "tier": "same",
        "outcome": "same",
    }
    assert "on one seed all runs answer the same items" in found["points"].words
    # the same to the last digit agrees, whatever the intervals; so do true points of a false objective not
    assert set(states(HELD, HELD).values()) == {"same"}
    assert states(far(accuracy=0.8), HELD)["points"] == "open"
    assert states(far(points=50.0 + 1e-9, accuracy=0.8), HELD)["points"] == "same"
    assert states(far(), held(points=20.0, points_uncapped=20.0, points_low=15.0, points_high=25.0))[
        "points"
    ] == ("differs")


@pytest.mark.parametrize(
    ("second", "state"),
    [
        (HELD, "differs"),  # it repeats itself, and not the receipt
        (far(points=70.0, accuracy=0.82), "same"),  # it does not repeat itself, and the receipt lies between
        (far(points=51.0, accuracy=0.801), "open"),  # the receipt lies outside
    ],
)
def test_one_more_run_tells_a_draw_from_a_lie(second: Result, state: str) -> None:
    found = compare(far(), HELD, PLAIN, True, Here(second=second))
    named = {f.name: f.state for f in found}
    assert (named["objective"], named["points"]) == (state, state)


def test_one_more_run_is_asked_for_where_it_can_tell_something() -> None:
    speed = Criteria(objective=Objective(measure="accuracy", ratio_of=("answer_p50",), reference="baseline"))
    assert hangs_on_sampling(far(), HELD, PLAIN)
    assert hangs_on_sampling(far(accuracy=0.8), HELD, PLAIN)
    assert not hangs_on_sampling(HELD, HELD, PLAIN)
    assert not hangs_on_sampling(far(), HELD, speed)
    unmeasured = HELD.model_copy(
        update={"objective": ACCURACY.model_copy(update=dict.fromkeys(("value", "low", "high")))}
    )
    assert not hangs_on_sampling(HELD, unmeasured, PLAIN)
    beyond = held(
        objective=ACCURACY.model_copy(update={"value": 0.3, "low": 0.29, "high": 0.31}),
        points=-20.0,
        points_uncapped=-20.0,
        points_low=-25.0,
        points_high=-15.0,
    )
    assert not hangs_on_sampling(HELD, beyond, PLAIN)


def test_a_quality_that_is_a_constraint_is_compared_alike_and_a_reading_is_not() -> None:
    for measure, state in (("recall", "open"), ("peak_memory", "same"), ("answer_p50", "same")):
        a, b = budget(measure, 0.95, 0.9, 0.99), budget(measure, 0.94, 0.89, 0.98)
        a, b = (
            held(constraints=(r.constraints[0].model_copy(update={"unit": "x"}),), certified=True)
            for r in (a, b)
        )
        assert states(a, b)["constraint b"] == state
    gained, lost = (budget("recall", v, v - 0.05, v + 0.05) for v in (0.95, 0.94))
    gained, lost = (
        r.model_copy(update={"constraints": (r.constraints[0].model_copy(update={"unit": ""}),)})
        for r in (gained, lost)
    )
    named = {f.name: f.state for f in compare(gained, lost, PLAIN, True, Here(second=lost))}
    assert named["constraint b"] == "differs"


@pytest.mark.parametrize(("repeat", "state"), [(None, "same"), (11.0, "same"), (10.0, "open"), (2.0, "open")])
def test_times_over_instances_are_held_to_the_noise_of_the_pairs(repeat: float | None, state: str) -> None:
    speed = Criteria(objective=Objective(measure="accuracy", ratio_of=("answer_p50",), reference="baseline"))
    a, b = (
        far(certified=True),
        HELD.model_copy(update={"certified": True}),
    )  # 15 apart, by sqrt(2) of the half-width
    found = {f.name: f for f in compare(a, b, speed, True, Here(repeat=repeat))}
    assert found["points"].state == state
    assert ("over instances" in found["points"].words) == (state == "open")


@pytest.mark.parametrize(
    ("tier", "points", "outcome", "follows"),
    [
        ("expert", 95.0, "ok", True),
        ("expert", 94.9, "ok", False),
        ("competent", 94.9, "ok", True),
        ("competent", 95.1, "ok", False),
        ("baseline", -5.0, "ok", True),
        ("baseline", -5.1, "ok", False),
        ("below baseline", -5.1, "ok", True),
        ("below baseline", -4.9, "ok", False),
        ("none", 50.0, "ok", False),
        ("none", 0.0, "budget_exceeded", True),
        ("expert", 100.0, "budget_exceeded", False),
    ],
)
def test_a_tier_follows_from_the_receipts_own_points(
    tier: str, points: float, outcome: str, follows: bool
) -> None:
    claimed = held(
        outcome,
        tier=tier,
        points=points if outcome == "ok" else 0.0,
        points_uncapped=points,
        points_low=points - 5,
        points_high=points + 5,
    )
    assert (contradictions(claimed) == []) == follows


LADDER = tuple(
    Rung(tier=tier, objective=0.5, points=points)  # type: ignore[arg-type]
    for tier, points in (("baseline", 0.0), ("competent", 60.0), ("expert", 100.0))
)


def test_a_tier_is_derived_again_on_the_ladder_here() -> None:
    low = held(tier="baseline")
    for same_machine, state in ((True, "differs"), (False, "open")):
        found = compare(held(), low, PLAIN, same_machine, Here(ladder=LADDER))
        (tier,) = [f for f in found if f.name == "tier"]
        assert tier.state == state
        assert tier.words.endswith("by the receipt's own points it would be baseline on the ladder here")
    honest = compare(low, low, PLAIN, True, Here(ladder=LADDER))
    assert {f.state for f in honest} == {"same"}
    at = {"points": 55.0, "points_uncapped": 55.0, "points_low": 50.0, "points_high": 60.0}
    assert {f.state for f in compare(held(**at), held(**at), PLAIN, True, Here(ladder=LADDER))} == {"same"}
