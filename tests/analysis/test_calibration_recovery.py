"""How well planted truth came back, without the estimator: figures, their errors and verdicts by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.analysis.calibration import recovery
from harness.analysis.calibration.generators import Design, Planted
from harness.analysis.calibration.gibbs import Draws
from harness.analysis.calibration.recovery import correlations, situations, target
from harness.analysis.calibration.results import Target
from harness.analysis.calibration.scores import of_values

LEVEL = 0.4
SKILL = np.array([[0.0, 1.0, -1.0, -1.5, 0.0, 1.5], [2.0, 0.5, -0.5, -1.5, 0.0, 1.5]])
DIFFICULTY = np.array([[0.0, 1.0, -1.0], [0.5, -0.5, 1.5]])
# Even draws up and down: 95 % of them reach .19 and .2375 to each side of their middle.
EVEN = np.linspace(-1, 1, 41)[:, None, None]
OFF_DIFFICULTY = np.array([[0.1, -0.1, 0.0], [0.0, 0.4, 0.0]])  # of 3 tasks 3 and 2 are held
OFF_SKILL = np.array([[0.1, 0.3, -0.4, 9.0, 9.0, 9.0], [0.1, -0.1, 0.3, 9.0, 9.0, 9.0]])  # of people 1 and 2


def drawn(off_difficulty: np.ndarray = OFF_DIFFICULTY) -> Draws:
    difficulty = DIFFICULTY + off_difficulty + 0.2 * EVEN
    ones, none = np.ones_like(difficulty), np.zeros((41, 2))
    return Draws(
        skill=SKILL + OFF_SKILL + 0.25 * EVEN,
        intercept=LEVEL - 2 * difficulty,
        slope=2 * ones,
        unique=ones,
        noise=ones,
        mu=none,
        tau2=none,
        rhat=np.array([1.01, 1.05]),
    )


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator `fixed`, and an estimator that comes as near as is said above."""
    scores = of_values(np.zeros((2, 6, 3, 1)), np.zeros((2, 6)))
    fixed = Planted(scores, np.zeros((2, 6, 3, 1)), SKILL, DIFFICULTY, LEVEL)
    monkeypatch.setitem(recovery.GENERATORS, "fixed", lambda design, rng: fixed)
    monkeypatch.setattr(recovery, "fit", lambda scores, rng: drawn())


def ends(figure: Target) -> tuple[float, float, float]:
    return figure.value, figure.low, figure.high


@pytest.mark.usefixtures("planted")
def test_every_figure_of_what_came_back_by_hand() -> None:
    made = recovery.recover("fixed", Design(2, 3, 3), (0.97, 0.35), 0)
    assert (made.generator, made.people, made.tasks, made.sets, made.rhat) == ("fixed", 3, 3, 2, 1.05)
    figures: dict[str, Any] = {f.name: f for f in made.figures}
    assert list(figures) == [
        f"{what} of {whom}" for whom in ("difficulty", "skill") for what in ("r", "RMSE", "coverage")
    ]
    both = [(DIFFICULTY + OFF_DIFFICULTY, DIFFICULTY), ((SKILL + OFF_SKILL)[:, :3], SKILL[:, :3])]
    for whom, (middle, truth) in zip(("difficulty", "skill"), both, strict=True):
        each = [np.corrcoef(a, b)[0, 1] for a, b in zip(middle, truth, strict=True)]
        assert figures[f"r of {whom}"].value == pytest.approx(np.mean(each))
    # squares .02 and .16 of three tasks, .26 and .11 of three people; the SD of two is their distance by sqrt(2)
    for whom, first, second in (("difficulty", 0.02 / 3, 0.16 / 3), ("skill", 0.26 / 3, 0.11 / 3)):
        mean, error = (first + second) / 2, 1.96 * abs(second - first) / 2
        by_hand = (mean**0.5, max(mean - error, 0.0) ** 0.5, (mean + error) ** 0.5)
        assert ends(figures[f"RMSE of {whom}"]) == pytest.approx(by_hand)
    error = 1.96 / 3 / 2
    assert ends(figures["coverage of difficulty"]) == pytest.approx((5 / 6, 5 / 6 - error, 1.0))
    assert ends(figures["coverage of skill"]) == pytest.approx((1 / 2, 1 / 2 - error, 1 / 2 + error))
    aims = {name: (f.at_least, f.at_most, f.verdict) for name, f in figures.items()}
    assert aims == {
        "r of difficulty": (0.97, None, "pass"),
        "RMSE of difficulty": (None, 0.35, "pass"),
        "coverage of difficulty": (0.92, 0.98, "inconclusive"),
        "r of skill": (None, None, "pass"),
        "RMSE of skill": (None, None, "pass"),
        "coverage of skill": (0.93, 0.97, "fail"),
    }


@pytest.mark.usefixtures("planted")
def test_without_people_there_is_no_skill_and_equal_shares_have_binomial_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recovery, "fit", lambda scores, rng: drawn(np.zeros((2, 3))))
    made = recovery.recover("fixed", Design(2, 0, 3, authors=2), (0.0, None), 0)
    assert [f.name for f in made.figures] == [
        "r of difficulty",
        "RMSE of difficulty",
        "coverage of difficulty",
    ]
    assert [(f.at_least, f.at_most) for f in made.figures[:2]] == [(None, None)] * 2
    error = 1.96 * (0.95 * 0.05 / 6) ** 0.5
    assert ends(made.figures[2]) == pytest.approx((1.0, 1 - error, 1.0))


def test_correlations_are_of_each_data_set() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(5, 1, (3, 8)), rng.normal(-2, 3, (3, 8))
    assert correlations(one, other) == pytest.approx(np.diag(np.corrcoef(one, other)[:3, 3:]))


EACH = np.array([0.4, 0.5, 0.6])  # an error of 1.96 * .1 / sqrt(3) = .113


@pytest.mark.parametrize(
    ("at_least", "at_most", "verdict"),
    [
        (None, None, "pass"),
        (0.5, 0.5, "pass"),  # a target is met at its end
        (0.6, None, "inconclusive"),
        (0.62, None, "fail"),
        (None, 0.4, "inconclusive"),
        (None, 0.38, "fail"),
        (0.6, 0.7, "inconclusive"),
        (0.2, 0.4, "inconclusive"),
        (0.62, 0.7, "fail"),
        (0.2, 0.38, "fail"),
    ],
)
def test_a_target_is_met_missed_or_within_the_figures_own_error(
    at_least: float | None, at_most: float | None, verdict: str
) -> None:
    figure = target("r", EACH, at_least, at_most)
    error = 1.96 * 0.1 / 3**0.5
    assert ends(figure) == pytest.approx((0.5, 0.5 - error, 0.5 + error))
    assert (figure.at_least, figure.at_most, figure.verdict) == (at_least, at_most, verdict)


def test_one_data_set_has_no_error_and_a_mean_square_is_shown_as_its_root() -> None:
    assert ends(target("r", EACH[:1])) == (0.4, 0.4, 0.4)
    assert ends(target("RMSE", np.array([0.0, 0.08]), bend=np.sqrt)) == pytest.approx(
        (0.2, 0.0, (0.04 + 1.96 * 0.04) ** 0.5)
    )


def test_what_is_simulated_and_what_is_aimed_at() -> None:
    assert situations("hurdle", 6) == [
        ("hurdle", Design(6, 5, 10), 0.0, None),
        ("hurdle", Design(6, 8, 10), 0.0, None),
        ("hurdle", Design(6, 20, 10), 0.97, 0.35),
        ("hurdle", Design(6, 50, 10), 0.97, 0.35),
    ]
    plain, rest = situations(None, 40)[:7], situations(None, 40)[7:]
    assert plain == [(name, Design(40, 20, 10), 0.97, 0.35) for name in recovery.GENERATORS]
    assert rest == [
        ("linear", Design(40, 5, 10), 0.0, None),
        ("linear", Design(40, 8, 10), 0.0, None),
        ("linear", Design(40, 50, 10), 0.97, 0.35),
        ("linear", Design(10, 200, 12), 0.97, 0.35),
        ("linear", Design(40, 0, 12, authors=4), 0.95, None),
        ("linear", Design(40, 20, 10, authors=2), 0.98, None),
    ]
    assert ("linear", Design(4, 200, 12), 0.97, 0.35) in situations(None, 8), "four at least"
