"""Where the variance of one task's points comes from: person, instance, seed and machine; and the minutes it took."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import f as f_distribution

from harness.analysis.calibration.gibbs import Draws
from harness.analysis.calibration.reliability import LEAST, of_draws
from harness.analysis.calibration.results import Estimate, Minutes
from harness.analysis.calibration.scores import Floats
from harness.analysis.calibration.tables import Row

DRAWS = 200
Shares = tuple[tuple[str, Estimate], ...]


def shares(draws: Draws, task: int, rungs: dict[str, Floats], rows: Sequence[Row], people: int) -> Shares:
    """Shares of one score's variance by person, instance, seed and machine; `rows` are people's on this task.

    Person is slope^2 tau^2 + psi, the rest is a person's spread between instances, each run with one seed. How much
    of that is the seed's is read off the competent tier, which is run with several seeds on each instance.
    """
    person = draws.slope[:, 0, task] ** 2 * draws.tau2[:, 0] + draws.unique[:, 0, task]
    rest = draws.noise[:, 0, task]
    if not rest.any():
        alone = Estimate(absent_because="everybody was scored on one instance")
        return ("person", alone), ("instance", alone), ("seed", alone), ("machine", machine(rows))
    whole = person + rest
    named = [("person", of_draws(person / whole, people))]
    split, why = _of_instances(rungs.get("competent"))
    if split is None:
        named += [
            ("instance and seed", of_draws(rest / whole, people)),
            ("seed", Estimate(absent_because=why)),
        ]
    else:
        part = np.random.default_rng(0).choice(split, len(rest))
        named += [
            ("instance", of_draws(rest * part / whole, people)),
            ("seed", of_draws(rest * (1 - part) / whole, people)),
        ]
    return *named, ("machine", machine(rows))


def _of_instances(values: Floats | None) -> tuple[Floats | None, str]:
    """The instances' part of a tier's variance in 200 bootstrap draws of its instances; (I, S) -> (200,) or why not.

    One-way components (Searle, Casella and McCulloch 1992, ch. 3); below 0 is held at 0.
    """
    if values is None or not np.isfinite(values).all():
        return None, "the competent tier was not run on every instance and seed"
    i, s = values.shape
    if i < 3 or s < 2:
        return None, f"the competent tier was run on {i} instances with {s} seeds; 3 with 2 are needed"
    rng, fractions = np.random.default_rng(0), []
    for _ in range(DRAWS):
        drawn = values[rng.integers(0, i, i)]
        within = float(drawn.var(axis=1, ddof=1).mean())
        between = max(float(drawn.mean(axis=1).var(ddof=1)) - within / s, 0.0)
        if within + between > 0:
            fractions.append(between / (within + between))
    return (np.array(fractions), "") if fractions else (None, "the competent tier never varied")


def machine(rows: Sequence[Row]) -> Estimate:
    """The machines' share in the variance of persons' means: one-way, exact interval where groups are of one size.

    Searle, Casella and McCulloch (1992), ch. 3. Each person is scored on one machine, so that machines differ here
    also where better people happened to be scored on one of them.
    """
    points: dict[tuple[str, str], list[float]] = {}
    for r in rows:
        if r.points is not None and r.machine:  # what was refused before it ran was on no machine
            points.setdefault((r.machine, r.person), []).append(r.points)
    groups: dict[str, list[float]] = {}
    for (name, _), values in points.items():
        groups.setdefault(name, []).append(float(np.mean(values)))
    if len(groups) < 2:
        return Estimate(absent_because="one machine only" if groups else "nobody was measured")
    sizes = np.array([len(g) for g in groups.values()])
    n, a = int(sizes.sum()), len(groups)
    if n < LEAST or n - a < 2:
        return Estimate(absent_because=f"too few examinees: {n} on {a} machines")
    grand = sum(map(sum, groups.values())) / n
    between = sum(len(g) * (np.mean(g) - grand) ** 2 for g in groups.values()) / (a - 1)
    within = sum(float(np.var(g)) * len(g) for g in groups.values()) / (n - a)
    if within <= 0:
        return Estimate(absent_because="everybody on one machine scored the same")
    size, ratio = float((n - (sizes**2).sum() / n) / (a - 1)), float(between / within)
    ends = [1.0, *(float(f_distribution.ppf(q, a - 1, n - a)) for q in (0.975, 0.025))]
    value, low, high = (max((ratio / e - 1) / (ratio / e + size - 1), 0.0) for e in ends)
    return Estimate(value=value, low=low, high=high)


def minutes(rows: Sequence[Row]) -> Minutes | None:
    """Least, median and most minutes that scoring a person's hand-in took; None where no row has minutes."""
    took = list({r.person: r.minutes for r in rows if r.minutes and r.outcome == "ok"}.values())
    if not took:
        return None
    return Minutes(least=min(took), median=float(np.median(took)), most=max(took), people=len(took))
