"""The contract of vector-index: the phases that a submission's `class Solution` has."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """Two stages, each in a fresh process: `build` alone, then `load` and `search`.

    Nothing passes from the first to the second but the bytes that `build` returned.
    """

    def __init__(self, context: Any) -> None:
        """`context.threads` is how many threads may be used, `context.seed` a seed for what is random."""

    def build(self, vectors: NDArray[np.float32], most_bytes: int) -> bytes:
        """Everything that search needs, serialised. Its length is the measured index size.

        vectors      float32[n, d], each of length 1; a vector's number is its row
        most_bytes   the budget: how long the returned bytes may be
        """
        ...

    def load(self, index: bytes) -> None:
        """Makes the index ready for `search`; `index` is what `build` returned, byte for byte."""
        ...

    def search(self, queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """The numbers of the k vectors with the largest inner product, best first: int64[q, k].

        queries      float32[q, d], each of length 1; the timed requests hold 16
        k            10; numbers are 0 to n - 1, and none appears twice in a row; narrower integers are cast to int64
        """
        ...
