"""The estimator: planted truth comes back, its intervals cover, and no single step bends what it draws."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.calibration.generators import CAP, FLOOR, GENERATORS, Design, linear
from harness.analysis.calibration.gibbs import _truncated, fit
from harness.analysis.calibration.recovery import recover, target
from harness.analysis.calibration.scores import of_values


def test_intervals_cover_what_was_planted_within_binomial_error() -> None:
    design = Design(sets=60, people=12, tasks=8)
    planted = linear(design, np.random.default_rng(5))
    draws = fit(planted.scores, np.random.default_rng(6))
    for found, truth in (
        (draws.difficulty(), planted.difficulty),
        (draws.skill[..., :12], planted.skill[:, :12]),
    ):
        low, high = np.quantile(found, [0.025, 0.975], axis=0)
        held = ((low <= truth) & (truth <= high)).mean(axis=1)
        error = 3 * held.std(ddof=1) / len(held) ** 0.5
        assert abs(held.mean() - 0.95) <= error
        assert error < 0.06  # so that intervals half as wide would fail
        narrow = ((low + high) / 2)[None] + np.array([-0.25, 0.25])[:, None, None] * (high - low)
        assert ((narrow[0] <= truth) & (truth <= narrow[1])).mean() < 0.95 - error
    assert draws.rhat.max() < 1.1


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_gives_back_difficulty_and_skill(name: str) -> None:
    found = {t.name: t.value for t in recover(name, Design(8, 20, 8), (0.0, None), 3).figures}
    assert found["r of difficulty"] > 0.9
    assert found["r of skill"] > 0.85
    assert found["coverage of difficulty"] > 0.8


def test_the_same_seed_gives_the_same_draws_and_another_one_others() -> None:
    planted = linear(Design(1, 6, 3), np.random.default_rng(0))
    once, again, other = (fit(planted.scores, np.random.default_rng(s), 60, 20).slope for s in (1, 1, 2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_missing_cells_are_left_out_and_censored_ones_are_marked() -> None:
    values = np.array([[[[0.2, 0.4], [np.nan, np.nan]], [[3.0, 2.0], [-1.0, 0.5]]]])
    scores = of_values(values, np.full((1, 2), np.nan), FLOOR, CAP)
    assert scores.count.tolist() == [[[2, 0], [2, 2]]]
    assert scores.mean[0, 0, 0] == pytest.approx(0.3)
    assert scores.censored.tolist() == [[[0, 0], [1, 0]]]
    assert scores.freedom.tolist() == [[2, 1]]
    assert scores.squares[0, 0] == pytest.approx(0.02)


def test_a_person_without_any_score_keeps_the_width_of_the_population() -> None:
    planted = linear(Design(1, 15, 6), np.random.default_rng(2))
    values = planted.values.copy()
    values[0, 0] = np.nan
    draws = fit(of_values(values, planted.scores.anchor), np.random.default_rng(0), 600, 200)
    assert draws.skill[:, 0, 0].std() > 2 * draws.skill[:, 0, 1].std()


def test_truncated_normals_stay_within_their_bounds_and_have_the_right_mean() -> None:
    from scipy.stats import truncnorm

    for low, high in ((-np.inf, -2.0), (1.5, np.inf), (-0.3, np.inf), (7.0, np.inf)):
        drawn = _truncated(np.full(20000, low), np.full(20000, high), np.random.default_rng(1))
        assert ((drawn >= low) & (drawn <= high)).all()
        expected = truncnorm(low, high)
        assert drawn.mean() == pytest.approx(expected.mean(), abs=4 * expected.std() / 20000**0.5)


def test_a_figure_is_missed_only_where_its_own_error_cannot_explain_it() -> None:
    near, far = np.array([0.96, 0.98, 0.95]), np.array([0.50, 0.51, 0.52])
    assert target("r", near, at_least=0.97).verdict == "inconclusive"
    assert target("r", far, at_least=0.97).verdict == "fail"
    assert target("r", near, at_least=0.9).verdict == "pass"
