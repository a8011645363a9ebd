"""Cut scores that people set: what judges expect of somebody who only just passes, and how far judges agree."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.analysis.calibration.scores import Floats
from harness.sheets import Cut, Suite


def angoff(suite: Suite, judged: Mapping[str, Mapping[str, float]]) -> Cut:
    """The extended Angoff cut (Hambleton and Plake 1995): judge -> task -> expected points of the minimally competent.

    Each judge's cut is the weighted mean of their points over the suite's tasks; the cut is the mean over J judges,
    its standard error their SD / sqrt(J). Raises ValueError with fewer than two judges, or where one left a task out.
    """
    if len(judged) < 2:
        raise ValueError(f"an Angoff cut needs at least two judges; there is {len(judged)}")
    total, cuts = sum(task.weight for task in suite.tasks), []
    for judge, points in judged.items():
        missing = [task.id for task in suite.tasks if task.id not in points]
        if missing:
            raise ValueError(f"judge {judge} said nothing of {missing[0]}; every judge judges every task")
        cuts.append(sum(task.weight * points[task.id] for task in suite.tasks) / total)
    error = float(np.std(cuts, ddof=1)) / len(cuts) ** 0.5
    return Cut(
        points=float(np.mean(cuts)), method="angoff", set_by=f"{len(cuts)} judges", standard_error=error
    )


def borderline(
    ratings: Mapping[str, float], points: Mapping[str, float], at: float = 2.0, seed: int = 0
) -> Cut:
    """The borderline regression cut (Kramer and others 2003): the points predicted at the rating `at`.

    A least-squares line of points on global ratings over everybody who has both; the standard error is that of 500
    bootstrap draws over persons. Raises ValueError with fewer than five persons or a single rating.
    """
    both = np.array([(ratings[name], points[name]) for name in sorted(ratings) if name in points])
    if len(both) < 5 or len(np.unique(both[:, 0])) < 2:
        raise ValueError(
            f"borderline regression needs five persons with two ratings or more; there are {len(both)}"
        )
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(500):
        sample = both[rng.integers(0, len(both), len(both))]
        if len(np.unique(sample[:, 0])) > 1:
            drawn.append(_at(sample, at))
    return Cut(
        points=_at(both, at),
        method="borderline regression",
        set_by=f"reviewers of {len(both)} persons",
        standard_error=float(np.std(drawn, ddof=1)),
    )


def borderline_of_tasks(
    suite: Suite, rated: Mapping[str, Mapping[str, tuple[float, float]]], at: float = 2.0, seed: int = 0
) -> Cut:
    """Borderline regression on each task, task -> person -> (rating, points); the suite's cut is their weighted mean.

    Kramer and others (2003). The standard error is that of 500 bootstrap draws over persons, the same on every task.
    Raises ValueError where a task is not rated, or not enough persons are, or all alike.
    """
    total, tables = sum(task.weight for task in suite.tasks), []
    names = sorted({name for own in rated.values() for name in own})
    for task in suite.tasks:
        own = rated.get(task.id, {})
        table = np.array([own.get(name, (np.nan, np.nan)) for name in names]).reshape(-1, 2)
        seen = _rated(table)
        if len(seen) < 5 or len(np.unique(seen[:, 0])) < 2:
            raise ValueError(
                f"{task.id} needs five rated persons with two ratings or more; it has {len(seen)}"
            )
        tables.append((task.weight / total, table))
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(500):
        taken = rng.integers(0, len(names), len(names))
        samples = [(w, _rated(t[taken])) for w, t in tables]
        if all(len(np.unique(s[:, 0])) > 1 for _, s in samples):
            drawn.append(sum(w * _at(s, at) for w, s in samples))
    return Cut(
        points=float(sum(w * _at(_rated(t), at) for w, t in tables)),
        method="borderline regression",
        set_by=f"reviewers of {len(names)} persons, on each task",
        standard_error=float(np.std(drawn, ddof=1)),
    )


def _rated(table: Floats) -> Floats:
    """The (rating, points) of those who were rated, of a table with NaN for everybody else."""
    return table[np.isfinite(table).all(axis=1)]


def _at(both: Floats, at: float) -> float:
    x, y = both[:, 0] - both[:, 0].mean(), both[:, 1]
    return float(y.mean() + (x * y).sum() / (x**2).sum() * (at - both[:, 0].mean()))
