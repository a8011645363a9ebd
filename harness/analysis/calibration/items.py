"""What tiers and people say of one task: gaps of the ladder with bootstrap, spreads, discrimination, ends."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from harness.analysis.calibration.results import Estimate, Gap, TierFigures
from harness.analysis.calibration.scores import Floats
from harness.analysis.calibration.tables import Row
from harness.records import TIERS

DRAWS, NEEDED_SDS = 200, 3.0
LEAST_PEOPLE = 5
# The gap of a tier that never varies, and the largest gap that is reported.
MOST_SDS = 99.0
_LEAST_SPREAD = 0.001


def ladder(rows: Sequence[Row]) -> dict[str, Floats]:
    """Points of each tier as (instances, seeds), NaN where one is missing."""
    own = [r for r in rows if r.tier is not None and r.points is not None]
    instances, seeds = sorted({r.instance for r in own}), sorted({r.seed for r in own})
    points = {tier: np.full((len(instances), len(seeds)), np.nan) for tier in TIERS}
    for r in own:
        if r.tier is not None and r.points is not None:
            points[r.tier][instances.index(r.instance), seeds.index(r.seed)] = r.points
    return {tier: values for tier, values in points.items() if np.isfinite(values).any()}


def tier_figures(rungs: dict[str, Floats]) -> tuple[TierFigures, ...]:
    """Mean and spreads; between instances beyond seeds by the one-way analysis of variance (Searle 1992, ch. 3)."""
    figures = []
    for tier in TIERS:
        if (values := rungs.get(tier)) is None:
            continue
        i, s = values.shape
        within = float(values.var(axis=1, ddof=1).mean()) if s > 1 else None
        between = float(values.mean(axis=1).var(ddof=1)) - (within or 0.0) / s if i > 1 else None
        figures.append(
            TierFigures(
                tier=tier,
                runs=values.size,
                points=float(np.nanmean(values)),
                sd_seed=None if within is None else within**0.5,
                sd_instance=None if between is None else max(between, 0.0) ** 0.5,
            )
        )
    return tuple(figures)


def gaps(rungs: dict[str, Floats], seed: int = 0) -> tuple[Gap, ...]:
    """Neighbouring tiers apart in pooled standard deviations, over resampled instances and their seeds.

    d = (mean of the upper - mean of the lower) / sqrt((var upper + var lower) / 2) (Cohen 1988); instances are
    drawn with replacement, and within each its seeds, the same for both tiers (Efron and Tibshirani 1993, ch. 8).
    """
    neighbours, rng = [], np.random.default_rng(seed)
    for low, high in pairwise(TIERS):
        if low not in rungs or high not in rungs:
            continue
        lower, upper = rungs[low], rungs[high]
        i, s = lower.shape
        drawn = [
            np.array(
                [(lower[a, b], upper[a, b]) for a in rng.integers(0, i, i) for b in rng.integers(0, s, s)]
            )
            for _ in range(DRAWS)
        ]
        means = np.array([float((pairs[:, 1] - pairs[:, 0]).mean()) for pairs in drawn])
        apart = [apart_by(pairs[:, 0], pairs[:, 1]) for pairs in drawn]
        value, inversions = apart_by(lower.ravel(), upper.ravel()), int((means <= 0).sum())
        alone = lower.size < 2
        neighbours.append(
            Gap(
                lower=low,
                upper=high,
                points=float((upper - lower).mean()),
                sds=Estimate(absent_because="one run shows no spread")
                if alone
                else Estimate(
                    value=value, low=float(np.quantile(apart, 0.025)), high=float(np.quantile(apart, 0.975))
                ),
                inversions=inversions,
                draws=DRAWS,
                sound=not alone and value >= NEEDED_SDS and not inversions,
            )
        )
    return tuple(neighbours)


def apart_by(lower: Floats, upper: Floats) -> float:
    """The gap of two samples in pooled standard deviations, at most MOST_SDS; float64[n], float64[m] -> float."""
    pooled = ((lower.var(ddof=1) + upper.var(ddof=1)) / 2) ** 0.5 if len(lower) > 1 else 0.0
    return float(
        np.clip((upper.mean() - lower.mean()) / max(float(pooled), _LEAST_SPREAD), -MOST_SDS, MOST_SDS)
    )


def item_rest(scores: Floats, task: int) -> Estimate:
    """Pearson's r of a task with the mean of the others, over persons who did all; (P, T) -> with Fisher's interval."""
    whole = scores[np.isfinite(scores).all(axis=1)]
    if len(whole) < LEAST_PEOPLE or scores.shape[1] < 2:
        return Estimate(absent_because=f"too few examinees: {len(whole)} of at least {LEAST_PEOPLE}")
    own, rest = whole[:, task], np.delete(whole, task, axis=1).mean(axis=1)
    if own.std() < 1e-9 or rest.std() < 1e-9:
        return Estimate(absent_because="everybody scored the same")
    r = float(np.clip(np.corrcoef(own, rest)[0, 1], -0.999999, 0.999999))
    half = 1.959964 / (len(whole) - 3) ** 0.5
    return Estimate(
        value=r, low=float(np.tanh(np.arctanh(r) - half)), high=float(np.tanh(np.arctanh(r) + half))
    )


def share(hits: int, of: int) -> Estimate:
    """A share with Wilson's interval (1927); absent where there is nothing to share."""
    if not of:
        return Estimate(absent_because="nobody was measured")
    z2, p = 1.959964**2, hits / of
    centre, half = p + z2 / (2 * of), (z2 * (p * (1 - p) + z2 / (4 * of)) / of) ** 0.5
    return Estimate(
        value=p, low=max(0.0, (centre - half) / (1 + z2 / of)), high=min(1.0, (centre + half) / (1 + z2 / of))
    )
