"""A value with its 95 % interval, and how several are combined over instances."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.measures.stats import t_interval

# The least that a logarithm or a share is taken of.
EDGE = 1e-6


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """A count, or what is exact by definition: its interval is its value."""
        return cls(value, value, value)


def combine(estimates: Sequence[Estimate], log: Callable[[float], float] | None) -> Estimate:
    """The mean over instances (of logs for ratios); from three instances on with a t interval over them."""
    if len(estimates) == 1:
        return estimates[0]
    forward: Callable[[float], float] = log or float
    back: Callable[[float], float] = math.exp if log else float
    values = np.array([forward(e.value) for e in estimates])
    centre = float(values.mean())
    if len(estimates) >= 3:
        low, high = t_interval(values)
        return Estimate(back(centre), back(low), back(high))
    # Two instances say nothing about spread: each one's own half-widths, averaged in quadrature.
    below = _quadrature([forward(e.value) - forward(e.low) for e in estimates])
    above = _quadrature([forward(e.high) - forward(e.value) for e in estimates])
    return Estimate(back(centre), back(centre - below), back(centre + above))


def geometric(values: Sequence[float]) -> float:
    """The geometric mean of positive values."""
    return float(np.exp(np.mean(np.log(values))))


def log_of(ratio: float) -> float:
    """The logarithm of a ratio, or of EDGE where it is smaller.

    An empty answer gives a ratio of 0: small beyond any threshold, and no reason to fail.
    """
    return math.log(max(ratio, EDGE))


def or_else(value: float | None, fallback: float) -> float:
    """`value`, or `fallback` where there is none."""
    return fallback if value is None else value


def _quadrature(halves: Sequence[float]) -> float:
    return math.sqrt(sum(h * h for h in halves)) / len(halves)
