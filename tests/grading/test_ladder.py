"""Whether references stand apart: by hand, on the figures that misled an evaluator, and by simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest

from harness.grading.comparison import Comparison, Side
from harness.grading.criteria import LADDER, Constraint, Criteria, Objective, Plausible
from harness.grading.grade import grade
from harness.grading.ladder import WIDEST, instances_needed, ladder_on, standing, standing_over
from harness.ladders import LadderOn, Lead
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement, Tier
from tests.grading.test_grade import SPEEDUP, accuracies, measured, side

ACCURACY = Objective(measure="accuracy")
CRITERIA = Criteria(objective=ACCURACY)


def of_items(items: np.ndarray) -> Measurement:
    """An accuracy with its interval and draws, as tasks measure it."""
    draws = bootstrap_draws(items.astype(float), draws=200)
    low, high = percentile_interval(draws)
    return Measurement(
        name="accuracy",
        unit="",
        direction="higher",
        value=float(items.mean()),
        low=low,
        high=high,
        draws=tuple(draws),
    )


def on_items(own: Sequence[float], **right: np.ndarray) -> Comparison:
    """References that are right about these of the same items, and a candidate of this accuracy, exactly."""
    references = {
        cast(Tier, tier): side(of_items(items), tier=cast(Tier, tier)) for tier, items in right.items()
    }
    return Comparison(candidate=side(measured("accuracy", *own, *own, *own)), references=references)


def drawn(n: int, rates: dict[str, float], seed: int) -> dict[str, np.ndarray]:
    """Items that each reference is right about: one hard for one is hard for all."""
    hard = np.random.default_rng(seed).random(n)
    return {tier: hard < rate for tier, rate in rates.items()}


def test_exact_references_that_lie_in_order_stand_apart() -> None:
    assert standing(ACCURACY, [accuracies(0.6)]) is None
    assert grade(CRITERIA, [accuracies(0.6)]).points == pytest.approx(25.0)


def test_the_figures_that_misled_an_evaluator_give_no_points_tier_or_rank() -> None:
    """Baseline .390, competent .361, expert .396, each +- .06: "-25 (-3628 to 54)", tier competent."""
    references: dict[Tier, Side] = {
        cast(Tier, tier): side(measured("accuracy", v, v - 0.06, v + 0.06), tier=cast(Tier, tier))
        for tier, v in (("baseline", 0.390), ("competent", 0.361), ("expert", 0.396))
    }
    starter = side(measured("accuracy", 0.35, 0.29, 0.41))
    score = grade(CRITERIA, [Comparison(candidate=starter, references=references)])
    assert (score.outcome, score.points, score.tier, score.open_by) == ("inconclusive", 0.0, "none", "data")
    assert score.withheld
    (why,) = score.reasons
    assert "expert 0.396 (0.336 to 0.456)" in why
    assert "baseline 0.39 (0.33 to 0.45)" in why
    assert why.startswith(
        "no points on these data: the expert reference's lead over the baseline is hardly more"
    )


def test_an_expert_no_better_than_the_baseline_is_the_data_s_doing_and_no_fault_of_the_harness() -> None:
    score = grade(CRITERIA, [accuracies(0.7, baseline=0.6, competent=0.6, expert=0.6)])
    assert (score.outcome, score.open_by, score.points_uncapped) == ("inconclusive", "data", None)
    assert "is no better than the baseline" in score.reasons[0]
    (ladder,) = [c for c in score.constraints if c.name == LADDER]
    assert (ladder.value, ladder.verdict) == (None, "inconclusive")


def test_intervals_are_paired_over_the_items_that_both_answered() -> None:
    """Apart by 8 of 100 items of the same: unpaired, the two intervals would overlap widely."""
    right = drawn(100, {"baseline": 0.5, "expert": 0.58}, seed=3)
    r = on_items([0.55], **right)
    found = ladder_on(ACCURACY, r)
    assert found is not None
    lead = float(right["expert"].mean() - right["baseline"].mean())
    assert found.expert.value == pytest.approx(lead)
    assert 0 < found.expert.low < found.expert.value < found.expert.high
    values = found.values
    assert values["expert"].low < values["baseline"].high
    half_alone = values["expert"].high - values["expert"].value
    assert found.expert.high - found.expert.value < 0.7 * half_alone


@pytest.mark.parametrize("wide", [0.9, 1.1])
def test_the_interval_may_be_as_wide_as_the_lead_and_no_wider(wide: float) -> None:
    half = wide * 0.2 / 2
    one = LadderOn(expert=Lead(value=0.2, low=0.2 - half, high=0.2 + half), values={})
    assert bool(standing_over(ACCURACY, [one])) == (wide > WIDEST)


def test_more_instances_or_items_narrow_it_and_the_sentence_says_how_many() -> None:
    lead = Lead(value=0.1, low=0.0, high=0.2)  # twice as wide as it may be
    one = LadderOn(expert=lead, values={})
    assert instances_needed(lead, 1) == 4
    assert "about 4 instances, or 4 times as many scored items" in standing_over(ACCURACY, [one])
    assert standing_over(ACCURACY, [one] * 3) != ""
    assert standing_over(ACCURACY, [one] * 5) == ""
    hopeless = LadderOn(expert=Lead(value=0.001, low=-0.1, high=0.1), values={})
    assert "it would take about" in standing_over(ACCURACY, [hopeless])


@pytest.mark.parametrize(
    ("competent", "rest", "word"),
    [
        ((-0.1, -0.12, -0.08), (0.3, 0.28, 0.32), "competent reference is worse than the baseline"),
        ((0.3, 0.28, 0.32), (-0.1, -0.12, -0.08), "competent reference is better than the expert"),
        ((-0.1, -0.22, 0.02), (0.3, 0.2, 0.4), ""),
        ((0.3, 0.2, 0.4), (-0.1, -0.22, 0.02), ""),
    ],
)
def test_the_competent_reference_lies_between_or_within_its_noise_of_one(
    competent: tuple[float, float, float], rest: tuple[float, float, float], word: str
) -> None:
    def lead(of: tuple[float, float, float]) -> Lead:
        return Lead(value=of[0], low=of[1], high=of[2])

    one = LadderOn(expert=lead((0.2, 0.19, 0.21)), competent=lead(competent), rest=lead(rest), values={})
    found = standing_over(ACCURACY, [one])
    assert (word in found) if word else (found == "")


def test_one_instance_without_a_lead_takes_the_points_of_all() -> None:
    score = grade(CRITERIA, [accuracies(0.7), accuracies(0.7), accuracies(0.7, baseline=0.9, expert=0.8)])
    assert (score.outcome, score.open_by) == ("inconclusive", "data")
    assert "on 1 of 3 instances the expert reference is no better" in score.reasons[0]


def test_what_other_instances_showed_counts_as_well() -> None:
    lucky = accuracies(0.7)
    flat = LadderOn(expert=Lead(value=-0.2, low=-0.5, high=0.1), values={})
    assert grade(CRITERIA, [lucky]).outcome == "ok"
    score = grade(CRITERIA, [lucky], [flat, flat, flat])
    assert (score.outcome, score.open_by) == ("inconclusive", "data")


def test_lower_is_better_where_the_objective_says_so() -> None:
    objective = Objective(measure="accuracy", direction="lower", scale="log")
    r = accuracies(0.6, baseline=0.9, competent=0.7, expert=0.5)
    assert standing(objective, [r]) is None
    found = ladder_on(objective, r)
    assert found is not None
    assert found.expert.value == pytest.approx(np.log(0.9 / 0.5))
    assert standing(objective, [accuracies(0.6)]) is not None


def test_a_speed_up_is_apart_by_the_log_of_the_ratio() -> None:
    def runner(seconds: float, tier: Tier) -> Side:
        return side(tier=tier, one=[seconds] * 5, batch=[seconds] * 5)

    references = {t: runner(s, t) for t, s in (("baseline", 4.0), ("competent", 2.0), ("expert", 1.0))}
    r = Comparison(candidate=side(one=[2.0] * 5, batch=[2.0] * 5), references=references)
    found = ladder_on(SPEEDUP, r)
    assert found is not None
    assert found.expert.value == pytest.approx(np.log(4.0))
    assert standing(SPEEDUP, [r]) is None


def test_a_broken_constraint_is_said_before_the_ladder_and_nothing_is_to_be_looked_at_without_one() -> None:
    flat = accuracies(0.7, baseline=0.6, competent=0.6, expert=0.6)
    tight = Constraint(name="size", measure="accuracy", at_most=0.1)
    score = grade(Criteria(objective=ACCURACY, constraints=(tight,)), [flat])
    assert (score.outcome, [c.name for c in score.constraints]) == ("budget_exceeded", ["size"])
    odd = Plausible(measure="accuracy", high=0.1, because="it is high")
    score = grade(Criteria(objective=ACCURACY, plausible=(odd,)), [flat])
    assert [c.name for c in score.constraints] == [LADDER]


@pytest.mark.parametrize(("lead", "refused"), [(0.0, (0.97, 1.0)), (0.05, (0.3, 1.0)), (0.4, (0.0, 0.03))])
def test_simulated_data_are_refused_where_there_is_no_lead_and_hardly_ever_where_it_is_large(
    lead: float, refused: tuple[float, float]
) -> None:
    """160 items, references right about them independently of each other: the least that pairing can do."""
    rng = np.random.default_rng(7)
    found = []
    for _ in range(80):
        right = {
            tier: rng.random(160) < rate
            for tier, rate in (("baseline", 0.4), ("competent", 0.4 + lead / 2), ("expert", 0.4 + lead))
        }
        found.append(standing(ACCURACY, [on_items([0.4], **right)]) is not None)
    assert refused[0] <= float(np.mean(found)) <= refused[1]
