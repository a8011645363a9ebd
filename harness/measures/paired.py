"""Ratios of two submissions' times over process pairs: arrays in, an estimate with its interval out.

A pair is one float64[n, 2] array of seconds, numerator and denominator of the same n requests. The
pair is the unit of replication (Kalibera and Jones 2013: replicate at the highest level that
varies); calls within a pair only make its one value less noisy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.measures.estimates import Estimate
from harness.measures.stats import DRAWS, paired_log_ratio_interval

Floats = NDArray[np.float64]

# One pair says nothing of how pairs differ (standard deviation 1 % between pinned pairs): its interval,
# which only knows the calls, is widened by three of them.
ONE_PAIR_MARGIN = 0.03


def over_pairs(log_ratios: Floats, alpha: float = 0.05) -> Estimate:
    """exp(mean of the pairs' log ratios) with its Student t interval; float64[pairs >= 2] -> ratio."""
    n = len(log_ratios)
    if n < 2:
        raise ValueError("an interval over pairs needs at least two")
    from scipy.stats import t

    centre = float(log_ratios.mean())
    half = float(t.ppf(1 - alpha / 2, n - 1)) * float(log_ratios.std(ddof=1)) / float(np.sqrt(n))
    return Estimate(float(np.exp(centre)), float(np.exp(centre - half)), float(np.exp(centre + half)))


def median_log_ratio(pair: Floats) -> float:
    """A pair's median of paired log ratios: drift during the pair affects both times and cancels."""
    return float(np.median(np.log(pair[:, 0]) - np.log(pair[:, 1])))


def median_ratio(pairs: Sequence[Floats], alpha: float = 0.05) -> Estimate:
    """Ratio of p50s: the mean over pairs of the median log ratio."""
    if len(pairs) == 1:
        return _widened(Estimate(*paired_log_ratio_interval(pairs[0][:, 0], pairs[0][:, 1], 0.5)))
    return over_pairs(np.array([median_log_ratio(pair) for pair in pairs]), alpha)


def total_ratio(pairs: Sequence[Floats], alpha: float = 0.05) -> Estimate:
    """Ratio of the total times over the same fixed set of requests (the inverse of the throughputs' ratio)."""
    if len(pairs) > 1:
        totals = np.array([pair.sum(axis=0) for pair in pairs])
        return over_pairs(np.log(totals[:, 0]) - np.log(totals[:, 1]), alpha)
    pair = pairs[0]
    rows = np.random.default_rng(0).integers(0, len(pair), size=(DRAWS, len(pair)))
    totals = pair[rows].sum(axis=1)
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [0.025, 0.975])
    value = float(pair[:, 0].sum() / pair[:, 1].sum())
    return _widened(Estimate(value, float(low), float(high)))


def tail_ratio(pairs: Sequence[Floats], quantile: float, alpha: float = 0.05) -> Estimate:
    """Ratio of a high quantile of all calls, by a bootstrap nested in pairs: pairs first, then their calls.

    Its honest band is wide: +-19 % at 100 calls, +-6 % at 1,000 (measured, p95).
    """
    rng = np.random.default_rng(0)
    pooled = np.concatenate(list(pairs))
    value = _ratio_of(np.quantile(pooled, quantile, axis=0))
    draws = []
    for _ in range(DRAWS):
        chosen = [pairs[i] for i in rng.integers(0, len(pairs), len(pairs))]
        calls = np.concatenate([pair[rng.integers(0, len(pair), len(pair))] for pair in chosen])
        draws.append(_ratio_of(np.quantile(calls, quantile, axis=0)))
    low, high = np.quantile(draws, [alpha / 2, 1 - alpha / 2])
    estimate = Estimate(value, float(low), float(high))
    return estimate if len(pairs) > 1 else _widened(estimate)


def reading_ratio(top: Floats, bottom: Floats, alpha: float = 0.05) -> Estimate:
    """Ratio of readings of which each pair has one (time to be ready, bulk time): float64[pairs >= 2] each."""
    return over_pairs(np.log(top) - np.log(bottom), alpha)


def relative_change(pairs: Sequence[Floats], own: Sequence[Floats] = ()) -> Estimate:
    """The share by which the first column is slower than the second, over pairs; minus that of `own`, if given."""
    values = np.array([median_log_ratio(pair) for pair in pairs])
    if own:
        values = values - np.array([median_log_ratio(pair) for pair in own])
    if len(values) == 1:
        once = float(np.exp(values[0]))
        return Estimate(once, 0.0, float("inf"))
    return over_pairs(values)


def _ratio_of(edges: Floats) -> float:
    return float(edges[0] / edges[1])


def _widened(estimate: Estimate) -> Estimate:
    wide = 1 + ONE_PAIR_MARGIN
    return Estimate(estimate.value, estimate.low / wide, estimate.high * wide)
