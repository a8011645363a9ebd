"""How far scores of a suite repeat: variance components, generalisability and what more tasks or seeds would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import f as f_distribution

from harness.analysis.calibration.gibbs import Draws
from harness.analysis.calibration.results import DStudy, Estimate, Needed
from harness.analysis.calibration.scores import Floats

FEW = 20  # below, an interval but no single number
LEAST = 5
TASKS, SEEDS = (4, 6, 8, 10, 12, 16, 20), (1, 3, 5)
MOST_TASKS = 60
ONE_TASK = "it rests on how tasks differ, of which one task says nothing"


@dataclass(frozen=True)
class Components:
    """Variance of person, task, person by task, and seed; floats, or draws of one shape. `held`: some were below 0."""

    person: Floats | float
    task: Floats | float
    crossed: Floats | float
    seed: Floats | float
    held: bool = False

    def relative(self, tasks: int, seeds: int) -> Floats | float:
        """E rho squared of a form (Brennan 2001, ch. 3)."""
        return self.person / (self.person + (self.crossed + self.seed / seeds) / tasks)

    def absolute(self, tasks: int, seeds: int) -> Floats | float:
        """Phi: as `relative`, with the tasks' own difficulty as error."""
        return self.person / (self.person + (self.task + self.crossed + self.seed / seeds) / tasks)


def balanced(values: Floats) -> Components:
    """The components of a complete table (P, T, S), by mean squares (Brennan 2001, ch. 3); below 0 is held at 0."""
    p, t, s = values.shape
    grand, cell = values.mean(), values.mean(axis=2)
    rows, columns = cell.mean(axis=1), cell.mean(axis=0)
    ms_p = t * s * ((rows - grand) ** 2).sum() / (p - 1)
    ms_t = p * s * ((columns - grand) ** 2).sum() / (t - 1)
    left = cell - rows[:, None] - columns[None, :] + grand
    ms_pt = s * (left**2).sum() / ((p - 1) * (t - 1))
    ms_s = ((values - cell[..., None]) ** 2).sum() / (p * t * (s - 1)) if s > 1 else 0.0
    raw = ((ms_p - ms_pt) / (t * s), (ms_t - ms_pt) / (p * s), (ms_pt - ms_s) / s, ms_s)
    return Components(*(max(float(v), 0.0) for v in raw), held=min(raw) < 0)


def drawn(draws: Draws) -> Components:
    """The components of one data set in every draw of the posterior (K,); cells may be missing."""
    slope, tau2 = draws.slope[:, 0], draws.tau2[:, 0]
    expected = draws.intercept[:, 0] + slope * draws.mu[:, :1]
    return Components(
        person=slope.mean(axis=1) ** 2 * tau2,
        # One task says nothing of how tasks differ: what rests on that is absent then.
        task=expected.var(axis=1, ddof=1) if expected.shape[1] > 1 else np.full(len(expected), np.nan),
        crossed=draws.unique[:, 0].mean(axis=1) + slope.var(axis=1) * tau2,
        seed=draws.noise[:, 0].mean(axis=1),
    )


def alpha(scores: Floats) -> Estimate:
    """Cronbach's alpha (1951) over persons who did every task, (P, T), with Feldt's interval (1965)."""
    whole = scores[np.isfinite(scores).all(axis=1)]
    p, t = whole.shape
    if p < LEAST or t < 2:
        return Estimate(absent_because=f"too few examinees: {p} did every task, {LEAST} are needed")
    of_sum = float(whole.sum(axis=1).var(ddof=1))
    if of_sum <= 0:
        return Estimate(absent_because="everybody scored the same")
    value = t / (t - 1) * (1 - float(whole.var(axis=0, ddof=1).sum()) / of_sum)
    freedom = (p - 1, (p - 1) * (t - 1))
    low, high = (float(1 - (1 - value) * f_distribution.ppf(q, *freedom)) for q in (0.975, 0.025))
    return Estimate(value=value if p >= FEW else None, low=low, high=high, absent_because=_few(p))


def omega(draws: Draws, seeds: float, people: int) -> Estimate:
    """McDonald's omega (1999), (sum of slopes)^2 tau^2 over itself and the unique parts, over the posterior."""
    common = draws.slope[:, 0].sum(axis=1) ** 2 * draws.tau2[:, 0]
    own = (draws.unique[:, 0] + draws.noise[:, 0] / seeds).sum(axis=1)
    return of_draws(common / (common + own), people)


def of_draws(values: Floats | float, people: int) -> Estimate:
    """Median and 95 % interval of draws; below FEW people the interval alone, below LEAST nothing."""
    if people < LEAST:
        return Estimate(absent_because=f"too few examinees: {people} of at least {LEAST}")
    if not np.isfinite(values).all():
        return Estimate(absent_because=ONE_TASK)
    low, middle, high = (float(v) for v in np.quantile(values, [0.025, 0.5, 0.975]))
    return Estimate(value=middle if people >= FEW else None, low=low, high=high, absent_because=_few(people))


def _few(people: int) -> str:
    return "" if people >= FEW else f"too few examinees for one number: {people} of {FEW}; see the interval"


def dstudy(parts: Components, people: int) -> tuple[DStudy, ...]:
    """What forms of other lengths would reach."""
    return tuple(
        DStudy(
            tasks=t,
            seeds=s,
            relative=of_draws(parts.relative(t, s), people),
            absolute=of_draws(parts.absolute(t, s), people),
        )
        for s in SEEDS
        for t in TASKS
    )


def needed(parts: Components, people: int) -> tuple[Needed, ...]:
    """The fewest tasks for 0.8 and 0.9, by the median and so that 97.5 % of draws reach it."""
    if people < LEAST:
        return ()
    counted = []
    for goal in (0.8, 0.9):
        for s in SEEDS:
            reach = [np.quantile(parts.relative(t, s), [0.5, 0.025]) for t in range(1, MOST_TASKS + 1)]
            counts = [next((t for t, q in enumerate(reach, 1) if q[i] >= goal), None) for i in (0, 1)]
            counted.append(Needed(target=goal, seeds=s, tasks=counts[0], tasks_cautious=counts[1]))
    return tuple(counted)
