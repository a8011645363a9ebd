"""Answers the most frequent class at once: as fast as can be, and right about one text in four.

Ends by: the accuracy floor.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Solution:
    def __init__(self, context: Any) -> None: ...

    def optimise(self, texts: Any, labels: Any) -> bytes:
        return bytes([int(np.bincount(labels).argmax())])

    def load(self, artefact: bytes) -> None:
        self.majority = artefact[0]

    def predict(self, texts: list[str]) -> Any:
        return np.full(len(texts), self.majority, dtype=np.int64)
