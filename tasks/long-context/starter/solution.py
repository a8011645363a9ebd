"""A start: the definition in numpy, one head at a time, all scores at once. It runs, and it is right.

It is slow, and its memory grows with the square of the length, so that it fails a constraint. Replace
what you like. README.md says what is measured, contract.py what the method gets and returns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Solution:
    """Made once in every process, then asked many times."""

    def __init__(self, context: Any) -> None:
        self.context = context

    def attend(self, q: Any, k: Any, v: Any, slopes: Any, starts: Any, softcap: float) -> NDArray[np.float32]:
        """float32[heads, n, width], as the contract's formula says."""
        heads, n, width = q.shape
        position = np.arange(n, dtype=np.float32)
        document = np.searchsorted(starts, position, side="right")
        distance = position[:, None] - position
        visible = (document[:, None] == document) & (distance >= 0)
        out = np.empty_like(v)
        for head in range(heads):
            scores = q[head] @ k[head].T / np.float32(np.sqrt(width))
            scores = np.float32(softcap) * np.tanh(scores / np.float32(softcap))
            scores = np.where(visible, scores - slopes[head] * distance, np.float32(-np.inf))
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            out[head] = weights @ v[head] / weights.sum(axis=1, keepdims=True)
        return out
