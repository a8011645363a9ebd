"""Grading by hand: the points' formula, three-way constraints, which outcome wins, several rounds."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.grading.comparison import (
    Comparison,
    Side,
    beyond,
    geometric_ratio,
    ratio,
    replicated,
    timed_ratio,
)
from harness.grading.comparison import side as graded
from harness.grading.criteria import Constraint, Criteria, Objective, Plausible
from harness.grading.grade import grade, ladder, merged, points
from harness.grading.verdicts import all_constraints, judge, objective_value
from harness.measures.estimates import Estimate
from harness.readings import PhaseTime
from harness.records import Assessed, Measurement, Outcome, Tier, Trial
from tests import intervals

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


def accuracies(own: float, baseline: float = 0.5, competent: float = 0.7, expert: float = 0.9) -> Comparison:
    tiers: dict[Tier, float] = {"baseline": baseline, "competent": competent, "expert": expert}
    return Comparison(
        candidate=side(measured("accuracy", own, own, own)),
        references={tier: side(measured("accuracy", v, v, v), tier=tier) for tier, v in tiers.items()},
    )


def limit(**settings_: Any) -> Constraint:
    return Constraint(**{"name": "size", "measure": "size", **settings_})


def judged(constraint: Constraint, own: Side, **references: Side) -> Any:
    return judge(constraint, [Comparison(candidate=own, references=cast(dict[Tier, Side], references))])


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
    assert (score.outcome, score.points, score.points_uncapped) == ("inconclusive", 0.0, None)
    assert "no better than the baseline" in score.reasons[0]


@pytest.mark.parametrize(
    ("own", "uncapped", "shown"),
    [(0.0, -125.0, -25.0), (0.6, 25.0, 25.0), (1.0, 125.0, 125.0), (1.04, 135.0, 125.0)],
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
    below = side(measured("size", -0.95))  # a margin is as wide on both sides of zero
    assert judged(limit(at_least=-1.0, margin=0.10), below).verdict == "inconclusive"
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


def with_draws(value: float, *draws: float) -> Measurement:
    return measured("size", value).model_copy(update={"draws": draws})


@pytest.mark.parametrize(
    ("own", "verdict"),
    [
        (with_draws(0.5, *[0.49] * 50, *[0.51] * 51), "pass"),  # differences of 0 and 0.02
        (
            with_draws(0.5, *[0.47] * 4, *[0.51] * 97),
            "inconclusive",
        ),  # -0.02 at the 2.5th percentile, 0.02 above
        (with_draws(0.47, *[0.47] * 101), "fail"),
        (measured("size", 0.5), "inconclusive"),  # without draws there is no interval
        (with_draws(0.5, 0.5), "inconclusive"),
    ],
)
def test_a_difference_with_an_interval_is_open_where_it_straddles_the_floor(
    own: Measurement, verdict: str
) -> None:
    floor = limit(compare="difference", reference="baseline", at_least=-0.01, interval=True)
    baseline = side(with_draws(0.49, *[0.49] * 101))
    assert judged(floor, side(own), baseline=baseline).verdict == verdict


def test_the_interval_of_a_difference_is_over_items_drawn_alike() -> None:
    floor = limit(compare="difference", reference="baseline", at_least=-0.01, interval=True)
    draws = [i / 100 for i in range(101)]  # either side's own interval is 0.95 wide; they differ by nothing
    found = judged(floor, side(with_draws(0.5, *draws)), baseline=side(with_draws(0.5, *draws)))
    assert (found.verdict, found.value, found.low, found.high) == ("pass", 0.0, 0.0, 0.0)
    assert judged(floor, side(with_draws(0.5, *draws)), expert=side(with_draws(0.5, *draws))).value is None


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


def test_readings_of_several_pairs_are_added_up() -> None:
    own, other = (replace(side(), readings={"ready": dict(enumerate(s))}) for s in ([2.0, 8.0], [1.0, 2.0]))
    found = ratio("ready_seconds", own, other, None)
    assert found is not None
    assert found.value == pytest.approx(10 / 3)
    assert ratio("ready_seconds", replace(own, readings={"ready": {0: 2.0}}), other, None) is None


def test_what_calls_take_beside_the_samples_counts_for_the_candidate_alone() -> None:
    """Else the machine's unrest, seen in a reference, would make room for work that was put off."""

    def timed(ready: float, beside: float) -> Side:
        readings = {"ready": {0: ready, 1: ready}, "beside": {0: beside, 1: 0.0}}
        assessed = measured("ready_seconds", ready), measured("beside_seconds", beside / 2)
        one = side(*assessed)
        return replace(one, readings=readings)

    both = ratio("ready_seconds", timed(2.0, 8.0), timed(1.0, 6.0), None)
    assert both is not None
    assert both.value == (2.0 + 2.0 + 8.0 - 0.5) / 2.0  # half a second may be the machine's unrest
    once = ratio(
        "ready_seconds", replace(timed(2.0, 8.0), readings={}), replace(timed(1.0, 6.0), readings={}), None
    )
    assert once is not None
    assert once.value == (2.0 + 8.0 / 2 - 0.5) / 1.0
    quiet = ratio("ready_seconds", timed(2.0, 0.5), timed(1.0, 6.0), None)
    assert quiet is not None
    assert quiet.value == 2.0


@pytest.mark.parametrize(
    ("own", "workers", "started"), [(9.5, 1, 7.0), (2.5, 1, 0.0), (2.0, 1, 0.0), (9.5, 2, 0.0)]
)
def test_a_long_start_is_time_of_the_calls_after_it(own: float, workers: int, started: float) -> None:
    """Else a budget for training would not hold what is trained in a constructor."""

    def timed(start: float) -> Side:
        starts = [PhaseTime(item="start learn", group="start", seconds=start, pair=n) for n in range(workers)]
        phases = [
            PhaseTime(item="shim learn", group="shim", seconds=0.1),
            *starts,
            PhaseTime(item="a", group="train", seconds=1.0),
            PhaseTime(item="b", group="save", seconds=1.0),
            PhaseTime(item="start use", group="start", seconds=start),
            PhaseTime(item="c", group="load", seconds=1.0),
        ]
        trial = Trial(
            number=0,
            role="candidate",
            label="x",
            tier=None,
            submission_digest="",
            instance_id="",
            outcome="ok",
            phases=tuple(phases),
        )
        seconds = [measured(f"{group}_seconds", 1.0, unit="s") for group in ("train", "save", "load")]
        return graded(trial, side(*seconds).assessed)

    r = Comparison(candidate=timed(own), references={"expert": timed(0.5)})
    for measure, more in (("train", started), ("save", 0.0), ("load", max(0.0, own - 2.5))):
        within = limit(measure=f"{measure}_seconds", compare="ratio", reference="expert", at_most=2.0)
        found = judge(within, [r])
        assert found.value == pytest.approx(1.0 + more)
        assert found.verdict == ("fail" if more else "pass")
        assert found.words.endswith(f"({more:.3g} s of its start counted)") == bool(more)


def test_a_task_implies_budgets_for_the_groups_that_both_sides_have() -> None:
    def timed(*groups: str) -> Side:
        return side(*(measured(f"{group}_seconds", 1.0, unit="s") for group in groups))

    criteria = Criteria(
        objective=PLAIN,
        constraints=(limit(measure="work_seconds", compare="ratio", reference="baseline", at_most=1.0),),
    )

    def implied(own: tuple[str, ...], other: tuple[str, ...]) -> list[str]:
        r = Comparison(candidate=timed(*own), references={"baseline": timed(*other)})
        return [c.measure for c in all_constraints(criteria, [r])[1:]]

    every = ("work", "shim", "start", "first_answer", "beside", "load")
    assert implied(every, every) == ["beside_seconds", "load_seconds", "start_seconds"]
    # what calls took beside the samples is part of the time to be ready
    assert implied((*every, "ready"), (*every, "ready")) == ["load_seconds", "ready_seconds", "start_seconds"]
    assert implied(every, ("work", "start")) == ["start_seconds"]  # what the other has not cannot be compared
    r = Comparison(candidate=timed("start"), references={"baseline": timed("start")})
    (found,) = [judge(c, [r]) for c in all_constraints(criteria, [r])[1:]]
    words = "start-up time: 0.5 times the baseline's (which counts as 2 s at least); at most 5 allowed"
    assert (found.words, found.verdict) == (words, "pass")


def test_only_requests_that_both_answered_are_paired() -> None:
    own, other = side(answer=[2.0, 2.0, 9.0]), side(answer=[1.0, 1.0])
    assert ratio("answer_p50", own, other, None) == Estimate(2.0, 2.0 / 1.03, 2.0 * 1.03)


BESIDE_EXPERT = limit(compare="ratio", reference="expert", at_most=1e9)


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
    measured_alone = side(measured("size", 1.0))
    for of_another in (limit(compare="own_ratio", of="room", at_most=1e9), BESIDE_EXPERT):
        assert judged(of_another, measured_alone, expert=side()).verdict == "inconclusive"
    assert judged(BESIDE_EXPERT, measured_alone, baseline=measured_alone).verdict == "inconclusive"
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
    verdict = _verdict(constraint, intervals.unchecked(*parts))
    worst = parts[2] if at_most else parts[1]
    assert (verdict == "pass") == (worst <= 1.0 if at_most else worst >= 1.0)
    if math.isnan(worst):
        assert verdict != "pass"


def test_a_record_refuses_nan_before_grading_sees_it() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite"):
            measured("size", value)


STRANGE = Plausible(measure="accuracy", high=0.95, because="nobody can", impossible=True)
FAILS, OPEN = (limit(at_most=1.0, name="a", measure="big"), limit(at_most=1.0, name="b", measure="wide"))
EXTRAS = (measured("big", 2.0), measured("wide", 1.0, 0.5, 1.5))


@pytest.mark.parametrize(
    ("own", "constraints", "plausible", "outcome", "shown", "reasons"),
    [
        (
            0.99,
            (FAILS, OPEN),
            (STRANGE,),
            "implausible",
            0.0,
            ["the result is not believed and gives no points: accuracy is 0.99: nobody can"],
        ),
        (
            0.7,
            (FAILS, OPEN),
            (STRANGE,),
            "budget_exceeded",
            0.0,
            ["a: 2; at most 1 allowed; missed by 100% of the threshold"],
        ),
        (
            0.7,
            (OPEN,),
            (STRANGE,),
            "inconclusive",
            50.0,
            [
                "b: 1, anywhere from 0.5 to 1.5; at most 1 allowed: too close to call",
                "the points are provisional: nothing is certified while a verdict is open",
            ],
        ),
        (
            0.7,
            (),
            (STRANGE,),
            "ok",
            50.0,
            ["every constraint passed; the objective reaches the tier 'competent'"],
        ),
    ],
)
def test_the_gravest_outcome_wins(
    own: float, constraints: Any, plausible: Any, outcome: str, shown: float, reasons: list[str]
) -> None:
    r = accuracies(own)
    candidate = side(measured("accuracy", own, own, own), *EXTRAS)
    criteria = Criteria(objective=PLAIN, constraints=constraints, plausible=plausible)
    score = grade(criteria, [Comparison(candidate=candidate, references=r.references)])
    assert (score.outcome, score.points) == (outcome, pytest.approx(shown))
    assert score.points_uncapped == pytest.approx(100 * (own - 0.5) / 0.4)
    assert (score.tier == "none") == (outcome in ("implausible", "budget_exceeded"))
    assert list(score.reasons) == reasons


def test_a_submission_that_failed_gives_no_points_whatever_else_holds() -> None:
    good = accuracies(0.9)
    bad = Comparison(
        candidate=side(outcome="timeout", reason="answer took longer"), references=good.references
    )
    score = grade(Criteria(objective=PLAIN, constraints=(FAILS,), plausible=(STRANGE,)), [good, bad])
    assert (score.outcome, score.points, score.points_uncapped, score.tier) == ("timeout", 0.0, None, "none")
    assert score.objective.value is None
    assert "the submission did not finish" in score.objective.absent_because
    assert score.reasons == ("timeout: answer took longer",)


def test_an_objective_that_was_not_measured_is_our_fault() -> None:
    r = accuracies(0.9)
    for unmeasured in (side(), side(measured("accuracy", None))):
        score = grade(
            Criteria(objective=PLAIN), [r, Comparison(candidate=unmeasured, references=r.references)]
        )
        assert (score.outcome, score.points) == ("harness_error", 0.0)
        assert "accuracy could not be measured" in score.reasons[0]
        assert score.objective.absent_because == "the harness did not finish: harness_error"


def test_a_missing_anchor_gives_no_points() -> None:
    r = accuracies(0.9)
    for missing in ("baseline", "expert"):
        left = {tier: s for tier, s in r.references.items() if tier != missing}
        score = grade(Criteria(objective=PLAIN), [Comparison(candidate=r.candidate, references=left)])
        assert (score.outcome, score.points, score.tier) == ("harness_error", 0.0, "none")


def _timed(one: float, batch: float) -> Side:
    return side(one=[one] * 5, batch=[batch] * 5)


def test_a_speed_up_is_the_geometric_mean_of_paired_ratios() -> None:
    references: dict[Tier, Side] = {"baseline": _timed(8.0, 8.0), "expert": _timed(2.0, 1.0)}
    own = _timed(4.0, 1.0)
    found = objective_value(SPEEDUP, own, references)
    assert found == Estimate(*[pytest.approx(4.0 * wide) for wide in (1, 1 / 1.03, 1.03)])  # 2 and 8
    score = grade(Criteria(objective=SPEEDUP), [Comparison(candidate=own, references=references)])
    # log 4 between log 1 and log sqrt(4 * 8)
    assert score.points == pytest.approx(100 * math.log(4) / math.log(math.sqrt(32)))
    assert objective_value(SPEEDUP, own, {"expert": own}) is None
    assert objective_value(SPEEDUP, side(one=[1.0]), references) is None
    slower = grade(
        Criteria(objective=SPEEDUP), [Comparison(candidate=_timed(16.0, 16.0), references=references)]
    )
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
    score = grade(Criteria(objective=PLAIN), [Comparison(candidate=own, references=r.references)])
    assert (score.points_low, score.points_high) == (pytest.approx(40.0), pytest.approx(70.0))


def test_a_single_reading_has_a_margin_and_a_count_has_none() -> None:
    memory = Objective(measure="held", direction="lower", scale="log")
    tiers: dict[Tier, float] = {"baseline": 800.0, "expert": 200.0}
    references = {tier: side(measured("held", v, unit="B"), tier=tier) for tier, v in tiers.items()}

    read = grade(
        Criteria(objective=memory),
        [Comparison(candidate=side(measured("held", 400.0, unit="B")), references=references)],
    )
    assert read.points_uncapped == pytest.approx(50)
    assert (read.objective.low, read.objective.high) == pytest.approx((380, 420))
    # 50 -/+ 100 * log(1.05) / log(4)
    assert read.points_low == pytest.approx(46.5, abs=0.1)
    assert read.points_high == pytest.approx(53.7, abs=0.1)

    counted = grade(
        Criteria(objective=memory),
        [Comparison(candidate=side(measured("held", 400.0, 400.0, 400.0)), references=references)],
    )
    assert counted.points_low == counted.points_high == pytest.approx(50)


def test_a_constraint_is_judged_over_all_rounds() -> None:
    constraint = limit(compare="ratio", reference="expert", at_most=2.0, margin=0.0)
    expert = side(measured("size", 1.0))

    def over(*values: float) -> Any:
        return judge(
            constraint,
            [Comparison(candidate=side(measured("size", v)), references={"expert": expert}) for v in values],
        )

    assert over(1.0, 4.0).value == pytest.approx(2.0)  # the mean of logs
    assert over(1.9, 1.91, 1.9).verdict == "pass"
    assert over(2.1, 2.11, 2.1).verdict == "fail"
    assert over(1.0, 2.0, 3.0).verdict == "inconclusive"
    missing = [
        Comparison(candidate=side(measured("size", 1.0)), references={"expert": expert}),
        Comparison(candidate=side(), references={"expert": expert}),
    ]
    assert judge(constraint, missing).verdict == "inconclusive"


def test_an_empty_answer_is_a_ratio_of_nothing_and_no_fault_of_ours() -> None:
    constraint = limit(compare="ratio", reference="expert", at_most=1.0)
    r = Comparison(
        candidate=side(measured("size", 0.0, 0.0, 0.0)),
        references={"expert": side(measured("size", 8.0, 8.0, 8.0))},
    )
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
        ({"at_most": 1, "interval": True}, "interval goes with difference"),
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


ONCE = 12.7062  # Student's t at 97.5 % with one degree of freedom, which two pairs leave


def decided(measure: str, own: Side, other: Side, **bound: float) -> str:
    """The verdict on a ratio to the expert; without a certificate its tolerance is 3 %."""
    return judged(
        limit(measure=measure, compare="ratio", reference="expert", **bound), own, expert=other
    ).verdict


def test_throughput_over_pairs_is_the_inverse_of_the_total_time_and_so_are_its_ends() -> None:
    # totals 4 against 2, and 4 * 1.02^2 against 2: the geometric mean is 2.04, each 2 % away from it
    own = in_pairs("answer", [1.0, 3.0], [2.0808, 2.0808])
    own = replace(own, assessed=side(measured("answer_throughput", 1.0)).assessed)
    other = in_pairs("answer", [1.0, 1.0], [0.5, 1.5])
    found = ratio("answer_throughput", own, other, None)
    assert found is not None
    wide = 1.02**ONCE
    assert (found.value, found.low, found.high) == pytest.approx(
        (1 / 2.04, 1 / 2.04 / wide, wide / 2.04), rel=1e-4
    )
    assert replicated("answer_throughput", own, other)
    # low .3811 and high .6305
    for at_least, verdict in ((0.39, "pass"), (0.40, "inconclusive"), (0.64, "inconclusive"), (0.65, "fail")):
        assert decided("answer_throughput", own, other, at_least=at_least) == verdict


def test_a_mean_counts_each_call_by_its_length_where_a_median_counts_half_of_them() -> None:
    # five of nine calls take nothing to speak of: half as long on average, 80 times as fast at the median
    own = in_pairs("answer", [0.0125] * 5 + [1.0] * 4, [0.0125] * 5 + [1.0] * 4)
    other = in_pairs("answer", [1.0] * 9, [1.0] * 9)
    assert ratio("answer_p50", own, other, None) == Estimate(*[pytest.approx(1 / 80)] * 3)
    mean = (5 * 0.0125 + 4) / 9
    assert ratio("answer_mean", own, other, None) == Estimate(*[pytest.approx(mean)] * 3)
    assert replicated("answer_mean", own, other)


def test_the_ends_of_a_mean_over_two_pairs_by_hand() -> None:
    # totals 4 against 2, and 4 * 1.02^2 against 2: the geometric mean is 2.04, each 2 % away from it
    own = in_pairs("answer", [1.0, 3.0], [2.0808, 2.0808])
    own = replace(own, assessed=side(measured("answer_mean", 2.0)).assessed)
    other = in_pairs("answer", [1.0, 1.0], [0.5, 1.5])
    found = ratio("answer_mean", own, other, None)
    assert found is not None
    wide = 1.02**ONCE
    assert (found.value, found.low, found.high) == pytest.approx((2.04, 2.04 / wide, 2.04 * wide), rel=1e-4)
    for at_most, verdict in ((2.55, "pass"), (2.54, "inconclusive"), (1.54, "inconclusive"), (1.53, "fail")):
        assert decided("answer_mean", own, other, at_most=at_most) == verdict


def test_a_tail_over_pairs_by_hand() -> None:
    # one pair at 1 and one at 2: both of a draw are the first in a quarter of the draws, else the tail is 2
    own = in_pairs("answer", [1.0] * 10, [2.0] * 10)
    own = replace(own, assessed=side(measured("answer_p95", 99.0)).assessed)
    other = in_pairs("answer", [1.0] * 10, [1.0] * 10)
    assert ratio("answer_p95", own, other, None) == Estimate(2.0, 1.0, 2.0)
    narrower = ratio("answer_p95", own, other, None, alpha=0.6)  # from 30 % to 70 % of the draws
    assert narrower == Estimate(2.0, 2.0, 2.0)
    assert replicated("answer_p95", own, other)
    for at_most, verdict in ((1.95, "pass"), (1.94, "inconclusive"), (0.97, "fail")):
        assert decided("answer_p95", own, other, at_most=at_most) == verdict


def test_each_tail_is_of_its_own_quantile() -> None:
    # 3 calls of 100 take five times as long: beyond the 95th percentile, within the 99th
    own, other = in_pairs("answer", [1.0] * 97 + [5.0] * 3), in_pairs("answer", [1.0] * 100)
    for kind, value in (("p50", 1.0), ("p95", 1.0), ("p99", 5.0)):
        found = ratio(f"answer_{kind}", own, other, None)
        assert found is not None
        assert found.value == value, kind


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(["p50", "mean", "throughput"]),
    pairs=st.lists(
        st.lists(st.tuples(st.floats(0.001, 10), st.floats(0.001, 10)), min_size=2, max_size=6),
        min_size=2,
        max_size=4,
    ),
)
def test_the_ends_of_a_ratio_of_times_stand_in_order(kind: str, pairs: Any) -> None:
    found = timed_ratio(kind, [np.array(pair) for pair in pairs], 0.05)
    assert found.low <= found.value * (1 + 1e-9)
    assert found.value <= found.high * (1 + 1e-9)


def both(one: tuple[list[float], ...], batch: tuple[list[float], ...]) -> Side:
    """A side with two groups of timed requests, each over its own process pairs."""
    first, second = in_pairs("one", *one), in_pairs("batch", *batch)
    renamed = {item + "b": s for item, s in second.times["batch"].items()}
    pair_of = {**first.pair_of, **{item + "b": n for item, n in second.pair_of.items()}}
    return replace(first, times={**first.times, "batch": renamed}, pair_of=pair_of)


def test_several_ratios_over_two_pairs_have_one_value_in_each_pair() -> None:
    # one group slower and the other faster in the second pair: sqrt(2 * 8.8) and sqrt(2.2 * 8) are the same
    top = both(([2.0] * 4, [2.2] * 4), ([8.8] * 4, [8.0] * 4))
    bottom = both(([1.0] * 4, [1.0] * 4), ([1.0] * 4, [1.0] * 4))
    found = geometric_ratio(["one_p50", "batch_p50"], top, bottom)
    assert found == Estimate(*[pytest.approx(math.sqrt(17.6))] * 3)
    assert (
        geometric_ratio(["one_mean", "batch_mean"], top, bottom) == found
    )  # all calls of a pair take as long
    # of throughputs each ratio has its own interval, and they do not cancel
    apart = geometric_ratio(["one_throughput", "batch_throughput"], top, bottom)
    assert apart is not None
    half = ONCE * math.log(1.1) / 2
    middle = 1 / math.sqrt(17.6)
    assert (apart.value, apart.low, apart.high) == pytest.approx(
        (middle, middle * math.exp(-half), middle * math.exp(half)), rel=1e-4
    )
    mixed = geometric_ratio(["one_p50", "batch_throughput"], top, bottom)
    assert mixed is not None
    assert mixed.value == pytest.approx((2.0 * 2.2 / 8.8 / 8.0) ** 0.25)
    # each by its own pairs where they are not the same number
    uneven = geometric_ratio(["one_p50", "batch_p50"], top, both(([1.0] * 4, [1.0] * 4), ([1.0] * 4,)))
    assert uneven is not None
    assert uneven.value == pytest.approx(math.sqrt(math.sqrt(2.0 * 2.2) * 8.8))


def test_a_smaller_error_reaches_the_interval_of_several_ratios() -> None:
    top = both(([2.0] * 4, [2.2] * 4), ([8.0] * 4, [8.0] * 4))
    bottom = both(([1.0] * 4, [1.0] * 4), ([1.0] * 4, [1.0] * 4))
    wide, narrow = (geometric_ratio(["one_p50", "batch_p50"], top, bottom, alpha) for alpha in (0.05, 0.5))
    assert wide is not None
    assert narrow is not None
    # t at 75 % with one degree of freedom is 1
    assert math.log(narrow.high / narrow.value) == pytest.approx(math.log(1.1) / 4)
    assert math.log(wide.high / wide.value) == pytest.approx(ONCE * math.log(1.1) / 4, rel=1e-4)


@pytest.mark.parametrize(
    ("seconds", "floor", "left"), [(1.0, 0.3, 0.7), (1.0, 0.99, 0.02), (1.0, 2.0, 0.02), (0.5, 0.5, 0.01)]
)
def test_a_call_that_is_all_floor_keeps_a_fiftieth_of_itself(
    seconds: float, floor: float, left: float
) -> None:
    assert beyond(seconds, floor) == pytest.approx(left)


def test_readings_are_added_up_only_where_two_pairs_have_both() -> None:
    def read(**seconds: float) -> Side:
        by_pair = {int(name[1:]): s for name, s in seconds.items()}
        return replace(side(measured("ready_seconds", 6.0)), readings={"ready": by_pair})

    two = ratio("ready_seconds", read(p0=2.0, p1=2.2), read(p0=1.0, p1=1.0), None)
    assert two is not None
    assert (two.value, two.low, two.high) == pytest.approx((2.1, 2.1 / 1.05, 2.1 * 1.05))
    assert ratio("ready_seconds", read(p0=2.0, p1=2.2), read(p0=1.0, p1=1.0), 0.3) == Estimate(
        2.1, 2.1 / 1.3, 2.1 * 1.3
    )
    # what is spent in one pair alone counts as if it were spread, and so does what the other side had to spend
    once = ratio("ready_seconds", read(p0=60.0, p1=0.0), read(p0=1.0, p1=0.0), None, least=2.0)
    assert once is not None
    assert once.value == 15.0
    # else the measurements themselves, which are 6 on both sides, within 5 %
    alone = Estimate(1.0, 1 / 1.05, 1.05)
    assert ratio("ready_seconds", read(p0=2.0, p1=2.0), read(p1=1.0, p2=1.0), None) == alone
    assert ratio("ready_seconds", read(p0=2.0, p1=2.0), read(p0=0.0, p1=0.0), None) == alone
    half = ratio("ready_seconds", read(p0=2.0, p2=2.0), read(p1=1.0, p2=1.0), None, least=12.0)
    assert half is not None
    assert half.value == 0.5


def test_a_ratio_of_a_count_and_a_reading_is_a_reading() -> None:
    count, read = side(measured("size", 2.0, 2.0, 2.0)), side(measured("size", 2.0))
    assert ratio("size", count, count, None) == Estimate.exact(1.0)
    # nor is a share at its upper or its lower end a count
    top, bottom = side(measured("size", 2.0, 1.9, 2.0)), side(measured("size", 2.0, 2.0, 2.1))
    for own, other in ((count, read), (read, count), (count, top), (bottom, count)):
        assert ratio("size", own, other, None) == Estimate(1.0, 1 / 1.05, 1.05)


def test_an_objective_below_zero_lies_within_its_own_interval() -> None:
    found = objective_value(PLAIN, side(measured("accuracy", -2.0)), {})
    assert found == Estimate(-2.0, -2.1, -1.9)
    # and each end that was measured is kept, beside one that was not
    for low, high, expected in (
        (-2.5, None, Estimate(-2.0, -2.5, -1.9)),
        (None, -1.5, Estimate(-2.0, -2.1, -1.5)),
    ):
        assert objective_value(PLAIN, side(measured("accuracy", -2.0, low, high)), {}) == expected


def drawn(value: float, draws: tuple[float, ...], tier: Tier | None = None) -> Side:
    found = measured("accuracy", value, value - 0.2, value + 0.2)
    return side(found.model_copy(update={"draws": draws}), tier=tier)


def test_points_are_resampled_together_with_their_anchors() -> None:
    # 25 points in the first draw, 50 in the second: percentiles 2.5 and 97.5 of the two lie between
    # in the third the expert is no better than the baseline, so that it gives none
    own, baseline = drawn(0.7, (0.6, 0.8, 0.9)), drawn(0.5, (0.5, 0.6, 0.9), "baseline")
    expert = drawn(0.9, (0.9, 1.0, 0.9), "expert")
    score = grade(
        Criteria(objective=PLAIN),
        [Comparison(candidate=own, references={"baseline": baseline, "expert": expert})],
    )
    assert (score.points_uncapped, score.points_low, score.points_high) == pytest.approx((50, 25.625, 49.375))
    # from the value's own interval, where one of the three has no draws, or others, or no draw gives points
    for sides in (
        (own, drawn(0.5, (0.9, 1.0, 0.9), "baseline"), expert),
        (drawn(0.7, ()), drawn(0.5, (), "baseline"), drawn(0.9, (), "expert")),
        (own, drawn(0.5, (0.5,), "baseline"), expert),
        (own, baseline, drawn(0.9, (), "expert")),
    ):
        r = Comparison(candidate=sides[0], references={"baseline": sides[1], "expert": sides[2]})
        score = grade(Criteria(objective=PLAIN), [r])
        assert (score.points_low, score.points_high) == pytest.approx((0.0, 100.0))


def test_two_rounds_take_the_interval_of_points_from_the_mean_of_the_values() -> None:
    anchors: dict[Tier, Side] = {"baseline": drawn(0.5, (0.5, 0.6)), "expert": drawn(0.9, (0.9, 1.0))}
    r = Comparison(candidate=drawn(0.7, (0.6, 0.8)), references=anchors)
    score = grade(Criteria(objective=PLAIN), [r, r])
    half = math.sqrt(2 * 0.2**2) / 2 / 0.4 * 100
    assert (score.points_uncapped, score.points_low, score.points_high) == pytest.approx(
        (50, 50 - half, 50 + half)
    )


def test_measurements_of_two_instances_are_shown_as_their_mean() -> None:
    def of(value: float | None, other: float, samples: tuple[float, ...]) -> Assessed:
        size = measured("size", value).model_copy(update={"samples": samples})
        return side(size, measured("wide", other, other - 0.3, other + 0.4)).assessed

    size, wide = merged([of(1.0, 2.0, (1.0, 1.5)), of(3.0, 4.0, (3.0,))])
    assert (size.value, size.low, size.high) == (2.0, None, None)  # single readings, and no count
    assert size.samples == (1.0, 1.5, 3.0)
    assert (wide.value, wide.low, wide.high) == pytest.approx(
        (3.0, 3 - math.sqrt(2 * 0.3**2) / 2, 3 + math.sqrt(2 * 0.4**2) / 2)
    )
    # no mean where one of them has no value
    assert merged([of(3.0, 2.0, (3.0,)), of(None, 4.0, ())])[0].value == 3.0
    assert merged([of(None, 2.0, ()), of(3.0, 4.0, (3.0,))])[0].value is None
    only = of(1.0, 2.0, (1.0,))
    assert merged([only]) == only.measurements


def test_a_reference_that_is_missing_in_the_first_round_is_placed_by_the_others() -> None:
    first, second = accuracies(0.7), accuracies(0.4, baseline=0.2, competent=0.3, expert=0.4)
    without = Comparison(
        candidate=first.candidate, references={t: s for t, s in first.references.items() if t != "competent"}
    )
    rungs = {rung.tier: rung for rung in ladder(Criteria(objective=PLAIN), [without, second])}
    assert (rungs["competent"].objective, rungs["competent"].points) == pytest.approx((0.3, 50.0))
    assert rungs["expert"].points == pytest.approx(100.0)


@pytest.mark.parametrize(("low", "high"), [(0.75, None), (None, 0.65)])
def test_each_bound_of_what_is_plausible_holds_alone(low: float | None, high: float | None) -> None:
    bound = Plausible(measure="accuracy", low=low, high=high, because="nobody can", impossible=True)
    assert grade(Criteria(objective=PLAIN, plausible=(bound,)), [accuracies(0.7)]).outcome == "implausible"
    # at the bound itself it is believed, and of what was not measured nothing is said
    at = Plausible(measure="accuracy", low=low and 0.7, high=high and 0.7, because="nobody can")
    absent = Plausible(measure="size", low=low, high=high, because="nobody can")
    assert grade(Criteria(objective=PLAIN, plausible=(at, absent)), [accuracies(0.7)]).outcome == "ok"


def test_a_result_names_what_it_was_held_against() -> None:
    own = side(measured("size", 4.0), measured("room", 8.0))
    beside = judged(limit(compare="ratio", reference="expert", at_most=1.0), own, expert=own)
    of_itself = judged(limit(compare="own_ratio", of="room", at_most=1.0), own)
    assert (beside.reference, of_itself.reference) == ("expert", "room")
    assert judged(limit(at_most=5.0), own).reference == ""


@pytest.mark.parametrize(
    ("high", "at_most", "low", "at_least"),
    [(1e9, "pass", 1e9, "pass"), (1e9 + 1, "inconclusive", 1e9 - 1, "inconclusive")],
)
def test_a_budget_of_bytes_may_be_used_to_the_last(
    high: float, at_most: str, low: float, at_least: str
) -> None:
    assert judged(limit(at_most=1e9), side(measured("size", 1e9, 1e9, high))).verdict == at_most
    assert judged(limit(at_least=1e9), side(measured("size", 1e9, low, 1e9))).verdict == at_least


def test_a_speed_up_is_against_the_tier_that_it_names() -> None:
    over_expert = SPEEDUP.model_copy(update={"reference": "expert"})
    references: dict[Tier, Side] = {"baseline": _timed(8.0, 8.0), "expert": _timed(2.0, 2.0)}
    found = objective_value(over_expert, _timed(1.0, 1.0), references)
    assert found is not None
    assert found.value == pytest.approx(2.0)


def test_the_kind_of_a_measure_decides_what_its_ratio_is_of() -> None:
    # a size whose first word is also a group of timed requests, or of phases, is neither of these times
    def of(size: float, seconds: float) -> Side:
        counted = side(*(measured(f"{name}_bytes", size, size, size) for name in ("answer", "build")))
        return replace(
            counted, times={"answer": {"q": seconds}}, readings={"build": {0: seconds, 1: seconds}}
        )

    for name in ("answer_bytes", "build_bytes"):
        assert ratio(name, of(6.0, 1.0), of(3.0, 5.0), None) == Estimate.exact(2.0)


def test_a_ratio_needs_a_value_on_both_sides_and_something_to_divide_by() -> None:
    present, zero = side(measured("size", 2.0)), side(measured("size", 0.0))
    for absent in (side(), side(measured("size", None))):
        assert ratio("size", absent, present, None) is None
        assert ratio("size", present, absent, None) is None
    assert ratio("size", present, zero, None) is None
    assert ratio("size", zero, present, None) == Estimate.exact(0.0)


def test_times_are_over_pairs_only_where_both_sides_have_some() -> None:
    timed = in_pairs("answer", [1.0], [1.0])
    assert replicated("answer_p95", timed, timed)
    assert not replicated("answer_p95", timed, side())
    assert not replicated("answer_bytes", timed, timed)


def test_a_round_without_points_leaves_the_score_without_any() -> None:
    first = accuracies(0.7)
    without = Comparison(
        candidate=first.candidate, references={t: s for t, s in first.references.items() if t != "expert"}
    )
    score = grade(Criteria(objective=PLAIN), [first, without])
    assert (score.outcome, score.points_uncapped, score.points_each) == ("harness_error", None, ())


def test_a_reference_that_failed_has_a_place_without_a_value() -> None:
    r = accuracies(0.7)
    failed = side(tier="competent", outcome="timeout", reason="too slow")
    rungs = ladder(Criteria(objective=PLAIN), [replace(r, references={**r.references, "competent": failed})])
    assert [(rung.tier, rung.outcome, rung.objective) for rung in rungs] == [
        ("baseline", "ok", 0.5),
        ("competent", "timeout", None),
        ("expert", "ok", 0.9),
    ]
    assert rungs[1].points is None


def test_an_instance_that_was_added_decides_an_open_verdict_and_moves_no_points() -> None:
    """Equal code, equal instances, and one clock that was disturbed: 57 and 61 points before."""
    first, added = accuracies(0.62), accuracies(0.78)
    alone = grade(Criteria(objective=PLAIN), [first], counted=1)
    both = grade(Criteria(objective=PLAIN), [first, added], counted=1)
    of_points = (
        "points",
        "points_uncapped",
        "points_low",
        "points_high",
        "points_each",
        "points_room",
        "tier",
    )
    assert [getattr(both, name) for name in of_points] == [getattr(alone, name) for name in of_points]
    assert (both.objective, both.measurements) == (alone.objective, alone.measurements)
    assert grade(Criteria(objective=PLAIN), [first, added]).points != alone.points
    sized = Criteria(objective=PLAIN, constraints=(limit(compare="absolute", at_most=10.0),))

    def of_size(r: Comparison, value: float, low: float, high: float) -> Comparison:
        assessed = r.candidate.assessed
        found = (*assessed.measurements, measured("size", value, low, high))
        return replace(r, candidate=Side(assessed.model_copy(update={"measurements": found})))

    open_ = of_size(first, 10.5, 8.0, 13.0)
    assert grade(sized, [open_], counted=1).outcome == "inconclusive"
    decided = grade(sized, [open_, of_size(added, 5.0, 4.9, 5.1)], counted=1)
    assert (decided.outcome, decided.points) == ("ok", pytest.approx(alone.points))


def test_what_fails_on_an_added_instance_leaves_the_verdict_open_and_what_fails_on_a_counted_one_speaks() -> (
    None
):
    sized = Criteria(objective=PLAIN, constraints=(limit(compare="absolute", at_most=10.0),))
    r = accuracies(0.62)
    found = (*r.candidate.assessed.measurements, measured("size", 10.0, 8.0, 13.0))
    open_ = replace(r, candidate=Side(r.candidate.assessed.model_copy(update={"measurements": found})))
    crashed = replace(r, candidate=side(outcome="crashed", reason="ValueError: no"))
    score = grade(sized, [open_, crashed], counted=1)
    assert (score.outcome, score.points) == ("inconclusive", pytest.approx(30.0))
    assert "it ended there as crashed: ValueError: no" in score.reasons[-1]
    assert grade(sized, [open_, crashed], counted=2).outcome == "crashed"
    assert grade(sized, [crashed], counted=1).outcome == "crashed"
