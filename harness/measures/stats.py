"""Intervals and summaries: arrays in, floats out, every random draw from a given seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], float]

DRAWS = 1000


def mean(values: Floats) -> float:
    """The arithmetic mean; float64[n] -> float."""
    return float(np.mean(values))


def median(values: Floats) -> float:
    """The median; float64[n] -> float."""
    return float(np.median(values))


def bootstrap_draws(
    per_item: Floats, statistic: Statistic = mean, seed: int = 0, draws: int = DRAWS
) -> Floats:
    """`statistic` of `draws` resamples with replacement of the rows of `per_item`; (n, ...) -> float64[draws].

    The same n, seed and draws always resample the same rows, so the draws of two submissions on the same
    items are paired (Efron and Tibshirani 1993, chapter 13). Raises ValueError if there are no rows.
    """
    return np.array([statistic(rows) for rows in resampled(per_item, seed, draws)])


def resampled(per_item: Floats, seed: int = 0, draws: int = DRAWS) -> Floats:
    """`draws` resamples of the rows of `per_item`, for statistics along axis 1; (n, ...) -> (draws, n, ...)."""
    if len(per_item) == 0:
        raise ValueError("no values to resample")
    rng = np.random.default_rng(seed)
    return per_item[rng.integers(0, len(per_item), size=(draws, len(per_item)))]


def percentile_interval(draws: Floats) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile; float64[draws] -> (low, high)."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def bootstrap_interval(
    per_item: Floats, statistic: Statistic = mean, seed: int = 0, draws: int = DRAWS
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of `statistic` over the rows of `per_item` (n, ...)."""
    return percentile_interval(bootstrap_draws(per_item, statistic, seed, draws))


def t_interval(values: Floats) -> tuple[float, float]:
    """95 % Student t interval of the mean of n >= 2 values; float64[n] -> (low, high)."""
    if len(values) < 2:
        raise ValueError("a t interval needs at least two values")
    return t_interval_of(mean(values), float(np.std(values, ddof=1)), len(values))


def t_interval_of(centre: float, sd: float, n: int) -> tuple[float, float]:
    """As `t_interval`, from mean, sample standard deviation and number; the mean alone where n is 1."""
    if n < 2:
        return centre, centre
    from scipy.stats import t

    half = float(t.ppf(0.975, n - 1)) * sd / float(np.sqrt(n))
    return centre - half, centre + half


def paired_log_ratio_interval(
    numerator: Floats, denominator: Floats, quantile: float, seed: int = 0, draws: int = DRAWS
) -> tuple[float, float, float]:
    """Ratio of a quantile of paired times, with its 95 % bootstrap interval over pairs.

    At the median the estimate is exp(median(log(numerator / denominator))), the median of paired log ratios,
    which is not affected by a drift common to both sides; at other quantiles it is the ratio of the two
    quantiles. float64[n], float64[n] (seconds, same requests) -> (value, low, high).
    """
    pairs = np.column_stack([np.log(numerator), np.log(denominator)])
    again = np.concatenate([pairs[np.newaxis], resampled(pairs, seed, draws)])
    if quantile == 0.5:
        ratios = np.exp(np.median(again[..., 0] - again[..., 1], axis=1))
    else:
        edges = np.quantile(again, quantile, axis=1)
        ratios = np.exp(edges[:, 0] - edges[:, 1])
    return float(ratios[0]), *percentile_interval(ratios[1:])


def pooled_sd(first: Floats, second: Floats) -> float:
    """Pooled standard deviation of two samples (Cohen 1988); needs two values in each."""
    n, m = len(first), len(second)
    if n < 2 or m < 2:
        raise ValueError("a pooled standard deviation needs at least two values on each side")
    spread = (n - 1) * float(np.var(first, ddof=1)) + (m - 1) * float(np.var(second, ddof=1))
    return float(np.sqrt(spread / (n + m - 2)))
