"""Ratios of two submissions' times over process pairs: arrays in, an estimate with its interval out.

A pair is one float64[n, 2] array of seconds, numerator and denominator of the same n requests. The
pair is the unit of replication (Kalibera and Jones 2013: replicate at the highest level that
varies); calls within a pair only make its one value less noisy.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from harness.measures.estimates import Estimate
from harness.measures.stats import DRAWS, paired_log_ratio_interval, percentile_interval, resampled

Floats = NDArray[np.float64]

# One pair says nothing of how pairs differ (standard deviation 1 % between pinned pairs): its interval,
# which only knows the calls, is widened by three of them.
ONE_PAIR_MARGIN = 0.03


def over_pairs(log_ratios: Floats, alpha: float = 0.05) -> Estimate:
    """exp(mean of the pairs' log ratios) with its Student t interval; float64[pairs >= 2] -> ratio."""
    n = len(log_ratios)
    if n < 2:
        raise ValueError("an interval over pairs needs at least two")
    centre = float(log_ratios.mean())
    half = _t(alpha, n) * float(log_ratios.std(ddof=1)) / float(np.sqrt(n))
    return Estimate(float(np.exp(centre)), float(np.exp(centre - half)), float(np.exp(centre + half)))


@cache
def _t(alpha: float, n: int) -> float:
    from scipy.stats import t

    return float(t.ppf(1 - alpha / 2, n - 1))


def median_over_pairs(logs: Floats, alpha: float = 0.05) -> Estimate | None:
    """The median of float64[n] with the narrowest interval of two order statistics whose error is at most `alpha`.

    Its error is P(Bin(n, 1/2) < k) on each side, whatever the distribution (Conover 1999, section 3.2). None where
    n is too small for any: 5 pairs allow an error of 1/16, 8 of 1/128, 12 of 0.0063 (the second and eleventh).
    """
    n, k = len(logs), _order(alpha, len(logs))
    if k == 0:
        return None
    ordered = np.sort(logs)
    return Estimate(float(np.median(logs)), float(ordered[k - 1]), float(ordered[n - k]))


@cache
def _order(alpha: float, n: int) -> int:
    """How far from either end the order statistics are; 0 where none are wide enough."""
    from scipy.stats import binom

    errors = 2 * binom.cdf(np.arange(n // 2), n, 0.5)
    return int(np.count_nonzero(errors <= alpha))


def wider(logs: Floats, others: Floats, alpha: float) -> bool:
    """Whether the first spread more than the second: the F test of two variances, one-sided; float64[>= 2] each.

    A second without any spread is wide by rounding alone: then whatever spreads is wider.
    """
    own, other = float(logs.var(ddof=1)), float(others.var(ddof=1))
    return own > other * _f(alpha, len(logs), len(others))


@cache
def _f(alpha: float, n: int, m: int) -> float:
    from scipy.stats import f

    return float(f.isf(alpha, n - 1, m - 1))


def median_log_ratio(pair: Floats) -> float:
    """A pair's median of paired log ratios: drift during the pair affects both times and cancels."""
    return float(np.median(np.log(pair[:, 0]) - np.log(pair[:, 1])))


def median_ratio(pairs: Sequence[Floats], alpha: float = 0.05) -> Estimate:
    """Ratio of p50s: the mean over pairs of the median log ratio."""
    if len(pairs) == 1:
        return _widened(Estimate(*paired_log_ratio_interval(pairs[0][:, 0], pairs[0][:, 1], 0.5)))
    return over_pairs(np.array([median_log_ratio(pair) for pair in pairs]), alpha)


def total_ratio(pairs: Sequence[Floats], alpha: float = 0.05) -> Estimate:
    """Ratio of the total times over the same fixed set of requests: of means, and the inverse of throughputs' ratio.

    Every call counts by its length. A median, unlike this, says nothing of what the faster or slower half takes.
    """
    if len(pairs) > 1:
        totals = np.array([pair.sum(axis=0) for pair in pairs])
        return over_pairs(np.log(totals[:, 0]) - np.log(totals[:, 1]), alpha)
    pair = pairs[0]
    totals = resampled(pair).sum(axis=1)
    value = float(pair[:, 0].sum() / pair[:, 1].sum())
    return _widened(Estimate(value, *percentile_interval(totals[:, 0] / totals[:, 1])))


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


def relative_change(pairs: Sequence[Floats], own: Sequence[Floats] = (), alpha: float = 0.05) -> Estimate:
    """The factor by which the first column is slower than the second, over pairs; by that of `own`, if given."""
    values = np.array([median_log_ratio(pair) for pair in pairs])
    if own:
        values = values - np.array([median_log_ratio(pair) for pair in own])
    if len(values) == 1:
        once = float(np.exp(values[0]))
        return Estimate(once, 0.0, float("inf"))
    return over_pairs(values, alpha)


def _ratio_of(edges: Floats) -> float:
    return float(edges[0] / edges[1])


def _widened(estimate: Estimate) -> Estimate:
    wide = 1 + ONE_PAIR_MARGIN
    return Estimate(estimate.value, estimate.low / wide, estimate.high * wide)
