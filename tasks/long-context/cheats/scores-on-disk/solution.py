"""Keeps all scores of a head in a file of its scratch folder, mapped, so that they are not its memory.

Ends by: pages that a process has mapped count as its memory: the memory constraints. And slower than the
baseline, so points below zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Solution:
    def __init__(self, context: Any) -> None:
        self.file = context.scratch / "scores"

    def attend(self, q: Any, k: Any, v: Any, slopes: Any, starts: Any, softcap: float) -> Any:
        n = q.shape[1]
        position = np.arange(n, dtype=np.float32)
        document = np.searchsorted(starts, position, side="right")
        scores = np.memmap(self.file, dtype=np.float32, mode="w+", shape=(n, n))
        out = np.empty_like(v)
        for head in range(len(q)):
            np.matmul(q[head], k[head].T / np.float32(np.sqrt(q.shape[2]) * softcap), out=scores)
            for first in range(0, n, 64):
                part, rows = scores[first : first + 64], slice(first, first + 64)
                distance = position[rows, None] - position
                part[:] = softcap * np.tanh(part) - slopes[head] * distance
                part[(document[rows, None] != document) | (distance < 0)] = -np.inf
                part[:] = np.exp(part - part.max(axis=1, keepdims=True))
            out[head] = (scores @ v[head]) / scores.sum(axis=1, keepdims=True)
        return out
