"""What the estimator takes: means of cells, their replication, anchors and censoring, for many data sets at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """`B` data sets of `P` persons by `T` tasks; scores are points / 100, or on a link's scale.

    mean      (B, P, T) float64, mean over a cell's replicates; any number where count is 0
    count     (B, P, T) float64, replicates of the cell; 0 where it is missing
    squares   (B, T) float64, sum of squares within cells over all persons
    freedom   (B, T) float64, degrees of freedom of `squares`
    anchor    (B, P) float64, skill of an anchor person by definition; NaN for everybody else
    censored  (B, P, T) int64, -1 where a cell lies at the floor, 1 at the cap, 0 within
    """

    mean: Floats
    count: Floats
    squares: Floats
    freedom: Floats
    anchor: Floats
    censored: Ints

    @property
    def shape(self) -> tuple[int, int, int]:
        """B, P, T."""
        b, p, t = self.mean.shape
        return b, p, t

    def repeated(self, times: int) -> Scores:
        """The same data sets again and again along the first axis, for so many chains."""
        return stacked([self] * times)


def of_values(values: Floats, anchor: Floats, low: float = -np.inf, high: float = np.inf) -> Scores:
    """Scores of an array (B, P, T, S) with NaN where a replicate is missing; anchor (B, P).

    Values are held between `low` and `high`; a cell all of whose replicates lie at one of them is censored.
    """
    held = np.clip(values, low, high)
    seen = np.isfinite(held)
    count = seen.sum(axis=3).astype(np.float64)
    filled = np.where(seen, held, 0.0)
    mean = filled.sum(axis=3) / np.maximum(count, 1.0)
    squares = np.where(seen, filled - mean[..., None], 0.0) ** 2
    at_low = (np.where(seen, held <= low, True).all(axis=3)) & (count > 0)
    at_high = (np.where(seen, held >= high, True).all(axis=3)) & (count > 0)
    return Scores(
        mean=mean,
        count=count,
        squares=squares.sum(axis=(1, 3)),
        freedom=np.maximum(count - 1.0, 0.0).sum(axis=1),
        anchor=anchor,
        censored=at_high.astype(np.int64) - at_low.astype(np.int64),
    )


def stacked(many: Sequence[Scores]) -> Scores:
    """Data sets of one shape behind each other along the first axis."""
    return Scores(
        mean=np.concatenate([s.mean for s in many]),
        count=np.concatenate([s.count for s in many]),
        squares=np.concatenate([s.squares for s in many]),
        freedom=np.concatenate([s.freedom for s in many]),
        anchor=np.concatenate([s.anchor for s in many]),
        censored=np.concatenate([s.censored for s in many]),
    )
