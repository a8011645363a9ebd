"""Whether the estimator can be believed: plants skills and difficulties, and reports how well they come back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.analysis.calibration.generators import GENERATORS, Design, Planted
from harness.analysis.calibration.gibbs import Draws, fit
from harness.analysis.calibration.results import Met, Recovery, Target
from harness.analysis.calibration.scores import Floats

# Targets: difficulties and skills.
CORRELATION, ERROR = 0.97, 0.35
COVERS_DIFFICULTY, COVERS_SKILL = (0.92, 0.98), (0.93, 0.97)


def situations(generator: str | None, sets: int) -> list[tuple[str, Design, float, float | None]]:
    """What is simulated: generator, design, and the targets for r and RMSE of difficulty (None: no target)."""
    if generator is not None:
        return [(generator, Design(sets, n, 10), *_aims(n)) for n in (5, 8, 20, 50)]
    plain = [(name, Design(sets, 20, 10), CORRELATION, ERROR) for name in GENERATORS]
    sizes = [("linear", Design(sets, n, 10), *_aims(n)) for n in (5, 8, 50)]
    return [
        *plain,
        *sizes,
        ("linear", Design(max(4, sets // 4), 200, 12), 0.97, ERROR),
        ("linear", Design(sets, 0, 12, authors=4), 0.95, None),
        ("linear", Design(sets, 20, 10, authors=2), 0.98, None),
    ]


def _aims(people: int) -> tuple[float, float | None]:
    """With fewer than 20 people no target was set for r and RMSE but the intervals' coverage still holds."""
    return (CORRELATION, ERROR) if people >= 20 else (0.0, None)


def recover(generator: str, design: Design, aims: tuple[float, float | None], seed: int) -> Recovery:
    """Plants, fits and compares; deterministic for one seed."""
    rng = np.random.default_rng([seed, *generator.encode(), design.people, design.tasks, design.authors])
    planted = GENERATORS[generator](design, rng)
    draws = fit(planted.scores, rng)
    figures = [*_difficulty(planted, draws, aims)]
    if design.people:
        figures += _skill(planted, draws, design.people)
    return Recovery(
        generator=generator,
        people=design.people,
        tasks=design.tasks,
        seeds=design.seeds,
        authors=design.authors,
        sets=design.sets,
        figures=tuple(figures),
        rhat=float(draws.rhat.max()),
    )


def _difficulty(planted: Planted, draws: Draws, aims: tuple[float, float | None]) -> list[Target]:
    b = draws.difficulty(planted.level)
    middle = np.median(b, axis=0)
    least, most = aims
    return [
        target("r of difficulty", correlations(middle, planted.difficulty), at_least=least or None),
        target(
            "RMSE of difficulty",
            ((middle - planted.difficulty) ** 2).mean(axis=1),
            at_most=most,
            bend=np.sqrt,
        ),
        _covered("coverage of difficulty", b, planted.difficulty, COVERS_DIFFICULTY),
    ]


def _skill(planted: Planted, draws: Draws, people: int) -> list[Target]:
    skill, truth = draws.skill[..., :people], planted.skill[:, :people]
    middle = skill.mean(axis=0)
    return [
        target("r of skill", correlations(middle, truth)),
        target("RMSE of skill", ((middle - truth) ** 2).mean(axis=1), bend=np.sqrt),
        _covered("coverage of skill", skill, truth, COVERS_SKILL),
    ]


def _covered(name: str, draws: Floats, truth: Floats, within: tuple[float, float]) -> Target:
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    held = ((low <= truth) & (truth <= high)).mean(axis=1)
    figure = target(name, held, at_least=within[0], at_most=within[1])
    # Where every data set held the same share, the spread between them says nothing: binomial error is the least.
    least = 1.96 * (0.95 * 0.05 / truth.size) ** 0.5
    low_, high_ = min(figure.low, figure.value - least), min(1.0, max(figure.high, figure.value + least))
    verdict = _verdict((figure.value, low_, high_), *within)
    return figure.model_copy(update={"low": low_, "high": high_, "verdict": verdict})


def correlations(estimated: Floats, truth: Floats) -> Floats:
    """Pearson's r of each row."""
    a, b = estimated - estimated.mean(axis=1, keepdims=True), truth - truth.mean(axis=1, keepdims=True)
    return (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))


def target(
    name: str,
    each: Floats,
    at_least: float | None = None,
    at_most: float | None = None,
    bend: Callable[[float], float] | None = None,
) -> Target:
    """The mean over data sets with its error (normal, between data sets), held against a target."""
    mean = float(each.mean())
    error = 1.96 * float(each.std(ddof=1)) / len(each) ** 0.5 if len(each) > 1 else 0.0
    shown = [bend(max(v, 0.0)) if bend else v for v in (mean, mean - error, mean + error)]
    value, low, high = (float(v) for v in shown)
    return Target(
        name=name,
        value=value,
        low=low,
        high=high,
        at_least=at_least,
        at_most=at_most,
        verdict=_verdict((value, low, high), at_least, at_most),
    )


def _verdict(shown: tuple[float, float, float], at_least: float | None, at_most: float | None) -> Met:
    value, low, high = shown
    least, most = (-np.inf if at_least is None else at_least), (np.inf if at_most is None else at_most)
    if least <= value <= most:
        return "pass"
    return "inconclusive" if high >= least and low <= most else "fail"
