"""Grading by hand: the points' formula, three-way constraints, which outcome wins, several rounds."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.grading.comparison import Round, Side, ratio, replicated
from harness.grading.criteria import Constraint, Criteria, Objective, Plausible
from harness.grading.grade import grade, ladder, points
from harness.grading.verdicts import judge, objective_value
from harness.measures.estimates import Estimate
from harness.records import Assessed, Measurement, Outcome, Tier

PLAIN = Objective(measure="accuracy")
SPEEDUP = Objective(measure="speed-up", scale="log", ratio_of=("one_p50", "batch_p50"), reference="baseline")


def measured(
    name: str, value: float | None, low: float | None = None, high: float | None = None, unit: str = ""
) -> Measurement:
    return Measurement(name=name, unit=unit, direction="higher", value=value, low=low, high=high)


def side(
    *found: Measurement,
    tier: Tier | None = None,
    outcome: Outcome = "ok",
    reason: str = "",
    **times: list[float],
) -> Side:
    assessed = Assessed(
        number=0,
        role="reference" if tier else "candidate",
        label=tier or "me",
        tier=tier,
        outcome=outcome,
        reason=reason,
        measurements=found,
    )
    return Side(assessed, {g: {f"q{i}": s for i, s in enumerate(seconds)} for g, seconds in times.items()})


def accuracies(own: float, baseline: float = 0.5, competent: float = 0.7, expert: float = 0.9) -> Round:
    tiers: dict[Tier, float] = {"baseline": baseline, "competent": competent, "expert": expert}
    return Round(
        side(measured("accuracy", own, own, own)),
        {tier: side(measured("accuracy", v, v, v), tier=tier) for tier, v in tiers.items()},
    )


def limit(**settings_: Any) -> Constraint:
    return Constraint(**{"name": "size", "measure": "size", **settings_})


def judged(constraint: Constraint, own: Side, **references: Side) -> Any:
    return judge(constraint, [Round(own, references)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scale", "direction", "value", "baseline", "expert", "expected"),
    [
        ("identity", "higher", 0.6, 0.5, 0.9, 25.0),
        ("identity", "higher", 0.5, 0.5, 0.9, 0.0),
        ("identity", "higher", 0.9, 0.5, 0.9, 100.0),
        ("identity", "higher", 0.3, 0.5, 0.9, -50.0),
        # 8 s to 2 s is two halvings, 4 s one of them
        ("log", "lower", 4.0, 8.0, 2.0, 50.0),
        ("log", "lower", 1.0, 8.0, 2.0, 150.0),
        ("log", "higher", 10.0, 1.0, 100.0, 50.0),
        # odds 1, 9 and 99: logit(.5) = 0, logit(.9) = log 9, logit(.99) = log 99
        ("logit", "higher", 0.9, 0.5, 0.99, 100 * math.log(9) / math.log(99)),
        # beyond its domain the scale stays finite
        ("logit", "higher", 1.0, 0.5, 0.9, 100 * math.log((1 - 1e-6) / 1e-6) / math.log(9)),
        ("log", "lower", 0.0, 8.0, 2.0, 100 * (math.log(8) - math.log(1e-6)) / math.log(4)),
    ],
)
def test_points_by_hand(
    scale: Any, direction: Any, value: float, baseline: float, expert: float, expected: float
) -> None:
    objective = Objective(measure="x", scale=scale, direction=direction)
    assert points(objective, value, baseline, expert) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("direction", "baseline", "expert"),
    [("higher", 0.7, 0.7), ("higher", 0.9, 0.5), ("lower", 0.5, 0.9), ("lower", 0.7, 0.7)],
)
def test_an_expert_no_better_than_the_baseline_gives_no_points(
    direction: Any, baseline: float, expert: float
) -> None:
    # turned round, the formula would pay the worst submission best
    assert points(Objective(measure="x", direction=direction), 0.1, baseline, expert) is None
    score = grade(
        Criteria(objective=PLAIN), [accuracies(0.1, baseline=0.7, expert=0.7 if expert == 0.7 else 0.5)]
    )
    assert (score.outcome, score.points, score.points_uncapped) == ("harness_error", 0.0, None)
    assert "no better than the baseline" in score.reasons[0]


@pytest.mark.parametrize(
    ("own", "uncapped", "shown"),
    [(0.0, -125.0, -25.0), (0.6, 25.0, 25.0), (1.0, 125.0, 125.0), (1.4, 225.0, 125.0)],
)
def test_points_are_kept_uncapped_and_shown_clipped(own: float, uncapped: float, shown: float) -> None:
    score = grade(Criteria(objective=PLAIN), [accuracies(own)])
    assert score.points_uncapped == pytest.approx(uncapped)
    assert score.points == pytest.approx(shown)
    assert score.outcome == "ok"


@pytest.mark.parametrize(
    ("own", "tier"),
    [
        (0.40, "below baseline"),
        (0.479, "below baseline"),
        (0.481, "baseline"),
        (0.60, "baseline"),
        (0.679, "baseline"),
        (0.681, "competent"),
        (0.879, "competent"),
        (0.881, "expert"),
        (0.99, "expert"),
    ],
)
def test_the_tier_reached_has_a_tolerance_of_five_points(own: float, tier: str) -> None:
    # a point is .004 of accuracy, so a tier is reached from .020 below it
    assert grade(Criteria(objective=PLAIN), [accuracies(own)]).tier == tier


@pytest.mark.parametrize(
    ("low", "value", "high", "at_most", "at_least"),
    [
        (0.8, 0.9, 0.99, "pass", "fail"),
        (0.8, 0.9, 1.0, "pass", "inconclusive"),
        (1.0, 1.0, 1.0, "pass", "pass"),
        (0.9, 1.0, 1.1, "inconclusive", "inconclusive"),
        (1.0, 1.1, 1.2, "inconclusive", "pass"),
        (1.01, 1.1, 1.2, "fail", "pass"),
    ],
)
def test_a_constraint_has_three_answers(
    low: float, value: float, high: float, at_most: str, at_least: str
) -> None:
    own = side(measured("size", value, low, high))
    assert judged(limit(at_most=1.0), own).verdict == at_most
    assert judged(limit(at_least=1.0), own).verdict == at_least


def test_absolute_takes_a_margin_where_the_reading_has_no_interval() -> None:
    own = side(measured("size", 0.95))
    assert judged(limit(at_most=1.0), own).verdict == "pass"
    assert judged(limit(at_most=1.0, margin=0.10), own).verdict == "inconclusive"
    exact = side(measured("size", 0.95, 0.95, 0.95))
    assert judged(limit(at_most=1.0, margin=0.10), exact).verdict == "pass"


@pytest.mark.parametrize(
    ("own", "margin", "verdict"),
    [
        (97.0, None, "pass"),
        (99.0, None, "inconclusive"),
        (107.0, None, "inconclusive"),
        (109.0, None, "fail"),
        (97.0, 0.0, "pass"),
        (101.0, 0.0, "fail"),
        (109.0, 0.10, "inconclusive"),
    ],
)
def test_ratio_of_single_readings(own: float, margin: float | None, verdict: str) -> None:
    # a reading is good to 5 %, and a ratio of readings has a tolerance of 3 % on top; a count has neither
    constraint = limit(compare="ratio", reference="expert", at_most=1.0, margin=margin)
    found = judged(constraint, side(measured("size", own)), expert=side(measured("size", 100.0)))
    assert (found.verdict, found.unit) == (verdict, "x")
    assert found.value == pytest.approx(own / 100)


def test_ratio_of_counts_is_exact() -> None:
    constraint = limit(compare="ratio", reference="expert", at_most=1.0)
    own, expert = (side(measured("size", v, v, v, "B")) for v in (99.0, 100.0))
    assert judged(constraint, own, expert=expert).verdict == "pass"
    assert judged(constraint, expert, expert=own).verdict == "fail"


def test_difference_on_the_same_instance_is_exact() -> None:
    constraint = limit(compare="difference", reference="baseline", at_least=-0.01)
    reference = side(measured("size", 0.90, 0.8, 0.99))
    for own, verdict in ((0.90, "pass"), (0.891, "pass"), (0.889, "fail")):
        found = judged(constraint, side(measured("size", own, own - 0.1, own + 0.1)), baseline=reference)
        assert found.verdict == verdict
        assert found.value == pytest.approx(own - 0.90)


def test_own_ratio() -> None:
    constraint = limit(compare="own_ratio", of="room", at_most=0.5)
    assert judged(constraint, side(measured("size", 4.0), measured("room", 8.0))).verdict == "pass"
    assert judged(constraint, side(measured("size", 5.0), measured("room", 8.0))).verdict == "fail"
    assert judged(constraint, side(measured("size", 5.0), measured("room", 0.0))).verdict == "inconclusive"


def test_a_latency_ratio_is_paired_by_request() -> None:
    # the machine slows down tenfold on the way; every request still takes 1.2 times the reference's
    reference = [0.01 * (1 + 9 * i / 39) for i in range(40)]
    own = side(measured("answer_p50", 99.0), answer=[1.2 * s for s in reference])
    other = side(measured("answer_p50", 1.0), answer=reference)
    constraint = limit(measure="answer_p50", compare="ratio", reference="expert", at_most=1.25)
    found = judged(constraint, own, expert=other)
    # one pair of processes: its interval is widened by 3 % each way
    assert (found.verdict, found.value) == ("pass", pytest.approx(1.2))
    assert (found.low, found.high) == (pytest.approx(1.2 / 1.03), pytest.approx(1.2 * 1.03))
    for at_most, verdict in (
        (1.15, "inconclusive"),
        (1.12, "fail"),
    ):  # the tolerance makes them 1.18 and 1.15
        again = limit(**{**constraint.model_dump(), "at_most": at_most})
        assert judged(again, own, expert=other).verdict == verdict


def in_pairs(group: str, *pairs: list[float]) -> Side:
    """A side whose requests of `group` were served by several process pairs."""
    items = [(f"q{n}-{i}", n, s) for n, seconds in enumerate(pairs) for i, s in enumerate(seconds)]
    assessed = side(measured(f"{group}_p50", 1.0)).assessed
    return Side(assessed, {group: {item: s for item, _, s in items}}, {item: n for item, n, _ in items})


def test_over_process_pairs_the_interval_is_of_the_pairs_not_of_their_calls() -> None:
    own = in_pairs("answer", [1.0] * 50, [1.1] * 50, [1.21] * 50)
    other = in_pairs("answer", [1.0] * 50, [1.0] * 50, [1.0] * 50)
    found = ratio("answer_p50", own, other, None)
    assert found is not None
    # logs 0, l, 2l with l = log 1.1: standard error l / sqrt(3), t(.975, 2) = 4.3027
    half = 4.3027 * math.log(1.1) / math.sqrt(3)
    assert found.value == pytest.approx(1.1)
    assert (found.low, found.high) == (
        pytest.approx(1.1 * math.exp(-half), rel=1e-4),
        pytest.approx(1.1 * math.exp(half), rel=1e-4),
    )
    assert replicated("answer_p50", own, other)
    assert not replicated("peak_memory", own, other)


def test_a_reading_of_each_pair_is_replicated_over_pairs_too() -> None:
    own, other = (replace(side(), readings={"ready": dict(enumerate(s))}) for s in ([2.0, 8.0], [1.0, 2.0]))
    found = ratio("ready_seconds", own, other, None)
    assert found is not None
    assert found.value == pytest.approx(math.sqrt(8))
    assert ratio("ready_seconds", replace(own, readings={"ready": {0: 2.0}}), other, None) is None


def test_only_requests_that_both_answered_are_paired() -> None:
    own, other = side(answer=[2.0, 2.0, 9.0]), side(answer=[1.0, 1.0])
    assert ratio("answer_p50", own, other, None) == Estimate(2.0, 2.0 / 1.03, 2.0 * 1.03)


def test_not_measured_is_inconclusive_and_never_a_pass() -> None:
    nothing = side(measured("size", None))
    for own in (nothing, side()):
        for constraint, references in (
            (limit(at_most=1e9), {}),
            (limit(at_least=-1e9), {}),
            (
                limit(compare="ratio", reference="expert", at_most=1e9),
                {"expert": side(measured("size", 1.0))},
            ),
            (limit(compare="own_ratio", of="room", at_most=1e9), {}),
        ):
            found = judged(constraint, own, **references)
            assert (found.verdict, found.value) == ("inconclusive", None)
            assert "not measured" in found.words
    without = limit(compare="difference", reference="expert", at_most=1e9)
    assert judged(without, side(measured("size", 1.0))).verdict == "inconclusive"
    assert judged(without, side(measured("size", 1.0)), expert=nothing).verdict == "inconclusive"


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 2.0]), min_size=3, max_size=3),
    at_most=st.booleans(),
)
def test_nan_can_never_pass(parts: list[float], at_most: bool) -> None:
    from harness.grading.verdicts import _verdict

    constraint = limit(at_most=1.0) if at_most else limit(at_least=1.0)
    verdict = _verdict(constraint, Estimate(*parts))
    worst = parts[2] if at_most else parts[1]
    assert (verdict == "pass") == (worst <= 1.0 if at_most else worst >= 1.0)
    if math.isnan(worst):
        assert verdict != "pass"


def test_a_record_refuses_nan_before_grading_sees_it() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite"):
            measured("size", value)


STRANGE = Plausible(measure="accuracy", high=0.95, because="nobody can")
FAILS, OPEN = (limit(at_most=1.0, name="a", measure="big"), limit(at_most=1.0, name="b", measure="wide"))
EXTRAS = (measured("big", 2.0), measured("wide", 1.0, 0.5, 1.5))


@pytest.mark.parametrize(
    ("own", "constraints", "plausible", "outcome", "shown"),
    [
        (0.99, (FAILS, OPEN), (STRANGE,), "implausible", 0.0),
        (0.7, (FAILS, OPEN), (STRANGE,), "budget_exceeded", 0.0),
        (0.7, (OPEN,), (STRANGE,), "inconclusive", 50.0),
        (0.7, (), (STRANGE,), "ok", 50.0),
    ],
)
def test_the_gravest_outcome_wins(
    own: float, constraints: Any, plausible: Any, outcome: str, shown: float
) -> None:
    r = accuracies(own)
    candidate = side(measured("accuracy", own, own, own), *EXTRAS)
    criteria = Criteria(objective=PLAIN, constraints=constraints, plausible=plausible)
    score = grade(criteria, [Round(candidate, r.references)])
    assert (score.outcome, score.points) == (outcome, pytest.approx(shown))
    assert score.points_uncapped == pytest.approx(100 * (own - 0.5) / 0.4)
    assert (score.tier == "none") == (outcome in ("implausible", "budget_exceeded"))
    assert all(reason.strip() for reason in score.reasons)


def test_a_submission_that_failed_gives_no_points_whatever_else_holds() -> None:
    good = accuracies(0.9)
    bad = Round(side(outcome="timeout", reason="answer took longer"), good.references)
    score = grade(Criteria(objective=PLAIN, constraints=(FAILS,), plausible=(STRANGE,)), [good, bad])
    assert (score.outcome, score.points, score.points_uncapped, score.tier) == ("timeout", 0.0, None, "none")
    assert score.objective.value is None
    assert "the submission did not finish" in score.objective.absent_because
    assert score.reasons == ("timeout: answer took longer",)


def test_an_objective_that_was_not_measured_is_our_fault() -> None:
    r = accuracies(0.9)
    score = grade(Criteria(objective=PLAIN), [r, Round(side(), r.references)])
    assert (score.outcome, score.points) == ("harness_error", 0.0)
    assert "accuracy could not be measured" in score.reasons[0]


def test_a_missing_anchor_gives_no_points() -> None:
    r = accuracies(0.9)
    for missing in ("baseline", "expert"):
        left = {tier: s for tier, s in r.references.items() if tier != missing}
        score = grade(Criteria(objective=PLAIN), [Round(r.candidate, left)])
        assert (score.outcome, score.points, score.tier) == ("harness_error", 0.0, "none")


def _timed(one: float, batch: float) -> Side:
    return side(one=[one] * 5, batch=[batch] * 5)


def test_a_speed_up_is_the_geometric_mean_of_paired_ratios() -> None:
    references: dict[Tier, Side] = {"baseline": _timed(8.0, 8.0), "expert": _timed(2.0, 1.0)}
    own = _timed(4.0, 1.0)
    found = objective_value(SPEEDUP, own, references)
    assert found == Estimate(*[pytest.approx(4.0 * wide) for wide in (1, 1 / 1.03, 1.03)])  # 2 and 8
    score = grade(Criteria(objective=SPEEDUP), [Round(own, references)])
    # log 4 between log 1 and log sqrt(4 * 8)
    assert score.points == pytest.approx(100 * math.log(4) / math.log(math.sqrt(32)))
    assert objective_value(SPEEDUP, own, {"expert": own}) is None
    assert objective_value(SPEEDUP, side(one=[1.0]), references) is None
    slower = grade(Criteria(objective=SPEEDUP), [Round(_timed(16.0, 16.0), references)])
    assert slower.points == -25.0
    assert slower.points_uncapped == pytest.approx(-100 * math.log(2) / math.log(math.sqrt(32)))


def test_rounds_are_anchored_each_on_its_own_instance() -> None:
    # 50 points on an easy instance and 100 on a hard one, although the values differ the other way
    rounds = [accuracies(0.7), accuracies(0.4, baseline=0.2, competent=0.3, expert=0.4)]
    score = grade(Criteria(objective=PLAIN), rounds)
    assert score.points == pytest.approx(75.0)
    assert score.objective.value == pytest.approx(0.55)
    assert score.objective.samples == (0.7, 0.4)
    rungs = {rung.tier: rung for rung in ladder(Criteria(objective=PLAIN), rounds)}
    assert [rungs[t].points for t in ("baseline", "competent", "expert")] == pytest.approx([0.0, 50.0, 100.0])
    assert rungs["expert"].objective == pytest.approx(0.65)


def test_three_rounds_give_a_t_interval_of_points() -> None:
    score = grade(Criteria(objective=PLAIN), [accuracies(v) for v in (0.6, 0.7, 0.8)])
    half = 4.30265 * 25.0 / math.sqrt(3)
    found = (score.points_uncapped, score.points_low, score.points_high)
    assert found == pytest.approx((50.0, 50 - half, 50 + half), rel=1e-4)


def test_one_round_takes_its_interval_from_the_value() -> None:
    r = accuracies(0.7)
    own = side(measured("accuracy", 0.7, 0.66, 0.78))
    score = grade(Criteria(objective=PLAIN), [Round(own, r.references)])
    assert (score.points_low, score.points_high) == (pytest.approx(40.0), pytest.approx(70.0))


def test_a_single_reading_has_a_margin_and_a_count_has_none() -> None:
    memory = Objective(measure="held", direction="lower", scale="log")
    tiers: dict[Tier, float] = {"baseline": 800.0, "expert": 200.0}
    references = {tier: side(measured("held", v, unit="B"), tier=tier) for tier, v in tiers.items()}

    read = grade(Criteria(objective=memory), [Round(side(measured("held", 400.0, unit="B")), references)])
    assert read.points_uncapped == pytest.approx(50)
    assert (read.objective.low, read.objective.high) == pytest.approx((380, 420))
    # 50 -/+ 100 * log(1.05) / log(4)
    assert read.points_low == pytest.approx(46.5, abs=0.1)
    assert read.points_high == pytest.approx(53.7, abs=0.1)

    counted = grade(
        Criteria(objective=memory), [Round(side(measured("held", 400.0, 400.0, 400.0)), references)]
    )
    assert counted.points_low == counted.points_high == pytest.approx(50)


def test_a_constraint_is_judged_over_all_rounds() -> None:
    constraint = limit(compare="ratio", reference="expert", at_most=2.0, margin=0.0)
    expert = side(measured("size", 1.0))

    def over(*values: float) -> Any:
        return judge(constraint, [Round(side(measured("size", v)), {"expert": expert}) for v in values])

    assert over(1.0, 4.0).value == pytest.approx(2.0)  # the mean of logs
    assert over(1.9, 1.91, 1.9).verdict == "pass"
    assert over(2.1, 2.11, 2.1).verdict == "fail"
    assert over(1.0, 2.0, 3.0).verdict == "inconclusive"
    missing = [Round(side(measured("size", 1.0)), {"expert": expert}), Round(side(), {"expert": expert})]
    assert judge(constraint, missing).verdict == "inconclusive"


def test_an_empty_answer_is_a_ratio_of_nothing_and_no_fault_of_ours() -> None:
    constraint = limit(compare="ratio", reference="expert", at_most=1.0)
    r = Round(side(measured("size", 0.0, 0.0, 0.0)), {"expert": side(measured("size", 8.0, 8.0, 8.0))})
    for rounds in ([r], [r, r], [r, r, r]):
        assert judge(constraint, rounds).verdict == "pass"


def test_words_say_by_how_much_and_against_what() -> None:
    constraint = limit(compare="ratio", reference="expert", at_most=1.0, margin=0.0)
    found = judged(constraint, side(measured("size", 150.0)), expert=side(measured("size", 100.0)))
    assert found.words == "size: 1.5 times the expert's; at most 1 allowed; missed by 50% of the threshold"
    absolute = judged(limit(at_least=0.8), side(measured("size", 0.7, 0.6, 0.9)))
    assert absolute.words == "size: 0.7, anywhere from 0.6 to 0.9; at least 0.8 allowed: too close to call"


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({}, "exactly one of at_most and at_least"),
        ({"at_most": 1, "at_least": 0}, "exactly one of at_most and at_least"),
        ({"at_most": 1, "compare": "ratio"}, "reference goes with ratio and difference"),
        ({"at_most": 1, "reference": "expert"}, "reference goes with ratio and difference"),
        ({"at_most": 1, "compare": "own_ratio"}, "of goes with own_ratio"),
        ({"at_most": 1, "of": "room"}, "of goes with own_ratio"),
        ({"at_most": 1, "at_mots": 2}, "Extra inputs are not permitted"),
    ],
)
def test_a_constraint_that_contradicts_itself_is_refused(settings_: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        limit(**settings_)


def test_a_threshold_of_zero_is_a_threshold() -> None:
    assert limit(at_least=0.0).threshold == 0.0
    assert limit(at_most=0.0).bound == "at_most"
    assert judged(limit(at_least=0.0), side(measured("size", -0.1))).verdict == "fail"
