"""The whole analysis on planted people, tasks and tiers: whether reliability, forecasts and decisions come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.analysis.calibration import cuts
from harness.analysis.calibration.analysis import calibrate
from harness.analysis.calibration.decisions import sides
from harness.analysis.calibration.generators import (
    DIFFICULTY_SD,
    NOISE_SD,
    SLOPE,
    SLOPE_SD,
    TIER_SKILLS,
    UNIQUE_SD,
)
from harness.analysis.calibration.recovery import target
from harness.analysis.calibration.reliability import Components
from harness.analysis.calibration.results import Calibration, Estimate, Target
from harness.analysis.calibration.scores import Floats
from harness.analysis.calibration.tables import Row
from harness.records import TIERS
from harness.sheets import Cut, Suite, TaskInSuite

PEOPLE, TASKS, INSTANCES, CUT = 30, 8, 3, 45.0
AHEAD = (12, 3)  # the form that is forecast
WRONG, JUDGED = "wrong band of those who pass or do not yet", "points between judges' cut and planted"
# Mean absolute errors: reliabilities and shares are between 0 and 1, the judges' cut is in points.
MOST_ERROR, MOST = 0.05, {WRONG: 0.10, JUDGED: 3.0}
COVERED = 0.92
JUDGES, JUDGES_SD = 8, 6.0  # how far a judge's expectation is from the truth, in points, on each task


@dataclass(frozen=True)
class Truth:
    """What was planted: skill (P,), slope and difficulty (T,), and the variances that follow."""

    skill: Floats
    slope: Floats
    difficulty: Floats

    def parts(self) -> Components:
        """The planted components of these tasks, as `reliability.drawn` defines them; scores are points / 100."""
        squares = float((self.slope**2).mean())
        return Components(
            person=float(self.slope.mean()) ** 2,
            task=float((-self.slope * self.difficulty).var(ddof=1)),
            crossed=UNIQUE_SD**2 * squares + float(self.slope.var()),
            seed=NOISE_SD**2 * squares,
        )

    def expected(self) -> Floats:
        """The expected suite points of each person, (P,)."""
        over = self.skill[:, None] - self.difficulty[None, :]
        return 100 * (0.5 + self.slope * over).mean(axis=1)

    def agreement(self) -> tuple[float, float]:
        """Planted accuracy and consistency at CUT."""
        error = np.sqrt(((UNIQUE_SD**2 + NOISE_SD**2 / INSTANCES) * self.slope**2).sum()) / len(self.slope)
        spread = float(self.slope.mean())
        middle = 0.5 - float((self.slope * self.difficulty).mean()) - CUT / 100
        both = sides(np.array([middle / spread]), np.array([error / spread]))
        return float(both.accurate[0]), float(both.consistent[0])


class PlantedSuite(NamedTuple):
    """A suite with its rows, tiers included, and the truth behind them."""

    suite: Suite
    rows: list[Row]
    truth: Truth


def planted(rng: np.random.Generator) -> PlantedSuite:
    """A suite of TASKS tasks on which PEOPLE people and the tiers were measured INSTANCES times."""
    truth = Truth(
        skill=rng.normal(size=PEOPLE),
        slope=np.clip(rng.normal(SLOPE, SLOPE_SD, TASKS), 0.12, None),
        difficulty=rng.normal(0, DIFFICULTY_SD, TASKS),
    )
    everybody = np.concatenate([truth.skill, np.array(TIER_SKILLS) + 0.25 * rng.normal(size=len(TIERS))])
    over = everybody[:, None] - truth.difficulty + UNIQUE_SD * rng.normal(size=(len(everybody), TASKS))
    noisy = over[..., None] + NOISE_SD * rng.normal(size=(*over.shape, INSTANCES))
    points = 100 * (0.5 + truth.slope[None, :, None] * noisy)
    tasks = tuple(TaskInSuite(id=f"t{j}") for j in range(TASKS))
    rows = [
        Row(
            person=f"p{i}" if i < PEOPLE else TIERS[i - PEOPLE],
            tier=None if i < PEOPLE else TIERS[i - PEOPLE],
            task=task.id,
            instance=str(k),
            points=float(points[i, j, k]),
        )
        for i in range(len(everybody))
        for j, task in enumerate(tasks)
        for k in range(INSTANCES)
    ]
    cut = Cut(points=CUT, method="set by hand", set_by="the simulation")
    suite = Suite(name="planted", title="Planted", tasks=tasks, cut=cut)
    return PlantedSuite(suite, rows, truth)


def rehearse(sets: int, seed: int) -> tuple[Target, ...]:
    """The analysis on `sets` planted suites, against targets; deterministic for one seed."""
    figures: dict[str, list[float]] = {}
    for number in range(sets):
        rng = np.random.default_rng([seed, number])
        suite, rows, truth = planted(rng)
        for name, value in _compared(calibrate(suite, rows, seed), truth) + _judged(suite, truth, rng):
            figures.setdefault(name, []).append(value)
    return tuple(_target(name, np.array(each)) for name, each in figures.items())


def _target(name: str, each: Floats) -> Target:
    """A share of intervals that hold the truth, or a mean absolute error, against its target."""
    if name.startswith("coverage"):
        figure = target(name, each, at_least=COVERED)
        return figure.model_copy(update={"high": min(1.0, figure.high)})
    return target(name, each, at_most=MOST.get(name, MOST_ERROR))


def _compared(calibration: Calibration, truth: Truth) -> list[tuple[str, float]]:
    parts = truth.parts()
    forecast = next(d for d in calibration.dstudy if (d.tasks, d.seeds) == AHEAD)
    accuracy, consistency = truth.agreement()
    pairs = (
        ("E rho squared", calibration.relative, parts.relative(TASKS, INSTANCES)),
        ("Phi", calibration.absolute, parts.absolute(TASKS, INSTANCES)),
        ("decision accuracy", calibration.accuracy, accuracy),
        ("decision consistency", calibration.consistency, consistency),
    )
    figures: list[tuple[str, float]] = []
    for name, estimate, value in pairs:
        figures += [
            (f"error of {name}", _off(estimate, float(value))),
            (f"coverage of {name}", _holds(estimate, float(value))),
        ]
    ahead = float(parts.relative(*AHEAD))
    figures += [("forecast error of E rho squared, 12 tasks by 3 seeds", _off(forecast.relative, ahead))]
    return [*figures, (WRONG, _wrong(calibration, truth))]


def _off(estimate: Estimate, truth: float) -> float:
    return abs(estimate.value - truth) if estimate.value is not None else float("nan")


def _holds(estimate: Estimate, truth: float) -> float:
    return float(
        estimate.low is not None and estimate.high is not None and estimate.low <= truth <= estimate.high
    )


def _wrong(calibration: Calibration, truth: Truth) -> float:
    """The share of those placed in a band whose expected points lie on the other side of the cut."""
    above = truth.expected() >= CUT
    placed = [
        (s.band == "pass") != above[int(s.person[1:])]
        for s in calibration.standings
        if s.band in ("pass", "not yet")
    ]
    return float(np.mean(placed)) if placed else 0.0


def _judged(suite: Suite, truth: Truth, rng: np.random.Generator) -> list[tuple[str, float]]:
    """Judges who see each task's truth with an error: the Angoff cut against what they all aim at."""
    skill = float((CUT / 100 - 0.5 + (truth.slope * truth.difficulty).mean()) / truth.slope.mean())
    aimed = 100 * (0.5 + truth.slope * (skill - truth.difficulty))
    judged = {
        f"j{i}": {
            t.id: float(v)
            for t, v in zip(suite.tasks, aimed + JUDGES_SD * rng.normal(size=TASKS), strict=True)
        }
        for i in range(JUDGES)
    }
    return [(JUDGED, abs(cuts.angoff(suite, judged).points - CUT))]
