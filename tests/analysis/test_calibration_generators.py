"""What is planted is what is said: slopes, spreads and levels of the simulation, estimated from many drawn scores."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.calibration.generators import GENERATORS, Design, Planted
from harness.analysis.calibration.scores import Floats

CROWD = Design(sets=1, people=2000, tasks=150, seeds=2)


def planted(name: str, design: Design = CROWD, seed: int = 0) -> Planted:
    return GENERATORS[name](design, np.random.default_rng(seed))


def lines(drawn: Planted) -> tuple[Floats, Floats]:
    """Least-squares slopes of each task on people's skill, and what the lines leave over, (P, T)."""
    people = drawn.values[0, :-3].mean(axis=2)
    skill = drawn.skill[0, :-3]
    slopes = ((skill - skill.mean())[:, None] * people).sum(axis=0) / ((skill - skill.mean()) ** 2).sum()
    return slopes, people - people.mean(axis=0) - slopes * (skill - skill.mean())[:, None]


def test_people_and_tiers_are_as_many_and_as_skilled_as_the_design_says() -> None:
    assert planted("linear", Design(2, 4, 3)).values.shape == (2, 7, 3, 3)
    many = planted("linear", Design(sets=4000, people=3, tasks=2, seeds=1, authors=2))
    people, tiers = many.skill[:, :3], many.skill[:, 3:]
    assert (people.mean(), people.std()) == pytest.approx((0.0, 1.0), abs=0.03)
    assert tiers.mean(axis=0) == pytest.approx([-1.5, -1.5, 0.0, 0.0, 1.5, 1.5], abs=0.02)
    assert tiers.std(axis=0) == pytest.approx(np.full(6, 0.25), rel=0.05)
    assert np.isnan(many.scores.anchor[:, :3]).all()
    assert many.scores.anchor[0, 3:].tolist() == [-1.5, -1.5, 0.0, 0.0, 1.5, 1.5]
    assert (many.difficulty.mean(), many.difficulty.std()) == pytest.approx((0.0, 0.8), abs=0.03)


def test_slopes_and_spreads_of_a_straight_score() -> None:
    drawn = planted("linear")
    slopes, left = lines(drawn)
    assert (slopes.mean(), slopes.std()) == pytest.approx((0.33, 0.06), abs=0.012)
    assert (slopes < 0.215).any(), "of 150 about four"
    # in units of skill .8 of person by task, and .4 of a seed
    seeds = drawn.values[0, :-3].std(axis=2, ddof=1)
    assert (seeds**2).mean() == pytest.approx(0.4**2 * (slopes**2).mean(), rel=0.03)
    assert left.var() == pytest.approx((0.8**2 + 0.4**2 / 2) * (slopes**2).mean(), rel=0.03)
    # the harder the task, the less of it: half of the points at its difficulty
    at_0 = drawn.values[0, :-3].mean(axis=(0, 2)) - slopes * drawn.skill[0, :-3].mean()
    assert at_0 == pytest.approx(0.5 - slopes * drawn.difficulty[0], abs=0.03)


@pytest.mark.parametrize(("name", "level"), [(n, 0.0 if n == "logit" else 0.5) for n in GENERATORS])
def test_the_level_is_expected_where_skill_is_the_difficulty(name: str, level: float) -> None:
    drawn = planted(name, Design(sets=400, people=50, tasks=10, seeds=1))
    assert drawn.level == level
    over = drawn.skill[:, :50, None] - drawn.difficulty[:, None]
    near = np.abs(over) < 0.1
    # the slope of such scores is .33, that of the logits 1 and of a share 1 / 4 at most
    hard = np.broadcast_to(drawn.difficulty[:, None] > 0, near.shape)
    for cells in (near & hard, near & ~hard):
        assert cells.sum() > 2000
        reached = drawn.values[:, :50, :, 0][cells].mean()
        assert reached == pytest.approx(level, abs=0.06 if name == "logit" else 0.02)


def test_logits_have_slope_1_and_stay_within_the_shares_that_are_told_apart() -> None:
    drawn = planted("logit")
    slopes, _ = lines(drawn)
    assert slopes.mean() == pytest.approx(1.0, abs=0.05)
    assert slopes.std() == pytest.approx(0.06 / 0.33, abs=0.03)
    ends = np.log(0.995 / 0.005)
    assert (drawn.values.min(), drawn.values.max()) == pytest.approx((-ends, ends))


def test_shares_bend_as_a_logistic_curve_does() -> None:
    drawn = planted("saturating")
    assert (drawn.values > 0).all()
    assert (drawn.values < 1).all()
    rng = np.random.default_rng(1)
    slope, noise = rng.normal(1, 0.06 / 0.33, 100_000), rng.normal(0, (0.8**2 + 0.4**2) ** 0.5, 100_000)
    over = drawn.skill[0, :-3, None] - drawn.difficulty[0]
    for at in (-2.0, 1.0):
        near = np.abs(over - at) < 0.05
        expected = (1 / (1 + np.exp(-slope * (at + noise)))).mean()
        assert drawn.values[0, :-3, :, 0][near].mean() == pytest.approx(expected, abs=0.015)


def test_two_skills_that_correlate_at_a_half_leave_a_second_direction() -> None:
    """Leans of .2 to .8 have variance .03, and by (1 + .5) / 2 it is .04 for each task, beside .8 of the rest."""
    slopes, left = lines(planted("two-dimensional", Design(sets=1, people=3000, tasks=150, seeds=1)))
    second = np.linalg.eigvalsh(np.cov((left / slopes).T))
    assert second[-1] == pytest.approx(150 * 0.04 + 0.8, rel=0.15)
    assert second[-2] < 1.5, "and no third"


def test_tails_are_heavy_where_they_are_said_to_be() -> None:
    heavy, light = (
        planted(name, Design(sets=1, people=30_000, tasks=1, seeds=1)) for name in ("heavy-tails", "linear")
    )
    assert heavy.skill[0, :-3].std() == pytest.approx(1.0, abs=0.03)
    beyond = [(np.abs(one.skill[0, :-3]) > 3.5).mean() for one in (heavy, light)]
    assert beyond[0] > 0.003 > 0.001 > beyond[1]


def test_hand_ins_fail_the_more_often_the_less_skill_there_is_and_tiers_never_do() -> None:
    drawn = planted("hurdle", Design(sets=1, people=4000, tasks=100, seeds=2))
    failed = (drawn.values[0] == 0.0).all(axis=2)
    assert not failed[-3:].any()
    rng = np.random.default_rng(1)
    hardness = rng.normal(-2.2, 0.4, 100_000)
    skill = drawn.skill[0, :-3]
    for at in (-2.0, 0.0, 1.0):
        works = (1 / (1 + np.exp(-1.2 * (at - hardness)))).mean()
        near = np.abs(skill - at) < 0.1
        assert 1 - failed[:-3][near].mean() == pytest.approx(works, abs=0.02)
