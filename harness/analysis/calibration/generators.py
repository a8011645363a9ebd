"""Planted data: people, tiers and tasks whose skill and difficulty are known, well and badly specified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.analysis.calibration.gibbs import ANCHOR_SD
from harness.analysis.calibration.scores import Floats, Scores, of_values

# The anchors of the scale, by definition: baseline, competent, expert.
TIER_SKILLS = (-1.5, 0.0, 1.5)
FLOOR, CAP = -0.25, 1.25
SLOPE, SLOPE_SD = 0.33, 0.06
DIFFICULTY_SD = 0.8
UNIQUE_SD, NOISE_SD = 0.8, 0.4  # of person by task and of a seed, in units of skill


@dataclass(frozen=True)
class Design:
    """How much is planted: data sets, people, tasks, seeds, and independent authors of each tier."""

    sets: int
    people: int
    tasks: int
    seeds: int = 3
    authors: int = 1


@dataclass(frozen=True)
class Planted:
    """Planted data with its truth: skill (B, P) of people and anchors, difficulty (B, T) at a score of level."""

    scores: Scores
    values: Floats
    skill: Floats
    difficulty: Floats
    level: float


@dataclass(frozen=True)
class _Plan:
    """Truth that every generator starts from; people come first, then the tiers' authors."""

    skill: Floats
    anchor: Floats
    difficulty: Floats
    slope: Floats


def _plan(
    d: Design, rng: np.random.Generator, people: Callable[[tuple[int, int]], Floats] | None = None
) -> _Plan:
    fixed = np.repeat(TIER_SKILLS, d.authors)
    drawn = people((d.sets, d.people)) if people else rng.normal(size=(d.sets, d.people))
    tiers = fixed + ANCHOR_SD * rng.normal(size=(d.sets, len(fixed)))
    anchor = np.broadcast_to(
        np.concatenate([np.full(d.people, np.nan), fixed]), (d.sets, d.people + len(fixed))
    )
    slope = np.clip(rng.normal(SLOPE, SLOPE_SD, (d.sets, d.tasks)), 0.12, None)
    return _Plan(
        skill=np.concatenate([drawn, tiers], axis=1),
        anchor=anchor,
        difficulty=rng.normal(0, DIFFICULTY_SD, (d.sets, d.tasks)),
        slope=slope,
    )


def _around(plan: _Plan, d: Design, draw: Callable[[tuple[int, ...]], Floats]) -> Floats:
    """Skill over difficulty with person by task and seeds, (B, P, T, S), in units of skill."""
    b, p = plan.skill.shape
    core = plan.skill[:, :, None] - plan.difficulty[:, None, :]
    unique = UNIQUE_SD * draw((b, p, d.tasks))
    return (core + unique)[..., None] + NOISE_SD * draw((b, p, d.tasks, d.seeds))


def _of_line(plan: _Plan, over: Floats) -> Floats:
    return 0.5 + plan.slope[:, None, :, None] * over


def linear(d: Design, rng: np.random.Generator) -> Planted:
    """As the model has it, uncapped."""
    plan = _plan(d, rng)
    values = _of_line(plan, _around(plan, d, lambda shape: rng.normal(size=shape)))
    return Planted(of_values(values, plan.anchor), values, plan.skill, plan.difficulty, 0.5)


def capped(d: Design, rng: np.random.Generator) -> Planted:
    """As the model has it, but held between -25 and 125 points as the harness does."""
    plan = _plan(d, rng)
    values = _of_line(plan, _around(plan, d, lambda shape: rng.normal(size=shape)))
    return Planted(of_values(values, plan.anchor, FLOOR, CAP), values, plan.skill, plan.difficulty, 0.5)


def logit(d: Design, rng: np.random.Generator) -> Planted:
    """Shares between 0 and 1 that are normal on the logit scale, analysed on that scale."""
    plan = _plan(d, rng)
    over = (plan.slope / SLOPE)[:, None, :, None] * _around(plan, d, lambda shape: rng.normal(size=shape))
    share = np.clip(1.0 / (1.0 + np.exp(-over)), 0.005, 0.995)
    values = np.log(share / (1.0 - share))
    return Planted(of_values(values, plan.anchor), values, plan.skill, plan.difficulty, 0.0)


def saturating(d: Design, rng: np.random.Generator) -> Planted:
    """Shares between 0 and 1 that bend at both ends, analysed as if they were straight."""
    plan = _plan(d, rng)
    over = (plan.slope / SLOPE)[:, None, :, None] * _around(plan, d, lambda shape: rng.normal(size=shape))
    values = 1.0 / (1.0 + np.exp(-over))
    return Planted(of_values(values, plan.anchor), values, plan.skill, plan.difficulty, 0.5)


def two_dimensional(d: Design, rng: np.random.Generator) -> Planted:
    """Two skills that correlate at 0.5; each task leans on one of them, the truth is their composite."""
    plan = _plan(d, rng)
    rho = 0.5
    lean = rng.uniform(0.2, 0.8, (d.sets, 1, d.tasks))
    # given the composite c, both skills have mean c sqrt((1 + rho) / 2) and differ by N(0, 2 (1 - rho))
    apart = np.sqrt(2 * (1 - rho)) * rng.normal(size=plan.skill.shape) * np.isnan(plan.anchor)
    tilt = (lean - 0.5) * apart[:, :, None] / np.sqrt((1 + rho) / 2)
    values = _of_line(plan, _around(plan, d, lambda shape: rng.normal(size=shape)) + tilt[..., None])
    return Planted(of_values(values, plan.anchor, FLOOR, CAP), values, plan.skill, plan.difficulty, 0.5)


def heavy_tails(d: Design, rng: np.random.Generator) -> Planted:
    """Student's t with 3 degrees of freedom for person by task and seeds, with 5 for people's skill."""
    plan = _plan(d, rng, lambda shape: rng.standard_t(5, shape) / np.sqrt(5 / 3))
    values = _of_line(plan, _around(plan, d, lambda shape: rng.standard_t(3, shape) / np.sqrt(3)))
    return Planted(of_values(values, plan.anchor, FLOOR, CAP), values, plan.skill, plan.difficulty, 0.5)


def hurdle(d: Design, rng: np.random.Generator) -> Planted:
    """People's hand-ins fail outright and count 0, the less skill the more often (about 15 %)."""
    plan = _plan(d, rng)
    values = _of_line(plan, _around(plan, d, lambda shape: rng.normal(size=shape)))
    hardness = rng.normal(-2.2, 0.4, (d.sets, 1, d.tasks))
    works = _sigmoid(1.2 * (plan.skill[:, :, None] - hardness))
    fails = (rng.uniform(size=works.shape) > works) & np.isnan(plan.anchor)[:, :, None]
    values = np.where(fails[..., None], 0.0, values)
    truth = _crossing(plan, hardness[:, 0, :])
    return Planted(of_values(values, plan.anchor, FLOOR, CAP), values, plan.skill, truth, 0.5)


def _sigmoid(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-x))


def _crossing(plan: _Plan, hardness: Floats) -> Floats:
    """The skill at which 0.5 is expected of people, failures counted, by bisection."""
    low, high = plan.difficulty - 1.0, plan.difficulty + 12.0
    for _ in range(60):
        middle = (low + high) / 2
        expected = (0.5 + plan.slope * (middle - plan.difficulty)) * _sigmoid(1.2 * (middle - hardness))
        low, high = np.where(expected < 0.5, middle, low), np.where(expected < 0.5, high, middle)
    return (low + high) / 2


GENERATORS: dict[str, Callable[[Design, np.random.Generator], Planted]] = {
    "linear": linear,
    "capped": capped,
    "logit": logit,
    "saturating": saturating,
    "two-dimensional": two_dimensional,
    "heavy-tails": heavy_tails,
    "hurdle": hurdle,
}
