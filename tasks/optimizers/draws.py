"""Pure: random numbers made of whole ones, the same on every processor, and a digest of all that was drawn.

Whole numbers drawn by seed, added, multiplied and divided by powers of two, are exact in float64: no library of
linear algebra and no rounding of a logarithm decides what an instance is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STEPS = 2**30  # of a draw between 0 and 1
SUMMED = 12  # uniform draws in a nearly normal one, whose variance is then 1


class Draws:
    """A stream of draws, and the digest of those taken from it so far."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._taken = hashlib.sha256()

    def integers(self, low: int, high: int, shape: int | Sequence[int] = ()) -> Ints:
        """int64[shape] of low to high - 1, all equally likely."""
        drawn = np.asarray(self._rng.integers(low, high, shape, dtype=np.int64))
        self._taken.update(drawn.astype("<i8").tobytes())
        return drawn

    def uniform(self, low: float, high: float, shape: int | Sequence[int] = ()) -> Floats:
        """float64[shape] between low and high, in STEPS steps."""
        return low + (high - low) * (self.integers(0, STEPS, shape) / STEPS)

    def one(self, low: float, high: float) -> float:
        """One number between low and high."""
        return float(self.uniform(low, high))

    def normal(self, shape: int | Sequence[int]) -> Floats:
        """float64[shape], mean 0 and variance 1: sums of SUMMED uniform draws, so within -6 to 6."""
        whole = (shape,) if isinstance(shape, int) else tuple(shape)
        return self.integers(0, STEPS, (SUMMED, *whole)).sum(axis=0) / STEPS - SUMMED / 2

    def permutation(self, n: int) -> Ints:
        """int64[n]: 0 to n - 1 in an order that is drawn."""
        drawn = self._rng.permutation(n).astype(np.int64)
        self._taken.update(drawn.astype("<i8").tobytes())
        return drawn

    def digest(self) -> str:
        """16 hexadecimal digits that other draws would not give."""
        return self._taken.hexdigest()[:16]
