"""How sure a suite's points are: their standard error over skill, and how often a decision at the cut is right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from harness.analysis.calibration.generators import CAP, FLOOR
from harness.analysis.calibration.gibbs import Draws
from harness.analysis.calibration.reliability import of_draws
from harness.analysis.calibration.results import CurvePoint, Estimate
from harness.analysis.calibration.scores import Floats
from harness.sheets import Cut, Suite

SKILLS = np.linspace(-3.0, 3.0, 25)
_NODES = 401
_NO_SLOPE = 1e-6  # a form on which nobody moves says nothing of skill


def weights_of(suite: Suite) -> Floats:
    """The suite's weights, (T,), with sum 1."""
    weights = np.array([task.weight for task in suite.tasks])
    return weights / weights.sum()


def spreads(draws: Draws, seeds: int) -> Floats:
    """The SD of a task's score about what skill lets expect, (K, T), with so many replicates."""
    return np.sqrt(draws.unique[:, 0] + draws.noise[:, 0] / seeds)


def held(mean: Floats, sd: Floats) -> tuple[Floats, Floats]:
    """Variance of N(mean, sd^2) held between FLOOR and CAP, and how much its mean moves with `mean` (0 to 1).

    The moments of a doubly censored normal (Johnson, Kotz and Balakrishnan 1994, ch. 13).
    """
    low, high = (FLOOR - mean) / sd, (CAP - mean) / sd
    below, above, inside = ndtr(low), ndtr(-high), ndtr(high) - ndtr(low)
    at_low, at_high = (np.exp(-(end**2) / 2) / np.sqrt(2 * np.pi) for end in (low, high))
    first = FLOOR * below + CAP * above + mean * inside + sd * (at_low - at_high)
    second = FLOOR**2 * below + CAP**2 * above + (mean**2 + sd**2) * inside
    second += sd * ((mean + FLOOR) * at_low - (mean + CAP) * at_high)
    return np.maximum(second - first**2, 0.0), inside


def information(draws: Draws, skill: Floats, seeds: int = 1) -> Floats:
    """What each task says of skill at `skill` (K,): squared slope by variance, both of the held score; (K, T).

    Lord (1980), ch. 5. It falls where scores meet the floor or the cap.
    """
    slope = draws.slope[:, 0]
    variance, moves = held(draws.intercept[:, 0] + slope * skill[:, None], spreads(draws, seeds))
    return (slope * moves) ** 2 / np.maximum(variance, 1e-12)


def skill_at(suite: Suite, draws: Draws, cut: Cut) -> Floats:
    """The skill whose expected points of the suite are the cut, (K,)."""
    w = weights_of(suite)
    return (cut.points / 100 - draws.intercept[:, 0] @ w) / (draws.slope[:, 0] @ w)


def sem(suite: Suite, draws: Draws, seeds: int, people: int) -> Estimate:
    """The standard error of measurement of the suite's points, in points, away from the ends of the scale."""
    return of_draws(100 * _sem(suite, draws, seeds), people)


def _sem(suite: Suite, draws: Draws, seeds: int) -> Floats:
    return np.sqrt((spreads(draws, seeds) ** 2) @ weights_of(suite) ** 2)


def curve(suite: Suite, draws: Draws, seeds: int, people: int) -> tuple[CurvePoint, ...]:
    """The conditional standard error over skill, in points and in skill (by the slope of the expected points)."""
    w, points = weights_of(suite), []
    for skill in SKILLS:
        mean = draws.intercept[:, 0] + draws.slope[:, 0] * skill
        variance, moves = held(mean, spreads(draws, seeds))
        error, rise = np.sqrt(variance @ w**2), (draws.slope[:, 0] * moves) @ w
        points.append(
            CurvePoint(
                skill=float(skill),
                points=of_draws(100 * error, people),
                error=of_draws(error / np.maximum(rise, _NO_SLOPE), people),
            )
        )
    return tuple(points)


class Agreement(NamedTuple):
    """How often decisions at the cut are right, and how often two forms decide alike."""

    accuracy: Estimate = Estimate()
    consistency: Estimate = Estimate()


def agreement(suite: Suite, draws: Draws, cut: Cut, seeds: int, people: int) -> Agreement:
    """Accuracy and consistency of pass or fail at the cut, over people as they are thought to be spread.

    Accuracy: how often the points fall on the side of the cut where the expected points are; consistency: how
    often two forms of this length agree (Rudner 2001; Lee 2010), expected points normal, 401 quantiles.
    """
    w = weights_of(suite)
    rise = draws.slope[:, 0] @ w
    middle, spread = draws.intercept[:, 0] @ w + rise * draws.mu[:, 0], rise * np.sqrt(draws.tau2[:, 0])
    accurate, consistent = sides((middle - cut.points / 100) / spread, _sem(suite, draws, seeds) / spread)
    return Agreement(of_draws(accurate, people), of_draws(consistent, people))


class Sides(NamedTuple):
    """Accuracy and consistency in each draw, (K,)."""

    accurate: Floats
    consistent: Floats


def sides(middle: Floats, error: Floats) -> Sides:
    """Accuracy and consistency where truth is N(middle, 1), the cut 0 and the error's SD `error`; all (K,)."""
    truth = middle[:, None] + ndtri((np.arange(_NODES) + 0.5) / _NODES)[None, :]
    above = ndtr(truth / error[:, None])
    accurate = np.where(truth >= 0, above, 1 - above).mean(axis=1)
    return Sides(accurate, (above**2 + (1 - above) ** 2).mean(axis=1))
